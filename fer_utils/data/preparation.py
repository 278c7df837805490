"""What happens to every image before a network sees it, in training and at run time; NumPy and OpenCV alone."""

from __future__ import annotations

import cv2
import numpy as np

VIEWS: dict[str, tuple[tuple[float, bool], ...]] = {
    "one": ((1.0, False),),
    "mirror": ((1.0, False), (1.0, True)),
    "six": tuple((size, mirrored) for size in (0.9, 1.0, 1.1) for mirrored in (False, True)),
}
"""Ways to show a face to a network whose answers are averaged: the side of the part that is seen, as a share of the
image's (below 1 the face is larger, above 1 the edge is repeated around it), and whether it is mirrored."""


def check_views(views: str) -> None:
    """ValueError unless it is one of `VIEWS`."""
    if views not in VIEWS:
        raise ValueError(f"views is one of {', '.join(VIEWS)}; got {views!r}. Choose one of these.")



def check_images(images: np.ndarray, square: bool) -> None:
    """Refuse (ValueError) what is not grey uint8 (n, h, w) or (h, w); if `square`, what is not (n, s, s)."""
    rule = "grey uint8 (n, s, s)" if square else "grey uint8 (n, h, w) or (h, w)"
    fits = images.ndim == 3 and images.shape[1] == images.shape[2] if square else images.ndim in (2, 3)
    message = f"Images must be {rule}, got {images.dtype} {images.shape}: drop channels, do not scale."
    if not fits or images.dtype != np.uint8:
        raise ValueError(message)


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 (size, size): area averaging where no side grows (no aliasing), else bilinear; squares stay squares."""
    shrinks = min(image.shape) >= size
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def prepare(images: np.ndarray, size: int = 48) -> np.ndarray:
    """The one preprocessing of this study, in training and at run time: size, then grey values / 255.

    From uint8 (n, h, w) or one image (h, w), else ValueError, to float32 (n, size, size, 1) in [0, 1].
    """
    check_images(images, square=False)
    images = images[None] if images.ndim == 2 else images
    if images.shape[1:] != (size, size):
        images = np.array([resize(image, size) for image in images], np.uint8).reshape(-1, size, size)
    return np.divide(images, np.float32(255), dtype=np.float32)[..., None]
