"""Where runs are trained besides this process: in others of this machine, or by the workers of a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

PATIENCE = "30s"
"""How long a scheduler may take to answer."""

_ONE_AT_A_TIME = threading.Lock()
"""Keras's random state and its session belong to the whole process: a worker with several threads trains in one."""

_SIGN = ".seen-by-workers-"
_SIGN_SECONDS = 30 * 24 * 3600.0


class UnsharedError(ConnectionError):
    """A worker does not see the folder of records; the message names both."""


def process_pool(workers: int) -> Executor:
    """Fresh processes (`spawn`: TensorFlow and JAX hang when forked), one run at a time each.

    One that dies fails its own run alone and is replaced; all of them end with the process that made the pool.
    """
    return _Processes(workers)


class _Processes(ThreadPoolExecutor):
    """Threads that keep a process each; the standard library's pool is of no use any more when one process dies."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self._own = threading.local()

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        """A future of `function(*arguments, **options)`, which a process must be able to import."""
        return super().submit(self._call, function, arguments, options)

    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if getattr(self._own, "process", None) is None:
            context = multiprocessing.get_context("spawn")
            self._own.process = ProcessPoolExecutor(1, mp_context=context, initializer=_end_with_parent)
        try:
            return self._own.process.submit(function, *arguments, **options).result()
        except BrokenExecutor:
            self._own.process = None
            raise


def _end_with_parent() -> None:
    """A pool's process whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def dask(address: str) -> Iterator[Executor]:
    """The workers of the Dask scheduler at `address`, e.g. `tcp://10.0.0.1:8786`.

    Raises:
        ImportError: Dask is not installed.
        ConnectionError: no scheduler answers there.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError("A scheduler needs Dask; it is not installed: pip install 'dask[distributed]'.") from error
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        text = f"FER_SCHEDULER is the address of a running Dask scheduler; none answers at {address} ({error}). "
        raise ConnectionError(text + "Start one (`dask scheduler`), or leave the variable out.") from error
    with client:
        if not client.scheduler_info()["workers"]:
            print(f"No worker at {address} yet; runs begin when one is there (`dask worker`).", file=sys.stderr)
        yield client.get_executor(pure=False)


@contextmanager
def signed(stores: Iterable[Path]) -> Iterator[dict[Path, Path | None]]:
    """A file in each store by which a worker knows that it sees the same folder; None where none can be written."""
    signs: dict[Path, Path | None] = {}
    with ExitStack() as stack:
        for store in set(stores):
            signs[store] = None
            with suppress(OSError):
                store.mkdir(parents=True, exist_ok=True)
                _remove_old_signs(store)
                sign = stack.enter_context(tempfile.NamedTemporaryFile(dir=store, prefix=_SIGN))
                signs[store] = Path(sign.name)
        yield signs


def _remove_old_signs(store: Path) -> None:
    """Those of studies that were killed; others may wait long for their turn on a cluster."""
    for path in store.glob(f"{_SIGN}*"):
        if time.time() - path.stat().st_mtime > _SIGN_SECONDS:
            path.unlink(missing_ok=True)


def work(sign: Path | None, attempt: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a worker does: `function(*arguments)`, one at a time; an error says on which machine.

    Args:
        sign: see `signed`.
        attempt: makes a second try another call, for executors that remember calls.
        function: what to do.
        *arguments: its arguments.

    Raises:
        UnsharedError: this machine does not see the sign.
    """
    try:
        if sign and not sign.is_file():
            raise UnsharedError(
                f"Workers write records where the study reads them; {sign.parent} is another folder on this worker. "
                "Mount that folder there under the same path, or start the worker where it is."
            )
        with _ONE_AT_A_TIME:
            return function(*arguments)
    except Exception as error:
        error.add_note(f"on {socket.gethostname()}")
        raise
