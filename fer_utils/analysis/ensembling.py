"""Averaging at test time, over views of an image and over networks: it stands beside an accuracy, never instead."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_utils import records
from fer_utils.data import load, preparation, splits
from fer_utils.evaluation import intervals, metrics
from fer_utils.files.paths import project_root
from fer_utils.records import Measurement, Record
from fer_utils.study import Pooled, pool
from fer_utils.training.scoring import predict_averaged

_NAMES = {"one": "one-view-{}", "mirror": "flips-{}", "six": "six-views-{}"}


def averaged(record: Record, root: str | Path | None = None, views: str = "mirror") -> Measurement:
    """What a run's network scores when it averages the logits of several views of each image.

    Nothing is chosen here: the network and the epoch are the run's own. Loads the measurement where it is on record.

    Args:
        record: a finished run, its weights on this machine.
        root: where its dataset lies, see `fer_utils.data.load`.
        views: `"mirror"` (an image and its mirror image) or `"six"` (both at three sizes), see
            `fer_utils.data.preparation.VIEWS`. The recognizer cuts its views out of a larger frame, so that its
            answers differ a little.

    Returns:
        `values`: for `"validation"`, and for `"test"` where the run is final, the accuracy with its 95 % interval
        (images drawn again; fractions of 1) and n; `arrays`: the averaged logits, float16 (n, k), by part.

    Raises:
        ValueError: there are no such views.
        FileNotFoundError: weights or dataset are not here.
    """
    store = record.path.parent.parent / "measurements"
    found = on_record(record, views)
    return found or records.measure(_name(record, views), store, lambda: _compute(record, root, views))


def on_record(record: Record, views: str = "mirror") -> Measurement | None:
    """The measurement of `averaged`, if it was made."""
    stores = (reports / "measurements" for reports in (record.path.parent.parent, project_root() / "reports"))
    return records.measured(_name(record, views), *stores)


def _name(record: Record, views: str) -> str:
    preparation.check_views(views)
    return _NAMES[views].format(record.id)


def known(runs: Sequence[Record], views: str, root: str | Path | None = None) -> bool:
    """Whether these averages of all these runs are on record, after measuring them where that can be done here.

    Args:
        runs: finished runs.
        views: `"one"`, which every record holds, `"mirror"` or `"six"`.
        root: where their datasets lie.
    """
    try:
        return views == "one" or all(averaged(record, root, views) for record in runs)
    except FileNotFoundError:
        return False


def ensemble(runs: Sequence[Record], part: str = "test", views: str = "one") -> Pooled:
    """The mean of several networks' probabilities on the same images.

    Args:
        runs: finished runs on the same split; any networks, any seeds.
        part: `"validation"` or `"test"`.
        views: of each network, see `averaged`; `"one"` for the images as they are.

    Returns:
        Labels, and as logits the logarithms of the mean probabilities, float64 (n, k).

    Raises:
        ValueError: no runs, runs on different splits, or one whose views were not measured.
    """
    splits_here = {record.run["split"]["hash"] for record in runs}
    if len(splits_here) != 1:
        counted = f"got {len(runs)} runs on {len(splits_here)}"
        raise ValueError(f"An ensemble's runs share one split; {counted}. Leave some out.")
    first = pool(runs[:1], part)
    shares = np.mean([metrics.softmax(_logits(record, part, views)) for record in runs], axis=0)
    return Pooled(first.labels, np.log(np.maximum(shares, 1e-12)), first.subjects, first.class_names)


def _logits(record: Record, part: str, views: str) -> np.ndarray:
    if views == "one":
        return record.predictions(part)[1]
    found = on_record(record, views)
    if not found or part not in found.arrays:
        raise ValueError(
            f"Views are averaged where they were measured; those of {record.id} ({views}) were not, on {part}. Measure "
            "them with ensembling.averaged, test images of final runs alone (score_test=True)."
        )
    return found.arrays[part].astype(np.float64)


def disagreement(runs: Sequence[Record], part: str = "test") -> np.ndarray:
    """Share of images on which each two of m runs predict different classes: float64 (m, m)."""
    predicted = np.array([record.predictions(part)[1].argmax(axis=1) for record in runs])
    return np.mean(predicted[:, None] != predicted[None], axis=2)


def _compute(record: Record, root: str | Path | None, views: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    from fer_utils.training import weights

    dataset = load(record.config.dataset, root, **record.config.dataset_options)
    split, model = splits.make(dataset, record.config.split), weights.rebuild(record)
    values: dict[str, Any] = {"run": record.id, "kept": record.kept[0], "views": views}
    arrays = {}
    for part in ("validation", "test") if record.config.score_test else ("validation",):
        images, labels = dataset.images[getattr(split, part)], dataset.labels[getattr(split, part)]
        arrays[part] = predict_averaged(model, images, views).astype(np.float16)
        interval = intervals.accuracy(arrays[part].argmax(axis=1) == labels)
        values[part] = {"accuracy": interval.estimate, "low": interval.low, "high": interval.high, "n": len(labels)}
    return values, arrays
