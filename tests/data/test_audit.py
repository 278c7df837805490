"""The audit against counting by hand."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from fer_utils.data import EXPRESSIONS, USAGES, FaceDataset, load
from fer_utils.data.audit import Duplicates, Leaks, duplicate_groups, duplicates, leaks, seen_in_training
from fer_utils.data.dataset import SIZE
from fer_utils.data.splits import Split, SplitSpec, make


@pytest.fixture(scope="module", params=range(3))
def planted(request: pytest.FixtureRequest) -> FaceDataset:
    """120 images of 15 subjects, 40 sequences; many are copies of others, some under another label."""
    rng = np.random.default_rng(request.param)
    images = rng.integers(0, 256, (120, SIZE, SIZE), dtype=np.uint8)
    labels = rng.integers(0, 7, 120)
    for copy, original in rng.integers(0, 120, (60, 2)):
        images[copy] = images[original]
        labels[copy] = labels[original] if rng.random() < 0.6 else labels[copy]
    return FaceDataset(
        images, labels, EXPRESSIONS, "synthetic", usage=rng.choice(USAGES, 120),
        subjects=np.array([f"S{i // 8}" for i in range(120)]), sequences=np.array([f"Q{i // 3}" for i in range(120)]),
    )  # fmt: skip


@pytest.fixture(scope="module")
def split(planted: FaceDataset) -> Split:
    train, validation, test = np.split(np.random.default_rng(9).permutation(120), [70, 80])
    return Split(train, validation, test, "0" * 16)


def same(dataset: FaceDataset, i: int, j: int) -> bool:
    return bool((dataset.images[i] == dataset.images[j]).all())


def test_leaks_against_comparing_every_pair(planted: FaceDataset, split: Split) -> None:
    copies = {i: [j for j in split.train if same(planted, i, j)] for i in split.test}
    expected = Leaks(
        n_test=40,
        duplicate=sum(bool(found) for found in copies.values()),
        duplicate_other_label=sum(
            bool(found) and all(planted.labels[i] != planted.labels[j] for j in found) for i, found in copies.items()
        ),
        sibling_frame=sum(any(planted.sequences[i] == planted.sequences[j] for j in split.train) for i in split.test),
        same_subject=sum(any(planted.subjects[i] == planted.subjects[j] for j in split.train) for i in split.test),
    )
    assert leaks(planted, split) == expected
    assert 0 < expected.duplicate < 40 and 0 < expected.sibling_frame < 40
    assert seen_in_training(planted, split).tolist() == [bool(copies[i]) for i in split.test]


def test_a_copy_counts_as_another_label_only_if_no_copy_in_training_has_its_label(planted: FaceDataset) -> None:
    images = planted.images[:9].copy()
    images[[1, 2, 6, 7]] = images[0]
    labels = np.array([0, 1, 1, 2, 3, 4, 1, 5, 6])
    dataset = FaceDataset(images, labels, EXPRESSIONS, "fer2013")
    found = leaks(dataset, Split(np.arange(5), np.arange(0), np.arange(5, 9), ""))
    assert (found.duplicate, found.duplicate_other_label) == (2, 1)  # 6 has a copy labelled as itself, 7 has none


def test_duplicates_against_comparing_every_pair(planted: FaceDataset) -> None:
    groups: list[set[int]] = [{i} for i in range(120)]
    for i, j in combinations(range(120), 2):
        if same(planted, i, j):
            one, two = (next(g for g in groups if k in g) for k in (i, j))
            groups = [g for g in groups if g is not one and g is not two] + [one | two]
    repeated = [sorted(g) for g in groups if len(g) > 1]
    conflicting = [g for g in repeated if len(set(planted.labels[g])) > 1]
    assert duplicates(planted) == Duplicates(
        groups=len(repeated),
        images=sum(map(len, repeated)),
        conflicting_groups=len(conflicting),
        conflicting_images=sum(map(len, conflicting)),
        crossing_groups=sum(len(set(planted.usage[g])) > 1 for g in repeated),
    )
    numbers = duplicate_groups(planted)
    assert numbers.dtype == np.int64 and len(np.unique(numbers)) == len(groups)
    assert all(len(set(numbers[g])) == 1 for g in repeated)


def test_a_clean_grouped_split_leaks_nobody(planted: FaceDataset) -> None:
    order = np.arange(120)
    found = leaks(planted, Split(order[:96], order[:0], order[96:], ""))
    assert (found.sibling_frame, found.same_subject) == (0, 0)


def test_what_is_not_known_is_none_and_stays_out_of_the_table(planted: FaceDataset, split: Split) -> None:
    bare = FaceDataset(planted.images, planted.labels, EXPRESSIONS, "fer2013")
    found = leaks(bare, split)
    assert found.sibling_frame is None and found.same_subject is None
    assert found.table().index.tolist() == ["duplicate", "duplicate other label"]
    assert duplicates(bare).crossing_groups is None


def test_the_table_gives_counts_and_percent() -> None:
    table = Leaks(n_test=200, duplicate=10, duplicate_other_label=0, sibling_frame=190, same_subject=199).table()
    assert table.loc["sibling frame"].tolist() == [190, 95.0]
    assert table.loc["same subject", "% of test"] == pytest.approx(99.5)


@pytest.mark.real_data
def test_what_a_random_split_of_ckplus_leaks(real_data: Path) -> None:
    """96 % of test images have a sibling frame in training, nearly all their subject; by subject, none."""
    dataset = load("ckplus", real_data)
    found = leaks(dataset, make(dataset, SplitSpec("random", seed=123)))
    assert found.n_test == 197
    assert found.sibling_frame / 197 > 0.93 and found.same_subject / 197 > 0.98
    sound = leaks(dataset, make(dataset, SplitSpec("kfold", groups="subjects", validation_size=0.125)))
    assert (sound.sibling_frame, sound.same_subject) == (0, 0)
