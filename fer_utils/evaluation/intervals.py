"""Intervals of accuracies and of their differences: one rule for every table of the study.

What was drawn by chance is persons (images, where nobody tells who is shown) and seeds. How many persons have an answer
of the rarer kind, wrong ones at 98 %, decides the method, since the bootstrap has no width where all answers are right:

- fewer than `TOO_FEW`: exact by persons (Clopper and Pearson 1934); for the lower end a wrong answer counts as wrong
  with its person, for the upper one as much of the person as its share of the person's images;
- fewer than `FEW`: Wilson's interval with n divided by the design effect, which the persons tell (Kish 1965);
- else one seed: the percentile bootstrap over persons;
- several seeds: Student's t with Satterthwaite's degrees of freedom, from the variances over seeds, over persons and of
  both together (Satterthwaite 1946), cut at 0 and 1.

`fer_utils.evaluation.simulations` shows how often each contains the truth.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as scipy_stats

from fer_utils.evaluation import statistics
from fer_utils.evaluation.right_answers import RightAnswers, counted
from fer_utils.evaluation.statistics import Interval

TOO_FEW, FEW = 3, 30
"""Persons with an answer of the rarer kind: below the first the exact method, below the second Wilson's."""


class Variance(NamedTuple):
    """Of a mean over seeds: `total`, its degrees of freedom `df`, and the parts `seeds`, `units` and `both`."""

    total: float
    df: float
    seeds: float
    units: float
    both: float


def accuracy(correct: ArrayLike, persons: ArrayLike | None = None, level: float = 0.95) -> Interval:
    """The interval of an accuracy, from answers right or wrong.

    Args:
        correct: bool (n,), or (s, n) of several seeds on the same images: then that of their mean.
        persons: (n,) who is shown; None, or one person alone: images are drawn.
        level: confidence in (0, 1).

    Raises:
        ValueError: as `counted`, or level outside (0, 1).

    Example:
        Sixty right answers of eighty say less where the eighty images show only twenty persons.

        >>> correct = np.repeat([True, False], [60, 20])
        >>> for persons in (None, np.repeat(np.arange(20), 4)):
        ...     found = accuracy(correct, persons)
        ...     print(f"{found.low:.2f} to {found.high:.2f}, {found.method}")
        0.64 to 0.83, Wilson with design effect over 80 images
        0.53 to 0.89, Wilson with design effect over 20 persons
    """
    return of_answers(counted(correct, statistics.clusters_of(persons)), level)


def of_answers(found: RightAnswers, level: float = 0.95, n_resamples: int = 2000, seed: int = 0) -> Interval:
    """The interval of a tally's accuracy, mean over seeds, by the method that this module's text chooses.

    Args:
        found: right answers.
        level: confidence in (0, 1).
        n_resamples, seed: of the bootstrap, where it is one.

    Raises:
        ValueError: level outside (0, 1).
    """
    statistics.check_level(level)
    right, wrong = (int((count > 0).any(axis=0).sum()) for count in (found.right, found.images - found.right))
    if right < wrong:
        other = of_answers(replace(found, right=found.images - found.right), level, n_resamples, seed)
        return replace(other, estimate=1 - other.estimate, low=1 - other.high, high=1 - other.low)
    estimate, variance = float(found.accuracy.mean()), variance_of(found.accuracy, found.contributions)
    if wrong < TOO_FEW:
        ends, method = _exact(found, wrong, level), "exact"
    elif wrong < FEW and variance.seeds <= variance.units:
        least = estimate * (1 - estimate) / found.images.sum()  # images are worth no more than independent ones
        variance = variance._replace(total=max(variance.total, least))
        ends, method = wilson(estimate, variance, level), "Wilson with design effect"
    elif len(found.right) > 1:
        half = _quantile(variance.df, level) * math.sqrt(variance.total)
        ends, method = (max(estimate - half, 0.0), min(estimate + half, 1.0)), "t (Satterthwaite)"
    else:
        return _bootstrap(found, level, n_resamples, seed)
    return Interval(estimate, *ends, level, found.n, f"{method} over {_over(found, len(found.right))}")


def variance_of(per_seed: np.ndarray, contributions: np.ndarray) -> Variance:
    """The variance of a mean over seeds, from its values (s,) and what each unit adds to them, (s, u).

    Seeds and units are crossed: each of both is drawn, and each pair deviates in its own way. The total is
    `seeds` + `units` - `both`, for the other two hold the last one each, and no less than either.
    """
    s, u = contributions.shape
    mean, share = contributions.mean(axis=0), u / max(u - 1, 1)
    units = share * float((mean**2).sum())
    if s == 1:
        return Variance(units, max(u - 1, 1), 0.0, units, 0.0)
    seeds = float(np.var(per_seed, ddof=1)) / s
    both = share * float(((contributions - mean) ** 2).sum()) / (s * (s - 1))
    total = max(seeds + units - both, seeds, units)
    spread = seeds**2 / (s - 1) + units**2 / max(u - 1, 1)
    return Variance(total, total**2 / spread if spread > 0 else math.inf, seeds, units, both)


def wilson(estimate: float, variance: Variance, level: float = 0.95) -> tuple[float, float]:
    """Wilson's ends for an accuracy in (0, 1), with as many images as would give its variance; z from t."""
    n = estimate * (1 - estimate) / variance.total
    z = _quantile(variance.df, level) if variance.seeds > 0 else float(scipy_stats.norm.ppf((1 + level) / 2))
    middle = (estimate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(estimate * (1 - estimate) / n + (z / (2 * n)) ** 2)
    return middle - half, middle + half


def difference(
    a: RightAnswers | np.ndarray, b: RightAnswers, *, paired: bool = True, n_resamples: int = 2000, seed: int = 0,
    level: float = 0.95,
) -> Interval:  # fmt: skip
    """Accuracy A minus accuracy B, mean over seeds.

    Where one of both lies near its end (see `FEW`), the ends of both intervals are joined by squares (Newcombe 1998;
    Zou and Donner 2008); else one seed gives a bootstrap over units, several give Satterthwaite's t, cut at -1 and 1.

    Args:
        a: a tally, or one accuracy per seed (s,) known without the images behind it: only its seeds are drawn.
        b: a tally of as many seeds, which are then compared one by one; or one of the two has a single seed.
        paired: whether equal units are the same persons or images; False draws those of A and B apart.
        n_resamples, seed, level: as in `fer_utils.evaluation.statistics.bootstrap_interval`.

    Raises:
        ValueError: different numbers of seeds, neither of them one.
    """
    known = not isinstance(a, RightAnswers)
    each = per_seed(a, b)
    if not known and paired:
        units = np.union1d(a.units, b.units)
        a, b = a.at(units), b.at(units)
    if not known and min(a.rarer, b.rarer) < FEW:
        ends, method = _by_squares(a, b, paired, level), "intervals joined by squares"
    elif len(each) == 1:
        ends, method = _drawn(a, b, paired, n_resamples, seed, level), "bootstrap"
    else:
        moved = -b.contributions if known else _moved(a.contributions, b.contributions, paired)
        variance = variance_of(each, np.broadcast_to(moved, (len(each), moved.shape[1])))
        half = _quantile(variance.df, level) * math.sqrt(variance.total)
        ends, method = (max(each.mean() - half, -1.0), min(each.mean() + half, 1.0)), "t (Satterthwaite)"
    return Interval(float(each.mean()), *map(float, ends), level, b.n, f"{method} over {_over(b, len(each))}")


def per_seed(a: RightAnswers | np.ndarray, b: RightAnswers) -> np.ndarray:
    """Accuracy A minus accuracy B of every seed, float64 (s,); a single seed is compared with all of the other.

    Raises:
        ValueError: different numbers of seeds, neither of them one.
    """
    one, other = a.accuracy if isinstance(a, RightAnswers) else np.asarray(a, dtype=np.float64), b.accuracy
    if len(one) != len(other) and min(len(one), len(other)) != 1:
        raise ValueError(
            f"A difference compares seed by seed; got {len(one)} and {len(other)} seeds. Train the others."
        )
    return one - other


def _over(found: RightAnswers, seeds: int) -> str:
    return f"{len(found.units):,} {found.what}" + (f" and {seeds} seeds" if seeds > 1 else "")


def _quantile(df: float, level: float) -> float:
    return float(scipy_stats.t.ppf((1 + level) / 2, df))


def _exact(found: RightAnswers, wrong: int, level: float) -> tuple[float, float]:
    """The lower end from units without any wrong answer; the upper one from images, or from persons where it is higher.

    A person's wrong images may be one event, which a few images more of the same person must not make surer.
    """
    tail, u, seeds = (1 - level) / 2, len(found.units), len(found.right)
    low = float(scipy_stats.beta.ppf(tail, u - wrong, wrong + 1)) if wrong < u else 0.0
    missed = found.images - found.right
    shares = np.divide(missed, found.images, out=np.zeros_like(missed), where=found.images > 0)
    counts = [(found.n, missed.sum() / seeds), (u, shares.sum() / seeds)]  # units and how many of them are wrong
    return low, max(1.0 if k == 0 else float(scipy_stats.beta.isf(tail, n - k + 1, k)) for n, k in counts)


def _bootstrap(found: RightAnswers, level: float, n_resamples: int, seed: int) -> Interval:
    """The percentile bootstrap of one seed, by `fer_utils.evaluation.statistics.bootstrap_interval`."""
    images, right = found.images[0].astype(int), found.right[0].astype(int)
    kinds = np.tile([1.0, 0.0], len(images))
    answers = np.repeat(kinds, np.stack([right, images - right], axis=1).ravel())
    who = np.repeat(np.arange(len(images)), images) if found.what == "persons" else None
    found_by = statistics.bootstrap_interval(answers, clusters=who, n_resamples=n_resamples, seed=seed, level=level)
    return replace(found_by, method=f"bootstrap over {_over(found, 1)}")


def _moved(a: np.ndarray, b: np.ndarray, paired: bool) -> np.ndarray:
    """What units add to A - B: shared units to both at once, others side by side."""
    if paired:
        return a - b
    s = max(len(a), len(b))
    return np.concatenate([np.broadcast_to(a, (s, a.shape[1])), -np.broadcast_to(b, (s, b.shape[1]))], axis=1)


def _drawn(
    a: RightAnswers | np.ndarray, b: RightAnswers, paired: bool, n_resamples: int, seed: int, level: float
) -> tuple[float, float]:
    """Percentiles over units drawn again, one seed."""
    rng = np.random.default_rng(seed)
    weights = _draws(rng, len(b.units), n_resamples)
    of_a = np.asarray(a)[None]
    if isinstance(a, RightAnswers):
        of_a = a.of_draws(weights if paired else _draws(rng, len(a.units), n_resamples))
    return tuple(np.nanquantile(of_a - b.of_draws(weights), [(1 - level) / 2, (1 + level) / 2]))


def _draws(rng: np.random.Generator, n: int, times: int) -> np.ndarray:
    """How often each of n units is drawn, float32 (times, n)."""
    return rng.multinomial(n, np.full(n, 1 / n), size=times).astype(np.float32)


def _by_squares(a: RightAnswers, b: RightAnswers, paired: bool, level: float) -> tuple[float, float]:
    """The ends of A - B from those of A and B and the correlation that shared units give them."""
    one, other = (of_answers(_own(found), level) for found in (a, b))
    parts = [variance_of(found.accuracy, found.contributions).total for found in (a, b)]
    r = 0.0
    if paired and min(parts) > 0:
        means = (found.contributions.mean(axis=0) for found in (a, b))
        r = float(np.clip(np.prod(list(means), axis=0).sum() / math.sqrt(parts[0] * parts[1]), -1, 1))
    gap = one.estimate - other.estimate
    sides = (one.estimate - one.low, other.high - other.estimate), (one.high - one.estimate, other.estimate - other.low)
    below, above = (math.sqrt(max(x * x + y * y - 2 * r * x * y, 0.0)) for x, y in sides)
    return gap - below, gap + above


def _own(found: RightAnswers) -> RightAnswers:
    """Without the units that have no image in it."""
    there = found.images.any(axis=0)
    return replace(found, right=found.right[:, there], images=found.images[:, there], units=found.units[there])
