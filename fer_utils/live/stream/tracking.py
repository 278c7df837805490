"""Who is who from frame to frame: boxes that follow faces between detections, numbers that stay with people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from fer_utils.live.faces import Box, Face, overlap
from fer_utils.live.stream.smoothing import Smoother, Smoothing

LEAST_OVERLAP = 0.25
"""Intersection over union from which two boxes of consecutive frames can be one face."""

_GRID = 6  # points a side that are followed in a face
_FLOW = {"winSize": (15, 15), "maxLevel": 3, "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 0.03)}


def match(old: Sequence[Box], new: Sequence[Box]) -> list[tuple[int, int]]:
    """Match boxes of two frames one to one: pairs (index in old, index in new), ascending.

    Pairs are formed greedily, largest overlap first, while it is at least `LEAST_OVERLAP`.

    Example:
        >>> match([Box(0, 0, 10, 10), Box(100, 0, 10, 10)], [Box(101, 0, 10, 10), Box(3, 0, 10, 10)])
        [(0, 1), (1, 0)]
    """
    shared = {(i, j): overlap(one, other) for i, one in enumerate(old) for j, other in enumerate(new)}
    pairs: list[tuple[int, int]] = []
    for i, j in sorted(shared, key=lambda pair: (-shared[pair], pair)):
        if shared[i, j] >= LEAST_OVERLAP and all(i != row and j != column for row, column in pairs):
            pairs.append((i, j))
    return sorted(pairs)


def follow(before: np.ndarray, after: np.ndarray, boxes: Sequence[Box]) -> list[Box | None]:
    """Move boxes along with the picture: median of the optical flow (Lucas-Kanade) of a grid of points in each.

    Args:
        before, after: grey uint8 (h, w), two consecutive frames.
        boxes: n faces in `before`.

    Returns:
        n boxes in `after`; None for a face that cannot be followed.
    """
    if not boxes:
        return []
    points = np.concatenate([_grid(box) for box in boxes])
    moved, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, None, **_FLOW)
    shape = (len(boxes), _GRID * _GRID)
    parts = zip(boxes, points.reshape(*shape, 2), moved.reshape(*shape, 2), found.reshape(shape) == 1, strict=True)
    return [_moved(box, old[good], new[good], after.shape) for box, old, new, good in parts]


def _grid(box: Box) -> np.ndarray:
    """Points in the inner 60 % of a box, float32 (36, 1, 2)."""
    places = np.linspace(0.2, 0.8, _GRID)
    x, y = np.meshgrid(box.x + places * box.width, box.y + places * box.height)
    return np.stack([x, y], axis=-1).reshape(-1, 1, 2).astype(np.float32)


def _moved(box: Box, old: np.ndarray, new: np.ndarray, shape: tuple[int, ...]) -> Box | None:
    if len(old) < _GRID * _GRID // 2:
        return None
    shift = np.median(new - old, axis=0)
    spread = [np.median(np.abs(points - np.median(points, axis=0))) for points in (old, new)]
    factor = float(np.clip(spread[1] / max(spread[0], 1e-6), 0.9, 1.1))
    (x, y), width, height = box.centre + shift, box.width * factor, box.height * factor
    if not (0 <= x < shape[1] and 0 <= y < shape[0]):
        return None
    return Box(round(x - width / 2), round(y - height / 2), max(1, round(width)), max(1, round(height)), box.tilt)


@dataclass
class _Track:
    number: int
    box: Box
    time: float
    smoother: Smoother


class Tracker:
    """Gives each person a number and smooths what is said of them over time."""

    def __init__(self, smoothing: Smoothing | None = None, patience: float = 0.5) -> None:
        """Starts without anybody.

        Args:
            smoothing: how steady labels are.
            patience: seconds after which somebody who is not seen is forgotten.
        """
        self.smoothing, self.patience = smoothing or Smoothing(), patience
        self._tracks: list[_Track] = []
        self._count = 0

    def update(self, faces: Sequence[Face], time: float) -> list[Face]:
        """The same faces with `track` numbers, smoothed probabilities and steady labels.

        Args:
            faces: n faces of one frame.
            time: seconds of the frame. A time before the last, as in a video that starts again, forgets everybody.
        """
        if self._tracks and time < max(track.time for track in self._tracks):
            self._tracks = []
        self._tracks = [track for track in self._tracks if time - track.time <= self.patience]
        pairs = match([track.box for track in self._tracks], [face.box for face in faces])
        known = {j: self._tracks[i] for i, j in pairs}
        return [self._seen(known.get(j), face, time) for j, face in enumerate(faces)]

    def _seen(self, track: _Track | None, face: Face, time: float) -> Face:
        if track is None:
            track = _Track(self._count, face.box, time, Smoother(self.smoothing))
            self._tracks.append(track)
            self._count += 1
        track.box, track.time = face.box, time
        probabilities, label = track.smoother.update(face.probabilities, time)
        return replace(face, probabilities=probabilities, label=face.class_names[label], track=track.number)
