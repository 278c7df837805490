"""Who may write: a right that one process has at a time, and that ends with its holder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import SoftFileLease

from fer_utils.files.writing import remove_partial, storage_errors

LEASE_SECONDS = 60.0
"""After so long without a heartbeat a holder on another machine counts as dead; on this one it is found out at once."""


@contextmanager
def claim(path: Path, timeout: float = -1) -> Iterator[None]:
    """Hold the right to write the record at `path`, and remove what a killed holder left half-written; see `hold`."""
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    with hold(path / ".claim", timeout):
        remove_partial(path)
        yield


@contextmanager
def hold(marker: Path, timeout: float = -1) -> Iterator[None]:
    """Hold what `marker` stands for; waits for another holder to end, to die or to stop its heartbeat.

    Args:
        marker: a file that is there while it is held; its folder exists.
        timeout: seconds to wait at most; below 0 without end.

    Raises:
        TimeoutError: another process still holds it.
        StorageError: the marker cannot be written.
    """
    lease = SoftFileLease(marker, lease_duration=LEASE_SECONDS)
    with storage_errors(marker):
        lease.acquire(timeout)
    try:
        yield
    finally:
        lease.release()
