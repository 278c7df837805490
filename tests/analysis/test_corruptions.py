"""Damaged pictures and what they cost; the check for bias on drawn faces; errors beside annotators' votes."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from fer_utils import plots
from fer_utils.analysis import bias, corruptions, label_disagreement
from fer_utils.analysis.corruptions import SEVERITIES, corrupt
from fer_utils.data import synthetic
from fer_utils.data.dataset import FERPLUS_EXPRESSIONS

NAMES = list(SEVERITIES)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return synthetic.faces(2, n_frames=1).images


# --- corruptions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_identity_at_zero_then_ever_further_away(name: str, images: np.ndarray) -> None:
    versions = [corrupt(images, name, severity) for severity in range(6)]
    np.testing.assert_array_equal(versions[0], images)
    assert versions[0] is not images
    assert all(v.dtype == np.uint8 and v.shape == images.shape for v in versions)
    distances = [np.abs(v.astype(float) - images).mean() for v in versions]
    assert all(near < far for near, far in pairwise(distances)), distances


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_pixels_and_no_image_depends_on_the_others(name: str, images: np.ndarray) -> None:
    np.testing.assert_array_equal(corrupt(images, name, 3, seed=4), corrupt(images, name, 3, seed=4))
    np.testing.assert_array_equal(corrupt(images[:3], name, 3), corrupt(images, name, 3)[:3])


@pytest.mark.parametrize("name", ["noise", "shift", "rotation"])
def test_another_seed_draws_anew(name: str, images: np.ndarray) -> None:
    assert not np.array_equal(corrupt(images, name, 2, seed=0), corrupt(images, name, 2, seed=1))


def test_grey_levels_by_hand() -> None:
    image = np.zeros((1, 48, 48), np.uint8)
    image[0, :, :24], image[0, :, 24:] = 50, 150  # mean 100
    columns = [0, 47]
    np.testing.assert_array_equal(corrupt(image, "brightness", 2)[0, 0, columns], [100, 200])
    np.testing.assert_array_equal(corrupt(image, "brightness", 5)[0, 0, columns], [175, 255])  # clipped
    np.testing.assert_array_equal(corrupt(image, "contrast", 2)[0, 0, columns], [75, 125])
    expected = np.rint(255 * (np.array([50, 150]) / 255) ** 1.8)
    np.testing.assert_array_equal(corrupt(image, "gamma", 2)[0, 0, columns], expected)


def test_noise_has_the_stated_size() -> None:
    grey = np.full((20, 48, 48), 128, np.uint8)
    for severity, sd in enumerate(SEVERITIES["noise"][:3], start=1):
        assert (corrupt(grey, "noise", severity).astype(float) - 128).std() == pytest.approx(sd, rel=0.02)


def test_blur_spreads_a_point_by_its_standard_deviation() -> None:
    point = np.zeros((1, 48, 48), np.uint8)
    point[0, 24, 24] = 255
    found = corrupt(point, "blur", 3)[0].astype(float)
    rows = np.arange(48) - 24
    assert np.sqrt((found.sum(axis=1) * rows**2).sum() / found.sum()) == pytest.approx(1.5, abs=0.15)


def test_moves_by_hand() -> None:
    """A bright centre: halving the size quarters its area; shifting moves it by 0.2 of 48 pixels, rotating not."""
    image = np.zeros((1, 48, 48), np.uint8)
    image[0, 16:32, 16:32] = 200
    assert (corrupt(image, "scale", 5) > 100).sum() == pytest.approx(64, abs=8)
    rows, columns = np.nonzero(corrupt(image, "shift", 4)[0] > 100)
    distance = np.hypot(rows.mean() - 23.5, columns.mean() - 23.5)
    assert distance == pytest.approx(0.2 * 48, abs=0.6)
    rows, columns = np.nonzero(corrupt(image, "rotation", 5)[0] > 100)
    assert rows.mean() == pytest.approx(23.5, abs=0.3) and columns.max() - columns.min() == pytest.approx(22, abs=2)


def test_bands_cover_eyes_or_mouth_and_nothing_else(images: np.ndarray) -> None:
    for name, middle in (("eyes covered", 0.37), ("mouth covered", 0.77)):
        changed = (corrupt(images, name, 3) != images).any(axis=0)
        rows = np.flatnonzero(changed.any(axis=1))
        assert rows.max() - rows.min() + 1 <= 12
        assert rows.mean() == pytest.approx(middle * 48, abs=1)
        assert not changed[:, [0, 47]].any()
        band = corrupt(images, name, 3)[0, rows[0], 2:46]
        assert (band == np.rint(images[0].mean())).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.zeros((1, 48, 48), np.uint8), "snow", 1), "one of brightness.*got 'snow'"),
        ((np.zeros((1, 48, 48), np.uint8), "blur", 6), "0 .none. to 5; got 6"),
        ((np.zeros((1, 48, 48)), "blur", 1), "uint8"),
        ((np.zeros((0, 48, 48), np.uint8), "blur", 1), "n >= 1"),
    ],
)
def test_wrong_input_is_refused(arguments: tuple, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        corrupt(*arguments)


# --- stress ----------------------------------------------------------------------------------------------------


def mean_grey_logits(images: np.ndarray) -> np.ndarray:
    """Class 1 where the picture is brighter than 128."""
    bright = images.mean(axis=(1, 2)) - 128
    return np.stack([-bright, bright], axis=1)


def test_stress_scores_every_damage() -> None:
    images = np.stack([np.full((48, 48), grey, np.uint8) for grey in (60, 110, 200)])
    arrays = corruptions.stress(mean_grey_logits, images)
    assert arrays["predicted"].shape == (11, 6, 3) and arrays["predicted"].dtype == np.uint8
    assert (arrays["predicted"][:, 0] == [0, 0, 1]).all()
    brightness = arrays["predicted"][NAMES.index("brightness")]
    np.testing.assert_array_equal(brightness[:, 1], [0, 1, 1, 1, 1, 1])  # 110 + 25 > 128
    np.testing.assert_array_equal(brightness[:, 0], [0, 0, 0, 1, 1, 1])  # 60 + 75 > 128
    assert arrays["confidence"].dtype == np.float16 and (arrays["confidence"] >= 0.5).all()


def test_mean_corruption_error_by_hand() -> None:
    """Two images, two people: one always right, one wrong in half of the damaged versions and on the clean image."""
    found = corruptions.errors(np.array([0, 1]), np.array([0.0, 0.5]))
    assert (found.clean.estimate, found.corrupted.estimate, found.added.estimate) == (0.5, 0.25, -0.25)
    assert found.ratio == 0.5
    assert np.isnan(corruptions.errors(np.zeros(2), np.array([0.5, 1.0])).ratio)


def test_pooled_folds_give_one_summary() -> None:
    predicted = np.zeros((11, 6, 2), np.uint8)
    predicted[:, 1:, 1] = 1
    part = {"predicted": predicted, "confidence": np.full((11, 6, 2), 0.9, np.float16)}
    pooled = corruptions.pool([(np.array([0, 0]), part, np.array([0, 1])), (np.array([0, 1]), part, np.array([2, 3]))])
    assert pooled.correct.shape == (11, 6, 4) and pooled.people is not None
    summary = pooled.summary()
    assert summary.clean.estimate == 0.25  # the last image alone is wrong when clean
    assert summary.corrupted.estimate == 0.25 and summary.added.estimate == 0
    assert [i.estimate for i in pooled.curve("blur")] == [0.75] * 6
    assert corruptions.pool([(np.array([0, 0]), part, None)]).people is None


def test_tables_are_sorted_and_in_percent() -> None:
    predicted = np.zeros((11, 6, 2), np.int64)
    predicted[3, 2:, 0] = 1  # blur of severity 2 and more: one of two images wrong
    found = corruptions.Stress(np.zeros(2, np.int64), predicted, np.full((11, 6, 2), 0.75))
    table = found.table()
    assert table.index[0] == "blur" and table.loc["blur"].tolist() == [0, 0, 50, 50, 50, 50, 40, 40]
    assert (table.drop(index="blur") == 0).all(axis=None)
    levels = found.confidence_table()
    assert levels.loc[0].tolist() == [100, 75, -25]
    assert levels["accuracy in %"].tolist() == pytest.approx([100, 100, *[100 * (1 - 0.5 / 11)] * 4])
    sure, nothing = found.overconfidence(5), found.overconfidence(0)
    assert sure.estimate == pytest.approx(0.75 - (1 - 0.5 / 11)) and nothing.estimate == pytest.approx(-0.25)
    assert found.majority == 1
    assert str(found.summary()).startswith("clean error 0.0 [0.0, 0.0] %, mCE 3.6 [")  # 4 of 110


# --- bias ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(bias.CONTRASTS))
def test_a_pair_differs_in_one_thing(name: str) -> None:
    one, other = bias.pair(name, 3, seed=5).values()
    assert (one.labels == other.labels).all() and (one.subjects == other.subjects).all()
    assert not np.array_equal(one.images, other.images)
    control = next(iter(bias.CONTRASTS[name].usual))
    tables = [
        synthetic.faces_with_attributes(3, 1, seed=5, controls=side)[1]
        for side in (bias.CONTRASTS[name].usual, bias.CONTRASTS[name].other)
    ]
    changed = {column for column in tables[0] if not tables[0][column].equals(tables[1][column])}
    assert changed == ({"across", "down"} if control == "light" else {control})


def test_controls_may_come_as_json_gives_them() -> None:
    given = bias.options(3, 1, {"skin": [100, 120], "glasses": 1.0})
    data = synthetic.faces(**given, n_frames=1)
    _, table = synthetic.faces_with_attributes(3, 1, 1, controls=synthetic.Controls(skin=(100, 120), glasses=1.0))
    assert data.fingerprint == synthetic.faces(3, 1, 1, controls=given["controls"]).fingerprint
    assert table["glasses"].all() and table["skin"].between(100, 120).all()
    with pytest.raises(ValueError, match="got shoe"):
        bias.options(3, 1, {"shoe": 1})
    with pytest.raises(ValueError, match="got 'shoe'"):
        bias.pair("shoe", 2, 0)


def test_the_skin_range_left_alone_changes_nothing() -> None:
    assert synthetic.faces(2, 1).fingerprint == synthetic.faces(2, 1, controls={"skin": (85.0, 220.0)}).fingerprint


def test_sign_flip_by_enumeration() -> None:
    """Four people who gain 3, 1, 1 and -1 faces, 4 in all: of 16 signings, 8 are as far from 0."""
    a, b = np.array([1, 1, 1, 1, 1, 0.0]), np.array([0, 0, 0, 0, 0, 1.0])
    people = np.array(["p", "p", "p", "q", "r", "s"])
    assert bias.sign_flip(a, b, people) == pytest.approx(8 / 16)
    assert bias.sign_flip(a, a, people) == 1.0


def test_sign_flip_agrees_with_the_t_test_on_many_people() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.2, 1, (2, 60))
    people = np.arange(60)
    assert bias.sign_flip(a, b, people) == pytest.approx(scipy_stats.ttest_rel(a, b).pvalue, abs=0.02)


def test_comparison_of_two_groups_and_its_table() -> None:
    people = np.repeat(np.arange(6), 2)
    right = {"light": np.ones(12, bool), "dark": np.tile([True, False], 6)}
    found = bias.compare(right, people)
    assert found["groups"]["light"].estimate == 1 and found["groups"]["light"].low < 1
    assert found["difference"].estimate == 0.5 and found["p"] == pytest.approx(2 / 64)
    table = bias.table({"skin": found, "glasses": found})
    assert table.loc[("skin", "dark"), "p, Holm"] == f"{4 / 64:.4f}"
    assert table.loc[("skin", "dark"), "difference in points"].startswith("+50.0")
    assert table.loc[("skin", "light"), "p, Holm"] == ""
    both = bias.across({"one": {"skin": found, "glasses": found}, "other": {"skin": found, "glasses": found}})
    assert both.loc["skin: light − dark", "other: p, Holm"] == f"{4 / 64:.4f}"
    assert both.loc["glasses: light − dark", "one: points [95 %]"].startswith("+50.0")
    with pytest.raises(ValueError, match="Two groups"):
        bias.compare({"a": right["dark"]}, people)


def test_check_compares_both_groups_of_every_control() -> None:
    """A network that calls light pictures by their number and dark ones happy."""
    pairs = {"skin": bias.pair("skin", 3, seed=5)}

    def predict(images: np.ndarray) -> np.ndarray:
        light = np.median(images, axis=(1, 2)).mean() > 130
        return np.eye(7)[np.arange(len(images)) % 7 if light else np.full(len(images), 3)]

    found = bias.check(predict, pairs)["skin"]
    assert [(name, i.estimate) for name, i in found["groups"].items()] == [("light", 1), ("dark", pytest.approx(1 / 7))]
    assert found["difference"].estimate == pytest.approx(6 / 7) and found["p"] == pytest.approx(2 / 8)


# --- errors against votes --------------------------------------------------------------------------------------


def votes_for(**counts: int) -> list[int]:
    columns = (*FERPLUS_EXPRESSIONS, "unknown", "nf")
    return [counts.get(name, 0) for name in columns]


def test_errors_beside_votes_by_hand() -> None:
    """Four faces labelled fear (2): two right, one taken for sad with votes for it, one for happy without any."""
    labels, predicted = np.array([2, 2, 2, 2]), np.array([2, 2, 4, 3])
    votes = np.array([
        votes_for(fear=10), votes_for(fear=8, sadness=2), votes_for(fear=4, sadness=6), votes_for(fear=9, surprise=1),
    ])  # fmt: skip
    values, arrays = label_disagreement.compare(labels, predicted, votes)
    wrong = values["wrong"]
    assert wrong["n"] == 2
    assert [wrong[k]["share"] for k in ("any vote", "no fewer votes", "majority")] == [0.5, 0.5, 0.5]
    towards = values["towards"]
    assert towards["here"]["share"] == pytest.approx(0.3)  # 6 of 10 and 0 of 10
    assert towards["elsewhere"]["share"] == pytest.approx(0.05)  # sad has 0 and 2 of 10 where right, happy 0
    assert towards["difference"]["share"] == pytest.approx(0.25)
    assert arrays["network"][2].tolist() == [0, 0, 2, 1, 1, 0, 0]
    assert arrays["annotators"][2].tolist() == votes.sum(axis=0).tolist()
    assert label_disagreement.seven(arrays["annotators"])[2].tolist() == [0, 0, 31, 0, 8, 1, 0]
    assert arrays["agreeing"][:, [4, 8, 9, 10]].tolist() == [[1, 1, 1, 1], [0, 1, 0, 1]]
    assert values["accuracy"]["share"] == 0.5
    assert values["accuracy_ferplus"]["share"] == 0.75  # by the majority the third face is sad
    lines = label_disagreement.table(values)
    assert lines["wrong answers (2 of 4) with any vote, in %"].startswith("50.0 [")
    assert lines["rank correlation of the 42 confusions"].count(",") == 1


def test_without_data_only_what_is_on_record_is_read() -> None:
    with pytest.raises(FileNotFoundError, match="not on record"):
        label_disagreement.measure(SimpleNamespace(id="nobody"), None)


def test_confusions_of_a_network_that_answers_as_people_vote_correlate() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(7), 60)
    chances = 0.5 * np.eye(7)[labels] + 0.5 * rng.dirichlet(np.ones(7), 7)[labels]
    seven = np.array([rng.multinomial(10, p / p.sum()) for p in chances])
    votes = np.zeros((420, 10), np.int64)
    votes[:, label_disagreement.TO_FERPLUS] = seven
    alike = np.array([rng.choice(7, p=p / p.sum()) for p in chances])
    cells = [label_disagreement.compare(labels, p, votes)[0]["cells"] for p in (alike, rng.integers(0, 7, 420))]
    assert cells[0]["share"] > 0.7 > 0.4 > cells[1]["share"]
    assert cells[0]["low"] < cells[0]["share"] < cells[0]["high"]


# --- figures ---------------------------------------------------------------------------------------------------


def test_stress_curves_need_the_same_corruptions() -> None:
    with pytest.raises(ValueError, match="same corruptions"):
        plots.stress_curves({"a": {"blur": []}, "b": {"noise": []}})
