"""Labels that trained networks contribute to: what they are, that they resume, and which teachers are refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from trainings import FACES, assert_same_to_the_bit, stopped_and_taken_up

from fer_utils import models
from fer_utils.data import FaceDataset, augmentation, mixing
from fer_utils.data.splits import SplitSpec
from fer_utils.evaluation import metrics
from fer_utils.records import Record
from fer_utils.records.config import Phase, RunConfig
from fer_utils.training import run, setup, teaching, weights

PLAIN = RunConfig(
    "tiny", "synthetic", (Phase(3, 0.02),), split=SplitSpec("random", validation_size=0.3),
    dataset_options=FACES, batch_size=10, keep=("last",),
)  # fmt: skip
STRENGTH = 30.0  # of a teacher's scores


class Constant(keras.layers.Layer):
    """Scores that are the same for every image."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.scores = scores

    def call(self, images: object) -> object:
        return keras.ops.zeros((keras.ops.shape(images)[0], 1)) + keras.ops.convert_to_tensor(self.scores)


def teacher(scores: list[float]) -> keras.Model:
    image = keras.Input((48, 48, 1))
    return keras.Model(image, Constant(scores)(image))


def batches(faces: FaceDataset, **options: object) -> augmentation.Batches:
    return augmentation.Batches(faces.images, faces.labels, "strong", 10, 0, 0, **options)


def test_a_label_is_a_mean_of_its_own_and_of_what_the_teachers_say(faces: FaceDataset) -> None:
    image_weights = np.arange(len(faces), dtype=np.float32)
    plain = batches(faces, sample_weight=image_weights)
    sure, undecided = teacher([STRENGTH, *[0.0] * 6]), teacher([0.0] * 7)
    taught = mixing.TaughtBatches(plain, [sure, undecided], 0.4)
    said = (np.eye(7)[0] + np.full(7, 1 / 7)) / 2
    for index in range(len(plain)):
        (images, labels, own_weights), (same, shares, same_weights) = plain[index], taught[index]
        np.testing.assert_array_equal(images, same)
        np.testing.assert_array_equal(own_weights, same_weights)
        np.testing.assert_allclose(shares, 0.4 * said + 0.6 * np.eye(7)[labels], atol=1e-6)
        assert shares.dtype == np.float32


def test_teachers_see_the_image_that_is_trained_on(faces: FaceDataset) -> None:
    network = models.build("tiny", seed=3)
    images, shares = mixing.TaughtBatches(batches(faces), [network], 1.0)[2]
    assert not np.array_equal(images, augmentation.prepare(faces.images[batches(faces).order[20:30]], 48))
    expected = metrics.softmax(network.predict(images, verbose=0))
    np.testing.assert_allclose(shares, expected, atol=1e-6)


@pytest.mark.parametrize(("n", "share"), [(0, 0.5), (1, 0.0), (1, 1.1)])
def test_no_teacher_and_no_share_are_refused(faces: FaceDataset, n: int, share: float) -> None:
    with pytest.raises(ValueError, match=rf"at least one network, .*got {n} and {share}"):
        mixing.TaughtBatches(batches(faces), [teacher([0.0] * 7)] * n, share)


@pytest.fixture(scope="module")
def taught(faces: FaceDataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunConfig, Record]:
    store = tmp_path_factory.mktemp("taught")
    first = run(PLAIN, store=store, dataset=faces)
    config = replace(PLAIN, seed=1, teachers=(f"{first.id}:last",), teaching=0.8, mixup=0.4)
    return config, run(config, store=store, dataset=faces)


def test_a_run_learns_what_its_teacher_says(
    taught: tuple[RunConfig, Record], faces: FaceDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, record = taught
    monkeypatch.setattr(teaching, "teachers", lambda *_: [teacher([STRENGTH, *[0.0] * 6])])
    certain = replace(config, teaching=1.0, mixup=0.0, phases=(Phase(3, 0.05),), precision="mixed_bfloat16")
    pupil = run(certain, store=tmp_path, dataset=faces)
    assert set(pupil.predictions("validation")[1].argmax(axis=1)) == {0}
    assert Record(record.path).config == config, "its record names the teacher"


@pytest.mark.survival
def test_a_run_that_was_stopped_ends_the_same_to_the_bit(
    taught: tuple[RunConfig, Record], faces: FaceDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, record = taught
    finished_run = weights.finished_run
    monkeypatch.setattr(weights, "finished_run", lambda name, store: finished_run(name, record.path.parent))
    again, begun = stopped_and_taken_up(config, faces, tmp_path, monkeypatch, 2)
    assert begun == 4
    assert_same_to_the_bit(record, again, "last")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"split": SplitSpec("random", validation_size=0.3, seed=5)}, "was trained on the same split"),
        ({"loss": "l2_svm"}, "gives probabilities .* with l2_svm at last"),
        ({"keep": ("best_test",), "score_test": True}, "that no test image chose; .* at best_test"),
    ],
)
def test_an_unfair_teacher_is_refused(faces: FaceDataset, tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    unfair = run(replace(PLAIN, phases=(Phase(1, 0.02),), **changes), store=tmp_path, dataset=faces)
    with pytest.raises(ValueError, match=said):
        run(replace(PLAIN, teachers=(unfair.id,), teaching=0.5), store=tmp_path, dataset=faces)
    assert [folder.name for folder in tmp_path.iterdir()] == [unfair.id], "nothing half-begun stays"


def test_a_teacher_of_one_size_cannot_teach_at_another(
    taught: tuple[RunConfig, Record], faces: FaceDataset, tmp_path: Path
) -> None:
    record = run(PLAIN, store=tmp_path, dataset=faces)
    smaller = replace(PLAIN, model="compact", phases=(Phase(1, 0.02, size=32), Phase(1, 0.02)))
    with pytest.raises(ValueError, match=r"trained on, of 32, 48 pixels; synthetic-tiny\S+ takes 48 alone"):
        run(replace(smaller, teachers=(record.id,), teaching=0.5), store=tmp_path, dataset=faces)


def test_a_teacher_of_other_classes_is_refused(taught: tuple[RunConfig, Record], faces: FaceDataset) -> None:
    config, record = taught
    renamed = replace(faces, class_names=tuple("abcdefg"))
    with pytest.raises(ValueError, match=r"tells the same classes apart, .*: a, b, c, d, e, f, g; got synthetic-tiny"):
        teaching.teachers(setup.prepare(config, renamed), record.path.parent)


def test_a_teacher_that_is_not_here_is_named(
    taught: tuple[RunConfig, Record], faces: FaceDataset, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="named by its id; got 'nobody'"):
        run(replace(taught[0], teachers=("nobody",)), store=tmp_path, dataset=faces)
    record = run(PLAIN, store=tmp_path, dataset=faces)
    shutil.rmtree(record.path / "weights")
    with pytest.raises(FileNotFoundError, match=record.id):
        run(replace(PLAIN, seed=1, teachers=(record.id,), teaching=0.5), store=tmp_path, dataset=faces)
    assert [folder.name for folder in tmp_path.iterdir()] == [record.id], "nothing half-begun stays"
