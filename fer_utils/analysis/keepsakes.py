"""What is measured of a network before its weights are gone: weights are not committed, these small records are.

The queue takes them right after a training. What is on record is not measured again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fer_utils import records
from fer_utils.analysis import ensembling, saliency, trained_networks
from fer_utils.analysis.eda import Summary
from fer_utils.data import FaceDataset
from fer_utils.evaluation import calibration
from fer_utils.records import Measurement, Record
from fer_utils.study import protocols
from fer_utils.training import weights

IMAGES = 1000
"""At most so many images are explained or damaged, drawn with a fixed seed."""

LAYERS = {"compact": ("stage4_block1_conv2", "stage3_block1_relu2")}
"""Where Grad-CAM looks at a network, if not at its last convolution alone."""


def due(record: Record) -> bool:
    """Whether something of `take` is left to be measured, and can be."""
    return any(found is None for found in _all(record, compute_missing=False))


def take(record: Record, root: str | Path | None = None) -> list[Measurement]:
    """Measure what is due of a finished run: calibration, maps, gates, corruption curves, averages over views.

    Args:
        record: a finished run.
        root: where its dataset lies.

    Returns:
        The measurement records, old and new.
    """
    return [found for found in _all(record, root=root) if found is not None]


AFTERWARDS = (due, take)
"""For the queue."""


def _all(record: Record, **options: Any) -> list[Measurement | None]:
    """Every measurement of a run, None where it is missing; none without weights, or of runs that price a shortcut.

    Of a run that is not final there are averages over views alone, on validation images, by which it may be chosen.
    """
    config = record.config
    if config.protocol not in ("reported", "sound") or not weights.are_here(record):
        return []
    own = config.model in protocols.OWN
    averages = [_averaged(record, views, **options) for views in ("mirror", "six") if own]
    if not config.score_test:
        return averages
    found = [_calibrated(record, options.get("compute_missing", True))]
    part = "validation" if record.run["split"].get("validation") else "test"
    if config.seed == 0:
        look = partial(_maps, layers=LAYERS.get(config.model))
        found.append(trained_networks.measured("maps", record, look, part, limit=IMAGES, **options))
        if config.model == "psg2025" and config.model_options.get("attention", "spatial") == "spatial":
            found.append(trained_networks.measured("gates", record, _gates, part, limit=IMAGES, **options))
    if own:
        stress = partial(trained_networks.measured, "stress", record, trained_networks.stress, "test", **options)
        found += [stress(limit=IMAGES), stress(), *averages]
    return found


def _maps(network: keras.Model, faces: FaceDataset, layers: Sequence[str] | None) -> Summary:
    return trained_networks.maps(network, faces, layers or [saliency.last_convolution(network)])


def _gates(network: keras.Model, faces: FaceDataset) -> Summary:
    """Class means of psg2025's attention, and how much its gates differ between places and between faces."""
    gates = saliency.attention_maps(network, faces.images)
    means = [gates[faces.labels == code].mean(axis=0) for code in np.unique(faces.labels)]
    values = {"n": len(faces), "counts": faces.class_counts().tolist(), "places": float(gates.mean(axis=0).std()),
              "faces": float(gates.std(axis=0).mean())}  # fmt: skip
    return values, {"gates": np.stack(means), "classes": np.unique(faces.labels)}


def _averaged(
    record: Record, views: str, root: str | Path | None = None, compute_missing: bool = True
) -> Measurement | None:
    return ensembling.averaged(record, root, views) if compute_missing else ensembling.on_record(record, views)


def _calibrated(record: Record, compute_missing: bool) -> Measurement | None:
    """Test probabilities as they are and under the temperature fitted on validation."""
    name, store = f"calibration-{record.id}", record.path.parent.parent / "measurements"
    if found := records.measured(name, store):
        return found
    return records.measure(name, store, lambda: (_calibration(record), {})) if compute_missing else None


def _calibration(record: Record) -> dict[str, Any]:
    labels, scores = record.predictions("test")
    methods = {"softmax as is": calibration.uncalibrated(labels, scores)}
    values: dict[str, Any] = {"run": record.id, "kept": record.kept[0], "n": len(labels)}
    if record.run["split"].get("validation"):
        fitted = record.predictions("validation")
        values["temperature"] = calibration.temperature(*fitted)
        methods["temperature"] = calibration.by_temperature(*fitted)
    return values | {"methods": {name: _plain(calibration.summary(labels, m(scores))) for name, m in methods.items()}}


def _plain(values: dict[str, Any]) -> dict[str, float]:
    return {name: float(np.asarray(value)) for name, value in values.items()}
