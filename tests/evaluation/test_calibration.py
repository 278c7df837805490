"""Calibration against scikit-learn and values by hand; what is fitted on validation mends test."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import calibration as sk_calibration
from sklearn import metrics as sk

from fer_utils.evaluation import calibration, metrics


@pytest.fixture
def scored() -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from the softmax of logits (2000, 4): calibrated by construction."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (2000, 4))
    labels = np.array([rng.choice(4, p=p) for p in metrics.softmax(logits)])
    return labels, logits


def test_log_loss_and_brier_are_scikit_learns(scored: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = scored[0], metrics.softmax(scored[1])
    assert calibration.log_loss(labels, probabilities) == pytest.approx(sk.log_loss(labels, probabilities))
    assert calibration.brier(labels, probabilities) == pytest.approx(
        sum(sk.brier_score_loss(labels == k, probabilities[:, k]) for k in range(4))
    )


def test_brier_by_hand() -> None:
    assert calibration.brier(np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]])) == 1.0
    assert calibration.brier(np.array([0]), np.array([[0.5, 0.3, 0.2]])) == pytest.approx(0.25 + 0.09 + 0.04)


def test_a_class_that_does_not_occur_still_counts() -> None:
    probabilities = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1]])
    assert calibration.log_loss(np.array([0, 1]), probabilities) == pytest.approx(-np.log(0.7))


def test_reliability_is_scikit_learns_curve_of_the_predicted_class(scored: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = scored[0], metrics.softmax(scored[1])
    table = calibration.reliability(labels, probabilities, n_bins=10)
    right, confidence = probabilities.argmax(axis=1) == labels, probabilities.max(axis=1)
    accuracy, mean = sk_calibration.calibration_curve(right, confidence, n_bins=10)
    np.testing.assert_allclose(table["accuracy"], accuracy)
    np.testing.assert_allclose(table["confidence"], mean)
    assert table["n"].sum() == 2000 and (table["low"] <= table["accuracy"]).all()
    ece = (table["n"] * (table["accuracy"] - table["confidence"]).abs()).sum() / 2000
    assert ece == pytest.approx(metrics.expected_calibration_error(labels, probabilities, n_bins=10))


def test_summary_by_hand() -> None:
    found = calibration.summary(np.array([0, 1]), np.array([[0.8, 0.2], [0.6, 0.4]]))
    assert found["accuracy"] == 0.5 and found["confidence"] == pytest.approx(0.7)
    assert found["nll"] == pytest.approx(-(np.log(0.8) + np.log(0.4)) / 2)
    assert found["ece"] == pytest.approx((0.2 + 0.6) / 2)


@pytest.mark.parametrize("factor", [0.2, 1.0, 5.0])
def test_temperature_undoes_a_factor(scored: tuple[np.ndarray, np.ndarray], factor: float) -> None:
    labels, logits = scored
    assert calibration.temperature(labels, factor * logits) == pytest.approx(factor, rel=0.1)


def test_temperature_is_the_best_of_a_fine_search(scored: tuple[np.ndarray, np.ndarray]) -> None:
    labels, logits = scored[0], 3 * scored[1]
    grid = np.exp(np.linspace(0.5, 1.7, 121))
    losses = [calibration.log_loss(labels, metrics.softmax(logits / t)) for t in grid]
    assert calibration.temperature(labels, logits) == pytest.approx(grid[np.argmin(losses)], rel=0.01)


def test_temperature_changes_no_prediction(scored: tuple[np.ndarray, np.ndarray]) -> None:
    labels, logits = scored
    mended = calibration.by_temperature(labels, logits)(logits)
    np.testing.assert_array_equal(metrics.predict(mended), metrics.predict(logits))
    np.testing.assert_allclose(mended.sum(axis=1), 1)


def test_what_is_fitted_on_one_half_mends_the_other(scored: tuple[np.ndarray, np.ndarray]) -> None:
    """Margins that are a tenth of calibrated logits: their softmax is far too unsure."""
    labels, margins = scored[0], scored[1] / 10
    fit, new = slice(0, 1000), slice(1000, None)
    plain, temperature, regression = (
        calibration.summary(labels[new], method(labels[fit], margins[fit])(margins[new]))
        for method in (calibration.uncalibrated, calibration.by_temperature, calibration.by_regression)
    )
    assert plain["ece"] > 0.25
    assert max(temperature["ece"], regression["ece"]) < 0.06
    assert max(temperature["nll"], regression["nll"]) < plain["nll"] - 0.3


def test_regression_leaves_a_class_it_never_saw_at_zero(scored: tuple[np.ndarray, np.ndarray]) -> None:
    labels, logits = scored
    seen = labels != 3
    found = calibration.by_regression(labels[seen], logits[seen])(logits)
    assert found.shape == (2000, 4) and (found[:, 3] == 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_regression_does_not_depend_on_the_unit_of_the_scores(scored: tuple[np.ndarray, np.ndarray]) -> None:
    labels, logits = scored
    one, other = (calibration.by_regression(labels, f * logits)(f * logits) for f in (1.0, 100.0))
    np.testing.assert_allclose(one, other, atol=1e-3)


def test_regression_does_not_depend_on_where_the_scores_of_a_class_lie(scored: tuple[np.ndarray, np.ndarray]) -> None:
    labels, logits = scored
    moved = logits + np.array([0.0, 500.0, 0.0, 0.0])
    one, other = (calibration.by_regression(labels, scores)(scores) for scores in (logits, moved))
    np.testing.assert_allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("measure", [calibration.brier, calibration.temperature])
def test_labels_that_are_no_codes_are_refused(measure: Callable[..., float]) -> None:
    with pytest.raises(ValueError, match=r"integers in 0..1, .* from -1 to 0"):
        measure(np.array([-1, 0]), np.full((2, 2), 0.5))


def test_ece_by_chance_shrinks_with_more_images_and_covers_calibrated_labels(scored: tuple) -> None:
    labels, probabilities = scored[0], metrics.softmax(scored[1])
    mean, low, high = calibration.ece_by_chance(probabilities, n_draws=60)
    assert 0 < low < mean < high < 0.06
    assert low < metrics.expected_calibration_error(labels, probabilities) < high
    assert calibration.ece_by_chance(probabilities[:100], n_draws=60)[0] > 2 * mean
    certain = np.eye(3)[[0, 1, 2]]
    assert calibration.ece_by_chance(certain, n_draws=5) == (0.0, 0.0, 0.0)


def test_frames_that_are_right_together_count_once_in_ece_by_chance(scored: tuple) -> None:
    probabilities = metrics.softmax(scored[1])[:200]
    frames = np.repeat(probabilities, 3, axis=0)
    together = calibration.ece_by_chance(frames, np.repeat(np.arange(200), 3), n_draws=60)
    np.testing.assert_allclose(together, calibration.ece_by_chance(probabilities, n_draws=60))
    apart = calibration.ece_by_chance(frames, n_draws=60)
    assert apart[2] < 0.8 * together[2], "as independent images they would promise more"


def test_table_has_a_row_per_method() -> None:
    labels, sure = np.array([0, 1]), np.array([[0.8, 0.2], [0.6, 0.4]])
    table = calibration.table({"a": (labels, sure), "b": (labels, np.eye(2))})
    assert list(table.columns) == ["accuracy", "confidence", "ECE", "NLL", "Brier", "ECE by chance alone"]
    assert table.loc["a", "ECE"] == "0.400" and table.loc["b", "ECE by chance alone"] == "0.000 (0.000 to 0.000)"
    assert "ECE by chance alone" not in calibration.table({"a": (labels, sure)}, by_chance=False)


def test_fits_refuse_what_they_cannot_fit() -> None:
    scores = np.random.default_rng(0).normal(size=(5, 3))
    with pytest.raises(ValueError, match="at least two classes; 5 images show 1"):
        calibration.by_regression(np.zeros(5, int), scores)
    with pytest.raises(ValueError, match="at least two classes; 0 images show 0"):
        calibration.by_regression(np.zeros(0, int), scores[:0])
    with pytest.raises(ValueError, match="validation images; got none"):
        calibration.by_temperature(np.zeros(0, int), scores[:0])
