"""A network's errors beside the disagreement of people: FER+'s ten votes on each image of FER2013.

FER2013 gives an image one label; FER+ shows that ten annotators often do not agree on it. If a network errs where
they disagree, and towards what they say, part of its error is that of the label.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats as scipy_stats

from fer_utils import records
from fer_utils.analysis.eda import Summary
from fer_utils.analysis.ferplus_votes import TO_FERPLUS, majority
from fer_utils.data import splits
from fer_utils.data.readers import ferplus
from fer_utils.evaluation import statistics
from fer_utils.files.paths import reports_root
from fer_utils.records import Measurement, Record

VERSION = 1
"""Raised whenever the code below measures something else."""


def measure(record: Record, root: Path | None) -> Measurement:
    """Load what was measured of a FER2013 run's test predictions against FER+, or measure and store it.

    Args:
        record: a finished run on FER2013 that scored its test part.
        root: folder with fer2013.csv and fer2013new.csv; None only looks for a record.

    Raises:
        FileNotFoundError: neither a measurement nor the data.
        ValueError: the data are not those that the run was scored on.
    """
    name = f"errors{VERSION}-{record.id}"
    if found := records.measured(name):
        return found
    if root is None:
        raise FileNotFoundError(f"{name} is not on record. Name the folder of FER2013 and FER+ to measure it.")
    return records.measure(name, reports_root() / "measurements", lambda: _compute(record, root))


def _compute(record: Record, root: Path) -> Summary:
    faces, votes = ferplus.join(root)
    split = splits.make(faces, record.config.split)
    labels, logits = record.predictions("test")
    if split.hash != record.run["split"]["hash"] or not np.array_equal(faces.labels[split.test], labels):
        raise ValueError(f"Votes go with FER2013 as {record.id} saw it; these files give another split. Check them.")
    return compare(labels, logits.argmax(axis=1), votes[split.test])


def compare(labels: np.ndarray, predicted: np.ndarray, votes: np.ndarray) -> Summary:
    """Predictions against the votes on the same images.

    Args:
        labels: FER2013's, int (n,) in 0..6.
        predicted: int (n,) in 0..6.
        votes: int (n, 10), FER+'s columns, ten a row.

    Returns:
        Values: `n`; `wrong`, the number of errors and, as shares of them with 95 % intervals, how often the wrong
        answer has at least one vote (`any vote`), at least as many as the label (`no fewer votes`), and is FER+'s
        majority (`majority`); `towards`, mean share of the votes for the wrong answer on those images and, on
        rightly answered images of the same label, for the same answer (`elsewhere`), with the paired `difference`;
        `cells`, Spearman's correlation of both confusion matrices' off-diagonal shares and its interval;
        `accuracy` against FER2013's label and `accuracy_ferplus` against FER+'s majority where that is one of the
        seven, on the same images.
        Arrays: `network` int64 (7, 7), labels against predictions; `annotators` int64 (7, 10), labels against
        votes; `agreeing` int64 (2, 11), images and right answers by the number of votes for FER2013's label.
    """
    own = TO_FERPLUS[labels]
    rows, shares = np.arange(len(labels)), votes / votes.sum(axis=1, keepdims=True)
    network, annotators = np.zeros((7, 7), np.int64), np.zeros((7, votes.shape[1]), np.int64)
    np.add.at(network, (labels, predicted), 1)
    np.add.at(annotators, labels, votes)
    agreeing = np.zeros((2, 11), np.int64)
    level = np.rint(10 * shares[rows, own]).astype(int)
    np.add.at(agreeing[0], level, 1)
    np.add.at(agreeing[1], level, predicted == labels)
    seven = np.isin(majority(votes), TO_FERPLUS)
    values = {
        "n": len(labels),
        "wrong": _wrong(labels, predicted, votes),
        "towards": _towards(labels, predicted, shares),
        "cells": _cells(labels, predicted, shares),
        "accuracy": _share(predicted[seven] == labels[seven]),
        "accuracy_ferplus": _share(TO_FERPLUS[predicted[seven]] == majority(votes)[seven]),
    }
    return values, {"network": network, "annotators": annotators, "agreeing": agreeing}


def table(values: Mapping[str, Any]) -> dict[str, str]:
    """What `compare` found, as lines for readers: percent with 95 % intervals, and the correlation of confusions."""
    wrong, towards, cells = values["wrong"], values["towards"], values["cells"]
    rows = {f"wrong answers ({wrong['n']:,} of {values['n']:,}) with {kind}": wrong[kind] for kind in list(wrong)[1:]}
    rows |= {f"share of votes for the wrong answer, {where}": one for where, one in towards.items()}
    rows["accuracy against FER2013's label"] = values["accuracy"]
    rows["accuracy against FER+'s majority, same images"] = values["accuracy_ferplus"]
    ends = {name: [f"{100 * found[end]:.1f}" for end in ("share", "low", "high")] for name, found in rows.items()}
    lines = {f"{name}, in %": "{} [{}, {}]".format(*texts) for name, texts in ends.items()}
    text = f"{cells['share']:.2f} [{cells['low']:.2f}, {cells['high']:.2f}]"
    return lines | {"rank correlation of the 42 confusions": text}


def seven(annotators: np.ndarray) -> np.ndarray:
    """Votes int (7, 10) by FER2013's label as int (7, 7): contempt, unknown and "not a face" left out."""
    return annotators[:, TO_FERPLUS]


def _wrong(labels: np.ndarray, predicted: np.ndarray, votes: np.ndarray) -> dict[str, Any]:
    rows = np.flatnonzero(predicted != labels)
    answer, label = votes[rows, TO_FERPLUS[predicted[rows]]], votes[rows, TO_FERPLUS[labels[rows]]]
    return {
        "n": len(rows),
        "any vote": _share(answer > 0),
        "no fewer votes": _share((answer > 0) & (answer >= label)),
        "majority": _share(majority(votes[rows]) == TO_FERPLUS[predicted[rows]]),
    }


def _towards(labels: np.ndarray, predicted: np.ndarray, shares: np.ndarray) -> dict[str, Any]:
    """Votes for the wrong answer there, against votes for it on images of the same label that were answered rightly."""
    right = predicted == labels
    usual = np.full((7, shares.shape[1]), np.nan)
    for label in np.unique(labels[right]):
        usual[label] = shares[right & (labels == label)].mean(axis=0)
    answer = TO_FERPLUS[predicted]
    here, elsewhere = shares[np.arange(len(labels)), answer], usual[labels, answer]
    known = ~right & np.isfinite(elsewhere)
    pairs = {"here": here[known], "elsewhere": elsewhere[known], "difference": here[known] - elsewhere[known]}
    return {name: _share(column) for name, column in pairs.items()}


def _cells(labels: np.ndarray, predicted: np.ndarray, shares: np.ndarray) -> dict[str, Any]:
    """Spearman's correlation of the 42 off-diagonal cells, shares of predictions and of votes of each label.

    The interval is Fisher's, for 42 independent cells, which they are not quite: a row adds up to 1.
    """
    tables, off = np.zeros((2, 7, 7)), ~np.eye(7, dtype=bool)
    np.add.at(tables[0], (labels, predicted), 1)
    np.add.at(tables[1], labels, shares[:, TO_FERPLUS])
    counts = np.maximum(np.bincount(labels, minlength=7), 1)[:, None]
    cells = [scipy_stats.rankdata((table / counts)[off]) for table in tables]
    if any(np.ptp(ranks) == 0 for ranks in cells):
        return {"share": float("nan"), "low": float("nan"), "high": float("nan"), "n": 42}
    found = scipy_stats.pearsonr(*cells)
    low, high = found.confidence_interval()
    return {"share": float(found.statistic), "low": float(low), "high": float(high), "n": 42}


def _share(values: np.ndarray) -> dict[str, float | int]:
    """Mean with its 95 % interval over images; NaN where there are fewer than two."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return {"share": float(np.mean(values)) if len(values) else float("nan"), "low": float("nan"),
                "high": float("nan"), "n": len(values)}  # fmt: skip
    interval = statistics.bootstrap_interval(values, n_resamples=1000)
    return {"share": interval.estimate, "low": interval.low, "high": interval.high, "n": interval.n}
