"""What one training is: everything that decides its outcome, and nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

import numpy as np

from fer_utils.data.splits import SplitSpec, plain_numbers

RECIPE_VERSION = 1
"""Bumped whenever a change of code moves numbers, so that older records no longer answer for it."""

PARTS = ("train", "validation", "test")
_LABELS = ("report", "protocol")
_CHOICES = {
    "optimizer": ("adam", "sgd"),
    "class_weights": ("none", "balanced"),
    "sampling": ("natural", "oversample"),
    "monitor": PARTS,
    "precision": ("float32", "mixed_bfloat16"),
}


@dataclass(frozen=True)
class Phase:
    """Consecutive epochs under one optimizer; each phase starts a fresh one, moments included.

    Attributes:
        epochs: how many.
        learning_rate: at the start.
        schedule: `"constant"` (what a plateau rule may lower) or `"cosine"` (down to `final_rate` at the phase's end).
        warmup_epochs: of a cosine schedule, linear from 0; fewer than `epochs`.
        size: side in pixels of the images trained on; None for the dataset's 48.
        trainable: `"all"` layers, or the `"head"` (the last layer) alone.
        final_rate: where a cosine ends, so that the next phase may go on from there at another size.
    """

    epochs: int
    learning_rate: float
    schedule: str = "constant"
    warmup_epochs: float = 0.0
    size: int | None = None
    trainable: str = "all"
    final_rate: float = 0.0

    def __post_init__(self) -> None:
        plain_numbers(self)
        if not _is_count(self.epochs) or not self.learning_rate > 0:
            raise ValueError(f"A phase has a whole number of epochs, 1 or more, and a rate above 0; got {self}.")
        if not 0 <= self.warmup_epochs < self.epochs or (self.warmup_epochs and self.schedule != "cosine"):
            raise ValueError(f"A warm-up begins a cosine and ends within its epochs; got {self}. Leave it out.")
        if self.size is not None and not _is_count(self.size):
            raise ValueError(f"A phase's size is a side in pixels, or None for the dataset's; got {self.size!r}.")
        if not 0 <= self.final_rate <= self.learning_rate or (self.final_rate and self.schedule != "cosine"):
            raise ValueError(f"A final_rate ends a cosine, between 0 and its learning rate; got {self}. Leave it out.")
        _one_of("schedule", self.schedule, ("constant", "cosine"))
        _one_of("trainable", self.trainable, ("all", "head"))


@dataclass(frozen=True)
class RunConfig:
    """One training. Fields left at their default do not enter `key`, so new fields leave old records valid.

    Attributes:
        model, model_options: arguments of `fer_utils.models.build`.
        dataset, dataset_options: arguments of `fer_utils.data.load`.
        split: who trains, chooses and tests.
        phases: the schedule.
        loss, margin, label_smoothing: arguments of `fer_utils.models.losses.get`.
        head_l2: L2 penalty on the last layer's kernel; None keeps the model's own.
        augmentation, augmentation_strength: a name in `fer_utils.data.augmentation.POLICIES`, and the factor of its
            ranges (0 turns it off, flips included).
        augmentation_rare: another such name for the images of rare classes, those with fewer training images than
            the mean class; `""` treats all alike.
        mixup, cutmix: alpha of `fer_utils.data.mixing.MixedBatches`; 0 for images that are not mixed.
        optimizer: `"adam"` or `"sgd"` (Nesterov, `momentum`); `weight_decay` is decoupled (Keras's).
        batch_size: images a step.
        class_weights: `"balanced"` weighs each image by n / (k · images of its class).
        sampling: `"oversample"` repeats images of rare classes until all are as frequent as the commonest.
        monitor: the part whose loss and accuracy stand in the history as `val_*` and drive `plateau_patience`
            and `early_stopping`. Sound is `"validation"`; psg2025 watched the `"test"` set, cutm2024 `"train"`.
        plateau_patience: epochs (1 or more) without a lower `val_loss` before the rate of a constant schedule is
            multiplied by `plateau_factor`, in (0, 1); None never does.
        early_stopping: epochs (1 or more) without a lower `val_loss` before training ends; None never ends it.
        keep: epochs whose predictions are kept: `"last"`, `"best_<part>"` (highest accuracy on that part,
            the earliest of equals) and `"block_<i>"` (end of phase i, from 1).
        score_test: whether this run is final and may score the test set.
        start_from: id of a finished run whose weights this one starts from (`fer_utils.training.weights.start`), with
            `":<kept epoch>"` behind it for another than its first; `""` starts at random.
        teachers: ids of finished runs, each with `":<kept epoch>"` behind it for another than its first, whose
            networks' probabilities enter the labels of the training images (`fer_utils.training.teaching`).
        teaching: the teachers' share of each label, in (0, 1]; 0 without teachers. `label_smoothing` comes on top.
        seed: of weights, order, augmentation and dropout.
        weight_averaging: what is scored and kept after an epoch is the moving average of the weights over the steps of
            its phase, with this momentum (such as 0.999); 0 for the weights themselves.
        precision: Keras's dtype policy of the network while it trains. Under `"mixed_bfloat16"` the layers compute in
            bfloat16; variables, logits, losses and statistics stay float32, and what is scored and saved at the end is
            the float32 network with the trained weights.
        report, protocol: labels (`"psg2025"`, `"reported"` or `"sound"`); they do not enter `key`.

    Example:
        What decides the outcome makes another run, a label does not.

        >>> config = RunConfig("tiny", "synthetic", phases=(Phase(5, 1e-3),))
        >>> replace(config, seed=1).key == config.key, replace(config, protocol="reported").key == config.key
        (False, True)
    """

    model: str
    dataset: str
    phases: tuple[Phase, ...]
    split: SplitSpec = field(default_factory=SplitSpec)
    model_options: Mapping[str, Any] = field(default_factory=dict)
    dataset_options: Mapping[str, Any] = field(default_factory=dict)
    loss: str = "cross_entropy"
    margin: float = 1.0
    label_smoothing: float = 0.0
    head_l2: float | None = None
    augmentation: str = "none"
    augmentation_strength: float = 1.0
    augmentation_rare: str = ""
    mixup: float = 0.0
    cutmix: float = 0.0
    optimizer: str = "adam"
    momentum: float = 0.9
    weight_decay: float = 0.0
    batch_size: int = 64
    class_weights: str = "none"
    sampling: str = "natural"
    monitor: str = "validation"
    plateau_patience: int | None = None
    plateau_factor: float = 0.1
    early_stopping: int | None = None
    keep: tuple[str, ...] = ("best_validation", "last")
    score_test: bool = False
    start_from: str = ""
    teachers: tuple[str, ...] = ()
    teaching: float = 0.0
    seed: int = 0
    weight_averaging: float = 0.0
    precision: str = "float32"
    report: str = "study"
    protocol: str = "sound"

    def __post_init__(self) -> None:
        self._settle()
        self._check_numbers()
        if not self.phases:
            raise ValueError("A run needs at least one Phase; got none. Pass phases=(Phase(epochs, learning_rate),).")
        for name, allowed in _CHOICES.items():
            _one_of(name, getattr(self, name), allowed)
        kept = ["last", *(f"best_{p}" for p in PARTS), *(f"block_{i + 1}" for i in range(len(self.phases)))]
        for name in self.keep:
            _one_of("keep", name, kept)
        if not self.keep:
            raise ValueError(f"A run keeps at least one epoch's predictions; got none. Name some of {', '.join(kept)}.")
        if self.augmentation_strength < 0 or (self.augmentation_strength != 1 and self.augmentation == "none"):
            raise ValueError(
                "augmentation_strength is a factor of at least 0 of a policy's ranges; got "
                f"{self.augmentation_strength} of {self.augmentation!r}. Name a policy, or leave the strength at 1."
            )
        if not 0 <= self.teaching <= 1 or bool(self.teachers) != (self.teaching > 0):
            raise ValueError(
                "teaching is the share, in (0, 1], of teachers in each label, and 0 without teachers; got "
                f"{self.teaching} with teachers: {len(self.teachers)}. Name both, or neither."
            )
        if self.makes_shares and self.loss != "cross_entropy":
            raise ValueError(
                "Labels that are mixed or taught are shares of classes and need the loss cross_entropy; got "
                f"{self.loss!r}. Set mixup, cutmix and teaching to 0, or use cross_entropy."
            )
        if not 0 <= self.weight_averaging < 1:
            raise ValueError(f"weight_averaging is in [0, 1); got {self.weight_averaging}. Try 0.999.")
        if not self.score_test and ("best_test" in self.keep or self.monitor == "test"):
            raise ValueError(
                "A run that watches the test set or keeps its best epoch scores it every epoch; "
                "got score_test=False. Declare the run final with score_test=True, or monitor validation."
            )

    def _settle(self) -> None:
        """Give the fields the types that they have after a way through JSON, by which keys are made."""
        plain_numbers(self)
        for name in ("phases", "keep", "teachers"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("model_options", "dataset_options"):
            object.__setattr__(self, name, _plain(getattr(self, name)))

    def _check_numbers(self) -> None:
        for name in ("batch_size", "plateau_patience", "early_stopping"):
            value = getattr(self, name)
            if not _is_count(value) and (value is not None or name == "batch_size"):
                raise ValueError(f"{name} is a whole number, 1 or more; got {value!r}.")
        below = dict.fromkeys(("mixup", "cutmix", "weight_decay", "margin"), math.inf)
        for name, limit in (below | {"momentum": 1, "label_smoothing": 1}).items():
            if not 0 <= getattr(self, name) < limit:
                most = "" if limit == math.inf else " and below 1"
                raise ValueError(f"{name} is a number of at least 0{most}; got {getattr(self, name)!r}. Leave it out.")
        if not 0 < self.plateau_factor < 1:
            raise ValueError(f"plateau_factor is in (0, 1); got {self.plateau_factor!r}. Try 0.1.")

    def __hash__(self) -> int:
        """Equal configurations have equal hashes, however their numbers are spelt; the mappings do not enter."""
        values = (getattr(self, spec.name) for spec in dataclasses.fields(self))
        return hash(tuple(value for value in values if not isinstance(value, Mapping)))

    @property
    def epochs(self) -> int:
        """Epochs of all phases."""
        return sum(phase.epochs for phase in self.phases)

    @property
    def watched(self) -> tuple[str, ...]:
        """The parts scored after every epoch, the monitored one first."""
        kept = (name.removeprefix("best_") for name in self.keep if name.startswith("best_"))
        return tuple(dict.fromkeys([self.monitor, *sorted(kept)]))

    @property
    def mixes(self) -> bool:
        """Whether training images are mixed in pairs."""
        return max(self.mixup, self.cutmix) > 0

    @property
    def makes_shares(self) -> bool:
        """Whether training turns the labels of images into shares of classes."""
        return self.mixes or self.teaching > 0

    @property
    def needs(self) -> tuple[str, ...]:
        """Ids of the runs whose weights it takes: of the one that it starts from, and of its teachers."""
        return tuple(name.partition(":")[0] for name in (self.start_from, *self.teachers) if name)

    @property
    def network_options(self) -> dict[str, Any]:
        """`model_options` for a network whose weights come from a run, so without the file of its first ones."""
        return {name: value for name, value in self.model_options.items() if name != "weights"}

    @property
    def precision_note(self) -> str:
        """What is put behind a budget: `", bfloat16"`, or nothing for float32."""
        return "" if self.precision == "float32" else ", bfloat16"

    def trains_as(self, other: RunConfig) -> bool:
        """Whether both are the same training: equal but for labels and for how a number is spelt (1 or 1.0).

        Their `key` may differ all the same, because it is made of the spelling.
        """
        return replace(other, report=self.report, protocol=self.protocol) == self

    @property
    def chosen_on_test(self) -> tuple[str, ...]:
        """Which of `keep` depend on a test set that chose them: the epoch itself, or the schedule before it."""
        steered = self.monitor == "test" and (self.plateau_patience or self.early_stopping)
        return tuple(name for name in self.keep if name == "best_test" or steered)

    def check_continues(self, parent: RunConfig) -> None:
        """Refuse a parent whose training is not the beginning of this one.

        Raises:
            ValueError: they differ in more than the epochs of a last phase with a constant schedule, or this has
                not more of them.
        """
        own, others = self.phases[-1], parent.phases[-1]
        if replace(parent, phases=(*parent.phases[:-1], replace(others, epochs=own.epochs))).key != self.key:
            raise ValueError(
                "A parent equals its child in everything but the epochs of the last phase; "
                f"got {parent} as parent of {self}. Train without a parent."
            )
        if own.schedule != "constant" or own.epochs <= others.epochs:
            raise ValueError(
                "A child goes on for more epochs of a last phase with a constant schedule; got "
                f"{own} after {others}. Train without a parent."
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunConfig:
        """The inverse of `to_dict`.

        Raises:
            ValueError: a field this version does not know.
        """
        known = {f.name for f in dataclasses.fields(cls)}
        if unknown := set(values) - known:
            raise ValueError(f"A configuration has the fields {', '.join(sorted(known))}; got also {unknown}.")
        values = dict(values)
        values["phases"] = tuple(Phase(**phase) for phase in values["phases"])
        values["split"] = SplitSpec(**values["split"])
        values["keep"], values["teachers"] = tuple(values["keep"]), tuple(values.get("teachers", ()))
        return cls(**values)

    @property
    def key(self) -> str:
        """10 hexadecimal digits of everything that decides the outcome, and the recipe version."""
        content = json.dumps([RECIPE_VERSION, _differing(self)], sort_keys=True)
        return hashlib.blake2b(content.encode(), digest_size=5).hexdigest()


def in_words(options: Mapping[str, Any]) -> str:
    """Options as readers see them, by name: `"attention none, batch norm momentum 0.9"`; `""` where there are none."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sorted(options.items()))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _plain(value: Any) -> Any:
    """A value of options in the types of JSON: NumPy's numbers as Python's, tuples as lists, paths as text."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, PurePath) else value


def _one_of(name: str, value: Any, allowed: tuple[str, ...] | list[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} is one of {', '.join(allowed)}; got {value!r}.")


def _differing(instance: Any) -> Any:
    """Fields that are not at their default, recursively, without labels."""
    if isinstance(instance, (tuple, list)):
        return [_differing(item) for item in instance]
    if isinstance(instance, Mapping):
        return {key: _differing(value) for key, value in instance.items()}
    if not dataclasses.is_dataclass(instance):
        return instance
    found = {}
    for spec in dataclasses.fields(instance):
        value = getattr(instance, spec.name)
        default = spec.default if spec.default_factory is dataclasses.MISSING else spec.default_factory()
        if spec.name not in _LABELS and value != default:
            found[spec.name] = _differing(value)
    return found
