"""Averaging at test time, over views of an image and over networks."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fer_utils.analysis import ensembling
from fer_utils.data import load, preparation, splits
from fer_utils.evaluation import metrics
from fer_utils.records.config import Phase, RunConfig
from fer_utils.report import pages
from fer_utils.training import run, scoring, weights

CONFIG = RunConfig(
    "tiny", "synthetic", (Phase(1, 0.01),), dataset_options={"n_subjects": 8, "n_frames": 1}, score_test=True,
    keep=("last",),
)  # fmt: skip


def test_logits_are_the_mean_over_an_image_and_its_mirror_image(tmp_path: Path) -> None:
    record = run(CONFIG, store=tmp_path / "runs")
    assert ensembling.on_record(record) is None and "mirror" not in pages.markdown([record])
    found = ensembling.averaged(record)
    dataset = load("synthetic", **CONFIG.dataset_options)
    rows, model = splits.make(dataset, CONFIG.split).test, weights.rebuild(record)
    plain, mirrored = (scoring.predict_logits(model, dataset.images[rows][:, :, ::step].copy()) for step in (1, -1))
    np.testing.assert_allclose(found.arrays["test"], (plain + mirrored) / 2, atol=2e-3)
    assert not np.allclose(plain, mirrored, atol=1e-2)
    right = found.arrays["test"].argmax(1) == dataset.labels[rows]
    assert found.values["test"]["accuracy"] == pytest.approx(right.mean()) and found.values["test"]["n"] == len(rows)
    assert ensembling.on_record(record).values == found.values
    assert f"{100 * right.mean():.1f} with mirror images averaged" in pages.markdown([record])


def test_a_run_that_is_not_final_is_measured_on_validation_alone(tmp_path: Path) -> None:
    record = run(replace(CONFIG, score_test=False), store=tmp_path / "runs")
    found = ensembling.averaged(record, views="six")
    assert found.arrays.keys() == {"validation"} and "test" not in found.values
    assert ensembling.on_record(record) is None, "another measurement"
    assert ensembling.on_record(record, "six").values == found.values


def test_mirror_images_are_averaged_where_they_were_measured(tmp_path: Path) -> None:
    record = run(replace(CONFIG, score_test=False), store=tmp_path / "runs")
    ensembling.averaged(record)
    assert len(ensembling.ensemble([record], "validation", "mirror").labels)
    final = replace(record.config, score_test=True)
    with pytest.raises(ValueError, match=r"were not, on test\. Measure them .* final runs alone"):
        ensembling._logits(SimpleNamespace(config=final, id=record.id, path=record.path), "test", "mirror")
    with pytest.raises(ValueError, match="views is one of one, mirror, six; got 'ten'"):
        ensembling.averaged(record, views="ten")


def test_six_views_are_an_image_and_its_mirror_image_at_three_sizes(tmp_path: Path) -> None:
    record = run(CONFIG, store=tmp_path / "runs")
    dataset, model = load("synthetic", **CONFIG.dataset_options), weights.rebuild(record)
    images = dataset.images[splits.make(dataset, CONFIG.split).test]
    framed = np.pad(images, ((0, 0), (3, 3), (3, 3)), "edge")
    near, far = images[:, 2:-2, 2:-2], framed[:, :-1, :-1]  # 44 and 53 pixels of side, about 0.9 and 1.1 times 48
    expected = np.mean([model.predict(preparation.prepare(np.ascontiguousarray(view), 48), verbose=0)
                        for part in (near, images, far) for view in (part, part[:, :, ::-1])], axis=0)  # fmt: skip
    found = ensembling.averaged(record, views="six").arrays["test"]
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99
    assert not np.allclose(found, ensembling.averaged(record).arrays["test"], atol=2e-3)


def test_an_ensemble_is_the_mean_of_probabilities(tmp_path: Path) -> None:
    members = [run(replace(CONFIG, seed=seed), store=tmp_path / "runs") for seed in (0, 1)]
    both = ensembling.ensemble(members)
    shares = [metrics.softmax(member.predictions("test")[1]) for member in members]
    np.testing.assert_allclose(metrics.softmax(both.logits), np.mean(shares, axis=0), atol=1e-9)
    assert (both.labels == members[0].predictions("test")[0]).all()
    table = ensembling.disagreement(members)
    assert table.shape == (2, 2) and (np.diag(table) == 0).all() and table[0, 1] == table[1, 0]
    assert table[0, 1] == np.mean(shares[0].argmax(1) != shares[1].argmax(1))
    with pytest.raises(ValueError, match="were not, on test"):
        ensembling.ensemble(members, views="mirror")
    assert ensembling.known(members, "one") and ensembling.known(members, "mirror")
    mirrored = [ensembling.averaged(member).arrays["test"].astype(float) for member in members]
    expected = np.mean([metrics.softmax(logits) for logits in mirrored], axis=0)
    found = metrics.softmax(ensembling.ensemble(members, views="mirror").logits)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_views_are_not_known_without_weights(tmp_path: Path) -> None:
    record = run(CONFIG, store=tmp_path / "runs")
    shutil.rmtree(record.path / "weights")
    assert ensembling.known([record], "one") and not ensembling.known([record], "six")


def test_an_ensemble_needs_one_split(tmp_path: Path) -> None:
    other = replace(CONFIG, split=splits.SplitSpec("kfold", groups="subjects", n_folds=2, validation_size=0.25))
    members = [run(config, store=tmp_path / "runs") for config in (CONFIG, other)]
    with pytest.raises(ValueError, match="share one split; got 2 runs on 2"):
        ensembling.ensemble(members)
    with pytest.raises(ValueError, match="got 0 runs on 0"):
        ensembling.ensemble([])
