"""Why folds of sequences score below folds of persons: a known person misleads.

CK+48 has one sequence per person and expression. Where sequences are kept whole and persons are not, a test person
stands in training with *other* expressions only. If that is what costs accuracy, then sequences whose person has others
in training lose more than those whose person has none, and errors fall on the person's other expressions. Both follow
from stored predictions: a fold trains on all pairs of person and expression that it neither tests nor validates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fer_utils.evaluation.intervals import difference, per_seed
from fer_utils.evaluation.right_answers import RightAnswers, counted, stacked
from fer_utils.evaluation.statistics import Interval
from fer_utils.records import Record
from fer_utils.study.pooling import by_seed, pool, right_answers

Pair = tuple[int, int]
"""A person and a label."""


@dataclass(frozen=True)
class Known:
    """What it does to a sequence that its person is known from others.

    Attributes:
        present, absent: accuracy in folds of sequences minus that in folds of persons, of the images whose person has
            other sequences in the training part of the former, and of those whose person has none.
        present_seeds, absent_seeds: the same of each seed.
        n_present, n_absent: images, mean over seeds.
        misled: share of errors that give one of the person's other expressions in training, `present` images alone:
            in folds of sequences and in folds of persons, means over seeds.
        gap: the former share minus the latter.
    """

    present: Interval
    absent: Interval
    present_seeds: tuple[float, ...]
    absent_seeds: tuple[float, ...]
    n_present: float
    n_absent: float
    misled: tuple[float, float]
    gap: Interval

    def sentence(self) -> str:
        """The proof in words."""
        known, alone = (found.points() for found in (self.present, self.absent))
        own, apart = (f"{100 * share:.0f} %" for share in self.misled)
        return (
            f"On images whose person has other sequences in training, the accuracy changes by {known} points "
            f"({self.n_present:.0f} images a seed), on those whose person has none there by {alone} "
            f"({self.n_absent:.0f}). On the former, {own} of the errors name an expression which the person shows in "
            f"one of these other sequences; in folds of persons, {apart} of the errors on the same images do. The "
            f"difference is {self.gap.points()} points."
        )


def known(runs: Mapping[str, Sequence[Record]], kept: str = "best_validation") -> Known | None:
    """The proof from complete runs of `fer_utils.analysis.prices.experiments.by_grouping`; None where it cannot be had.

    Args:
        runs: under `"sequences"` and `"subjects"` all folds of the same seeds.
        kept: the epoch.
    """
    sides = [by_seed(runs[grouping]) for grouping in ("sequences", "subjects")]
    others = [_others(records, kept) for records in sides[0].values()]
    if any(found is None for found in others):
        return None
    rows, errors = zip(*(_split(side, others, kept) for side in sides), strict=True)
    if not all(mask.any() and not mask.all() for masks in rows for mask in masks) or not all(map(all, errors)):
        return None
    present, absent = (
        [right_answers(runs[g], kept, rows=[m if there else ~m for m in masks])
         for g, masks in zip(("sequences", "subjects"), rows, strict=True)]
        for there in (True, False)
    )  # fmt: skip
    one, other = map(stacked, errors)
    return Known(
        difference(*present), difference(*absent), *(tuple(per_seed(*pair).tolist()) for pair in (present, absent)),
        float(present[0].images.sum(axis=1).mean()), float(absent[0].images.sum(axis=1).mean()),
        (float(one.accuracy.mean()), float(other.accuracy.mean())), difference(one, other),
    )  # fmt: skip


def _split(
    seeds: Mapping[int, Sequence[Record]], others: Sequence[Mapping[Pair, set[int]]], kept: str
) -> tuple[list[np.ndarray], list[RightAnswers | None]]:
    """Of each seed the images whose person is known from other labels, and which errors on them name one of those."""
    rows, errors = [], []
    for records, found in zip(seeds.values(), others, strict=True):
        p = pool(records, "test", kept)
        named = [found[pair] for pair in zip(p.subjects.tolist(), p.labels.tolist(), strict=True)]
        rows.append(np.array([bool(labels) for labels in named]))
        said = p.logits.argmax(axis=1).tolist()
        misled = np.array([answer in labels for answer, labels in zip(said, named, strict=True)])
        wrong = rows[-1] & ~p.correct
        errors.append(counted(misled[wrong], p.subjects[wrong]) if wrong.any() else None)
    return rows, errors


def _others(folds: Sequence[Record], kept: str) -> dict[Pair, set[int]] | None:
    """Of each test pair the person's other labels in the training part of its fold; None where pairs are not unique."""
    tested = [_pairs(record, "test", kept) for record in folds]
    if None in tested or sum(map(len, tested)) != len(everyone := set().union(*tested)):
        return None
    found: dict[Pair, set[int]] = {}
    for record, pairs in zip(folds, tested, strict=True):
        trained = everyone - pairs - (_pairs(record, "validation", record.kept[0]) or set())
        for person, label in pairs:
            found[person, label] = {other for who, other in trained if who == person}
    return found


def _pairs(record: Record, part: str, kept: str) -> set[Pair] | None:
    who = record.context(part, "subjects")
    return None if who is None else set(zip(who.tolist(), record.predictions(part, kept)[0].tolist(), strict=True))
