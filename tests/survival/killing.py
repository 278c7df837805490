"""Processes that are killed when something is seen on disk, and comparison of what comes of it."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_utils.data.splits import SplitSpec
from fer_utils.records import Record
from fer_utils.records.config import Phase, RunConfig

ROOT = Path(__file__).resolve().parent.parent.parent
TINY = RunConfig(
    "tiny", "synthetic", (Phase(2, 0.01),), split=SplitSpec("random", 0.25, validation_size=1 / 3),
    dataset_options={"n_subjects": 8, "n_frames": 1}, augmentation="light", batch_size=10,
    keep=("last", "best_validation"), score_test=True,
)  # fmt: skip
"""56 faces, three steps an epoch."""

SLOW_DISK = 0.04
"""Seconds that a victim's disk takes to put a file in safety, so that files are half-written for a while."""

# A server that has imported everything and computed nothing is safe to fork, on Linux, and saves seconds a process.
CONTEXT = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
if sys.platform == "linux":
    CONTEXT.set_forkserver_preload(
        ["fer_utils.training.loop", "fer_utils.study.tuning.run_tuner", "fer_utils.__main__"]
    )


def lengthened(config: RunConfig, epochs: int) -> RunConfig:
    return replace(config, phases=tuple(replace(phase, epochs=epochs) for phase in config.phases))


def victim(function: Callable[..., Any], *arguments: Any, **environment: str) -> Any:
    """A process that runs `function` with a slow disk."""
    process = CONTEXT.Process(target=_live, args=(environment, function, arguments))
    process.start()
    return process


def _live(environment: dict[str, str], function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    os.environ.update(environment)
    in_safety = os.fsync

    def slowly(descriptor: int) -> None:
        time.sleep(SLOW_DISK)
        in_safety(descriptor)

    os.fsync = slowly
    function(*arguments)


def kill_when(process: Any, seen: Callable[[], bool], delay: float = 0.0, seconds: float = 120.0) -> None:
    """SIGKILL once `seen()`, and so many seconds later."""
    end = time.monotonic() + seconds
    while not seen():
        assert process.is_alive(), f"it ended by itself, exit code {process.exitcode}"
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.005)
    process.join(delay)
    assert process.is_alive(), f"it ended by itself, exit code {process.exitcode}"
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def half_written(folder: Path, name: str = "") -> set[Path]:
    """Files under `folder` that are being written under that name."""
    try:
        return set(folder.rglob(f".partial-{name}*"))
    except OSError:  # a folder went while it was looked through
        return set()


def nth_new(folder: Path, name: str, count: int = 1) -> Callable[[], bool]:
    """True while the `count`-th file of that name since this call is being written."""
    seen = half_written(folder, name)
    left = itertools.count(count, -1)
    remaining = [next(left)]

    def now() -> bool:
        new = half_written(folder, name) - seen
        seen.update(new)
        for _ in new:
            remaining[0] = next(left)
        return remaining[0] <= 0

    return now


def arrays(record: Record) -> dict[str, np.ndarray]:
    with np.load(record.path / "predictions.npz") as stored:
        return {name: stored[name] for name in stored}


def assert_same_record(record: Record, reference: Record) -> None:
    """Metrics, predictions and history, but for seconds, to the bit."""
    assert record.id == reference.id and record.run["metrics"] == reference.run["metrics"]
    assert record.run["kept_epochs"] == reference.run["kept_epochs"]
    found, expected = arrays(record), arrays(reference)
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    untimed = (one.history.drop(columns="seconds") for one in (record, reference))
    pd.testing.assert_frame_equal(*untimed, check_exact=True)


def assert_no_litter(folder: Path) -> None:
    """Nothing half-written, no claim of the dead."""
    assert [path for path in folder.rglob(".*") if path.name.startswith((".partial-", ".claim"))] == []
