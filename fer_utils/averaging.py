"""Test-time averaging over mirror images: reported beside an accuracy, never instead of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fer_utils import records, stats
from fer_utils.data import load, splits
from fer_utils.paths import project_root
from fer_utils.records import Measurement, Record
from fer_utils.scoring import predict_logits

_NAME = "flips-{}"


def flips(record: Record, root: str | Path | None = None) -> Measurement:
    """What a final run's network scores when it averages the logits of each image and of its mirror image.

    Nothing is chosen here: the network and the epoch are the run's own. Loads the measurement where it is on record.

    Args:
        record: a finished run with `score_test=True`, its weights on this machine.
        root: where its dataset lies, see `fer_utils.data.load`.

    Returns:
        `values`: for `"validation"` and `"test"` the accuracy with its 95 % interval (images drawn again; fractions of
        1) and n; `arrays`: the averaged logits, float16 (n, k), by part.

    Raises:
        ValueError: the run never scored the test set.
        FileNotFoundError: weights or dataset are not here.
    """
    if not record.config.score_test:
        raise ValueError(f"Only a final run (score_test=True) scores its test images; {record.id} is not one.")
    store = record.path.parent.parent / "measurements"
    return records.measure(_NAME.format(record.id), store, lambda: _compute(record, root))


def on_record(record: Record) -> Measurement | None:
    """The measurement of `flips`, if it was made."""
    for reports in (record.path.parent.parent, project_root() / "reports"):
        path = reports / "measurements" / _NAME.format(record.id)
        if records.is_done(path):
            return Measurement(path)
    return None


def _compute(record: Record, root: str | Path | None) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    from fer_utils import weights

    dataset = load(record.config.dataset, root, **record.config.dataset_options)
    split, model = splits.make(dataset, record.config.split), weights.rebuild(record)
    values: dict[str, Any] = {"run": record.id, "kept": record.kept[0]}
    arrays = {}
    for part in ("validation", "test"):
        images, labels = dataset.images[getattr(split, part)], dataset.labels[getattr(split, part)]
        both = predict_logits(model, images) + predict_logits(model, np.ascontiguousarray(images[:, :, ::-1]))
        arrays[part] = (both / 2).astype(np.float16)
        interval = stats.bootstrap_interval(arrays[part].argmax(axis=1) == labels)
        values[part] = {"accuracy": interval.estimate, "low": interval.low, "high": interval.high, "n": len(labels)}
    return values, arrays
