"""What grows with the data, and what two workers gain over one (`make bench`; see `fer_utils.report.benchmarks`).

Every step runs in a process of its own, so that its peak memory is its own. The faces are drawn ones with noise, as a
CSV file in FER2013's layout; it is made in a temporary folder, 300 MB for each times FER2013's size.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FER2013 = 35_887
STEPS = ("load", "load again", "audit", "train", "predict")
SIZES = (1, 4, 16)

_DRAWN = 24  # people, 21 drawings each; noise makes every image another
_USAGES = ("Training",) * 98 + ("PublicTest", "PrivateTest")  # few, since a record has at most 500 KB of predictions
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


def append(path: Path, first: int, last: int) -> None:
    """Append images `first` to `last` (exclusive) to a CSV file in FER2013's layout; every tenth is a copy."""
    from fer_utils import data

    drawn = data.load("synthetic", n_subjects=_DRAWN)
    words = np.array([str(value) for value in range(256)])
    with path.open("a", encoding="ascii") as file:
        if first == 0:
            file.write("emotion,pixels,Usage\n")
        for index in range(first, last):
            own = index - 1 if index % 10 == 9 else index  # the image before, another part: what an audit looks for
            noise = np.random.default_rng(own).integers(-20, 21, 2304, dtype=np.int16)
            pixels = np.clip(drawn.images[own % len(drawn)].ravel() + noise, 0, 255)
            file.write(f"{drawn.labels[own % len(drawn)]},{' '.join(words[pixels])},{_USAGES[index % 100]}\n")


def step(name: str, folder: Path) -> dict[str, float]:
    """Do one step on the CSV file in `folder`; images, their megabytes, seconds, and megabytes that the memory grew by.

    The memory counts from before the images were loaded: with a network that has already been used, where there is one.
    """
    from fer_utils import data, models
    from fer_utils.data import audit
    from fer_utils.training.scoring import predict_logits

    model = models.build("tiny") if name == "predict" else None
    if model:
        predict_logits(model, np.zeros((512, 48, 48), np.uint8))
    if name == "train":
        _train(data.load("synthetic", n_subjects=8), folder / "warm")
    before, start = _peak(), time.perf_counter()
    images = data.load("fer2013", folder)
    if not name.startswith("load"):
        start = time.perf_counter()
        work: dict[str, Callable[[], Any]] = {
            "audit": lambda: audit.duplicates(images),
            "train": lambda: _train(images, folder / f"runs-{len(images)}"),
            "predict": lambda: predict_logits(model, images.images),
        }
        work[name]()
    seconds = time.perf_counter() - start
    megabytes = images.images.nbytes / 1e6
    return {"images": len(images), "megabytes": megabytes, "seconds": seconds, "grown": (_peak() - before) / 1e6}


def _train(images: Any, store: Path) -> None:
    from fer_utils.training import Phase, RunConfig, run

    run(RunConfig("tiny", images.name, (Phase(1, 1e-3),), batch_size=128), dataset=images, store=store)


def _peak() -> int:
    """Largest resident memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def growth(sizes: Sequence[int] = SIZES, unit: int = FER2013) -> pd.DataFrame:
    """Every step at every size: columns `step`, `images`, `megabytes` of the images, `seconds`, `images/s`, `grown`.

    Args:
        sizes: multiples of `unit`, growing.
        unit: images.
    """
    rows, made = [], 0
    with tempfile.TemporaryDirectory(prefix="fer-scaling-") as name:
        folder = Path(name)
        for size in sizes:
            append(folder / "fer2013.csv", made, size * unit)
            made = size * unit
            for each in STEPS:
                rows.append({"step": each, **_child("--step", each, "--folder", name, cache=folder / "cache")})
                print(f"{each}: {rows[-1]}", flush=True)
    table = pd.DataFrame(rows).assign(images=lambda t: t["images"].astype(int))
    table["images/s"] = (table["images"] / table["seconds"]).round()
    return table


def _child(*arguments: str, cache: Path) -> dict[str, float]:
    environment = os.environ | {"FER_CACHE": str(cache), "TF_CPP_MIN_LOG_LEVEL": "3", "TQDM_DISABLE": "1"}
    command = [sys.executable, "-m", "fer_utils.study.growth", *arguments]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def slopes(table: pd.DataFrame) -> pd.DataFrame:
    """How a step grows with the number of images, between the smallest and the largest size.

    Returns:
        By step `time`, the exponent of the images in the seconds (1 is linear, 2 quadratic), and `memory`, the copies
        of each further image that memory holds.
    """
    ends = table.groupby("step", sort=False)[["images", "megabytes", "seconds", "grown"]].agg(["first", "last"])

    def log_ratio(name: str) -> pd.Series:
        return np.log(ends[name, "last"] / ends[name, "first"])

    grown, images = (ends[name, "last"] - ends[name, "first"] for name in ("grown", "megabytes"))
    return pd.DataFrame({"time": log_ratio("seconds") / log_ratio("images"), "memory": grown / images})


def workers(runs: int = 4, n_subjects: int = 60, epochs: int = 12) -> dict[str, float]:
    """Seconds that one and two one-thread worker processes take for the same trainings, and their ratio.

    Args:
        runs: trainings of `tiny` on drawn faces; even.
        n_subjects, epochs: of each.
    """
    found = {}
    for n in (1, 2):
        with tempfile.TemporaryDirectory(prefix="fer-scaling-") as name:
            arguments = ("--workers", str(n), "--folder", name, "--runs", str(runs))
            arguments += ("--subjects", str(n_subjects), "--epochs", str(epochs))
            found[f"{n} worker{'s' if n > 1 else ''}, s"] = _child(*arguments, cache=Path(name))["seconds"]
    one, two = found.values()
    return found | {"times as fast": one / two}


def _timed_pool(n: int, folder: Path, runs: int, n_subjects: int, epochs: int) -> dict[str, float]:
    """Seconds of `runs` trainings on `n` processes that have already trained once each."""
    os.environ.update(_ONE_THREAD)
    from fer_utils.study import process_pool, run_study
    from fer_utils.training import Phase, RunConfig

    def configs(seeds: range, epochs: int) -> list[RunConfig]:
        options = {"n_subjects": n_subjects}
        return [RunConfig("tiny", "synthetic", (Phase(epochs, 1e-3),), dataset_options=options, seed=s) for s in seeds]

    with process_pool(n) as pool:
        run_study(configs(range(100, 100 + 2 * n), 1), pool, store=folder)
        start = time.perf_counter()
        run_study(configs(range(runs), epochs), pool, store=folder)
        return {"seconds": time.perf_counter() - start}


def main() -> None:
    """Entry of the child processes: do one step, or time one pool, and print what was found as JSON."""
    parser = argparse.ArgumentParser(prog="python -m fer_utils.study.growth", description=__doc__)
    for name, kind in (("--step", str), ("--workers", int), ("--runs", int), ("--subjects", int), ("--epochs", int)):
        parser.add_argument(name, type=kind)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(step(options.step, options.folder)))
    else:
        print(json.dumps(_timed_pool(options.workers, options.folder, options.runs, options.subjects, options.epochs)))


if __name__ == "__main__":
    main()
