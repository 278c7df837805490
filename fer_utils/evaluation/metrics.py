"""What a model's scores on labelled images are worth: thin over scikit-learn.

Everything is a pure function of labels, int (n,), and logits, float (n, k). Logits may be the float16
numbers of a run record; all arithmetic is in float64, so anyone recomputes the same values from a record.

Averages over classes (unweighted average recall, macro-F1, AUC) run over the classes that occur in
`labels`: a class without images has no recall. Where every class occurs they are scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import special
from sklearn import metrics as sk

SCORES = ("softmax", "margin")
"""Kinds of scores: logits of a softmax, or distances from the hyperplanes of an SVM loss."""


class Roc(NamedTuple):
    """One class against the rest: false and true positive rates, float64 (m,), and the area under them."""

    fpr: np.ndarray
    tpr: np.ndarray
    auc: float


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities float64 (n, k) of logits (n, k) of any float type; rows sum to 1."""
    return special.softmax(np.asarray(logits, dtype=np.float64), axis=-1)


def predict(logits: np.ndarray) -> np.ndarray:
    """int64 (n,): the class with the highest score; among equals the lowest code."""
    return np.argmax(logits, axis=-1).astype(np.int64)


def summary(
    labels: np.ndarray, logits: np.ndarray, scores: Literal["softmax", "margin"] = "softmax"
) -> dict[str, float]:
    """The numbers of one model on one set of images.

    Args:
        labels: int (n,) in 0..k-1.
        logits: float (n, k), finite.
        scores: `"softmax"` if softmax(logits) are the model's probabilities, `"margin"` for SVM losses, whose
            scores are no probabilities: then `log_loss` and `ece` are left out, and the AUC ranks raw scores.

    Returns:
        `n` images; `accuracy`; `balanced_accuracy` (unweighted average recall, UAR); `macro_f1`;
        `auc_macro`, the mean one-vs-rest area under the ROC curve (left out if only one class occurs);
        `log_loss`, mean -log p of the true class in nats; `ece`, see `expected_calibration_error`.
        All but `n` and `log_loss` lie in [0, 1].

    Raises:
        ValueError: shapes, types or ranges are not those above, or `scores` is another word.

    Example:
        Three of four images are right, but only half of class 1 is found.

        >>> labels = np.array([0, 0, 1, 1])
        >>> logits = np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
        >>> {name: round(value, 2) for name, value in summary(labels, logits).items() if name != "ece"}
        {'n': 4, 'accuracy': 0.75, 'balanced_accuracy': 0.75, 'macro_f1': 0.73, 'auc_macro': 0.88, 'log_loss': 0.52}
    """
    labels, logits = checked(labels, logits)
    _check_scores(scores)
    present, predicted = np.unique(labels), predict(logits)
    common = {"labels": present, "average": "macro", "zero_division": 0}
    result = {
        "n": len(labels),
        "accuracy": float(np.mean(predicted == labels)),
        "balanced_accuracy": float(sk.recall_score(labels, predicted, **common)),
        "macro_f1": float(sk.f1_score(labels, predicted, **common)),
    }
    if len(present) > 1:
        result["auc_macro"] = float(np.mean([curve.auc for curve in roc(labels, logits, scores).values()]))
    if scores == "softmax":
        log_likelihood = special.log_softmax(logits, axis=1)[np.arange(len(labels)), labels]
        result["log_loss"] = float(-log_likelihood.mean())
        result["ece"] = expected_calibration_error(labels, softmax(logits))
    return result


def report(labels: np.ndarray, logits: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
    """Precision, recall and F1 of each class, as course reports print them.

    Args:
        labels: int (n,) in 0..k-1.
        logits: float (n, k), finite.
        class_names: k names.

    Returns:
        One row per class, then `accuracy` (in the column `f1`, as scikit-learn prints it) and
        `macro average`; columns `precision`, `recall`, `f1` in [0, 1] and `support` in images. A class
        that was never predicted has precision 0; one without images is left out of the average.

    Raises:
        ValueError: shapes, types or ranges are not those above.
    """
    labels, logits = checked(labels, logits)
    _check_names(class_names, logits)
    predicted, codes = predict(logits), range(logits.shape[1])
    values = sk.precision_recall_fscore_support(labels, predicted, labels=codes, zero_division=0)
    table = pd.DataFrame(np.transpose(values), list(class_names), ["precision", "recall", "f1", "support"])
    macro = table.loc[table["support"] > 0].mean()
    table.loc["accuracy"] = [np.nan, np.nan, np.mean(predicted == labels), len(labels)]
    table.loc["macro average"] = [macro["precision"], macro["recall"], macro["f1"], len(labels)]
    return table.astype({"support": np.int64})


def confusion(
    labels: np.ndarray, logits: np.ndarray, normalize: Literal["true", "pred", "all"] | None = None
) -> np.ndarray:
    """Confusion matrix (k, k): row the true class, column the predicted one.

    Args:
        labels: int (n,) in 0..k-1.
        logits: float (n, k), finite.
        normalize: None for counts (int64); `"true"` for shares of each row, `"pred"` of each column,
            `"all"` of all images (float64). A row or column without images stays 0.

    Raises:
        ValueError: shapes, types or ranges are not those above.
    """
    labels, logits = checked(labels, logits)
    return sk.confusion_matrix(labels, predict(logits), labels=range(logits.shape[1]), normalize=normalize)


def recall_of_classes(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Share of each occurring class's images that are found, float64 (at most k,), from labels and answers int (n,).

    Its mean is the unweighted average recall. Like `macro_f1` it only checks that there are images, since a bootstrap
    calls it thousands of times.

    Raises:
        ValueError: no image.
    """
    _check_any(labels)
    found = np.bincount(labels[labels == predicted], minlength=labels.max() + 1)
    counts = np.bincount(labels)
    return found[counts > 0] / counts[counts > 0]


def macro_f1(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 of the classes that occur in `labels`, from labels and answers int (n,); ValueError where n is 0."""
    _check_any(labels)
    k = max(labels.max(), predicted.max()) + 1
    found, counts, said = (np.bincount(x, minlength=k) for x in (labels[labels == predicted], labels, predicted))
    return float(np.mean(2 * found[counts > 0] / (counts + said)[counts > 0]))


def roc(
    labels: np.ndarray, logits: np.ndarray, scores: Literal["softmax", "margin"] = "softmax"
) -> dict[int, Roc]:
    """ROC curve of each class against the rest.

    Args:
        labels: int (n,) in 0..k-1.
        logits: float (n, k), finite.
        scores: what ranks the images: `"softmax"` their probability of the class, `"margin"` the raw score.

    Returns:
        Class code to its curve, for the classes that occur in `labels`; none if only one class occurs.

    Raises:
        ValueError: shapes, types or ranges are not those above, or `scores` is another word.
    """
    labels, logits = checked(labels, logits)
    _check_scores(scores)
    ranking = softmax(logits) if scores == "softmax" else logits
    present = np.unique(labels)
    curves = {}
    for code in present if len(present) > 1 else ():
        fpr, tpr, _ = sk.roc_curve(labels == code, ranking[:, code])
        curves[int(code)] = Roc(fpr, tpr, float(sk.auc(fpr, tpr)))
    return curves


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray, n_bins: int = 15) -> float:
    """How far a model's confidence is from its accuracy, in [0, 1].

    ECE = sum over bins b of (n_b / n) |accuracy_b - confidence_b|: images are sorted into `n_bins` bins of
    equal width, ((b-1)/n_bins, b/n_bins], by the probability of their predicted class (Guo, Pleiss, Sun and
    Weinberger, "On Calibration of Modern Neural Networks", ICML 2017).

    Args:
        labels: int (n,) in 0..k-1.
        probabilities: float (n, k), rows sum to 1.
        n_bins: number of bins, at least 1.

    Raises:
        ValueError: shapes, types or ranges are not those above.
    """
    labels, probabilities = checked(labels, probabilities)
    if n_bins < 1:
        raise ValueError(f"n_bins must be at least 1; got {n_bins}. The usual number is 15.")
    sums = probabilities.sum(axis=1)
    if np.abs(sums - 1).max() > 1e-2 or probabilities.min() < 0:
        raise ValueError(
            "probabilities must be non-negative with rows that sum to 1; got values from "
            f"{probabilities.min():.3g} and row sums up to {sums.max():.3g}. Pass metrics.softmax(logits)."
        )
    confidence, correct = probabilities.max(axis=1), predict(probabilities) == labels
    gaps = np.bincount(confidence_bins(confidence, n_bins), weights=correct - confidence, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(labels))


def confidence_bins(confidence: np.ndarray, n_bins: int) -> np.ndarray:
    """Which of `n_bins` bins of equal width each confidence in [0, 1] lies in: int64 (n,), from 0.

    A bin holds its upper end; 0 lies in the first.

    Example:
        >>> confidence_bins(np.array([0.0, 0.5, 0.51, 1.0]), 2).tolist()
        [0, 0, 1, 1]
    """
    return np.digitize(confidence, np.linspace(0, 1, n_bins + 1)[1:-1], right=True).astype(np.int64)


def checked(labels: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels as int64 (n,) in 0..k-1 and logits as finite float64 (n, k), n >= 1; ValueError where they are not."""
    labels, logits = np.asarray(labels), np.asarray(logits)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or len(labels) == 0:
        raise ValueError(
            "Metrics need labels of shape (n,) and logits of shape (n, k) with the same n >= 1; "
            f"got {labels.shape} and {logits.shape}. Pass one row of scores per image."
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(
            f"labels must be integers in 0..{logits.shape[1] - 1}, the columns of the logits; got "
            f"{labels.dtype} from {labels.min()} to {labels.max()}. Turn one-hot labels into codes by argmax."
        )
    logits = logits.astype(np.float64)
    bad = int(np.count_nonzero(~np.isfinite(logits).all(axis=1)))
    if bad:
        raise ValueError(
            f"logits must be finite; {bad} of {len(logits)} rows hold NaN or infinity. The training "
            "diverged, or scores above 65,504 overflowed float16: lower the learning rate."
        )
    return labels.astype(np.int64), logits


def _check_any(labels: np.ndarray) -> None:
    if len(labels) == 0:
        raise ValueError("An average over classes needs at least one image; got none. Check that the part was scored.")


def _check_scores(scores: str) -> None:
    if scores not in SCORES:
        raise ValueError(f"scores must be one of {SCORES}; got {scores!r}. SVM losses give 'margin'.")


def _check_names(class_names: Sequence[str], logits: np.ndarray) -> None:
    if len(class_names) != logits.shape[1]:
        raise ValueError(
            f"class_names must name the {logits.shape[1]} columns of the logits; got "
            f"{len(class_names)} names ({', '.join(class_names)}). Pass the dataset's class_names."
        )
