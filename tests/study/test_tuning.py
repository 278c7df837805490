"""Searches: what a trial is, that a longer trial goes on exactly from a shorter one, and that a kill costs nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
import pandas as pd
import pytest
from keras_tuner.engine import trial as kt_trial

from fer_utils import models, plots, records
from fer_utils.__main__ import main
from fer_utils.data import FaceDataset, augmentation, load
from fer_utils.data.splits import SplitSpec
from fer_utils.records import Record
from fer_utils.records.config import Phase, RunConfig
from fer_utils.study import tuning
from fer_utils.study.tuning import run_tuner
from fer_utils.study.tuning.plans import Choice, Real, Search
from fer_utils.training import checkpoint, run, setup

ROOT = Path(__file__).resolve().parents[2]
FACES = {"n_subjects": 8, "n_frames": 1}
START = RunConfig(
    "tiny", "synthetic", (Phase(2, 0.01),), split=SplitSpec("random", test_size=0.25, validation_size=1 / 3),
    dataset_options=FACES, augmentation="light", augmentation_strength=0.5, batch_size=10, plateau_patience=1,
    keep=("best_validation", "last", "block_1"), seed=3,
)  # fmt: skip
SPACE = {"learning_rate": Real(1e-3, 1e-1, log=True), "dropout": Real(0.0, 0.5), "width": Choice((0.5, 1.0))}


@pytest.fixture(scope="module")
def faces() -> FaceDataset:
    return load("synthetic", **FACES)


def planned(method: str, **changes: Any) -> Search:
    start = replace(START, keep=("best_validation",), plateau_patience=None)
    return Search(start, SPACE, "light", **{"method": method, "max_epochs": 2, "factor": 2, "trials": 3, **changes})


def longer(config: RunConfig, epochs: int) -> RunConfig:
    return replace(config, phases=(Phase(epochs, config.phases[0].learning_rate),))


# --- what can be searched over ---------------------------------------------------------------------------------


def test_width_and_depth_leave_the_reports_network_as_it_is() -> None:
    default = models.build("iitk2023_model2", seed=4)
    named = models.build("iitk2023_model2", seed=4, width=1.0, depth=4)
    assert default.count_params() == 3_841_543
    for one, two in zip(default.get_weights(), named.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(("depth", "side"), [(2, 11), (3, 5), (5, 1)])
def test_half_width_and_other_depths_have_the_channels_and_maps_that_follow(depth: int, side: int) -> None:
    model = models.build("iitk2023_model2", width=0.5, depth=depth)
    kernels = {layer.name: layer.kernel.shape for layer in model.layers if hasattr(layer, "kernel")}
    assert kernels["block1_conv1"] == (3, 3, 1, 16) and kernels["block2_conv1"] == (5, 5, 32, 64)
    assert kernels["dense1"] == (side * side * (64 if depth == 2 else 256), 128)
    assert kernels["logits"] == (256, 7)


def test_psg2025_takes_width_and_depth() -> None:
    model = models.build("psg2025", size=None, width=0.25, depth=2)
    names = {layer.name for layer in model.layers}
    assert "middle2_add" in names and "middle3_add" not in names
    assert model.get_layer("middle1_add").output.shape[-1] == 182 and model.get_layer("pool").output.shape[-1] == 512


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("iitk2023_model2", {"depth": 6}, "from 2 to 5"),
        ("iitk2023_model2", {"depth": 5, "size": 32}, "at least 34 pixels"),
        ("psg2025", {"depth": 2.0}, "integer"),
        ("tiny", {"width": 0.0}, r"in \(0, 4\]"),
        ("tiny", {"width": -1}, "width"),
    ],
)
def test_other_widths_and_depths_are_refused(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        models.build(name, **options)


def test_strength_multiplies_the_ranges_of_a_policy() -> None:
    named = augmentation.POLICIES["light"]
    doubled = setup.policy(replace(START, augmentation_strength=2.0))
    assert doubled.rotation == 2 * named.rotation and doubled.erasing == 2 * named.erasing and doubled.flip
    assert setup.policy(replace(START, augmentation_strength=1.0)) == named
    off = setup.policy(replace(START, augmentation_strength=0.0))
    np.testing.assert_array_equal(augmentation.draw(off, 1, 0, 50), augmentation.draw("none", 1, 0, 50))


def test_strength_1_leaves_old_records_valid_and_others_are_other_runs() -> None:
    plain = replace(START, augmentation_strength=1.0)
    old = {name: value for name, value in plain.to_dict().items() if name != "augmentation_strength"}
    assert RunConfig.from_dict(old).key == plain.key != START.key


@pytest.mark.parametrize(("policy", "strength"), [("none", 0.5), ("light", -0.1)])
def test_a_strength_without_a_policy_or_below_0_is_refused(policy: str, strength: float) -> None:
    with pytest.raises(ValueError, match="augmentation_strength is a factor"):
        replace(START, augmentation=policy, augmentation_strength=strength)


def test_a_range_beyond_its_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="erasing must be in"):
        setup.policy(replace(START, augmentation_strength=5.0))


def test_values_become_a_run_that_never_scores_the_test_set() -> None:
    plan = tuning.plan("iitk2023_model2", "ckplus", "random", n_folds=5, model_options={"batch_norm_momentum": 0.9})
    values = {
        "learning_rate": 0.00123456, "batch_size": 16, "dropout": 0.31831, "head_l2": 1.23456e-5, "width": 0.5,
        "depth": 3, "augmentation_strength": 0.5,
    }  # fmt: skip
    config = plan.configure(values, 7)
    assert config.phases == (Phase(7, 0.00123),) and config.head_l2 == 1.23e-5 and not config.score_test
    assert config.model_options == {"batch_norm_momentum": 0.9, "dropout": 0.318, "width": 0.5, "depth": 3}
    assert (config.augmentation, config.augmentation_strength, config.batch_size) == ("iitk2023", 0.5, 16)
    assert config.split == SplitSpec("kfold", groups="subjects", n_folds=5, validation_size=0.125)
    assert plan.untuned.augmentation == "none" and plan.untuned.batch_size == 7 and plan.untuned.epochs == 10
    final = tuning.final(plan, {**values, "epochs": 7})
    assert final.score_test and replace(final, score_test=False) == config


def test_every_space_builds_at_both_ends_and_its_defaults_are_inside_the_reach_of_the_network() -> None:
    for name, space in tuning.SPACES.items():
        plan = tuning.plan(name, "synthetic", "random")
        for end in (0, -1):
            values = {n: (k.low, k.high)[end] if isinstance(k, Real) else k.values[end] for n, k in space.items()}
            config = plan.configure(values, 1)
            assert setup.policy(config).flip == (values["augmentation_strength"] > 0)
            assert not set(config.model_options) - set(models.options(name))
        assert list(tuning.space_table(plan).columns) == ["tried", "drawn", "untuned"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Real(1.0, 0.5), "goes up"),
        (lambda: Real(0.0, 0.5, log=True), "above 0"),
        (lambda: Choice((2, 1)), "rising"),
        (lambda: planned("grid"), "method is one of"),
        (lambda: Search(replace(START, score_test=True), SPACE, "light"), "never scores the test set"),
        (lambda: Search(START, {"colour": Real(0, 1)}, "light"), "colour"),
        (lambda: tuning.plan("tiny", "synthetic", "hyperband", factor=1), "a factor of 2"),
        (lambda: tuning.plan("cutm2024", "fer2013", "random"), "search spaces for"),
    ],
)
def test_what_makes_no_search_is_refused(call: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()


# --- a longer run goes on from a shorter one -------------------------------------------------------------------


def contents(record: Record) -> tuple[pd.DataFrame, dict[str, np.ndarray], dict[str, Any]]:
    with np.load(record.path / "predictions.npz") as stored:
        arrays = {name: stored[name] for name in stored}
    return record.history.drop(columns="seconds"), arrays, record.run["metrics"] | record.run["kept_epochs"]


def assert_same(one: Record, two: Record) -> None:
    (history, arrays, said), (others, other_arrays, other_said) = contents(one), contents(two)
    pd.testing.assert_frame_equal(history, others, check_exact=True)
    assert arrays.keys() == other_arrays.keys() and said == other_said
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, other_arrays[name], err_msg=name)


@pytest.fixture(scope="module")
def parent(faces: FaceDataset, tmp_path_factory: pytest.TempPathFactory) -> Record:
    return run(START, store=tmp_path_factory.mktemp("parent"), dataset=faces, keep_checkpoint=True)


@pytest.fixture(scope="module")
def undisturbed(faces: FaceDataset, tmp_path_factory: pytest.TempPathFactory) -> Record:
    return run(longer(START, 4), store=tmp_path_factory.mktemp("undisturbed"), dataset=faces)


def test_a_child_is_to_the_bit_what_an_undisturbed_longer_run_is(
    parent: Record, undisturbed: Record, faces: FaceDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checkpoint.load_state(parent.path / "checkpoint.npz").epoch == 2
    before = contents(parent)[0]
    child = run(longer(START, 4), store=parent.path.parent, dataset=faces, parent=parent)
    assert_same(child, undisturbed)
    assert child.run["parent"] == parent.id and "parent" not in undisturbed.run
    pd.testing.assert_frame_equal(contents(Record(parent.path))[0], before)
    np.testing.assert_array_equal(child.history["seconds"][:2], parent.history["seconds"])  # epochs not trained again
    assert not (child.path / "checkpoint.npz").exists() and (parent.path / "checkpoint.npz").exists()
    assert "begins at the start" not in capsys.readouterr().err


def test_without_a_checkpoint_a_child_begins_at_the_start_and_says_so(
    parent: Record, undisturbed: Record, faces: FaceDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / parent.id
    bare.mkdir()
    for name in ("run.json", "history.csv", "predictions.npz", "done"):
        (bare / name).write_bytes((parent.path / name).read_bytes())
    child = run(longer(START, 4), store=tmp_path, dataset=faces, parent=Record(bare))
    assert_same(child, undisturbed)
    assert child.run["parent"] == parent.id
    assert f"begins at the start: no checkpoint of {parent.id}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 4}, "equals its child in everything"),
        ({"phases": (Phase(2, 0.01),)}, "more epochs"),
        ({"phases": (Phase(4, 0.02),)}, "equals its child in everything"),
        ({"phases": (Phase(2, 0.01), Phase(2, 0.01))}, "equals its child in everything"),
    ],
)
def test_a_parent_that_does_not_fit_is_refused(
    parent: Record, faces: FaceDataset, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        run(replace(START, **changes), store=tmp_path, dataset=faces, parent=parent)
    assert not list(tmp_path.iterdir())


def test_a_falling_rate_cannot_be_continued() -> None:
    cosine = replace(START, phases=(Phase(2, 0.01, "cosine"),))
    with pytest.raises(ValueError, match="constant schedule"):
        replace(START, phases=(Phase(4, 0.01, "cosine"),)).check_continues(cosine)


# --- the search itself -----------------------------------------------------------------------------------------


_SEARCH = """
import sys
from pathlib import Path
sys.path.insert(0, "tests/study")
from test_tuning import planned
from fer_utils.study import tuning
tuning.search(planned("hyperband"), store=Path(sys.argv[1]))
"""


def environment(folder: Path, **more: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": ".", "FER_REPORTS": str(folder)} | more


def wait_for(condition: Any, process: subprocess.Popen[Any], seconds: float = 1800) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


@dataclass(frozen=True)
class Killed:
    """A Hyperband search whose process was killed in the midst, and that went on in this one."""

    store: Path
    table: pd.DataFrame
    done_before: dict[Path, int]

    @staticmethod
    def times(store: Path) -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in store.glob("*/done")}


@pytest.fixture(scope="module")
def hyperband(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    store = tmp_path_factory.mktemp("hyperband") / "runs"
    process = subprocess.Popen([sys.executable, "-c", _SEARCH, str(store)], cwd=ROOT, env=environment(store.parent))
    try:
        wait_for(lambda: len(list(store.glob("*/done"))) >= 2, process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    done_before = Killed.times(store)
    return Killed(store, tuning.trials(tuning.search(planned("hyperband"), store=store)), done_before)


def test_hyperband_trains_what_its_plan_says_and_longer_trials_have_parents(
    hyperband: Killed,
) -> None:
    store, table = hyperband.store, hyperband.table
    rounds = tuning.hyperband_plan(2, factor=2)
    named = {"n": ("run", "size"), "epochs": ("epochs", "first"), "new": ("own_epochs", "first")}
    counted = table.groupby(["bracket", "round"]).agg(**named)
    expected = rounds.set_index(["bracket", "round"]).sort_index()
    assert counted["n"].tolist() == expected["trials"].tolist()
    assert counted["epochs"].tolist() == expected["epochs"].tolist()
    assert counted["new"].tolist() == expected["new_epochs"].tolist()
    for row in table.itertuples():
        record = Record(store / row.run)
        assert record.metric("accuracy", "validation") == row.score == record.history["val_accuracy"].max()
        assert record.run.get("parent") == (None if row.round == 0 else row.parent)
        assert "test" not in record.run["metrics"]
        assert records.verify(record) == [] and sorted(p.name for p in record.path.glob("[!.]*")) == [
            "done", "history.csv", "predictions.npz", "run.json",
        ]  # fmt: skip
    first = table[table["round"] == 0].groupby("bracket")["score"].max()
    kept = table[table["round"] == 1].merge(table, left_on="parent", right_on="run", suffixes=("", "_before"))
    assert (kept["score_before"] == kept["bracket"].map(first)).any()  # the best went on


def test_a_finished_search_is_loaded_even_without_the_data_or_kerastuner(
    hyperband: Killed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fer_utils.study.tuning.run_tuner", None)
    loaded = tuning.search(planned("hyperband"), store=hyperband.store)
    pd.testing.assert_frame_equal(tuning.trials(loaded), hyperband.table)
    assert tuning.on_record(planned("hyperband", seed=1), store=hyperband.store) is None


def test_the_winner_is_the_most_accurate_on_validation_then_the_surest() -> None:
    rows = [{"score": s, "log_loss": loss, "values": {}, "run": n} for n, s, loss in
            [("a", 0.5, 1.0), ("b", 0.7, 1.2), ("c", 0.7, 0.9), ("d", None, None)]]  # fmt: skip
    assert tuning.winner([_Found({"search": {"method": "random"}, "trials": rows})])["run"] == "c"


class _Found:
    """Stands for a measurement."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values


@pytest.mark.parametrize(("epochs", "factor"), [(10, 3), (9, 3), (4, 2), (2, 2), (1, 3), (30, 3)])
def test_the_plan_of_hyperband_is_kerastuners(epochs: int, factor: int) -> None:
    oracle = keras_tuner.oracles.HyperbandOracle("loss", max_epochs=epochs, factor=factor)
    for row in tuning.hyperband_plan(epochs, factor).itertuples():
        assert row.trials == oracle._get_size(row.bracket, row.round)
        assert row.epochs == oracle._get_epochs(row.bracket, row.round)


# --- killed searches -------------------------------------------------------------------------------------------


class _Imagined(run_tuner.RunTuner):
    """A tuner that computes a score from the values instead of training, and may be interrupted in a trial."""

    interrupt_at = -1

    def run_trial(self, trial: kt_trial.Trial, *_: Any, **__: Any) -> dict[str, float]:
        self.trained += 1
        if self.trained == self.interrupt_at:
            raise KeyboardInterrupt
        values = trial.hyperparameters.values
        return {"val_accuracy": 1 - abs(np.log10(values["learning_rate"]) + 2) / 3 - abs(values["dropout"] - 0.2)}

    def record(self, trial: kt_trial.Trial) -> None:
        return None


def imagined(method: str, faces: FaceDataset, project: Path, interrupt_at: int = -1) -> list[tuple[str, Any]]:
    tuner = _Imagined(planned(method, max_epochs=4, trials=4), faces, project.parent, project)
    tuner.interrupt_at = interrupt_at
    tuner.search(verbose=0)
    found = tuner.oracle.trials
    return [(name, found[name].hyperparameters.values, found[name].score) for name in tuner.oracle.start_order]


@pytest.mark.filterwarnings("ignore:.*(length_scale|lbfgs).*")
@pytest.mark.parametrize(("method", "places"), [("random", (1, 3)), ("hyperband", (1, 3, 7)), ("bayesian", (4,))])
def test_an_interrupted_search_tries_exactly_what_an_undisturbed_one_tries(
    method: str, places: tuple[int, ...], faces: FaceDataset, tmp_path: Path
) -> None:
    expected = imagined(method, faces, tmp_path / "undisturbed")
    for place in places:
        with pytest.raises(KeyboardInterrupt):
            imagined(method, faces, tmp_path / f"at{place}", place)
        assert imagined(method, faces, tmp_path / f"at{place}") == expected
    assert len({json.dumps(values, sort_keys=True) for _, values, _ in expected}) == len(expected)


def test_a_trial_written_before_its_oracle_is_drawn_again(faces: FaceDataset, tmp_path: Path) -> None:
    expected = imagined("random", faces, tmp_path / "undisturbed")
    with pytest.raises(KeyboardInterrupt):
        imagined("random", faces, tmp_path / "killed", 3)
    lost = tmp_path / "killed" / "trial_3"
    lost.mkdir()
    (lost / "trial.json").write_text((tmp_path / "killed" / "trial_2" / "trial.json").read_text().replace('"2"', '"3"'))
    assert imagined("random", faces, tmp_path / "killed") == expected


def test_values_that_went_through_the_network_give_the_same_run() -> None:
    plan = planned("random")
    oracle = run_tuner.oracle(plan)
    oracle._set_project_dir("/tmp", "unused")
    for number in range(50):
        hyperparameters = oracle.get_space()
        hyperparameters.values = oracle._random_values()
        sent = kt_trial.Trial(hyperparameters, trial_id=str(number))
        got = kt_trial.Trial.from_proto(sent.to_proto())
        assert plan.configure(got.hyperparameters.values, 1) == plan.configure(sent.hyperparameters.values, 1)


def test_a_training_that_diverges_is_a_failed_trial_and_other_errors_end_the_search(
    faces: FaceDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverges(config: RunConfig, **_: Any) -> Record:
        if config.phases[0].learning_rate > 0.01:
            raise FloatingPointError("loss nan")
        raise OSError("disk full")

    monkeypatch.setattr(run_tuner, "run", diverges)
    tuner = run_tuner.RunTuner(planned("random"), faces, tmp_path / "runs", tmp_path / "project")
    with pytest.raises(keras_tuner.errors.FatalError, match="disk full"):
        tuner.search(verbose=0)
    ended = [tuner.oracle.trials[name].status for name in tuner.oracle.end_order]
    assert set(ended) <= {"FAILED"}


def test_a_search_that_is_killed_goes_on_and_trains_nothing_twice(hyperband: Killed, tmp_path: Path) -> None:
    after = Killed.times(hyperband.store)
    assert 2 <= len(hyperband.done_before) < len(after) == hyperband.table["run"].nunique()
    assert hyperband.done_before.items() <= after.items()
    copy = tmp_path / "runs"  # an undisturbed search over the same records: no trial but those, in the same order
    shutil.copytree(hyperband.store, copy)
    undisturbed = tuning.trials(tuning.search(planned("hyperband"), store=copy))
    pd.testing.assert_frame_equal(undisturbed, hyperband.table)
    assert {path.parent.name for path in copy.glob("*/done")} == set(hyperband.table["run"])


@pytest.mark.survival
def test_two_workers_and_a_chief_share_one_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "fer_utils", "tune", "tiny", "synthetic", "--method", "random", "--trials", "3",
               "--epochs", "1", "--subjects", "8"]  # fmt: skip

    def start(name: str) -> subprocess.Popen[str]:
        where = {"KERASTUNER_TUNER_ID": name, "KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": port}
        if find_spec("jax"):  # begins in a fraction of TensorFlow's time
            where |= {"KERAS_BACKEND": "jax", "PYTHONPATH": f".{os.pathsep}tests/without_tensorflow"}
        where = environment(tmp_path, **where)
        return subprocess.Popen(command, cwd=ROOT, env=where, stdout=subprocess.PIPE, text=True)

    _, *workers = started = [start(name) for name in ("chief", "worker1", "worker2")]
    try:
        said = [worker.communicate(timeout=1800)[0] for worker in workers]
    finally:
        for process in started:  # KerasTuner's chief looks only every 20 seconds whether its last worker has gone
            process.kill()
            process.communicate()
    assert [worker.returncode for worker in workers] == [0, 0]
    trained = [int(text.split(" trained ")[1].split()[0]) for text in said]
    assert sum(trained) == 3 and min(trained) >= 1
    done = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("runs/*/done")}
    assert len(done) == 3
    monkeypatch.setenv("FER_REPORTS", str(tmp_path))
    assert main(command[3:]) == 0
    assert capsys.readouterr().out.count("random") >= 3
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("runs/*/done")} == done


def test_searches_on_real_data_are_loaded_and_never_carried_out() -> None:
    options = {"max_epochs": 10, "model_options": {"batch_norm_momentum": 0.9}}
    plans = {model: tuning.plan(model, "ckplus", "hyperband", **options) for model in ("psg2025", "iitk2023_model2")}
    found = tuning.available(plans)
    assert list(found) == ["iitk2023_model2"]
    assert len(tuning.trials(found["iitk2023_model2"])) == 30


# --- figures ---------------------------------------------------------------------------------------------------

TABLE = pd.DataFrame({
    "method": "random", "run": list("abcdef"), "epochs": [2, 2, 2, 2, 2, 1], "own_epochs": [2, 2, 2, 2, 2, 1],
    "seconds": [60.0] * 6, "score": [0.3, 0.5, 0.4, None, 0.6, 0.9], "n": [10.0, 10, 10, None, 10, 10],
    "rate": [0.001, 0.01, 0.1, 0.05, 0.1, 0.01], "width": [1, 2, 1, 2, 2, 1],
})  # fmt: skip
DESCRIBED = {
    "rate": {"kind": "real", "low": 0.001, "high": 0.1, "log": True}, "width": {"kind": "choice", "values": [1, 2]},
}  # fmt: skip


def test_progress_is_the_best_so_far_against_the_cost() -> None:
    figure = plots.search_progress({"random": TABLE}, references={"untuned": 0.35}, profile="full")
    dots, line, _ = figure.axes[0].lines
    np.testing.assert_allclose(dots.get_xdata(), [2, 4, 6, 8, 10, 11])
    np.testing.assert_allclose(line.get_ydata(), [30, 50, 50, 50, 60, 90, 90])
    assert {"random 90.0", "untuned 35.0"} <= {text.get_text() for text in figure.axes[0].texts}
    minutes = plots.search_progress({"random": TABLE}, cost="seconds", profile="full")
    np.testing.assert_allclose(minutes.axes[0].lines[0].get_xdata(), [1, 2, 3, 4, 5, 6])
    with pytest.raises(ValueError, match="a cost of"):
        plots.search_progress({"random": TABLE}, cost="money", profile="full")


def test_marginal_effects_have_a_panel_each_and_mark_the_best() -> None:
    figure = plots.marginal_effects(TABLE, DESCRIBED, profile="full")
    rates, widths = figure.axes
    assert [rates.get_xscale(), widths.get_xscale()] == ["log", "linear"]
    filled, stopped, best = rates.lines
    assert len(filled.get_xdata()) == 4 and list(stopped.get_ydata()) == [90]  # one was stopped, one has no score
    assert list(best.get_ydata()) == [90] and list(best.get_xdata()) == [0.01]
    assert "Filled: 4 trained to the end" in " ".join(plots.style.notes(figure))
    with pytest.raises(ValueError, match="a trial with a score"):
        plots.marginal_effects(TABLE[3:4], DESCRIBED, profile="full")
