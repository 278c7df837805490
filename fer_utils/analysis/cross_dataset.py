"""Models of one dataset on the images of another, where only some expressions have the same name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_utils.analysis.eda import Summary
from fer_utils.analysis.trained_networks import on_record_or
from fer_utils.data import FaceDataset, load
from fer_utils.data.readers import naming
from fer_utils.evaluation import statistics
from fer_utils.files.paths import store_for
from fer_utils.records import Measurement, Record
from fer_utils.study import Pooled
from fer_utils.training import weights
from fer_utils.training.scoring import predict_logits


def shared(first: Sequence[str], second: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """The expressions that two lists of class names share, under FER2013's names ("anger" is "angry").

    Returns:
        The m shared names in the order of `first`, and their codes in both lists, int64 (m,) each.

    Raises:
        ValueError: there is none.
    """
    one, other = ([naming.SYNONYMS.get(name, name) for name in names] for names in (first, second))
    names = tuple(name for name in one if name in other)
    if not names:
        raise ValueError(f"Two datasets must share an expression; got {', '.join(first)} and {', '.join(second)}.")
    return names, np.array([one.index(name) for name in names]), np.array([other.index(name) for name in names])


def compare(runs: Sequence[Record], dataset: FaceDataset) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What trained networks say about another dataset's images of the shared expressions, without training.

    Images of expressions that the networks do not know are left out. An answer is taken in two ways: among the
    shared expressions alone, and freely, where an expression that this dataset lacks is a mistake.

    Args:
        runs: finished runs of one dataset whose weights are on this machine, e.g. the folds of one seed.
        dataset: images none of them was trained on.

    Returns:
        For `records.measure`: values `runs`, `trained_on`, `scored_on`, `fingerprint`, `names` (m shared
        expressions), `left_out` (class name to images); arrays `labels` int8 (n,) in 0..m-1, `among_shared` and
        `free` int8 (r, n), one row for each run, -1 for an expression that is not shared, and where persons are known
        `subjects` int16 (n,).

    Raises:
        FileNotFoundError: weights are not on this machine.
        ValueError: no image shows an expression that both datasets name.
    """
    names, ours, theirs = shared(runs[0].class_names, dataset.class_names)
    rows = np.flatnonzero(np.isin(dataset.labels, theirs))
    if len(rows) == 0:
        raise ValueError(
            f"Networks are compared on images of an expression that both datasets name ({', '.join(names) or 'none'}); "
            f"got none among {len(dataset)} images of {dataset.name}. Pass images of one of these."
        )
    among, free = [], []
    for record in runs:
        logits = predict_logits(weights.rebuild(record), dataset.images[rows])
        among.append(logits[:, ours].argmax(axis=1))
        free.append(_position(ours, logits.argmax(axis=1)))
    counts = dataset.class_counts()
    values = {
        "runs": [record.id for record in runs],
        "trained_on": runs[0].config.dataset,
        "scored_on": dataset.name,
        "fingerprint": dataset.fingerprint,
        "names": list(names),
        "left_out": {name: int(counts[i]) for i, name in enumerate(dataset.class_names) if i not in theirs},
    }
    arrays = {"labels": _position(theirs, dataset.labels[rows])}
    arrays |= {"among_shared": np.array(among, np.int8), "free": np.array(free, np.int8)}
    if dataset.subjects is not None:
        arrays["subjects"] = np.unique(dataset.subjects[rows], return_inverse=True)[1].astype(np.int16)
    return values, arrays


def measured(
    runs: Sequence[Record], dataset: str, *, usage: str | None = None, root: str | Path | None = None, **options: Any
) -> Measurement | None:
    """What `compare` says of runs and another dataset: loaded, or measured and stored.

    Args:
        runs: finished runs of one dataset, e.g. the folds of one seed.
        dataset: name of the other one, as in `fer_utils.data.load`.
        usage: the part of it to look at; None for all images.
        root, **options: arguments of `load`.

    Returns:
        None where it is not on record and weights or images are not on this machine.
    """
    store = store_for(dataset).parent / "measurements"
    name = f"elsewhere-{runs[0].id}-x{len(runs)}-on-{dataset}"

    def summary() -> Summary:
        faces = load(dataset, root, **options)
        return compare(runs, faces if usage is None else faces.subset(faces.usage == usage))

    return on_record_or(summary, name, store)


def home(pooled: Pooled, names: Sequence[str]) -> statistics.Interval:
    """Accuracy on a network's own test images of the expressions `names`, with answers among these alone."""
    known, own, _ = shared(pooled.class_names, names)
    rows = np.isin(pooled.labels, own)
    subjects = None if pooled.subjects is None else pooled.subjects[rows]
    return Pooled(_position(own, pooled.labels[rows]), pooled.logits[rows][:, own], subjects, known).interval


def away(arrays: Mapping[str, np.ndarray], answer: str = "among_shared") -> statistics.Interval:
    """Accuracy of what `compare` measured; an image counts by the share of the networks that are right.

    Args:
        arrays: of the measurement.
        answer: `"among_shared"` or `"free"`.
    """
    right = (arrays[answer] == arrays["labels"]).mean(axis=0)
    return statistics.bootstrap_interval(right, clusters=statistics.clusters_of(arrays.get("subjects")))


def _position(codes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Where each value stands among the codes, int8; -1 for those that do not. No values give no positions."""
    table = np.full(max(codes.max(initial=-1), values.max(initial=-1)) + 1, -1, np.int8)
    table[codes] = np.arange(len(codes))
    return table[values]
