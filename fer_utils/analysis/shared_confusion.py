"""One confusion of a network beside the votes of people on the same images: do both err on the same ones?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fer_utils import records
from fer_utils.analysis.eda import Summary
from fer_utils.analysis.ferplus_votes import TO_FERPLUS
from fer_utils.data import splits
from fer_utils.data.dataset import EXPRESSIONS
from fer_utils.data.readers import ferplus
from fer_utils.evaluation import statistics
from fer_utils.files.paths import reports_root
from fer_utils.records import Measurement, Record

VERSION = 1
"""Raised whenever the code below measures something else."""


def measure(record: Record, root: Path | None, label: str = "fear", answer: str = "sad") -> Measurement:
    """Load or measure how people vote on a FER2013 run's test images of one label that it takes for another.

    Args:
        record: a finished run on FER2013 that scored its test part.
        root: folder with fer2013.csv and fer2013new.csv; None only looks for a record.
        label, answer: two of FER2013's expressions.

    Raises:
        FileNotFoundError: neither a measurement nor the data.
        ValueError: the data are not those that the run was scored on, or an unknown expression.
    """
    if not {label, answer} <= set(EXPRESSIONS):
        raise ValueError(f"Expressions are {', '.join(EXPRESSIONS)}; got {label!r} and {answer!r}.")
    name = f"shared{VERSION}-{label}-as-{answer}-{record.id}"
    if found := records.measured(name):
        return found
    if root is None:
        raise FileNotFoundError(f"{name} is not on record. Name the folder of FER2013 and FER+ to measure it.")
    store = reports_root() / "measurements"
    return records.measure(name, store, lambda: _compute(record, root, EXPRESSIONS.index(label), answer))


def _compute(record: Record, root: Path, label: int, answer: str) -> Summary:
    faces, votes = ferplus.join(root)
    split = splits.make(faces, record.config.split)
    labels, logits = record.predictions("test")
    if split.hash != record.run["split"]["hash"] or not np.array_equal(faces.labels[split.test], labels):
        raise ValueError(f"Votes go with FER2013 as {record.id} saw it; these files give another split. Check them.")
    rows = labels == label
    code = EXPRESSIONS.index(answer)
    return compare(logits[rows].argmax(axis=1) == code, votes[split.test][rows], code)


def compare(said: np.ndarray, votes: np.ndarray, code: int) -> Summary:
    """Votes for an expression on the images where the network gave it, against the others of the same label.

    Args:
        said: bool (n,), whether the network gave it.
        votes: int (n, 10), FER+'s columns.
        code: the expression, 0..6 of FER2013.

    Returns:
        Values: `n`, `said` (how many); `network`, the share of images where the network gave it; `people`, the share
        of votes for it; `there` and `elsewhere`, that share where the network gave it and where not; `difference`.
        Shares with `low` and `high`, 95 % over images. No arrays.
    """
    share = votes[:, TO_FERPLUS[code]] / votes.sum(axis=1)
    values: dict[str, Any] = {"n": len(said), "said": int(said.sum())}
    values |= {"network": _share(said), "people": _share(share)}
    values |= {"there": _share(share[said]), "elsewhere": _share(share[~said])}
    rng, gaps = np.random.default_rng(0), []
    for _ in range(2000):
        drawn = [rng.choice(group, len(group)).mean() for group in (share[said], share[~said])]
        gaps.append(drawn[0] - drawn[1])
    low, high = np.percentile(gaps, [2.5, 97.5])
    gap = float(share[said].mean() - share[~said].mean())
    return values | {"difference": {"share": gap, "low": float(low), "high": float(high)}}, {}


def _share(values: np.ndarray) -> dict[str, float]:
    interval = statistics.bootstrap_interval(np.asarray(values, float))
    return {"share": interval.estimate, "low": interval.low, "high": interval.high}
