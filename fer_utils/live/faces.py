"""What the live demo passes around: frames in, boxes and faces out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Box(NamedTuple):
    """A rectangle in pixels of the frame it was found in; it may reach beyond the frame's edges."""

    x: int
    y: int
    width: int
    height: int

    @property
    def centre(self) -> tuple[float, float]:
        """Its middle, (x, y)."""
        return self.x + self.width / 2, self.y + self.height / 2

    def scaled(self, factor: float) -> Box:
        """The same place in a frame whose sides are `factor` times as long."""
        return Box(*(round(value * factor) for value in self))


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    shared = max(width, 0) * max(height, 0)
    union = one.width * one.height + other.width * other.height - shared
    return shared / union if union > 0 else 0.0


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
    """

    box: Box
    label: str
    probabilities: np.ndarray
    class_names: tuple[str, ...]
    track: int | None = None

    @property
    def confidence(self) -> float:
        """Probability of the label."""
        return float(self.probabilities[self.class_names.index(self.label)])
