"""What a trained network says about images, and what a record keeps of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import keras
import numpy as np

from fer_utils.data import FaceDataset, audit, augmentation, preparation
from fer_utils.data.splits import Split
from fer_utils.training import checkpoint, devices

_BATCH = 256
_AT_ONCE = 4 * _BATCH  # images prepared at once: 9 MB


def predict_logits(
    model: keras.Model, images: np.ndarray, size: int | None = None, rows: np.ndarray | None = None
) -> np.ndarray:
    """Logits of images, prepared as in training and without augmentation, 1,024 images at a time.

    Args:
        model: gives scores (n, k).
        images: uint8 (m, 48, 48).
        size: side of what the network sees; None for that of the images.
        rows: int (n,), which images; None for all.

    Returns:
        float32 (n, k).
    """
    rows = np.arange(len(images)) if rows is None else rows
    if len(rows) == 0:
        return np.zeros((0, model.output_shape[-1]), np.float32)
    return _predict(model, images, rows, partial(augmentation.prepare, size=size or images.shape[1]))


def predict_averaged(model: keras.Model, images: np.ndarray, views: str) -> np.ndarray:
    """Logits of images, each averaged over the views of `fer_utils.data.preparation.VIEWS[views]`.

    Args:
        model: gives scores (n, k).
        images: uint8 (n, 48, 48), at least one.
        views: `"one"`, `"mirror"` or `"six"`.

    Returns:
        float32 (n, k).

    Raises:
        ValueError: there are no such views.
    """
    preparation.check_views(views)
    seen = [partial(augmentation.view, size=size, mirrored=mirrored) for size, mirrored in preparation.VIEWS[views]]
    return np.mean([_predict(model, images, np.arange(len(images)), prepare) for prepare in seen], axis=0)


def _predict(
    model: keras.Model, images: np.ndarray, rows: np.ndarray, prepare: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Scores of those images, so many prepared at once."""
    parts = (rows[first : first + _AT_ONCE] for first in range(0, len(rows), _AT_ONCE))
    return np.concatenate([devices.predict(model, prepare(images[part]), _BATCH) for part in parts])


def predictions(
    model: keras.Model, weights: Mapping[str, Path], dataset: FaceDataset, split: Split, score_test: bool
) -> dict[str, np.ndarray]:
    """What `records.write` takes of a finished training: logits of every kept epoch, and their context.

    Args:
        model: the network, in float32; holds the last of `weights` afterwards.
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
            found[f"{part}_{name}"] = predict_logits(model, dataset.images, rows=rows)
    return found


def _context(dataset: FaceDataset, split: Split, part: str) -> Iterator[tuple[str, np.ndarray]]:
    """What a reader without the data needs beside the predictions: labels, persons, duplicates."""
    rows = getattr(split, part)
    yield f"{part}_labels", dataset.labels[rows]
    if dataset.subjects is not None:
        yield f"{part}_subjects", np.unique(dataset.subjects, return_inverse=True)[1][rows]
    if part == "test":
        yield "test_seen", audit.seen_in_training(dataset, split)
