"""What the live demo passes around: frames in, boxes and faces out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


class _Corners(NamedTuple):
    x: int
    y: int
    width: int
    height: int


class Box(_Corners):
    """A rectangle in pixels of the frame it was found in; it may reach beyond the frame's edges.

    Attributes:
        x, y, width, height: the four numbers that it consists of.
        tilt: degrees by which the face in it leans to its left (clockwise in the picture); 0 where not known.
    """

    tilt: float = 0.0

    def __new__(cls, x: int, y: int, width: int, height: int, tilt: float = 0.0) -> Box:
        """Four whole numbers, and the tilt beside them."""
        box = super().__new__(cls, x, y, width, height)
        box.tilt = tilt
        return box

    @property
    def centre(self) -> tuple[float, float]:
        """Its middle, (x, y)."""
        return self.x + self.width / 2, self.y + self.height / 2

    def scaled(self, factor: float) -> Box:
        """The same place in a frame whose sides are `factor` times as long."""
        return Box(*(round(value * factor) for value in self), self.tilt)


def by_landmarks(corners: np.ndarray, points: np.ndarray) -> Box:
    """A box with the tilt that the landmarks of its face say.

    The line through the eyes and that from between the eyes to between the corners of the mouth say it together, each
    by its length: seen from the side the eyes are close together, and their line says little.

    Args:
        corners: float (4,), left, top, width, height.
        points: float (5, 2), the eye on the left of the picture, the other eye, nose, the two corners of the mouth.
    """
    eyes, down = points[1] - points[0], points[3:5].mean(axis=0) - points[:2].mean(axis=0)
    across = eyes + np.array([down[1], -down[0]])
    return Box(*(round(float(v)) for v in corners), tilt=float(np.degrees(np.arctan2(across[1], across[0]))))


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    shared = max(width, 0) * max(height, 0)
    union = one.width * one.height + other.width * other.height - shared
    return shared / union if union > 0 else 0.0


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities float64 (..., k) of scores (..., k) of any float type; they sum to 1 along the last axis."""
    scores = np.asarray(scores, np.float64)
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


@dataclass(frozen=True)
class Frame:
    """One picture of a stream.

    Attributes:
        image: uint8 (h, w, 3), blue, green, red.
        time: seconds since the stream began.
        index: from 0.
    """

    image: np.ndarray
    time: float
    index: int


@dataclass(frozen=True, eq=False)
class Face:
    """One face and its predicted expression: the label annotators would give, not an emotion felt.

    Attributes:
        box: where it is.
        label: the predicted class.
        probabilities: float64 (k,), calibrated, sum 1, in the order of `class_names`.
        class_names: the k classes.
        track: number of the person in a stream, the same from frame to frame; None in a single picture.
        unsure_below: probability of the label below which the answer counts as unsure.
    """

    box: Box
    label: str
    probabilities: np.ndarray
    class_names: tuple[str, ...]
    track: int | None = None
    unsure_below: float = 0.0

    @property
    def confidence(self) -> float:
        """Probability of the label."""
        return float(self.probabilities[self.class_names.index(self.label)])

    @property
    def sure(self) -> bool:
        """Whether the label is probable enough to be given as an answer."""
        return self.confidence >= self.unsure_below

    @property
    def answer(self) -> str:
        """What to show: the label, or that the network is unsure."""
        return self.label if self.sure else f"unsure ({self.label}?)"

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers and texts, ready for JSON or a table."""
        found = {
            "box": list(self.box), "label": self.label, "confidence": self.confidence, "sure": self.sure,
            "probabilities": dict(zip(self.class_names, map(float, self.probabilities), strict=True)),
        }  # fmt: skip
        return found if self.track is None else found | {"track": self.track}
