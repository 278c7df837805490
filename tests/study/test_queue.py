"""The full study's queue: what is in it, what it will take, and what becomes of it when workers die or time is over."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import workers
from made_records import written

from fer_utils import records
from fer_utils.__main__ import main
from fer_utils.analysis.prices import experiments
from fer_utils.data.splits import SplitSpec
from fer_utils.files import locks
from fer_utils.files.paths import store_for
from fer_utils.files.writing import StorageError
from fer_utils.records.config import Phase, RunConfig
from fer_utils.study import costs, executors, protocols, queue, rows, speed_probe, tuning
from fer_utils.study.rows import Item

ROOT = Path(__file__).resolve().parents[2]
TINY = RunConfig("tiny", "synthetic", (Phase(1, 1e-3),), batch_size=32, dataset_options={"n_subjects": 6})


def seeds_of(*seeds: int) -> tuple[RunConfig, ...]:
    return tuple(replace(TINY, seed=seed) for seed in seeds)


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("FER_REPORTS", str(tmp_path))
    return tmp_path


# --- what is in it ---------------------------------------------------------------------------------------------------


def test_the_main_figure_comes_first_and_every_item_stands_once() -> None:
    found = queue.items()
    names = [item.name for item in found]
    assert len(set(names)) == len(names) and all(item.configs or item.searches for item in found)
    assert [item.figure for item in found] == [True] * 9 + [False] * (len(found) - 9)
    cells = {(row.model, row.dataset, p) for row in protocols.REPORTED for p in ("reported", "sound")}
    served = {
        (c.model, c.dataset, p) for item in found[:9] for c in item.configs for p in ("reported", "sound")
        if protocols.serves(c, p)
    }  # fmt: skip
    assert served == cells, "each system of the reports, both ways"
    for item in found:
        assert all(c.score_test or c.monitor == "validation" for c in item.configs)
        assert all("best_test" not in c.keep or c.protocol != "sound" for c in item.configs)
    assert [item.name for item in queue.chosen(["strong", "psg-ckplus"])] == ["psg-ckplus", "strong"]
    with pytest.raises(ValueError, match=r"Items of the queue are model1-ckplus, .*; got other"):
        queue.chosen(["other"])


def test_full_budgets_but_for_one_system_that_says_so() -> None:
    for item in queue.items()[:9]:
        for config in item.configs:
            stated = protocols.recipe(config.model, config.dataset).epochs
            ran = tuple(phase.epochs for phase in config.phases)
            assert ran == (rows.REDUCED[config.model] if "reduced" in item.question else stated)
            assert config.seed == 0 and config.split.n_folds == 5
    assert sum(rows.REDUCED["psg2025"]) >= 12 + 4 + 2


def test_committed_records_leave_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FER_REPORTS", raising=False)
    (model1, fer2013) = queue.chosen(["model1-ckplus", "model1-fer2013"])
    assert queue.missing(model1) == queue.missing(fer2013) == []
    assert queue.lacking(model1) == queue.lacking(fer2013) == 0


def test_rows_that_no_report_describes() -> None:
    with_copies, without = rows.copies("iitk2023_model1", seeds=(1,))
    for config, design in ((with_copies, "copies in"), (without, "copies out")):
        settings = {"epochs": 20, "max_train": None}
        assert [config] == experiments.by_design("iitk2023_model1", "fer2013", design, (1,), **settings)
    folds = rows.stratified("ckplus")
    assert [c.split for c in folds] == SplitSpec("kfold", n_folds=5).folds()
    assert folds[0].chosen_on_test == ("best_test",)
    smaller = rows.held_out("iitk2023_model2", 0.15, (2,))
    assert [(c.split.test_size, c.seed, c.epochs) for c in smaller] == [(0.15, 2, 50)]
    assert not any(protocols.serves(c, p) for c in smaller for p in ("reported", "sound"))
    (attention,) = queue.chosen(["attention"])
    assert [c.model_options["attention"] for c in attention.configs] == ["none", "se", "cbam"]
    assert all(c.split.fold == 0 and not c.score_test and c.epochs == 100 for c in attention.configs)
    (precision,) = queue.chosen(["precision"])
    assert {c.precision for c in precision.configs} == {"mixed_bfloat16"} and len(precision.configs) == 4
    (searches,) = queue.chosen(["searches"])
    assert [s.method for s in searches.searches] == ["random", "bayesian"]


def test_a_transfer_waits_for_a_run_whose_id_is_known_before_it_is_trained(reports: Path) -> None:
    nothing_known = queue.chosen(["compact"])[0].configs
    assert not any(c.start_from for c in nothing_known), "no record tells the data's fingerprint"
    written(store_for("fer2013"), RunConfig("tiny", "fer2013", (Phase(1, 1.0),)), "abcdef0123456789")
    starts = {c.start_from for c in queue.chosen(["compact"])[0].configs} - {""}
    small = protocols.compact(rows.SEEDS)
    assert starts == {records.identify(config, "abcdef") for config in small}
    record = written(store_for("fer2013"), small[0], "fedcba9876543210")
    assert record.id in {c.start_from for c in queue.chosen(["compact"])[0].configs}


def test_float32_on_record_makes_bfloat16_superfluous_but_in_its_price(reports: Path) -> None:
    (plain, price) = queue.chosen(["model2-fer2013", "precision"])
    assert {c.precision for c in plain.configs} == {"mixed_bfloat16"} and queue.lacking(plain) == 2
    before = len(queue.missing(price))
    for config in (*queue.in_float32(plain).configs, *(replace(c, precision="float32") for c in price.configs)):
        if not records.find(config, store_for(config.dataset)):
            written(store_for(config.dataset), config)
    assert queue.missing(plain) == [] and queue.lacking(plain) == 0 and len(queue.missing(price)) == before
    assert queue.in_float32(price) == price


# --- what it will take -----------------------------------------------------------------------------------------------


def test_parts_are_foreseen_without_the_data() -> None:
    usage, merged, drawn = (c for name in ("model1-fer2013", "colab-fer2013", "cutm-fer2013")
                            for c in queue.chosen([name])[0].configs[:1])  # fmt: skip
    assert costs.sizes(usage) == {"train": 28_709, "validation": 3_589, "test": 3_589}
    assert costs.sizes(merged) == {"train": 28_709, "validation": 0, "test": 7_178}
    assert costs.sizes(drawn) == pytest.approx({"train": 28_821, "validation": 0, "test": 7_066})
    (sound,) = (c for c in queue.chosen(["model1-ckplus"])[0].configs if c.split.fold == 4)
    assert costs.sizes(sound) == pytest.approx({"train": 686.7, "validation": 98.1, "test": 196.2})
    assert costs.sizes(replace(usage, split=SplitSpec(max_train=5000)))["train"] == 5000


def test_hours_follow_from_the_images_a_second(reports: Path) -> None:
    config = protocols.compact((0,))[0]
    keys = {costs.speed_key(config, phase.size) for phase in config.phases}
    assert keys == {f"compact, {size} px, batch 128, strong" for size in (32, 40, 48)}
    assert costs.speed_key(replace(config, precision="mixed_bfloat16"), None).endswith(", strong, bfloat16")
    an_epoch = 28_709 + 3_589 / 3
    assert costs.hours(config, dict.fromkeys(keys, 1000.0)) == pytest.approx(72 * an_epoch / 1000 / 3600)
    assert costs.hours(config, {}) is None
    item = Item("a", "b", (config, config))
    assert queue.table([item]).loc["a", "hours"] == "not measured"
    assert queue.table([item], dict.fromkeys(keys, 1000.0)).loc["a", "hours"] == f"{72 * an_epoch / 3.6e6:.2f}"
    assert queue.table([item]).loc["a", "runs"] == 1
    (searches,) = queue.chosen(["searches"])
    search = searches.searches[0]
    speeds = {costs.speed_key(search.start, None): 100.0}
    an_epoch = 981 * 0.8 * (0.875 + 0.125 / 3)
    one = search.trials * search.max_epochs * an_epoch / 100 / 3600
    assert queue.item_hours(searches, speeds) == pytest.approx(one * len(queue.missing_searches(searches)))


def test_the_figure_comes_first_and_the_cheapest_cell_of_it(reports: Path) -> None:
    names = ["psg-ckplus", "model1-ckplus", "model1-fer2013", "losses-ckplus", "seeds"]
    found = queue.chosen(names)
    declared_order = [item.name for item in found]
    assert [item.name for item in queue.ordered(found, {})] == declared_order
    speeds = {key: 100.0 for item in found for key in speed_probe.distinct([item])}
    speeds |= {key: 2e5 for key in speeds if key.startswith("iitk2023_model1, 48 px, batch 64")}
    first, *middle, losses, seeds = queue.ordered(found, speeds)
    assert [first.name, *(i.name for i in middle), losses.name, seeds.name] == [
        "model1-fer2013", "model1-ckplus", "psg-ckplus", "losses-ckplus", "seeds"
    ]  # fmt: skip
    taken = [costs.hours(config, speeds) for config in seeds.configs]
    assert taken == sorted(taken), "seeds go by cost"


@pytest.mark.survival
def test_speeds_are_measured_once_and_kept(reports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only = Item("a", "b", (TINY,))
    (key,) = speed_probe.distinct([only])
    found = speed_probe.run([only], steps=2)
    assert list(found) == [key] == ["tiny, 48 px, batch 32, none"] and found[key] > 0
    assert speed_probe.speeds() == found == speed_probe.run([only], steps=2), "the second time it is loaded"
    assert speed_probe.speeds("another device") == {} == speed_probe.speeds(workers=2)
    monkeypatch.setattr(speed_probe.backend, "versions", lambda: {"keras": "4.0"})
    assert speed_probe.speeds() == {}, "another version may train at another speed"
    assert queue.item_hours(only, found) > 0


def test_several_processes_are_compared_with_one(reports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_probe, "most_workers", lambda: 2)
    item = Item("a", "b", seeds_of(0, 1))
    (key,) = speed_probe.distinct([item])
    monkeypatch.setattr(speed_probe, "speeds", lambda name=None, workers=1: {key: 100.0} if workers == 1 else {})
    for together, expected in ((60.0, 2), (40.0, 1)):
        monkeypatch.setattr(speed_probe, "_together", lambda *_, t=together: 2 * t)
        monkeypatch.setattr(records, "measure", lambda *_: None)
        assert speed_probe.paying([item]) == expected
    assert speed_probe.paying([]) == 1


def test_processes_that_are_timed_together_wait_for_each_other(tmp_path: Path) -> None:
    (tmp_path / "another").touch()
    assert speed_probe.fed(TINY, None, 1, tmp_path, 2) > 0 and len(list(tmp_path.iterdir())) == 2


def test_what_the_harness_adds_is_the_median_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = iter([3000.0, 70.0, 100.0, 80.0, 60.0, 100.0, 100.0, 50.0, 100.0, 50.0])  # then in turns: plain, bare, fed
    timed, calls = speed_probe._Timed.rate, []

    def rate(self: Any, train: Callable[[int], None], steps: int) -> float:
        calls.append((train.__name__, steps, timed(self, train, steps) > 0))
        return next(rates)

    monkeypatch.setattr(speed_probe._Timed, "rate", rate)
    found = speed_probe.overhead(replace(TINY, precision="mixed_bfloat16"), seconds=0.05, rounds=3)
    assert found == pytest.approx({"plain": 60.0, "bare": 100.0, "fed": 80.0, "added": 0.25})
    n = round(3000 * 0.05 / TINY.batch_size)
    assert n > 2 and calls == [("bare", 2, True), *[("plain", n, True), ("bare", n, True), ("fed", n, True)] * 3]


# --- what becomes of it ----------------------------------------------------------------------------------------------


@pytest.fixture
def jobs_of(monkeypatch: pytest.MonkeyPatch, reports: Path) -> Callable[[Callable[..., str]], Path]:
    """Have processes do something light instead of training, and note it in a folder."""

    def arrange(what: Callable[..., str]) -> Path:
        notes = reports / "notes"
        notes.mkdir()
        monkeypatch.setenv("NOTES", str(notes))
        monkeypatch.setattr(queue, "_do", what)
        return notes

    return arrange


@pytest.mark.survival
def test_a_process_that_dies_is_named_and_its_run_is_taken_up_again(
    jobs_of: Callable[..., Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "TRIES", 2)
    notes = jobs_of(workers.job_dies_once)
    said = list(queue.run([Item("a", "b", seeds_of(0, 9, 1))], workers=2))
    printed = capsys.readouterr().out
    assert [said[0], said[2]] == ["done"] * 2
    assert said[1].startswith("failed: its process ") and said[1].endswith("in 2 tries") and "SIGKILL" in said[1]
    assert printed.count("taken up again") == 2, printed
    assert f"seed 0 {TINY.key}: its process " in printed and "(as the system does where memory runs out)" in printed
    tries = {seed: len(list(notes.glob(f"seed{seed}-*"))) for seed in (0, 1, 9)}
    assert tries == {0: 2, 1: 1, 9: 2}


def working() -> list[psutil.Process]:
    """Processes of pools that are still there."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [process] * ("spawn_main" in " ".join(process.cmdline()))
    return found


def test_when_the_time_is_over_what_is_under_way_is_stopped(jobs_of: Callable[..., Path]) -> None:
    jobs_of(workers.job_sleeps)
    begun = time.monotonic()
    state = queue.run([Item("a", "b", seeds_of(0, 1))], minutes=2 / 60)
    assert time.monotonic() - begun < 30 and list(state) == ["under way", "not begun"]
    assert not psutil.wait_procs(working(), timeout=30)[1]


def test_what_an_earlier_call_began_and_a_search_in_its_midst_are_under_way(jobs_of: Callable[..., Path]) -> None:
    jobs_of(workers.job_sleeps)
    (store_for("synthetic") / records.identify(replace(TINY, seed=1), "0123456789")).mkdir(parents=True)
    search = tuning.plan("tiny", "synthetic", "random", max_epochs=1, trials=1)
    state = queue.run([Item("a", "b", searches=(search,)), Item("c", "d", seeds_of(0, 1))], minutes=2 / 60)
    assert list(state) == ["under way", "not begun", "under way"]  # seed 1 has a folder


def test_a_run_begins_after_the_one_that_it_starts_from(jobs_of: Callable[..., Path]) -> None:
    notes = jobs_of(workers.job_leaves_a_record)
    parent = records.identify(TINY, "0123456789")
    child, orphan = (replace(TINY, seed=seed, start_from=start) for seed, start in ((1, parent), (2, "nothing:last")))
    pupil = replace(TINY, seed=3, teachers=(f"{parent}:last",), teaching=1.0)
    untaught = replace(pupil, seed=4, teachers=(parent, "nobody:last"))
    state = queue.run([Item("a", "b", (orphan, untaught, pupil, child, TINY))], workers=2)
    waits = ["not begun: waits for nothing", "not begun: waits for nobody"]
    assert list(state) == [*waits, "done", "done", "done"]
    first, *others = ((notes / f"seed{seed}-0").stat().st_mtime_ns for seed in (0, 1, 3))
    assert first < min(others)


@pytest.mark.survival
def test_real_runs_are_trained_measured_and_loaded_the_next_time(reports: Path) -> None:
    wrong = replace(TINY, model_options={"width": -1.0})
    items = [Item("a", "b", (TINY, wrong, replace(TINY, seed=1)))]
    then = [(workers.due, workers.take)]
    state = queue.run(items, then=then)
    assert state.iloc[0] == "done" and state.iloc[1].startswith("failed: ValueError: width")
    assert state.iloc[2] == "failed: trained, but not measured: ValueError: no such layer"
    assert len(records.find_all(store_for("synthetic"))) == 2
    assert queue.missing(items[0]) == [wrong], "what is on record is not trained again"
    assert [job.config for job in queue.jobs(items, then=then).values()] == [wrong, replace(TINY, seed=1)]
    damaged = records.find(replace(TINY, seed=1), store_for("synthetic"))
    (damaged.path / "run.json").write_text("{")
    readable = [(lambda record: bool(record.config), workers.take)]
    assert [job.config for job in queue.jobs(items, then=readable).values()] == [TINY, wrong]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="processes keep to cores on Linux alone")
def test_processes_keep_to_their_cores() -> None:
    here = sorted(os.sched_getaffinity(0))
    shares = speed_probe.shares(len(here))
    assert shares is None or shares == [[core] for core in here]
    with executors.process_pool(2, [here[:1], here[-1:]]) as pool:
        found = [pool.submit(workers.cores) for _ in range(2)]
        assert sorted(future.result() for future in found) == sorted([here[:1], here[-1:]])


# --- the order in which jobs are handed over -------------------------------------------------------------------------


def handed_over(failing: dict[str, int], keys: str, **options: Any) -> tuple[str, list[tuple[str, int, bool]]]:
    """Which jobs were handed over, and what was told of them, where some fail so often."""
    order: list[str] = []

    def submit(key: str, attempt: int) -> Future[str]:
        order.append(key)
        future: Future[str] = Future()
        if attempt <= failing.get(key, 0):
            future.set_exception(OSError("no"))
        else:
            future.set_result(key)
        return future

    told = [(e.key, e.attempt, e.again) for e in executors.carried_out(submit, keys, **options)]
    return "".join(order), told


def test_jobs_that_would_wait_for_somebody_else_come_last() -> None:
    assert handed_over({}, "abcd", at_once=1, later="ac".__contains__)[0] == "bdac"
    assert handed_over({"b": 1}, "abc", at_once=1, later="a".__contains__)[0] == "bbca"


def test_a_queue_takes_first_what_no_other_queue_is_at(jobs_of: Callable[..., Path]) -> None:
    notes = jobs_of(workers.job_leaves_a_record)
    taken, free = seeds_of(0, 1)
    folder = store_for("synthetic") / records.identify(taken, "0123456789")
    with locks.claim(folder):
        queue.run([Item("a", "b", (taken, free))])
    first, last = ((notes / f"seed{config.seed}-0").stat().st_mtime_ns for config in (free, taken))
    assert first < last


def test_a_folder_that_another_user_owns_stops_no_other_run(
    jobs_of: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(folder: Path) -> bool:
        raise StorageError(errno.EACCES, f"{folder} could not be written")

    notes = jobs_of(workers.job_leaves_a_record)
    (store_for("synthetic") / records.identify(TINY, "0123456789")).mkdir(parents=True)
    monkeypatch.setattr(locks, "is_claimed", closed)
    assert list(queue.run([Item("a", "b", seeds_of(0, 1))])) == ["done", "done"] and len(list(notes.iterdir())) == 2


def test_what_fails_is_the_last_where_all_are_handed_over_and_the_next_where_few_are() -> None:
    assert handed_over({"a": 1}, "abc")[0] == "abca"
    assert handed_over({"a": 1}, "abc", at_once=1)[0] == "aabc"
    assert handed_over({"a": 9}, "ab", at_once=1, tries=3) == (
        "aaab", [("a", 1, True), ("a", 2, True), ("a", 3, False), ("b", 1, False)]
    )  # fmt: skip


def test_jobs_that_may_not_begin_wait_for_others_and_are_left_in_the_end() -> None:
    done: list[str] = []
    allowed = {"b": lambda: "c" in done, "x": lambda: False}

    def submit(key: str, attempt: int) -> Future[str]:
        done.append(key)
        (future := Future()).set_result(key)
        return future

    ready = {"ready": lambda key: allowed.get(key, lambda: True)()}
    assert [ended.key for ended in executors.carried_out(submit, "xbac", at_once=1, **ready)] == ["a", "c", "b"]
    assert list(executors.carried_out(submit, "x", **ready)) == []


def test_the_command_takes_as_many_processes_as_pay(
    reports: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(speed_probe, "run", lambda found, steps: asked.append([item.name for item in found]))
    monkeypatch.setattr(speed_probe, "speeds", lambda: {})
    monkeypatch.setattr(speed_probe, "paying", lambda found, steps: 3)
    monkeypatch.setattr(speed_probe, "shares", lambda workers: [[0]] * workers)

    def run(found: list[Item], *arguments: Any, **options: Any) -> pd.Series:
        asked.append((arguments, options["cores"], {c.precision for item in found for c in item.configs}))
        return pd.Series({"a": "done", "b": "failed: no"})

    monkeypatch.setattr(queue, "run", run)
    items = ["queue", "--items", "model2-fer2013", "resnet-fer2013"]
    assert main(items) == 0 and asked == [], "nothing is measured or trained unasked"
    assert "not measured" in capsys.readouterr().out
    assert main([*items, "--run", "--minutes", "5", "--float32"]) == 1, "something failed"
    assert asked == [["model2-fer2013", "resnet-fer2013"], ((3, 5.0, None), [[0]] * 3, {"float32"})]
    assert main([*items, "--run", "--workers", "1"]) == 1
    assert asked[-1] == ((1, None, None), [[0]], {"mixed_bfloat16"})
