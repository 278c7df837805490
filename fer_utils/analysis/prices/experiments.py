"""What each shortcut of a protocol is worth: the runs that price it, and the prices.

Every price is one accuracy minus another, as a fraction of 1, of one network under one budget. Its interval is that
of `intervals.difference`: over persons (or images) and seeds, paired where both were measured on the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fer_utils.analysis.prices import known_persons
from fer_utils.data.splits import SplitSpec
from fer_utils.evaluation import maxima
from fer_utils.evaluation.intervals import difference, per_seed
from fer_utils.evaluation.right_answers import RightAnswers, joined
from fer_utils.evaluation.statistics import Interval
from fer_utils.records import Record
from fer_utils.records.config import Phase, RunConfig
from fer_utils.study.pooling import by_seed, pool, right_answers
from fer_utils.study.protocols import INNER_VALIDATION

PROTOCOL = "shortcut"
"""Label of runs whose only purpose is to price a shortcut; the results tables leave them out."""

GROUPINGS = ("images", "sequences", "subjects")
"""What a split of CK+48 may keep together, from the weakest to the strongest rule."""

DESIGNS = ("usage", "random", "copies in", "copies out")
"""Who trains on FER2013: Training as published; a random 80/10/10 of all images; Training with, and without, every
image whose pixels also stand in PrivateTest."""

COPIES_SCORED = "Scoring images whose copies stand in Training"
"""Name of the price that is mostly one of other images."""

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
        seeds: the same difference for each seed alone; empty where it is a spread.
        kind: `"leak"`, `"choice"`, `"scored"` or `"chance"`: the colour in its figure.
        not_shown: what this price does not tell.
        of: the shortcut whose price it is a part of; "" for a price of its own.
    """

    shortcut: str
    compared: str
    interval: Interval
    seeds: tuple[float, ...]
    kind: str
    not_shown: str
    of: str = ""


def price(
    shortcut: str, compared: str, a: RightAnswers | np.ndarray, b: RightAnswers, kind: str, not_shown: str, *,
    paired: bool = True,
    of: str = "",
) -> Price:  # fmt: skip
    """A price from two tallies, or from one accuracy per seed and a tally."""
    seeds = tuple(per_seed(a, b).tolist())
    return Price(shortcut, compared, difference(a, b, paired=paired), seeds, kind, not_shown, of)


def grouping_prices(runs: Mapping[str, Sequence[Record]]) -> list[Price]:
    """The prices that runs of `by_grouping` tell, by grouping; spreads over seeds from two seeds on.

    All but those of images and sequences come from the folds by subject alone.
    """
    images, sequences, honest = (right_answers(runs[grouping]) for grouping in GROUPINGS)
    own = runs["subjects"]
    folder = from_history(own, lambda history: history["train_accuracy"].max())
    size = np.mean([record.run["split"]["validation"] for record in own])
    prices = [
        price("Random split of images", "folds of images − folds of subjects", images, honest, "leak",
              "how much is the sibling frame, how much the person: see the next line"),
        price("Sequences kept whole, persons not", "folds of sequences − folds of subjects", sequences, honest, "leak",
              "a second video of one expression: CK+48 has one per person and expression"),
        *_known(runs),
        *_epochs(own, "the test fold", f"about {size:.0f} validation images",
                 "networks, rates and augmentations chosen on test as well"),
        price("Validation folder = training folder", "“validation” accuracy − test accuracy of the epoch it chose",
              folder, right_answers(own, "best_train"), "scored",
              "chance of the training images: only test persons are drawn"),
        _luckiest(own),
    ]  # fmt: skip
    return [*prices, _best_seed(honest.accuracy, "folds and weights")] if len(honest.accuracy) > 1 else prices


def design_prices(runs: Mapping[str, Sequence[Record]]) -> list[Price]:
    """The prices that runs of `by_design` tell, by design; those of copies where there are such runs and copies."""
    usage, random = runs["usage"], runs["random"]
    private, public = right_answers(usage), right_answers(usage, part="validation", offset=10**6)
    both = (public.n, private.n)
    chosen = from_history(usage, lambda h: np.average([h["val_accuracy"], h["test_accuracy"]], 0, both).max())
    scored = "PublicTest and PrivateTest together"
    prices = [
        *_copies(runs, private),
        *_epochs(usage, "PrivateTest", "PublicTest", "settings chosen on PrivateTest as well"),
        price("Both test parts scored", f"{scored} − PrivateTest, epoch chosen on PublicTest",
              joined(public, private), private, "scored", "a network that was tuned on PublicTest for long"),
        price("Both test parts choose and score", f"{scored}, best epoch there − PrivateTest, chosen on PublicTest",
              chosen, private, "choice", "chance of PublicTest's images: only those of PrivateTest are drawn"),
        price("Random 80/10/10 instead of Usage", "random test part − PrivateTest; different images, so not paired",
              right_answers(random), private, "scored", "differences below the width of the interval", paired=False),
    ]  # fmt: skip
    return [*prices, _best_seed(private.accuracy, "weights and order")] if len(private.accuracy) > 1 else prices


def _epochs(runs: Sequence[Record], test: str, validation: str, not_shown: str) -> list[Price]:
    """An epoch chosen on test images against one chosen on validation, and its two parts, by way of the last epoch."""
    best, last, chosen = (right_answers(runs, kept) for kept in ("best_test", "last", "best_validation"))
    name = f"Epoch chosen on {test}"
    return [
        price(name, f"best epoch on {test} − best on {validation}", best, chosen, "choice", not_shown),
        price("– of it: peeking, against the last epoch", f"best epoch on {test} − last epoch",
              best, last, "choice", not_shown, of=name),
        price("– of it: the last epoch, against validation's", f"last epoch − best on {validation}",
              last, chosen, "choice",
              "a cost of the honest rule, no gain of the shortcut: a larger validation part costs less", of=name),
    ]  # fmt: skip


def _known(runs: Mapping[str, Sequence[Record]]) -> list[Price]:
    """The price of known persons, apart for sequences whose person is known and whose person is not."""
    found, name = known_persons.known(runs), "Sequences kept whole, persons not"
    if found is None:
        return []
    compared = "the same two, on images whose person has {} in training"
    rest, whose = "why: see `fer_utils.analysis.prices.known_persons`", ("another sequence", "no other sequence")
    return [
        Price("– of it: the person is known", compared.format(whose[0]), found.present, found.present_seeds, "leak",
              rest, name),
        Price("– of it: the person is not known", compared.format(whose[1]), found.absent, found.absent_seeds, "leak",
              rest, name),
    ]  # fmt: skip


def _copies(runs: Mapping[str, Sequence[Record]], private: RightAnswers) -> list[Price]:
    """What images that stand in Training and in PrivateTest are worth."""
    inside, outside = runs.get("copies in"), runs.get("copies out")
    copied = inside[0].context("test", "seen") if inside and outside else None
    if copied is None or copied.sum() < 2:
        return []
    few = f"the {copied.sum():,} images that stand in Training"
    dense = "the price at full size: here copies are a larger share of training than in the whole Training part"
    return [
        price("Copies of test images in training", "training part with all copies − with none, PrivateTest",
              right_answers(inside), right_answers(outside), "leak", dense),
        price("Copies in training, last epoch", "the same two, last epoch",
              right_answers(inside, "last"), right_answers(outside, "last"), "leak", dense),
        price("Copied images alone, last epoch", f"the same two, last epoch, on {few}",
              right_answers(inside, "last", rows=copied), right_answers(outside, "last", rows=copied), "leak",
              "images that are near copies, such as crops: only equal pixels are found"),
        *_scored_copies(runs["usage"], private, copied),
    ]  # fmt: skip


def _scored_copies(usage: Sequence[Record], private: RightAnswers, copied: np.ndarray) -> list[Price]:
    """What scoring copied images adds to one training: those trained on, and all, most of which were not."""
    own = usage[0].context("test", "seen")
    own = copied & (own if own is not None else False)
    prices = []
    if own.any():
        prices.append(price(
            "Scoring images that were trained on", f"PrivateTest − PrivateTest without the {own.sum():,} of them",
            private, right_answers(usage, rows=~own), "leak",
            "memory alone: copied images may be easier, too"))  # fmt: skip
    if (fresh := copied & ~own).any():
        easy, usual = (100 * right_answers(usage, rows=rows).accuracy.mean() for rows in (fresh, ~copied))
        prices.append(price(
            COPIES_SCORED, f"PrivateTest − without the {copied.sum():,} of them",
            private, right_answers(usage, rows=~copied), "scored",
            f"memory: {fresh.sum():,} of them were not among these runs' training images, yet {easy:.1f} % came out "
            f"right, of images without a copy {usual:.1f} %; the mix of classes adds {100 * _mix(usage, copied):+.1f}",
        ))  # fmt: skip
    return prices


def _mix(runs: Sequence[Record], dropped: np.ndarray) -> float:
    """What the mix of classes changes in accuracy when images are dropped, each class at its accuracy without them."""
    pooled = [pool(group) for group in by_seed(runs).values()]
    labels, classes = pooled[0].labels, np.unique(pooled[0].labels[~dropped])
    right = np.mean([p.correct for p in pooled], axis=0)
    moved = [np.mean(labels == k) - np.mean(labels[~dropped] == k) for k in classes]
    return float(np.dot(moved, [right[(labels == k) & ~dropped].mean() for k in classes]))


def _luckiest(runs: Sequence[Record]) -> Price:
    found = maxima.best_of(fold_accuracies(runs))
    return Price("The luckiest hold-out", f"expected best of {found.n} folds − all folds together", found, (), "chance",
                 "nobody need have searched for it: it may just happen")  # fmt: skip


def _best_seed(accuracies: np.ndarray, what: str) -> Price:
    compared = f"expected best − mean; a seed draws {what}"
    spread = "a spread from few seeds is itself uncertain: see the interval"
    return Price(f"The best of {len(accuracies)} seeds", compared, maxima.best_of(accuracies), (), "chance", spread)


def fold_accuracies(runs: Sequence[Record], kept: str = "best_validation") -> np.ndarray:
    """Accuracy of every fold of each seed, float64 (s, folds): the hold-outs that one might have drawn."""
    groups = by_seed(runs).values()
    return np.array([[pool([record], "test", kept).correct.mean() for record in group] for group in groups])


def from_history(runs: Sequence[Record], value: Callable[[pd.DataFrame], float]) -> np.ndarray:
    """`value` of each run's history, averaged over the folds of each seed: float64 (s,)."""
    groups = by_seed(runs).values()
    return np.array([np.mean([value(record.history) for record in group]) for group in groups])
