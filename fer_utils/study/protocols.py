"""What each report did, cell by cell, and the sound protocol beside it.

`REPORTED` is the one table. A cell is *stated* by the report unless its name stands in `ours`; `partly` says what of a
cell is ours. Keys: the bibliography in `reports/README.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from fer_utils.data.splits import SplitSpec
from fer_utils.records.config import Phase, RunConfig

INNER_VALIDATION = 0.125
"""Share of a fold's training subjects that chooses the epoch, under the sound protocol."""

FOLDS = 5
"""Folds of CK+48's persons under the sound protocol, for every system."""


@dataclass(frozen=True)
class Recipe:
    """One system on one dataset, as its report describes it.

    Attributes:
        report: its key.
        model, dataset: what is trained on what.
        split, augmentation, learning_rates, epochs (one entry per phase), batch_size, optimizer: its cells.
        kept: which epoch its headline number belongs to.
        scored: the part that number was computed on.
        monitor: the part its training watched.
        extra: further fields of `RunConfig`.
        precision: that of its training on real faces; where it is not float32 the choice is ours, for time's sake.
        ours: names of the cells that the report does not state.
        partly: by the name of a cell that it states in part, what of it is ours.
    """

    report: str
    model: str
    dataset: str
    split: SplitSpec
    augmentation: str
    epochs: tuple[int, ...]
    learning_rates: tuple[float, ...]
    batch_size: int
    kept: str
    scored: str
    monitor: str
    optimizer: str = "adam"
    extra: Mapping[str, Any] = field(default_factory=dict)
    precision: str = "float32"
    ours: frozenset[str] = frozenset()
    partly: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        """Report, model and dataset."""
        return self.report, self.model, self.dataset


_RANDOM_80_20 = SplitSpec("random", test_size=0.2, seed=123)
_QUICKER = "mixed_bfloat16"


def _iitk(model: str, dataset: str) -> Recipe:
    """iitk2023, sections 4.3, 4.4: FER2013's validation images and CK+'s test images are random, their shares ours."""
    common = {"report": "iitk2023", "model": model, "dataset": dataset, "epochs": (50,), "learning_rates": (1e-3,)}
    partly = {"epochs": "50 to 100 stated"}
    if dataset == "fer2013":
        second = model == "iitk2023_model2"
        return Recipe(
            **common, split=SplitSpec("usage"), augmentation="iitk2023", batch_size=64, kept="best_validation",
            scored="test", monitor="validation", precision=_QUICKER if second else "float32",
            ours=frozenset({"split", "learning_rates", "kept", *(["precision"] if second else [])}),
            partly=partly | ({"scored": "its tables disagree"} if second else {}),
        )  # fmt: skip
    return Recipe(
        **common, split=_RANDOM_80_20, augmentation="none", batch_size=7, kept="last", scored="test", monitor="test",
        ours=frozenset({"learning_rates", "kept", "monitor"}),
        partly=partly | {"split": "share, seed and equal class shares ours"},
    )


def _psg(dataset: str) -> Recipe:
    """psg2025: all is stated for CK+48; for FER2013 it names three parts without sizes, which we take by Usage."""
    common = {
        "report": "psg2025", "model": "psg2025", "dataset": dataset, "augmentation": "psg2025", "scored": "test",
        "epochs": (100, 100, 100), "learning_rates": (1e-3, 1e-4, 1e-5), "batch_size": 64,
    }  # fmt: skip
    if dataset == "ckplus":
        return Recipe(**common, split=_RANDOM_80_20, kept="last", monitor="test")
    known = {"ours": frozenset({"kept"}), "partly": {"split": "three parts named, their sizes ours"}}
    return Recipe(**common, **known, split=SplitSpec("usage"), kept="best_validation", monitor="validation")


REPORTED: tuple[Recipe, ...] = (
    Recipe(
        report="cutm2024", model="cutm2024", dataset="fer2013",
        split=SplitSpec("random", test_size=7066, seed=0), augmentation="cutm2024",
        epochs=(50,), learning_rates=(1e-3,), batch_size=512, kept="best_train", scored="train", monitor="train",
        precision=_QUICKER, ours=frozenset({"optimizer", "learning_rates", "precision"}), partly={
            "split": "sizes stated, which images ours",
            "augmentation": "rotation and scaling named; ranges, shifts and flips ours"},
    ),
    _iitk("iitk2023_model1", "fer2013"),
    _iitk("iitk2023_model2", "fer2013"),
    _iitk("iitk2023_model1", "ckplus"),
    _iitk("iitk2023_model2", "ckplus"),
    Recipe(
        report="colab2023", model="colab2023", dataset="fer2013", split=SplitSpec("merged"), augmentation="colab2023",
        epochs=(50,), learning_rates=(1e-3,), batch_size=64, kept="last", scored="test", monitor="test",
        precision=_QUICKER, ours=frozenset({
            "optimizer", "learning_rates", "epochs", "batch_size", "kept", "precision"}), partly={
            "split": "follows from its 7,178 test images", "augmentation": "flip and rotation stated, angle ours",
            "monitor": "ours; its text names validation data, without a size"},
    ),
    _psg("ckplus"),
    _psg("fer2013"),
    Recipe(
        report="xavengers2025", model="resnet_transfer", dataset="fer2013", split=SplitSpec("usage"),
        augmentation="xavengers2025", epochs=(50,), learning_rates=(1e-3,), batch_size=64,
        kept="best_validation", scored="test", monitor="validation",
        extra={"plateau_patience": 5, "early_stopping": 10, "weight_decay": 1e-4}, precision=_QUICKER,
        ours=frozenset({"kept", "precision"}), partly={"split": "stated in section 4.3; section 3.4 has 80/10/10",
                "augmentation": "section 4.4's list, ranges ours; section 3.4 has another",
                "extra": "all three named, their values ours; so is training without class weights"},
    ),
)  # fmt: skip


def recipe(model: str, dataset: str) -> Recipe:
    """The row of `REPORTED` for a model on a dataset; synthetic faces borrow the model's first row.

    Raises:
        ValueError: no report trained this model on this dataset.
    """
    rows = [row for row in REPORTED if row.model == model and dataset in (row.dataset, "synthetic")]
    if not rows:
        known = ", ".join(f"{row.model} on {row.dataset}" for row in REPORTED)
        raise ValueError(f"No report describes {model!r} on {dataset!r}. Described are: {known}.")
    return rows[0]


def configs(
    model: str,
    dataset: str,
    protocol: str,
    *,
    seeds: Sequence[int] = (0,),
    n_folds: int = FOLDS,
    epochs: Sequence[int] | None = None,
    **changes: Any,
) -> list[RunConfig]:
    """The runs of one system under one protocol, one per seed and fold.

    Args:
        model: a network of the reports.
        dataset: `"fer2013"`, `"ckplus"` or `"synthetic"`.
        protocol: `"reported"` or `"sound"`. Sound keeps the report's training and replaces its split, the part it
            watches and the epoch it keeps: FER2013 and synthetic faces by Usage, CK+48 in subject-grouped folds. Where
            the report's own are sound, both protocols ask for one and the same training.
        seeds: one run each; the split's own seed stays.
        n_folds: folds of the sound protocol on CK+48.
        epochs: a reduced budget, one number per phase of the report; None for the report's own.
        **changes: fields of `RunConfig` to set otherwise, e.g. `loss="l2_svm"`.

    Raises:
        ValueError: unknown protocol, or no report describes this system.
    """
    row = recipe(model, dataset)
    if protocol not in ("reported", "sound"):
        raise ValueError(f"A protocol is 'reported' or 'sound'; got {protocol!r}.")
    if decided := {"split", "seed"} & set(changes):
        raise ValueError(f"A protocol decides the split, and `seeds` the seeds; got {decided}: leave out.")
    base = RunConfig(
        model=model, dataset=dataset, phases=_phases(row, epochs), augmentation=row.augmentation,
        batch_size=row.batch_size, optimizer=row.optimizer, score_test=True, report=row.report, protocol=protocol,
        precision="float32" if dataset == "synthetic" else row.precision, **row.extra,
    )  # fmt: skip
    is_sound = row.dataset == dataset and row.monitor == "validation" and [row.split] == sound_splits(dataset)
    if protocol == "reported" or is_sound:
        base = replace(base, monitor=row.monitor, keep=_reported_keep(row))
    splits = [_reported_split(row, dataset)] if protocol == "reported" else sound_splits(dataset, n_folds)
    base = replace(base, **changes)
    return [replace(base, split=split, seed=seed) for seed in seeds for split in splits]


def compact(seeds: Sequence[int] = (0,), **changes: Any) -> list[RunConfig]:
    """The study's own small network on FER2013, one run per seed: trained on Training, chosen on PublicTest.

    72 epochs that grow from 32 to 40 to 48 pixels, which costs about two thirds of as many at 48: SGD whose rate
    warms up and falls along three cosines, label smoothing, and a weight decay of 5e-4 in the coupled form that
    published recipes state (decoupled and under momentum 0.9: ten times as much).

    Args:
        seeds: one run each.
        **changes: fields of `RunConfig` to set otherwise.
    """
    phases = (
        Phase(28, 0.1, "cosine", warmup_epochs=1, size=32, final_rate=0.05),
        Phase(24, 0.05, "cosine", size=40, final_rate=0.02),
        Phase(20, 0.02, "cosine"),
    )
    base = RunConfig(
        model="compact", dataset="fer2013", phases=phases, augmentation="strong", optimizer="sgd", batch_size=128,
        weight_decay=5e-3, label_smoothing=0.1, score_test=True,
    )  # fmt: skip
    return [replace(base, seed=seed, **changes) for seed in seeds]


def ships() -> RunConfig:
    """The training whose network ships with the package; another network is shipped by another answer here."""
    return compact()[0]


STRONG = ("strong_residual",)
"""Networks of the stronger system."""

OWN = ("compact", *STRONG, "strong_plain")
"""The study's own networks: the small one, those of the stronger system, and one that was tried for it."""


def stronger(
    model: str = "strong_residual", seeds: Sequence[int] = (0,), dataset: str = "fer2013", **changes: Any
) -> list[RunConfig]:
    """The stronger system's runs, one per seed, on FER2013 or FER+.

    56 epochs in bfloat16: SGD, warm-up and one cosine down to 0, and the other settings of `compact`. The residual
    network has 0.625 of its channels, so that its weights may be kept. A search may change the recipe by PublicTest
    alone, and its trials (`score_test=False`) stay on record.

    Args:
        model: one of `OWN`.
        seeds: one run each.
        dataset: `"fer2013"`, or `"ferplus"`: 8 classes, images whose top class has more than half of the votes.
        **changes: fields of `RunConfig` to set otherwise.
    """
    options = {"width": 0.625} if model == "strong_residual" else {}
    (base,) = compact(
        (0,), model=model, model_options=options, dataset=dataset, precision=_QUICKER,
        phases=(Phase(56, 0.1, "cosine", warmup_epochs=2),), keep=("best_validation",),
    )  # fmt: skip
    return [replace(base, seed=seed, **changes) for seed in seeds]


VARIANT = "variant"
"""The label of runs that answer for no report and stand for no system."""


def serves(config: RunConfig, protocol: str) -> bool:
    """Whether a run answers for a protocol: it is labelled so, or the protocol would train the same.

    Any label may be asked for; only `"reported"` and `"sound"` say how they train.
    """
    if config.protocol == protocol:
        return True
    if protocol not in ("reported", "sound"):
        return False
    try:
        row = recipe(config.model, config.dataset)
    except ValueError:
        return False
    precise = config.precision in ("float32", row.precision)
    if protocol == "reported":
        return precise and (config.split, config.monitor, config.keep) == (row.split, row.monitor, _reported_keep(row))
    sound = config.monitor == "validation" and config.split in sound_splits(config.dataset, config.split.n_folds)
    return precise and sound


def _phases(row: Recipe, epochs: Sequence[int] | None) -> tuple[Phase, ...]:
    epochs = row.epochs if epochs is None else tuple(epochs)
    if len(epochs) != len(row.epochs):
        raise ValueError(f"{row.report} trains in {len(row.epochs)} phases; got epochs for {len(epochs)}: {epochs}.")
    return tuple(Phase(n, rate) for n, rate in zip(epochs, row.learning_rates, strict=True))


def _reported_keep(row: Recipe) -> tuple[str, ...]:
    """The report's own epoch first, then those it shows or might have chosen."""
    blocks = tuple(f"block_{i + 1}" for i in range(len(row.epochs) - 1))
    return tuple(dict.fromkeys([row.kept, "last", *blocks, f"best_{row.monitor}"]))


def _reported_split(row: Recipe, dataset: str) -> SplitSpec:
    return replace(row.split, test_size=0.2) if dataset == "synthetic" and row.split.test_size > 1 else row.split


def sound_splits(dataset: str, n_folds: int = FOLDS) -> list[SplitSpec]:
    """The sound protocol's splits: subject-grouped folds of CK+48, the published parts of everything else."""
    if dataset != "ckplus":
        return [SplitSpec("usage")]
    return SplitSpec("kfold", groups="subjects", n_folds=n_folds, validation_size=INNER_VALIDATION).folds()


def table() -> pd.DataFrame:
    """`REPORTED` for readers: one row per report, model and dataset; cells that are ours say so."""
    rows = [{name: _cell(row, name) for name in _COLUMNS} for row in REPORTED]
    index = pd.MultiIndex.from_tuples([row.key for row in REPORTED], names=["report", "model", "data"])
    return pd.DataFrame(rows, index=index).rename(columns=lambda name: name.replace("_", " "))


_COLUMNS = (
    "split", "augmentation", "optimizer", "learning_rates", "epochs", "batch_size", "extra", "precision", "monitor",
    "kept", "scored",
)  # fmt: skip


def _cell(row: Recipe, name: str) -> str:
    value = getattr(row, name)
    if name == "split":
        text = {"usage": "Usage", "merged": "Training / 7,178"}.get(value.kind, f"random, test {value.test_size:g}")
    elif isinstance(value, tuple):
        text = " + ".join(f"{item:g}" for item in value)
    elif isinstance(value, Mapping):
        text = ", ".join(f"{k.replace('_', ' ')} {v:g}" for k, v in value.items()) or "–"
    else:
        text = str(value).replace("_", " ")
    text = text.replace("test", "TEST") if name in ("kept", "monitor") else text
    said = "ours" if name in row.ours else row.partly.get(name)
    return f"{text} ({said})" if said else text
