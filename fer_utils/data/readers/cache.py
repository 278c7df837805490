"""A cache of parsed datasets, so that only the first read of a large source is slow.

One file per source under `$FER_CACHE`, else `$XDG_CACHE_HOME/fer-study`, else `~/.cache/fer-study`.
It is only ever a copy: a damaged or outdated file is written anew, a folder that cannot be written
costs the speed and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from fer_utils.files import reading, writing

Arrays = dict[str, np.ndarray]

ABANDONED = 3600.0
"""Seconds after which a half-written file is nobody's any more: its writer was killed."""

_log = logging.getLogger(__name__)


def folder() -> Path:
    """Where cached datasets are kept; not created by this call."""
    if own := os.environ.get("FER_CACHE"):
        return Path(os.path.expanduser(own))
    base = os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    if base.startswith("~"):  # a user without a home, as in some containers: nothing can be kept
        base = os.devnull
    return Path(base) / "fer-study"


def identity(files: Iterable[str | Path], version: str) -> str:
    """64 hexadecimal digits that change with any file's path, size or modification time, or `version`.

    Args:
        files: absolute paths of the files a dataset is read from, in a fixed order.
        version: the reader's own version, raised whenever the reader returns something else.

    Raises:
        FileNotFoundError, ValueError: one is no file.
    """
    digest = hashlib.blake2b(version.encode(), digest_size=32)
    for file in files:
        status = _status(file)
        line = f"\n{file}\t{status.st_size}\t{status.st_mtime_ns}"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _status(file: str | Path) -> os.stat_result:
    try:
        status = os.stat(file)
    except OSError:
        status = None
    return status if status and stat.S_ISREG(status.st_mode) else reading.regular(Path(file)).stat()


def through(name: str, source: str, key: str, read: Callable[[], Arrays]) -> Arrays:
    """What `read()` returns, from the cache if it stands there under the same key.

    Args:
        name: begins the file's name, for people who look into the folder.
        source: what is read, beginning with its absolute path. It has one file, which a new key overwrites.
        key: `identity(...)` of the source.
        read: reads the source; its arrays hold numbers or strings, no objects.

    Returns:
        The arrays.
    """
    place = source.encode(errors="surrogateescape")
    file = folder() / f"{name}-{hashlib.blake2b(place, digest_size=8).hexdigest()}.npz"
    with contextlib.suppress(OSError):
        writing.remove_partial(file.parent, older_than=ABANDONED)
    arrays = _load(file, key)
    if arrays is None:
        arrays = read()
        _store(file, key, arrays)
    return arrays


def _load(file: Path, key: str) -> Arrays | None:
    """The arrays in a file, which are no more bytes than it has; None where it is not there, damaged or outdated."""
    try:
        with reading.regular(file).open("rb") as raw:
            arrays = reading.arrays(raw, file, os.fstat(raw.fileno()).st_size)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as reason:
        _log.warning("Cache file %s is damaged (%s) and will be written anew.", file, reason)
        return None
    stamp = arrays.pop("key", None)
    return arrays if str(stamp) == _stamp(key, arrays) else None


def _stamp(key: str, arrays: Arrays) -> str:
    """The key with the arrays' names, types and shapes, so that a file that holds others is outdated."""
    return " ".join([key, *sorted(f"{name} {a.dtype.str} {a.shape}" for name, a in arrays.items())])


def _store(file: Path, key: str, arrays: Arrays) -> None:
    """Write so that no reader ever sees half a file."""
    try:
        with writing.atomic(file) as out:
            np.savez(out, key=np.array(_stamp(key, arrays)), **arrays)
    except OSError as reason:
        remedy = "Set FER_CACHE to a folder you can write to; until then every read is a first read."
        _log.warning("Cannot cache in %s (%s). %s", file.parent, reason.__cause__ or reason, remedy)
