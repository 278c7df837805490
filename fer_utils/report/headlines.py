"""What stands for a system: a report's headline, its network re-run as reported, the same under the sound protocol.

Nothing measured is written here: every number comes from run records, and what no record holds is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from fer_utils.analysis.eda import TITLES
from fer_utils.analysis.prices import confirmations
from fer_utils.evaluation import intervals, statistics
from fer_utils.evaluation.statistics import Interval
from fer_utils.records import Record
from fer_utils.records.config import RunConfig, in_words
from fer_utils.report.audit import claims
from fer_utils.report.audit.claims import Claim
from fer_utils.report.records_index import Shelf
from fer_utils.study import protocols, recipes
from fer_utils.study.pooling import EPOCHS, complete, of_common_seeds, result, right_answers, stopped_early

REPORTED, SOUND, TRAINING = "re-run as reported", "sound", "scored on its training images"
NETWORKS = {
    "psg2025": "Xception, attention", "cutm2024": "plain CNN", "resnet_transfer": "ResNet50, ImageNet",
    "iitk2023_model1": "Model 1", "iitk2023_model2": "Model 2", "colab2023": "plain CNN",
}  # fmt: skip
_IMAGENET = {"resnet_transfer": {"weights": "imagenet"}}  # without these weights it is a variant, which says so
_RANDOM = "from random weights"


@dataclass(frozen=True)
class Measured:
    """What runs of one configuration (seeds x folds) score together.

    Attributes:
        interval: accuracy as a fraction of 1, mean over seeds, with its 95 % interval (`evaluation.intervals`).
        kept: the epoch that it belongs to, the protocol's own.
        others: the same of the other kept epoch, by its name: both protocols print both.
        sd: standard deviation over seeds; NaN for one.
        seeds, folds: how many.
        ran: epochs; `stated`: those of the report, None for the study's own systems.
        variant: images that are no test images, in words; "" for test images.
        device, hours: of the training.
        runs: the records.
    """

    interval: Interval
    kept: str
    others: Mapping[str, Interval]
    sd: float
    seeds: int
    folds: int
    ran: int
    stated: int | None
    variant: str
    device: str
    hours: float
    runs: tuple[Record, ...] = field(repr=False)

    @property
    def reduced(self) -> bool:
        """Whether it was trained for fewer epochs than the report states."""
        return self.stated is not None and self.ran < self.stated

    @property
    def epoch(self) -> str:
        """The kept epoch in words."""
        return EPOCHS.get(self.kept, self.kept)

    @property
    def beside(self) -> dict[str, Interval]:
        """The other epoch's accuracy, by the epoch in words; empty where only one was kept."""
        return {EPOCHS.get(name, name): found for name, found in self.others.items()}

    @property
    def note(self) -> str:
        """What one must know of the number: epoch kept, the other epoch, images, seeds, budget, variant."""
        beside = [f"{epoch} {found.percent()}" for epoch, found in self.beside.items()]
        parts = [f"{self.epoch} ({'; '.join(beside)})" if beside else self.epoch, f"n = {self.interval.n:,}"]
        parts += [f"{self.seeds} seeds, sd {100 * self.sd:.1f}"] if self.seeds > 1 else ["1 seed"]
        parts += [self.budget]
        return ", ".join(parts + ([self.variant] if self.variant else []))

    @property
    def short(self) -> str:
        """Images, epochs and seeds, for a figure."""
        seeds = f", {self.seeds} seeds" if self.seeds > 1 else ""
        return f"n = {self.interval.n:,}, {self.budget}{seeds}{', on training images' if self.variant else ''}"

    @property
    def budget(self) -> str:
        """Epochs, how many the report states where they are fewer, early stopping, and a precision but float32."""
        ran = f"{self.ran} of {self.stated}" if self.reduced else str(self.ran)
        return f"{ran} epochs{stopped_early(self.runs)}{self.runs[0].config.precision_note}"


@dataclass(frozen=True)
class Line:
    """One network on one dataset.

    Attributes:
        system: a report's key, or a network of the study.
        detail: the network, in words; *modified* and how, where its settings are not the report's.
        dataset: `"ckplus"` or `"fer2013"`.
        claim: the report's headline; None for modified and for the study's own systems. Where a report starts from
            ImageNet's weights and no such run is on record, the network from random weights stands for it and says so.
        found: by `REPORTED` and `SOUND` what is on record; the first stands for the system, others have other budgets.
        changed: what the recipe of one of the study's own changes in `protocols.compact`, in words; stands in `detail`.
    """

    system: str
    detail: str
    dataset: str
    claim: Claim | None
    found: Mapping[str, tuple[Measured, ...]]
    changed: str = ""

    @property
    def data(self) -> str:
        """The dataset's name for readers."""
        return TITLES[self.dataset]

    @property
    def claimed(self) -> float | None:
        """The claim as a fraction of 1."""
        return self.claim.percent / 100 if self.claim else None

    @property
    def printed(self) -> str:
        """The claim as its report prints it."""
        return self.claim.printed if self.claim else ""

    @property
    def dots(self) -> dict[str, Measured | None]:
        """What stands for the system, by protocol; None where nothing is on record."""
        return {name: next(iter(found), None) for name, found in self.found.items()}

    @property
    def gap(self) -> Interval | None:
        """As reported minus sound at one rule, last epoch against last; None unless both ran alike, apart."""
        one, other = (self.dots.get(name) for name in (REPORTED, SOUND))
        if not one or not other or one.runs == other.runs or one.variant:
            return None
        if len({(side.ran, side.runs[0].config.precision) for side in (one, other)}) > 1:
            return None
        if not all("last" in record.kept for record in (*one.runs, *other.runs)):
            return None
        sides = (right_answers(runs, "last") for runs in of_common_seeds(one.runs, other.runs))
        return intervals.difference(*sides, paired=self.dataset == "ckplus")


def lines(shelf: Shelf) -> list[Line]:
    """The headlines of the five reports, each with its modified variants, then the study's own systems on record."""
    return list(_all_lines(shelf))


@lru_cache(maxsize=4)
def _all_lines(shelf: Shelf) -> tuple[Line, ...]:
    """Many answers of a page read the lines of one shelf; their intervals take seconds."""
    headlines = [claim for claim in claims.CLAIMS if claim.headline]
    return (*(line for claim in headlines for line in _lines(claim, shelf)), *own(shelf))


def own(shelf: Shelf) -> list[Line]:
    """The study's own systems on CK+48 and FER2013 that were declared final; every recipe is a system of its own."""
    found: dict[tuple[str, str, str, str], list[Measured]] = {}
    for model in protocols.OWN:
        for group in complete(shelf.find(model, None, "sound", score_test=True)):
            config = group[0].config
            if config.dataset in ("ckplus", "fer2013") and config.split.max_train is None:
                source = config.start_from.split("-")[0]
                start = f"pre-trained on {TITLES[source]}" if source else "from random weights"
                changed = recipes.changed(config) if config.dataset == "fer2013" else ""
                found.setdefault((config.dataset, model, start, changed), []).append(_measured(group, None))
    lines = []
    for key in sorted(found, key=lambda key: (key[0], protocols.OWN.index(key[1]), *key[2:])):
        data, model, start, changed = key
        detail = f"{start}, {changed}" if changed else start
        lines.append(Line(model, detail, data, None, {SOUND: _ranked(found[key])}, changed))
    return lines


def _lines(claim: Claim, shelf: Shelf) -> list[Line]:
    """The system as its report describes it, then what is on record of it modified."""
    row = protocols.recipe(claim.model, claim.dataset)
    found: dict[str, dict[str, list[Measured]]] = {"": {}}
    for name, protocol in ((REPORTED, "reported"), (SOUND, "sound")):
        part = row.scored if protocol == "reported" else "test"
        for group in _groups(claim, protocol, shelf):
            change = modified(group[0].config)
            found.setdefault(change, {}).setdefault(name, []).append(_measured(group, row, part))
    own = "" if found[""] or _RANDOM not in found else _RANDOM
    if own:
        del found[""]
    return [
        Line(
            claim.report, _detail(claim, change, change == own), claim.dataset, claim if change == own else None,
            {name: _ranked(by_protocol.get(name, ())) for name in (REPORTED, SOUND)},
        )
        for change, by_protocol in sorted(found.items())
    ]  # fmt: skip


def _detail(claim: Claim, change: str, stands: bool) -> str:
    """The network in words; `stands` where nothing unmodified is on record, and what is stands for the system."""
    network, _, start = (detail := NETWORKS[claim.model]).partition(", ")
    if change and stands:
        return f"{network}, {change.removeprefix('from ')}, not {start}'s"
    return f"{detail}, *modified*: {change}" if change else detail


def _groups(claim: Claim, protocol: str, shelf: Shelf) -> list[list[Record]]:
    """Complete groups of runs that follow the report's description, whatever their budget."""
    templates = described(claim, protocol)
    found = [
        record for record in shelf.find(claim.model, claim.dataset, protocol)
        if any(confirmations.follows(record.config, template) for template in templates)
        and record.config.split.kind == templates[0].split.kind and record.config.split.max_train is None
    ]  # fmt: skip
    return complete(found)


def described(claim: Claim, protocol: str, **changes: Any) -> list[RunConfig]:
    """The configurations that are a report's own under a protocol: from ImageNet's weights too, where it has them.

    Args:
        claim: names network and dataset.
        protocol: `"reported"` or `"sound"`.
        changes: fields of `RunConfig` that the claim sets otherwise.
    """
    options = [{}, _IMAGENET[claim.model]] if claim.model in _IMAGENET else [{}]
    return [protocols.configs(claim.model, claim.dataset, protocol, model_options=o, **changes)[0] for o in options]


def modified(config: RunConfig) -> str:
    """Options of a report's network that are not the report's own, in words; "" where all are."""
    known = _IMAGENET.get(config.model, {})
    settings = {name: value for name, value in config.model_options.items() if known.get(name) != value}
    texts = (in_words(settings), _RANDOM if known and "weights" not in config.model_options else "")
    return ", ".join(filter(None, texts))


def _measured(group: Sequence[Record], row: protocols.Recipe | None, part: str = "test") -> Measured:
    config, found = group[0].config, result(group)
    other = [name for name in dict.fromkeys(("last", *group[0].kept)) if name in EPOCHS and name in group[0].kept]
    others = {name: intervals.of_answers(right_answers(group, name)) for name in other if name != found["kept"]}
    interval = Interval(found["accuracy"], found["low"], found["high"], 0.95, found["n"], found["method"])
    sd, kept = found["sd"], found["kept"]
    if part == "train":  # what cutm2024 printed, after its last epoch: its "validation" folder was the training folder
        kept, (interval, sd) = "last", on_training(group, "last")
        others = {name: on_training(group, name)[0] for name in other if name != kept}
    return Measured(
        interval=interval, kept=kept, others=others, sd=sd, seeds=found["seeds"], folds=found["folds"],
        ran=config.epochs, stated=sum(row.epochs) if row else None, variant=TRAINING if part == "train" else "",
        device=found["device"], hours=found["hours"], runs=tuple(group),
    )  # fmt: skip


def on_training(group: Sequence[Record], kept: str, column: str = "val_accuracy") -> tuple[Interval, float]:
    """Accuracy on the images trained on at a kept epoch, from the history, and its deviation over seeds.

    Args:
        group: runs.
        kept: the epoch.
        column: `"val_accuracy"` of runs that watched these images, or `"accuracy"`, measured while training.
    """
    values = np.array([r.history[column].iloc[r.run["kept_epochs"][kept] - 1] for r in group])
    n = group[0].run["split"]["train"]
    interval = replace(statistics.wilson_interval(round(values.mean() * n), n), estimate=float(values.mean()))
    return interval, statistics.mean_sd(values).sd


def _ranked(found: Sequence[Measured]) -> tuple[Measured, ...]:
    """What stands for a system first: the report's budget, float32, longer training, folds, seeds; no score decides."""
    def order(m: Measured) -> tuple:
        return not m.reduced, not m.runs[0].config.precision_note, m.ran, m.folds, m.seeds

    return tuple(sorted(found, key=order, reverse=True))
