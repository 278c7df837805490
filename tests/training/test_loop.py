"""One training: what it keeps, how it reacts, that it goes on after a kill, and that it is not done twice."""

from __future__ import annotations

import gc
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
import weakref
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
from trainings import FACES

from fer_utils import models, records, training
from fer_utils.data import FaceDataset, augmentation, splits
from fer_utils.data.splits import SplitSpec
from fer_utils.files import writing
from fer_utils.models import losses
from fer_utils.records import Record
from fer_utils.records.config import Phase, RunConfig
from fer_utils.training import backend, checkpoint, loop, run, setup

ROOT = Path(__file__).resolve().parents[2]
ALL_STATE = RunConfig(
    "tiny", "synthetic", (Phase(3, 0.02), Phase(2, 0.05, "cosine", 0.5), Phase(1, 0.1, trainable="head")),
    split=SplitSpec("random", test_size=0.25, validation_size=1 / 3), dataset_options=FACES, augmentation="light",
    optimizer="sgd", weight_decay=1e-4, batch_size=10, class_weights="balanced", plateau_patience=1, plateau_factor=0.5,
    keep=("best_validation", "last", "block_1", "block_2", "best_test"), score_test=True, seed=5,
    model_options={"batch_norm_momentum": 0.5},
)  # fmt: skip
"""Dropout, augmentation, momenta, batch-norm averages, a plateau, a cosine, frozen layers: all of it is state."""

SHORT = replace(ALL_STATE, phases=(Phase(1, 0.05),), keep=("last",), score_test=False, plateau_patience=None)


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


def test_an_epochs_images_are_let_go_after_it(faces: FaceDataset) -> None:
    """TensorFlow keeps what a pipeline reads from; an epoch of FER2013 is 66 MB."""
    model = models.build("tiny")
    model.compile("sgd", losses.get("cross_entropy"))
    batches = augmentation.Batches(faces.images, faces.labels, "none", 28, 0, 0)
    model.fit(backend.feed(batches), shuffle=False, verbose=0)
    kept = weakref.ref(batches)
    del batches
    gc.collect()
    assert kept() is None


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
    assert sum(path.stat().st_size for path in reference.path.iterdir() if path.is_file()) < writing.MAX_BYTES


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
    model = setup.build(ALL_STATE, 7)
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

# A server that has imported everything and computed nothing is safe to fork, on Linux, and saves seconds a process.
CONTEXT = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
if sys.platform == "linux":
    CONTEXT.set_forkserver_preload(["fer_utils.training.loop"])
MOMENTS = ("in batch 2", "in checkpoint 2", "in batch 6", "after checkpoint 2", "at random", "before done")
"""When the sessions of the test kill themselves, each counted within its session."""


def on_call(count: int, action: Callable[..., None], function: Callable[..., Any], after: bool = False) -> Callable:
    """`function`, with `action` instead of, or after, its `count`-th call."""
    calls: list[int] = []

    def wrapped(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) < count or after:
            result = function(*arguments, **options)
        if len(calls) == count:
            action(*arguments, **options)
        return result

    return wrapped


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def half_written(file: Any, **_: Any) -> None:
    file.write(b"half a checkpoint" * 1000)
    file.flush()
    die()


def arrange_death(moment: str) -> None:
    where, what = moment.rsplit(" ", 1)
    if where == "in batch":
        augmentation.Batches.__getitem__ = on_call(int(what), die, augmentation.Batches.__getitem__)
    elif where == "after checkpoint":
        checkpoint.save = on_call(int(what), die, checkpoint.save, after=True)
    elif where == "in checkpoint":
        np.savez = on_call(int(what), half_written, np.savez)
    elif where == "before":
        move = os.replace
        os.replace = lambda source, target: die() if Path(target).name == what else move(source, target)


def session(config: RunConfig, store: Path, moment: str, log: Path) -> None:
    """One process: trains until its moment comes, noting each epoch it begins."""
    begin = loop.Training.epoch

    def noted(self: Any, bar: Any) -> None:
        with log.open("a") as file:
            file.write(f"{os.getpid()} {self.state.epoch}\n")
        begin(self, bar)

    loop.Training.epoch = noted
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
        if moment == "at random":
            kill_at_random(process, log)
        process.join(timeout=300)
        assert process.exitcode == -signal.SIGKILL or records.find(ALL_STATE, tmp_path), moment
    record = run(ALL_STATE, store=tmp_path, checkpoint_seconds=0)
    begun = pd.read_csv(log, sep=" ", names=["process", "epoch"]).groupby("process", sort=False)["epoch"].apply(list)
    # a checkpoint after every epoch: only the epoch that a kill interrupts is done again
    assert begun.tolist()[:4] == [[0], [0, 1], [1, 2], [2, 3]] and begun.iloc[4][0] == 4, begun
    assert_same_outcome(record, reference)


def kill_at_random(process: Any, log: Path) -> None:
    """Some time after it has begun an epoch."""
    before = log.read_text()
    while process.is_alive() and log.read_text() == before:
        time.sleep(0.02)
    process.join(timeout=random.uniform(0, 1.5))
    process.kill()


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


@pytest.mark.survival
def test_two_processes_on_one_run_train_it_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    workers = [started(SHORT, tmp_path / "store", "", log) for _ in range(2)]
    for worker in workers:
        worker.join(timeout=300)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(log.read_text().splitlines()) == 1, "one trained its one epoch, the other waited and loaded"
    assert len(records.find_all(tmp_path / "store")) == 1


# --- trained once ---------------------------------------------------------------------------------------------------


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("a finished run was trained again")

    monkeypatch.setattr(keras.Model, "fit", forbidden)
    monkeypatch.setattr(setup, "build", forbidden)


@pytest.mark.usefixtures("no_training")
def test_a_finished_record_is_loaded_whatever_its_labels_say(reference: Record, faces: FaceDataset) -> None:
    before = {path: path.stat().st_mtime_ns for path in reference.path.rglob("*")}
    relabelled = replace(ALL_STATE, report="psg2025", protocol="reported")
    for config in (ALL_STATE, relabelled):
        assert run(config, store=reference.path.parent, dataset=faces) == reference
    assert run(ALL_STATE, store=reference.path.parent) == reference
    assert {path: path.stat().st_mtime_ns for path in reference.path.rglob("*")} == before


@pytest.mark.usefixtures("no_training")
def test_a_finished_record_is_loaded_where_its_data_are_missing(tmp_path: Path) -> None:
    from made_records import CONFIG, written

    config = replace(CONFIG, dataset="fer2013")
    with pytest.raises(FileNotFoundError):
        run(config, root=tmp_path / "data", store=tmp_path / "runs")
    record = written(tmp_path / "runs", config)
    assert run(config, root=tmp_path / "data", store=tmp_path / "runs") == record


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"split": SplitSpec("random")}, "watches its validation part, which is empty under SplitSpec"),
        ({"split": SplitSpec("random"), "monitor": "train", "keep": ("best_validation",)}, "validation part"),
        ({"split": SplitSpec("kfold", n_folds=100)}, "100-fold"),
    ],
)
def test_what_does_not_fit_the_data_is_refused(
    faces: FaceDataset, tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        run(replace(SHORT, **fields), store=tmp_path, dataset=faces)


# --- scores nothing that it should not ------------------------------------------------------------------------------


def test_a_run_that_is_not_final_never_looks_at_the_test_images(
    faces: FaceDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = splits.make(faces, SHORT.split).test
    blinded = replace(faces, images=faces.images.copy())
    seen: list[np.ndarray] = []
    predict, batches = loop.predict_logits, augmentation.Batches

    def noted(model: keras.Model, images: np.ndarray, rows: np.ndarray) -> np.ndarray:
        seen.append(images[rows])
        return predict(model, images, rows=rows)

    def noted_batches(images: np.ndarray, *arguments: Any, rows: np.ndarray, **options: Any) -> augmentation.Batches:
        seen.append(images[rows])
        return batches(images, *arguments, rows=rows, **options)

    monkeypatch.setattr(loop, "predict_logits", noted)
    monkeypatch.setattr(augmentation, "Batches", noted_batches)
    record = run(replace(SHORT, keep=("best_validation", "best_train", "last")), store=tmp_path, dataset=blinded)
    shown = {image.tobytes() for images in seen for image in images}
    assert len(shown) == 42 and not shown & {image.tobytes() for image in faces.images[test]}
    assert set(record.run["metrics"]) == {"validation"} and not any(name.startswith("test") for name in arrays(record))
    assert not any("test" in column for column in record.history) and "train_accuracy" in record.history


# --- reactions, on invented losses -----------------------------------------------------------------------------------


class Script:
    """A training whose losses and accuracies are given; nothing is computed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, val_loss: list[float], val_accuracy: list[float] | None = None):
        self.epoch, self.val_loss, self.val_accuracy = 0, val_loss, val_accuracy or [0.5] * len(val_loss)
        self.saved: list[str] = []
        monkeypatch.setattr(loop.Training, "fit", lambda *_: {"loss": 1.0, "accuracy": 0.5})
        monkeypatch.setattr(loop.Training, "evaluate", lambda _: self.evaluate())
        monkeypatch.setattr(loop, "predict_logits", lambda model, images, rows: np.zeros((len(rows), 7)))

    def evaluate(self) -> dict[str, float]:
        self.epoch += 1
        return {"val_loss": self.val_loss[self.epoch - 1], "val_accuracy": self.val_accuracy[self.epoch - 1]}


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, faces: FaceDataset, tmp_path: Path) -> Iterator[Callable[..., Record]]:
    def train(val_loss: list[float], val_accuracy: list[float] | None = None, **fields: Any) -> Record:
        Script(monkeypatch, val_loss, val_accuracy)
        return run(replace(SHORT, **fields), store=tmp_path, dataset=faces)

    return train


def test_plateau_lowers_the_rate_after_patience_epochs_without_a_lower_loss(scripted: Callable[..., Record]) -> None:
    losses_ = [3, 2, 2, 2.5, 1.9, 2, 2, 2, 2, 2]
    record = scripted(losses_, phases=(Phase(10, 1.0),), plateau_patience=2, plateau_factor=0.1)
    # epochs 3 and 4 are not below 2 (equal is not lower): epoch 5 has a tenth; 6 and 7 not below 1.9, 8 and 9 neither
    assert record.history["learning_rate"].tolist() == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.001])
    assert record.run["epochs"] == 10 and not record.run["stopped_early"]


def test_early_stopping_counts_from_the_lowest_loss_and_ends_all_phases(scripted: Callable[..., Record]) -> None:
    record = scripted(
        [3, 2, 2.1, 1.9, 2, 2, 2], phases=(Phase(7, 1.0), Phase(5, 0.1)), early_stopping=3,
        plateau_patience=2, plateau_factor=0.1, keep=("last", "best_validation", "block_1", "block_2"),
    )  # fmt: skip
    assert record.run["epochs"] == 7 == len(record.history) and record.run["stopped_early"]
    assert record.history["learning_rate"].tolist() == pytest.approx([1, 1, 1, 1, 1, 1, 0.1]), "both rules together"
    assert record.run["kept_epochs"] == {"last": 7, "best_validation": 1, "block_1": 7}, "block 2 never came"


def test_a_new_phase_forgets_the_old_ones_losses(scripted: Callable[..., Record]) -> None:
    record = scripted(
        [1, 2, 3, 2.5, 2.6, 2.4], phases=(Phase(3, 1.0), Phase(3, 0.5)), plateau_patience=2, early_stopping=3
    )
    assert record.run["epochs"] == 6, "2.4 is a new low for the second phase"
    assert record.history["learning_rate"].tolist() == pytest.approx([1, 1, 1, 0.5, 0.5, 0.5])


def test_without_patience_nothing_reacts(scripted: Callable[..., Record]) -> None:
    record = scripted([1, 2, 3, 4], phases=(Phase(4, 1.0),))
    assert record.history["learning_rate"].tolist() == [1] * 4 and record.run["epochs"] == 4


def test_of_equal_epochs_the_earliest_is_kept(scripted: Callable[..., Record]) -> None:
    record = scripted(
        [1] * 6, [0.2, 0.6, 0.6, 0.7, 0.7, 0.1], phases=(Phase(3, 1.0), Phase(3, 1.0)),
        keep=("best_validation", "last", "block_1"),
    )  # fmt: skip
    assert record.run["kept_epochs"] == {"best_validation": 4, "last": 6, "block_1": 3}
    names = sorted(path.name for path in (record.path / "weights").iterdir())
    assert names == ["best_validation-0004.weights.h5", "block_1-0003.weights.h5", "last-0006.weights.h5"]


def test_checkpoints_are_at_least_so_many_seconds_apart(
    monkeypatch: pytest.MonkeyPatch, faces: FaceDataset, tmp_path: Path
) -> None:
    clock, saved = SimpleNamespace(now=0.0), []
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(checkpoint, "save", lambda path, state, model: saved.append((clock.now, state.epoch)))
    Script(monkeypatch, [1.0] * 10)

    def fit(*_: Any) -> dict[str, float]:
        clock.now += 25.0
        return {"loss": 1.0, "accuracy": 0.5}

    monkeypatch.setattr(loop.Training, "fit", fit)
    run(replace(SHORT, phases=(Phase(10, 1.0),)), store=tmp_path, dataset=faces, checkpoint_seconds=60)
    assert saved == [(75.0, 3), (150.0, 6), (225.0, 9)]


# --- the parts of a training -----------------------------------------------------------------------------------------

LABELS = np.array([0] * 6 + [1] * 3 + [2] * 1)


def test_balanced_weights_are_n_over_k_times_the_class() -> None:
    config = replace(SHORT, class_weights="balanced")
    weight = setup.image_weights(LABELS, config)
    assert weight.dtype == np.float32
    assert weight == pytest.approx(np.repeat([10 / 18, 10 / 9, 10 / 3], [6, 3, 1]))
    assert weight.mean() == pytest.approx(1)
    assert setup.image_weights(LABELS, replace(SHORT, class_weights="none")) is None


def test_oversampling_repeats_rare_classes_up_to_the_commonest() -> None:
    rows = np.arange(10)[::-1].copy()
    config = replace(SHORT, sampling="oversample", seed=4)
    sampled = setup.sampled(LABELS, rows, config)
    assert np.bincount(LABELS[sampled]).tolist() == [6, 6, 6]
    assert np.array_equal(sampled[:10], rows), "every image stays"
    assert np.array_equal(sampled, setup.sampled(LABELS, rows, config))
    assert not np.array_equal(sampled, setup.sampled(LABELS, rows, replace(config, seed=5)))
    assert np.array_equal(setup.sampled(LABELS, rows[:4], config)[:4], rows[:4]), "only the rows it was given"
    assert set(setup.sampled(LABELS, rows[:4], config)) == set(rows[:4])
    assert setup.sampled(LABELS, rows, SHORT) is rows


def test_dropouts_state_follows_from_seed_epoch_and_layer() -> None:
    model = models.build("tiny", dropout=0.5)
    layers = [layer for layer in model.layers if getattr(layer, "seed_generator", None) is not None]

    def states(seed: int, epoch: int) -> list[list[int]]:
        setup.reseed_dropout(model, seed, epoch)
        return [keras.ops.convert_to_numpy(layer.seed_generator.state.value).tolist() for layer in layers]

    first = states(1, 0)
    model(np.zeros((2, 48, 48, 1), np.float32), training=True)  # moves the generators on
    assert states(1, 0) == first and layers
    assert states(1, 1) != first and states(2, 0) != first


def test_optimizers_are_what_the_configuration_says() -> None:
    adam = setup.optimizer(replace(SHORT, optimizer="adam", weight_decay=0.0), Phase(2, 1e-3), steps=10)
    assert isinstance(adam, keras.optimizers.Adam) and adam.weight_decay is None
    assert float(adam.learning_rate) == pytest.approx(1e-3)
    sgd = setup.optimizer(replace(SHORT, momentum=0.8), Phase(4, 0.1, "cosine", 1.0), steps=10)
    assert sgd.nesterov and sgd.momentum == 0.8 and sgd.weight_decay == 1e-4
    rates = [float(sgd._learning_rate(step)) for step in (0, 5, 10, 25, 40)]
    assert rates == pytest.approx([0, 0.05, 0.1, 0.05, 0], abs=1e-7), "linear up in an epoch, cosine to the end"
    plain = setup.optimizer(SHORT, Phase(4, 0.1, "cosine"), steps=10)
    assert [float(plain._learning_rate(step)) for step in (0, 20, 40)] == pytest.approx([0.1, 0.05, 0], abs=1e-7)


def test_phases_may_train_at_sides_of_their_own(
    faces: FaceDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes, fit = [], keras.Model.fit

    def noted(model: keras.Model, batches: augmentation.Batches, **options: Any) -> Any:
        shapes.append((model.input_shape[1:], batches[0][0].shape[1:]))
        return SimpleNamespace(history={"loss": [1.0], "accuracy": [0.5]})

    monkeypatch.setattr(keras.Model, "fit", noted)
    monkeypatch.setattr(backend, "feed", lambda batches: batches)
    monkeypatch.setattr(loop, "predict_logits", lambda model, images, rows: np.zeros((len(rows), 7)))
    assert fit is not keras.Model.fit
    run(replace(SHORT, model="compact", model_options={}, phases=(Phase(1, 0.1, size=32), Phase(1, 0.1))),
        store=tmp_path, dataset=faces)  # fmt: skip
    assert shapes == [((None, None, 1), (32, 32, 1)), ((None, None, 1), (48, 48, 1))]


def test_soft_labels_train_on_the_distribution_and_score_the_majority(faces: FaceDataset, tmp_path: Path) -> None:
    soft = 0.7 * np.eye(7, dtype=np.float32)[faces.labels] + np.float32(0.3 / 7)
    voted = replace(faces, name="ferplus", label_distribution=soft)
    config = replace(SHORT, dataset="ferplus", dataset_options={"labels": "distribution"}, class_weights="none")
    record = run(config, store=tmp_path, dataset=voted)
    rows = splits.make(voted, config.split).validation
    labels, logits = record.predictions("validation")
    assert np.array_equal(labels, faces.labels[rows])
    log_probability = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert record.history["val_loss"][0] == pytest.approx(-(soft[rows] * log_probability).sum(axis=1).mean(), rel=1e-3)


def test_predicting_nothing_gives_no_rows() -> None:
    model = models.build("tiny", n_classes=8)
    assert training.predict_logits(model, np.zeros((0, 48, 48), np.uint8)).shape == (0, 8)


@pytest.mark.survival
def test_jax_trains_and_records_the_same_way_without_tensorflow(tmp_path: Path) -> None:
    small = {"n_subjects": 4, "n_frames": 1}
    code = f"""
from dataclasses import replace
from pathlib import Path
from fer_utils import records
from fer_utils.training import RunConfig, Phase, run
from fer_utils.data.splits import SplitSpec
config = RunConfig("tiny", "synthetic", (Phase(1, 0.01),), split=SplitSpec("random", 0.5, validation_size=0.5),
                   dataset_options={small}, augmentation="light", batch_size=7, keep=("last",))
record = run(config, store=Path({str(tmp_path)!r}))
assert records.verify(record) == [] and record.run["backend"] == "jax", record.run
assert run(config, store=Path({str(tmp_path)!r})) == record
taught = run(replace(config, teachers=(record.id,), teaching=0.5), store=Path({str(tmp_path)!r}))
assert records.verify(taught) == [] and taught.history["loss"][0] != record.history["loss"][0]
"""
    blocked = os.pathsep.join([str(ROOT), str(ROOT / "tests/without_tensorflow")])
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": blocked}
    environment["XLA_FLAGS"] = "--xla_backend_optimization_level=0"  # compiles in half the time
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x80\x04K\x01."])
def test_a_damaged_checkpoint_is_named_and_how_to_go_on(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"A checkpoint is a whole file .* Remove it"):
        checkpoint.load_state(path)
    np.savez(path.open("wb"), state=np.array('{"history": [], "unknown": 2}'))
    with pytest.raises(ValueError, match=r"checkpoint.npz is not .*unknown"):
        checkpoint.load_state(path)
    np.savez(path.open("wb"), state=np.array("{}"), weight_0=np.zeros(3))
    model = models.build("tiny")
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="Remove it"):
        checkpoint.load_variables(path, model)


def test_a_run_that_could_not_be_recorded_is_refused_before_it_is_trained(faces: FaceDataset) -> None:
    split = splits.make(faces, SHORT.split)
    setup.check_room(SHORT, split, 7)
    many = replace(split, validation=np.arange(60_000))
    with pytest.raises(ValueError, match=r"at most 500,000 bytes; the predictions of 60,000 images .* Score fewer"):
        setup.check_room(replace(SHORT, keep=("best_validation", "last"), score_test=False), many, 7)
    one_epoch = replace(split, validation=np.arange(28_000))
    setup.check_room(replace(SHORT, keep=("best_validation",)), one_epoch, 7)
    with pytest.raises(ValueError, match="28,000 images at 2 epochs"):
        setup.check_room(replace(SHORT, keep=("best_validation", "last")), one_epoch, 7)


def test_a_store_may_be_a_string(faces: FaceDataset, tmp_path: Path) -> None:
    record = run(SHORT, store=str(tmp_path / "runs"), dataset=faces)
    assert record.path.parent == tmp_path / "runs"
    assert run(SHORT, store=str(tmp_path / "runs"), dataset=faces) == record
