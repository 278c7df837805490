"""What stands for a system: a report's headline, its network re-run as reported, the same under the sound protocol.

Nothing measured is written here: every number comes from run records, and what no record holds is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fer_utils import study
from fer_utils.analysis.eda import TITLES
from fer_utils.analysis.prices import experiments
from fer_utils.evaluation import statistics
from fer_utils.evaluation.statistics import Interval
from fer_utils.records import Record
from fer_utils.records.config import RunConfig
from fer_utils.report import claims
from fer_utils.report.claims import Claim
from fer_utils.report.records_index import Shelf
from fer_utils.study import protocols

REPORTED, SOUND = "re-run as reported", "sound"
OWN = ("compact", *protocols.STRONG)
"""The study's own systems: the one that a CPU can train, and the stronger ones."""

NETWORKS = {
    "psg2025": "Xception, attention", "cutm2024": "plain CNN", "resnet_transfer": "ResNet50, ImageNet",
    "iitk2023_model1": "Model 1", "iitk2023_model2": "Model 2", "colab2023": "plain CNN",
}  # fmt: skip
_IMAGENET = {"resnet_transfer": {"weights": "imagenet"}}  # without these weights it is a variant, which says so


@dataclass(frozen=True)
class Measured:
    """What runs of one configuration (seeds x folds) score together.

    Attributes:
        interval: accuracy as a fraction of 1, mean over seeds, with the 95 % interval of the first seed.
        sd: standard deviation over seeds; NaN for one.
        seeds, folds: how many.
        ran: epochs; `stated`: those of the report, None for the study's own systems.
        variant: settings that are not the report's, or images that are no test images, in words; "" for none.
        learned: whether the interval lies above always answering the commonest class.
        device, hours: of the training.
        runs: the records.
    """

    interval: Interval
    sd: float
    seeds: int
    folds: int
    ran: int
    stated: int | None
    variant: str
    learned: bool
    device: str
    hours: float
    runs: tuple[Record, ...] = field(repr=False)

    @property
    def reduced(self) -> bool:
        """Whether it was trained for fewer epochs than the report states."""
        return self.stated is not None and self.ran < self.stated

    @property
    def note(self) -> str:
        """What one must know of the number: images, seeds, budget, variant."""
        parts = [f"n = {self.interval.n:,}"]
        parts += [f"{self.seeds} seeds, sd {100 * self.sd:.1f}"] if self.seeds > 1 else ["1 seed"]
        parts += [self.budget]
        return ", ".join(parts + ([self.variant] if self.variant else []))

    @property
    def short(self) -> str:
        """The same for a figure, whose caption says what the star is."""
        seeds = f", {self.seeds} seeds" if self.seeds > 1 else ""
        return f"n = {self.interval.n:,}, {self.budget}{seeds}{' *' if self.variant else ''}"

    @property
    def budget(self) -> str:
        """Epochs, how many the report states where they are fewer, and the precision where it is not float32."""
        ran = f"{self.ran} of {self.stated}" if self.reduced else str(self.ran)
        return f"{ran} epochs{self.runs[0].config.precision_note}"


@dataclass(frozen=True)
class Line:
    """One network on one dataset.

    Attributes:
        system: a report's key, or a network of the study.
        detail: the network, in words.
        dataset: `"ckplus"` or `"fer2013"`.
        claim: the report's headline; None for the study's own systems.
        found: by `REPORTED` and `SOUND` what is on record; the first stands for the system, others are variants.
    """

    system: str
    detail: str
    dataset: str
    claim: Claim | None
    found: Mapping[str, tuple[Measured, ...]]

    @property
    def data(self) -> str:
        """The dataset's name for readers."""
        return TITLES[self.dataset]

    @property
    def claimed(self) -> float | None:
        """The claim as a fraction of 1."""
        return self.claim.percent / 100 if self.claim else None

    @property
    def dots(self) -> dict[str, Measured | None]:
        """What stands for the system, by protocol; None where nothing is on record."""
        return {name: next(iter(found), None) for name, found in self.found.items()}


def lines(shelf: Shelf) -> list[Line]:
    """The headlines of the five reports, then the study's own systems that are on record."""
    headlines = [claim for claim in claims.CLAIMS if claim.headline]
    return [_line(claim, shelf) for claim in headlines] + own(shelf)


def own(shelf: Shelf) -> list[Line]:
    """The study's own systems on CK+48 and FER2013, as far as they are on record."""
    found: dict[tuple[str, str, str], list[Measured]] = {}
    for model in OWN:
        for group in study.together(shelf.find(model, None, "sound", score_test=True)):
            config = group[0].config
            if whole(group) and config.dataset in ("ckplus", "fer2013") and _is_own(config):
                source = config.start_from.split("-")[0]
                detail = f"pre-trained on {TITLES[source]}" if source else "from random weights"
                found.setdefault((config.dataset, model, detail), []).append(_measured(group, None))
    return [Line(model, detail, data, None, {SOUND: _ranked(found[data, model, detail])})
            for data, model, detail in sorted(found, key=lambda key: (key[0], OWN.index(key[1]), key[2]))]  # fmt: skip


def _is_own(config: RunConfig) -> bool:
    """On FER2013 the recipe alone stands for a system, so that a variant of it does not."""
    if config.dataset != "fer2013":
        return config.split.max_train is None
    (recipe,) = protocols.stronger(config.model) if config.model in protocols.STRONG else protocols.compact()
    return replace(config, seed=0).key == recipe.key


def _line(claim: Claim, shelf: Shelf) -> Line:
    row = protocols.recipe(claim.model, claim.dataset)
    found = {}
    for name, protocol in ((REPORTED, "reported"), (SOUND, "sound")):
        part = row.scored if protocol == "reported" else "test"
        groups = [_measured(group, row, part) for group in _groups(claim, protocol, shelf)]
        found[name] = _ranked(groups)
    return Line(claim.report, NETWORKS[claim.model], claim.dataset, claim, found)


def _groups(claim: Claim, protocol: str, shelf: Shelf) -> list[list[Record]]:
    """Complete groups of runs that follow the report's description, whatever their budget."""
    options = [{}, _IMAGENET[claim.model]] if claim.model in _IMAGENET else [{}]
    templates = [protocols.configs(claim.model, claim.dataset, protocol, model_options=one)[0] for one in options]
    found = [
        record for record in shelf.find(claim.model, claim.dataset, protocol)
        if any(experiments.follows(record.config, template) for template in templates)
        and record.config.split.kind == templates[0].split.kind and record.config.split.max_train is None
    ]  # fmt: skip
    return [group for group in study.together(found) if whole(group)]


def whole(group: Sequence[Record]) -> bool:
    """Whether all folds of every seed are there."""
    split = group[0].config.split
    folds = split.n_folds if split.kind == "kfold" else 1
    return all(len(runs) == folds for runs in study.by_seed(group).values())


def _measured(group: Sequence[Record], row: protocols.Recipe | None, part: str = "test") -> Measured:
    config, result = group[0].config, study.result(group)
    values = np.array([study.pool(runs).correct.mean() for runs in study.by_seed(group).values()])
    interval = study.pool(study.by_seed(group)[config.seed]).interval
    if part == "train":  # what cutm2024 printed: its "validation" folder was the training folder
        values = np.array([record.history["val_accuracy"].iloc[-1] for record in group])
        n = group[0].run["split"]["train"]
        interval = statistics.wilson_interval(round(values[0] * n), n)
    known = _IMAGENET.get(config.model, {})
    settings = {name: value for name, value in config.model_options.items() if known.get(name) != value}
    variant = [f"{name.replace('_', ' ')} {value} (ours)" for name, value in settings.items()]
    variant += ["from random weights (ours)"] if known and "weights" not in config.model_options else []
    variant += ["scored on its training images"] if part == "train" else []
    return Measured(
        interval=replace(interval, estimate=float(values.mean())),
        sd=statistics.mean_sd(values).sd, seeds=result["seeds"], folds=result["folds"], ran=config.epochs,
        stated=sum(row.epochs) if row else None,
        variant=", ".join(variant), learned=interval.low > _commonest(group),
        device=result["device"], hours=result["hours"], runs=tuple(group),
    )  # fmt: skip


def _commonest(group: Sequence[Record]) -> float:
    labels = np.concatenate([record.predictions("test")[0] for record in group])
    return float(np.bincount(labels).max() / len(labels))


def _ranked(found: Sequence[Measured]) -> tuple[Measured, ...]:
    """What stands for a system first: runs that learned, the report's budget and settings, float32, more training.

    No accuracy above guessing enters this order, so nothing is chosen by its score.
    """
    exact = [not m.runs[0].config.precision_note for m in found]
    order = [
        (m.learned, not m.reduced, not m.variant, in_float32, m.ran, m.folds, m.seeds)
        for m, in_float32 in zip(found, exact, strict=True)
    ]
    return tuple(found[i] for i in sorted(range(len(found)), key=lambda i: order[i], reverse=True))
