"""What a split leaks: duplicates, sibling frames and persons that stand on both sides."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from fer_utils.data.dataset import FaceDataset
from fer_utils.data.splits import Split


@dataclass(frozen=True)
class Leaks:
    """Counts of test images that training has seen in some form.

    Attributes:
        n_test: images in the test set.
        duplicate: test images whose exact pixels also stand in training.
        duplicate_other_label: those of them whose label differs from every copy in training.
        sibling_frame: test images with a frame of the same sequence in training; None if unknown.
        same_subject: test images whose person stands in training; None if unknown.
    """

    n_test: int
    duplicate: int
    duplicate_other_label: int
    sibling_frame: int | None
    same_subject: int | None

    def table(self) -> pd.DataFrame:
        """One row per kind of leak: number of test images and share in percent."""
        counts = {k: v for k, v in asdict(self).items() if k != "n_test" and v is not None}
        rows = {k.replace("_", " "): (v, 100 * v / max(self.n_test, 1)) for k, v in counts.items()}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["test images", "% of test"])


@dataclass(frozen=True)
class Duplicates:
    """Exact duplicates within a dataset.

    Attributes:
        groups: sets of two or more images with the same pixels.
        images: images in those sets.
        conflicting_groups: sets whose labels disagree.
        conflicting_images: images in those.
        crossing_groups: sets that span more than one published part; None where the dataset has no parts.
    """

    groups: int
    images: int
    conflicting_groups: int
    conflicting_images: int
    crossing_groups: int | None


def duplicate_groups(dataset: FaceDataset) -> np.ndarray:
    """int64 (n,): the same number for images with the same pixels. Linear in memory, n log n in time."""
    return np.unique(dataset.digests, return_inverse=True)[1].astype(np.int64)


def duplicates(dataset: FaceDataset) -> Duplicates:
    """Count exact duplicates and those with conflicting labels or in several published parts."""
    frame = pd.DataFrame({"group": duplicate_groups(dataset), "label": dataset.labels})
    if dataset.usage is not None:
        frame["usage"] = dataset.usage
    by_group = frame.groupby("group")
    size, labels = by_group.size(), by_group["label"].nunique()
    repeated, conflict = size > 1, labels > 1
    crossing = int((by_group["usage"].nunique() > 1).sum()) if dataset.usage is not None else None
    return Duplicates(
        groups=int(repeated.sum()),
        images=int(size[repeated].sum()),
        conflicting_groups=int(conflict.sum()),
        conflicting_images=int(size[conflict].sum()),
        crossing_groups=crossing,
    )


def leaks(dataset: FaceDataset, split: Split) -> Leaks:
    """Count test images with an exact duplicate, a sibling frame or the same person in training."""
    train, test = split.train, split.test
    duplicate = seen_in_training(dataset, split)
    pairs = np.char.add(dataset.digests, dataset.labels.astype("S3"))
    return Leaks(
        n_test=len(test),
        duplicate=int(duplicate.sum()),
        duplicate_other_label=int((duplicate & ~np.isin(pairs[test], pairs[train])).sum()),
        sibling_frame=_shared(dataset.sequences, train, test),
        same_subject=_shared(dataset.subjects, train, test),
    )


def seen_in_training(dataset: FaceDataset, split: Split) -> np.ndarray:
    """Bool (test,): test images whose exact pixels also stand in training."""
    return np.isin(dataset.digests[split.test], dataset.digests[split.train])


def _shared(names: np.ndarray | None, train: np.ndarray, test: np.ndarray) -> int | None:
    return None if names is None else int(np.isin(names[test], names[train]).sum())
