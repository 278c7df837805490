"""Files that appear whole or not at all."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

MAX_BYTES = 500_000
"""Largest record, so that all of them can be committed."""


@contextmanager
def atomic(path: Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Write a file under a temporary name and move it into place; on an error nothing is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".partial-{path.name}.")
    try:
        with os.fdopen(descriptor, mode) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_together(path: Path, files: Mapping[str, bytes], advice: str) -> None:
    """Write `files` (name -> content) into the folder `path` and an empty `done` last, or none of them.

    Raises:
        ValueError: together they would be larger than 500 KB; `advice` ends the message.
    """
    if (size := sum(map(len, files.values()))) > MAX_BYTES:
        raise ValueError(f"A record has at most {MAX_BYTES:,} bytes; {path.name} takes {size:,}. {advice}")
    try:
        for name, content in {**files, "done": b""}.items():
            with atomic(path / name) as file:
                file.write(content)
    except BaseException:
        for name in files:
            (path / name).unlink(missing_ok=True)
        raise


def npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Contents of a compressed `.npz` file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def text(values: Mapping[str, Any]) -> bytes:
    """Contents of a `.json` file."""
    return (json.dumps(values, indent=1) + "\n").encode()
