"""Weights rounded to float16 that are committed beside a record: what finds them, and what they are worth."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from trainings import CHOSEN

from fer_utils import records
from fer_utils.__main__ import main
from fer_utils.data import load
from fer_utils.records import Record
from fer_utils.records.config import Phase
from fer_utils.training import final, predict_logits, run, weights


@pytest.fixture
def trained(tmp_path: Path) -> Record:
    return run(CHOSEN, store=tmp_path / "runs")


def test_they_are_half_as_large_and_score_as_the_exact_ones(trained: Record) -> None:
    images = load("synthetic", **CHOSEN.dataset_options).images
    exact = predict_logits(weights.rebuild(trained), images)
    path = weights.keep(trained)
    assert weights.path(trained) == trained.weights(), "the exact ones are taken while they are here"
    assert path.stat().st_size < 0.7 * trained.weights().stat().st_size
    shutil.rmtree(trained.path / "weights")
    assert weights.path(trained) == path and weights.are_here(trained) and not weights.are_here(trained, "last")
    rounded = predict_logits(weights.rebuild(trained), images)
    assert 0 < np.abs(rounded - exact).max() < 0.02
    with h5py.File(path) as file:
        types = set()
        file.visititems(lambda _, item: types.add((item.ndim > 1, str(item.dtype))) if hasattr(item, "ndim") else None)
    assert types == {(True, "float16"), (False, "float32")}
    assert records.verify(trained) == [] and weights.keep(trained) == path


def test_a_training_starts_from_them_and_a_chosen_run_is_declared_with_them(trained: Record) -> None:
    weights.keep(trained)
    weights.keep(trained, "last")
    shutil.rmtree(trained.path / "weights")
    later = run(replace(CHOSEN, start_from=trained.id, phases=(Phase(1, 1e-5),)), store=trained.path.parent)
    for before, after in zip(*(weights.rebuild(r).trainable_weights for r in (trained, later)), strict=True):
        np.testing.assert_allclose(before, after, atol=2e-3)
    declared = final.declare(trained)
    assert declared.metric() >= 0 and weights.path(declared).parent.name == "half"
    assert records.verify(declared) == []


def test_what_cannot_be_kept_is_refused_and_leaves_nothing(trained: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="keeps the epochs best_validation, last; asked for 'first'"):
        weights.keep(trained, "first")
    with monkeypatch.context() as patch:
        patch.setattr(weights, "LIMIT", 1000)
        with pytest.raises(ValueError, match=r"At most 1,000 bytes .* take [0-9,]+\. Start"):
            weights.keep(trained)
    with h5py.File(trained.weights(), "r+") as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if getattr(item, "ndim", 0) > 1 else None)
        file[names[0]][...] = 1e6
    with pytest.raises(ValueError, match="65,504"):
        weights.keep(trained)
    trained.weights().write_bytes(trained.weights().read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"must be a whole HDF5 file of weights; .* Train it again"):
        weights.keep(trained)
    assert not (trained.path / "half").exists()
    shutil.rmtree(trained.path / "weights")
    with pytest.raises(FileNotFoundError, match="python -m fer_utils rerun"):
        weights.keep(trained)


def test_the_command_says_what_it_wrote(trained: Record, capsys: pytest.CaptureFixture[str]) -> None:
    store = ["--store", str(trained.path.parent)]
    assert main(["keep", trained.id, *store, "--kept", "last"]) == 0
    (path,) = (trained.path / "half").iterdir()
    assert f"{path}: {path.stat().st_size:,} bytes" in capsys.readouterr().out
    assert main(["keep", "nothing-like-it", *store]) == 2
