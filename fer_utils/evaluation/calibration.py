"""Does a probability of 80 % mean right in 80 of 100 cases? Measures of calibration, and two ways to mend it.

Whatever mends probabilities is fitted on validation images, never on those it is judged by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression

from fer_utils.evaluation import metrics, statistics

Calibrator = Callable[[np.ndarray], np.ndarray]
"""From scores float (n, k) to probabilities float64 (n, k)."""

_RANGE = (-5.0, 5.0)  # of the logarithm of a temperature: 0.007 to 148


def log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Negative log-likelihood (NLL): mean -log p of the true class, in nats; 0 is best.

    Args:
        labels: int (n,) in 0..k-1.
        probabilities: float (n, k), rows sum to 1. Values are clipped to [eps, 1 - eps] with the machine epsilon of
            their type, so that a zero costs 36.0 nats in float64 but only 6.9 in float16: pass float64.
    """
    return float(sk.log_loss(labels, probabilities, labels=range(np.shape(probabilities)[1])))


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Brier's score: mean over images of the squared distance sum_k (p_k - y_k)^2, in [0, 2]; 0 is best (Brier 1950).

    Args:
        labels: int (n,) in 0..k-1.
        probabilities: float (n, k), rows sum to 1.

    Raises:
        ValueError: no image, or labels that are not codes of columns.
    """
    labels, probabilities = metrics.checked(labels, probabilities)
    return float(np.mean(np.sum((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2, axis=1)))


def summary(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """`accuracy`, mean `confidence` (probability of the predicted class), `ece`, `nll` and `brier`."""
    return {
        "accuracy": float(np.mean(metrics.predict(probabilities) == labels)),
        "confidence": float(np.max(probabilities, axis=1).mean()),
        "ece": metrics.expected_calibration_error(labels, probabilities),
        "nll": log_loss(labels, probabilities),
        "brier": brier(labels, probabilities),
    }


def table(
    scored: Mapping[Any, tuple[np.ndarray, np.ndarray]], by_chance: bool = True, clusters: np.ndarray | None = None
) -> pd.DataFrame:
    """`summary` of several sets of probabilities, a row each, as text for readers.

    Args:
        scored: name of the row -> labels int (n,) and probabilities float (n, k).
        by_chance: adds `ece_by_chance`, mean and range.
        clusters: of `ece_by_chance`, the same for all rows.
    """
    rows = {}
    for name, (labels, probabilities) in scored.items():
        rows[name] = {key: f"{value:.3f}" for key, value in summary(labels, probabilities).items()}
        if by_chance:
            chance = ece_by_chance(probabilities, clusters)
            rows[name]["ECE by chance alone"] = "{:.3f} ({:.3f} to {:.3f})".format(*chance)
    return pd.DataFrame(rows).T.rename(columns={"ece": "ECE", "nll": "NLL", "brier": "Brier"})


def reliability(labels: np.ndarray, probabilities: np.ndarray, n_bins: int = 10) -> pd.DataFrame:
    """Accuracy against confidence: the table behind a reliability diagram.

    Args:
        labels: int (n,) in 0..k-1.
        probabilities: float (n, k), rows sum to 1.
        n_bins: bins of equal width over (0, 1].

    Returns:
        One row per bin that holds images, indexed by the bin's number from 0: `n`, mean `confidence`, `accuracy` and
        its 95 % Wilson interval `low`, `high` (which takes images as independent).
    """
    confidence, right = np.max(probabilities, axis=1), metrics.predict(probabilities) == labels
    bins = metrics.confidence_bins(confidence, n_bins)
    rows = {}
    for place in np.unique(bins):
        inside = bins == place
        interval = statistics.wilson_interval(int(right[inside].sum()), int(inside.sum()))
        rows[place] = {
            "n": interval.n, "confidence": confidence[inside].mean(), "accuracy": interval.estimate,
            "low": interval.low, "high": interval.high,
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")


def temperature(labels: np.ndarray, scores: np.ndarray) -> float:
    """The T > 0 for which softmax(scores / T) has the smallest NLL (Guo et al. 2017).

    Args:
        labels: int (n,) of *validation* images.
        scores: float (n, k), logits or margins.

    Returns:
        Between 0.007 and 148; an end of this range says that the scores tell nothing, or everything.

    Raises:
        ValueError: no image, or labels that are not codes of columns.

    Example:
        Three of four predictions are right, so the best T makes their probability 75 %: 4 / T = ln 3.

        >>> round(temperature(np.array([0, 0, 0, 1]), np.array([[4.0, 0.0]] * 4)), 2)
        3.64
    """
    if len(labels) == 0:
        raise ValueError("A temperature is fitted on validation images; got none. Pass their labels and scores.")
    labels, scores = metrics.checked(labels, scores)
    rows = np.arange(len(labels))

    def nll(log_t: float) -> float:
        return float(-np.log(np.maximum(metrics.softmax(scores / np.exp(log_t))[rows, labels], 1e-300)).mean())

    return float(np.exp(optimize.minimize_scalar(nll, bounds=_RANGE, method="bounded").x))


def uncalibrated(labels: np.ndarray, scores: np.ndarray) -> Calibrator:
    """The softmax of the scores as they are; takes the arguments of `by_temperature` and fits nothing."""
    return metrics.softmax


def by_temperature(labels: np.ndarray, scores: np.ndarray) -> Calibrator:
    """Temperature scaling (Guo et al. 2017): softmax(scores / T) with one T for all; no prediction changes.

    Args:
        labels, scores: of validation images, as for `temperature`.
    """
    t = temperature(labels, scores)
    return lambda new: metrics.softmax(np.asarray(new, np.float64) / t)


def by_regression(labels: np.ndarray, scores: np.ndarray, penalty: float = 1.0) -> Calibrator:
    """Multinomial logistic regression on the scores, Platt's scaling for k classes (Platt 1999).

    It may weigh and shift classes, so it can change predictions; with k (k + 1) numbers to fit it needs more
    validation images than a temperature does. Scores are centred and brought to standard deviation 1 first.

    Args:
        labels, scores: of validation images; a class without any keeps the probability 0.
        penalty: weight of the L2 penalty, scikit-learn's 1 / C.

    Raises:
        ValueError: fewer than two classes among the labels.
    """
    if (found := len(np.unique(labels))) < 2:
        raise ValueError(
            f"A regression needs validation images of at least two classes; {len(labels)} images show {found}. "
            "Use by_temperature, or more images."
        )
    scores = np.asarray(scores, np.float64)
    k, mean = scores.shape[1], scores.mean(axis=0)
    sd = max(float((scores - mean).std()), 1e-12)
    model = LogisticRegression(C=1 / penalty, max_iter=2000).fit((scores - mean) / sd, labels)

    def probabilities(new: np.ndarray) -> np.ndarray:
        found = np.zeros((len(new), k))
        found[:, model.classes_] = model.predict_proba((np.asarray(new, np.float64) - mean) / sd)
        return found

    return probabilities


def ece_by_chance(
    probabilities: np.ndarray, clusters: np.ndarray | None = None, n_draws: int = 200, seed: int = 0
) -> tuple[float, float, float]:
    """What ECE comes to although nothing is wrong: mean, 2.5 % and 97.5 % quantile.

    ECE is never negative, so with few images per bin it is above 0 even where every probability is right. Labels are
    drawn from the probabilities themselves, and the ECE computed, `n_draws` times.

    Args:
        probabilities: float (n, k), rows sum to 1.
        clusters: int (n,); images of one cluster, such as the frames of a sequence, share one random number, because
            they are right or wrong together. None for independent images.
        n_draws, seed: how often, and of the generator.
    """
    rng, cumulated = np.random.default_rng(seed), np.cumsum(probabilities, axis=1)
    whose = np.arange(len(cumulated)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    found = []
    for _ in range(n_draws):
        labels = (rng.random((max(whose) + 1, 1))[whose] * cumulated[:, -1:] >= cumulated).sum(axis=1)
        found.append(metrics.expected_calibration_error(labels, probabilities))
    return float(np.mean(found)), *map(float, np.quantile(found, [0.025, 0.975]))
