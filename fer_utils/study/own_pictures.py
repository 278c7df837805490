"""Pictures of one's own under the study's protocol: what is audited, which run is declared, what its score is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fer_utils.data import FaceDataset, audit, splits
from fer_utils.data.splits import Split, SplitSpec
from fer_utils.evaluation import intervals, statistics
from fer_utils.records import Record
from fer_utils.records.config import Phase, RunConfig

STEPS = 1500
"""Steps that a training has at least, so that a few hundred pictures are seen often enough."""

MOST_FOLDS = 5
"""One in so many persons (or pictures, where persons are not known) tests; where there are fewer persons, one does."""


def split_spec(dataset: FaceDataset, by_persons: bool = False, seed: int = 0) -> SplitSpec:
    """The split of a dataset of one's own: its parts, else a hold-out; by persons wherever they are known.

    Where its parts share persons already, what is held out besides is dealt out picture by picture.

    Args:
        dataset: as `load("folders", ...)` gives it.
        by_persons: divide by persons whatever the parts say.
        seed: of the draw.

    Raises:
        ValueError: `by_persons` where nobody knows them, or where there are fewer than three.
    """
    persons = 0 if dataset.subjects is None else len(np.unique(dataset.subjects))
    if by_persons and persons < 3:
        raise ValueError(
            f"A split by persons needs at least three, to train, choose and test; got {persons or 'none known'}. "
            "Tell persons by subjects=PATTERN, or take pictures of more."
        )
    kind = "random" if by_persons or dataset.usage is None else "parts"
    mixed = kind == "parts" and persons and len(set(zip(dataset.subjects, dataset.usage, strict=True))) > persons
    groups = "subjects" if persons >= 3 and not mixed else None
    test = 1 / min(MOST_FOLDS, persons if groups else MOST_FOLDS)
    inner = 1 / min(MOST_FOLDS, max(2, persons - math.ceil(test * persons)) if groups else MOST_FOLDS)
    return SplitSpec(kind, test_size=test, validation_size=inner, groups=groups, seed=seed)


def plan(
    dataset: FaceDataset, options: Mapping[str, Any], *, model: str = "compact", epochs: int | None = None,
    seed: int = 0, by_persons: bool = False, start_from: str = "",
) -> RunConfig:  # fmt: skip
    """The run of a dataset of one's own: the sound protocol with light augmentation, its test part scored once.

    Args:
        dataset: as `load("folders", root, **options)` gave it.
        options: those options.
        model: a name of `fer_utils.models.build`.
        epochs: of the one phase, under a cosine; None for 40, or more where there are few pictures (`STEPS`).
        seed: of split, weights, order and augmentation.
        by_persons: see `split_spec`.
        start_from: see `RunConfig`; weights learned on many faces help where there are few.
    """
    split = split_spec(dataset, by_persons, seed)
    batch_size = 16 if len(dataset) < 2000 else 64
    steps = math.ceil(len(splits.make(dataset, split).train) / batch_size)
    epochs = max(40, math.ceil(STEPS / steps)) if epochs is None else epochs
    return RunConfig(
        model, "folders", (Phase(epochs, 1e-3, "cosine", warmup_epochs=min(2, epochs / 10)),), split=split,
        dataset_options=dict(options), augmentation="light", batch_size=batch_size, class_weights="balanced",
        score_test=True, start_from=start_from, seed=seed,
    )  # fmt: skip


def described(dataset: FaceDataset) -> list[str]:
    """Classes, parts, persons and what the audit finds within the dataset, in lines."""
    counts = dataset.class_counts()
    named = ", ".join(f"{name} {n:,}" for name, n in zip(dataset.class_names, counts, strict=True))
    lines = [f"{len(dataset):,} pictures, fingerprint {dataset.fingerprint}", f"  classes: {named}"]
    if dataset.usage is not None:
        parts = zip(*np.unique(dataset.usage, return_counts=True), strict=True)
        lines.append(f"  parts: {', '.join(f'{part} {n:,}' for part, n in parts)}")
    persons = "not known" if dataset.subjects is None else f"{len(np.unique(dataset.subjects)):,}"
    lines.append(f"  persons: {persons}")
    found = audit.duplicates(dataset)
    lines.append(f"  exact duplicates: {found.images:,} pictures in {found.groups:,} groups")
    conflicts = f"{found.conflicting_images:,} in {found.conflicting_groups:,} groups"
    lines.append(f"  of which under different labels: {conflicts}")
    if found.crossing_groups is not None:
        lines.append(f"  groups of duplicates in several parts: {found.crossing_groups:,}")
    return lines


def leaking(dataset: FaceDataset, split: Split) -> list[str]:
    """Sizes of a split, and how many of its test pictures training has seen in some form, in lines."""
    found = audit.leaks(dataset, split)
    sizes = ", ".join(f"{part} {n:,}" for part, n in split.sizes.items())
    lines = [f"split: {sizes}", f"  test pictures that also stand in training: {found.duplicate:,} of {found.n_test:,}"]
    if found.sibling_frame is not None:
        lines.append(f"  test pictures with one of the same sequence in training: {found.sibling_frame:,}")
    if found.same_subject is not None:
        lines.append(f"  test pictures of persons in training: {found.same_subject:,}")
    return lines


def score(dataset: FaceDataset, split: Split, record: Record) -> list[str]:
    """The accuracy on the test part with its interval, and what it does not say, in lines."""
    labels, logits = record.predictions("test")
    right = logits.argmax(axis=1) == labels
    persons = statistics.clusters_of(None if dataset.subjects is None else dataset.subjects[split.test])
    found = intervals.accuracy(right, persons)
    drawn = "pictures" if persons is None else f"{len(np.unique(persons))} persons"
    text = f"accuracy on {len(right):,} test pictures: {100 * right.mean():.1f} %"
    return [f"{text} [{100 * found.low:.1f}, {100 * found.high:.1f}] (95 %, by {drawn})", *claims(dataset, split)]


def claims(dataset: FaceDataset, split: Split) -> list[str]:
    """What a score on this split does not say, in sentences."""
    if dataset.subjects is None:
        return [
            "Persons are not known, so pictures of one person may stand on both sides of the split: this score does "
            "not say how well persons are recognised whom the network has not seen, and may be far too high for them. "
            "Tell persons by the names of files (--subjects PATTERN) to measure that."
        ]
    found = audit.leaks(dataset, split)
    if found.same_subject:
        return [
            f"{found.same_subject:,} of {found.n_test:,} test pictures show persons who also stand in training: this "
            "score does not say how well others are recognised. Divide by persons (--by-persons) to measure that."
        ]
    chosen_by = np.isin(dataset.subjects[split.test], dataset.subjects[split.validation]).sum()
    if chosen_by:
        return [
            f"{chosen_by:,} of {found.n_test:,} test pictures show persons whose other pictures chose the epoch: this "
            "score may be too high for others. Divide by persons (--by-persons) to measure that."
        ]
    n = len(np.unique(dataset.subjects[split.test]))
    return [f"Nobody stands on both sides; it is a statement about persons like these {n}, and about no others."]

