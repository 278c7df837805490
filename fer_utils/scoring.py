"""What a trained network says about images, and what a record keeps of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import keras
import numpy as np

from fer_utils import augment, checkpoint
from fer_utils.data import FaceDataset, audit
from fer_utils.data.splits import Split

_BATCH = 256


def predict_logits(model: keras.Model, images: np.ndarray, size: int | None = None) -> np.ndarray:
    """Logits float32 (n, k) of uint8 images (n, 48, 48), prepared as in training and without augmentation."""
    if len(images) == 0:
        return np.zeros((0, model.output_shape[-1]), np.float32)
    return model.predict(augment.prepare(images, size or images.shape[1]), batch_size=_BATCH, verbose=0)


def predictions(
    model: keras.Model, weights: Mapping[str, Path], dataset: FaceDataset, split: Split, score_test: bool
) -> dict[str, np.ndarray]:
    """What `records.write` takes of a finished training: logits of every kept epoch, and their context.

    Args:
        model: the network; holds the last of `weights` afterwards.
        weights: kept epoch's name -> its weights file.
        dataset, split: what it was trained on.
        score_test: whether the test part is scored too, rather than validation alone.
    """
    parts = {"validation": split.validation} | ({"test": split.test} if score_test else {})
    parts = {part: rows for part, rows in parts.items() if len(rows)}
    found = {key: array for part in parts for key, array in _context(dataset, split, part)}
    for name, path in weights.items():
        checkpoint.load_weights(path, model)
        for part, rows in parts.items():
            found[f"{part}_{name}"] = predict_logits(model, dataset.images[rows])
    return found


def _context(dataset: FaceDataset, split: Split, part: str) -> Iterator[tuple[str, np.ndarray]]:
    """What a reader without the data needs beside the predictions: labels, persons, duplicates."""
    rows = getattr(split, part)
    yield f"{part}_labels", dataset.labels[rows]
    if dataset.subjects is not None:
        yield f"{part}_subjects", np.unique(dataset.subjects, return_inverse=True)[1][rows]
    if part == "test":
        yield "test_seen", audit.seen_in_training(dataset, split)
