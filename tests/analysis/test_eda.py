"""Descriptions of datasets: hand-computed counts, nobody's face inside, figures without the images."""

import json

import numpy as np
import pytest

from fer_utils.analysis import eda, ferplus_votes
from fer_utils.data import synthetic
from fer_utils.data.dataset import EXPRESSIONS, FaceDataset
from fer_utils.data.readers import ferplus
from fer_utils.plots import style, summaries


@pytest.fixture(scope="module")
def faces():
    return synthetic.faces(n_subjects=12)


@pytest.fixture(scope="module")
def summary(faces):
    return eda.summarize(faces)


def some(labels, images=None, name="fer2013", **fields):
    """A dataset of random images with these labels."""
    drawn = np.random.default_rng(0).integers(0, 256, (len(labels), 48, 48), dtype=np.uint8)
    images = drawn if images is None else images
    return FaceDataset(images, np.array(labels), EXPRESSIONS, name, **fields)


def voted(*rows):
    """FER2013 images labelled angry, happy, sad, ... and ten votes each, as text such as "anger 8, fear 2"."""
    table = np.zeros((len(rows), 10), np.int64)
    for row, text in enumerate(rows):
        for part in text.split(", "):
            name, n = part.split()
            table[row, ferplus.VOTES.index(name)] = int(n)
    return table


def test_counts_and_levels_are_those_of_the_dataset(faces, summary):
    values, arrays = summary
    training = faces.subset(faces.usage == "Training")
    assert values["n"] == len(faces) and values["described"] == "Training"
    assert np.sum(list(values["counts"].values()), axis=0).tolist() == faces.class_counts().tolist()
    assert list(values["counts"]) == ["Training", "PublicTest", "PrivateTest"]
    np.testing.assert_array_equal(arrays["levels"].sum(axis=0), np.bincount(training.images.ravel(), minlength=256))
    happy = training.images[training.labels == 3].mean(axis=0)
    np.testing.assert_allclose(arrays["means"][3], happy, atol=0.07)
    assert sum(map(sum, values["random_split"].values())) == len(faces)


def test_values_are_json_and_arrays_small(summary):
    values, arrays = summary
    assert json.loads(json.dumps(values)) == values
    assert sum(array.nbytes for array in arrays.values()) < 500_000


def test_expand_inverts_counting():
    labels, parts = eda.expand({"train": [2, 0, 1], "test": [0, 1, 0]})
    assert labels.tolist() == [0, 0, 2, 1] and parts.tolist() == ["train"] * 3 + ["test"]


def test_rows_for_readers():
    values = {
        "counts": {"a": [3, 1], "b": [3, 1]},
        "class_names": ["happy", "sad"],
        "duplicates": {
            "groups": 2,
            "images": 5,
            "conflicting_groups": 1,
            "conflicting_images": 2,
            "crossing_groups": None,
        },
    }
    row = eda.imbalance(values)
    assert (row["commonest"], row["rarest"], row["ratio"]) == ("happy", "sad", "3.0 to 1")
    assert row["majority baseline: accuracy"] == "75.0 %" and row["its UAR"] == "50.0 %"
    row = eda.duplicates_row(values)
    assert row["superfluous copies"] == 3 and row["sets across parts"] == "no parts"


def test_people_and_leaks_of_three_frames_per_sequence(faces, summary):
    found = summary[0]["people"]
    assert (found["subjects"], found["sequences"]) == (12, 84)
    assert found["images_per_subject"] == {"21": 12} and found["frames_per_sequence"] == {"3": 84}
    assert found["subjects_per_class"] == [12] * 7
    leaky, sound = (summary[0]["leaks"][name] for name in ("random 80/20, image by image", "80/20 by subject"))
    assert leaky["sibling_frame"] > 0.9 * leaky["n_test"] and sound["same_subject"] == 0


def test_conflicts_count_sets_of_identical_images():
    images = np.arange(6, dtype=np.uint8)[[0, 0, 0, 1, 1, 2]][:, None, None] * np.ones((48, 48), np.uint8)
    data = some([0, 2, 2, 3, 3, 5], images)
    expected = np.zeros((7, 7), int)
    expected[0, 2] = expected[2, 0] = 1
    np.testing.assert_array_equal(eda.conflicts(data), expected)


def test_brightness_of_one_class_correlates_with_it():
    labels = np.repeat([0, 3], 20)
    images = np.where(labels == 3, 200, 50).astype(np.uint8)[:, None, None] * np.ones((48, 48), np.uint8)
    images[:, :24] += 10
    values, correlation = eda.intensity_by_class(some(labels, images))
    assert correlation[0, [0, 3]] == pytest.approx([-1, 1]) and np.isnan(correlation[0, 1])
    assert values["brightness"]["explained"] == pytest.approx(1) and values["brightness"]["mean"][3] == 205
    assert values["contrast"]["mean"][0] == 5


def test_means_hide_whom_they_are_made_of():
    subjects = np.array([f"S{i:03d}" for i in range(9)] * 3)
    assert np.isnan(eda.class_means(some([3] * 27, subjects=subjects, name="ckplus"))).all()
    assert np.isnan(eda.class_means(some([3] * 19))).all()
    assert np.isfinite(eda.class_means(some([3] * 20))[3]).all()
    copies = np.repeat(some([3]).images, 40, axis=0)
    assert np.isnan(eda.class_means(some([3] * 40, copies))).all()
    assert np.isfinite(eda.class_means(some([3] * 2, name="synthetic"))[3]).all()


def test_scores_of_frames_rise_to_the_apex():
    controls = synthetic.Controls(onset=0.2, jitter=0, variation=0.3, yaw=0, pitch=0, roll=0, light=0)
    scores = eda.frame_scores(synthetic.faces(n_subjects=8, controls=controls))
    shown = [i for i, name in enumerate(EXPRESSIONS) if name != "neutral"]
    assert scores.shape == (7, 3)
    assert (np.diff(scores[shown], axis=1) > 0).mean() > 0.9


def test_majority_follows_the_readers_rule():
    table = voted("anger 10", "anger 5, fear 5", "anger 4, fear 3, sadness 1, happiness 1, neutral 1",
                  "unknown 8, fear 2", "nf 10", "contempt 6, neutral 4")  # fmt: skip
    outcomes = [ferplus_votes.OUTCOMES[code] for code in ferplus_votes.majority(table)]
    assert outcomes == ["anger", "no majority", "anger", "unknown", "not a face", "contempt"]
    faces = some([0] * 6, usage=np.array(["Training"] * 6))
    kept = ferplus._label(faces, table, "majority")
    assert [kept.class_names[code] for code in kept.labels] == ["anger", "anger", "contempt"]


def test_votes_against_labels_by_hand():
    faces = some([0, 3, 3, 4], usage=np.array(["Training"] * 3 + ["PrivateTest"]))
    table = voted("anger 8, fear 2", "happiness 10", "neutral 6, happiness 4", "nf 10")
    values, arrays = ferplus_votes.summarize(faces, table)
    assert values["labelled"] == 3 and values["agreement"]["all"]["share"] == pytest.approx(2 / 3)
    one = values["annotator"]["FER2013's label"]
    assert one["all"]["share"] == pytest.approx((0.8 + 1 + 0.4 + 0) / 4)
    assert values["annotator"]["FER2013's label, by class"][3] == pytest.approx(0.7)
    assert values["annotator"]["FER+ majority, own vote included"]["share"] == pytest.approx(0.8)
    assert arrays["cross"][3, 0] == 1 and arrays["cross"][4, 9] == 1 and arrays["cross"].sum() == 4
    assert arrays["entropy"][1] == 0 and arrays["entropy_fer2013"][0] == pytest.approx(0.7219, abs=1e-4)


def test_one_against_the_nine_others():
    table = voted("fear 10", "fear 8, neutral 2", "fear 5, neutral 5", "nf 10")
    agree, faced = ferplus_votes.one_against_others(table)
    # Second row: both who say neutral face a majority of fear. Third: without one vote for fear the nine
    # others are 5 to 4 for neutral, and the other way round, so everybody disagrees. Fourth: no expression.
    assert agree.tolist() == [10, 8, 0, 0] and faced.tolist() == [10, 10, 10, 0]


def test_shares_are_ratios_with_intervals():
    agree, faced = np.random.default_rng(0).integers(0, 11, (2, 400))
    agree = np.minimum(agree, faced)
    found = ferplus_votes._share(agree, faced)
    assert found["share"] == pytest.approx(agree.sum() / faced.sum())
    spread = [
        np.divide(*np.sum([agree[i], faced[i]], axis=1)) for i in np.random.default_rng(1).integers(0, 400, (800, 400))
    ]
    assert ferplus_votes.interval(found).percent() == "{:.1f} [{:.1f}, {:.1f}]".format(
        *(100 * found[key] for key in ("share", "low", "high"))
    )
    assert [found["low"], found["high"]] == pytest.approx(np.quantile(spread, [0.025, 0.975]), abs=0.006)


def test_records_answer_where_the_images_are_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_REPORTS", str(tmp_path))
    data = some(np.arange(70) % 7, usage=np.array(["Training"] * 70))
    stored = eda.measure(data)
    assert stored.path.parent == tmp_path / "measurements"
    again = eda.on_record("fer2013", tmp_path / "measurements")
    assert again.path == stored.path and again.values["n"] == 70
    assert eda.on_record("ckplus", tmp_path) is None
    (stored.path / "done").unlink()
    assert eda.on_record("fer2013", tmp_path / "measurements") is None


@pytest.mark.filterwarnings("error")
def test_figures_need_no_images(faces, summary):
    values, arrays = summary
    options = {"caption": "End.", "profile": "quick"}
    names, n = values["class_names"], values["n_described"]
    means = arrays["means"].copy()
    means[2] = np.nan
    figures = [
        summaries.pixel_distribution(arrays["levels"].sum(axis=0), n, **options),
        summaries.pixel_distribution_by_class(arrays["levels"], n, names, **options),
        summaries.mean_faces(means, values["counts_described"], names, **options),
    ]
    for figure in figures:
        data, _ = figure._repr_mimebundle_()
        assert {"image/svg+xml", "image/png"} & set(data)
        assert style.QUICK_STAMP in style.notes(figure) and "End." in " ".join(style.notes(figure))
    assert len(figures[2].axes[0].get_images()) == 12
    assert "Means of few images or people are not published." in style.notes(figures[2])
    with pytest.raises(ValueError, match="all are withheld"):
        summaries.mean_faces(means[2:3], [5], names[2:3])


@pytest.mark.real_data
def test_real_votes_have_the_published_counts(real_data):
    if not any(real_data.glob("**/fer2013.csv")):
        pytest.skip("no fer2013.csv there")
    table = ferplus.join(real_data)[1]
    assert (ferplus_votes.majority(table) < 8).sum() == 25_060 + 3_199 + 3_153
