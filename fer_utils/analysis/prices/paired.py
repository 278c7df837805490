"""Right answers per seed and person, and differences of accuracies with intervals that know of both.

The interval of a difference draws again what was drawn by chance: persons (images, where nobody tells who is shown)
and seeds, each independently of the other (the "pigeonhole" bootstrap: Owen, Annals of Applied Statistics, 2007).
Where both accuracies were measured on the same persons or images, they share the draw: the interval is paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_utils import study
from fer_utils.evaluation.statistics import Interval
from fer_utils.records import Record


@dataclass(frozen=True, eq=False)
class Tally:
    """Right answers of each seed on each unit: all that accuracies and their differences are computed from.

    Attributes:
        right, images: float64 (s, u): right answers and images of s seeds and u units.
        units: (u,) names of persons, or positions of images.
        what: `"persons"` or `"images"`.
    """

    right: np.ndarray
    images: np.ndarray
    units: np.ndarray
    what: str = "images"

    @property
    def accuracy(self) -> np.ndarray:
        """Of each seed, float64 (s,)."""
        return self.right.sum(axis=1) / self.images.sum(axis=1)

    @property
    def n(self) -> int:
        """Images that a seed scored."""
        return int(self.images[0].sum())

    def of_draws(self, times: np.ndarray) -> np.ndarray:
        """Accuracies (m, s) when units count as often as `times` (m, u) says; NaN where a draw has no image."""
        with np.errstate(invalid="ignore"):
            return times @ self.right.T / (times @ self.images.T)

    def at(self, units: np.ndarray) -> Tally:
        """The same on a longer list of units, zero where a unit is new."""
        place = np.searchsorted(units, self.units)
        right, images = np.zeros((2, len(self.right), len(units)))
        right[:, place], images[:, place] = self.right, self.images
        return Tally(right, images, units, self.what)


def tally(
    runs: Sequence[Record], kept: str = "best_validation", *, part: str = "test",
    rows: np.ndarray | None = None, offset: int = 0,
) -> Tally:  # fmt: skip
    """Count right answers per seed and person; per image where persons are unknown or fewer than two.

    Args:
        runs: of one configuration, all folds of every seed.
        kept: the epoch.
        part: `"test"` or `"validation"`.
        rows: bool (n,), images of the part to count (one fold only); None counts all.
        offset: added to positions of images, to tell those of one part or draw from another's.

    Raises:
        ValueError: no run.
    """
    if not runs:
        raise ValueError("A tally needs at least one run; got none. Train the runs of this configuration.")
    pooled = [study.pool(group, part, kept) for group in study.by_seed(runs).values()]
    known = all(p.subjects is not None and len(np.unique(p.subjects)) > 1 for p in pooled)
    columns = []
    for p in pooled:
        units = p.subjects if known else offset + np.arange(len(p.labels))
        chosen = slice(None) if rows is None else rows
        columns.append(pd.DataFrame({"unit": units[chosen], "right": p.correct[chosen].astype(float)}))
    names = np.unique(np.concatenate([c["unit"] for c in columns]))
    counted = [c.groupby("unit")["right"].agg(["sum", "size"]).reindex(names, fill_value=0) for c in columns]
    right, images = (np.stack([c[name] for c in counted]).astype(float) for name in ("sum", "size"))
    return Tally(right, images, names, "persons" if known else "images")


def merged(a: Tally, b: Tally) -> Tally:
    """Two parts scored together; a unit that stands in both counts once, with all its images."""
    units = np.union1d(a.units, b.units)
    a, b = a.at(units), b.at(units)
    return Tally(a.right + b.right, a.images + b.images, units, a.what)


def difference(
    a: Tally | np.ndarray, b: Tally, *, paired: bool = True, n_resamples: int = 2000, seed: int = 0,
    level: float = 0.95,
) -> Interval:  # fmt: skip
    """Accuracy A minus accuracy B, mean over seeds, with a pigeonhole bootstrap interval.

    Args:
        a: a tally, or one accuracy per seed (s,) known without the images behind it: only its seeds are drawn.
        b: a tally of the same number of seeds.
        paired: whether equal units are the same persons or images; False draws those of A and B apart.
        n_resamples, seed, level: as in `fer_utils.evaluation.statistics.bootstrap_interval`.

    Raises:
        ValueError: different numbers of seeds.
    """
    given = len(a.right) if isinstance(a, Tally) else len(a)
    if given != len(b.right):
        raise ValueError(f"A difference compares seed by seed; got {given} and {len(b.right)} seeds. Train the others.")
    rng = np.random.default_rng(seed)
    if isinstance(a, Tally) and paired:
        units = np.union1d(a.units, b.units)
        a, b = a.at(units), b.at(units)
    weights = _draws(rng, len(b.units), n_resamples)
    of_b = b.of_draws(weights)
    if isinstance(a, Tally):
        of_a = a.of_draws(weights if paired else _draws(rng, len(a.units), n_resamples))
        each = a.accuracy - b.accuracy
    else:
        of_a, each = np.asarray(a)[None], np.asarray(a) - b.accuracy
    seeds = rng.integers(0, given, (n_resamples, given))
    drawn = np.take_along_axis(of_a - of_b, seeds, axis=1).mean(axis=1)
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    over = f"{len(b.units):,} {b.what}" + (f" and {given} seeds" if given > 1 else "")
    return Interval(float(each.mean()), float(low), float(high), level, b.n, f"bootstrap over {over}")


def _draws(rng: np.random.Generator, n: int, times: int) -> np.ndarray:
    """How often each of n units is drawn, float32 (times, n)."""
    return rng.multinomial(n, np.full(n, 1 / n), size=times).astype(np.float32)


def per_seed(a: Tally | np.ndarray, b: Tally) -> tuple[float, ...]:
    """Accuracy A minus accuracy B of every seed."""
    return tuple((a.accuracy if isinstance(a, Tally) else np.asarray(a)) - b.accuracy)
