"""Declaring a run final after it was chosen on validation images."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from trainings import CHOSEN

from fer_utils import records
from fer_utils.__main__ import main
from fer_utils.records import Record
from fer_utils.training import final, run, weights


@pytest.fixture
def chosen(tmp_path: Path) -> Record:
    return run(CHOSEN, store=tmp_path / "runs")


def test_it_is_the_record_of_a_training_that_was_final_from_the_start(chosen: Record, tmp_path: Path) -> None:
    declared = final.declare(chosen)
    straight = run(replace(CHOSEN, score_test=True), store=tmp_path / "straight")
    assert declared.id == straight.id and declared.run["parent"] == chosen.id and records.verify(declared) == []
    assert "test" not in chosen.run["metrics"]
    for kept in ("best_validation", "last"):
        for part in ("validation", "test"):
            for one, other in zip(declared.predictions(part, kept), straight.predictions(part, kept), strict=True):
                np.testing.assert_allclose(one, other, atol=1e-3)
    assert (declared.context("test", "subjects") == straight.context("test", "subjects")).all()
    assert declared.history.equals(chosen.history) and weights.are_here(declared)


def test_epochs_whose_weights_are_gone_may_be_left_out(chosen: Record) -> None:
    weights.path(chosen, "last").unlink()
    with pytest.raises(FileNotFoundError, match="python -m fer_utils rerun"):
        final.declare(chosen)
    with pytest.raises(ValueError, match="keeps the epochs best_validation, last; asked for 'block_1'"):
        final.declare(chosen, kept=["block_1"])
    declared = final.declare(chosen, kept=["best_validation"])
    assert declared.kept == declared.config.keep == ("best_validation",) and records.verify(declared) == []
    assert 0 < declared.metric() <= 1 and final.declare(chosen, kept=["best_validation"]) == declared
    with pytest.raises(ValueError, match=f"{declared.id} has read it at best_validation; asked for best_validation, l"):
        final.declare(chosen)


def test_it_is_scored_once(chosen: Record) -> None:
    declared = final.declare(chosen)
    shutil.rmtree(chosen.path / "weights")
    assert final.declare(chosen) == declared == final.declare(chosen, kept=["last"]), "loaded, not scored again"
    with pytest.raises(ValueError, match="has scored its test part"):
        final.declare(declared)


def test_without_weights_or_the_same_data_it_is_refused(chosen: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    other = {**chosen.run, "dataset": {**chosen.run["dataset"], "fingerprint": "0123456789abcdef"}}
    with monkeypatch.context() as patch:
        patch.setitem(chosen.__dict__, "run", other)
        with pytest.raises(ValueError, match=r"trained on \(0123456789abcdef\); got .* \(--root\)"):
            final.declare(chosen)
    shutil.rmtree(chosen.path / "weights")
    with pytest.raises(FileNotFoundError, match="python -m fer_utils rerun"):
        final.declare(chosen)
    assert [path.name for path in chosen.path.parent.iterdir()] == [chosen.id]


def test_the_command_prints_what_was_scored(chosen: Record, capsys: pytest.CaptureFixture[str]) -> None:
    store = ["--store", str(chosen.path.parent)]
    assert main(["declare", chosen.id, *store]) == 0
    printed = capsys.readouterr().out
    (made,) = (path for path in chosen.path.parent.iterdir() if path.name != chosen.id)
    assert made.name in printed and "calibration-" in printed and f"{Record(made).metric():.4f}" in printed
    assert main(["declare", "nothing-like-it", *store]) == 2
