"""Images in one folder per class."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_utils.data.dataset import EXPRESSIONS, SIZE
from fer_utils.files.reading import content, regular

LARGEST_FILE = 1 << 20
"""Bytes; a 48 x 48 image takes about two thousand."""

_WITHOUT_LENGTH = (0x00, 0x01, *range(0xD0, 0xDA))

ALIASES = {name: name for name in (*EXPRESSIONS, "contempt")} | {
    "anger": "angry", "disgusted": "disgust", "fearful": "fear", "happiness": "happy", "sadness": "sad",
    "surprised": "surprise",
}  # fmt: skip
"""Folder names in lower case, to the names of FER2013 (and contempt)."""


@dataclass(frozen=True)
class ClassFolders:
    """A folder whose subfolders hold images: `files` maps a subfolder's name to its sorted image names."""

    path: Path
    files: dict[str, tuple[str, ...]]

    def __str__(self) -> str:
        return str(self.path)

    @property
    def first(self) -> str:
        """Name of one image, to tell the dataset by; empty if there is no image at all."""
        return next((names[0] for names in self.files.values() if names), "")

    def items(self, class_names: tuple[str, ...]) -> list[tuple[str, int]]:
        """Path and class code of every image, by class and name.

        Args:
            class_names: the dataset's classes; a folder may carry any alias of one, in any case.

        Raises:
            ValueError: a folder is none of the classes, or holds no image.
        """
        codes = {ALIASES[name]: code for code, name in enumerate(class_names)}
        found = []
        for folder, names in self.files.items():
            code = codes.get(ALIASES.get(folder.lower(), ""))
            if code is None:
                raise ValueError(
                    f"{self.path / folder}: a folder of images is named after one of the classes "
                    f"{', '.join(class_names)}; got {folder!r}. Rename it or move it away."
                )
            if not names:
                raise ValueError(
                    f"{self.path / folder}: a class folder holds PNG or JPEG images; got none. "
                    "Unpack or fetch the data again, or remove the folder."
                )
            found.append((code, os.path.join(self.path, folder, ""), names))
        return [(place + name, code) for code, place, names in sorted(found) for name in names]


def is_class(name: str) -> bool:
    """Whether a folder's name is that of an expression."""
    return name.lower() in ALIASES


def read_images(paths: Iterable[str | Path]) -> np.ndarray:
    """Decode image files to uint8 (n, 48, 48).

    Raises:
        ValueError: a file is no whole PNG or JPEG of 48 x 48 pixels, or is coloured.
    """
    return np.stack([decode(Path(path)) for path in paths])


def decode(path: Path) -> np.ndarray:
    """Decode one PNG or JPEG to uint8 (48, 48).

    The size is read from the header before anything is decoded, so a file that claims a huge image
    costs nothing. Other sizes are refused rather than resized: a resized copy is another dataset.
    Files with three equal channels count as grey.

    Raises:
        ValueError, FileNotFoundError: not a whole PNG or JPEG, another size, or coloured; the message names the file.
    """
    if (bytes_there := regular(path).stat().st_size) > LARGEST_FILE:
        raise _error(path, "A 48 x 48 image takes at most 1 MiB", f"{bytes_there:,} bytes")
    data = content(path, LARGEST_FILE)
    size = _png_size(data) if data[:8] == b"\x89PNG\r\n\x1a\n" else _jpeg_size(data)
    if size is None:
        raise _error(path, "An image is a whole PNG or JPEG file", "a truncated or damaged file, or no image")
    if size != (SIZE, SIZE):
        raise _error(path, f"Images have {SIZE} x {SIZE} pixels", f"{size[0]} x {size[1]}")
    image = _pixels(data)
    if image is None or image.dtype != np.uint8 or image.shape[:2] != (SIZE, SIZE):
        raise _error(path, "An image can be decoded to 8 bits", "one that cannot")
    if image.ndim == 3:
        if not (image[..., 0] == image[..., 1]).all() or not (image[..., 0] == image[..., 2]).all():
            raise _error(path, "Faces are grey", "a colour image")
        image = image[..., 0]
    return image


def _pixels(data: bytes) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None


def _error(path: Path, rule: str, came: str) -> ValueError:
    remedy = "Fetch the file again (`make data` says from where), or move it away."
    return ValueError(f"{path}: {rule}; got {came}. {remedy}")


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
