"""Which images train, choose and test: the splits of the reports and the sound ones.

A split is described by a `SplitSpec` (small, part of every run's configuration) and made from a dataset
by `make`. Splits are drawn over the dataset's canonical order, so they do not depend on the layout it
was read from, and each has a hash of what it picked.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, train_test_split

from fer_utils.data.dataset import USAGES, FaceDataset
from fer_utils.data.readers.naming import GENERIC

KINDS = ("usage", "merged", "random", "kfold", "parts")
GROUPS = (None, "subjects", "sequences")
COPIES = ("natural", "all", "none")


@dataclass(frozen=True)
class SplitSpec:
    """How to divide a dataset.

    Attributes:
        kind: `"usage"` (FER2013's Training / PublicTest / PrivateTest), `"merged"` (Training against both test
            parts, 7,178 images, as folders without Usage suggest), `"random"` (stratified hold-out),
            `"kfold"` (stratified k-fold, `fold` of `n_folds` is the test set) or `"parts"` (the dataset's own train,
            validation and test, of which one that is not there is held out of train).
        test_size: share or number of images held out by `"random"`.
        validation_size: share of what is left that becomes validation; 0 for none.
        groups: keep whole `"subjects"` or `"sequences"` on one side; None splits image by image. With groups a share is
            that of one fold of two or more, the next to it: 0.3 gives a third.
        fold, n_folds: for `"kfold"`, `fold` in 0..n_folds-1.
        seed: of the draw.
        max_train: keep at most this many training images (stratified), or None for all.
        test_copies: what becomes of training images whose exact pixels also stand in the test part. `"natural"`
            leaves them to the draw of `max_train`, `"none"` takes them out before it, `"all"` puts every one into
            what `"none"` draws, each in the place of another image of its class: two such training parts differ
            in the copies alone.
    """

    kind: str = "usage"
    test_size: float | int = 0.2
    validation_size: float = 0.0
    groups: str | None = None
    fold: int = 0
    n_folds: int = 5
    seed: int = 0
    max_train: int | None = None
    test_copies: str = "natural"

    def __post_init__(self) -> None:
        plain_numbers(self)
        if self.kind not in KINDS:
            raise ValueError(f"A split's kind is one of {', '.join(KINDS)}; got {self.kind!r}.")
        if self.groups not in GROUPS:
            raise ValueError(f"A split's groups are 'subjects', 'sequences' or None; got {self.groups!r}.")
        if self.test_copies not in COPIES:
            raise ValueError(f"test_copies is one of {', '.join(COPIES)}; got {self.test_copies!r}.")
        if not (0 < self.test_size < 1 or (self.test_size >= 1 and self.test_size == int(self.test_size))):
            raise ValueError(f"test_size is a share in (0, 1) or a number of images; got {self.test_size!r}.")
        if self.test_size >= 1:
            object.__setattr__(self, "test_size", int(self.test_size))
        if not 0 <= self.validation_size < 1:
            raise ValueError(f"validation_size is a share in [0, 1); got {self.validation_size!r}.")
        if self.groups:
            _check_share(self.validation_size)
            _check_share(self.test_size if self.kind != "kfold" and self.test_size < 1 else 0)
        if self.kind == "kfold" and not 0 <= self.fold < self.n_folds:
            raise ValueError(f"fold must lie in 0..{self.n_folds - 1}; got {self.fold}.")
        if self.kind in ("usage", "merged") and (self.groups or self.validation_size):
            raise ValueError(
                f"The {self.kind!r} split takes the published parts as they are; got groups={self.groups!r}, "
                f"validation_size={self.validation_size!r}. Use kind='random' or 'kfold' with these."
            )

    def folds(self) -> list[SplitSpec]:
        """The `n_folds` splits of which this is one."""
        return [replace(self, fold=fold) for fold in range(self.n_folds)]


@dataclass(frozen=True, eq=False)
class Split:
    """Positions in the dataset's arrays, int64: `train` (a,), `validation` (b,), `test` (c,); b may be 0.

    Each part stands in canonical order. `hash` (16 hexadecimal digits) identifies what was picked
    whatever layout the dataset was read from.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    hash: str

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter((self.train, self.validation, self.test))

    @property
    def sizes(self) -> dict[str, int]:
        """Images per part."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


@dataclass(frozen=True)
class _Facts:
    """What a split depends on, image by image in canonical order: everything but the pixels, which are not copied."""

    name: str
    labels: np.ndarray
    digests: np.ndarray
    usage: np.ndarray | None
    subjects: np.ndarray | None
    sequences: np.ndarray | None

    @classmethod
    def ordered(cls, dataset: FaceDataset, order: np.ndarray) -> _Facts:
        names = ("labels", "digests", "usage", "subjects", "sequences")
        found = {name: getattr(dataset, name) for name in names}
        return cls(dataset.name, **{name: None if v is None else v[order] for name, v in found.items()})


def make(dataset: FaceDataset, spec: SplitSpec) -> Split:
    """Divide `dataset` as `spec` says.

    Returns:
        A `Split`; its parts are disjoint.

    Raises:
        ValueError: the dataset lacks what the split needs (usage, subjects, sequences); its own parts share groups that
            are to stay on one side; or a stratified split is not possible. Folds, and groups, may leave a class with
            few images or groups out of a part: scikit-learn then warns.

    Example:
        A split of images puts most persons of the test part into the training part too; one of persons puts none.

        >>> from fer_utils.data import synthetic
        >>> faces = synthetic.faces(n_subjects=12)
        >>> for groups in (None, "subjects"):
        ...     split = make(faces, SplitSpec("random", test_size=0.25, groups=groups))
        ...     both = np.intersect1d(faces.subjects[split.train], faces.subjects[split.test])
        ...     print(split.sizes, len(both), "persons on both sides")
        {'train': 189, 'validation': 0, 'test': 63} 12 persons on both sides
        {'train': 189, 'validation': 0, 'test': 63} 0 persons on both sides
    """
    order = dataset.canonical_order
    ranked = _Facts.ordered(dataset, order)
    if spec.kind in ("usage", "merged"):
        train, validation, test = _by_usage(ranked)
        if spec.kind == "merged":
            train, validation, test = train, validation[:0], np.concatenate([validation, test])
    elif spec.kind == "parts":
        train, validation, test = _by_parts(ranked, spec)
    else:
        groups = _groups(ranked, spec.groups)
        rest, test = _hold_out(ranked.labels, groups, spec)
        train, validation = _inner(ranked.labels, groups, rest, spec)
    train = _limited(ranked, train, test, spec)
    ranks = [np.sort(part) for part in (train, validation, test)]
    content = hashlib.blake2b(b"|".join(part.astype("<i8").tobytes() for part in ranks), digest_size=8)
    return Split(*(order[part] for part in ranks), hash=content.hexdigest())


def _by_usage(dataset: _Facts) -> tuple[np.ndarray, ...]:
    found = set() if dataset.usage is None else set(np.unique(dataset.usage))
    if not set(USAGES) <= found:
        raise ValueError(
            f"The usage split needs images marked {', '.join(USAGES)}; {dataset.name!r} has "
            f"{', '.join(sorted(found)) or 'no usage'}. Read FER2013 from a layout that tells the Usage "
            "(fer2013.csv, icml_face_data.csv, or folders whose file names start with it), or split by parts or at "
            "random."
        )
    return tuple(np.flatnonzero(dataset.usage == usage) for usage in USAGES)


def _by_parts(dataset: _Facts, spec: SplitSpec) -> tuple[np.ndarray, ...]:
    """The dataset's own parts, under published names or others; those that are not there come out of train."""
    if dataset.usage is None or not np.isin(dataset.usage, [GENERIC[0], USAGES[0]]).any():
        raise ValueError(
            f"A split by parts needs images marked train; {dataset.name!r} as read here has none. "
            "Put class folders into train/ (and validation/, test/), or use a random split."
        )
    train, validation, test = (
        np.flatnonzero(np.isin(dataset.usage, names)) for names in zip(GENERIC, USAGES, strict=True)
    )
    groups = _groups(dataset, spec.groups)
    if groups is not None:
        _check_apart({"train": groups[train], "validation": groups[validation], "test": groups[test]}, spec)
    if not len(test):
        rest, held = _hold_out(dataset.labels[train], None if groups is None else groups[train], spec)
        train, test = train[rest], train[held]
    if not len(validation):
        train, validation = _inner(dataset.labels, groups, train, spec)
    return train, validation, test


def _check_apart(parts: dict[str, np.ndarray], spec: SplitSpec) -> None:
    """Refuse parts of a dataset that share groups which the split is to keep on one side."""
    for one, other in combinations(parts, 2):
        if n := len(np.intersect1d(parts[one], parts[other])):
            raise ValueError(
                f"A split that keeps {spec.groups} on one side needs parts that share none; {one} and {other}, as they "
                f"are given, share {n}. Use groups=None (and say so), or a random split, which leaves the parts aside."
            )


def _groups(dataset: _Facts, field: str | None) -> np.ndarray | None:
    if field is None:
        return None
    groups = getattr(dataset, field)
    if groups is None:
        raise ValueError(
            f"A split grouped by {field} needs to know each image's; {dataset.name!r} as read here does not tell. "
            "Use CK+48 folders with their original file names, tell the persons of your own pictures by a pattern "
            "(subjects=), or use groups=None (and say so)."
        )
    return groups


def _hold_out(labels: np.ndarray, groups: np.ndarray | None, spec: SplitSpec) -> tuple[np.ndarray, np.ndarray]:
    everything = np.arange(len(labels))
    if spec.kind == "kfold":
        return _fold(labels, groups, spec.n_folds, spec.fold, spec.seed)
    if groups is None:
        rest, test = _stratified(everything, spec.test_size, spec.seed, labels)
        return rest, test
    share = spec.test_size if spec.test_size < 1 else spec.test_size / len(labels)
    return _fold(labels, groups, _folds_for(share), 0, spec.seed)


def _folds_for(share: float) -> int:
    """The number of folds of which one is nearest to a share."""
    _check_share(share)
    return min((math.floor(1 / share), math.ceil(1 / share)), key=lambda folds: abs(1 / folds - share))


def _check_share(share: float) -> None:
    if share > 0.5:
        raise ValueError(
            "With groups, what is held out is one fold of two or more, so half of the images at most; got a share of "
            f"{share:.3g}. Hold out less."
        )


def _inner(
    labels: np.ndarray, groups: np.ndarray | None, rest: np.ndarray, spec: SplitSpec
) -> tuple[np.ndarray, np.ndarray]:
    if spec.validation_size == 0:
        return rest, rest[:0]
    seed = spec.seed + 1 + spec.fold
    if groups is None:
        return _stratified(rest, spec.validation_size, seed, labels[rest])
    train, validation = _fold(labels[rest], groups[rest], _folds_for(spec.validation_size), 0, seed)
    return rest[train], rest[validation]


def _stratified(indices: np.ndarray, size: float | int, seed: int, labels: np.ndarray) -> tuple[np.ndarray, ...]:
    try:
        return tuple(train_test_split(indices, test_size=size, random_state=seed, stratify=labels))
    except ValueError as error:
        raise ValueError(
            f"A stratified split puts every class on both sides; with sizes {_counts(labels)} and test_size={size} "
            f"that is not possible ({error}). Use more images or another size."
        ) from error


def _limited(dataset: _Facts, train: np.ndarray, test: np.ndarray, spec: SplitSpec) -> np.ndarray:
    """The training part after `test_copies` and `max_train`."""
    size, labels = spec.max_train, dataset.labels
    if size is None or size >= len(train):
        size = None
    if spec.test_copies == "natural":
        return train if size is None else _at_most(size, train, labels[train], spec.seed)
    copied = np.isin(dataset.digests[train], dataset.digests[test])
    others, copies = train[~copied], train[copied]
    drawn = others if size is None or size >= len(others) else _at_most(size, others, labels[others], spec.seed)
    return drawn if spec.test_copies == "none" else _exchanged(np.sort(drawn), copies, labels)


def _exchanged(drawn: np.ndarray, copies: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """`drawn` with all `copies` in it, each in the place of another image of the same class."""
    leaving = []
    for label, needed in enumerate(np.bincount(labels[copies])):
        members = drawn[labels[drawn] == label]
        if needed > len(members):
            raise ValueError(
                f"test_copies='all' puts {needed} images of class {label} in the place of others of that class; "
                f"there are {len(members)}. Use more training images, or test_copies='none'."
            )
        leaving.append(members[:needed])  # in canonical order, that is by hash of the pixels: as good as drawn
    return np.concatenate([np.setdiff1d(drawn, np.concatenate(leaving)), copies]) if leaving else drawn


def _at_most(size: int, indices: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    try:
        return train_test_split(indices, train_size=size, random_state=seed, stratify=labels)[0]
    except ValueError as error:
        raise ValueError(
            f"max_train keeps images of every class of the {len(indices)} for training; got {size} ({error}). "
            "Use a larger number, or None for all."
        ) from error


def _fold(
    labels: np.ndarray, groups: np.ndarray | None, n_folds: int, fold: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    splitter = StratifiedKFold if groups is None else StratifiedGroupKFold
    try:
        folds = list(splitter(n_folds, shuffle=True, random_state=seed).split(labels, labels, groups))
    except ValueError as error:
        raise ValueError(
            f"A stratified {n_folds}-fold needs at least {n_folds} images (or groups) per class; got {_counts(labels)} "
            f"({error}). Use fewer folds."
        ) from error
    return folds[fold]


def plain_numbers(instance: Any) -> None:
    """Give the fields of a frozen dataclass Python's own numbers for NumPy's: JSON and keys know these alone."""
    for spec in fields(instance):
        value = getattr(instance, spec.name)
        if isinstance(value, np.generic):
            object.__setattr__(instance, spec.name, value.item())


def _counts(labels: np.ndarray) -> list[int]:
    return np.bincount(labels).tolist()
