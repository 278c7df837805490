"""What a training will take, foreseen without its data: images, and hours once a network's speed was measured."""

from __future__ import annotations

from collections.abc import Mapping

from fer_utils.records.config import RunConfig

_FORWARD = 1 / 3  # what scoring an image takes of training on it
_USAGE = {"fer2013": (28_709, 3_589, 3_589), "ferplus": (25_060, 3_199, 3_153), "synthetic": (756, 162, 162)}
_IMAGES = {"ckplus": 981} | {name: sum(parts) for name, parts in _USAGE.items()}


def sizes(config: RunConfig) -> dict[str, float]:
    """About how many images each part of a run's split has, without the data."""
    split, n = config.split, _IMAGES[config.dataset]
    if split.kind in ("usage", "merged") and config.dataset in _USAGE:
        train, validation, test = _USAGE[config.dataset]
        if split.kind == "merged":
            validation, test = 0, validation + test
    else:
        share = split.test_size if split.test_size < 1 else split.test_size / n
        test = n / split.n_folds if split.kind == "kfold" else n * share
        validation = split.validation_size * (n - test)
        train = n - test - validation
    return {"train": min(train, split.max_train or train), "validation": validation, "test": test}


def passes(config: RunConfig) -> float:
    """Images that a run trains on; those it scores after each epoch count by what they cost."""
    parts = sizes(config)
    scored = sum(parts[part] for part in config.watched)
    return config.epochs * (parts["train"] + _FORWARD * scored)


def speed_key(config: RunConfig, size: int | None) -> str:
    """What the images per second of a phase depend on: network, side of the image, batch, augmentation, precision."""
    options = "".join(f" {name}={value}" for name, value in sorted(config.model_options.items()))
    what = f"{config.model}{options}, {size or 48} px, batch {config.batch_size}, {config.augmentation}"
    return what + config.precision_note


def hours(config: RunConfig, speeds: Mapping[str, float]) -> float | None:
    """How long a run takes, or None where its speed was not measured or teachers slow it down."""
    if config.teachers:
        return None
    found = [(phase.epochs, speeds.get(speed_key(config, phase.size))) for phase in config.phases]
    if not all(speed for _, speed in found):
        return None
    return sum(epochs * passes(config) / config.epochs / speed for epochs, speed in found) / 3600
