"""Complete groups of runs that differ in one setting, and paired differences between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fer_utils.evaluation import metrics, statistics
from fer_utils.evaluation.statistics import Interval
from fer_utils.records import Record
from fer_utils.report.records_index import Shelf
from fer_utils.study.pooling import Pooled, by_seed, complete, pool

_PLAIN = {
    "class_weights": "none", "sampling": "natural", "augmentation_rare": "", "start_from": "", "head_l2": None,
    "teachers": (), "mixup": 0.0, "cutmix": 0.0, "weight_averaging": 0.0, "dataset_options": {},
}  # fmt: skip


def groups(shelf: Shelf, model: str, dataset: str, **fields: Any) -> list[list[Record]]:
    """The complete groups of final runs with these settings and otherwise usual ones; the longest trained first."""
    found = shelf.find(model, dataset, "sound", **_PLAIN | {"score_test": True, "model_options": {}} | fields)
    found = [runs for runs in complete(found) if runs[0].config.split.max_train is None]
    return sorted(found, key=lambda runs: (runs[0].config.epochs, len(runs)), reverse=True)


def matched(
    ones: Sequence[Sequence[Record]], others: Sequence[Sequence[Record]], statistic: Callable[..., float] | None = None
) -> Interval | None:
    """`paired` of the longest trained groups that match; None where none do."""
    gaps = (paired(one, other, statistic) for one in ones for other in others)
    return next((gap for gap in gaps if gap), None)


def first_seed(runs: Sequence[Record]) -> Pooled:
    """The first seed's predictions, all folds."""
    return pool(by_seed(runs)[runs[0].config.seed])


def recall(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Unweighted average recall of predicted classes."""
    return float(metrics.recall_of_classes(labels, predicted).mean())


def paired(
    one: Sequence[Record], other: Sequence[Record], statistic: Callable[..., float] | None = None
) -> Interval | None:
    """Difference on the same images, of the same number of epochs; None where they do not match."""
    a, b = first_seed(one), first_seed(other)
    if one[0].config.epochs != other[0].config.epochs or not np.array_equal(a.labels, b.labels):
        return None
    if statistic is None:
        return statistics.paired_bootstrap_difference(a.correct, b.correct, clusters=a.people)
    said = (pooled.logits.argmax(axis=1) for pooled in (a, b))
    return statistics.paired_bootstrap_difference(
        *said, labels=a.labels, statistic=statistic, clusters=a.people, n_resamples=500
    )
