"""How sure a number is: intervals, paired tests, and corrections for testing often.

Thin over SciPy. Shares and accuracies are fractions in [0, 1] unless a name says percent. Images of one
person resemble each other, so on data with several images per subject pass `clusters=subjects`: then
subjects, not images, are drawn again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

Statistic = Callable[..., float]
"""A number from arrays whose rows belong to the same images, such as `f(labels, logits)`."""


@dataclass(frozen=True)
class Interval:
    """An estimate and the range of values that the data leave plausible.

    Attributes:
        estimate, low, high: the value on the data themselves, and the ends.
        level: confidence, such as 0.95.
        n: number of images (or of seeds).
        method: how the ends were found, in words.
    """

    estimate: float
    low: float
    high: float
    level: float
    n: int
    method: str

    def percent(self, decimals: int = 1) -> str:
        """A fraction as text in percent, such as `67.3 [65.7, 68.8]`."""
        middle, low, high = (f"{100 * x:.{decimals}f}" for x in (self.estimate, self.low, self.high))
        return f"{middle} [{low}, {high}]"

    def points(self) -> str:
        """A difference as text in points, such as `+17.3 [14.1, 20.6]`."""
        middle, low, high = (round(100 * x, 1) + 0.0 for x in (self.estimate, self.low, self.high))
        return f"{middle:+.1f} [{low:.1f}, {high:.1f}]"


class McNemar(NamedTuple):
    """McNemar's test: `b` images only A got right, `c` only B, and the two-sided p-value."""

    b: int
    c: int
    p: float


class MeanSd(NamedTuple):
    """Mean and sample standard deviation (NaN for a single value) of `n` values."""

    mean: float
    sd: float
    n: int


def clusters_of(persons: ArrayLike | None) -> np.ndarray | None:
    """The persons (n,) whom a bootstrap draws; None where fewer than two are known, so that it draws images."""
    return None if persons is None or len(np.unique(persons)) < 2 else np.asarray(persons)


def wilson_interval(k: int, n: int, level: float = 0.95) -> Interval:
    """Wilson's score interval for `k` right out of `n` independent images (Wilson 1927).

    It stays sensible at 0 % and 100 %, where a bootstrap has no width.

    Raises:
        ValueError: not 0 <= k <= n with n >= 1, or level outside (0, 1).

    Example:
        >>> wilson_interval(9, 10).percent(), wilson_interval(10, 10).percent()
        ('90.0 [59.6, 98.2]', '100.0 [72.2, 100.0]')
    """
    check_level(level)
    if not 0 <= k <= n or n < 1:
        raise ValueError(f"Wilson's interval needs 0 <= k <= n and n >= 1; got k={k}, n={n}. Count images.")
    ends = stats.binomtest(int(k), int(n)).proportion_ci(confidence_level=level, method="wilson")
    return Interval(k / n, float(ends.low), float(ends.high), level, int(n), "Wilson score")


def bootstrap_interval(
    *arrays: ArrayLike,
    statistic: Statistic | None = None,
    clusters: ArrayLike | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap of a mean, or of any statistic of images (Efron 1979; `scipy.stats.bootstrap`).

    `bootstrap_interval(predicted == labels)` is the interval of an accuracy;
    `bootstrap_interval(labels, logits, statistic=f)` that of any metric `f(labels, logits)`.

    Args:
        arrays: one or more arrays of n rows, row i of each belonging to image i. Without `statistic` exactly
            one, (n,), whose mean is wanted.
        statistic: from the arrays to a float, or None for the mean. It is called `n_resamples` + 1 times.
        clusters: (n,) the subject of each image; whole subjects are then drawn. None draws images.
        n_resamples, seed: number of bootstrap samples, and the seed of the generator that draws them.
        level: confidence in (0, 1).

    Returns:
        The interval; of no width where all images agree (`intervals` beside this module has other methods).

    Raises:
        ValueError: arrays of different length, fewer than two images or clusters (none among them), NaN or infinite
            values without a statistic, level outside (0, 1).
    """
    check_level(level)
    columns = [np.asarray(array) for array in arrays]
    groups, what = _units(columns, clusters, statistic)
    of_units = _recomputed(statistic, columns, groups) if statistic else _cluster_mean(columns[0], groups)
    units = np.arange(len(groups))
    result = stats.bootstrap(
        (units,),
        of_units,
        n_resamples=n_resamples,
        batch=max(1, 4_000_000 // len(units)),
        vectorized=statistic is None,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = result.confidence_interval
    method = f"percentile bootstrap over {len(units):,} {what}, {n_resamples:,} resamples"
    return Interval(float(of_units(units)), float(low), float(high), level, len(columns[0]), method)


def paired_bootstrap_difference(
    a: ArrayLike,
    b: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    statistic: Statistic | None = None,
    clusters: ArrayLike | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Interval of A minus B, two models scored on the same images, each resample shared by both.

    Args:
        a, b: right or wrong (n,) of each model; or logits (n, k), with `labels` (n,) and `statistic`.
        labels, statistic: for another metric than accuracy: the codes int (n,) and `f(labels, logits)`.
        clusters, n_resamples, seed, level: as in `bootstrap_interval`.

    Raises:
        ValueError: as `bootstrap_interval`, or only one of `labels` and `statistic` came.
    """
    options = {"clusters": clusters, "n_resamples": n_resamples, "seed": seed, "level": level}
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        raise ValueError(f"A paired difference needs the same images for both; got {a.shape} and {b.shape}.")
    if (labels is None) != (statistic is None):
        raise ValueError("labels and statistic come together, with logits as a and b; got one of the two.")
    if statistic is None:
        return bootstrap_interval(a.astype(float) - b.astype(float), **options)

    return bootstrap_interval(
        labels, a, b, statistic=lambda y, of_a, of_b: statistic(y, of_a) - statistic(y, of_b), **options
    )


def mcnemar(correct_a: ArrayLike, correct_b: ArrayLike, exact: bool = True) -> McNemar:
    """Whether two models differ on the same images (McNemar 1947).

    Only images that exactly one model gets right count. It takes images as independent; with several
    images per subject prefer `paired_bootstrap_difference(..., clusters=subjects)`.

    Args:
        correct_a, correct_b: bool (n,), each model right or not on the same images.
        exact: two-sided binomial test of b against c; otherwise chi-squared with Edwards's correction,
            (|b - c| - 1)² / (b + c) on one degree of freedom.

    Raises:
        ValueError: the arrays differ in shape, are empty, or hold anything but true and false.

    Example:
        Of eight images A alone gets six right, B alone one.

        >>> mcnemar([1, 1, 1, 1, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0, 1, 1])
        McNemar(b=6, c=1, p=0.125)
    """
    a, b = np.asarray(correct_a), np.asarray(correct_b)
    if a.shape != b.shape or a.ndim != 1 or not len(a) or not np.isin(np.concatenate([a, b]), (0, 1)).all():
        raise ValueError(
            "McNemar's test needs two arrays (n,) of right or wrong for the same images, n >= 1; "
            f"got {a.dtype} {a.shape} and {b.dtype} {b.shape}. Pass predicted == labels of each model."
        )
    only_a, only_b = int(np.sum(a > b)), int(np.sum(b > a))
    if only_a + only_b == 0:
        return McNemar(0, 0, 1.0)
    if exact:
        return McNemar(only_a, only_b, float(stats.binomtest(only_a, only_a + only_b).pvalue))
    chi_squared = max(abs(only_a - only_b) - 1, 0) ** 2 / (only_a + only_b)
    return McNemar(only_a, only_b, float(stats.chi2.sf(chi_squared, df=1)))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's step-down adjusted p-values of one family of tests, float64 (m,), in the order given.

    The i-th smallest of m is multiplied by m - i + 1, made non-decreasing and capped at 1. Those at or below
    0.05 are significant with at most 5 % chance of any false alarm in the family (Holm 1979).

    Raises:
        ValueError: a value outside [0, 1] (NaN among them) or not a flat sequence.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        array([0.03, 0.06, 0.06])
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p-values must be a flat sequence of numbers in [0, 1]; got {p_values!r}.")
    order = np.argsort(p, kind="stable")
    stepped = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return stepped[np.argsort(order)]


def mean_sd(values: ArrayLike) -> MeanSd:
    """Mean and sample standard deviation (n - 1) over seeds or folds; the deviation of one value is NaN.

    Raises:
        ValueError: no value.
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    if len(flat) == 0:
        raise ValueError("A mean needs at least one value; got none. Check which records were found.")
    return MeanSd(float(flat.mean()), float(flat.std(ddof=1)) if len(flat) > 1 else math.nan, len(flat))


def _units(
    columns: list[np.ndarray], clusters: ArrayLike | None, statistic: Statistic | None
) -> tuple[list[np.ndarray], str]:
    """The indices of each unit that is drawn again, and what the units are called."""
    lengths = {len(column) if column.ndim else -1 for column in columns}
    if len(lengths) != 1 or -1 in lengths or (statistic is None and (len(columns) != 1 or columns[0].ndim != 1)):
        raise ValueError(
            "A bootstrap needs one array (n,) for a mean, or a statistic and arrays of the same n rows; "
            f"got shapes {[column.shape for column in columns]} and statistic {statistic!r}."
        )
    n, what = lengths.pop(), "images" if clusters is None else "subjects"
    names = np.arange(n) if clusters is None else np.asarray(clusters)
    if names.shape != (n,):
        raise ValueError(f"clusters must name the subject of each of {n} images; got shape {names.shape}.")
    _, codes, sizes = np.unique(names, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise ValueError(
            f"A bootstrap needs at least two {what} to draw from; got {len(sizes)}. Check that this part was scored."
        )
    if statistic is None and not np.isfinite(columns[0]).all():
        bad = int(np.sum(~np.isfinite(columns[0])))
        raise ValueError(f"A mean needs finite values; {bad} of {n} are not. Drop or mend these images.")
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(sizes)[:-1]), what


def _cluster_mean(values: np.ndarray, groups: list[np.ndarray]) -> Callable[..., np.ndarray]:
    """Mean over all images of the units drawn, for many draws at once: units int (..., m) to float (...)."""
    sums = np.array([values[group].sum(dtype=np.float64) for group in groups])
    sizes = np.array([len(group) for group in groups])

    def mean(units: np.ndarray, axis: int = -1) -> np.ndarray:
        return sums[units].sum(axis=axis) / sizes[units].sum(axis=axis)

    return mean


def _recomputed(statistic: Statistic, columns: list[np.ndarray], groups: list[np.ndarray]) -> Statistic:
    """The statistic of the images of the units drawn: units int (m,) to float."""

    def of_units(units: np.ndarray) -> float:
        rows = np.concatenate([groups[unit] for unit in units])
        return float(statistic(*(column[rows] for column in columns)))

    return of_units


def check_level(level: float) -> None:
    """Raise ValueError unless 0 < level < 1."""
    if not 0 < level < 1:
        raise ValueError(f"level is a confidence between 0 and 1, such as 0.95; got {level}.")
