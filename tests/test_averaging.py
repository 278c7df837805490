"""Test-time averaging over mirror images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_utils import averaging, scoring, tables, weights
from fer_utils.config import Phase, RunConfig
from fer_utils.data import load, splits
from fer_utils.training import run

CONFIG = RunConfig(
    "tiny", "synthetic", (Phase(1, 0.01),), dataset_options={"n_subjects": 8, "n_frames": 1}, score_test=True,
    keep=("last",),
)  # fmt: skip


def test_logits_are_the_mean_over_an_image_and_its_mirror_image(tmp_path: Path) -> None:
    record = run(CONFIG, store=tmp_path / "runs")
    assert averaging.on_record(record) is None and "mirror" not in tables.markdown([record])
    found = averaging.flips(record)
    dataset = load("synthetic", **CONFIG.dataset_options)
    rows, model = splits.make(dataset, CONFIG.split).test, weights.rebuild(record)
    plain, mirrored = (scoring.predict_logits(model, dataset.images[rows][:, :, ::step].copy()) for step in (1, -1))
    np.testing.assert_allclose(found.arrays["test"], (plain + mirrored) / 2, atol=2e-3)
    assert not np.allclose(plain, mirrored, atol=1e-2)
    right = found.arrays["test"].argmax(1) == dataset.labels[rows]
    assert found.values["test"]["accuracy"] == pytest.approx(right.mean()) and found.values["test"]["n"] == len(rows)
    assert averaging.on_record(record).values == found.values
    assert f"{100 * right.mean():.1f} with mirror images averaged" in tables.markdown([record])


def test_a_run_that_is_not_final_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Only a final run"):
        averaging.flips(run(replace(CONFIG, score_test=False), store=tmp_path / "runs"))
