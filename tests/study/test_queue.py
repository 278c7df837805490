"""The full study's queue: what is in it, what it will take, and what becomes of it when the time is over."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fer_utils import records
from fer_utils.files.paths import store_for
from fer_utils.records.config import Phase, RunConfig
from fer_utils.study import queue, speed_probe

ROOT = Path(__file__).resolve().parents[2]
TINY = RunConfig("tiny", "synthetic", (Phase(1, 1e-3),), batch_size=32, dataset_options={"n_subjects": 6})


def declared(number: str, *cells: str) -> dict[str, Any]:
    """Names that some cells of a notebook define, with its own parameters: those of the full study."""
    (notebook,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    found = {cell["id"]: "".join(cell["source"]) for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]}
    names: dict[str, Any] = {"print": lambda *_: None}
    for cell in cells:
        exec(found[cell], names)
    return names


def test_the_queue_holds_what_the_notebooks_will_ask_for() -> None:
    queued = {config.key for item in queue.items() for config in item.configs}
    plain = declared("03", "imports", "parameters", "derived", "declare")
    wanted = [config for configs in plain["declared"].values() for config in configs]
    losses = declared("05", "setup", "parameters", "declare")
    wanted += [config for loss in losses["losses"] for config in losses["declare"](loss, losses["seeds"])]
    xception = declared("04", "imports", "parameters", "derived")
    wanted += xception["declare"]("reported") + xception["declare"]("sound")
    transfer = declared("07", "imports", "parameters", "derived")
    once = (Phase(sum(transfer["transfer_epochs"]), 1e-3, "cosine", warmup_epochs=1),)
    wanted += transfer["declare"]("compact", "ckplus", {}, once, batch_size=16, augmentation="light")
    assert len(wanted) > 60 and not {config.key for config in wanted} - queued


def test_items_are_final_or_choose_on_validation_and_stand_once() -> None:
    names = [item.name for item in queue.items()]
    assert names[0] == "plain" and names[-1] == "psg-folds" and len(set(names)) == len(names)
    for item in queue.items():
        assert item.configs
        for config in item.configs:
            assert config.score_test or config.monitor == "validation"
            assert "best_test" not in config.keep or config.protocol == "reported"
    assert [item.name for item in queue.chosen(["strong", "plain"])] == ["plain", "strong"]
    with pytest.raises(ValueError, match=r"Items of the queue are plain, .*; got other"):
        queue.chosen(["other"])


def test_hours_follow_from_the_images_a_second() -> None:
    config = queue.chosen(["compact"])[0].configs[0]
    keys = {queue.speed_key(config, phase.size) for phase in config.phases}
    assert keys == {f"compact, {size} px, batch 128, strong" for size in (32, 40, 48)}
    assert queue.hours(config, dict.fromkeys(keys, 1000.0)) == pytest.approx(72 * 28_709 / 1000 / 3600)
    assert queue.hours(config, {}) is None
    item = queue.Item("a", "b", (config, config))
    assert queue.table([item]).loc["a", "hours alone"] == "not measured"
    assert queue.table([item]).loc["a", "runs"] == 1


@pytest.fixture
def item(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> queue.Item:
    monkeypatch.setenv("FER_REPORTS", str(tmp_path))
    wrong = replace(TINY, model_options={"width": -1.0})
    return queue.Item("a", "b", (TINY, wrong, replace(TINY, seed=1)))


def test_what_fails_is_named_and_stops_nothing_else(item: queue.Item) -> None:
    state = queue.run([item])
    assert list(state) == ["done", state.iloc[1], "done"] and state.iloc[1].startswith("failed: ValueError: width")
    assert len(records.find_all(store_for("synthetic"))) == 2
    assert len(queue.missing(item)) == 1, "what is on record is not trained again"


def test_when_the_time_is_over_the_rest_waits(item: queue.Item) -> None:
    long = replace(TINY, phases=(Phase(100_000, 1e-3),))
    state = queue.run([queue.Item("a", "b", (long, TINY))], minutes=1e-3)
    assert list(state) == ["not begun", "not begun"]
    assert not records.find_all(store_for("synthetic"))


def test_a_probe_times_what_is_missing(item: queue.Item, monkeypatch: pytest.MonkeyPatch) -> None:
    only = queue.Item("a", "b", item.configs[:1])
    table = speed_probe.run([only], steps=2)
    assert list(table.index) == ["tiny, 48 px, batch 32, none"] and (table > 0).all(axis=None)
    assert list(table) == ["bare", "fed", "generator"]
    assert speed_probe.speeds() == table["fed"].to_dict()
    pd.testing.assert_frame_equal(speed_probe.run([only], steps=2), table)  # loaded
    other = queue.Item("b", "c", (replace(TINY, batch_size=16),))
    assert speed_probe.speeds() | speed_probe.run([other], steps=2)["fed"].to_dict() == speed_probe.speeds()
    assert len(speed_probe.speeds()) == 2, "a second probe adds to the first"
    assert speed_probe.speeds("another device") == {}
