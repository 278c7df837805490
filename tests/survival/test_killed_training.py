"""A training that is killed again and again, in the midst of anything, ends as if nothing had been."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from killing import CONTEXT, TINY, assert_no_litter, assert_same_record, half_written, kill_when, nth_new, victim

from fer_utils import records
from fer_utils.data import load
from fer_utils.data.readers import cache
from fer_utils.data.splits import SplitSpec
from fer_utils.records.config import Phase, RunConfig
from fer_utils.training import checkpoint, run

LONG = replace(
    TINY, dataset="fer2013", dataset_options={}, split=SplitSpec("usage"), plateau_patience=2, optimizer="sgd",
    phases=tuple(Phase(16, rate) for rate in (0.01, 0.005, 0.002, 0.001)),
    keep=("best_validation", "last", "best_train", "best_test", "block_1", "block_3"),
)  # fmt: skip
"""Read from a file through the cache; three weights to write in the first epoch."""

RECORD = ("predictions.npz", "history.csv", "run.json", "done")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small fer2013.csv of drawn faces."""
    faces = load("synthetic", n_subjects=8, n_frames=1)
    usage = np.resize(["Training", "Training", "PublicTest", "PrivateTest"], len(faces))
    rows = [
        f"{label},{' '.join(map(str, image.ravel()))},{part}"
        for image, label, part in zip(faces.images, faces.labels, usage, strict=True)
    ]
    path = tmp_path_factory.mktemp("data") / "fer2013.csv"
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    return path.parent


def train(config: RunConfig, root: Path, store: Path) -> None:
    run(config, root=root, store=store, checkpoint_seconds=0)


def test_killed_more_than_twenty_times_it_ends_as_if_undisturbed(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache-of-the-undisturbed"))
    reference = run(LONG, root=data, store=tmp_path / "undisturbed")
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))
    store, rng, kills = tmp_path / "runs", random.Random(20), 0

    def kill(where: Path, name: str = "", count: int = 1, delay: float = 0.0) -> None:
        nonlocal kills
        process = victim(train, LONG, data, store, FER_CACHE=str(tmp_path / "cache"))
        kill_when(process, nth_new(where, name, count), delay)
        kills += 1
        assert records.find_all(store) == [], "nothing that looks finished"
        for path in store.rglob("checkpoint.npz"):
            assert checkpoint.load_state(path).epoch > 0, "whole, if it is there"
        if not delay:
            assert half_written(where, name), f"it was killed while it wrote {name}"

    for _ in range(2):
        kill(tmp_path / "cache")
    for count in (1, 2, 3):
        kill(store, "*.weights.h5", count)
    for count in (1, 2, 1, 2):
        kill(store, "checkpoint.npz", count)
    for _ in range(8):
        kill(store, "checkpoint.npz", rng.randint(1, 3), delay=rng.uniform(0.0, 0.15))
    for name in RECORD:
        kill(store, name)
    assert kills >= 20
    record = run(LONG, root=data, store=store, checkpoint_seconds=0)
    assert_same_record(record, reference)
    assert_no_litter(store)
    assert sorted(p.name for p in record.path.rglob("*")) == sorted(p.name for p in reference.path.rglob("*"))
    assert_old_halves_of_the_cache_go(tmp_path / "cache", data)


def assert_old_halves_of_the_cache_go(folder: Path, data: Path) -> None:
    left = half_written(folder)
    assert left and len(left) < len(list(folder.iterdir())), "from the two kills, beside the finished file"
    for path in left:
        os.utime(path, (path.stat().st_mtime - cache.ABANDONED,) * 2)
    load("fer2013", data)
    assert half_written(folder) == set()


def die_in(name: str, config: RunConfig, store: Path) -> None:
    """Train, and be killed where `checkpoint.<name>` is called after the record's last file."""
    function = getattr(checkpoint, name)

    def deadly(folder: Path, *arguments: object) -> None:
        if records.is_done(folder):
            os.kill(os.getpid(), 9)
        function(folder, *arguments)

    setattr(checkpoint, name, deadly)
    run(config, store=store, checkpoint_seconds=0)


def test_what_a_kill_after_the_last_file_leaves_is_tidied_up_by_the_next_call(tmp_path: Path) -> None:
    process = CONTEXT.Process(target=die_in, args=("prune", TINY, tmp_path))
    process.start()
    process.join()
    (record,) = records.find_all(tmp_path)
    assert process.exitcode == -9 and (record.path / ".claim").exists() and (record.path / "checkpoint.npz").exists()
    before = (record.path / "done").stat().st_mtime_ns
    assert run(TINY, store=tmp_path) == record and (record.path / "done").stat().st_mtime_ns == before
    assert_no_litter(tmp_path)
    assert not (record.path / "checkpoint.npz").exists()


@pytest.mark.parametrize("count", [1, 3])
def test_a_measurement_killed_in_the_midst_is_made_again(tmp_path: Path, count: int) -> None:
    names: tuple[str, ...] = ("arrays.npz", "measurement.json", "done")
    kill_when(victim(measure, tmp_path), nth_new(tmp_path, names[count - 1]))
    assert half_written(tmp_path) and not records.is_done(tmp_path / "mean")
    measure(tmp_path)
    assert_no_litter(tmp_path)
    assert sorted(path.name for path in (tmp_path / "mean").iterdir()) == sorted(names)


def measure(store: Path) -> None:
    compute: Callable = lambda: ({"n": 3}, {"mean": np.arange(3.0)})  # noqa: E731
    assert records.measure("mean", store, compute).values == {"n": 3}
