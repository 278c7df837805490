"""Where runs are trained besides this process: in others of this machine, or by the workers of a Dask cluster."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

PATIENCE = "30s"
"""How long a scheduler may take to answer."""

_ONE_AT_A_TIME = threading.Lock()
"""Keras's random state and its session belong to the whole process: a worker with several threads trains in one."""

_SIGN = ".seen-by-workers-"
_SIGN_SECONDS = 30 * 24 * 3600.0


class UnsharedError(ConnectionError):
    """A worker does not see the folder of records; the message names both."""


class WorkerDiedError(BrokenExecutor):
    """A process ended before its work was done; the message names it and says what ended it."""


def process_pool(workers: int, cores: Sequence[Iterable[int]] | None = None) -> ProcessPool:
    """Fresh processes (`spawn`: TensorFlow and JAX hang when forked), one run at a time each.

    One that dies fails its own run alone and is replaced; all of them end with the process that made the pool.

    Args:
        workers: how many processes.
        cores: the numbers of the processor cores that each of them may use; None leaves all cores to all.
    """
    return ProcessPool(workers, cores)


class ProcessPool(ThreadPoolExecutor):
    """Threads that keep a process each; the standard library's pool is of no use any more when one process dies."""

    def __init__(self, workers: int, cores: Sequence[Iterable[int]] | None = None) -> None:
        """Arguments: see `process_pool`. A process starts with the first work for it."""
        super().__init__(workers)
        self._own = threading.local()
        self._cores = itertools.cycle([tuple(own) for own in cores] if cores else [()])
        self._children: set[multiprocessing.process.BaseProcess] = set()
        self._stopped = threading.Event()

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        """A future of `function(*arguments, **options)`, which a process must be able to import."""
        return super().submit(self._call, function, arguments, options)

    def stop(self) -> None:
        """Kill every process in the midst of its work and begin nothing more."""
        self._stopped.set()
        self.shutdown(wait=False, cancel_futures=True)
        for child in tuple(self._children):
            child.kill()

    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        try:
            if getattr(self._own, "process", None) is None:
                self._start()
            return self._own.process.submit(function, *arguments, **options).result()
        except BrokenExecutor as error:
            self._own.process = None
            self._children.discard(self._own.child)
            raise WorkerDiedError(_how_it_ended(self._own.child)) from error

    def _start(self) -> None:
        own = self._own
        own.cores = getattr(own, "cores", None) or next(self._cores)
        own.child, context = None, multiprocessing.get_context("spawn")
        own.process = ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(own.cores,))
        number = own.process.submit(os.getpid).result()
        own.child = next(child for child in multiprocessing.active_children() if child.pid == number)
        self._children.add(own.child)
        if self._stopped.is_set():  # while this one was starting
            own.child.kill()


def _how_it_ended(child: multiprocessing.process.BaseProcess | None) -> str:
    if child is None:
        return "its process ended before it began"
    end = time.monotonic() + 10
    while child.exitcode is None and time.monotonic() < end:  # the pool's own thread may be the one that is told
        child.join(0.05)
    if (code := child.exitcode) is not None and code < 0:
        why = " (as the system does where memory runs out)" if -code == signal.SIGKILL else ""
        return f"its process {child.pid} was ended by {signal.Signals(-code).name}{why}"
    return f"its process {child.pid} ended with exit code {code}"


def _begin(cores: Sequence[int]) -> None:
    """A process keeps to its cores; one whose parent was killed would wait for work for ever, and ends."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Ended(NamedTuple):
    """One try of a job that has come to its end.

    Attributes:
        key: which job.
        attempt: which try, from 1.
        future: holds its value, or what went wrong.
        again: whether the job is tried once more.
    """

    key: str
    attempt: int
    future: Future[Any]
    again: bool


def carried_out(
    submit: Callable[[str, int], Future[Any]],
    keys: Iterable[str],
    *,
    tries: int = 2,
    at_once: int | None = None,
    until: float | None = None,
    ready: Callable[[str], bool] = lambda key: True,
    later: Callable[[str], bool] = lambda key: False,
) -> Iterator[Ended]:
    """Have jobs done and tell of each as it ends; one that went wrong is tried again.

    Args:
        submit: hands a job over, given its key and which try this is.
        keys: the jobs, in order.
        tries: how often a job is tried.
        at_once: how many jobs are handed over at a time, and one that went wrong is the next; None hands all of them
            over at once, and one that went wrong is the last.
        until: by `time.monotonic()`, when to stop waiting; what is under way then is left alone.
        ready: whether a job may begin; others are preferred until it may, and jobs that never may are not begun.
        later: whether a job that may begin would have to wait for somebody else; others are preferred.
    """
    waiting, running = deque((key, 1) for key in keys), {}
    while True:
        while len(running) < (at_once or sys.maxsize):
            able, free = (j for j in waiting if ready(j[0])), (j for j in waiting if ready(j[0]) and not later(j[0]))
            if (job := next(itertools.chain(free, able), None)) is None:
                break
            waiting.remove(job)
            running[submit(*job)] = job
        left = None if until is None else max(until - time.monotonic(), 0.0)
        done = wait(running, left, FIRST_COMPLETED).done if running else ()
        if not done:
            return
        for future in sorted(done, key=list(running).index):
            key, attempt = running.pop(future)
            if again := future.exception() is not None and attempt < tries:
                (waiting.appendleft if at_once else waiting.append)((key, attempt + 1))
            yield Ended(key, attempt, future, again)


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
def store_signs(stores: Iterable[Path]) -> Iterator[dict[Path, Path | None]]:
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
        sign: see `store_signs`.
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
