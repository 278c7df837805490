"""Plain and packed files (gzip, xz, bzip2, zip, tar) read to their end; what is damaged is refused in one sentence.

Nothing is ever unpacked onto the disk, so that no name inside an archive leads anywhere. What archives claim is added
up before anything is read.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fer_utils.data.readers import naming
from fer_utils.files.reading import DAMAGE, one_line, regular

MOST_MEMBERS = 10_000
"""Files in an archive that are no images: so many are looked into."""
MOST_ENTRIES = 500_000
"""Files and folders of an archive."""
LARGEST = 1 << 33
"""Bytes of an archive's files together, when they are unpacked."""
LONGEST_NAME = 1000
"""Characters of a name inside an archive."""

Entry = tuple[str, int, Callable[[], BinaryIO]]
"""Name, size, and what opens it."""

_BUFFER = 1 << 20
_BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others unpack all they are given at once, however much
_READING = (
    EOFError, OSError, RuntimeError, MemoryError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError,
)  # fmt: skip
_OPENING = (*DAMAGE, tarfile.TarError)
_COMPRESSED = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ": lzma.open, b"BZh": bz2.open}


@dataclass(frozen=True)
class Member:
    """A file inside an archive: its name with slashes, size in bytes, and first line if it may be a table."""

    name: str
    size: int
    head: bytes


@contextmanager
def opened(path: Path, member: str | None = None) -> Iterator[BinaryIO]:
    """Open a plain or compressed file, or one inside an archive, for reading lines of bytes.

    Raises:
        ValueError: no file, or the compressed data ends early or is damaged.
    """
    regular(path)
    with ExitStack() as stack:
        with _guarded(path, _OPENING):
            file = _plain(stack, path) if member is None else _inside(stack, path, member)
        with _guarded(path, _READING):
            yield file


def is_zip(path: Path) -> bool:
    """Whether a file begins as a zip does."""
    with opened(path) as file:
        return file.read(4) == b"PK\x03\x04"


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or a tar, compressed or not."""
    with opened(path) as file:
        head = file.read(512)
    return head[:4] == b"PK\x03\x04" or head[257:262] == b"ustar"


def members(path: Path, longest: int) -> list[Member]:
    """The files of an archive by name, with first lines (cut at `longest` bytes) of what may be a table.

    Raises:
        ValueError: it is damaged, holds too many or too large files, or a name twice.
    """
    with _guarded(path, _OPENING), ExitStack() as stack:
        found: dict[str, Member] = {}
        total = looked_into = 0
        for number, (name, size, file) in enumerate(_entries(stack, path)):
            total += size
            _check_entry(number, name, total, name in found)
            head, (*above, last) = b"", name.split("/")
            passed = naming.passed_over(last) or any(map(naming.folder_passed_over, above))
            if not passed and not name.lower().endswith(naming.IMAGES):
                looked_into += 1
                if looked_into > MOST_MEMBERS:
                    raise ValueError(f"more than {MOST_MEMBERS:,} files that are no images")
                head = file().readline(longest)
            found[name] = Member(name, size, head)
        return [found[name] for name in sorted(found)]


def contents(path: Path, wanted: Mapping[str, int], largest: int) -> Iterator[tuple[int, bytes]]:
    """The content of files inside an archive, each with the number that `wanted` gives it, in the archive's order.

    Raises:
        ValueError: it is damaged, or a file is larger than `largest` bytes.
    """
    with _guarded(path, _OPENING), ExitStack() as stack:
        for name, size, file in _entries(stack, path):
            if name in wanted:
                if size > largest:
                    raise ValueError(f"{name!r} with {size:,} bytes, where an image has at most {largest:,}")
                yield wanted[name], file().read(largest)


def _check_entry(number: int, name: str, total: int, twice: bool) -> None:
    if number >= MOST_ENTRIES or total > LARGEST:
        raise ValueError(f"more than {MOST_ENTRIES:,} files or {LARGEST:,} bytes in it")
    if twice or len(name) > LONGEST_NAME or not name or any(part in ("", ".", "..") for part in name.split("/")):
        raise ValueError(f"{'two files named' if twice else 'a file named'} {one_line(name[:80]) or 'nothing'!r}")


def _plain(stack: ExitStack, path: Path) -> BinaryIO:
    raw = stack.enter_context(path.open("rb"))
    start = raw.peek(6)
    for magic, opener in _COMPRESSED.items():
        if start.startswith(magic):
            return io.BufferedReader(stack.enter_context(opener(raw)), _BUFFER)
    return raw


def _inside(stack: ExitStack, path: Path, member: str) -> BinaryIO:
    for name, _, file in _entries(stack, path):
        if name == member:
            return file()
    raise KeyError(f"no file {member!r} in it")


def _entries(stack: ExitStack, path: Path) -> Iterator[Entry]:
    """Each regular file of an archive, in the archive's order."""
    return _zip_entries(stack, path) if is_zip(path) else _tar_entries(stack, path)


def _zip_entries(stack: ExitStack, path: Path) -> Iterator[Entry]:
    archive = stack.enter_context(zipfile.ZipFile(path))
    for info in archive.infolist():
        if not info.is_dir():
            yield _name(info.filename), info.file_size, lambda info=info: _unzipped(stack, archive, info)


def _unzipped(stack: ExitStack, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> BinaryIO:
    if info.compress_type not in _BOUNDED:
        raise ValueError("another compression than deflate")
    return io.BufferedReader(stack.enter_context(archive.open(info)), _BUFFER)


def _tar_entries(stack: ExitStack, path: Path) -> Iterator[Entry]:
    file = _Bounded(_plain(stack, path))
    archive = stack.enter_context(tarfile.TarFile(fileobj=file, errors="surrogateescape"))  # type: ignore[arg-type]
    while info := archive.next():
        archive.members.clear()  # each would be kept
        if info.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and info.sparse is None:
            yield _name(info.name), info.size, lambda info=info: archive.extractfile(info)
    file.seek(archive.offset)
    if file.read(512) != bytes(512):
        raise EOFError("the archive ends without its end mark")


def _name(name: str) -> str:
    """With slashes, and without the `./` that tar puts before names."""
    return name.replace("\\", "/").removeprefix("./")


class _Bounded(io.RawIOBase):
    """A file of which nobody reads more than 16 MiB at once: a tar's header may claim a name of any length."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= 1 << 24:
            raise ValueError(f"a header that claims {size:,} bytes")
        return self._file.read(size)

    def seek(self, place: int, whence: int = 0) -> int:
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()


@contextmanager
def _guarded(path: Path, kinds: tuple[type[Exception], ...]) -> Iterator[None]:
    try:
        yield
    except kinds as reason:
        raise ValueError(
            f"{path} must be readable to its end (an archive: whole and unencrypted); got {one_line(reason)}. "
            "Fetch or copy it again, or unpack it and name what was inside."
        ) from reason
