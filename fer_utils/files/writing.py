"""Files that appear whole or not at all, and what is said where they cannot be written."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

MAX_BYTES = 500_000
"""Largest record, so that all of them can be committed."""


_FULL = "make room, then give the same command again"
_CLOSED = "make it writable or name another folder (FER_REPORTS), then give the same command again"
_REMEDIES = {
    errno.ENOSPC: _FULL, errno.EDQUOT: _FULL, errno.EFBIG: _FULL,
    errno.EROFS: _CLOSED, errno.EACCES: _CLOSED, errno.EPERM: _CLOSED,
}  # fmt: skip


class StorageError(OSError):
    """The disk is full or a folder may not be written; the message is one sentence that says what to do."""

    def __str__(self) -> str:
        return str(self.strerror)


def reason(error: OSError) -> str:
    """What went wrong in the system's own words, without the remedy of a `StorageError`."""
    return os.strerror(error.errno) if error.errno else str(error)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what the system says when `path` cannot be written into a `StorageError`; other errors pass.

    Raises:
        StorageError: no room, or no right to write.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        if (said := as_explained(error, path)) is None or isinstance(error, StorageError):
            raise
        raise said from error


def as_explained(error: Exception, path: Path | None = None) -> StorageError | None:
    """The `StorageError` that says what an error of the system or of HDF5 means; None where it is about no disk.

    Args:
        error: what was raised.
        path: what should have been written; default the one that the error names.
    """
    if isinstance(error, StorageError):
        return error
    hidden = re.search(r"errno = (\d+)", str(error))  # HDF5 has it in its text alone
    code = getattr(error, "errno", None) or (int(hidden[1]) if hidden else None)
    if code not in _REMEDIES:
        return None
    where = path or getattr(error, "filename", None) or "A file"
    text = f"{where} could not be written ({os.strerror(code)}); what was finished before is intact: "
    return StorageError(code, text + _REMEDIES[code] + ".")


@contextmanager
def replacing(path: Path, room: int = 0) -> Iterator[Path]:
    """A temporary path beside `path`; its file takes the place of `path` at the end, on an error nothing is left.

    Args:
        path: where the file is to be.
        room: bytes that must be free beforehand, for libraries that do not survive a full disk.

    Raises:
        StorageError: no room, or no right to write.

    Example:
        A reader sees the old file or the new one, never half of either.

        >>> target = Path(tempfile.mkdtemp()) / "answer.txt"
        >>> with replacing(target) as unfinished:
        ...     written = unfinished.write_text("42")
        ...     print(target.exists())
        False
        >>> target.read_text()
        '42'
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        suffix = "".join(path.suffixes[-2:])[-20:]
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".partial-{path.name[:40]}.", suffix=suffix)
        try:
            if room and hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, room)
                os.ftruncate(descriptor, 0)
            yield Path(name)
            os.fsync(descriptor)
            os.chmod(name, 0o644)
            descriptor = os.close(descriptor)  # Windows moves no open file
            os.replace(name, path)
        except BaseException:
            if descriptor is not None:
                os.close(descriptor)
            Path(name).unlink(missing_ok=True)
            raise


@contextmanager
def atomic(path: Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Write a file under a temporary name and move it into place; see `replacing`. Text is UTF-8, whatever is set."""
    text = {} if "b" in mode else {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
    with replacing(path) as partial, partial.open(mode, **text) as file:
        yield file


def remove_partial(folder: Path, older_than: float = 0.0) -> None:
    """Remove temporary files of killed processes under `folder`, last written at least `older_than` seconds ago."""
    latest = time.time() - older_than
    for path in folder.rglob(".partial-*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime <= latest:
                path.unlink()


def write_together(folder: Path, files: Mapping[str, bytes], advice: str) -> None:
    """Write `files` and then an empty `done` into a folder; on an error none of them is left.

    Args:
        folder: created where it is missing.
        files: name -> content.
        advice: last sentence of the message where they are too large.

    Raises:
        ValueError: together they are larger than `MAX_BYTES`.
        StorageError: no room, or no right to write.
    """
    if (size := sum(map(len, files.values()))) > MAX_BYTES:
        raise ValueError(f"A record has at most {MAX_BYTES:,} bytes; {folder.name} takes {size:,}. {advice}")
    try:
        for name, content in {**files, "done": b""}.items():
            with atomic(folder / name) as file:
                file.write(content)
    except BaseException:
        for name in files:
            (folder / name).unlink(missing_ok=True)
        raise


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Contents of a compressed `.npz` file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def json_bytes(values: Mapping[str, Any]) -> bytes:
    """Contents of a `.json` file."""
    return (json.dumps(values, indent=1) + "\n").encode()
