"""How far the best of several equal numbers lies above their mean: seeds, folds, hold-outs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import integrate
from scipy import stats as scipy_stats

from fer_utils.evaluation.statistics import Interval


def expected_maximum(n: int) -> float:
    """Mean of the largest of n independent standard normal numbers: 0.56, 0.85, 1.16 for 2, 3, 5."""
    normal = scipy_stats.norm
    return integrate.quad(lambda x: n * x * normal.pdf(x) * normal.cdf(x) ** (n - 1), -10, 10)[0]


def best_of(values: ArrayLike, n: int | None = None, level: float = 0.95) -> Interval:
    """How far the best of n lies above the mean, expected if they vary normally; never negative.

    That is `expected_maximum` times the standard deviation; its interval is that of the standard deviation
    (chi-squared).

    Args:
        values: (m,) of seeds; or (g, m), m folds of each of g seeds: deviations from their seed's mean are pooled.
        n: how many are tried; default: m.
        level: confidence.

    Returns:
        The interval, in the unit of the values; its `n` is m.

    Raises:
        ValueError: fewer than two values to compare.
    """
    rows = np.atleast_2d(np.asarray(values, dtype=np.float64))
    g, m = rows.shape
    if m < 2:
        raise ValueError(f"A spread needs at least two values to compare; got {m}. Train more seeds, or take folds.")
    df = g * (m - 1)
    size = expected_maximum(n or m) * np.sqrt(rows.var(axis=1, ddof=1).mean())
    low, high = size * np.sqrt(df / scipy_stats.chi2.ppf([(1 + level) / 2, (1 - level) / 2], df=df))
    what = f"chi-squared, sd of {m}" + (f" folds within {g} seeds" if g > 1 else "")
    return Interval(float(size), float(low), float(high), level, m, what)
