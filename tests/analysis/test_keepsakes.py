"""What is measured of a network while its weights are on this machine, once each."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_utils import models
from fer_utils.analysis import keepsakes
from fer_utils.data import load
from fer_utils.data.splits import SplitSpec
from fer_utils.evaluation import calibration
from fer_utils.live.measurements import bench
from fer_utils.records import Measurement, Record
from fer_utils.records.config import Phase, RunConfig
from fer_utils.study import protocols
from fer_utils.training import run, weights

TINY = RunConfig(
    "tiny", "synthetic", (Phase(1, 0.01),), split=SplitSpec("random", 0.25, validation_size=1 / 3),
    dataset_options={"n_subjects": 4, "n_frames": 1}, batch_size=14, score_test=True,
)  # fmt: skip


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return run(TINY, store=tmp_path_factory.mktemp("reports") / "quick/runs")


@pytest.fixture
def trained(record: Record, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Record:
    """A record with weights, in a store of its own."""
    monkeypatch.setenv("FER_REPORTS", str(tmp_path))
    return Record(shutil.copytree(record.path, tmp_path / "quick/runs" / record.id))


def names(record: Record) -> set[str]:
    folder = record.path.parent.parent / "measurements"
    return {path.name.removesuffix(f"-{record.id}") for path in folder.iterdir()} if folder.exists() else set()


def test_a_network_is_measured_once_and_then_nothing_is_due(trained: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keepsakes.due(trained)
    found = keepsakes.take(trained)
    assert names(trained) == {"calibration", "maps1-validation"} and len(found) == 2
    assert not keepsakes.due(trained)
    monkeypatch.setattr("fer_utils.analysis.trained_networks.maps", None)
    assert keepsakes.take(trained) == found, "loaded"


def test_the_studys_own_networks_are_damaged_and_seen_from_several_views_too(
    trained: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepsakes.protocols, "OWN", ("tiny",))
    keepsakes.take(trained)
    assert names(trained) == {"calibration", "maps1-validation", "stress1-test", "flips", "six-views"}
    assert not keepsakes.due(trained)


def test_calibration_is_that_of_the_stored_predictions(trained: Record) -> None:
    (found,) = (m for m in keepsakes.take(trained) if m.path.name.startswith("calibration"))
    labels, scores = trained.predictions("test")
    fitted = calibration.by_temperature(*trained.predictions("validation"))
    assert found.values["methods"]["temperature"] == pytest.approx(calibration.summary(labels, fitted(scores)))
    assert found.values["methods"]["softmax as is"]["accuracy"] == pytest.approx(trained.metric())
    assert found.values["n"] == len(labels)


def test_without_weights_nothing_is_due(trained: Record) -> None:
    shutil.rmtree(trained.path / "weights")
    assert not weights.are_here(trained) and not keepsakes.due(trained) and not bench.latency_due(trained)
    assert keepsakes.take(trained) == [] and names(trained) == set()


@pytest.mark.parametrize("change", [{"protocol": "shortcut"}, {"score_test": False}, {"protocol": "variant"}])
def test_runs_that_answer_for_no_system_are_left_alone(
    trained: Record, change: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(trained.__dict__, "config", replace(TINY, **change))
    assert not keepsakes.due(trained) and keepsakes.take(trained) == [] and not bench.latency_due(trained)


def test_a_contender_that_is_not_final_has_its_averages_on_validation(
    trained: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(trained.__dict__, "config", replace(TINY, score_test=False))
    monkeypatch.setattr(protocols, "OWN", ("tiny",))
    assert keepsakes.due(trained)
    found = keepsakes.take(trained)
    assert {m.path.name.partition("-fer")[0].partition("-syn")[0] for m in found} == {"flips", "six-views"}
    assert all(m.arrays.keys() == {"validation"} for m in found) and not keepsakes.due(trained)


def test_the_gates_of_an_attention_are_means_of_classes() -> None:
    faces = load("synthetic", n_subjects=2, n_frames=1)
    values, arrays = keepsakes._gates(models.build("psg2025", width=0.05, depth=1), faces)
    assert arrays["gates"].shape == (7, 3, 3) and arrays["classes"].tolist() == list(range(7))
    assert values["n"] == len(faces) and 0 < arrays["gates"].min() <= arrays["gates"].max() < 1
    assert np.isfinite([values["places"], values["faces"]]).all()


def test_latency_is_measured_for_the_first_seed_and_fold(trained: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[np.ndarray] = []
    monkeypatch.setattr(bench, "timed", lambda call, seconds: (called.append(call()) or 1.0, 2.0, 20))
    assert bench.latency_due(trained)
    found = bench.latency(trained)
    assert isinstance(found, Measurement) and not bench.latency_due(trained)
    assert found.values["milliseconds"]["ONNX Runtime"] == {"median": 1.0, "p95": 2.0, "calls": 20}
    np.testing.assert_allclose(*called, atol=1e-4)
    assert set(found.values["milliseconds"]) == {"ONNX Runtime", "Keras"} and found.values["threads"] in (1, 2)
    monkeypatch.setitem(trained.__dict__, "config", replace(TINY, seed=1))
    assert not bench.latency_due(trained)
