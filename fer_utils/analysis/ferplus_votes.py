"""FER+'s ten votes on each image of FER2013: two sets of labels compared, and what one person's label is worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special

from fer_utils import records
from fer_utils.analysis import eda
from fer_utils.data import audit
from fer_utils.data.dataset import EXPRESSIONS, FERPLUS_EXPRESSIONS, USAGES, FaceDataset
from fer_utils.evaluation import statistics
from fer_utils.files.paths import reports_root

OUTCOMES = (*FERPLUS_EXPRESSIONS, "unknown", "not a face", "no majority")
"""What ten votes can come to: FER+'s columns, then none of them has a majority."""

TO_FERPLUS = np.array([4, 5, 6, 1, 3, 2, 0])
"""FER2013's codes 0 angry to 6 neutral, as FER+'s codes. FER+'s contempt has no counterpart."""


def measure(faces: FaceDataset, votes: np.ndarray) -> records.Measurement:
    """Load the measurement record of `summarize` for these images, or measure and store it."""
    name = f"eda{eda.VERSION}-votes-{faces.fingerprint[:6]}"
    return records.measure(name, reports_root() / "measurements", lambda: summarize(faces, votes))


def majority(votes: np.ndarray) -> np.ndarray:
    """Positions int64 (n,) in `OUTCOMES` under the majority rule of `fer_utils.data.readers.ferplus`.

    A class with a single vote is set to 0; then the class with more than half of the votes left wins.
    """
    left = np.where(votes == 1, 0, votes)
    return np.where(2 * left.max(axis=1) > left.sum(axis=1), left.argmax(axis=1), len(OUTCOMES) - 1)


def summarize(faces: FaceDataset, votes: np.ndarray) -> eda.Summary:
    """FER2013's labels against FER+'s votes on the same rows, votes int (n, 10) as `ferplus.join` gives them.

    Returns:
        Values: `n`; `labelled`, images with a majority for one of eight expressions; `agreement` of both labels
        on those, per part too (`share` and its 95 % interval `low`, `high` over `n` images); `annotator`: how often
        one vote equals FER2013's label (per part and per class), the majority it took part in, and the majority of
        the nine others;
        `duplicates` sets of identical images and those of them with identical votes.
        Arrays: `cross` int64 (7, 11), FER2013's classes against `OUTCOMES`; `entropy` float64 (8,), mean entropy in
        bits of the raw votes of each FER+ class, and `entropy_fer2013` (7,).
    """
    label, own = majority(votes), TO_FERPLUS[faces.labels]
    has, shares = label < len(FERPLUS_EXPRESSIONS), votes / votes.sum(axis=1, keepdims=True)
    rows = np.arange(len(votes))
    same, right, bits = label == own, shares[rows, own], special.entr(shares).sum(axis=1) / np.log(2)
    parts = {"all": np.ones(len(votes), bool)} | {p: faces.usage == p for p in USAGES if (faces.usage == p).any()}
    groups = pd.DataFrame(votes).groupby(audit.duplicate_groups(faces))
    repeated = groups.size() > 1
    values = {
        "n": len(votes),
        "labelled": int(has.sum()),
        "agreement": {name: _share(same[has & part]) for name, part in parts.items()},
        "annotator": {
            "FER2013's label": {name: _share(right[part]) for name, part in parts.items()},
            "FER2013's label, by class": eda.by_class(right, faces.labels, len(EXPRESSIONS)).tolist(),
            "FER+ majority, own vote included": _share(shares[rows, np.minimum(label, 9)][has]),
            "majority of the nine others": _share(*one_against_others(votes)),
        },
        "duplicates": int(repeated.sum()),
        "duplicates_same_votes": int((groups.nunique().max(axis=1) == 1)[repeated].sum()),
    }
    cross = np.zeros((len(EXPRESSIONS), len(OUTCOMES)), np.int64)
    np.add.at(cross, (faces.labels, label), 1)
    entropy = eda.by_class(bits, label, len(OUTCOMES))[: len(FERPLUS_EXPRESSIONS)]
    entropy_fer2013 = eda.by_class(bits, faces.labels, len(EXPRESSIONS))
    return values, {"cross": cross, "entropy": entropy, "entropy_fer2013": entropy_fer2013}


def interval(share: dict[str, float | int]) -> statistics.Interval:
    """One of the shares of `summarize`, as an interval that `fer_utils.plots.comparison` draws."""
    return statistics.Interval(share["share"], share["low"], share["high"], 0.95, share["n"], "bootstrap over images")


def one_against_others(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One annotator's vote against the majority label of the nine others, for each of the ten in turn.

    Returns:
        Per image, int64 (n,): how many of its votes equal that label, and how many faced one (0 to 10).
    """
    agree, faced = np.zeros((2, len(votes)), np.int64)
    for column in range(votes.shape[1]):
        cast = votes[:, column]
        others = votes.copy()
        others[:, column] = np.maximum(cast - 1, 0)
        label = majority(others)
        faced += np.where(label < len(FERPLUS_EXPRESSIONS), cast, 0)
        agree += np.where((label == column) & (label < len(FERPLUS_EXPRESSIONS)), cast, 0)
    return agree, faced


def _share(right: np.ndarray, of: np.ndarray | None = None) -> dict[str, float | int]:
    """Sum of `right` over sum of `of` (default: one each) with its 95 % interval over the `n` images that count."""
    right = right.astype(float)
    of = np.ones(len(right)) if of is None else of.astype(float)
    n = int(np.count_nonzero(of))
    share = right.sum() / of.sum() if of.sum() else np.nan
    if len(right) < 2 or not of.sum():
        return {"share": share, "low": np.nan, "high": np.nan, "n": n}
    # The mean of right - share · of is 0, so an interval of it is one of the share.
    interval = statistics.bootstrap_interval((right - share * of) / of.mean(), n_resamples=1000)
    return {"share": share, "low": share + interval.low, "high": share + interval.high, "n": n}
