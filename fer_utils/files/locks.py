"""Who may write: a right that one process has at a time, and that ends with its holder."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import SoftFileLease

from fer_utils.files.writing import remove_partial, storage_errors

LEASE_SECONDS = 60.0
"""After so long without a heartbeat a holder on another machine counts as dead; on this one it is found out at once."""


class LostClaimError(RuntimeError):
    """Another process holds what this one held: it was suspended, or did not reach the folder, for too long."""


@contextmanager
def claim(path: Path, timeout: float = -1) -> Iterator[Callable[[], None]]:
    """Hold the right to write the record at `path`, and remove what a killed holder left half-written; see `hold`."""
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    with hold(path / ".claim", timeout) as held:
        remove_partial(path)
        yield held


def is_claimed(path: Path) -> bool:
    """Whether a living process holds the right to write the record at `path`, a folder."""
    try:
        with hold(path / ".claim", timeout=0):
            return False
    except TimeoutError:
        return True


@contextmanager
def hold(marker: Path, timeout: float = -1) -> Iterator[Callable[[], None]]:
    """Hold what `marker` stands for; waits for another holder to end, to die or to stop its heartbeat.

    Args:
        marker: a file that is there while it is held; its folder exists.
        timeout: seconds to wait at most; below 0 without end.

    Yields:
        What a holder calls before it writes: it raises `LostClaimError` where another has taken over meanwhile.

    Raises:
        TimeoutError: another process still holds it.
        StorageError: the marker cannot be written.
    """
    lost = threading.Event()
    lease = SoftFileLease(marker, lease_duration=LEASE_SECONDS, on_compromise=lambda _: lost.set())
    with storage_errors(marker):
        lease.acquire(timeout)

    token = str(lease.token)

    def held() -> None:
        if lost.is_set() or not _bears(marker, token):
            raise LostClaimError(
                f"Who writes {marker.parent} holds it; this process was suspended or cut off for too long, and another "
                "has taken over. Let that one end, or stop it and give the same command again."
            )

    try:
        yield held
    finally:
        lease.release()


def _bears(marker: Path, token: str) -> bool:
    """Whether the marker is its holder's own; who looks whether it is stale moves it aside for a moment."""
    end = time.monotonic() + 1
    while True:
        with suppress(FileNotFoundError):
            if token in marker.read_text(encoding="utf-8"):
                return True
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
