"""Many runs: trained once each, in this process or in others, failures collected, predictions pooled."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_records import CONFIG, FINGERPRINT, listed, written

from fer_utils import records, study
from fer_utils.data.splits import SplitSpec
from fer_utils.evaluation import intervals, metrics
from fer_utils.records import Record
from fer_utils.records.config import Phase, RunConfig
from fer_utils.study import StudyError, pooling, process_pool, run_study, runs

TINY = RunConfig(
    "tiny", "synthetic", (Phase(1, 0.01),), split=SplitSpec("random", 0.25, validation_size=1 / 3),
    dataset_options={"n_subjects": 4, "n_frames": 1}, batch_size=14, keep=("last",),
)  # fmt: skip
EMPTY = replace(TINY, split=SplitSpec("random", 0.25))
"""Watches a validation part that is empty: fails whenever it is tried."""


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[int]]:
    """Replace training by a function that writes a record, and fails as often as it is told for a seed."""

    def arrange(failures: Mapping[int, int] | None = None) -> list[int]:
        seeds: list[int] = []

        def train(config: Mapping[str, Any], root: Any, store: Path) -> Path:
            parsed = RunConfig.from_dict(config)
            seeds.append(parsed.seed)
            if seeds.count(parsed.seed) <= (failures or {}).get(parsed.seed, 0):
                raise OSError(f"disk of seed {parsed.seed} is full")
            return written(store, parsed).path

        monkeypatch.setattr(runs, "_train", train)
        return seeds

    return arrange


class Inline(Executor):
    """Runs at once; breaks for good at the job it is told."""

    def __init__(self, breaks_at: int | None = None) -> None:
        self.jobs, self.breaks_at = 0, breaks_at

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future:
        self.jobs += 1
        if self.breaks_at is not None and self.jobs >= self.breaks_at:
            raise BrokenProcessPool("a child process terminated abruptly")
        future: Future = Future()
        try:
            future.set_result(function(*arguments, **options))
        except Exception as error:
            future.set_exception(error)
        return future


def seeds_of(*seeds: int) -> list[RunConfig]:
    return [replace(CONFIG, seed=seed) for seed in seeds]


@pytest.mark.parametrize("executor", [None, Inline()], ids=["here", "executor"])
def test_records_come_in_the_order_asked_and_equal_runs_are_trained_once(
    trained: Callable[..., list[int]], tmp_path: Path, executor: Executor | None
) -> None:
    calls = trained()
    again = replace(seeds_of(2)[0], protocol="reported")
    found = run_study([*seeds_of(2, 0, 1), again], executor, store=tmp_path)
    assert [record.config.seed for record in found] == [2, 0, 1, 2] and calls == [2, 0, 1]
    assert run_study([], executor, store=tmp_path) == []


@pytest.mark.parametrize("executor", [None, Inline()], ids=["here", "executor"])
def test_a_failure_is_tried_once_more(
    trained: Callable[..., list[int]], tmp_path: Path, executor: Executor | None
) -> None:
    calls = trained({1: 1})
    assert [r.config.seed for r in run_study(iter(seeds_of(0, 1, 2)), executor, store=tmp_path)] == [0, 1, 2]
    assert calls == [0, 1, 2, 1], "the others first"


@pytest.mark.parametrize("executor", [None, Inline()], ids=["here", "executor"])
def test_failures_are_named_after_everything_else_is_finished(
    trained: Callable[..., list[int]], tmp_path: Path, executor: Executor | None
) -> None:
    calls = trained({1: 9, 2: 9})
    with pytest.raises(StudyError) as failed:
        run_study(seeds_of(1, 0, 2, 3), executor, store=tmp_path)
    assert calls == [1, 0, 2, 3, 1, 2]
    message = str(failed.value)
    assert message.startswith("2 of 4 runs failed, each tried twice:")
    for config in seeds_of(1, 2):
        assert f"- synthetic tiny {config.key}: disk of seed {config.seed} is full" in message
    assert isinstance(failed.value.__cause__, OSError)
    assert {record.config.seed for record in records.find_all(tmp_path)} == {0, 3}


def test_a_broken_pool_is_reported_like_a_failed_run(trained: Callable[..., list[int]], tmp_path: Path) -> None:
    trained()
    with pytest.raises(StudyError, match=r"2 of 3 runs failed(.|\n)*terminated abruptly"):
        run_study(seeds_of(0, 1, 2), Inline(breaks_at=2), store=tmp_path)
    assert {record.config.seed for record in records.find_all(tmp_path)} == {0}


def test_in_this_process_it_trains_what_is_missing_and_loads_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (record,) = run_study([TINY], store=tmp_path)
    assert records.verify(record) == [] and record.run["metrics"]["validation"]["last"]["n"] == 7
    monkeypatch.setattr("fer_utils.training.loop.Training", None)
    assert run_study([TINY, TINY], store=tmp_path) == [record, record]
    with pytest.raises(StudyError, match="1 of 2 runs failed"):
        run_study([TINY, replace(TINY, seed=1)], store=tmp_path)


def test_a_pool_of_processes_trains_and_names_what_failed(tmp_path: Path) -> None:
    with process_pool(2) as pool:
        (record,) = run_study([TINY], pool, store=tmp_path)
        assert records.verify(record) == []
        with pytest.raises(StudyError, match=rf"1 of 1 runs failed(.|\n)*{EMPTY.key}: .*is empty"):
            run_study([EMPTY], pool, store=tmp_path)
    assert records.find_all(tmp_path) == [record]


def meet(config: Mapping[str, Any], root: Any, store: Path) -> Path:
    """Instead of a training: waits until another process is here, too."""
    (store / f"here-{os.getpid()}").touch()
    for _ in range(6000):
        if len(list(store.glob("here-*"))) == 2:
            break
        time.sleep(0.01)
    return written(store, RunConfig.from_dict(config)).path


@pytest.mark.survival
def test_a_pool_of_processes_works_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_train", meet)
    with process_pool(2) as pool:
        found = run_study(seeds_of(0, 1), pool, store=tmp_path)
    assert [record.config.seed for record in found] == [0, 1] and len(list(tmp_path.glob("here-*"))) == 2


# --- what runs say together ----------------------------------------------------------------------------------------


@pytest.fixture
def folds(tmp_path: Path) -> list[Record]:
    """Three folds of two seeds, each with its own predictions."""
    three = replace(CONFIG.split, n_folds=3, fold=0).folds()
    return [listed(replace(CONFIG, seed=seed, split=fold), tmp_path) for seed in (3, 4) for fold in three]


def test_pooling_puts_folds_one_behind_the_other(folds: list[Record]) -> None:
    pooled = study.pool(folds[:3], "test", "last")
    labels, logits = (np.concatenate(x) for x in zip(*(r.predictions("test", "last") for r in folds[:3]), strict=True))
    assert np.array_equal(pooled.labels, labels) and np.array_equal(pooled.logits, logits)
    assert np.array_equal(pooled.subjects, np.concatenate([r.context("test", "subjects") for r in folds[:3]]))
    assert np.array_equal(pooled.correct, logits.argmax(axis=1) == labels)
    assert {seed: len(group) for seed, group in study.by_seed(folds).items()} == {3: 3, 4: 3}
    assert study.by_seed(folds[::-1]) == {4: folds[3:], 3: folds[:3]}, "folds in order, whatever order they come in"


def test_a_result_is_the_mean_over_seeds_of_pooled_folds(folds: list[Record]) -> None:
    found = study.result(folds)
    pooled = [study.pool(folds[:3]), study.pool(folds[3:])]
    summaries = [metrics.summary(p.labels, p.logits) for p in pooled]
    accuracies = [s["accuracy"] for s in summaries]
    assert found["accuracy"] == pytest.approx(np.mean(accuracies))
    assert found["sd"] == pytest.approx(abs(accuracies[0] - accuracies[1]) / np.sqrt(2))
    assert found["uar"] == pytest.approx(np.mean([s["balanced_accuracy"] for s in summaries]))
    assert found["macro_f1"] == pytest.approx(np.mean([s["macro_f1"] for s in summaries]))
    interval = intervals.of_answers(pooling.right_answers(folds))
    assert (found["low"], found["high"], found["method"]) == (interval.low, interval.high, interval.method)
    assert "2 seeds" in found["method"] and found["low"] < min(accuracies), "not the first seed's interval"
    assert (found["n"], found["seeds"], found["folds"], found["hours"]) == (120, 2, 3, 0.15)
    assert found["kept"] == "best_validation" and not found["chosen_on_test"]
    assert np.isnan(study.result(folds[:3])["sd"])
    table = study.results_table({"ours": folds, "one seed": folds[:3]})
    assert table.index.tolist() == ["ours", "one seed"] and table.loc["ours", "accuracy"] == found["accuracy"]


def test_a_result_says_when_the_test_set_chose_it(tmp_path: Path) -> None:
    record = listed(replace(CONFIG, keep=("best_test", "last")), tmp_path)
    shown = study.listing([record]).iloc[0]
    assert shown["CHOSEN ON TEST"] == "best_test" and shown["kept"] == "best_test"


def test_siblings_differ_in_the_seed_alone(tmp_path: Path) -> None:
    one, two = (written(tmp_path, config) for config in seeds_of(0, 1))
    written(tmp_path, replace(CONFIG, loss="l2_svm"))
    written(tmp_path, replace(CONFIG, split=replace(CONFIG.split, fold=0)))
    assert {record.id for record in study.siblings(one)} == {one.id, two.id}


def test_runs_on_record_are_found_by_what_they_are(tmp_path: Path) -> None:
    sound = written(tmp_path, CONFIG)
    svm = written(tmp_path, replace(CONFIG, loss="l2_svm", protocol="reported"))
    assert study.on_record("tiny", "synthetic", store=tmp_path) == sorted([sound, svm], key=lambda r: r.id)
    assert study.on_record(protocol="sound", store=tmp_path) == [sound]
    assert study.on_record(loss="l2_svm", store=tmp_path) == [svm]
    assert study.on_record("psg2025", store=tmp_path) == [] == study.on_record(store=tmp_path / "nowhere")
    assert study.on_record(protocol="Sound", store=tmp_path) == []
    with pytest.raises(ValueError, match="found by fields of RunConfig; got lossy"):
        study.on_record(lossy="l2_svm", store=tmp_path)


@pytest.mark.parametrize(("flipped", "verdict"), [(0, "reproduces"), (3, "reproduces"), (36, "DOES NOT REPRODUCE")])
def test_a_rerun_says_whether_it_lies_inside_the_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flipped: int, verdict: str
) -> None:
    before = written(tmp_path / "runs", CONFIG)
    labels, logits = before.predictions("test")
    right = np.flatnonzero(logits.argmax(axis=1) == labels)[:flipped]
    after = written(tmp_path / "again", CONFIG)
    with np.load(after.path / "predictions.npz") as stored:
        everything = {name: stored[name] for name in stored}
    everything["test_best_validation"][right] *= -1
    np.savez_compressed(after.path / "predictions.npz", **everything)
    asked: list[Any] = []
    monkeypatch.setattr("fer_utils.training.run", lambda config, **options: asked.append((config, options)) or after)
    said = study.rerun(before, tmp_path / "again", root=tmp_path)
    assert asked == [(CONFIG, {"root": tmp_path, "store": tmp_path / "again"})]
    assert said.startswith(f"{verdict}: test accuracy ") and "Spread over seeds: not measured." in said
    assert f"against {100 * before.metric():.2f} %" in said
    if not flipped:
        assert "100.0 % of predictions agree" in said
    for seed in (10, 11):
        written(tmp_path / "runs", replace(CONFIG, seed=seed), seed=seed)
    assert "standard deviations over 3 seeds" in study.rerun(before, tmp_path / "again", root=tmp_path)
    assert FINGERPRINT in before.run["dataset"]["fingerprint"]


def test_a_rerun_is_not_divided_by_seeds_that_all_score_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, *_ = (written(tmp_path / "runs", replace(CONFIG, seed=seed)) for seed in (3, 10, 11))
    monkeypatch.setattr("fer_utils.training.run", lambda config, **options: before)
    assert study.rerun(before, tmp_path / "again").endswith("All 3 seeds on record have the same accuracy: "
                                                            "no spread to compare with.")  # fmt: skip


def test_seeds_that_only_one_group_has_are_left_out_of_a_comparison(tmp_path: Path) -> None:
    one, other = (
        [written(tmp_path, replace(CONFIG, seed=s, margin=m)) for s in seeds]
        for m, seeds in ((1, (1, 2, 3)), (2, (2, 3)))
    )
    kept = pooling.of_common_seeds(one, other)
    assert [[record.config.seed for record in group] for group in kept] == [[2, 3], [2, 3]]
    assert pooling.of_common_seeds(one, other[:1]) == (one, other[:1]), "a single seed is compared with all"


def test_what_is_not_on_record_is_named_and_not_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_REPORTS", str(tmp_path))
    here, *gone = (replace(CONFIG, dataset="fer2013", model="compact", seed=seed) for seed in range(3))
    record = written(tmp_path / "runs", here)
    found, missing = study.available([here, *gone], root=tmp_path)
    assert [one.id for one in found] == [record.id] and missing == gone
    line = study.not_measured(missing, "strong")
    assert line == "*Not measured: `compact` on fer2013, seeds 1, 2. `make queue ITEMS=strong` trains them.*"
    assert study.not_measured([], "strong") == ""


def test_runs_are_comparable_on_the_same_data_and_split(tmp_path: Path) -> None:
    base = CONFIG
    elsewhere = replace(base, split=replace(base.split, fold=2))
    good, again, other = replace(base, seed=0), replace(base, seed=1), replace(base, model="compact", seed=0)
    again, first, second = (written(tmp_path, config, seed=n) for n, config in enumerate((again, good, other)))
    written(tmp_path, elsewhere)
    written(tmp_path, good, fingerprint="f" * 16)
    found = study.comparable(again)
    assert {one.id for one in found} == {first.id, second.id}, "the first seed of each configuration"
    values = [one.metric("accuracy", "validation") for one in found]
    assert values == sorted(values, reverse=True)


def test_groups_are_named_by_what_tells_them_apart(tmp_path: Path) -> None:
    base = replace(CONFIG, seed=0)
    longer, other = replace(base, phases=(Phase(3, 1e-3),)), replace(base, batch_size=9)
    first, again, long, third = (written(tmp_path, c) for c in (base, replace(base, seed=1), longer, other))
    assert {name: len(group) for name, group in study.by_name([first, again, first]).items()} == {"tiny": 2}
    assert set(study.by_name([first, long])) == {"tiny, 2 epochs", "tiny, 3 epochs"}
    assert set(study.by_name([first, third])) == {f"tiny {base.key}", f"tiny {other.key}"}
