"""Records on disk: what is written, found, verified and claimed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_records import CONFIG, FINGERPRINT, HISTORY, description, scores, written

from fer_utils import records
from fer_utils.data import EXPRESSIONS
from fer_utils.data.splits import SplitSpec
from fer_utils.evaluation import metrics
from fer_utils.files import locks, writing
from fer_utils.records import Record
from fer_utils.records.config import Phase


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return written(tmp_path)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def change(path: Path, **arrays: np.ndarray) -> None:
    with np.load(path) as stored:
        everything = {**{name: stored[name] for name in stored}, **arrays}
    np.savez_compressed(path, **everything)


def test_a_record_reads_back_what_was_written(record: Record) -> None:
    again, given = Record(record.path), scores()
    assert files(record.path) == ["done", "history.csv", "predictions.npz", "run.json"]
    assert again.config == CONFIG and again.class_names == EXPRESSIONS and again.kept == ("best_validation", "last")
    pd.testing.assert_frame_equal(again.history, HISTORY)
    for part in ("validation", "test"):
        labels, logits = again.predictions(part, "last")
        assert labels.dtype == np.int64 and logits.dtype == np.float64
        assert np.array_equal(labels, given[f"{part}_labels"])
        assert np.array_equal(logits, given[f"{part}_last"].astype(np.float16))
        assert np.array_equal(again.predictions(part)[1], again.predictions(part, "best_validation")[1])
    assert np.array_equal(again.context("test", "seen"), given["test_seen"])
    assert np.array_equal(again.context("test", "subjects"), given["test_subjects"])
    assert again.context("validation", "seen") is None
    assert records.verify(again) == []


def test_metrics_are_those_of_the_stored_float16(record: Record) -> None:
    for part in ("validation", "test"):
        for kept in ("best_validation", "last"):
            expected = metrics.summary(*record.predictions(part, kept))
            assert record.run["metrics"][part][kept] == expected
            assert record.metric("accuracy", part, kept) == expected["accuracy"]


def test_svm_scores_have_no_probabilities(tmp_path: Path) -> None:
    stored = written(tmp_path, replace(CONFIG, loss="l2_svm")).run["metrics"]["test"]["last"]
    assert "log_loss" not in stored and "ece" not in stored and stored["accuracy"] > 0.3


def test_logits_beyond_float16_are_clipped_to_its_range(tmp_path: Path) -> None:
    given = {**scores(), "test_last": np.full((40, 7), 1e6, np.float32)}
    record = records.write(tmp_path / records.identify(CONFIG, FINGERPRINT), description(CONFIG), HISTORY, given)
    assert np.all(record.predictions("test", "last")[1] == np.finfo(np.float16).max) and records.verify(record) == []


def test_ids_are_readable_and_depend_on_configuration_and_data() -> None:
    assert records.identify(CONFIG, FINGERPRINT) == f"synthetic-tiny-fold2of5-by-subjects-s3-{CONFIG.key}-012345"
    usage = replace(CONFIG, split=SplitSpec("usage"))
    assert records.identify(usage, FINGERPRINT) == f"synthetic-tiny-usage-s3-{usage.key}-012345"


def test_missing_predictions_and_weights_are_explained(record: Record, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds predictions validation_best_validation, .*asked for test_block_1"):
        record.predictions("test", "block_1")
    with pytest.raises(FileNotFoundError, match=f"python -m fer_utils rerun {record.id}"):
        record.weights()
    private = written(tmp_path, replace(CONFIG, score_test=False))
    with pytest.raises(ValueError, match="Only runs with score_test=True score the test set"):
        private.predictions("test")
    weights = records.weights_path(record.path, "last", 2)
    weights.parent.mkdir()
    weights.touch()
    assert record.weights("last") == weights
    with pytest.raises(ValueError, match="keeps the epochs best_validation, last; asked for 'block_1'"):
        record.weights("block_1")


def test_a_record_made_outside_a_git_checkout_can_be_read(record: Record) -> None:
    path = record.path / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"commit": None}))
    assert Record(record.path).run["commit"] is None and records.verify(Record(record.path)) == []


def test_a_tampered_metric_is_found(record: Record) -> None:
    path = record.path / "run.json"
    run = json.loads(path.read_text())
    run["metrics"]["test"]["last"]["accuracy"] += 1e-6
    path.write_text(json.dumps(run))
    (problem,) = records.verify(Record(record.path))
    assert problem.startswith("test last accuracy: ") and "follows from the predictions" in problem


@pytest.mark.parametrize("invented", [{"kept": "block_9"}, {"part": "private"}, {"metric": "top2"}])
def test_a_metric_without_predictions_is_found(record: Record, invented: dict[str, str]) -> None:
    path = record.path / "run.json"
    run = json.loads(path.read_text())
    where = {"part": "test", "kept": "last", "metric": "accuracy", **invented}
    run["metrics"].setdefault(where["part"], {}).setdefault(where["kept"], {})[where["metric"]] = 0.99
    path.write_text(json.dumps(run))
    (problem,) = records.verify(Record(record.path))
    assert "0.99 is stored, None follows" in problem


def test_a_dropped_metric_is_found(record: Record) -> None:
    path = record.path / "run.json"
    run = json.loads(path.read_text())
    del run["metrics"]["test"]["last"]["macro_f1"]
    path.write_text(json.dumps(run))
    assert ["test last macro_f1: None is stored" in p for p in records.verify(Record(record.path))] == [True]


@pytest.mark.parametrize("name", ["test_last", "test_labels", "validation_best_validation"])
def test_a_tampered_prediction_is_found(record: Record, name: str) -> None:
    with np.load(record.path / "predictions.npz") as stored:
        array = stored[name].copy()
    array[[0, 1]] = array[[1, 0]]  # two images exchange theirs
    change(record.path / "predictions.npz", **{name: array})
    assert any("follows from the predictions" in problem for problem in records.verify(record))


def test_a_renamed_folder_another_seed_and_other_data_are_found(record: Record, tmp_path: Path) -> None:
    renamed = record.path.rename(tmp_path / records.identify(replace(CONFIG, seed=4), FINGERPRINT))
    assert records.verify(Record(renamed)) == [f"its configuration belongs to {record.id}"]
    back = renamed.rename(record.path)
    for field, value in (("config", {**CONFIG.to_dict(), "seed": 4}), ("dataset", {"fingerprint": "f" * 16})):
        run = {**record.run, field: value}
        (back / "run.json").write_text(json.dumps(run))
        assert len(records.verify(Record(back))) == 1


def test_a_test_set_scored_without_being_declared_final_is_found(tmp_path: Path) -> None:
    config = replace(CONFIG, score_test=False)
    path = tmp_path / records.identify(config, FINGERPRINT)
    record = records.write(path, description(config), HISTORY, scores(parts=("validation", "test")))
    assert records.verify(record) == ["it scored the test set without being declared final (score_test)"]


@pytest.mark.parametrize("damage", [None, b"", b"PK\x03\x04 cut off"])
def test_unreadable_predictions_are_a_problem_and_not_a_crash(record: Record, damage: bytes | None) -> None:
    (record.path / "predictions.npz").unlink()
    if damage is not None:
        (record.path / "predictions.npz").write_bytes(damage)
    (problem,) = records.verify(record)
    assert problem.startswith("it cannot be read")


def test_nothing_stays_of_a_record_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with pytest.raises(ValueError, match=r"at most 500,000 bytes; large takes .*Keep fewer epochs"):
        records.write(path, description(CONFIG), HISTORY, scores(n=30_000))
    assert not path.exists() or files(path) == []


@pytest.mark.parametrize("failing", ["predictions.npz", "history.csv", "run.json", "done"])
def test_nothing_stays_of_a_record_whose_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    replace_file = os.replace

    def full_disk(source: Any, target: Any) -> None:
        if Path(target).name == failing:
            raise OSError(28, "No space left on device")
        replace_file(source, target)

    monkeypatch.setattr(writing.os, "replace", full_disk)
    path = tmp_path / records.identify(CONFIG, FINGERPRINT)
    with pytest.raises(OSError, match="No space left"):
        written(tmp_path)
    assert files(path) == [] and not records.is_done(path) and records.find(CONFIG, tmp_path) is None


def test_atomic_keeps_the_old_file_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), writing.atomic(path, "w") as file:
        file.write("new")
        raise RuntimeError
    assert path.read_text() == "old" and files(tmp_path) == ["file"]


def test_a_name_as_long_as_a_file_system_allows_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 120 + ".csv")
    with writing.atomic(path, "w") as file:
        file.write("ü\udcff\n")
    assert path.read_bytes() == "ü".encode() + b"\xff\n"


def test_finding_prefers_the_record_of_the_same_data(tmp_path: Path) -> None:
    assert records.find(CONFIG, tmp_path, FINGERPRINT) is None
    other, same = written(tmp_path, fingerprint="0" * 16), written(tmp_path)
    assert records.find(CONFIG, tmp_path, FINGERPRINT) == same
    assert records.find(CONFIG, tmp_path) == other, "without data, any copy's record answers"
    assert records.find(replace(CONFIG, seed=4), tmp_path, FINGERPRINT) is None
    assert records.find(replace(CONFIG, protocol="reported"), tmp_path, FINGERPRINT) == same
    assert records.find_all(tmp_path) == sorted([other, same], key=lambda r: r.id)
    (same.path / "done").unlink()
    assert records.find_all(tmp_path) == [other]


def test_find_all_passes_over_what_is_no_run(tmp_path: Path, record: Record) -> None:
    records.measure("throughput", tmp_path, lambda: ({"images": 3}, {}))
    (tmp_path / "unfinished").mkdir()
    assert records.find_all(tmp_path) == [record] and records.find_all(tmp_path / "nowhere") == []


def test_measurements_are_computed_once(tmp_path: Path) -> None:
    calls = []

    def compute() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        calls.append(1)
        return {"seconds": 1.5, "by": [1, 2]}, {"mean": np.arange(4.0)}

    for _ in range(2):
        measurement = records.measure("mean-face", tmp_path, compute)
        assert measurement.values == {"seconds": 1.5, "by": [1, 2]}
        assert np.array_equal(measurement.arrays["mean"], np.arange(4.0))
    assert len(calls) == 1 and files(tmp_path / "mean-face") == ["arrays.npz", "done", "measurement.json"]


def test_a_measurement_that_is_too_large_or_fails_leaves_nothing(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).random(100_000)
    with pytest.raises(ValueError, match="Store less"):
        records.measure("large", tmp_path, lambda: ({}, {"noise": noise}))
    with pytest.raises(ValueError, match="Store less"):
        records.measure("long", tmp_path, lambda: ({"noise": noise.tolist()}, {}))
    with pytest.raises(TypeError):
        records.measure("odd", tmp_path, lambda: ({"array": noise}, {"noise": noise[:9]}))
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_claim_keeps_others_waiting_and_leaves_no_file(tmp_path: Path) -> None:
    order = []

    def second() -> None:
        with locks.claim(tmp_path / "run"):
            order.append("second")

    with locks.claim(tmp_path / "run"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join(timeout=10)
    assert order == ["first", "second"] and files(tmp_path / "run") == []


def test_a_holder_that_was_overtaken_is_told_before_it_writes(tmp_path: Path) -> None:
    with locks.claim(tmp_path) as held:
        held()
        marker = tmp_path / ".claim"
        aside = marker.rename(tmp_path / "aside")
        threading.Timer(0.2, lambda: aside.rename(marker)).start()  # as who looks whether it is stale
        held()
        marker.rename(aside)  # as a contender does with a claim that expired
        marker.write_text("another's")
        with pytest.raises(locks.LostClaimError, match="another has taken over"):
            held()
        aside.rename(marker)


def test_the_claim_of_a_killed_process_is_taken_over_at_once(tmp_path: Path) -> None:
    code = "import os, sys, pathlib; from fer_utils.files import locks\n"
    code += "with locks.claim(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    dead = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parents[2], timeout=300)
    assert dead.returncode == -9 and files(tmp_path) == [".claim"]
    started = time.monotonic()
    with locks.claim(tmp_path):
        assert time.monotonic() - started < locks.LEASE_SECONDS / 2
    assert files(tmp_path) == []


def test_a_run_is_found_however_its_numbers_are_spelt(tmp_path: Path) -> None:
    whole, decimal = (replace(CONFIG, phases=(Phase(2, rate),)) for rate in (1, 1.0))
    record = written(tmp_path, whole)
    assert records.verify(record) == [] and whole.key != decimal.key
    for fingerprint in (FINGERPRINT, None):
        assert records.find(decimal, tmp_path, fingerprint) == records.find(whole, tmp_path, fingerprint) == record
        assert records.find(replace(decimal, margin=2.0), tmp_path, fingerprint) is None
    assert records.find(decimal, tmp_path, "f" * 16) is None, "drawn faces have no other copies"
    (record.path / "run.json").write_text("{")
    assert records.find(decimal, tmp_path) is None
