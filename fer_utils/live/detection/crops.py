"""From a box to what the network sees: a square around the face, prepared as in training."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from fer_utils.data.preparation import VIEWS, check_views, prepare
from fer_utils.live.faces import Box

TILT = 15.0
"""Degrees from which on a leaning head is turned upright; below, the network has seen its like in training."""


def square(box: Box, margin: float) -> Box:
    """The square about a box's centre whose side is (1 + 2 margin) times the box's longer side, at least 1 pixel."""
    side = max(1, round((1 + 2 * margin) * max(box.width, box.height)))
    x, y = box.centre
    return Box(round(x - side / 2), round(y - side / 2), side, side, box.tilt)


def cut(grey: np.ndarray, box: Box) -> np.ndarray:
    """The pixels of a box, uint8 (height, width); beyond the frame its edge is repeated, as in augmentation.

    Args:
        grey: uint8 (h, w).
        box: where; it must share at least one pixel with the frame. With a tilt of more than `TILT` degrees, the
            picture is turned about the box's centre until the face stands upright.

    Raises:
        ValueError: the box lies outside the frame.
    """
    height, width = grey.shape
    left, top = max(box.x, 0), max(box.y, 0)
    right, bottom = min(box.x + box.width, width), min(box.y + box.height, height)
    if left >= right or top >= bottom:
        raise ValueError(f"A face lies in the frame of {width} x {height} pixels; got {box}. Leave it out.")
    if abs(box.tilt) > TILT:
        return _levelled(grey, box)
    inside = grey[top:bottom, left:right]
    beyond = (top - box.y, box.y + box.height - bottom, left - box.x, box.x + box.width - right)
    return cv2.copyMakeBorder(inside, *beyond, cv2.BORDER_REPLICATE) if any(beyond) else inside


def _levelled(grey: np.ndarray, box: Box) -> np.ndarray:
    """The pixels of a box that is turned with the face in it."""
    x, y = box.centre
    matrix = cv2.getRotationMatrix2D((x - 0.5, y - 0.5), box.tilt, 1.0)
    matrix[:, 2] += [box.width / 2 - x, box.height / 2 - y]
    size = (box.width, box.height)
    return cv2.warpAffine(grey, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def prepared(grey: np.ndarray, boxes: Sequence[Box], margin: float, size: int, views: str = "one") -> np.ndarray:
    """All faces of a frame as one batch for the network, through `preparation.prepare`, the function of training.

    Args:
        grey: uint8 (h, w).
        boxes: n of them.
        margin: see `square`.
        size: side of the network's input.
        views: one of `preparation.VIEWS`, v pictures of each face; the image is the square of `square`.

    Returns:
        float32 (n * v, size, size, 1) in [0, 1], the views of a face one after the other.
    """
    check_views(views)
    batch = []
    for box in boxes:
        for zoom, mirrored in VIEWS[views]:
            crop = cut(grey, _zoomed(square(box, margin), zoom))
            batch.append(prepare(np.ascontiguousarray(crop[:, ::-1] if mirrored else crop), size))
    return np.concatenate(batch) if batch else np.zeros((0, size, size, 1), np.float32)


def _zoomed(box: Box, zoom: float) -> Box:
    """A square about the same centre, to within half a pixel, whose side is `zoom` times as long."""
    grow = round((zoom - 1) * box.width / 2)
    return Box(box.x - grow, box.y - grow, max(1, box.width + 2 * grow), max(1, box.height + 2 * grow), box.tilt)
