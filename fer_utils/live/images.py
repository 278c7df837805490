"""Pictures of any kind as 8-bit frames, from arrays and from files; what cannot be used is refused in words."""

from __future__ import annotations

import stat
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, ImageOps, features

from fer_utils.files.reading import one_line
from fer_utils.files.writing import replacing

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM", "GIF", *(("AVIF",) if features.check("avif") else ()))
"""What is read, AVIF where this Pillow can; others (vector formats, say) would run further programs."""

MAX_PIXELS = 80_000_000
"""Largest picture that is decoded, width times height."""

LARGEST_FILE = 500_000_000
"""Bytes of a picture's file: more than `MAX_PIXELS` of three colours of 16 bits."""

_STRIP = 1 << 20  # pixels that are converted at once

COLOUR_ORDERS = ("bgr", "rgb")


class UnreadableError(ValueError):
    """A file is no picture that can be read; the message says why."""


def check_colour_order(colour_order: str) -> None:
    """ValueError unless it is one of `COLOUR_ORDERS`."""
    if colour_order not in COLOUR_ORDERS:
        raise ValueError(f"The order of colours is one of {COLOUR_ORDERS}; got {colour_order!r}. Choose one of these.")


def as_frame(image: np.ndarray, colour_order: str = "bgr") -> np.ndarray:
    """Any array of pixels as a frame: uint8, grey (h, w) or blue-green-red (h, w, 3).

    Args:
        image: (h, w), (h, w, 1), (h, w, 3) or (h, w, 4); a fourth channel, transparency, is left out. Numbers of any
            kind: whole ones in [0, 255], or in [0, 65535] where their type is uint16 and one of them is above 255;
            fractions in [0, 1] or in [0, 255]; booleans.
        colour_order: `"bgr"` as OpenCV has it, or `"rgb"` as Pillow and browsers have it.

    Raises:
        ValueError: another type, shape or range, an empty picture, or an unknown order.
    """
    check_colour_order(colour_order)
    image = np.asarray(image)
    channels = 1 if image.ndim == 2 else image.shape[2] if image.ndim == 3 else 0
    if channels not in (1, 3, 4) or image.size == 0:
        first = image.ndim == 3 and image.shape[0] in (1, 3, 4)
        remedy = "Its channels come first: pass image.transpose(1, 2, 0)." if first else "Pass one picture at a time."
        raise ValueError(
            f"A picture is (h, w), (h, w, 1), (h, w, 3) or (h, w, 4) with pixels; got shape {image.shape}. {remedy}"
        )
    image = _as_bytes(image)
    if channels == 1:
        return image.reshape(image.shape[:2])
    return image[..., :3] if colour_order == "bgr" else image[..., 2::-1]


def _as_bytes(image: np.ndarray) -> np.ndarray:
    """Grey values of any type as uint8 of the same shape.

    Raises:
        ValueError: another type, values out of range, or fractions of which the range is not clear.
    """
    if image.dtype == np.uint8:
        return image
    if image.dtype == bool:
        return image * np.uint8(255)
    if image.dtype.kind not in "iuf":
        raise ValueError(f"A picture holds numbers or booleans; got {image.dtype}. Convert it first.")
    low, high = float(image.min()), float(image.max())
    if image.dtype.kind == "f" and 1 < high < 2:
        raise ValueError(
            f"Fractions are grey values in [0, 1] or in [0, 255]; up to {high:.4g} it is not clear which. "
            "Pass image.clip(0, 1), or image.astype('uint8')."
        )
    deep = image.dtype == np.uint16 and high > 255
    if not (low >= 0 and high <= (65535 if deep else 255)):
        raise ValueError(
            f"Grey values lie in [0, 255], fractions in [0, 1] or [0, 255]; got {image.dtype} from {low:.4g} to "
            f"{high:.4g}. Bring them into one of these ranges."
        )
    if image.dtype.kind == "f":
        return (image * (255 if high <= 1 else 1)).round().astype(np.uint8)
    return (image / 257).round().astype(np.uint8) if deep else image.astype(np.uint8)


def as_grey(frame: np.ndarray) -> np.ndarray:
    """A frame as grey uint8 (h, w)."""
    return frame if frame.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_BGR2GRAY)


def as_bgr(frame: np.ndarray) -> np.ndarray:
    """A frame as contiguous uint8 (h, w, 3); a copy where it was grey."""
    return np.ascontiguousarray(frame) if frame.ndim == 3 else cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)


def reduced(frame: np.ndarray, longest_side: int) -> tuple[np.ndarray, float]:
    """The frame made smaller until its longest side fits, and by how much (at most 1)."""
    factor = min(1.0, longest_side / max(frame.shape[:2]))
    if factor == 1.0:
        return frame, 1.0
    height, width = (max(1, round(side * factor)) for side in frame.shape[:2])
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), factor


def read_image(path: Path | BinaryIO) -> np.ndarray:
    """One image file, or its bytes opened for reading, as uint8 (h, w, 3), blue, green, red; upright as its EXIF says.

    The size is read from the header: what claims more than `MAX_PIXELS` is refused before it is decoded. 16 bits
    become 8, palettes and CMYK colours become plain, transparency is left out, of several pictures the first is read.

    Raises:
        UnreadableError: no picture, a damaged one, or one that is too large.
    """
    if isinstance(path, Path):
        _check_file(path)
    try:
        with warnings.catch_warnings(action="ignore"):
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                _check_size(*image.size)
                image.load()
                return decoded(image)
    except UnreadableError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadableError(f"a picture has at most {MAX_PIXELS:,} pixels; this one claims more.") from None
    except Exception as error:  # on damaged files Pillow's readers raise nearly every kind there is
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no picture, or not a whole one"
        raise UnreadableError(f"{reason}; what is read are {', '.join(FORMATS)} files.") from error


def _check_file(path: Path) -> None:
    """Refuse what has no end to be read to, before it is opened."""
    try:
        status = path.stat()
        reason = "" if stat.S_ISREG(status.st_mode) else "a folder, a pipe or a device and no file"
        if not reason and status.st_size > LARGEST_FILE:
            reason = f"a file of {status.st_size:,} bytes, where {LARGEST_FILE:,} are the most"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
    if reason:
        raise UnreadableError(f"{reason}; what is read are {', '.join(FORMATS)} files.")


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UnreadableError(
            f"a picture has at most {MAX_PIXELS:,} pixels; this one claims {width:,} x {height:,}. Make it smaller."
        )


def decoded(image: Image.Image) -> np.ndarray:
    """Pixels of a picture of Pillow, uint8 (h, w, 3), blue, green, red; it is turned upright in place.

    Strip by strip, so that no second copy of the whole is made.

    Raises:
        UnreadableError: fractions that are no grey values, see `as_frame`.
    """
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "F":
        try:
            return as_bgr(as_frame(np.asarray(image)))
        except ValueError as error:
            raise UnreadableError(str(error)) from error
    width, height = image.size
    rows = max(1, _STRIP // width)

    def strips() -> Iterator[tuple[slice, Image.Image]]:
        for top in range(0, height, rows):
            end = min(top + rows, height)
            yield slice(top, end), image.crop((0, top, width, end))

    grey = image.mode.startswith("I")  # up to 16 bits of grey, in one of Pillow's ways to hold them
    deep = grey and max(np.asarray(strip).max() for _, strip in strips()) > 255  # a dark strip alone looks like 8 bits
    found = np.empty((height, width, 3), np.uint8)
    for place, strip in strips():
        if grey:
            levels = np.asarray(strip).clip(0, 65535)
            found[place] = (levels / 257 if deep else levels).round()[..., None]
        else:
            found[place] = np.asarray(strip.convert("RGB"))[..., ::-1]
    return found


def write_image(path: Path, bgr: np.ndarray) -> None:
    """Write a frame in the format that the file's name says; nothing of the original's EXIF goes with it.

    Raises:
        OSError: it cannot be written there, or not in this format.
    """
    image = Image.fromarray(np.ascontiguousarray(bgr[..., ::-1]))
    with replacing(path) as partial:
        try:
            image.save(partial, **({"quality": 92} if path.suffix.lower() in (".jpg", ".jpeg", ".webp") else {}))
        except ValueError as error:  # WebP, say, has a largest side
            raise OSError(one_line(error)) from error
