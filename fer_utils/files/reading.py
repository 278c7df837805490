"""Files that anyone may have written: read within limits, without pickle, and only where they are said to lie.

Sizes are read before anything is allocated. What a library says about a damaged file becomes part of one sentence that
names the file, the rule, what came and what to do.
"""

from __future__ import annotations

import lzma
import math
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO

import numpy as np

DAMAGE = (
    OSError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, SyntaxError, RuntimeError,
    OverflowError, MemoryError, TokenError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile,
)  # fmt: skip
"""What the readers of zip, NumPy and JSON files raise on damaged ones."""

_CHUNK = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def one_line(error: BaseException | str, most: int = 200) -> str:
    """What a library says, as a part of one line that can be printed anywhere."""
    words = " ".join(str(error).split())
    name = f"{type(error).__name__}: " if isinstance(error, BaseException) else ""
    plain = words if words.isprintable() else ascii(words)[1:-1]
    return (name + plain[:most]).rstrip(": ")


def is_text(path: Path) -> bool:
    """Whether a path is valid UTF-8: names of files need not be, and OpenCV's videos end the process on others."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    """Text that any terminal of UTF-8 takes: names of files need not be text, and what is none becomes an escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def regular(path: Path, home: Path | None = None) -> Path:
    """`path`, if it is a file that can be read to an end: no pipe, no device, no folder.

    Args:
        path: a file.
        home: folder that it must lie in once links are followed; None where links may lead anywhere.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: something else lies there, or a link leads out of `home`.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} must be a file; it is not there. Put it back, or fetch it again.") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path!r} must be a file that can be read; got {one_line(error)}. Name another.") from None
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or device"
        raise ValueError(f"{path} must be a file; it is {kind}. Move it away.")
    if home is not None and not path.resolve().is_relative_to(home.resolve()):
        raise ValueError(f"{path} must lie in {home}; it is a link to {path.resolve()}. Copy that file there instead.")
    return path


def content(path: Path, largest: int, home: Path | None = None) -> bytes:
    """A file's bytes, at most `largest` of them. Arguments and errors: see `regular`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is larger, or cannot be read.
    """
    size = regular(path, home).stat().st_size
    if size > largest:
        raise ValueError(f"{path} must have at most {largest:,} bytes; it has {size:,}. Fetch it again.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} must be readable; got {one_line(error)}. Change its permissions.") from error


def arrays(file: BinaryIO, where: object, largest: int) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file, which hold numbers or text and no objects: nothing is unpickled.

    What the members claim is added up before any is read, and each must hold exactly what its header claims.

    Args:
        file: opened for reading bytes.
        where: what the message names, a file for example.
        largest: bytes of all arrays together.

    Raises:
        ValueError: it is not an .npz file, is damaged, or claims more bytes.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _check_members(members, largest)
            return {info.filename.removesuffix(".npy"): _array(archive, info) for info in members}
    except DAMAGE as error:
        raise ValueError(
            f"{where} must be a whole .npz file of plain arrays, at most {largest:,} bytes; got {one_line(error)}. "
            "Fetch it again."
        ) from error


def _check_members(members: list[zipfile.ZipInfo], largest: int) -> None:
    names = [info.filename for info in members]
    if odd := [name for name in names if not name.endswith(".npy") or set(name) & set("/\\:")]:
        raise ValueError(f"a member {odd[0]!r}")
    if len(set(names)) < len(names):
        raise ValueError("two members of one name")
    if (claimed := sum(info.file_size for info in members)) > largest:
        raise ValueError(f"members that claim {claimed:,} bytes")
    if any(info.compress_type not in _METHODS for info in members):
        raise ValueError("another compression than deflate")


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = reader(member)
        size, left = math.prod(shape) * dtype.itemsize, info.file_size - member.tell()
        if dtype.kind not in "biufcSU" or min(shape, default=0) < 0 or size != left:
            raise ValueError(f"{info.filename} with {left:,} bytes for shape {shape} of type {dtype}")
        buffer = bytearray(size)
        for start in range(0, size, _CHUNK):
            part = member.read(min(_CHUNK, size - start))
            buffer[start : start + len(part)] = part
        if len(buffer) != size or member.read(1):
            raise ValueError(f"{info.filename} cut off")
    return np.ndarray(shape, dtype, buffer, order="F" if fortran else "C")
