"""`make reproduce`, killed at its parts: nothing looks finished that is not, and the next call goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import psutil
from killing import ROOT, assert_no_litter

NAME = "02_exploring_the_data"


@contextmanager
def reproducing(reports: Path) -> Iterator[psutil.Popen]:
    """`make reproduce` of one cheap notebook, all of whose processes are gone afterwards."""
    call = ["make", "--no-print-directory", "reproduce", f"PY={sys.executable}", f"REPORTS={reports}",
            f"SOURCES=notebooks/{NAME}.ipynb"]  # fmt: skip
    own = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))} | {"FER_REPORTS": str(reports)}
    process = psutil.Popen(call, cwd=ROOT, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        for one in [*process.children(recursive=True), process] if process.is_running() else []:
            one.kill()
        process.wait()


def wait_for(condition: Callable[[], object], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.05)


def python_of(make: psutil.Popen) -> psutil.Process:
    """The process that executes the notebook."""
    found = [child for child in make.children(recursive=True) if "execute" in child.cmdline()[1:]]
    return next(child for child in found if "fer_utils" in child.cmdline())


def has_ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def cells_done(path: Path) -> int:
    try:
        cells = nbformat.read(path, as_version=4).cells
    except (OSError, ValueError, nbformat.reader.NotJSONError):
        return 0
    return sum(bool(cell.get("execution_count")) for cell in cells)


def test_a_killed_notebook_looks_unfinished_and_the_next_call_makes_it(tmp_path: Path) -> None:
    folder = tmp_path / "quick"
    output, partial = folder / f"{NAME}.ipynb", folder / f".{NAME}.partial.ipynb"
    with reproducing(tmp_path) as make:
        wait_for(lambda: cells_done(partial) >= 2)
        executing = python_of(make)
        kernels = executing.children(recursive=True)
        executing.kill()
        assert make.wait() == 2 and not output.exists() and kernels
        wait_for(lambda: all(has_ended(kernel) for kernel in kernels))  # a kernel ends with what executed it
    left = partial.stat().st_mtime_ns
    with reproducing(tmp_path) as make:
        wait_for(lambda: partial.stat().st_mtime_ns > left and cells_done(partial) >= 2)
        orphan = python_of(make)
        make.kill()
        assert not output.exists() and orphan.is_running()
        with reproducing(tmp_path) as again:  # waits for what the killed make has left running
            assert again.wait() == 0, again.stdout.read()
        wait_for(lambda: has_ended(orphan))
    assert cells_done(output) >= 10 and sorted(path.name for path in folder.glob("*.ipynb")) == [output.name]
    assert_no_litter(tmp_path)
    made = output.stat().st_mtime_ns
    with reproducing(tmp_path) as make:
        assert make.wait() == 0 and output.stat().st_mtime_ns == made, "nothing is made twice"
