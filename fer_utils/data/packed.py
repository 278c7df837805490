"""Plain and packed files (gzip, xz, zip) as bytes to read line by line; what is damaged is refused in one sentence."""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import filterfalse
from pathlib import Path
from typing import BinaryIO

from fer_utils.files.reading import DAMAGE, regular, told

MOST_MEMBERS = 10_000
"""Files in a zip that are looked into."""

_BUFFER = 1 << 20
_BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others unpack all they are given at once, however much
_READING = (EOFError, OSError, RuntimeError, MemoryError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


@contextmanager
def opened(path: Path, member: str | None = None) -> Iterator[BinaryIO]:
    """Open a plain, gzip, xz or zip file for reading lines of bytes.

    Raises:
        ValueError: no file, or the compressed data ends early or is damaged.
    """
    regular(path)
    with ExitStack() as stack:
        with _guarded(path, DAMAGE):
            file = _plain(stack, path) if member is None else _inside(stack, path, member)
        with _guarded(path, _READING):
            yield file


def first_lines(path: Path, endings: tuple[str, ...], longest: int) -> dict[str, bytes]:
    """First line, cut at `longest` bytes, of each file in a zip that is not hidden and has none of some endings.

    Raises:
        ValueError: the zip is damaged, or holds too many files.
    """
    with _guarded(path, DAMAGE), zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if not name.lower().endswith(("/", *endings)))
        if len(names) > MOST_MEMBERS:
            raise ValueError(f"{len(names):,} files that are no images, where {MOST_MEMBERS:,} are looked into")
        lines = {}
        for name in filterfalse(_hidden, names):
            with ExitStack() as stack:
                lines[name] = _member(stack, archive, name).readline(longest)
        return lines


def _plain(stack: ExitStack, path: Path) -> BinaryIO:
    raw = stack.enter_context(path.open("rb"))
    magic = raw.peek(6)
    if not magic.startswith((b"\x1f\x8b", b"\xfd7zXZ")):
        return raw
    opener = lzma.open if magic.startswith(b"\xfd") else gzip.open
    return io.BufferedReader(stack.enter_context(opener(raw)), _BUFFER)


def _inside(stack: ExitStack, path: Path, member: str) -> BinaryIO:
    return _member(stack, stack.enter_context(zipfile.ZipFile(path)), member)


def _member(stack: ExitStack, archive: zipfile.ZipFile, name: str) -> BinaryIO:
    info = archive.getinfo(name)
    if info.compress_type not in _BOUNDED:
        raise ValueError("another compression than deflate")
    return io.BufferedReader(stack.enter_context(archive.open(info)), _BUFFER)


@contextmanager
def _guarded(path: Path, kinds: tuple[type[Exception], ...]) -> Iterator[None]:
    try:
        yield
    except kinds as reason:
        raise ValueError(
            f"{path} must be readable to its end (an archive: whole and unencrypted); got {told(reason)}. "
            "Fetch it again, or unpack it and name the CSV."
        ) from reason


def _hidden(member: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in member.split("/"))
