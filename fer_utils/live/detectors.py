"""Where the faces are: one small interface, two detectors of OpenCV behind it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from fer_utils.live.faces import Box, overlap
from fer_utils.live.images import as_bgr, as_grey, reduced

YUNET_SHA256 = {
    "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0": "face_detection_yunet_2026may.onnx",
    "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4": "face_detection_yunet_2023mar.onnx",
}
"""YuNet files that are known, by their SHA-256."""


class Detector(Protocol):
    """Finds faces.

    Attributes:
        margin: how much to add to each side of its boxes, as a fraction of the longer side, so that the crop shows a
            face as FER2013's pictures do.
    """

    margin: float

    def detect(self, bgr: np.ndarray) -> list[Box]:
        """Boxes of all faces in a frame, uint8 (h, w, 3) or grey (h, w); the largest first."""
        ...


class Haar:
    """Viola and Jones's cascade for frontal faces, which ships with OpenCV 4.

    Its boxes are FER2013's crops: on 884 of 1,200 FER2013 images in which it finds one face, put into a wider
    replicated border, the median box has 0.98 of the image's side and its centre. Faces turned far aside or tilted
    beyond about 15 degrees are missed.
    """

    margin = 0.01

    def __init__(self, scale_factor: float = 1.1, neighbours: int = 5) -> None:
        """Loads the cascade.

        Args:
            scale_factor: step between the sizes it looks for, above 1.
            neighbours: how many overlapping hits make a face.

        Raises:
            ValueError: this OpenCV has no cascades (5.0 dropped them).
        """
        if not hasattr(cv2, "CascadeClassifier"):
            raise ValueError(
                f"The Haar detector is part of OpenCV 4; this is {cv2.__version__}. "
                "Install opencv-python<5, or give YuNet's file."
            )
        self._cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
        self._settings = {"scaleFactor": scale_factor, "minNeighbors": neighbours, "minSize": (24, 24)}

    def detect(self, bgr: np.ndarray) -> list[Box]:
        """Boxes of at least 24 pixels; see `Detector`."""
        found = self._cascade.detectMultiScale(as_grey(bgr), **self._settings)
        return _largest_first(Box(*map(int, box)) for box in found)


class YuNet:
    """A small convolutional detector (Wu, Peng and Yu 2023) that also finds turned faces, from the user's own file.

    Its boxes are taller than wide: on 1,106 of 1,200 FER2013 images the median box is 0.78 by 1.04 of the image's
    side, about its centre.
    """

    margin = -0.02

    def __init__(self, path: str | Path, confidence: float = 0.7) -> None:
        """Loads the file.

        Args:
            path: `face_detection_yunet_2023mar.onnx` or `..._2026may.onnx` of OpenCV's model zoo.
            confidence: least score of a face, in [0, 1].

        Raises:
            ValueError: another file, by its SHA-256.
            FileNotFoundError: no such file.
        """
        content = Path(path).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest not in YUNET_SHA256:
            raise ValueError(
                f"YuNet's file is {' or '.join(YUNET_SHA256.values())}, known by its SHA-256; got {path} with "
                f"{digest}. Fetch one of these from OpenCV's model zoo."
            )
        buffer = np.frombuffer(content, np.uint8)
        self._net = cv2.FaceDetectorYN.create("onnx", buffer, np.empty(0, np.uint8), (320, 320), confidence)

    def detect(self, bgr: np.ndarray) -> list[Box]:
        """Boxes of any size; see `Detector`."""
        self._net.setInputSize((bgr.shape[1], bgr.shape[0]))
        found = self._net.detect(as_bgr(bgr))[1]
        return _largest_first(Box(*(round(float(v)) for v in row[:4])) for row in (() if found is None else found))


def get(detector: str | Path | Detector) -> Detector:
    """The detector meant: `"haar"`, the path of a YuNet file, or a detector, which comes back."""
    if detector == "haar":
        return Haar()
    return YuNet(detector) if isinstance(detector, (str, Path)) else detector


def detect(detector: Detector, frame: np.ndarray, longest_side: int, smallest: int = 0) -> list[Box]:
    """Look for faces in a reduced copy of a frame, which is what makes detection fast.

    Args:
        detector: any.
        frame: uint8 (h, w) or (h, w, 3).
        longest_side: pixels that the longer side of the copy has at most.
        smallest: least longer side of a box, in pixels of the frame.

    Returns:
        Boxes in pixels of the frame that share at least one pixel with it, the largest first.
    """
    small, factor = reduced(frame, longest_side)
    boxes = [box.scaled(1 / factor) for box in detector.detect(small)]
    frame_box = Box(0, 0, frame.shape[1], frame.shape[0])
    return [box for box in boxes if overlap(box, frame_box) > 0 and max(box.width, box.height) >= smallest]


def _largest_first(boxes: object) -> list[Box]:
    return sorted(boxes, key=lambda box: (-box.width * box.height, box))  # type: ignore[call-overload]
