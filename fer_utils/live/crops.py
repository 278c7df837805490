"""From a box to what the network sees: a square around the face, prepared as in training."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from fer_utils.data import augmentation
from fer_utils.live.faces import Box


def square(box: Box, margin: float) -> Box:
    """The square about a box's centre whose side is (1 + 2 margin) times the box's longer side, at least 1 pixel."""
    side = max(1, round((1 + 2 * margin) * max(box.width, box.height)))
    x, y = box.centre
    return Box(round(x - side / 2), round(y - side / 2), side, side)


def cut(grey: np.ndarray, box: Box) -> np.ndarray:
    """The pixels of a box, uint8 (height, width); beyond the frame its edge is repeated, as in augmentation.

    Args:
        grey: uint8 (h, w).
        box: where; it must share at least one pixel with the frame.

    Raises:
        ValueError: the box lies outside the frame.
    """
    height, width = grey.shape
    left, top = max(box.x, 0), max(box.y, 0)
    right, bottom = min(box.x + box.width, width), min(box.y + box.height, height)
    if left >= right or top >= bottom:
        raise ValueError(f"A face lies in the frame of {width} x {height} pixels; got {box}. Leave it out.")
    inside = grey[top:bottom, left:right]
    beyond = (top - box.y, box.y + box.height - bottom, left - box.x, box.x + box.width - right)
    return cv2.copyMakeBorder(inside, *beyond, cv2.BORDER_REPLICATE) if any(beyond) else inside


def prepared(grey: np.ndarray, boxes: Sequence[Box], margin: float, size: int) -> np.ndarray:
    """All faces of a frame as one batch for the network, through `augment.prepare`, the function of training.

    Args:
        grey: uint8 (h, w).
        boxes: n of them.
        margin: see `square`.
        size: side of the network's input.

    Returns:
        float32 (n, size, size, 1) in [0, 1].
    """
    crops = [augmentation.prepare(np.ascontiguousarray(cut(grey, square(box, margin))), size) for box in boxes]
    return np.concatenate(crops) if crops else np.zeros((0, size, size, 1), np.float32)
