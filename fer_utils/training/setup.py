"""The parts of a training, made from its configuration: first of all `prepare`, then what each epoch asks for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import numpy as np
from sklearn.utils.class_weight import compute_sample_weight

from fer_utils import models
from fer_utils.data import FaceDataset, augmentation, mixing, splits
from fer_utils.data.splits import Split
from fer_utils.files.writing import MAX_BYTES
from fer_utils.models import losses
from fer_utils.records.config import Phase, RunConfig
from fer_utils.training import averaging, backend, devices, faster_layers


class NotOnRecord(FileNotFoundError):
    """A run that is not on record and cannot or may not be trained here."""


@dataclass(frozen=True)
class Setup:
    """What a training works with; nothing of it changes but the model's variables.

    Attributes:
        config, dataset: what was asked for.
        split: rows of the dataset that train, choose and test.
        model: the untrained network.
        loss: labels (n,) or class shares (n, k), and scores (n, k), to the mean over images.
        train_rows: int64 (m,), the rows of an epoch; over-sampling repeats some.
        image_weights: float32 (m,), the weight of each; None for equal weights.
        learns: its layers, and those inside of them, each with whether it learns when no phase freezes it.
        provenance: backend, device, versions and commit, for the record.
        teachers: the networks that contribute to the labels of the training images; none as a rule.
    """

    config: RunConfig
    dataset: FaceDataset
    split: Split
    model: keras.Model
    loss: Callable[..., Any]
    train_rows: np.ndarray
    image_weights: np.ndarray | None
    learns: tuple[tuple[keras.Layer, bool], ...]
    provenance: dict[str, Any]
    teachers: tuple[keras.Model, ...] = ()

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-len(self.train_rows) // self.config.batch_size)

    @property
    def soft(self) -> bool:
        """Whether images are labelled by shares of votes rather than by one class."""
        return self.dataset.label_distribution is not None

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """Labels int64 (n,) of those rows, or their class shares float (n, k)."""
        return (self.dataset.label_distribution if self.soft else self.dataset.labels)[rows]


def prepare(config: RunConfig, dataset: FaceDataset) -> Setup:
    """Everything a training needs but its teachers, before its first step and before any file is written.

    Keras's session is cleared: layers' automatic names, and with them a network's hash, then depend on it alone.

    Raises:
        ValueError: the configuration does not fit the dataset, or its predictions could not be recorded.
    """
    split = splits.make(dataset, config.split)
    policy(config)
    augmentation.get_policy(config.augmentation_rare or "none")
    check_parts(config, split)
    check_room(config, split, dataset.n_classes)
    keras.utils.clear_session()
    backend.make_deterministic(config.seed)
    devices.distribute()
    rows, model = sampled(dataset.labels, split.train, config), build(config, dataset.n_classes)
    return Setup(
        config, dataset, split,
        model=model,
        loss=losses.get(config.loss, margin=config.margin, label_smoothing=config.label_smoothing),
        train_rows=rows,
        image_weights=image_weights(dataset.labels[rows], config),
        learns=tuple((layer, layer.trainable) for layer in model._flatten_layers(include_self=False)),  # outer first
        provenance=devices.provenance(),
    )  # fmt: skip


def compile_for(setup: Setup, phase: Phase) -> None:
    """Give the network a fresh optimizer for `phase`, and freeze all but its head where the phase asks for it.

    What the network's own author froze stays frozen.
    """
    for layer, learns in setup.learns:
        layer.trainable = learns
    for layer in setup.model.layers[:-1] if phase.trainable == "head" else ():
        layer.trainable = False
    shares = setup.soft or setup.config.makes_shares
    accuracy = keras.metrics.CategoricalAccuracy if shares else keras.metrics.SparseCategoricalAccuracy
    setup.model.compile(
        optimizer(setup.config, phase, setup.steps), setup.loss, metrics=[accuracy("accuracy")],
        jit_compile=backend.jit_compile(),
    )  # fmt: skip
    setup.model.optimizer.build(setup.model.trainable_variables)


def batches(setup: Setup, phase: Phase, epoch: int) -> augmentation.Batches | mixing.TaughtBatches:
    """One epoch's images, augmented and in random order, as a pure function of (seed, epoch)."""
    config, dataset = setup.config, setup.dataset
    kind: Callable[..., augmentation.Batches] = augmentation.Batches
    if config.mixes:
        kind = partial(mixing.MixedBatches, n_classes=dataset.n_classes, mixup=config.mixup, cutmix=config.cutmix)
    made = kind(
        dataset.images,
        setup.targets(setup.train_rows),
        draws(config, dataset.labels, setup.split.train, setup.train_rows, epoch),
        config.batch_size,
        config.seed,
        epoch,
        sample_weight=setup.image_weights,
        size=phase.size,
        workers=2,
        rows=setup.train_rows,
    )
    return mixing.TaughtBatches(made, setup.teachers, config.teaching) if setup.teachers else made


def check_may_train(config: RunConfig) -> None:
    """Refuse to train on real faces where `$FER_TRAIN` is `never`: the study is to be shown from its records.

    Raises:
        NotOnRecord: training is switched off.
    """
    if os.environ.get("FER_TRAIN") == "never" and config.dataset != "synthetic":
        raise NotOnRecord(
            f"{called(config)}, and nothing is trained unasked (FER_TRAIN=never). `make queue` trains what the study "
            "lacks; with FER_TRAIN=always it is trained here and now."
        )


def called(config: RunConfig) -> str:
    """Which run is missing, in words."""
    return f"A run of {config.model} on {config.dataset} ({config.key}) is not on record"


def build(config: RunConfig, n_classes: int) -> keras.Model:
    """The untrained network, computing in the configuration's precision.

    Its input has no fixed side where phases train at sides of their own.
    """
    options = dict(config.model_options)
    if config.head_l2 is not None:
        options["head_l2"] = config.head_l2
    size = None if any(phase.size for phase in config.phases) else 48
    with backend.precision(config.precision):
        model = models.build(config.model, n_classes=n_classes, size=size, seed=config.seed, **options)
    faster_layers.quicken(model)
    return model


def rebuild(config: RunConfig, n_classes: int, precision: str = "float32") -> keras.Model:
    """The same network for weights that a training has saved, computing in `precision` whatever it was trained in."""
    return build(replace(config, precision=precision, model_options=config.network_options), n_classes)


def policy(config: RunConfig) -> augmentation.Policy:
    """The configuration's augmentation with its ranges times `augmentation_strength`; flips go with strength 0.

    Raises:
        ValueError: a range would be out of bounds.
    """
    named, strength = augmentation.get_policy(config.augmentation), config.augmentation_strength
    ranges = {name: getattr(named, name) * strength for name in augmentation.RANGES if name != "flip"}
    return replace(named, flip=named.flip and strength > 0, **ranges)


def draws(config: RunConfig, labels: np.ndarray, train: np.ndarray, rows: np.ndarray, epoch: int) -> np.ndarray:
    """One epoch's augmentation: array (m,) of dtype `augmentation.DRAW`.

    Args:
        config: its policy, and that for rare classes; both share their random numbers.
        labels: int64 (n,) of the whole dataset.
        train: the training part, by which a class is rare: it has fewer images than the mean of those that occur.
        rows: int64 (m,), the images of the epoch (over-sampling repeats some).
        epoch: from 0.
    """
    drawn = augmentation.draw(policy(config), config.seed, epoch, len(rows))
    if config.augmentation_rare:
        counts = np.bincount(labels[train])
        rare = (counts < len(train) / np.count_nonzero(counts))[labels[rows]]
        drawn[rare] = augmentation.draw(config.augmentation_rare, config.seed, epoch, len(rows))[rare]
    return drawn


def optimizer(config: RunConfig, phase: Phase, steps: int) -> keras.optimizers.Optimizer:
    """A fresh optimizer for `phase`, whose epochs have `steps` steps."""
    rate: Any = phase.learning_rate
    if phase.schedule == "cosine":
        warmup = round(phase.warmup_epochs * steps)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else phase.learning_rate,
            phase.epochs * steps - warmup,
            alpha=phase.final_rate / phase.learning_rate,
            warmup_target=phase.learning_rate if warmup else None,
            warmup_steps=warmup,
        )
    shared = {
        "weight_decay": config.weight_decay or None,
        "use_ema": config.weight_averaging > 0, "ema_momentum": config.weight_averaging,
    }  # fmt: skip
    if config.optimizer == "adam":
        return averaging.postpone(keras.optimizers.Adam(rate, **shared))
    return averaging.postpone(keras.optimizers.SGD(rate, momentum=config.momentum, nesterov=True, **shared))


def sampled(labels: np.ndarray, rows: np.ndarray, config: RunConfig) -> np.ndarray:
    """Training rows, with those of rare classes repeated when over-sampling: int64 (m,)."""
    if config.sampling == "natural":
        return rows
    rng = np.random.default_rng([config.seed, 1])
    largest = np.bincount(labels[rows]).max()
    extra = [
        rng.choice(members, largest - len(members))
        for label in np.unique(labels[rows])
        if len(members := rows[labels[rows] == label]) < largest
    ]
    return np.concatenate([rows, *extra])


def image_weights(labels: np.ndarray, config: RunConfig) -> np.ndarray | None:
    """Weight of each training image, float32 (n,): n / (k · images of its class); None for equal weights.

    k counts the classes that occur in `labels`, int (n,).
    """
    return None if config.class_weights == "none" else compute_sample_weight("balanced", labels).astype(np.float32)


def reseed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Give every random layer, also one inside of another, a state that is a pure function of (seed, epoch, place)."""
    outer = [getattr(getattr(layer, "seed_generator", None), "state", None) for layer in model.layers]
    known = {id(state) for state in outer}
    inner = [v for v in model.variables if v.name == "seed_generator_state" and id(v) not in known]
    for place, state in enumerate([*outer, *inner]):
        if state is not None:
            numbers = np.random.SeedSequence([seed, epoch, place]).generate_state(2) >> 1
            state.assign(numbers.astype(keras.backend.standardize_dtype(state.dtype)))


def check_room(config: RunConfig, split: Split, n_classes: int) -> None:
    """Refuse a run whose predictions could never be recorded, before it is trained.

    Raises:
        ValueError: too many images to score, for the epochs it keeps; deflated float16 logits need 0.7 of their size or
            more.
    """
    scored = len(split.validation) + (len(split.test) if config.score_test else 0)
    sure = [name for name in config.keep if not (config.early_stopping and name.startswith("block_"))]
    kept = max(len(set(sure)), 1)
    if (least := int(0.7 * 2 * scored * n_classes * kept)) > MAX_BYTES:
        raise ValueError(
            f"A record has at most {MAX_BYTES:,} bytes; the predictions of {scored:,} images at {kept} epochs take "
            f"{least:,} or more. Score fewer images, or keep fewer epochs."
        )


def check_parts(config: RunConfig, split: Split) -> None:
    """Refuse a run that watches a part its split does not have.

    Raises:
        ValueError: such a part is empty.
    """
    for part in config.watched:
        if len(getattr(split, part)) == 0:
            raise ValueError(
                f"This run watches its {part} part, which is empty under {config.split}. "
                "Give the split a validation_size, or monitor another part."
            )
