"""Statistics by simulation: what an interval covers, what pairing gains, what many comparisons cost.

Truth is chosen, data are drawn from it many times, and the method is judged by how often it is right. Everything is
vectorised over the repetitions and takes a second or two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

from fer_utils.evaluation import intervals, statistics
from fer_utils.evaluation.right_answers import RightAnswers

HOLD_OUT = (*[1] * 37, *[2] * 23, *[3] * 25, *[4] * 4, *[5] * 3, 8)
"""Images of each of the 93 persons among the 197 images that a random fifth of CK+48 holds (seed 123, stratified)."""


def coverage(accuracies: Sequence[float], n: int, times: int = 10_000, seed: int = 0) -> pd.DataFrame:
    """How often three 95 % intervals contain the true accuracy, on n independent images.

    Args:
        accuracies: the true values, in (0, 1).
        n: images of a test set.
        times: test sets drawn.
        seed: of the generator.

    Returns:
        One row per accuracy, columns `textbook` (estimate ± 1.96 standard errors), `Wilson` and `bootstrap` (the
        percentile bootstrap with endlessly many resamples, whose count of right answers is binomial).
    """
    rng, rows = np.random.default_rng(seed), {}
    for accuracy in accuracies:
        right, again = np.unique(rng.binomial(n, accuracy, times), return_inverse=True)
        ends = {"textbook": _textbook(right, n), "Wilson": _wilson(right, n), "bootstrap": _bootstrap(right, n)}
        inside = {name: (low <= accuracy) & (accuracy <= high) for name, (low, high) in ends.items()}
        rows[accuracy] = {name: hits[again].mean() for name, hits in inside.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("true accuracy")


def _textbook(right: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    share = right / n
    half = scipy_stats.norm.ppf(0.975) * np.sqrt(share * (1 - share) / n)
    return share - half, share + half


def _wilson(right: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    counts, again = np.unique(right, return_inverse=True)
    ends = [statistics.wilson_interval(int(k), n) for k in counts]
    return np.array([e.low for e in ends])[again], np.array([e.high for e in ends])[again]


def _bootstrap(right: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    low, high = (scipy_stats.binom.ppf(q, n, right / n) / n for q in (0.025, 0.975))
    return low, high


def clustered_coverage(
    accuracy: float, persons: int, images: int, spread: Sequence[float], times: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """How often intervals over images and over persons contain the truth, when images of a person resemble each other.

    A person's own accuracy is drawn from a beta distribution of mean `accuracy`.

    Args:
        accuracy: true mean over persons, in (0, 1).
        persons, images: how many persons, and images of each.
        spread: correlations in [0, 1) between two images of one person (0: images are independent).
        times, seed: test sets drawn, and the seed of the generator.

    Returns:
        One row per correlation, columns `over images` (Wilson) and `over persons` (percentile bootstrap).
    """
    rng, rows = np.random.default_rng(seed), {}
    draws = rng.multinomial(persons, np.full(persons, 1 / persons), size=400) / persons
    for correlation in spread:
        own = np.full((times, persons), accuracy)
        if correlation > 0:
            strength = 1 / correlation - 1
            own = rng.beta(accuracy * strength, (1 - accuracy) * strength, (times, persons))
        right = rng.binomial(images, own)
        again = draws @ (right / images).T
        low, high = np.quantile(again, [0.025, 0.975], axis=0)
        wilson = _wilson(right.sum(axis=1), persons * images)
        rows[correlation] = {
            "over images": np.mean((wilson[0] <= accuracy) & (accuracy <= wilson[1])),
            "over persons": np.mean((low <= accuracy) & (accuracy <= high)),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("correlation within a person")


def coverage_near_the_end(
    accuracies: Sequence[float], sizes: Sequence[int] = HOLD_OUT, correlation: float = 0.2, times: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """How often three intervals contain the truth near 100 %, when images of a person resemble each other.

    Args:
        accuracies: true means over persons, in (0, 1).
        sizes: images of each person.
        correlation: between two images of one person, in [0, 1), see `clustered_coverage`.
        times, seed: test sets drawn, and the seed of the generator.

    Returns:
        One row per accuracy, columns `bootstrap over persons`, `Wilson over images` and `this study's rule`
        (`fer_utils.evaluation.intervals`), each a share of the test sets.
    """
    rng, rows, sizes = np.random.default_rng(seed), {}, np.asarray(sizes)
    persons, n = np.arange(len(sizes)), int(sizes.sum())
    draws = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=400)
    for accuracy in accuracies:
        own, strength = np.full((times, len(sizes)), accuracy), 1 / max(correlation, 1e-9) - 1
        if correlation > 0:
            own = rng.beta(accuracy * strength, (1 - accuracy) * strength, own.shape)
        right = rng.binomial(sizes, own).astype(float)
        ends = {
            "bootstrap over persons": np.quantile(draws @ right.T / (draws @ sizes)[:, None], [0.025, 0.975], axis=0),
            "Wilson over images": _wilson(right.sum(axis=1).astype(int), n),
            "this study's rule": np.transpose([
                (found.low, found.high) for found in (
                    intervals.of_answers(RightAnswers(r[None], sizes[None].astype(float), persons, "persons"))
                    for r in right
                )
            ]),
        }  # fmt: skip
        rows[accuracy] = {name: np.mean((low <= accuracy) & (accuracy <= high)) for name, (low, high) in ends.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("true accuracy")


def crossed_coverage(
    shares: Sequence[float], seeds: int = 3, persons: int = 118, times: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """How often three intervals of a mean over few seeds and many persons contain the truth.

    Of the variance of the mean a share comes from seeds, the rest half from persons and half from what one seed does to
    one person; all are normal.

    Args:
        shares: of the variance that seeds bring, in [0, 1].
        seeds, persons: how many of each.
        times, seed: experiments drawn, and the seed of the generator.

    Returns:
        One row per share, columns `bootstrap over both` (Owen's pigeonhole bootstrap), `t over seeds` and
        `Satterthwaite` (`fer_utils.evaluation.intervals.variance_of`), each a share of the experiments.
    """
    rng, rows = np.random.default_rng(seed), {}
    draws = rng.multinomial(persons, np.full(persons, 1 / persons), size=400) / persons
    chosen = rng.integers(0, seeds, (400, seeds))
    for share in shares:
        rest = (1 - share) / 2
        drawn = (
            rng.normal(0, np.sqrt(share * seeds), (times, seeds, 1))
            + rng.normal(0, np.sqrt(rest * persons), (times, 1, persons))
            + rng.normal(0, np.sqrt(rest * seeds * persons), (times, seeds, persons))
        )
        rows[share] = np.mean([_crossed(cells, draws, chosen) for cells in drawn], axis=0)
    columns = ["bootstrap over both", "t over seeds", "Satterthwaite"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("share of variance from seeds")


def _crossed(cells: np.ndarray, draws: np.ndarray, chosen: np.ndarray) -> list[bool]:
    """Whether each interval of the mean of `cells` (seeds, persons), whose truth is 0, contains it."""
    per_seed = cells.mean(axis=1)
    mean, s = per_seed.mean(), len(cells)
    low, high = np.quantile(np.take_along_axis(draws @ cells.T, chosen, axis=1).mean(axis=1), [0.025, 0.975])
    found = intervals.variance_of(per_seed, (cells - per_seed[:, None]) / cells.shape[1])
    halves = (
        scipy_stats.t.ppf(0.975, s - 1) * per_seed.std(ddof=1) / np.sqrt(s),
        scipy_stats.t.ppf(0.975, found.df) * np.sqrt(found.total),
    )
    return [low <= 0 <= high, *(abs(mean) <= half for half in halves)]


def power(
    gaps: Sequence[float], n: int, accuracy: float = 0.65, disagreement: float = 0.15, times: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """How often a true difference is found at the 5 % level, with and without pairing.

    Args:
        gaps: true differences B - A of accuracy, at most `disagreement`.
        n: images of each test.
        accuracy: of network A.
        disagreement: share of images that exactly one network gets right, when they share the test images.
        times, seed: experiments drawn, and the seed of the generator.

    Returns:
        One row per gap: `paired` (McNemar, exact, the same n images) and `not paired` (z test, n images each).
    """
    rng, rows = np.random.default_rng(seed), {}
    for gap in gaps:
        if not 0 <= gap <= disagreement:
            raise ValueError(f"A gap lies between 0 and the disagreement {disagreement}; got {gap}. Raise the latter.")
        shares = [(disagreement - gap) / 2, (disagreement + gap) / 2, 1 - disagreement]
        only_a, only_b, _ = rng.multinomial(n, shares, size=times).T
        a, b = (rng.binomial(n, p, times) / n for p in (accuracy, accuracy + gap))
        rows[gap] = {
            "paired": np.mean(mcnemar_p(only_a, only_b) <= 0.05),
            "not paired": np.mean(two_sample_p(a, b, n) <= 0.05),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("true difference")


def mcnemar_p(only_a: np.ndarray, only_b: np.ndarray) -> np.ndarray:
    """The exact p-values of `fer_utils.evaluation.statistics.mcnemar` for many experiments at once, float64 (m,)."""
    total = only_a + only_b
    return np.minimum(1, 2 * scipy_stats.binom.cdf(np.minimum(only_a, only_b), total, 0.5))


def two_sample_p(a: np.ndarray, b: np.ndarray, n: int) -> np.ndarray:
    """Two-sided p-values of the z test of two accuracies, each on its own n images, float64 (m,)."""
    pooled = (a + b) / 2
    error = np.sqrt(2 * pooled * (1 - pooled) / n)
    return 2 * scipy_stats.norm.sf(np.abs(a - b) / np.where(error > 0, error, np.inf))


def many_models(
    models: Sequence[int], n: int, accuracy: float = 0.65, times: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """What picking the best of m *equally good* models, and testing each, says though nothing is there.

    Each model is right on n images of its own with the same probability.

    Args:
        models: numbers of models m.
        n, accuracy: images, and the true accuracy of all.
        times, seed: experiments drawn, and the seed of the generator.

    Returns:
        One row per m: `best` (mean of the best model's accuracy minus the truth, in points), and the shares of
        experiments in which some model "differs" from the baseline at 5 %: `uncorrected` and by `Holm`.
    """
    rng, rows = np.random.default_rng(seed), {}
    for m in models:
        tried, baseline = rng.binomial(n, accuracy, (times, m)) / n, rng.binomial(n, accuracy, (times, 1)) / n
        p = two_sample_p(tried, baseline, n)
        corrected = np.array([statistics.holm(row).min() for row in p])
        rows[m] = {
            "best": 100 * (tried.max(axis=1).mean() - accuracy),
            "uncorrected": np.mean(p.min(axis=1) <= 0.05),
            "Holm": np.mean(corrected <= 0.05),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("models")
