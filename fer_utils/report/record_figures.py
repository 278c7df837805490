"""Figures of run records, as the notebooks show them: learning curves, and the surest right and wrong answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fer_utils import plots
from fer_utils.analysis.eda import TITLES
from fer_utils.data import splits
from fer_utils.data.dataset import FaceDataset
from fer_utils.evaluation import metrics
from fer_utils.records import Record
from fer_utils.report.paired_runs import first_seed
from fer_utils.study.pooling import by_seed

_WATCHED = {"train": "the training images themselves", "test": "the TEST SET"}


def learning_curves(record: Record, profile: str | None) -> Figure:
    """Learning curves of one run with its kept epochs marked; a watched test set is named in capitals.

    Args:
        record: a finished run.
        profile: see `fer_utils.plots`; None for real faces on record.
    """
    config, history, marks = record.config, record.history, {}
    if config.monitor == "test":
        history = history.rename(columns={"val_loss": "test_loss", "val_accuracy": "test_accuracy"})
    for name, epoch in record.run["kept_epochs"].items():
        marks.setdefault(epoch, []).append(name.replace("_", " ").replace("test", "TEST"))
    fold = f", fold {config.split.fold + 1} of {config.split.n_folds}" if config.split.kind == "kfold" else ""
    sizes = record.run["split"]
    return plots.learning_curves(
        history, kept={", ".join(names): epoch for epoch, names in marks.items()}, profile=profile,
        title=f"{config.model} on {TITLES.get(config.dataset, config.dataset)}, {config.protocol} protocol",
        caption=f"Seed {config.seed}{fold}. Watched: {_WATCHED.get(config.monitor, 'validation images')} "
        f"(n = {sizes[config.monitor]:,}); trained on n = {sizes['train']:,}.",
    )  # fmt: skip


def surest_answers(
    faces: FaceDataset, runs: Sequence[Record], *, right: bool, published: bool, profile: str | None, n: int = 16
) -> Figure:
    """The test images of the first seed that a network was surest of, at most one of each sequence.

    Among faces that may be shown where there are any: the rest are outlines in a published figure.

    Args:
        faces: the images that the runs are about.
        runs: finished runs of one configuration, all folds.
        right: the right answers, or the wrong ones.
        published: whether others may see the figure.
        profile: see `fer_utils.plots`.
        n: faces at most.

    Raises:
        ValueError: the dataset is not the one of the records, or there is no such answer.
    """
    pooled, rows = first_seed(runs), _tested(faces, runs)
    wanted = pooled.correct == right
    if not np.array_equal(faces.labels[rows], pooled.labels) or not wanted.any():
        raise ValueError(
            f"The surest answers need the records' own images and {'right' if right else 'wrong'} answers; got "
            f"{faces.name}, with {wanted.sum()} of these. Load the dataset that was trained on."
        )
    confidence = metrics.softmax(pooled.logits).max(axis=1)
    picked = _surest(faces, rows, confidence, wanted, published)[:n]
    shown: dict[str, Any] = {"dataset_name": faces.name, "published": published, "profile": profile}
    config = runs[0].config
    return plots.predictions_grid(
        faces.images[rows[picked]], pooled.labels[picked], pooled.logits[picked].argmax(axis=1), pooled.class_names,
        subjects=None if faces.subjects is None else faces.subjects[rows[picked]], confidence=confidence[picked],
        title=f"{'Right' if right else 'Wrong'} predictions, the surest first", **shown,
        caption=f"{config.model}, seed {config.seed}; {wanted.sum():,} of n = {len(wanted):,} test images.",
    )  # fmt: skip


def _tested(faces: FaceDataset, runs: Sequence[Record]) -> np.ndarray:
    """Rows of the first seed's test images, folds one after another."""
    group = by_seed(runs)[runs[0].config.seed]
    return np.concatenate([splits.make(faces, record.config.split).test for record in group])


def _surest(
    faces: FaceDataset, rows: np.ndarray, confidence: np.ndarray, wanted: np.ndarray, published: bool
) -> np.ndarray:
    """Positions of the surest predictions among `wanted`, one of each sequence."""
    people = None if faces.subjects is None else faces.subjects[rows]
    visible = wanted & plots.may_publish(faces.name, people, len(rows))
    order = np.argsort(-confidence, kind="stable")
    order = order[(visible if published and visible.any() else wanted)[order]]
    if faces.sequences is None:
        return order
    return order[np.sort(np.unique(faces.sequences[rows][order], return_index=True)[1])]
