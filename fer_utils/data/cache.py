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
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

Arrays = dict[str, np.ndarray]

_log = logging.getLogger(__name__)
_DAMAGE = (OSError, EOFError, ValueError, KeyError, SyntaxError, RuntimeError, zlib.error, zipfile.BadZipFile)


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
    """
    digest = hashlib.blake2b(version.encode(), digest_size=32)
    for file in files:
        status = os.stat(file)
        line = f"\n{file}\t{status.st_size}\t{status.st_mtime_ns}"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


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
    arrays = _load(file, key)
    if arrays is None:
        arrays = read()
        _store(file, key, arrays)
    return arrays


def _load(file: Path, key: str) -> Arrays | None:
    try:
        with open(file, "rb") as raw, np.load(raw, allow_pickle=False) as stored:
            if str(stored["key"]) == key:
                return {name: stored[name] for name in stored.files if name != "key"}
    except FileNotFoundError:
        pass
    except _DAMAGE as reason:
        _log.warning("Cache file %s is damaged (%s) and will be written anew.", file, reason)
    return None


def _store(file: Path, key: str, arrays: Arrays) -> None:
    """Write under a temporary name and move, so that no reader ever sees half a file."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as out:
                np.savez(out, key=np.array(key), **arrays)
            os.replace(temporary, file)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as reason:
        remedy = "Set FER_CACHE to a folder you can write to; until then every read is a first read."
        _log.warning("Cannot cache in %s (%s). %s", file.parent, reason, remedy)
