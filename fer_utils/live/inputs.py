"""What a recognizer may be given: files, bytes, pictures of Pillow, arrays, lists and batches of them."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fer_utils.live.images import UnreadableError, as_frame, decoded, read_image
from fer_utils.live.interface.kinds import VIDEOS


def is_several(source: Any) -> bool:
    """Whether this is a list of pictures, or a batch (n, h, w, c) or (n, h, w, 1), rather than one picture."""
    return isinstance(source, (list, tuple)) or (isinstance(source, np.ndarray) and source.ndim == 4)


def frame(source: Any, colour_order: str = "bgr") -> np.ndarray:
    """One picture as a frame, uint8 (h, w) or (h, w, 3), blue, green, red.

    Args:
        source: the path of an image file, its bytes, a picture of Pillow, or an array of pixels; see `images.as_frame`.
        colour_order: of an array's colours, `"bgr"` or `"rgb"`; files and Pillow's pictures say it themselves.

    Raises:
        ValueError: it is none of these, or cannot be used; the message says what came and what to do.
    """
    if source is None:
        raise ValueError(
            "A picture must be given; got None. OpenCV's imread gives None where there is no such file or it is no "
            "picture: pass the path itself, and what is wrong will be said."
        )
    if isinstance(source, (str, os.PathLike)):
        return _of_file(Path(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return read_image(io.BytesIO(source))
    if isinstance(source, Image.Image):
        return decoded(source.copy())
    if not isinstance(source, np.ndarray) and not hasattr(source, "__array__"):
        raise ValueError(
            "A picture is a path, the bytes of an image file, a picture of Pillow or an array of pixels; got "
            f"{type(source).__name__}. Pass one of these, or a list of them."
        )
    return as_frame(np.asarray(source), colour_order)


def _of_file(path: Path) -> np.ndarray:
    if path.suffix.lower() in VIDEOS:
        raise ValueError(
            f"A recognizer reads pictures; {path} is a video by its name. Use python -m fer_utils predict {path}, or "
            "Session(recognizer) on the frames of VideoFile(path)."
        )
    try:
        return read_image(path)
    except UnreadableError as error:
        raise UnreadableError(f"{path} cannot be read: {error}") from None
