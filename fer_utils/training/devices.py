"""One run over several devices, by Keras's own data parallelism: `$FER_DEVICES` says over how many (default 1).

Each device takes its share of every batch, and all hold the same weights: the run is the same but for the order in
which float32 numbers are added, so devices are no part of its configuration and do not change its id.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from fer_utils.data import augmentation, mixing
from fer_utils.training import backend


class _Shares(keras.distribution.DataParallel):
    """Data parallelism in which a batch that cannot be shared out evenly is computed whole on every device."""

    def get_data_layout(self, data_shape: Sequence[int]) -> keras.distribution.TensorLayout:
        """How an array of that shape is laid out over the devices."""
        if data_shape[0] % self.num_model_replicas == 0:
            return super().get_data_layout(data_shape)
        return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)


class _Part(keras.utils.PyDataset):
    """Batches `first` to `last` (exclusive) of another."""

    def __init__(self, whole: keras.utils.PyDataset, first: int, last: int) -> None:
        super().__init__()
        self.whole, self.first, self.last = whole, first, last

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        return self.whole[self.first + index]


def distribute() -> None:
    """Spread the networks built from now on over `$FER_DEVICES` devices; with 1, none is spread.

    Raises:
        ValueError: no such number, another backend than JAX, or fewer devices here.
    """
    asked = os.environ.get("FER_DEVICES") or "1"
    if not asked.isdigit() or int(asked) < 1:
        raise ValueError(f"FER_DEVICES is a number of devices, at least 1; got {asked!r}. Set 1, or leave it out.")
    if int(asked) > 1 and keras.backend.backend() != "jax":
        raise ValueError(
            "One run over several devices needs Keras's JAX backend; got FER_DEVICES="
            f"{asked} with {keras.backend.backend()}. Set KERAS_BACKEND=jax, or FER_DEVICES=1."
        )
    here = keras.distribution.list_devices() if int(asked) > 1 else []
    if int(asked) > max(len(here), 1):
        raise ValueError(f"FER_DEVICES is at most the number of devices; got {asked}, and {here} are here. Lower it.")
    keras.distribution.set_distribution(_Shares(devices=here[: int(asked)]) if int(asked) > 1 else None)


def count() -> int:
    """Over how many devices networks are spread."""
    spread = keras.distribution.distribution()
    return 1 if spread is None else spread.num_model_replicas


def provenance() -> dict[str, Any]:
    """`backend.provenance()`, with the number of devices where it is not 1."""
    found = backend.provenance()
    return found if count() == 1 else found | {"device": f"{count()} x {found['device']}"}


def fit(
    model: keras.Model, batches: augmentation.Batches | mixing.TaughtBatches, callbacks: list[keras.callbacks.Callback]
) -> dict[str, float]:
    """Train one epoch and return its `loss` and `accuracy`.

    Keras lays all batches of a `fit` out like its first: where there are shares, an uneven last batch has its own.
    """
    n, last = len(batches.order), len(batches.order) % batches.batch_size
    if count() == 1 or last in (0, n):
        return _fit(model, batches, callbacks)
    whole = len(batches) - 1
    parts = [(n - last, _Part(batches, 0, whole)), (last, _Part(batches, whole, whole + 1))]
    means = [(images, _fit(model, part, callbacks)) for images, part in parts]
    return {name: sum(images * mean[name] for images, mean in means) / n for name in means[0][1]}


def _fit(model: keras.Model, batches: keras.utils.PyDataset, callbacks: list[Any]) -> dict[str, float]:
    found = model.fit(backend.feed(batches), epochs=1, shuffle=False, verbose=0, callbacks=callbacks).history
    return {name: float(found[name][0]) for name in ("loss", "accuracy")}


def predict(model: keras.Model, images: np.ndarray, batch_size: int) -> np.ndarray:
    """`model.predict` of images (n, h, w, 1), also where a last batch is uneven: float32 (n, k)."""
    return np.concatenate([model.predict(x, batch_size=batch_size, verbose=0) for x in _even(images, batch_size)])


def _even(images: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    rest = len(images) % batch_size if count() > 1 else 0
    cut = len(images) - rest
    yield from (part for part in (images[:cut], images[cut:]) if len(part))
