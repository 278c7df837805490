"""One training: what it keeps, how it reacts, that it goes on after a kill, and that it is not done twice."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from fer_utils import assembly, augment, checkpoint, losses, models, records, storage, training
from fer_utils.config import Phase, RunConfig
from fer_utils.data import FaceDataset, load, splits
from fer_utils.data.splits import SplitSpec
from fer_utils.records import Record
from fer_utils.training import run

ROOT = Path(__file__).resolve().parent.parent
FACES = {"n_subjects": 8, "n_frames": 1}
ALL_STATE = RunConfig(
    "tiny", "synthetic", (Phase(3, 0.02), Phase(2, 0.05, "cosine", 0.5), Phase(1, 0.1, trainable="head")),
    split=SplitSpec("random", test_size=0.25, validation_size=1 / 3), dataset_options=FACES, augmentation="light", optimizer="sgd",
    weight_decay=1e-4, batch_size=10, class_weights="balanced", plateau_patience=1, plateau_factor=0.5,
    keep=("best_validation", "last", "block_1", "block_2", "best_test"), score_test=True, seed=5,
    model_options={"batch_norm_momentum": 0.5},
)  # fmt: skip
"""Dropout, augmentation, momenta, batch-norm averages, a plateau, a cosine, frozen layers: all of it is state."""

SHORT = replace(ALL_STATE, phases=(Phase(1, 0.05),), keep=("last",), score_test=False, plateau_patience=None)


@pytest.fixture(scope="module")
def faces() -> FaceDataset:
    return load("synthetic", **FACES)


@pytest.fixture(scope="module")
def reference(faces: FaceDataset, tmp_path_factory: pytest.TempPathFactory) -> Record:
    """`ALL_STATE` trained in one go, without a checkpoint."""
    return run(ALL_STATE, store=tmp_path_factory.mktemp("reference"), dataset=faces)


def weights(record: Record, kept: str) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    with h5py.File(record.weights(kept)) as file:
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return found


def arrays(record: Record) -> dict[str, np.ndarray]:
    with np.load(record.path / "predictions.npz") as stored:
        return {name: stored[name] for name in stored}


def assert_equal(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> None:
    assert one.keys() == two.keys() and one
    for name in one:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)


# --- what a record of a training says --------------------------------------------------------------------------


def test_the_record_describes_the_training(reference: Record, faces: FaceDataset) -> None:
    described, history = reference.run, reference.history
    assert records.verify(reference) == [] and reference.config == ALL_STATE
    assert described["dataset"] == {"name": "synthetic", "n": 56, "fingerprint": faces.fingerprint}
    assert described["split"] == {"hash": splits.make(faces, ALL_STATE.split).hash, "train": 28, "validation": 14,
                                  "test": 14}  # fmt: skip
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5, 6] and history["phase"].tolist() == [1, 1, 1, 2, 2, 3]
    assert described["epochs"] == 6 and described["stopped_early"] is False
    assert described["parameters"] == models.build("tiny").count_params()
    assert described["backend"] == keras.backend.backend() and described["versions"]["keras"] == keras.__version__
    assert described["seconds"] == pytest.approx(history["seconds"].sum(), abs=0.01)
    assert described["images_per_second"] > 0 and described["peak_memory_mib"] > 50 and described["device"]
    assert sum(path.stat().st_size for path in reference.path.iterdir() if path.is_file()) < storage.MAX_BYTES


def test_labels_subjects_and_copies_stand_in_the_order_of_the_split(reference: Record, faces: FaceDataset) -> None:
    split = splits.make(faces, ALL_STATE.split)
    for part, rows in (("validation", split.validation), ("test", split.test)):
        assert np.array_equal(reference.predictions(part)[0], faces.labels[rows])
        codes = np.unique(faces.subjects, return_inverse=True)[1]
        assert np.array_equal(reference.context(part, "subjects"), codes[rows])
    assert reference.context("test", "seen").tolist() == [False] * 14


def test_learning_rates_follow_plateau_and_schedule(reference: Record) -> None:
    history = reference.history
    rate, best, expected = 0.02, np.inf, []
    for loss in history["val_loss"][:3]:
        expected.append(rate)
        rate, best = (rate, loss) if loss < best else (rate / 2, best)
    assert history["learning_rate"][:3].tolist() == pytest.approx(expected)
    assert expected[2] < 0.02, "the plateau of this configuration is meant to be met"
    # three steps an epoch, cosine over six of which two warm up: at step 0 nothing, at step 3 a quarter of the way
    assert history["learning_rate"][3] == 0
    assert history["learning_rate"][4] == pytest.approx(0.05 * (1 + np.cos(np.pi / 4)) / 2)
    assert history["learning_rate"][5] == pytest.approx(0.1), "the next phase starts afresh"


def test_best_epochs_are_the_earliest_maxima(reference: Record) -> None:
    for part, column in (("validation", "val_accuracy"), ("test", "test_accuracy")):
        values = reference.history[column]
        assert reference.run["kept_epochs"][f"best_{part}"] == values.idxmax() + 1
        assert reference.metric("accuracy", part, f"best_{part}") == pytest.approx(values.max())
    assert reference.run["kept_epochs"] | {"last": 6, "block_1": 3, "block_2": 5} == reference.run["kept_epochs"]
    assert reference.run["chosen_on_test"] == ["best_test"]


def test_kept_predictions_are_those_of_the_kept_weights(reference: Record, faces: FaceDataset) -> None:
    split = splits.make(faces, ALL_STATE.split)
    model = assembly.build(ALL_STATE, 7)
    for kept in ("best_test", "last"):
        model.load_weights(reference.weights(kept))
        logits = training.predict_logits(model, faces.images[split.test])
        np.testing.assert_array_equal(logits.astype(np.float16), reference.predictions("test", kept)[1])
    monitored = reference.history["val_loss"][reference.run["kept_epochs"]["best_validation"] - 1]
    model.load_weights(reference.weights("best_validation"))
    logits = training.predict_logits(model, faces.images[split.validation])
    assert float(losses.get("cross_entropy")(faces.labels[split.validation], logits)) == pytest.approx(monitored)


def test_a_block_is_a_run_of_its_phases_alone(reference: Record, faces: FaceDataset, tmp_path: Path) -> None:
    first = replace(ALL_STATE, phases=ALL_STATE.phases[:1], keep=("last",), score_test=False)
    alone = run(first, store=tmp_path, dataset=faces)
    assert_equal(weights(alone, "last"), weights(reference, "block_1"))
    np.testing.assert_array_equal(alone.predictions("validation")[1], reference.predictions("validation", "block_1")[1])


def test_the_head_phase_trains_the_last_layer_alone(reference: Record) -> None:
    before, after = weights(reference, "block_2"), weights(reference, "last")
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {"layers/dense/vars/0", "layers/dense/vars/1"}, "batch-norm averages are frozen, too"
    assert not any("optimizer" in name for name in before), "what a reader of the weights has no use for"


# --- killed and started again --------------------------------------------------------------------------------------

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["fer_utils.training"])
MOMENTS = ("in batch 2", "after checkpoint 1", "in batch 6", "in checkpoint 1", "after weights 1",
           "after checkpoint 2", "before done")  # fmt: skip
"""When the sessions of the test kill themselves, each counted within its session."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def on_call(count: int, action: Callable[[], None], function: Callable[..., Any], after: bool = False) -> Callable:
    """`function`, with `action` before or after its `count`-th call."""
    calls: list[int] = []

    def wrapped(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == count and not after:
            action()
        result = function(*arguments, **options)
        if len(calls) == count:
            action()
        return result

    return wrapped


def half_written(file: Any, **_: Any) -> None:
    file.write(b"half a checkpoint" * 1000)
    file.flush()
    die()


def arrange_death(moment: str) -> None:
    where, number = moment.rsplit(" ", 1)
    if where == "in batch":
        augment.Batches.__getitem__ = on_call(int(number), die, augment.Batches.__getitem__)
    elif where == "after checkpoint":
        checkpoint.save = on_call(int(number), die, checkpoint.save, after=True)
    elif where == "after weights":
        checkpoint.save_weights = on_call(int(number), die, checkpoint.save_weights, after=True)
    elif where == "in checkpoint":
        np.savez = half_written
    elif where == "before":
        move = os.replace
        os.replace = lambda source, target: die() if Path(target).name == "done" else move(source, target)


def session(config: RunConfig, store: Path, moment: str, log: Path) -> None:
    """One process: trains until its moment comes, noting each epoch it begins."""
    begin = training._Training._epoch

    def noted(self: Any, epoch: int, bar: Any) -> None:
        with log.open("a") as file:
            file.write(f"{os.getpid()} {epoch}\n")
        begin(self, epoch, bar)

    training._Training._epoch = noted
    if moment:
        arrange_death(moment)
    run(config, store=store, checkpoint_seconds=0)


def started(config: RunConfig, store: Path, moment: str, log: Path) -> Any:
    process = CONTEXT.Process(target=session, args=(config, store, moment, log))
    process.start()
    return process


def test_killed_again_and_again_it_ends_the_same_to_the_bit(reference: Record, tmp_path: Path) -> None:
    log = tmp_path / "log"
    for moment in MOMENTS:
        process = started(ALL_STATE, tmp_path, moment, log)
        process.join(timeout=120)
        assert process.exitcode == -signal.SIGKILL, moment
        assert records.find(ALL_STATE, tmp_path) is None
    record = run(ALL_STATE, store=tmp_path, checkpoint_seconds=0)
    begun = pd.read_csv(log, sep=" ", names=["process", "epoch"]).groupby("process", sort=False)["epoch"].apply(list)
    # a checkpoint after every epoch: only the epoch that a kill interrupts is done again
    assert begun.tolist() == [[0], [0], [1, 2], [2], [2], [2, 3], [4, 5]], begun
    assert_same_outcome(record, reference)


def assert_same_outcome(record: Record, reference: Record) -> None:
    """Weights, history and predictions, bit for bit; and nothing left behind."""
    assert record.run["kept_epochs"] == reference.run["kept_epochs"]
    for kept in reference.kept:
        assert_equal(weights(record, kept), weights(reference, kept))
    assert_equal(arrays(record), arrays(reference))
    untimed = [history.drop(columns="seconds") for history in (record.history, reference.history)]
    pd.testing.assert_frame_equal(*untimed, check_exact=True)
    assert record.run["metrics"] == reference.run["metrics"]
    assert sorted(path.name for path in record.path.iterdir()) == sorted(p.name for p in reference.path.iterdir())
    assert len(list((record.path / "weights").iterdir())) == len(record.kept)
