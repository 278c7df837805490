"""How fast every network of the queue trains on this device: `python -m fer_utils queue --probe`.

Images of noise will do: speed does not depend on what an image shows.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pandas as pd

from fer_utils import records
from fer_utils.data import augmentation
from fer_utils.files.paths import project_root, reports_root
from fer_utils.models import losses
from fer_utils.records.config import RunConfig
from fer_utils.study import queue
from fer_utils.training import backend, setup

STEPS = 30
_WARM = 3


def distinct(found: Sequence[queue.Item]) -> dict[str, tuple[RunConfig, int | None]]:
    """One configuration and image size for every `agenda.speed_key` of the missing runs."""
    missing = [config for item in found for config in queue.missing(item)]
    return {queue.speed_key(c, p.size): (c, p.size) for c in reversed(missing) for p in reversed(c.phases)}


def measure(config: RunConfig, size: int | None, steps: int = STEPS) -> dict[str, float]:
    """Images per second of one network.

    Args:
        config: a run.
        size: side of its images in pixels; None for 48.
        steps: timed steps, after a few that are not.

    Returns:
        `"bare"`: train steps on one batch that stays in memory; `"fed"`: a real epoch, with the run's augmentation;
        `"generator"`: the same network fed by Keras's `ImageDataGenerator` with shifts, rotation and flips, NaN where
        this Keras has none.
    """
    model, images, labels = _ready(config, config.batch_size * (steps + _WARM))
    side = size or 48
    batch = (augmentation.prepare(images[: config.batch_size], side), labels[: config.batch_size])

    def fed(n: int) -> object:
        rows = slice(0, n * config.batch_size)
        drawn = setup.draws(config, labels, np.arange(len(labels)), np.arange(len(labels)), 0)
        batches = augmentation.Batches(
            images[rows], labels[rows], drawn[rows], config.batch_size, 0, 0, size=size, workers=2
        )
        return model.fit(backend.feed(batches), epochs=1, shuffle=False, verbose=0)

    found = {
        "bare": _rate(lambda n: [model.train_on_batch(*batch) for _ in range(n)], config.batch_size, steps),
        "fed": _rate(fed, config.batch_size, steps),
    }
    return found | {
        "generator": _generator(model, augmentation.prepare(images, side), labels, config.batch_size, steps)
    }


def _ready(config: RunConfig, n: int) -> tuple[keras.Model, np.ndarray, np.ndarray]:
    """The compiled network and n images of noise with labels."""
    keras.utils.clear_session()
    n_classes = 8 if config.dataset == "ferplus" else 7
    model = setup.build(replace(config, model_options=_without_files(config)), n_classes)
    model.compile(
        setup.optimizer(config, config.phases[0], 100), losses.get(config.loss), jit_compile=backend.jit_compile(),
        metrics=["accuracy"],
    )  # fmt: skip
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (n, 48, 48), dtype=np.uint8)
    return model, images, generator.integers(0, n_classes, n)


def _without_files(config: RunConfig) -> dict[str, Any]:
    return {name: value for name, value in config.model_options.items() if name != "weights"}


def _generator(model: keras.Model, images: np.ndarray, labels: np.ndarray, batch_size: int, steps: int) -> float:
    try:
        from keras._tf_keras.keras.preprocessing.image import ImageDataGenerator
    except ImportError:
        return float("nan")
    generator = ImageDataGenerator(
        rotation_range=10, width_shift_range=0.1, height_shift_range=0.1, horizontal_flip=True
    )

    def fed(n: int) -> object:
        rows = slice(0, n * batch_size)
        return model.fit(generator.flow(images[rows], labels[rows], batch_size, seed=0), epochs=1, verbose=0)

    return _rate(fed, batch_size, steps)


def _rate(train: Callable[[int], object], batch_size: int, steps: int) -> float:
    """Images per second of `train(steps)`, after a few steps that are not timed."""
    train(_WARM)
    start = time.perf_counter()
    train(steps)
    return steps * batch_size / (time.perf_counter() - start)


def speeds(name: str | None = None) -> dict[str, float]:
    """Images per second by `agenda.speed_key`, as probes on record have them; empty without one.

    Args:
        name: of the device, as `backend.device()` gives it; default: this one.
    """
    pattern = f"{_record_name(name or backend.device())}-*"
    stores = dict.fromkeys(root / "measurements" for root in (project_root() / "reports", reports_root()))
    found = [
        records.Measurement(path).values for store in stores for path in store.glob(pattern) if records.is_done(path)
    ]
    return {values["key"]: values["fed"] for values in found}


def _record_name(device: str) -> str:
    return "probe-" + "-".join(device.lower().replace(",", "").split()) + f"-{keras.backend.backend()}"


def run(found: Sequence[queue.Item], steps: int = STEPS) -> pd.DataFrame:
    """Measure what is missing in the queue and was not probed on this device, each network a record of its own.

    Returns:
        Images per second: one row per `agenda.speed_key`, columns as in `measure`.
    """
    prefix, about = _record_name(backend.device()), {"device": backend.device(), "backend": keras.backend.backend()}
    rows = {}
    for key, (config, size) in distinct(found).items():

        def compute(key: str = key, config: RunConfig = config, size: int | None = size) -> tuple[dict[str, Any], dict]:
            rates = {name: rate for name, rate in measure(config, size, steps).items() if rate == rate}
            return {**about, "key": key, "steps": steps, **rates}, {}

        digest = hashlib.blake2b(key.encode(), digest_size=5).hexdigest()
        values = records.measure(f"{prefix}-{digest}", reports_root() / "measurements", compute).values
        rows[key] = {name: values.get(name, float("nan")) for name in ("bare", "fed", "generator")}
        print(key, {name: rate if rate != rate else round(rate) for name, rate in rows[key].items()}, flush=True)
    return pd.DataFrame.from_dict(rows, orient="index")
