"""Metrics against scikit-learn and hand-computed values."""

import numpy as np
import pytest
from scipy import special
from sklearn import metrics as sk

from fer_utils.evaluation import metrics

NAMES = ("a", "b", "c", "d")


@pytest.fixture
def scored():
    """200 labels of four classes and float16 logits that are right more often than not."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 200)
    logits = rng.normal(size=(200, 4)) + 1.2 * np.eye(4)[labels]
    return labels.astype(np.int64), logits.astype(np.float16)


def test_summary_agrees_with_scikit_learn(scored):
    labels, logits = scored
    wide = logits.astype(np.float64)
    probabilities, predicted = special.softmax(wide, axis=1), wide.argmax(axis=1)
    result = metrics.summary(labels, logits)
    assert result["n"] == 200
    assert result["accuracy"] == sk.accuracy_score(labels, predicted)
    expected = sk.balanced_accuracy_score(labels, predicted)
    assert result["balanced_accuracy"] == pytest.approx(expected, abs=1e-12)
    assert result["macro_f1"] == pytest.approx(sk.f1_score(labels, predicted, average="macro"), abs=1e-12)
    assert result["log_loss"] == pytest.approx(sk.log_loss(labels, probabilities), abs=1e-12)
    expected = sk.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    assert result["auc_macro"] == pytest.approx(expected, abs=1e-12)
    assert result["ece"] == metrics.expected_calibration_error(labels, probabilities)


def test_summary_is_deterministic_and_leaves_its_input_alone(scored):
    labels, logits = scored
    copy = logits.copy()
    assert metrics.summary(labels, logits) == metrics.summary(labels, logits)
    assert metrics.summary(labels, logits) == metrics.summary(labels, logits.astype(np.float32))
    np.testing.assert_array_equal(logits, copy)


def test_margin_scores_have_no_probabilities(scored):
    labels, logits = scored
    result = metrics.summary(labels, logits, scores="margin")
    assert set(result) == {"n", "accuracy", "balanced_accuracy", "macro_f1", "auc_macro"}
    areas = [sk.roc_auc_score(labels == c, logits[:, c].astype(float)) for c in range(4)]
    assert result["auc_macro"] == pytest.approx(np.mean(areas), abs=1e-12)


def test_an_absent_class_is_left_out_of_averages(scored):
    labels, logits = scored
    keep = labels != 2
    result = metrics.summary(labels[keep], logits[keep])
    recalls = [np.mean(logits[labels == c].argmax(axis=1) == c) for c in (0, 1, 3)]
    assert result["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    assert all(np.isfinite(value) for value in result.values())
    assert set(metrics.roc(labels[keep], logits[keep])) == {0, 1, 3}
    table = metrics.report(labels[keep], logits[keep], NAMES)
    assert table.loc["macro average", "recall"] == pytest.approx(np.mean(recalls))
    assert table.loc["macro average", "f1"] == pytest.approx(result["macro_f1"])


def test_one_class_only_has_no_auc(scored):
    _, logits = scored
    result = metrics.summary(np.zeros(200, np.int64), logits)
    assert "auc_macro" not in result
    assert result["balanced_accuracy"] == result["accuracy"]


def test_report_is_scikit_learns(scored):
    labels, logits = scored
    table = metrics.report(labels, logits, NAMES)
    expected = sk.classification_report(
        labels, logits.argmax(axis=1), target_names=NAMES, output_dict=True, zero_division=0
    )
    for name in NAMES:
        row = [expected[name][key] for key in ("precision", "recall", "f1-score", "support")]
        np.testing.assert_allclose(table.loc[name].to_numpy(float), row)
    assert table.loc["accuracy", "f1"] == pytest.approx(expected["accuracy"])
    assert table.loc["macro average", "f1"] == pytest.approx(expected["macro avg"]["f1-score"])
    assert list(table.columns) == ["precision", "recall", "f1", "support"]
    assert table["support"].dtype == np.int64
    assert table.loc["accuracy", "support"] == 200


def test_confusion_rows_are_true_classes():
    labels = np.array([0, 0, 1, 2])
    logits = np.eye(4)[[0, 1, 1, 0]]
    expected = [[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(metrics.confusion(labels, logits), expected)
    shares = metrics.confusion(labels, logits, normalize="true")
    np.testing.assert_allclose(shares.sum(axis=1), [1, 1, 1, 0])
    np.testing.assert_allclose(shares[0], [0.5, 0.5, 0, 0])


def test_roc_of_a_perfect_and_a_reversed_class():
    labels = np.array([0, 0, 1, 1])
    curves = metrics.roc(labels, np.array([[2.0, 2], [1, 1], [0, 0], [-1, -1]]), scores="margin")
    assert curves[0].auc == 1.0
    assert curves[1].auc == 0.0
    assert curves[0].fpr[0] == 0
    assert curves[0].tpr[-1] == 1


def test_ece_by_hand():
    # Bins of width 1/2: confidences .6 (right) and .8 (wrong) share the upper bin: |1 - 1.4| / 2 = 0.2.
    labels, probabilities = np.array([0, 0]), np.array([[0.6, 0.4], [0.2, 0.8]])
    assert metrics.expected_calibration_error(labels, probabilities, n_bins=2) == pytest.approx(0.2)
    # Ten bins separate them: (|1 - .6| + |0 - .8|) / 2 = 0.6.
    assert metrics.expected_calibration_error(labels, probabilities, n_bins=10) == pytest.approx(0.6)


def test_ece_of_a_certain_and_right_model_is_zero():
    assert metrics.expected_calibration_error(np.array([0, 1]), np.eye(2)) == 0


def test_large_logits_do_not_overflow():
    logits = np.array([[6e4, -6e4], [-6e4, 6e4]], np.float16)
    result = metrics.summary(np.array([0, 1]), logits)
    assert result["log_loss"] == 0
    assert result["accuracy"] == 1
    difference = float(logits[0, 0]) - float(logits[0, 1])
    assert metrics.summary(np.array([1, 1]), logits)["log_loss"] == pytest.approx(difference / 2)


def test_ties_go_to_the_lowest_code():
    np.testing.assert_array_equal(metrics.predict(np.zeros((2, 3))), [0, 0])


@pytest.mark.parametrize(
    ("labels", "logits", "words"),
    [
        (np.array([0, 1]), np.zeros((3, 2)), r"same n.*\(2,\).*\(3, 2\)"),
        (np.array([], int), np.zeros((0, 2)), "n >= 1"),
        (np.array([0, 2]), np.zeros((2, 2)), r"0\.\.1.*0 to 2"),
        (np.array([0.0, 1.0]), np.zeros((2, 2)), "integers.*argmax"),
        (np.array([0, 1]), np.array([[np.nan, 0], [0, 0]]), "1 of 2 rows hold NaN"),
    ],
)
def test_wrong_input_is_refused_with_a_remedy(labels, logits, words):
    with pytest.raises(ValueError, match=words):
        metrics.summary(labels, logits)


def test_other_refusals(scored):
    labels, logits = scored
    with pytest.raises(ValueError, match="'margin'"):
        metrics.summary(labels, logits, scores="svm")
    with pytest.raises(ValueError, match=r"4 columns.*2 names"):
        metrics.report(labels, logits, ("a", "b"))
    with pytest.raises(ValueError, match=r"metrics\.softmax"):
        metrics.expected_calibration_error(labels, logits)
    with pytest.raises(ValueError, match="at least 1"):
        metrics.expected_calibration_error(labels, metrics.softmax(logits), n_bins=0)


def test_averages_over_classes_refuse_nothing_in_words():
    nothing = np.zeros(0, int)
    for average in (metrics.macro_f1, metrics.recall_of_classes):
        with pytest.raises(ValueError, match="at least one image; got none"):
            average(nothing, nothing)
