"""Figures and tables of records: kept epochs, the surest answers, and the networks side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_records import finished

from fer_utils.data import load, splits
from fer_utils.data.splits import SplitSpec
from fer_utils.records.config import Phase, RunConfig
from fer_utils.report import record_figures, records_index, side_by_side
from fer_utils.report.audit.verdicts import NOT_MEASURED
from fer_utils.study import protocols
from fer_utils.study.pooling import Pooled

CONFIG = RunConfig(
    "tiny", "synthetic", (Phase(2, 1e-3),), split=SplitSpec("random", test_size=0.5, seed=1), monitor="test",
    keep=("last", "best_test"), score_test=True,
)  # fmt: skip


def texts(figure: object) -> str:
    return " ".join(t.get_text() for t in figure.findobj(lambda artist: hasattr(artist, "get_text")))  # type: ignore


def test_curves_name_a_watched_test_set_in_capitals(tmp_path: Path) -> None:
    record = finished(tmp_path, CONFIG, [0.5, 0.6, 0.7])
    history = record.history.assign(loss=1.0, val_loss=1.0)[["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]]
    history.to_csv(record.path / "history.csv", index=False)
    shown = texts(record_figures.learning_curves(type(record)(record.path), "quick"))
    assert "TEST SET" in shown and "best TEST" in shown and "n = 5,000" in shown


def test_the_surest_answers_are_of_one_kind_and_of_different_sequences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = load("synthetic", n_subjects=4)
    rows = splits.make(faces, CONFIG.split).test
    record = finished(tmp_path, CONFIG, [0.5, 0.6, 0.7], n=len(rows))
    with pytest.raises(ValueError, match="records' own images"):
        record_figures.surest_answers(faces, [record], right=True, published=True, profile="quick")
    truth = faces.labels[rows]
    said = np.where(np.arange(len(rows)) % 2, truth, (truth + 1) % 7)
    answered = Pooled(truth, np.eye(7)[said], None, faces.class_names)
    monkeypatch.setattr(record_figures, "first_seed", lambda runs: answered)
    figure = record_figures.surest_answers(faces, [record], right=False, published=True, profile="quick", n=5)
    assert "Wrong predictions" in texts(figure) and texts(figure).count("%") == texts(figure).count("labelled") == 5
    confidence = np.linspace(0, 1, len(rows))
    picked = record_figures._surest(faces, rows, confidence, np.ones(len(rows), bool), True)
    assert len(np.unique(faces.sequences[rows][picked])) == len(picked) == len(np.unique(faces.sequences[rows]))
    assert (np.diff(confidence[picked]) < 0).all()


def test_networks_side_by_side_say_what_is_not_measured(tmp_path: Path) -> None:
    for name in ("runs", "measurements"):
        (tmp_path / name).mkdir()
    (config,) = protocols.configs("iitk2023_model2", "ckplus", "reported")
    finished(tmp_path / "runs", config, [0.9, 0.95, 1.0], subjects=np.repeat(np.arange(10), 4))
    table = side_by_side.table(records_index.read(tmp_path), ["iitk2023"])
    assert len(table) == 4 and table.loc[("iitk2023, Model 2", "CK+48"), "as reported"].startswith("95.0 [")
    assert (table["sound"] == NOT_MEASURED).all() and (table["difference"] == "–").all()
