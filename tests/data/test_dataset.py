"""The in-memory dataset: what it checks, and what its fingerprint depends on."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_utils.data import CKPLUS_EXPRESSIONS, EXPRESSIONS, FERPLUS_EXPRESSIONS, USAGES, FaceDataset, data_root, load
from fer_utils.data.dataset import SIZE
from fer_utils.files.paths import project_root


def random_faces(n: int = 30, seed: int = 0, **changes: Any) -> FaceDataset:
    rng = np.random.default_rng(seed)
    fields = {
        "images": rng.integers(0, 256, (n, SIZE, SIZE), dtype=np.uint8),
        "labels": np.arange(n) % 7,
        "class_names": EXPRESSIONS,
        "name": "fer2013",
        "usage": rng.choice(USAGES, n),
        "subjects": np.array([f"S{i // 6:03d}" for i in range(n)]),
        "sequences": np.array([f"S{i // 6:03d}_{i // 3}" for i in range(n)]),
    }
    return FaceDataset(**{**fields, **changes})


def shuffled(dataset: FaceDataset, seed: int = 1) -> FaceDataset:
    return dataset.subset(np.random.default_rng(seed).permutation(len(dataset)))


def test_class_codes_are_the_published_ones() -> None:
    assert EXPRESSIONS == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert tuple(sorted(CKPLUS_EXPRESSIONS)) == CKPLUS_EXPRESSIONS
    assert FERPLUS_EXPRESSIONS[0] == "neutral" and FERPLUS_EXPRESSIONS[7] == "contempt"


def test_arrays_are_typed_and_read_only() -> None:
    dataset = random_faces(labels=(np.arange(30) % 7).astype(np.uint8))
    assert dataset.labels.dtype == np.int64 and dataset.n_classes == 7 and len(dataset) == 30
    for name in ("images", "labels", "usage", "subjects", "sequences"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(dataset, name)[0] = getattr(dataset, name)[1]
    with pytest.raises(AttributeError):
        dataset.name = "other"  # type: ignore[misc]


def test_making_a_dataset_leaves_the_callers_arrays_writeable() -> None:
    images = np.zeros((3, SIZE, SIZE), np.uint8)
    FaceDataset(images, np.arange(3), EXPRESSIONS, "fer2013")
    images[0, 0, 0] = 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.zeros((30, SIZE, SIZE), np.float32)}, r"uint8 .* got float32 \(30, 48, 48\)"),
        ({"images": np.zeros((30, 64, 64), np.uint8)}, r"got uint8 \(30, 64, 64\)"),
        ({"images": np.zeros((30, SIZE, SIZE, 1), np.uint8)}, r"got uint8 \(30, 48, 48, 1\)"),
        ({"images": [[0]]}, "got list"),
        ({"images": np.zeros((0, SIZE, SIZE), np.uint8)}, "at least one image"),
        ({"labels": np.zeros(30)}, "labels must be integers"),
        ({"labels": np.zeros(29, int)}, r"shape \(30,\)"),
        ({"labels": np.full(30, 7)}, r"0\.\.6 for 7 classes; got 7\.\.7"),
        ({"labels": np.full(30, -1)}, r"got -1\.\.-1"),
        ({"usage": np.array(["Training"])}, "usage must have shape"),
        ({"subjects": np.array(["a", "b"])}, "subjects must have shape"),
        ({"sequences": np.array([["a"] * 30])}, "sequences must have shape"),
        ({"label_distribution": np.zeros((30, 8), np.float32)}, r"shape \(30, 7\).*got \(30, 8\)"),
    ],
)
def test_wrong_arrays_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        random_faces(**changes)


def test_fingerprint_ignores_order_usage_and_names_of_persons() -> None:
    dataset = random_faces()
    same = [
        shuffled(dataset),
        replace(dataset, usage=None),
        replace(dataset, usage=np.full(30, "Training")),
        replace(dataset, subjects=None, sequences=None),
        pickle.loads(pickle.dumps(dataset)),
        dataset.subset(np.ones(30, bool)),
    ]
    assert {other.fingerprint for other in same} == {dataset.fingerprint}
    assert len(dataset.fingerprint) == 16 and dataset.fingerprint in repr(dataset)


def test_fingerprint_sees_one_pixel_one_label_one_copy_and_the_classes() -> None:
    dataset = random_faces()
    pixel = dataset.images.copy()
    pixel[17, 47, 47] ^= 1
    label = dataset.labels.copy()
    label[3] = (label[3] + 1) % 7
    swapped = dataset.labels.copy()
    swapped[[0, 1]] = swapped[[1, 0]]  # the same images and the same counts, but two labels changed places
    others = [
        replace(dataset, images=pixel),
        replace(dataset, labels=label),
        replace(dataset, labels=swapped),
        replace(dataset, class_names=tuple(reversed(EXPRESSIONS))),
        dataset.subset(np.arange(29)),
        dataset.subset(np.r_[np.arange(30), 0]),
    ]
    assert len({dataset.fingerprint, *(other.fingerprint for other in others)}) == len(others) + 1


def test_digests_are_equal_exactly_for_equal_pixels() -> None:
    images = random_faces().images.copy()
    images[5] = images[2]
    images[6] = images[2].T
    digests = random_faces(images=images).digests
    assert digests[5] == digests[2] and len(np.unique(digests)) == 29


def test_canonical_order_lists_the_same_images_whatever_the_order_of_rows() -> None:
    images = random_faces().images.copy()
    images[7] = images[0]  # an exact duplicate with the same label (0)
    dataset = random_faces(images=images)
    other = shuffled(dataset)
    one, two = dataset.subset(dataset.canonical_order), other.subset(other.canonical_order)
    for name in ("images", "labels", "usage", "sequences"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    assert np.array_equal(np.sort(dataset.canonical_order), np.arange(30))
    assert np.all(np.diff(one.labels) >= 0)


def test_subset_takes_every_field_along() -> None:
    soft = np.eye(7, dtype=np.float32)[np.arange(30) % 7]
    dataset = random_faces(label_distribution=soft)
    rows = np.array([4, 2, 2])
    part = dataset.subset(rows)
    for name in ("images", "labels", "usage", "subjects", "sequences", "label_distribution"):
        assert np.array_equal(getattr(part, name), getattr(dataset, name)[rows])
    assert np.array_equal(dataset.subset(dataset.labels == 1).class_counts(), [0, 5, 0, 0, 0, 0, 0])
    assert replace(dataset, subjects=None).subset(rows).subjects is None


def test_class_counts_name_empty_classes_too() -> None:
    assert random_faces(labels=np.full(30, 2)).class_counts().tolist() == [0, 0, 30, 0, 0, 0, 0]


def test_load_dispatches_and_refuses_unknown_names_and_options(tmp_path: Path) -> None:
    assert load("synthetic", n_subjects=2, n_frames=1).name == "synthetic"
    with pytest.raises(ValueError, match="one of fer2013, ferplus, ckplus, folders, synthetic; got 'fer'"):
        load("fer")
    with pytest.raises(ValueError, match="Options of 'ckplus': none; got labels"):
        load("ckplus", tmp_path, labels="majority")
    with pytest.raises(ValueError, match="Options of 'ferplus': labels; got votes"):
        load("ferplus", tmp_path, votes=3)
    with pytest.raises(ValueError, match=r"Options of 'synthetic': n_subjects, .*; got n_subject"):
        load("synthetic", n_subject=3)


def test_data_root_is_the_argument_then_the_variable_then_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FER_DATA", raising=False)
    here = Path("data")
    assert data_root() == (here if here.is_dir() else project_root() / "data")
    monkeypatch.setenv("FER_DATA", "~/faces")
    assert data_root() == Path.home() / "faces" and data_root("/here") == Path("/here")
