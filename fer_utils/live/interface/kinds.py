"""Kinds of files that `predict`, `evaluate` and `crop` read or name because they cannot, and how they end on Ctrl-C."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from PIL import features

from fer_utils.data.readers import naming

AVIF = (".avif",) if features.check("avif") else ()
IMAGES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".gif", *AVIF)
VIDEOS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mjpeg", ".wmv")

INTERRUPTED = 130
"""Exit code after Ctrl-C, as of any program."""

OTHERS = (
    *(ending for ending in naming.OTHER_PICTURES if ending not in AVIF),
    ".h264", ".264", ".h265", ".265", ".hevc", ".flv", ".3gp", ".ts", ".mts", ".m2ts", ".ogv", ".vob", ".asf", ".rm",
)  # fmt: skip
"""Endings of pictures and videos that are not read."""


def files(folder: Path, out: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    """Files below a folder with one of some endings, by name; what is hidden or lies in `out` is passed over."""
    inside = out.resolve()
    for where, folders, names in os.walk(folder):
        here = Path(where)
        folders[:] = sorted(f for f in folders if not naming.folder_passed_over(f) and (here / f).resolve() != inside)
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in endings:
                yield here / name


def left_out(folder: Path, out: Path) -> list[str]:
    """A line for each picture or video below a folder that is of a kind that is not read."""
    return [f"could not be read: {path}: {path.suffix} files are not read" for path in files(folder, out, OTHERS)]
