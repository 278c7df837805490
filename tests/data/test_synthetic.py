"""Drawn faces: structure, determinism, what action units do to the pixels, speed, leakage."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from fer_utils.data.dataset import EXPRESSIONS
from fer_utils.data.synthetic import PROTOTYPES, Controls, faces, faces_with_attributes
from fer_utils.data.synthetic.controls import Identity, Light, Pose
from fer_utils.data.synthetic.drawing import ACTION_UNITS, render

SIZE = 96


def prototype(expression: str, **looks: float) -> np.ndarray:
    """The frontal, evenly lit prototype at SIZE pixels, as int."""
    return render(Identity(**looks), PROTOTYPES[expression], light=Light(down=0.0), size=SIZE).astype(int)


def row(y: float) -> int:
    """Picture row of a height on the face (-1 top, 1 bottom)."""
    return round((y * Pose.scale + 1) * SIZE / 2)


def mouth_line(image: np.ndarray, x: float) -> int:
    """The darkest row of the mouth region at a horizontal position (-1 left, 1 right)."""
    column = round((x * Pose.scale + 1) * SIZE / 2)
    return row(0.3) + int(image[row(0.3) : row(0.75), column].argmin())


def brow_row(image: np.ndarray, x: float, lowest: float = -0.26) -> float:
    """Mean row of the dark pixels between hairline and upper lid at a horizontal position."""
    column = image[row(-0.68) : row(lowest), round((x * Pose.scale + 1) * SIZE / 2)]
    return float(np.flatnonzero(column < 100).mean())


@pytest.fixture(scope="module")
def small():
    return faces_with_attributes(6, contempt=True)


def test_structure(small):
    data, table = small
    assert data.images.shape == (6 * 8 * 3, 48, 48) and data.images.dtype == np.uint8
    assert data.name == "synthetic" and data.class_names == (*EXPRESSIONS, "contempt")
    assert (data.class_counts() == 18).all()
    assert sorted(set(data.subjects)) == [f"synthetic-{i:03d}" for i in range(6)]
    sequences, counts = np.unique(data.sequences, return_counts=True)
    assert len(sequences) == 48 and (counts == 3).all() and "synthetic-000_happy" in sequences
    assert len(table) == len(data) and list(table["subject"]) == list(data.subjects)
    assert not table.isna().any().any()
    assert {"skin", "glasses", "yaw", "across", "gamma", "frame", "AU12", "R14"} <= set(table.columns)


def test_default_has_fer2013_classes_and_whole_subjects_per_usage():
    data = faces(20, 1)
    assert data.class_names == EXPRESSIONS and len(data) == 140
    parts = {
        part: set(data.subjects[data.usage == part]) for part in ("Training", "PublicTest", "PrivateTest")
    }
    assert [len(parts[part]) for part in parts] == [16, 2, 2]
    assert len(set.union(*parts.values())) == 20
    assert set(faces(3, 1).usage) == {"Training", "PublicTest", "PrivateTest"}


def test_same_seed_same_pixels_and_subjects_do_not_depend_on_their_number():
    data = faces(2)
    assert faces(2).fingerprint == data.fingerprint
    assert faces(2, seed=1).fingerprint != data.fingerprint
    np.testing.assert_array_equal(faces(3).images[: len(data)], data.images)


def test_intensity_rises_to_the_apex(small):
    _, table = small
    by_frame = table.groupby("frame")["intensity"].mean()
    assert by_frame.is_monotonic_increasing
    assert faces(1, 1).images.shape == (7, 48, 48)


def test_label_noise_moves_that_fraction_and_no_pixel():
    clean, noisy = faces(10, 1), faces(10, 1, label_noise=0.2)
    assert (clean.labels != noisy.labels).sum() == 14
    np.testing.assert_array_equal(clean.images, noisy.images)


def test_controls_narrow_what_varies():
    still = Controls(
        variation=0, glasses=0, beard=0, expressiveness=(1, 1), onset=1, idiosyncrasy=0, omission=0, habit=0,
        yaw=0, pitch=0, roll=0, shift=0, jitter=0, light=0, gain=(1, 1), gamma=(1, 1), pixel_noise=0,
    )  # fmt: skip
    images = faces(2, 1, controls=still).images.reshape(2, 7, 48, 48)
    centre = images[:, :, 12:40, 12:36].astype(int)  # the background stays random
    assert np.abs(centre[0] - centre[1]).max() <= 1
    assert faces_with_attributes(8, 1, controls=Controls(glasses=1.0))[1]["glasses"].all()


def test_every_prototype_uses_known_units_and_all_seven_exist():
    assert set(EXPRESSIONS) < set(PROTOTYPES)
    used = {name.lstrip("AURL") for units in PROTOTYPES.values() for name in units}
    assert used <= {str(number) for number in ACTION_UNITS}
    assert all(0 < value <= 1 for units in PROTOTYPES.values() for value in units.values())


@pytest.mark.parametrize("side", [-1, 1])
def test_mouth_corners_rise_in_joy_and_fall_in_sadness(side):
    bend = {}
    for expression in ("happy", "neutral", "sad"):
        image = prototype(expression)
        bend[expression] = mouth_line(image, side * 0.25) - mouth_line(image, side * 0.05)
    assert bend["happy"] < bend["neutral"] - 2 and bend["sad"] > bend["neutral"] + 2


def test_brows_rise_in_surprise_and_fall_in_anger():
    raised, rest = (brow_row(prototype(name, hair_style=0), 0.3, -0.34) for name in ("surprise", "neutral"))
    assert raised < rest - 2
    assert brow_row(prototype("angry"), 0.15) > brow_row(prototype("neutral"), 0.15) + 2
    sad = prototype("sad", hair_style=0)
    assert brow_row(sad, 0.17, -0.3) < brow_row(sad, 0.42, -0.3) - 2  # the inner end is above the outer one


def test_eyes_widen_in_fear_and_the_jaw_drops_in_surprise():
    eyes = slice(row(-0.36), row(-0.05))
    white = {
        name: int((prototype(name, skin=140)[eyes] > 180).sum()) for name in ("fear", "neutral", "angry")
    }
    assert white["fear"] > 1.3 * white["neutral"] > 1.3 * white["angry"]
    open_mouth = {
        name: int((prototype(name)[row(0.3) :, 36:60] < 45).sum()) for name in ("surprise", "neutral")
    }
    assert open_mouth["surprise"] > open_mouth["neutral"] + 50


def test_contempt_is_one_sided_on_the_persons_right():
    image, neutral = prototype("contempt"), prototype("neutral")
    change = np.abs(image - neutral)
    assert change[:, : SIZE // 2].sum() > 1.5 * change[:, SIZE // 2 :].sum()
    assert mouth_line(image, -0.28) < mouth_line(image, 0.28) - 2


@pytest.mark.parametrize("number", ACTION_UNITS)
def test_every_action_unit_shows(number):
    rest, moved = render(Identity(), {}).astype(int), render(Identity(), {f"AU{number}": 1.0}).astype(int)
    assert np.abs(moved - rest).max() > 20


def test_pose_and_light_do_what_they_say():
    units = PROTOTYPES["neutral"]
    turned = render(Identity(), units, Pose(yaw=15), size=SIZE)
    eye_band = slice(row(-0.3), row(-0.1))
    dark = [
        np.flatnonzero(image[eye_band, 20:76].min(0) < 45).mean() for image in (turned, prototype("neutral"))
    ]
    assert dark[0] > dark[1] + 2
    lit = render(Identity(), units, light=Light(across=0.4), size=SIZE).astype(int)
    assert lit[40:60, 70:80].mean() > lit[40:60, 16:26].mean() + 30
    assert render(Identity(), units, size=160).shape == (160, 160)


@pytest.mark.parametrize(
    "arguments", [{"n_subjects": 0}, {"n_frames": 0}, {"seed": -1}, {"label_noise": 1.0}]
)
def test_bad_arguments_are_named(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        faces(**{"n_subjects": 1, **arguments})


def test_unknown_action_unit_and_tiny_picture_are_refused():
    with pytest.raises(ValueError, match="AU99"):
        render(Identity(), {"AU99": 1.0})
    with pytest.raises(ValueError, match="size"):
        render(Identity(), {}, size=8)


def test_a_thousand_images_take_two_seconds_at_most():
    seconds = []
    for _ in range(2):
        start = time.process_time()
        n_images = len(faces(8))
        seconds.append(time.process_time() - start)
    assert min(seconds) / n_images * 1000 < 2.0


def test_learnable_on_unseen_subjects_and_flattered_by_a_random_split():
    data = faces(24)
    descriptor = cv2.HOGDescriptor((48, 48), (16, 16), (8, 8), (8, 8), 9)
    gradients = np.stack([descriptor.compute(image).ravel() for image in data.images])
    model = make_pipeline(StandardScaler(), SVC(C=10))
    unseen = cross_val_score(model, gradients, data.labels, groups=data.subjects, cv=GroupKFold(3)).mean()
    random = cross_val_score(model, gradients, data.labels, cv=KFold(3, shuffle=True, random_state=0)).mean()
    assert 0.55 < unseen < 0.95
    assert random > unseen + 0.05


@pytest.mark.parametrize(
    ("controls", "message"), [({"lite": 1}, r"Controls of drawn faces are variation, .*; got lite"),
                              ({"glasses": 7}, r"shares in \[0, 1\].*'glasses': 7"), ({"pixel_noise": -3}, "and -3")],
)  # fmt: skip
def test_controls_that_cannot_be_are_refused(controls: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        faces_with_attributes(1, 1, controls=controls)
