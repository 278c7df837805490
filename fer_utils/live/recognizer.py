"""From a picture to faces with predicted expressions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from fer_utils.evaluation import metrics
from fer_utils.live import crops, detectors, engines
from fer_utils.live.detectors import Detector
from fer_utils.live.faces import Box, Face
from fer_utils.live.images import as_frame, as_grey
from fer_utils.records import Record

SMALLEST = 20
"""Least side in pixels of a face that is looked at: half of what the network was trained on, and less is a guess."""

SYNTHETIC_NOTICE = "Model trained on drawn faces: its answers on real faces mean nothing."


class EmotionRecognizer:
    """Finds all faces of a picture and predicts each one's expression. Keeps, writes and sends nothing.

    >>> recognizer = EmotionRecognizer()
    >>> for face in recognizer(cv2.imread("photo.jpg")):
    ...     print(face.box, face.label, face.confidence)

    A face is cropped as a square around its box and prepared by `augment.prepare`, the function of training; all faces
    of a picture are classified in one batch. Probabilities are softmax(scores / T) with the temperature T that the
    model's file carries, fitted on validation images. Use one recognizer per thread.
    """

    def __init__(
        self,
        model: str | Path | Record | keras.Model | None = None,
        detector: str | Path | Detector = "haar",
        *,
        class_names: Sequence[str] = (),
        margin: float | None = None,
        colour_order: str = "bgr",
        longest_side: int = 1280,
        threads: int | None = None,
    ) -> None:
        """Loads them.

        Args:
            model: see `engines.load`; None for the network that ships with the package.
            detector: `"haar"`, the path of a YuNet file, or any `Detector`.
            class_names: the classes of a Keras network given as `model`.
            margin: added on each side, as a fraction of a box's longer side; None for the detector's: FER2013's crops.
            colour_order: of pictures given, `"bgr"` (OpenCV) or `"rgb"`.
            longest_side: pixels; larger pictures are reduced for detection, not for classification.
            threads: of ONNX Runtime; None for one per core.

        Raises:
            ValueError, FileNotFoundError, ImportError: see `engines.load`, `detectors.get` and `images.as_frame`.
        """
        as_frame(np.zeros((1, 1), np.uint8), colour_order)
        self.engine, self.detector = engines.load(model, class_names, threads), detectors.get(detector)
        self.margin = self.detector.margin if margin is None else margin
        self.colour_order, self.longest_side = colour_order, longest_side
        if not -0.4 <= self.margin <= 2:
            raise ValueError(f"A margin lies between -0.4 and 2 times the box's side; got {self.margin}.")

    @property
    def class_names(self) -> tuple[str, ...]:
        """The k classes, in the order of a face's probabilities."""
        return self.engine.description.class_names

    @property
    def notice(self) -> str:
        """What every picture must say about this model; empty for one trained on real faces."""
        return SYNTHETIC_NOTICE if self.engine.description.dataset == "synthetic" else ""

    def __call__(self, frame: np.ndarray) -> list[Face]:
        """All faces of a picture, the largest first.

        Args:
            frame: uint8 or uint16 (h, w), (h, w, 1), (h, w, 3) or (h, w, 4); see `images.as_frame`.

        Raises:
            ValueError: another type or shape.
        """
        frame = as_frame(frame, self.colour_order)
        return self.classify(frame, self.detect(frame))

    def detect(self, frame: np.ndarray, longest_side: int | None = None) -> list[Box]:
        """Boxes of the faces in a frame of `as_frame`, those of less than `SMALLEST` pixels left out."""
        return detectors.detect(self.detector, frame, longest_side or self.longest_side, SMALLEST)

    def classify(self, frame: np.ndarray, boxes: Sequence[Box]) -> list[Face]:
        """The predicted expression in each box of a frame of `as_frame`, all in one batch."""
        if not boxes:
            return []
        batch = crops.prepared(as_grey(frame), boxes, self.margin, self.engine.description.size)
        probabilities = metrics.softmax(self.engine(batch) / self.engine.description.temperature)
        names = self.class_names
        return [Face(box, names[int(p.argmax())], p, names) for box, p in zip(boxes, probabilities, strict=True)]
