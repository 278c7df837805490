"""What processes of a pool do in tests instead of trainings; light to import, since every process imports it anew."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any


def die() -> None:
    """As the system ends a process where memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def note(folder: str | Path, name: str) -> int:
    """Note a call of `name` in a folder; how many there were before."""
    before = len(list(Path(folder).glob(f"{name}-*")))
    (Path(folder) / f"{name}-{before}").touch()
    return before


def job_dies_once(job: Any) -> str:
    """Jobs of seed 0 die at the first try, those of seed 9 at every one."""
    seed = job.config.seed
    if (note(os.environ["NOTES"], f"seed{seed}") == 0 and seed == 0) or seed == 9:
        die()
    return "done"


def job_sleeps(job: Any) -> str:
    """Longer than any test waits."""
    note(os.environ["NOTES"], job.name)
    time.sleep(600)
    return "done"


def job_leaves_a_record(job: Any) -> str:
    """Marks its run as finished, so that others may start from it."""
    from fer_utils import records
    from fer_utils.files.paths import store_for

    folder = store_for(job.config.dataset) / records.identify(job.config, "0123456789")
    time.sleep(0.2)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "done").touch()
    note(os.environ["NOTES"], f"seed{job.config.seed}")
    return "done"


def cores() -> list[int]:
    """The processor cores of this process, once the others have begun, too."""
    time.sleep(0.5)
    return sorted(os.sched_getaffinity(0))


def due(record: Any) -> bool:
    """Whether a run was not measured."""
    return not (record.path / "measured").exists()


def take(record: Any, root: Path | None) -> None:
    """Measures a run; those of seed 1 cannot be measured."""
    if record.config.seed == 1:
        raise ValueError("no such layer")
    (record.path / "measured").touch()
