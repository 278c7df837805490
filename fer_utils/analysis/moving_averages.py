"""What batch normalisation's moving averages do to one set of weights: how long a validation curve can sleep.

A normalisation divides by its batch's deviation in training, and by a moving average after it. The averages begin at
mean 0 and variance 1; after s steps under momentum m the share m^s of that start is left. Here the share is set and
everything else stays: weights, images and order.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from fer_utils.analysis.eda import Summary
from fer_utils.analysis.trained_networks import images_of, on_record_or
from fer_utils.data import FaceDataset, augmentation
from fer_utils.records import Measurement, Record
from fer_utils.training import weights

SHARES = 0.99 ** (12 * np.array([0, 20, 40, 45, 50, 55, 60, 65, 70, 80, 100]))
"""Of the start that is left: what momentum 0.99 leaves after so many epochs of 12 steps."""

IMAGES, BATCH = 256, 64
"""Training images that are classified, and how many go through the network at once."""


def measured(record: Record, root: str | Path | None = None) -> Measurement | None:
    """What `by_share` measures of a run's last weights, on its training images: loaded, or computed and stored.

    Args:
        record: a finished run.
        root: where its dataset lies.

    Returns:
        None where it is not on record and the weights or the images are not on this machine.
    """
    name, store = f"batch-norm-{record.id}", record.path.parent.parent / "measurements"

    def summary() -> Summary:
        faces = images_of(record, "train", root)
        return by_share(weights.rebuild(record, "last"), faces)

    return on_record_or(summary, name, store)


def by_share(network: keras.Model, faces: FaceDataset) -> Summary:
    """Accuracy of a network under moving averages that hold a given share of their start, and the variances.

    Images pass in training mode once, without dropout's or augmentation's help and without any update of a weight, to
    read each normalisation's own statistics.

    Args:
        network: trained; its moving averages are changed.
        faces: the images it was trained on.

    Returns:
        For `records.measure`: values `n` and `as kept` (accuracy with the averages as they came); arrays `moving` and
        `own` (m,), median variances of the m normalisations, and `accuracy` (p,), one for each of `SHARES`.
    """
    rows = np.random.default_rng(0).permutation(len(faces))[:IMAGES]
    parts = np.array_split(rows, max(1, len(rows) // BATCH))
    batches = [augmentation.prepare(faces.images[part]) for part in parts]
    labels = faces.labels[rows]
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    as_kept, moving = _accuracy(network, batches, labels), [np.median(norm.get_weights()[3]) for norm in norms]
    own, curve = _own(network, norms, batches), []
    for left in SHARES:
        for norm, (mean, variance) in zip(norms, own, strict=True):
            norm.set_weights([*norm.get_weights()[:2], (1 - left) * mean, left + (1 - left) * variance])
        curve.append(_accuracy(network, batches, labels))
    arrays = {"moving": np.array(moving), "own": np.array([np.median(v) for _, v in own]), "accuracy": np.array(curve)}
    return {"n": len(rows), "as kept": as_kept}, arrays


def _accuracy(network: keras.Model, batches: list[np.ndarray], labels: np.ndarray) -> float:
    answers = [keras.ops.convert_to_numpy(network(batch, training=False)).argmax(axis=1) for batch in batches]
    return float(np.mean(np.concatenate(answers) == labels))


def _own(
    network: keras.Model, norms: list[keras.layers.BatchNormalization], batches: list[np.ndarray]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Mean and variance of each normalisation over the batches: averages that begin at 0, freed of their start."""
    for norm in norms:
        norm.set_weights([*norm.get_weights()[:2], *(0 * array for array in norm.get_weights()[2:])])
    dropouts = [layer for layer in network.layers if isinstance(layer, keras.layers.Dropout)]
    rates = [layer.rate for layer in dropouts]
    for layer in dropouts:
        layer.rate = 0.0
    for batch in batches:
        network(batch, training=True)
    for layer, rate in zip(dropouts, rates, strict=True):
        layer.rate = rate
    return [tuple(a / (1 - norm.momentum ** len(batches)) for a in norm.get_weights()[2:]) for norm in norms]
