"""Splits: what each picks, that it does not depend on the order of rows, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from fer_utils.data import CKPLUS_EXPRESSIONS, EXPRESSIONS, USAGES, FaceDataset, load
from fer_utils.data.dataset import SIZE
from fer_utils.data.splits import Split, SplitSpec, make

SPECS = (
    SplitSpec("usage"),
    SplitSpec("usage", max_train=70),
    SplitSpec("merged"),
    SplitSpec("random", test_size=0.2, seed=123),
    SplitSpec("random", test_size=40, validation_size=0.1, seed=7),
    SplitSpec("random", test_size=0.25, groups="subjects"),
    SplitSpec("random", test_size=0.25, groups="sequences", validation_size=0.2, max_train=50),
    SplitSpec("kfold", n_folds=4, fold=2),
    SplitSpec("kfold", n_folds=5, fold=4, groups="subjects", validation_size=0.125),
)


@pytest.fixture(scope="module")
def faces() -> FaceDataset:
    """20 subjects, 7 expressions, 3 frames: 420 small-noise images, two of them exact duplicates."""
    rng = np.random.default_rng(0)
    subject, label, _ = (axis.ravel() for axis in np.meshgrid(range(20), range(7), range(3), indexing="ij"))
    images = rng.integers(0, 256, (420, SIZE, SIZE), dtype=np.uint8)
    images[1] = images[0]
    return FaceDataset(
        images, label, EXPRESSIONS, "synthetic",
        usage=np.array(USAGES)[np.where(subject < 14, 0, np.where(subject < 17, 1, 2))],
        subjects=np.array([f"S{s:02d}" for s in subject]),
        sequences=np.array([f"S{s:02d}_{e}" for s, e in zip(subject, label, strict=True)]),
    )  # fmt: skip


def picked(dataset: FaceDataset, split: Split) -> list[list[bytes]]:
    return [dataset.digests[part].tolist() for part in split]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_same_images_and_same_hash_whatever_the_order_of_rows(faces: FaceDataset, spec: SplitSpec) -> None:
    other = faces.subset(np.random.default_rng(3).permutation(len(faces)))
    one, two = make(faces, spec), make(other, spec)
    assert one.hash == two.hash and len(one.hash) == 16
    assert picked(faces, one) == picked(other, two)
    assert not np.array_equal(one.test, two.test)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_parts_are_disjoint_and_cover_what_max_train_leaves(faces: FaceDataset, spec: SplitSpec) -> None:
    split = make(faces, spec)
    rows = np.concatenate(list(split))
    assert len(np.unique(rows)) == len(rows) == sum(split.sizes.values())
    assert len(rows) == len(faces) if spec.max_train is None else split.sizes["train"] == spec.max_train
    assert all(part.dtype == np.int64 for part in split)
    assert set(faces.labels[split.train]) == set(range(7))


def test_hashes_differ_between_splits_seeds_and_folds(faces: FaceDataset) -> None:
    specs = [*SPECS, SplitSpec("random", seed=124), *SplitSpec("kfold", n_folds=4).folds()[:2]]
    assert len({make(faces, spec).hash for spec in specs}) == len(specs)


def test_hash_is_stable_between_versions(faces: FaceDataset) -> None:
    """Records name a split by its hash: a change of how splits are drawn needs a new recipe version."""
    assert make(faces, SplitSpec("usage")).hash == "f40f6c07d2d00bc4"
    assert make(faces, SplitSpec("random", seed=123)).hash == "cbec74d50646cc03"
    assert make(faces, SplitSpec("kfold", groups="subjects", validation_size=0.125)).hash == "c0c9662742339bfd"


def test_usage_and_merged_take_the_published_parts(faces: FaceDataset) -> None:
    train, validation, test = make(faces, SplitSpec("usage"))
    for part, usage in zip((train, validation, test), USAGES, strict=True):
        assert set(faces.usage[part]) == {usage} and len(part) == np.sum(faces.usage == usage)
    merged = make(faces, SplitSpec("merged"))
    assert merged.sizes == {"train": 294, "validation": 0, "test": 126}
    assert set(merged.train) == set(train) and set(merged.test) == {*validation, *test}


def test_max_train_keeps_class_shares(faces: FaceDataset) -> None:
    split = make(faces, SplitSpec("usage", max_train=70))
    assert np.bincount(faces.labels[split.train]).tolist() == [10] * 7
    assert set(split.train) < set(make(faces, SplitSpec("usage")).train)
    assert make(faces, SplitSpec("usage", max_train=10_000)).hash == make(faces, SplitSpec("usage")).hash


def test_random_split_is_stratified_and_is_scikit_learns_over_canonical_order(faces: FaceDataset) -> None:
    split = make(faces, SplitSpec("random", test_size=0.2, validation_size=0.25, seed=5))
    assert split.sizes == {"train": 252, "validation": 84, "test": 84}
    for part in split:
        assert np.ptp(np.bincount(faces.labels[part], minlength=7)) <= 1
    order = faces.canonical_order
    _, test = train_test_split(order, test_size=0.2, random_state=5, stratify=faces.labels[order])
    assert set(split.test) == set(test)


@pytest.mark.parametrize("groups", ["subjects", "sequences"])
@pytest.mark.parametrize("validation_size", [0.0, 0.125])
def test_grouped_folds_share_no_group_and_test_every_image_once(
    faces: FaceDataset, groups: str, validation_size: float
) -> None:
    spec = SplitSpec("kfold", n_folds=5, groups=groups, validation_size=validation_size)
    splits = [make(faces, fold) for fold in spec.folds()]
    names = getattr(faces, groups)
    for split in splits:
        train, validation, test = (set(names[part]) for part in split)
        assert not train & validation and not train & test and not validation & test
        assert bool(validation) == bool(validation_size)
    assert sorted(np.concatenate([split.test for split in splits])) == list(range(len(faces)))


def test_inner_validation_has_about_its_share_and_every_class(faces: FaceDataset) -> None:
    for fold in SplitSpec("kfold", n_folds=5, groups="subjects", validation_size=0.125).folds():
        split = make(faces, fold)
        assert 0.05 < split.sizes["validation"] / (split.sizes["train"] + split.sizes["validation"]) < 0.2
        assert set(faces.labels[split.validation]) == set(range(7))
        assert set(make(faces, replace(fold, validation_size=0.0)).test) == set(split.test)


def test_image_folds_are_stratified_and_test_every_image_once(faces: FaceDataset) -> None:
    splits = [make(faces, fold) for fold in SplitSpec("kfold", n_folds=4).folds()]
    assert [fold.fold for fold in SplitSpec("kfold", n_folds=4).folds()] == [0, 1, 2, 3]
    assert sorted(np.concatenate([split.test for split in splits])) == list(range(len(faces)))
    assert all(np.bincount(faces.labels[split.test]).tolist() == [15] * 7 for split in splits)


def test_grouped_hold_out_keeps_subjects_apart_and_is_near_its_size(faces: FaceDataset) -> None:
    for size in (0.2, 84):
        split = make(faces, SplitSpec("random", test_size=size, groups="subjects"))
        assert not set(faces.subjects[split.train]) & set(faces.subjects[split.test])
        assert split.sizes["test"] == 84
    third = make(faces, SplitSpec("random", test_size=0.4, groups="subjects")).sizes["test"]
    assert third == pytest.approx(len(faces) / 3, abs=7), "nearer to 0.4 than a half"
    with pytest.raises(ValueError, match=r"half of the images at most; got a share of 0\.976"):
        make(faces, SplitSpec("random", test_size=410, groups="subjects"))
    assert SplitSpec("kfold", test_size=0.7, groups="subjects").n_folds == 5, "folds ask for no share"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "holdout"}, "one of usage, merged, random, kfold, parts; got 'holdout'"),
        ({"kind": "kfold", "groups": "person"}, "'subjects', 'sequences' or None; got 'person'"),
        ({"kind": "random", "validation_size": 1.0}, r"share in \[0, 1\); got 1.0"),
        ({"kind": "random", "validation_size": -0.1}, r"share in \[0, 1\); got -0.1"),
        ({"kind": "kfold", "fold": 5}, r"0\.\.4; got 5"),
        ({"kind": "kfold", "fold": -1}, r"0\.\.4; got -1"),
        ({"kind": "random", "test_size": 0}, "number of images; got 0"),
        ({"kind": "random", "test_size": 1.5}, "number of images; got 1.5"),
        ({"kind": "random", "test_size": 0.7, "groups": "subjects"}, "half of the images at most; got a share of 0.7"),
        ({"kind": "usage", "groups": "subjects"}, "published parts as they are; got groups='subjects'"),
        ({"kind": "merged", "validation_size": 0.1}, "published parts as they are"),
    ],
)
def test_impossible_descriptions_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SplitSpec(**fields)


@pytest.mark.parametrize(
    ("spec", "missing", "message"),
    [
        (SplitSpec("usage"), "usage", "'synthetic' has no usage"),
        (SplitSpec("merged"), "usage", "needs images marked Training, PublicTest, PrivateTest"),
        (SplitSpec("kfold", groups="subjects"), "subjects", "grouped by subjects needs to know"),
        (SplitSpec("random", groups="sequences"), "sequences", "grouped by sequences needs to know"),
    ],
)
def test_what_the_dataset_does_not_tell_is_refused(
    faces: FaceDataset, spec: SplitSpec, missing: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(replace(faces, **{missing: None}), spec)


@pytest.mark.parametrize("given", [("train", "test"), ("train", "validation"), ("train", "validation", "test")])
def test_parts_that_share_persons_are_refused_where_persons_are_to_stay_apart(
    faces: FaceDataset, given: tuple[str, ...]
) -> None:
    spec = SplitSpec("parts", test_size=0.3, validation_size=0.3, groups="subjects")
    by_image = replace(faces, usage=np.resize(given, len(faces)))
    with pytest.raises(ValueError, match=r"subjects on one side .* share \d+\. Use groups=None"):
        make(by_image, spec)
    make(by_image, replace(spec, groups=None))
    _, persons = np.unique(faces.subjects, return_inverse=True)
    split = make(replace(faces, usage=np.array(given)[persons % len(given)]), spec)
    whose = [set(faces.subjects[part]) for part in split]
    assert all(whose) and not (whose[0] & whose[1] or whose[0] & whose[2] or whose[1] & whose[2])


def test_numpys_numbers_make_the_same_split() -> None:
    assert SplitSpec("random", test_size=100.0, seed=np.int64(3)) == SplitSpec("random", test_size=100, seed=3)
    assert type(SplitSpec(seed=np.int64(3)).seed) is int and type(SplitSpec(test_size=100.0).test_size) is int


def test_other_usages_are_named(faces: FaceDataset) -> None:
    with pytest.raises(ValueError, match="has train, validation"):
        make(replace(faces, usage=np.where(faces.labels > 2, "train", "validation")), SplitSpec("usage"))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (SplitSpec("random", test_size=3), "puts every class on both sides.*test_size=3"),
        (SplitSpec("random", validation_size=0.01), "puts every class on both sides"),
        (SplitSpec("kfold", n_folds=61), "needs at least 61 images"),
        (SplitSpec("kfold", n_folds=1), "1-fold"),
        (SplitSpec("kfold", n_folds=25, groups="subjects"), "25-fold needs at least 25"),
        (SplitSpec("random", max_train=3), "max_train keeps images of every class.*got 3"),
    ],
)
def test_too_few_images_are_refused(faces: FaceDataset, spec: SplitSpec, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        for fold in spec.folds() if spec.kind == "kfold" else [spec]:
            make(faces, fold)


@pytest.mark.real_data
def test_psg2025s_split_of_ckplus(real_data: Path) -> None:
    dataset = load("ckplus", real_data)
    assert dataset.class_names == CKPLUS_EXPRESSIONS
    split = make(dataset, SplitSpec("random", test_size=0.2, seed=123))
    assert np.bincount(dataset.labels[split.test]).tolist() == [27, 11, 35, 15, 42, 17, 50]
    assert split.sizes == {"train": 784, "validation": 0, "test": 197} and 784 // 64 == 12


@pytest.mark.real_data
def test_sound_folds_of_ckplus(real_data: Path) -> None:
    dataset = load("ckplus", real_data)
    spec = SplitSpec("kfold", groups="subjects", n_folds=5, validation_size=0.125)
    splits = [make(dataset, fold) for fold in spec.folds()]
    for split in splits:
        train, validation, test = (set(dataset.subjects[part]) for part in split)
        assert not train & validation and not train & test and not validation & test
        assert all(set(dataset.labels[part]) == set(range(7)) for part in split)
    assert sorted(np.concatenate([split.test for split in splits])) == list(range(981))


@pytest.fixture(scope="module")
def copied(faces: FaceDataset) -> FaceDataset:
    """`faces` in which 9 training images of classes 0, 1 and 2 have the pixels of test images."""
    images = faces.images.copy()
    train, test = (np.flatnonzero(faces.usage == usage) for usage in ("Training", "PrivateTest"))
    for label in range(3):
        rows = train[faces.labels[train] == label][6:9]
        images[rows] = images[test[:3] + 3 * label]
    return replace(faces, images=images)


def copies(dataset: FaceDataset, split: Split) -> np.ndarray:
    return split.train[np.isin(dataset.digests[split.train], dataset.digests[split.test])]


@pytest.mark.parametrize("max_train", [None, 70])
def test_copies_of_test_images_can_be_taken_out_of_training(copied: FaceDataset, max_train: int | None) -> None:
    natural, none = (make(copied, SplitSpec("usage", test_copies=c, max_train=max_train)) for c in ("natural", "none"))
    assert len(copies(copied, make(copied, SplitSpec("usage")))) == 9
    assert len(copies(copied, none)) == 0
    assert len(none.train) == (max_train or len(natural.train) - 9)
    assert np.array_equal(none.test, natural.test) and np.array_equal(none.validation, natural.validation)


def test_all_copies_take_the_place_of_images_of_their_class(copied: FaceDataset) -> None:
    none, every = (make(copied, SplitSpec("usage", test_copies=c, max_train=70, seed=3)) for c in ("none", "all"))
    assert len(copies(copied, every)) == 9
    assert len(np.intersect1d(none.train, every.train)) == 70 - 9
    assert np.array_equal(np.bincount(copied.labels[none.train]), np.bincount(copied.labels[every.train]))
    none, every = (make(copied, SplitSpec("usage", test_copies=c)) for c in ("none", "all"))
    assert len(copies(copied, every)) == 9 and len(none.train) == len(every.train)
    assert np.array_equal(np.bincount(copied.labels[none.train]), np.bincount(copied.labels[every.train]))


def test_more_copies_than_there_is_room_for_are_refused(copied: FaceDataset) -> None:
    with pytest.raises(ValueError, match="more training images"):
        make(copied, SplitSpec("usage", test_copies="all", max_train=14))
    with pytest.raises(ValueError, match="natural, all, none"):
        SplitSpec(test_copies="some")


def test_copies_leave_other_configurations_as_they_were() -> None:
    from fer_utils.records.config import Phase, RunConfig

    one, other = (
        RunConfig("tiny", "fer2013", (Phase(1, 1e-3),), SplitSpec("usage", max_train=70, **more))
        for more in ({}, {"test_copies": "natural"})
    )
    assert one.key == other.key == "7f78a3979c"
