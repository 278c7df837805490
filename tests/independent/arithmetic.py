"""The study's intervals, computed a second time from their definitions.

A table of counts has a row for each seed and a column for each unit: a person, or an image where persons are unknown.
`Counts.right` are right answers, `Counts.of` images. Every interval is a triple of fractions: estimate, low, high.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import integrate
from scipy.stats import beta, binom, chi2, norm, t

TAIL = 0.025
EXACT_BELOW, WILSON_BELOW = 3, 30
DRAWS = 2000
Triple = tuple[float, float, float]


class Counts(NamedTuple):
    """Right answers and images of each seed (rows) and unit (columns)."""

    right: pd.DataFrame
    of: pd.DataFrame

    @property
    def scores(self) -> np.ndarray:
        """Accuracy of each seed."""
        return self.right.to_numpy().sum(axis=1) / self.of.to_numpy().sum(axis=1)

    @property
    def influence(self) -> pd.DataFrame:
        """By how much each unit lifts its seed's accuracy above what it is."""
        per_seed = self.of.sum(axis=1)
        return (self.right - self.of.mul(self.scores, axis=0)).div(per_seed, axis=0)

    def spread_to(self, units: pd.Index) -> Counts:
        return Counts(*(table.reindex(columns=units, fill_value=0.0) for table in self))

    def rarer(self) -> int:
        """Units with a right, or with a wrong answer in any seed, whichever are fewer."""
        return min(_ever(self.right), _ever(self.of - self.right))


def count(seeds: Sequence[pd.DataFrame], offset: int = 0) -> Counts:
    """The counts of answers (columns `right`, `person`), a table a seed; images from `offset` on, without persons."""
    known = all(table["person"].nunique() > 1 for table in seeds)
    units = [table["person"] if known else table.index + offset for table in seeds]
    parts = [table["right"].astype(float).groupby(who) for table, who in zip(seeds, units, strict=True)]
    found = [part.sum() for part in parts], [part.size() for part in parts]
    tables = (pd.concat(columns, axis=1).T for columns in found)
    return Counts(*(x.fillna(0.0).astype(float).sort_index(axis=1).set_axis(range(len(seeds))) for x in tables))


def together(a: Counts, b: Counts) -> Counts:
    """Two parts scored as one."""
    units = a.right.columns.union(b.right.columns)
    return Counts(*(x + y for x, y in zip(a.spread_to(units), b.spread_to(units), strict=True)))


def accuracy(counts: Counts) -> Triple:
    """Of a mean over seeds; how many units have an answer of the rarer kind decides the method."""
    if _ever(counts.right) < _ever(counts.of - counts.right):
        value, low, high = accuracy(Counts(counts.of - counts.right, counts.of))
        return 1 - value, 1 - high, 1 - low
    value, wrong = float(counts.scores.mean()), _ever(counts.of - counts.right)
    total, df, by_seed, by_unit = _variance(counts.scores, counts.influence.to_numpy())
    if wrong < EXACT_BELOW:
        return value, *_clopper_pearson(counts, wrong)
    if wrong < WILSON_BELOW and by_seed <= by_unit:
        total = max(total, value * (1 - value) / counts.of.to_numpy().sum())
        z = t.ppf(1 - TAIL, df) if by_seed > 0 else norm.ppf(1 - TAIL)
        return value, *_wilson(value, value * (1 - value) / total, z)
    if len(counts.right) > 1:
        reach = t.ppf(1 - TAIL, df) * np.sqrt(total)
        return value, max(value - reach, 0.0), min(value + reach, 1.0)
    return value, *_resampled(counts)


def share(right: int, n: int) -> Triple:
    """Of independent images, by Wilson."""
    return right / n, *_wilson(right / n, n, norm.ppf(1 - TAIL))


def difference(a: Counts | np.ndarray, b: Counts, paired: bool = True) -> Triple:
    """A minus B, mean over seeds; A may be a number per seed, of which nothing else is known."""
    fixed = isinstance(a, np.ndarray)
    gaps = (a if fixed else a.scores) - b.scores
    if not fixed and paired:
        units = a.right.columns.union(b.right.columns)
        a, b = a.spread_to(units), b.spread_to(units)
    if not fixed and min(a.rarer(), b.rarer()) < WILSON_BELOW:
        return _from_two(a, b, paired)
    if len(gaps) == 1:
        return float(gaps[0]), *_resampled_difference(a, b, paired)
    other = b.influence.to_numpy()
    if fixed:
        lifts = -other
    elif paired:
        lifts = a.influence.to_numpy() - other
    else:  # units of both side by side, those of a single seed repeated
        lifts = np.hstack([np.broadcast_to(x, (len(gaps), x.shape[1])) for x in (a.influence.to_numpy(), -other)])
    total, df, *_ = _variance(gaps, lifts)
    reach = t.ppf(1 - TAIL, df) * np.sqrt(total)
    return float(gaps.mean()), float(gaps.mean() - reach), float(gaps.mean() + reach)


def best_of(values: np.ndarray) -> Triple:
    """How far the best of m normal values lies above their mean: from rows of m, with chi-squared ends of their sd."""
    rows, m = np.atleast_2d(values), np.shape(values)[-1]
    deviations = rows - rows.mean(axis=1, keepdims=True)
    df = deviations.size - len(rows)
    top, _ = integrate.quad(lambda x: 1 - norm.cdf(x) ** m - norm.cdf(-x) ** m, 0, 12)  # mean of the largest
    size = top * np.sqrt((deviations**2).sum() / df)
    return size, *(size * np.sqrt(df / chi2.ppf(q, df)) for q in (1 - TAIL, TAIL))


def _ever(table: pd.DataFrame) -> int:
    return int((table > 0).any().sum())


def _variance(scores: np.ndarray, lifts: np.ndarray) -> tuple[float, float, float, float]:
    """Of a mean over crossed seeds and units: all, its degrees of freedom, that of seeds, that of units."""
    s, u = lifts.shape
    of_units = u / max(u - 1, 1) * np.square(lifts.mean(axis=0)).sum()
    if s == 1:
        return of_units, max(u - 1, 1), 0.0, of_units
    of_seeds = np.square(scores - scores.mean()).sum() / (s - 1) / s
    residual = lifts - lifts.mean(axis=0)
    of_pairs = u / max(u - 1, 1) * np.square(residual).sum() / (s - 1) / s
    total = max(of_seeds + of_units - of_pairs, of_seeds, of_units)
    both = of_seeds**2 / (s - 1) + of_units**2 / max(u - 1, 1)
    return total, total**2 / both if both > 0 else np.inf, of_seeds, of_units


def _clopper_pearson(counts: Counts, wrong_units: int) -> tuple[float, float]:
    """Below: units, one with any wrong answer is wrong. Above: images or shares of units, averaged over seeds."""
    units = counts.right.shape[1]
    sound = units - wrong_units
    low = beta.ppf(TAIL, sound, units - sound + 1) if sound else 0.0
    missed = counts.of - counts.right
    images, wrong = counts.of.iloc[0].sum(), missed.to_numpy().sum() / len(counts.of)
    of_units = (missed / counts.of).fillna(0).to_numpy().sum() / len(counts.of)
    if not wrong:
        return float(low), 1.0
    return float(low), float(max(beta.ppf(1 - TAIL, n - k + 1, k) for n, k in ((images, wrong), (units, of_units))))


def _wilson(p: float, n: float, z: float) -> tuple[float, float]:
    """Roots q of (p - q)^2 = z^2 q (1 - q) / n."""
    low, high = sorted(np.roots([1 + z * z / n, -2 * p - z * z / n, p * p]).real)
    return float(low), float(high)


def _resampled(counts: Counts) -> tuple[float, float]:
    """Percentile bootstrap of one seed over its units, with the documented draws: 2,000 of generator 0."""
    right, of = (table.to_numpy()[0] for table in counts)
    rng = np.random.default_rng(0)
    units, scores = len(right), []
    step = max(1, 4_000_000 // units)
    for start in range(0, DRAWS, step):
        chosen = rng.integers(0, units, size=(min(step, DRAWS - start), units))
        scores.append(right[chosen].sum(axis=1) / of[chosen].sum(axis=1))
    return _ends(np.concatenate(scores))


def _resampled_difference(a: Counts | np.ndarray, b: Counts, paired: bool) -> tuple[float, float]:
    """The same of a difference: how often each unit is drawn is multinomial; unpaired sides are drawn apart."""
    rng = np.random.default_rng(0)
    times = _multinomial(rng, b)
    of_b = _drawn(times, b)
    if isinstance(a, np.ndarray):
        return _ends(a - of_b)
    return _ends(_drawn(times if paired else _multinomial(rng, a), a) - of_b)


def _multinomial(rng: np.random.Generator, counts: Counts) -> np.ndarray:
    units = counts.right.shape[1]
    return rng.multinomial(units, np.full(units, 1 / units), size=DRAWS)


def _drawn(times: np.ndarray, counts: Counts) -> np.ndarray:
    """Accuracy of one seed when units count as often as that."""
    right, of = (times @ table.to_numpy()[0] for table in counts)
    return right / of


def other_draws(counts: Counts) -> Triple:
    """The bootstrap of one seed with draws of our own, ten times as many; of single images exactly, by the binomial."""
    (value,), (right, of) = counts.scores, (table.to_numpy()[0] for table in counts)
    if (of == 1).all():
        return value, *(binom.ppf([TAIL, 1 - TAIL], len(of), value) / len(of))
    return value, *_ends(_drawn(_many(len(right)), counts))


@lru_cache(maxsize=8)
def _many(units: int) -> np.ndarray:
    return np.random.default_rng(20_000 + units).multinomial(units, np.full(units, 1 / units), size=10 * DRAWS)


def _ends(scores: np.ndarray) -> tuple[float, float]:
    low, high = np.nanpercentile(scores, [100 * TAIL, 100 * (1 - TAIL)])
    return float(low), float(high)


def _from_two(a: Counts, b: Counts, paired: bool) -> Triple:
    """Both intervals joined by squares, less what shared units make them move together."""
    (x, x_low, x_high), (y, y_low, y_high) = (accuracy(_present(counts)) for counts in (a, b))
    one, other = (counts.influence.to_numpy() for counts in (a, b))
    sizes = np.sqrt([_variance(a.scores, one)[0], _variance(b.scores, other)[0]])
    r = 0.0
    if paired and sizes.min() > 0:
        r = float(np.clip(one.mean(axis=0) @ other.mean(axis=0) / sizes.prod(), -1, 1))

    def reach(p: float, q: float) -> float:
        return float(np.sqrt(max(p * p + q * q - 2 * r * p * q, 0.0)))

    return x - y, x - y - reach(x - x_low, y_high - y), x - y + reach(x_high - x, y - y_low)


def _present(counts: Counts) -> Counts:
    """Without units that no seed scored."""
    there = counts.of.any()
    return Counts(counts.right.loc[:, there], counts.of.loc[:, there])
