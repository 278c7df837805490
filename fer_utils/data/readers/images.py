"""One image file of a dataset as a grey face of 48 x 48 pixels; what it was before is counted or refused."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from fer_utils.data.dataset import SIZE
from fer_utils.data.preparation import resize
from fer_utils.data.readers import unknown
from fer_utils.files.reading import content, regular

LARGEST_FILE = 1 << 24
"""Bytes; a 48 x 48 image takes about two thousand, a photographed face of 2,000 x 2,000 pixels a few million."""

LARGEST_SIDE = 4096
"""Pixels."""

_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "PPM", "GIF")
_WITHOUT_LENGTH = (0x00, 0x01, *range(0xD0, 0xDA))
_FETCH = "Fetch the original (`make data` says from where), or move it away."
_CROP = "`python -m fer_utils crop IN OUT` finds and crops the faces of pictures that show more. "


@dataclass(frozen=True)
class Rules:
    """Which images are faces of a dataset.

    Attributes:
        smallest: pixels that the shorter side has at least.
        shape: the longer side is at most so many times the shorter; 1 for squares alone.
        photographs: whether files may come from any camera or program: turned upright as their EXIF says, of 16 bits.
        remedy: what to do about a file that is refused.
    """

    smallest: int = SIZE
    shape: float = 1.0
    photographs: bool = False
    remedy: str = _FETCH

    @property
    def wanted(self) -> str:
        """Their shape in words."""
        shape = "a square" if self.shape == 1 else f"a face, nearly square (at most {self.shape:g} to 1),"
        return f"{shape} of at least {self.smallest} x {self.smallest} pixels"


PUBLISHED = Rules()
"""Of FER2013 and CK+: squares of 48 pixels, or of more, which are copies that somebody enlarged."""

OWN = Rules(24, 1.25, True, "Mend or replace that file, or move it away.")
"""Of the user's own pictures: faces of any size, nearly square."""


@dataclass(frozen=True)
class Decoded:
    """A face uint8 (48, 48), whether its size was another, and whether it was in colour."""

    face: np.ndarray
    resized: bool
    coloured: bool


def read(path: Path, rules: Rules) -> bytes:
    """A file's content.

    Raises:
        ValueError, FileNotFoundError: no file, or one that is too large for an image.
    """
    if (bytes_there := regular(path).stat().st_size) > LARGEST_FILE:
        raise _error(path, f"An image takes at most {LARGEST_FILE >> 20} MiB", f"{bytes_there:,} bytes", rules)
    return content(path, LARGEST_FILE)


def face_of(data: bytes, where: Path, rules: Rules) -> Decoded:
    """Decode one image to a grey face.

    The size is read from the header before anything is decoded, so a file that claims a huge image costs nothing.
    Colour becomes grey (three equal channels count as grey). What is not of 48 x 48 pixels is cut to its middle square
    and reduced by area, or enlarged by bilinear interpolation.

    Args:
        data: the file's content.
        where: the file, for messages.
        rules: what is refused.

    Raises:
        ValueError: no whole image, or not one that the rules allow; the message names the file.
    """
    simple = not rules.photographs and data[:3] in (b"\x89PN", b"\xff\xd8\xff")
    size = (_png_size(data) if data[:1] == b"\x89" else _jpeg_size(data)) if simple else _other_size(data)
    if size is None:
        kinds = "PNG, JPEG, BMP, WebP, TIFF, PPM or GIF"
        raise _error(where, f"An image is a whole {kinds} file", unknown.in_place_of_an_image(data[:64]), rules)
    _check_size(size, where, rules)
    image = _pixels(data) if simple else _other_pixels(data)
    if image is None or image.dtype != np.uint8 or sorted(image.shape[:2]) != sorted(size):
        raise _error(where, "An image can be decoded to 8 bits", "one that cannot", rules)
    grey, coloured = _grey(image)
    return Decoded(_resized(grey), grey.shape != (SIZE, SIZE), coloured)


def _check_size(size: tuple[int, int], where: Path, rules: Rules) -> None:
    short, long = sorted(size)
    came = f"{size[0]} x {size[1]}"
    if long > LARGEST_SIDE:
        raise _error(where, f"An image has at most {LARGEST_SIDE:,} pixels a side", came, rules)
    if long > rules.shape * max(short, 1) and short >= 2 * SIZE:
        raise _error(where, f"An image is {rules.wanted}", came, rules, _CROP + rules.remedy)
    if long > rules.shape * max(short, 1) or short < rules.smallest:
        raise _error(where, f"An image is {rules.wanted}", came, rules)


def _grey(image: np.ndarray) -> tuple[np.ndarray, bool]:
    """uint8 (h, w), and whether the channels differed; transparency is left out."""
    if image.ndim == 2:
        return image, False
    if image.shape[2] < 3:
        return np.ascontiguousarray(image[..., 0]), False
    if (image[..., 0] == image[..., 1]).all() and (image[..., 0] == image[..., 2]).all():
        return np.ascontiguousarray(image[..., 0]), False
    return cv2.cvtColor(np.ascontiguousarray(image[..., :3]), cv2.COLOR_BGR2GRAY), True


def _resized(grey: np.ndarray) -> np.ndarray:
    """The middle square at 48 x 48."""
    height, width = grey.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = np.ascontiguousarray(grey[top : top + side, left : left + side])
    return middle if side == SIZE else resize(middle, SIZE)


def _pixels(data: bytes) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None


def _other_size(data: bytes) -> tuple[int, int] | None:
    """Width and height from the header, by Pillow."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            return image.size
    except Exception:  # on damaged files Pillow's readers raise nearly every kind there is
        return None


def _other_pixels(data: bytes) -> np.ndarray | None:
    """Blue, green and red, uint8 (h, w, 3), upright; by Pillow, which refuses what is cut off."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            upright = ImageOps.exif_transpose(image)
            if image.mode == "F":
                return None
            if not image.mode.startswith("I"):
                return np.asarray(upright.convert("RGB"))[..., ::-1]
            grey = np.asarray(upright).clip(0, 65535)  # 16 bits, in one of Pillow's ways to hold them
            return (grey / 257 if grey.max() > 255 else grey).round().astype(np.uint8)
    except Exception:
        return None


def _error(path: Path, rule: str, came: str, rules: Rules, remedy: str = "") -> ValueError:
    return ValueError(f"{path}: {rule}; got {came}. {remedy or rules.remedy}")


def _png_size(data: bytes) -> tuple[int, int] | None:
    """Width and height, or None unless every chunk down to IEND is there with its checksum, IHDR first and once."""
    size, place = None, 8
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 8 + length
        if end + 4 > len(data) or zlib.crc32(data[place + 4 : end]) != int.from_bytes(data[end : end + 4]):
            return None
        if (kind == b"IHDR") != (place == 8) or (place == 8 and length != 13):
            return None
        if kind == b"IHDR":
            size = struct.unpack_from(">II", data, place + 8)
        if kind == b"IEND":
            return size
        place = end + 4
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height from the frame header, or None unless start and end marks are there.

    Marks without a length have no place before the frame header. To step over them as if they had one would be to
    read another header than the decoder does.
    """
    if data[:3] != b"\xff\xd8\xff" or b"\xff\xd9" not in data[-64:]:
        return None
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        kind, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4])
        if kind in _WITHOUT_LENGTH:
            return None
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        place += 2 + length if kind != 0xFF else 1
    return None
