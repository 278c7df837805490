"""Measurements of a trained network's weights: stored once, read without weights, pooled over folds."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fer_utils import plots, study
from fer_utils.analysis import saliency, trained_networks
from fer_utils.data import synthetic
from fer_utils.records import Measurement, Record
from fer_utils.records.config import Phase, RunConfig
from fer_utils.training import run, weights

LAYERS = ["block3_conv1", "block3_relu1"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def record(store: Path) -> Record:
    options = {"n_subjects": 4, "n_frames": 1}
    config = RunConfig("tiny", "synthetic", (Phase(1, 0.01),), dataset_options=options, score_test=True)
    return run(config, store=store / "quick/runs")


@pytest.fixture
def here(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_REPORTS", str(store))


@pytest.mark.usefixtures("here")
def test_maps_are_measured_once_and_read_without_weights(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = partial(trained_networks.maps, layers=LAYERS)
    found = trained_networks.measured("maps", record, measure, "validation")
    assert found.path.name == f"maps1-validation-{record.id}"
    assert found.values["n"] == 7 and found.values["counts"] == [1] * 7
    assert found.arrays["occlusion"].shape == (7, 7, 7) and found.arrays["cam_0"].shape == (7, 12, 12)
    assert found.arrays["cam_1"].shape == (7, 6, 6) and found.arrays["cascade_0"].shape == (4, 7)
    faces = trained_networks.images_of(record, "validation")
    cam = saliency.grad_cam(weights.rebuild(record), faces.images, faces.labels, "block3_conv1")
    np.testing.assert_allclose(found.arrays["cam_0"], saliency.class_means(cam, faces.labels, 7), atol=1e-4)
    monkeypatch.setattr(weights, "rebuild", None)
    assert trained_networks.measured("maps", record, measure, "validation").values == found.values


@pytest.mark.usefixtures("here")
def test_nothing_without_weights_and_a_new_training_only_when_asked(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(weights, "rebuild", gone)
    monkeypatch.setattr(study, "with_weights", lambda *_: pytest.fail("trained although nobody asked"))
    assert trained_networks.measured("other", record, trained_networks.stress, "test") is None
    assert (
        trained_networks.measured("other", record, trained_networks.stress, "test", retrain=True, compute_missing=False)
        is None
    )
    assert trained_networks.stressed([record], limit=3) is None


@pytest.mark.usefixtures("here")
def test_stress_of_a_run_agrees_with_its_predictions(record: Record) -> None:
    found = trained_networks.stressed([record, record])
    labels, logits = record.predictions("test")
    assert found.predicted.shape == (11, 6, 14) and (found.labels == np.tile(labels, 2)).all()
    np.testing.assert_array_equal(found.predicted[4, 0], np.tile(logits.argmax(axis=1), 2))
    few = trained_networks.stressed([record], limit=5)
    rows = trained_networks.kept_rows(7, 5)
    np.testing.assert_array_equal(few.labels, labels[rows])
    np.testing.assert_array_equal(few.predicted[0, 0], logits.argmax(axis=1)[rows])


def test_kept_rows_are_a_fixed_choice_in_order() -> None:
    assert trained_networks.kept_rows(4, None).tolist() == trained_networks.kept_rows(4, 9).tolist() == [0, 1, 2, 3]
    rows = trained_networks.kept_rows(100, 10)
    assert len(set(rows.tolist())) == 10 and (np.diff(rows) > 0).all()


def test_folds_are_pooled_by_their_images(tmp_path: Path) -> None:
    """Class 0 has one image in the first fold and three in the second; class 1 none in the first."""

    class Part(Measurement):
        def __init__(self, counts: list[int], value: float) -> None:
            n, alike = sum(counts), {"same": value, "other": 0.0}
            layer = {"side": 2, "empty": value, "alike": alike, "steps": ["head"]}
            object.__setattr__(self, "path", tmp_path)
            self.__dict__["values"] = {"n": n, "counts": counts, "layers": {"map": layer}}
            maps = np.full((2, 2, 2), value)
            maps[np.array(counts) == 0] = np.nan
            self.__dict__["arrays"] = {
                "occlusion": maps, "cam_0": maps, "agreement_0": np.full(n, value), "cascade_0": np.full((1, n), value),
            }  # fmt: skip

    values, arrays = trained_networks.pooled([Part([1, 0], 0.0), Part([3, 2], 1.0)])
    assert values["n"] == 6 and values["counts"] == [4, 2]
    assert arrays["cam_0"][:, 0, 0].tolist() == [0.75, 1.0]
    assert arrays["cascade_0"].tolist() == [[0, 1, 1, 1, 1, 1]] and arrays["agreement_0"].shape == (6,)
    assert values["layers"]["map"]["empty"] == pytest.approx(5 / 6)
    assert list(trained_networks.rows(values, arrays)) == ["Grad-CAM\n2×2", "occlusion\n(logit)"]
    table = trained_networks.layer_table(values, arrays)
    assert table.loc["alike, same class", "map"] == "0.83" and table.loc["images", "map"] == 6
    assert plots.class_maps(trained_networks.rows(values, arrays), ["a", "b"], values["counts"]) is not None


def test_maps_of_one_frame_are_alike() -> None:
    found = np.stack([np.arange(9.0).reshape(3, 3) * factor for factor in (1, 2, 3)] + [np.zeros((3, 3))])
    assert trained_networks.alike(found, np.array([0, 0, 1, 1])) == {"same": 1.0, "other": 1.0}
    assert np.isnan(trained_networks.alike(found[3:], np.array([0]))["same"])


def test_the_measured_faces_are_the_parts_own(record: Record) -> None:
    faces = trained_networks.images_of(record, "validation")
    whole = synthetic.faces(4, 1)
    assert set(faces.subjects) == set(whole.subjects[whole.usage == "PublicTest"])


@pytest.mark.usefixtures("here")
def test_maps_of_a_seed_know_their_persons(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    values, arrays = trained_networks.explained([record], LAYERS)
    assert values["n"] == 7 and arrays["people"].tolist() == record.context("validation", "subjects").tolist()
    monkeypatch.setattr(trained_networks, "measured", lambda *_, **__: None)
    with pytest.raises(FileNotFoundError, match="not measured"):
        trained_networks.explained([record], LAYERS)


def test_maps_lie_over_the_mean_faces_of_the_runs_own_data(record: Record) -> None:
    means = trained_networks.mean_faces(record)
    assert means.shape == (7, 48, 48) and np.isfinite(means).all()


def test_a_mean_correlation_draws_persons_where_they_are_known() -> None:
    found = np.repeat([0.1, 0.5, 0.3, np.nan], 5)
    by_image, by_person = (trained_networks.mean_correlation(found, who) for who in (None, np.repeat(range(4), 5)))
    assert [by_image.estimate, by_person.estimate] == pytest.approx([0.3, 0.3])
    assert by_person.high - by_person.low > by_image.high - by_image.low and "subjects" in by_person.method
    assert "images" in trained_networks.mean_correlation(found, np.zeros(20)).method


def test_shared_validation_leaves_the_persons_of_the_test_out() -> None:
    class Fold:
        class_names = ("a", "b")

        def __init__(self, validated: list[int], tested: list[int]) -> None:
            self.people = {"validation": np.array(validated), "test": np.array(tested)}

        def predictions(self, part: str, kept: str | None = None) -> tuple[np.ndarray, np.ndarray]:
            n = len(self.people[part])
            return self.people[part] % 2, np.ones((n, 2))

        def context(self, part: str, kind: str) -> np.ndarray:
            return self.people[part]

    first, second = trained_networks.shared_validation([Fold([1, 1, 2], [3, 4]), Fold([3, 5], [1, 2])])
    assert first[0].tolist() == [1, 1, 0, 1]  # persons 1, 1, 2 and 5; 3 is tested
    assert second[0].tolist() == [1, 1] and second[1].shape == (2, 2)  # persons 3 and 5
