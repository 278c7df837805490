"""What several runs say together: folds put together, seeds averaged, one line of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from fer_utils.evaluation import intervals, metrics, statistics
from fer_utils.evaluation.right_answers import RightAnswers, counted, stacked
from fer_utils.evaluation.statistics import Interval
from fer_utils.records import Record
from fer_utils.records.config import RunConfig
from fer_utils.study import protocols, recipes

EPOCHS = {
    "last": "last epoch", "best_validation": "epoch chosen on validation", "best_test": "epoch CHOSEN ON TEST",
    "best_train": "epoch chosen on training images",
}  # fmt: skip
"""Kept epochs for readers; a report's own blocks have no entry."""


@dataclass(frozen=True, eq=False)
class Pooled:
    """Predictions of one or more runs whose scored images do not overlap (the folds of one seed).

    Attributes:
        labels: int64 (n,), in 0..k-1.
        logits: float64 (n, k).
        subjects: int64 (n,), the person shown; None where not known.
        class_names: k names.
    """

    labels: np.ndarray
    logits: np.ndarray
    subjects: np.ndarray | None
    class_names: tuple[str, ...]

    @property
    def correct(self) -> np.ndarray:
        """Bool (n,)."""
        return self.logits.argmax(axis=1) == self.labels

    @property
    def people(self) -> np.ndarray | None:
        """Whom an interval draws: `subjects` where two or more are known, else None (it draws images)."""
        return statistics.clusters_of(self.subjects)

    @property
    def interval(self) -> Interval:
        """Accuracy with its 95 % interval, by persons where two or more are known (`evaluation.intervals`)."""
        return intervals.accuracy(self.correct, self.people)


def pool(records: Sequence[Record], part: str = "test", kept: str | None = None) -> Pooled:
    """Concatenate the predictions of all folds of one seed, in the order of `records`."""
    pairs = [record.predictions(part, kept) for record in records]
    subjects = [record.context(part, "subjects") for record in records]
    return Pooled(
        labels=np.concatenate([labels for labels, _ in pairs]),
        logits=np.concatenate([logits for _, logits in pairs]),
        subjects=None if any(s is None for s in subjects) else np.concatenate(subjects),
        class_names=records[0].class_names,
    )


def by_configuration(records: Sequence[Record]) -> list[list[Record]]:
    """Records that answer one question: the same protocol and configuration but for seed and fold."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in sorted(records, key=lambda r: (r.config.seed, r.config.split.fold)):
        alike = replace(record.config, seed=0, split=replace(record.config.split, fold=0))
        groups.setdefault((record.config.protocol, alike.key), []).append(record)
    return list(groups.values())


def by_name(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Groups of `by_configuration` under the names of their networks; the same run given twice counts once.

    Where a network has several configurations, what differs tells them apart: the recipe of one of the study's own, the
    epochs of others, and where these are equal too, their key.
    """
    groups = by_configuration(list({record.id: record for record in records}.values()))
    firsts = [group[0].config for group in groups]

    def recipe(config: RunConfig) -> str:
        own = config.model in protocols.OWN
        return ", ".join(filter(None, (config.model, recipes.changed(config) if own else f"{config.epochs} epochs")))

    for name in (lambda c: c.model, recipe, lambda c: f"{c.model} {c.key}"):
        names = [name(config) for config in firsts]
        if len(set(names)) == len(names):
            break
    return dict(zip(names, groups, strict=True))


def by_seed(records: Sequence[Record]) -> dict[int, list[Record]]:
    """Records grouped by seed, in the order in which the seeds first come; each group's folds in order."""
    groups: dict[int, list[Record]] = {}
    for record in records:
        groups.setdefault(record.config.seed, []).append(record)
    return {seed: sorted(group, key=lambda r: r.config.split.fold) for seed, group in groups.items()}


def stopped_early(records: Sequence[Record]) -> str:
    """Where early stopping ended trainings of a group before their last epoch: ", stopped early after 37"; else ""."""
    ended = sorted(record.run["epochs"] for record in records)
    if ended[0] == records[0].config.epochs:
        return ""
    return f", stopped early after {ended[0]}" + (f" to {ended[-1]}" if ended[-1] > ended[0] else "")


def of_common_seeds(a: Sequence[Record], b: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """The runs of those seeds that both groups have, to compare seed by seed; all runs where one has a single seed."""
    seeds = {record.config.seed for record in a}, {record.config.seed for record in b}
    if min(len(own) for own in seeds) == 1:
        return list(a), list(b)
    common = seeds[0] & seeds[1]
    return tuple([record for record in group if record.config.seed in common] for group in (a, b))


def whole(records: Sequence[Record]) -> bool:
    """Whether all folds of every seed are there."""
    split = records[0].config.split
    folds = split.n_folds if split.kind == "kfold" else 1
    return all(len(group) == folds for group in by_seed(records).values())


def complete(records: Iterable[Record]) -> list[list[Record]]:
    """Groups of `by_configuration`, without the seeds that lack a fold; no group where no seed is whole."""
    groups = []
    for group in by_configuration(records):
        if there := [record for folds in by_seed(group).values() if whole(folds) for record in folds]:
            groups.append(there)
    return groups


def right_answers(
    runs: Sequence[Record], kept: str | None = "best_validation", *, part: str = "test",
    rows: np.ndarray | Sequence[np.ndarray] | None = None, offset: int = 0,
) -> RightAnswers:  # fmt: skip
    """Count right answers per seed and person; per image where persons are unknown or fewer than two.

    Args:
        runs: of one configuration, all folds of every seed.
        kept: the epoch; None for each run's first.
        part: `"test"` or `"validation"`.
        rows: bool (n,), images of the part to count, folds one after another, or one such array per seed; None
            counts all.
        offset: added to positions of images, to tell those of one part or draw from another's.

    Raises:
        ValueError: no run.
    """
    if not runs:
        raise ValueError("A tally needs at least one run; got none. Train the runs of this configuration.")
    pooled = [pool(group, part, kept) for group in by_seed(runs).values()]
    known = all(p.people is not None for p in pooled)
    columns = []
    for i, p in enumerate(pooled):
        units = p.subjects if known else offset + np.arange(len(p.labels))
        chosen = slice(None) if rows is None else rows if isinstance(rows, np.ndarray) else rows[i]
        columns.append(counted(p.correct[chosen], units[chosen]))
    return replace(stacked(columns), what="persons" if known else "images")


def result(records: Sequence[Record], part: str = "test", kept: str | None = None) -> dict[str, Any]:
    """One line of a results table: what runs of one configuration (seeds × folds) say together.

    Args:
        records: all folds of every seed.
        part: `"test"` or `"validation"`.
        kept: the epoch; None for the runs' first.

    Returns:
        `accuracy` (mean over seeds of the pooled accuracy), `low` and `high` (its 95 % interval: persons or images are
        drawn, and seeds where there are several, see `fer_utils.evaluation.intervals`), `method` (of the interval),
        `sd` over seeds (NaN for one), `uar`, `macro_f1` (means over seeds), `n` (images that a seed scored), `seeds`,
        `folds`, `kept`, `chosen_on_test`, `hours`, `device`.

    Raises:
        ValueError: no run.
    """
    kept = kept or (records[0].kept[0] if records else None)
    counts = right_answers(records, kept, part=part)
    found, accuracies = intervals.of_answers(counts), counts.accuracy
    pooled = [pool(group, part, kept) for group in by_seed(records).values()]
    summaries = [metrics.summary(p.labels, p.logits) for p in pooled]
    return {
        "accuracy": found.estimate,
        "low": found.low,
        "high": found.high,
        "method": found.method,
        "sd": float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else float("nan"),
        "uar": float(np.mean([s["balanced_accuracy"] for s in summaries])),
        "macro_f1": float(np.mean([s["macro_f1"] for s in summaries])),
        "n": counts.n,
        "seeds": len(accuracies),
        "folds": len(records) // len(accuracies),
        "kept": kept,
        "chosen_on_test": kept in records[0].config.chosen_on_test,
        "hours": sum(record.run["seconds"] for record in records) / 3600,
        "device": records[0].run["device"].replace(", 1 cores", ", 1 core"),
    }


def validation_minus_test(records: Sequence[Record], like: Record) -> np.ndarray:
    """How many points validation stands above test in other final runs of one split, float64 (m,).

    A winner's drop from validation to test is not all luck of its selection where runs that nobody chose drop, too: the
    persons of one part may be easier than those of the other.

    Args:
        records: where to look.
        like: the run whose split they share; itself is left out.
    """
    others = [r for r in records if r.config.split == like.config.split and r.config.score_test and r.id != like.id]
    gaps = [pool([r], "validation").correct.mean() - pool([r], "test").correct.mean() for r in others]
    return 100 * np.array(gaps, dtype=np.float64)


def results_table(groups: Mapping[str, Sequence[Record]], part: str = "test") -> pd.DataFrame:
    """`result` of several groups of runs, one row each, named by the keys."""
    return pd.DataFrame.from_dict({name: result(records, part) for name, records in groups.items()}, orient="index")
