"""Where the faces are: one small interface and the detectors behind it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import platformdirs

from fer_utils.files.paths import project_root
from fer_utils.live.faces import Box, by_landmarks, overlap
from fer_utils.live.images import as_bgr, as_grey, reduced

YUNET = "face_detection_yunet_2026may.onnx"
YUNET_SHA256 = {
    "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0": YUNET,
    "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4": "face_detection_yunet_2023mar.onnx",
}
"""YuNet files that are known, by their SHA-256."""

NAMES = ("auto", "retinaface", "yunet", "haar")
"""Detectors by name; `auto` is YuNet where its file is found, else RetinaFace."""

OPTION = "auto (default: yunet where its file is found, else retinaface), retinaface, yunet, haar, or YuNet's file"
"""What the commands say of their option `--detector`."""


class Detector(Protocol):
    """Finds faces.

    Attributes:
        margin: how much to add to each side of its boxes, as a fraction of the longer side, so that the crop shows a
            face as FER2013's pictures do.
    """

    margin: float

    def detect(self, bgr: np.ndarray) -> list[Box]:
        """Boxes of all faces in a frame, uint8 (h, w, 3) or grey (h, w), each with its tilt where it is known."""
        ...


class Haar:
    """Viola and Jones's cascade for frontal faces, which ships with OpenCV 4: kept for the lesson that it teaches.

    Its boxes are FER2013's crops: on 884 of 1,200 FER2013 images in which it finds one face, put into a wider
    replicated border, the median box has 0.98 of the image's side and its centre. Faces turned far aside or tilted
    beyond about 15 degrees are missed, and coins, cells and gravel are found.
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
                "Install opencv-python<5, or use another detector."
            )
        self._cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
        self._settings = {"scaleFactor": scale_factor, "minNeighbors": neighbours, "minSize": (24, 24)}

    def detect(self, bgr: np.ndarray) -> list[Box]:
        """Boxes of at least 24 pixels; see `Detector`."""
        return [Box(*map(int, box)) for box in self._cascade.detectMultiScale(as_grey(bgr), **self._settings)]


class YuNet:
    """A small convolutional detector (Wu, Peng and Yu 2023) that also finds turned faces, from the user's own file.

    Its boxes are taller than wide: on 1,106 of 1,200 FER2013 images the median box is 0.78 by 1.04 of the image's
    side, about its centre. Its landmarks lean less than the head does: 5 degrees where RetinaFace says 39 and the
    picture was turned by 30, so that hardly any crop is turned upright.
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
        if not Path(path).is_file():
            raise FileNotFoundError(
                f"A detector is one of {', '.join(NAMES)} or the path of YuNet's file; {path} is none. Correct it."
            )
        content = Path(path).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest not in YUNET_SHA256:
            raise ValueError(
                f"YuNet's file is {' or '.join(YUNET_SHA256.values())}, known by its SHA-256; got {path} with "
                f"{digest}. Fetch it with: python -m fer_utils predict --fetch-detector."
            )
        buffer = np.frombuffer(content, np.uint8)
        self._net = cv2.FaceDetectorYN.create("onnx", buffer, np.empty(0, np.uint8), (320, 320), confidence)

    def detect(self, bgr: np.ndarray) -> list[Box]:
        """Boxes of any size with the tilt of the face in each; see `Detector`."""
        self._net.setInputSize((bgr.shape[1], bgr.shape[0]))
        found = self._net.detect(as_bgr(bgr))[1]
        return [by_landmarks(row[:4], row[4:14].reshape(5, 2)) for row in (() if found is None else found)]


def cache_folder() -> Path:
    """Where a fetched detector lies for all of a user's projects."""
    return platformdirs.user_cache_path("fer-study", appauthor=False)


def find_yunet() -> Path | None:
    """YuNet's file in `$FER_DATA`, `data/` here or in the project, or the user's cache; None where it is in none."""
    named = os.environ.get("FER_DATA")
    folders = [*([Path(named).expanduser()] if named else []), Path("data"), project_root() / "data", cache_folder()]
    return next((path for path in (folder / name for folder in folders for name in YUNET_SHA256.values())
                 if path.is_file()), None)  # fmt: skip


def get(detector: str | Path | Detector = "auto", threads: int | None = None) -> Detector:
    """The detector meant.

    Args:
        detector: one of `NAMES`, the path of a YuNet file, or a detector, which comes back.
        threads: of RetinaFace; None for one per core.

    Raises:
        ValueError, FileNotFoundError, ImportError: there is none such, or a file or package is missing.
    """
    if not isinstance(detector, (str, Path)):
        if not hasattr(detector, "detect"):
            raise ValueError(
                f"A detector is one of {', '.join(NAMES)}, the path of a YuNet file, or has `detect` and `margin`; got "
                f"{detector!r}. Leave it out for the default."
            )
        return detector
    if detector == "haar":
        return Haar()
    if detector in ("auto", "yunet") and (found := find_yunet()):
        return YuNet(found)
    if detector == "yunet":
        raise FileNotFoundError(
            f"YuNet is one file, {YUNET}, which does not come with this package; it is neither in data/, nor in "
            f"$FER_DATA, nor in {cache_folder()}. Fetch it with: python -m fer_utils predict --fetch-detector. Or "
            "leave the detector out: the default needs no file."
        )
    if detector in ("auto", "retinaface"):
        from fer_utils.live.detection.retinaface import RetinaFace

        return RetinaFace(threads=threads)
    return YuNet(detector)


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
    seen = [box for box in boxes if overlap(box, frame_box) > 0 and max(box.width, box.height) >= smallest]
    return sorted(seen, key=lambda box: (-box.width * box.height, box))
