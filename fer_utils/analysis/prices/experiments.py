"""What each shortcut of a protocol is worth: the runs that price it, and the prices.

Every price is one accuracy minus another, as a fraction of 1, of one network under one budget. Its interval is that
of `paired.difference`: over persons (or images) and seeds, paired where both were measured on the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import integrate
from scipy import stats as scipy_stats

from fer_utils import study
from fer_utils.analysis.prices.paired import Tally, difference, merged, per_seed, tally
from fer_utils.data.splits import SplitSpec
from fer_utils.evaluation import statistics
from fer_utils.evaluation.statistics import Interval
from fer_utils.records import Record
from fer_utils.records.config import Phase, RunConfig
from fer_utils.study import protocols
from fer_utils.study.protocols import INNER_VALIDATION

PROTOCOL = "shortcut"
"""Label of runs whose only purpose is to price a shortcut; the results tables leave them out."""

GROUPINGS = ("images", "sequences", "subjects")
"""What a split of CK+48 may keep together, from the weakest to the strongest rule."""

DESIGNS = ("usage", "random", "copies in", "copies out")
"""Who trains on FER2013: Training as published; a random 80/10/10 of all images; Training with, and without, every
image whose pixels also stand in PrivateTest."""

KEEP = ("best_validation", "last", "best_test")
"""One training serves the honest choice of an epoch, no choice, and the choice on the test set."""


def by_grouping(
    network: str, dataset: str, grouping: str, seeds: Sequence[int], *, n_folds: int = 5, epochs: int = 15,
    **changes: object,
) -> list[RunConfig]:  # fmt: skip
    """K-fold runs that keep images, sequences or subjects together; a seed draws the folds and the weights.

    The inner validation part is drawn under the same rule as the folds, so that it misleads as the test does.

    Args:
        network: a name of `fer_utils.models.build`.
        dataset: one that knows subjects and sequences, `"ckplus"` or `"synthetic"`.
        grouping: one of `GROUPINGS`.
        seeds: one repetition of all folds each.
        n_folds, epochs: folds, and epochs at Adam 1e-3 with batches of 32.
        **changes: fields of `RunConfig` to set otherwise.

    Raises:
        ValueError: another grouping.
    """
    if grouping not in GROUPINGS:
        raise ValueError(f"A grouping is one of {', '.join(GROUPINGS)}; got {grouping!r}.")
    groups = None if grouping == "images" else grouping
    split = SplitSpec("kfold", groups=groups, n_folds=n_folds, validation_size=INNER_VALIDATION)
    base = _base(network, dataset, epochs, batch_size=32, keep=(*KEEP, "best_train"), **changes)
    folds = [replace(split, seed=seed, fold=fold) for seed in seeds for fold in range(n_folds)]
    return [replace(base, split=fold, seed=fold.seed) for fold in folds]


def by_design(
    network: str, dataset: str, design: str, seeds: Sequence[int], *, epochs: int = 20, max_train: int | None = 5000,
    **changes: object,
) -> list[RunConfig]:  # fmt: skip
    """Runs on FER2013 under one of `DESIGNS`; a seed draws weights and order (`"random"`: also the split).

    Shifts and flips augment the training, except where copies are priced: a network that may memorise shows most
    of what a copy is worth.

    Args:
        network, dataset: as in `by_grouping`; the dataset has published parts.
        design: one of `DESIGNS`.
        seeds: one run each.
        epochs: at Adam 1e-3 with batches of 64.
        max_train: training images; the same ones for every seed but under `"random"`.
        **changes: fields of `RunConfig` to set otherwise.

    Raises:
        ValueError: another design.
    """
    if design not in DESIGNS:
        raise ValueError(f"A design is one of {', '.join(DESIGNS)}; got {design!r}.")
    copies = {"copies in": "all", "copies out": "none"}.get(design, "natural")
    split = SplitSpec("usage", max_train=max_train, test_copies=copies)
    if design == "random":
        split = SplitSpec("random", test_size=0.1, validation_size=1 / 9, max_train=max_train)
    augmentation = "iitk2023" if copies == "natural" else "none"
    base = _base(network, dataset, epochs, batch_size=64, keep=KEEP, **({"augmentation": augmentation} | changes))
    return [replace(base, seed=s, split=replace(split, seed=s if design == "random" else 0)) for s in seeds]


def _base(network: str, dataset: str, epochs: int, **changes: object) -> RunConfig:
    settings = {"phases": (Phase(epochs, 1e-3),), "score_test": True, "protocol": PROTOCOL} | changes
    return RunConfig(model=network, dataset=dataset, **settings)


@dataclass(frozen=True)
class Price:
    """One shortcut and what it is worth.

    Attributes:
        shortcut: what is done, in a few words.
        compared: which accuracy minus which.
        interval: the price, as a fraction of 1.
        seeds: the same difference for each seed alone; empty where it is a spread over seeds.
        kind: `"leak"`, `"choice"`, `"scored"` or `"chance"`: the colour in its figure.
        not_shown: what this price does not tell.
    """

    shortcut: str
    compared: str
    interval: Interval
    seeds: tuple[float, ...]
    kind: str
    not_shown: str


def price(
    shortcut: str, compared: str, a: Tally | np.ndarray, b: Tally, kind: str, not_shown: str, *, paired: bool = True
) -> Price:
    """A price from two tallies, or from one accuracy per seed and a tally."""
    return Price(shortcut, compared, difference(a, b, paired=paired), per_seed(a, b), kind, not_shown)


def grouping_prices(runs: Mapping[str, Sequence[Record]]) -> list[Price]:
    """The prices that runs of `by_grouping` tell, by grouping; spreads over seeds from two seeds on.

    All but the first two come from the folds by subject alone.
    """
    images, sequences, honest = (tally(runs[grouping]) for grouping in GROUPINGS)
    own = runs["subjects"]
    folder = from_history(own, lambda history: history["train_accuracy"].max())
    prices = [
        price("Random split of images", "folds of images − folds of subjects", images, honest, "leak",
              "how much is the sibling frame, how much the person: see the next line"),
        price("Sequences kept whole, persons not", "folds of sequences − folds of subjects", sequences, honest, "leak",
              "a second video of one expression: CK+48 has one per person and expression"),
        price("Epoch chosen on the test fold", "best epoch on test − best on validation, folds of subjects",
              tally(own, "best_test"), honest, "choice", "networks, rates and augmentations chosen on test as well"),
        price("Validation folder = training folder", "“validation” accuracy − test accuracy of the epoch it chose",
              folder, tally(own, "best_train"), "scored", "chance of the training images: only test persons are drawn"),
    ]  # fmt: skip
    if len(honest.accuracy) > 1:
        prices += [_luckiest(own, honest), _best_seed(honest.accuracy, "folds and weights")]
    return prices


def design_prices(runs: Mapping[str, Sequence[Record]]) -> list[Price]:
    """The prices that runs of `by_design` tell, by design; those of copies where there are such runs and copies."""
    usage, random = runs["usage"], runs["random"]
    private, public = tally(usage), tally(usage, part="validation", offset=10**6)
    both = (public.n, private.n)
    chosen = from_history(usage, lambda h: np.average([h["val_accuracy"], h["test_accuracy"]], 0, both).max())
    scored = "PublicTest and PrivateTest together"
    prices = [
        *_copies(runs, private),
        price("Epoch chosen on PrivateTest", "best epoch on PrivateTest − best on PublicTest",
              tally(usage, "best_test"), private, "choice", "settings chosen on PrivateTest as well"),
        price("Both test parts scored", f"{scored} − PrivateTest, epoch chosen on PublicTest",
              merged(public, private), private, "scored", "a network that was tuned on PublicTest for long"),
        price("Both test parts choose and score", f"{scored}, best epoch there − PrivateTest, chosen on PublicTest",
              chosen, private, "choice", "chance of PublicTest's images: only those of PrivateTest are drawn"),
        price("Random 80/10/10 instead of Usage", "random test part − PrivateTest; different images, so not paired",
              tally(random), private, "scored", "differences below the width of the interval", paired=False),
    ]  # fmt: skip
    return [*prices, _best_seed(private.accuracy, "weights and order")] if len(private.accuracy) > 1 else prices


def _copies(runs: Mapping[str, Sequence[Record]], private: Tally) -> list[Price]:
    """What images that stand in Training and in PrivateTest are worth."""
    inside, outside = runs.get("copies in"), runs.get("copies out")
    copied = inside[0].context("test", "seen") if inside and outside else None
    if copied is None or copied.sum() < 2:
        return []
    few = f"the {copied.sum():,} images that stand in Training"
    dense = "the price at full size: here copies are a larger share of training than in the whole Training part"
    return [
        price("Copies of test images in training", "training part with all copies − with none, PrivateTest",
              tally(inside), tally(outside), "leak", dense),
        price("Copies in training, last epoch", "the same two, last epoch",
              tally(inside, "last"), tally(outside, "last"), "leak", dense),
        price("Copied images alone, last epoch", f"the same two, last epoch, on {few}",
              tally(inside, "last", rows=copied), tally(outside, "last", rows=copied), "leak",
              "images that are near copies, such as crops: only equal pixels are found"),
        price("Scoring images that stand in Training", f"PrivateTest − PrivateTest without {few}",
              private, tally(runs["usage"], rows=~copied), "leak",
              "memory: the random subset trained on holds few of them; copied images may just be easier"),
    ]  # fmt: skip


def _luckiest(runs: Sequence[Record], together: Tally) -> Price:
    gaps = luckiest_fold(runs) - together.accuracy
    return Price("The luckiest hold-out", "best fold − all folds together", statistics.seed_interval(gaps), tuple(gaps),
                 "chance", "nobody need have searched for it: it may just happen")  # fmt: skip


def _best_seed(accuracies: np.ndarray, what: str) -> Price:
    compared = f"expected best − mean; a seed draws {what}"
    spread = "a spread from few seeds is itself uncertain: see the interval"
    return Price(f"The best of {len(accuracies)} seeds", compared, best_of(accuracies), (), "chance", spread)


def confirmation(model: str, store: Path | None = None) -> Price | None:
    """Random images minus folds by subject for a network of the reports on CK+48, last epochs, from records.

    Of several variants the one that learned best under each protocol; one seed. None where a side is missing.
    """
    sides = []
    for protocol in ("reported", "sound"):
        template = protocols.configs(model, "ckplus", protocol)[0]
        found = study.on_record(model, "ckplus", protocol, store=store)
        own = [r for r in found if follows(r.config, template) and "last" in r.kept]
        groups = [group for group in study.together(own) if _complete(group)]
        if not groups:
            return None
        best = max(groups, key=lambda group: study.result(group, kept="last")["accuracy"])
        sides.append(tally([r for r in best if r.config.seed == best[0].config.seed], "last"))
    return price(f"Random split of images, {model}", "one random hold-out − folds of subjects, last epochs", *sides,
                 "leak", "chance of training: one seed; the two trainings' validation parts differ")  # fmt: skip


def follows(config: RunConfig, template: RunConfig) -> bool:
    """Whether a run is `template` but for its budget, precision, folds, seed, kept epochs and batch-norm momentum.

    So a run that was tuned, weighted or started from other weights does not answer for a report's description.
    """
    rates = tuple(phase.learning_rate for phase in config.phases)
    options = {k: v for k, v in config.model_options.items() if k != "batch_norm_momentum"}
    alike = replace(
        config, phases=template.phases, split=template.split, seed=template.seed, keep=template.keep,
        monitor=template.monitor, model_options=options, precision=template.precision,
    )  # fmt: skip
    return alike.key == template.key and rates == tuple(phase.learning_rate for phase in template.phases)


def _complete(group: Sequence[Record]) -> bool:
    split = group[0].config.split
    return len(group) % (split.n_folds if split.kind == "kfold" else 1) == 0


def best_of(accuracies: Sequence[float], n: int | None = None, level: float = 0.95) -> Interval:
    """How far the best of n seeds lies above the mean, expected if seeds vary normally.

    That is c(n) times the standard deviation over seeds, c(n) the expected maximum of n standard normal numbers
    (0.56, 0.85, 1.16 for 2, 3, 5). The interval is that of the standard deviation (chi-squared).

    Args:
        accuracies: of two or more seeds.
        n: how many seeds are tried; default: as many as were measured.
        level: confidence.

    Raises:
        ValueError: fewer than two seeds.
    """
    _, sd, m = statistics.mean_sd(accuracies)
    if m < 2:
        raise ValueError(f"A spread over seeds needs at least two of them; got {m}. Train more seeds.")
    factor = expected_maximum(n or m)
    low, high = sd * np.sqrt((m - 1) / scipy_stats.chi2.ppf([(1 + level) / 2, (1 - level) / 2], df=m - 1))
    return Interval(factor * sd, factor * low, factor * high, level, m, f"chi-squared, sd of {m} seeds")


def expected_maximum(n: int) -> float:
    """Mean of the largest of n independent standard normal numbers."""
    normal = scipy_stats.norm
    return integrate.quad(lambda x: n * x * normal.pdf(x) * normal.cdf(x) ** (n - 1), -10, 10)[0]


def luckiest_fold(runs: Sequence[Record], kept: str = "best_validation") -> np.ndarray:
    """Accuracy of the best fold of each seed, float64 (s,): the hold-out that one would like to have drawn."""
    groups = study.by_seed(runs).values()
    return np.array([max(study.pool([record], "test", kept).correct.mean() for record in group) for group in groups])


def from_history(runs: Sequence[Record], value: Callable[[pd.DataFrame], float]) -> np.ndarray:
    """`value` of each run's history, averaged over the folds of each seed: float64 (s,)."""
    groups = study.by_seed(runs).values()
    return np.array([np.mean([value(record.history) for record in group]) for group in groups])
