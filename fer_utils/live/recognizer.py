"""From a picture to faces with predicted expressions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_utils.live import inputs
from fer_utils.live.detection import crops, detectors
from fer_utils.live.detection.detectors import Detector
from fer_utils.live.faces import Box, Face, softmax
from fer_utils.live.images import as_grey, check_colour_order
from fer_utils.live.network import engines

if TYPE_CHECKING:
    import keras

    from fer_utils.records import Record

SMALLEST = 20
"""Least side in pixels of a face that is looked at: half of what the network was trained on, and less is a guess."""

UNSURE_BELOW = 0.47
"""Probability of the label below which an answer counts as unsure: 80 % of PublicTest are answered surely."""

SYNTHETIC_NOTICE = "Model trained on drawn faces: its answers on real faces mean nothing."


class EmotionRecognizer:
    """Finds all faces of a picture and predicts each one's expression. Keeps, writes and sends nothing.

    >>> recognizer = EmotionRecognizer(detector="retinaface")
    >>> for face in recognizer(Path(__file__).parent / "pictures" / "astronaut.jpg"):
    ...     print(face.label, face.sure, f"{face.box.width:.0f} pixels wide")
    happy True 95 pixels wide

    A face is cropped as a square around its box, turned upright where it leans by more than 15 degrees, and prepared by
    `preparation.prepare`, the function of training; all faces of a picture are classified in one batch. A face is shown
    to the network in six views (as it is and mirrored, each at three sizes), whose scores are averaged: an answer then
    depends less on where exactly the box lies. Probabilities are softmax(scores / T) with the temperature T that the
    model's file carries, fitted on validation images. Use one recognizer per thread.
    """

    def __init__(
        self,
        model: str | Path | Record | keras.Model | None = None,
        detector: str | Path | Detector = "auto",
        *,
        class_names: Sequence[str] = (),
        margin: float | None = None,
        colour_order: str = "bgr",
        longest_side: int = 1280,
        threads: int | None = None,
        views: str = "six",
        unsure_below: float = UNSURE_BELOW,
    ) -> None:
        """Load the network and the detector.

        Args:
            model: see `engines.load`; None for the network that ships with the package.
            detector: one of `detectors.NAMES`, the path of a YuNet file, or any `Detector`.
            class_names: the classes of a Keras network given as `model`.
            margin: added on each side, as a fraction of a box's longer side; None for the detector's: FER2013's crops.
            colour_order: of arrays given, `"bgr"` (OpenCV) or `"rgb"`.
            longest_side: pixels; larger pictures are reduced for detection, not for classification.
            threads: of ONNX Runtime; None for one per core.
            views: of each face, one of `fer_utils.data.preparation.VIEWS`: `"six"`, `"mirror"` or `"one"`.
            unsure_below: probability in [0, 1] of the label below which an answer counts as unsure.

        Raises:
            ValueError, FileNotFoundError, ImportError: see `engines.load` and `detectors.get`.
        """
        check_colour_order(colour_order)
        crops.check_views(views)
        self.engine = engines.load(model, class_names, threads)
        self.detector = detectors.get(detector, threads)
        self.margin = self.detector.margin if margin is None else margin
        self.colour_order, self.longest_side, self.views = colour_order, longest_side, views
        self.unsure_below = unsure_below
        if longest_side < 1:
            raise ValueError(f"longest_side is a number of pixels, 1 or more; got {longest_side}. Leave it out.")
        if not -0.4 <= self.margin <= 2:
            raise ValueError(f"A margin lies between -0.4 and 2 times the box's side; got {self.margin}.")
        if not 0 <= unsure_below <= 1:
            raise ValueError(f"unsure_below is a probability in [0, 1]; got {unsure_below}. Choose one, 0 for none.")

    @property
    def class_names(self) -> tuple[str, ...]:
        """The k classes, in the order of a face's probabilities."""
        return self.engine.description.class_names

    @property
    def about(self) -> str:
        """Which network it is, in a sentence."""
        found = self.engine.description
        trained = f", trained on {found.dataset}" if found.dataset else ""
        return f"Read by the network {found.model or 'of your own'}{trained}."

    @property
    def notice(self) -> str:
        """What every picture must say about this model; empty for one trained on real faces."""
        return SYNTHETIC_NOTICE if self.engine.description.dataset == "synthetic" else ""

    def __call__(self, picture: Any, colour: str | None = None) -> Any:
        """All faces of a picture, the largest first, as a list of `Face`; of several pictures a list of such lists.

        Args:
            picture: the path of an image file, its bytes, a picture of Pillow, or an array of pixels (see
                `images.as_frame`); or a list of them, or a batch (n, h, w, c).
            colour: order of an array's colours, `"bgr"` or `"rgb"`; default: the recognizer's `colour_order`.

        Raises:
            ValueError: anything else; the message says what came and what to do.
        """
        if inputs.is_several(picture):
            return [self(one, colour) for one in picture]
        frame = inputs.frame(picture, colour or self.colour_order)
        return self.classify(frame, self.detect(frame))

    def detect(self, frame: np.ndarray, longest_side: int | None = None) -> list[Box]:
        """Boxes of the faces in a frame of `as_frame`, those of less than `SMALLEST` pixels left out."""
        return detectors.detect(self.detector, frame, longest_side or self.longest_side, SMALLEST)

    def classify(self, frame: np.ndarray, boxes: Sequence[Box], views: str | None = None) -> list[Face]:
        """The predicted expression in each box of a frame of `as_frame`, all in one batch.

        Args:
            frame: uint8 (h, w) or (h, w, 3).
            boxes: n of them, each sharing at least one pixel with the frame.
            views: of each face, one of `fer_utils.data.preparation.VIEWS`; default: the recognizer's.
        """
        if not boxes:
            return []
        batch = crops.prepared(as_grey(frame), boxes, self.margin, self.engine.description.size, views or self.views)
        scores = self.engine(batch).reshape(len(boxes), -1, len(self.class_names)).mean(axis=1)
        shares, names = softmax(scores / self.engine.description.temperature), self.class_names
        return [
            Face(box, names[int(p.argmax())], p, names, unsure_below=self.unsure_below)
            for box, p in zip(boxes, shares, strict=True)
        ]
