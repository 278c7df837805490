"""What a search tries: ranges of hyper-parameters for each network, and the plan that a method makes of them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from fer_utils import models
from fer_utils.data.splits import SplitSpec
from fer_utils.records.config import Phase, RunConfig
from fer_utils.study import protocols

METHODS = ("random", "bayesian", "hyperband")


@dataclass(frozen=True)
class Real:
    """A real number, uniform in [low, high] or, with `log`, log-uniform; rounded to three significant digits."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"A range goes up, and from above 0 if by logarithm; got {self}. Exchange or raise ends.")


@dataclass(frozen=True)
class Choice:
    """One of several numbers, given in rising order."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.values) < 2 or list(self.values) != sorted(set(self.values)):
            raise ValueError(f"A choice has two or more different numbers in rising order; got {self.values}.")


Space = Mapping[str, Real | Choice]

SPACES: Mapping[str, Space] = {
    "iitk2023_model2": {
        "learning_rate": Real(1e-4, 1e-2, log=True),
        "batch_size": Choice((8, 16, 32, 64)),
        "dropout": Real(0.0, 0.6),
        "head_l2": Real(1e-6, 1e-1, log=True),
        "width": Choice((0.25, 0.5, 1.0)),
        "depth": Choice((3, 4, 5)),
        "augmentation_strength": Real(0.0, 2.0),
    },
    "psg2025": {
        "learning_rate": Real(1e-4, 1e-2, log=True),
        "batch_size": Choice((16, 32, 64, 128)),
        "dropout": Real(0.0, 0.6),
        "head_l2": Real(1e-6, 1e-1, log=True),
        "width": Choice((0.25, 0.5, 1.0)),
        "depth": Choice((2, 4, 8)),
        "augmentation_strength": Real(0.0, 1.5),
    },
    "tiny": {
        "learning_rate": Real(1e-3, 1e-1, log=True),
        "batch_size": Choice((8, 16, 32)),
        "dropout": Real(0.0, 0.6),
        "head_l2": Real(1e-6, 1e-1, log=True),
        "width": Choice((0.5, 1.0, 2.0)),
        "augmentation_strength": Real(0.0, 2.0),
    },
}
"""What is searched for each network. Names: `learning_rate`, fields of `RunConfig`, options of `models.build`."""

POLICIES: Mapping[str, str] = {"iitk2023_model2": "iitk2023", "psg2025": "psg2025", "tiny": "light"}
"""The augmentation whose ranges `augmentation_strength` multiplies: the report's own, `light` for `tiny`."""


@dataclass(frozen=True)
class Search:
    """One search.

    Attributes:
        start: the report's own values, with the split; everything the space does not name stays as it is here.
        space: name to what may be tried.
        policy: augmentation under `augmentation_strength`.
        method: one of `METHODS`.
        max_epochs: of the longest trial.
        trials: how many full-length trials random and Bayesian search train; Hyperband follows from the next.
        factor: of Hyperband: a round keeps one in `factor` trials and trains them `factor` times as long.
        seed: of what is drawn from the space.
    """

    start: RunConfig
    space: Space
    policy: str
    method: str = "random"
    max_epochs: int = 10
    trials: int = 12
    factor: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method is one of {', '.join(METHODS)}; got {self.method!r}.")
        if self.start.score_test or self.start.monitor != "validation":
            raise ValueError("A search watches validation and never scores the test set; got a run that does.")
        known = {"learning_rate", *models.options(self.start.model)} | {f.name for f in dataclasses.fields(RunConfig)}
        if unknown := set(self.space) - known:
            raise ValueError(f"A space names learning_rate, fields of RunConfig or network options; got {unknown}.")

    @cached_property
    def name(self) -> str:
        """Readable name and 10 hexadecimal digits of everything that decides the outcome."""
        space = {name: repr(values) for name, values in self.space.items()}
        budget = self.factor if self.method == "hyperband" else self.trials
        content = [self.start.key, space, self.policy, self.method, self.max_epochs, budget, self.seed]
        digest = hashlib.blake2b(json.dumps(content).encode(), digest_size=5).hexdigest()
        return f"tuning-{self.start.dataset}-{self.start.model}-{self.method}-{digest}"

    @property
    def untuned(self) -> RunConfig:
        """The report's own values, trained as long as the longest trial."""
        return replace(self.start, phases=(Phase(self.max_epochs, self.start.phases[0].learning_rate),))

    def configure(self, values: Mapping[str, float], epochs: int) -> RunConfig:
        """The run that tries `values` for that many epochs at a constant rate; never scores the test set."""
        values = {name: _rounded(values[name], self.space[name]) for name in self.space}
        own = {f.name for f in dataclasses.fields(RunConfig)}
        fields = {name: value for name, value in values.items() if name in own}
        if "augmentation_strength" in fields:
            fields["augmentation"] = self.policy
        options = {name: v for name, v in values.items() if name not in own and name != "learning_rate"}
        rate = values.get("learning_rate", self.start.phases[0].learning_rate)
        options = {**self.start.model_options, **options}
        return replace(self.start, phases=(Phase(epochs, rate),), model_options=options, **fields)


def plan(
    model: str,
    dataset: str,
    method: str,
    *,
    max_epochs: int = 10,
    trials: int | None = None,
    factor: int = 3,
    seed: int = 0,
    n_folds: int = protocols.FOLDS,
    dataset_options: Mapping[str, Any] | None = None,
    model_options: Mapping[str, Any] | None = None,
) -> Search:
    """The search of this study for a network on a dataset: the sound protocol's split, its first fold on CK+48.

    Args:
        model: a key of `SPACES`.
        dataset: as in `fer_utils.data.load`.
        method, max_epochs, factor, seed: see `Search`; `seed` is also that of every training.
        trials: see `Search`; None for as many as cost what Hyperband costs.
        n_folds: folds of CK+48.
        dataset_options, model_options: of every trial.

    Raises:
        ValueError: no space for this network.
    """
    if model not in SPACES:
        raise ValueError(f"There are search spaces for {', '.join(SPACES)}; got {model!r}. Choose one, or add a space.")
    rounds = hyperband_plan(max_epochs, factor)
    trials = trials or round((rounds["trials"] * rounds["new_epochs"]).sum() / max_epochs)
    common = {"dataset_options": dict(dataset_options or {}), "model_options": dict(model_options or {})}
    common |= {"score_test": False, "keep": ("best_validation",)}
    if any(row.model == model for row in protocols.REPORTED):
        start = protocols.configs(model, dataset, "sound", seeds=[seed], n_folds=n_folds, **common)[0]
    else:
        start = RunConfig(model, dataset, (Phase(max_epochs, 1e-3),), SplitSpec("usage"), seed=seed, **common)
    return Search(start, SPACES[model], POLICIES[model], method, max_epochs, trials, factor, seed)


def hyperband_plan(max_epochs: int, factor: int = 3) -> pd.DataFrame:
    """What one pass of KerasTuner's Hyperband trains: one row per round, in order.

    Returns:
        `bracket`, `round`, `trials`, `epochs` (each trial's total), `new_epochs` (that this round adds to it).

    Raises:
        ValueError: fewer than 1 epoch, or a factor below 2.

    Example:
        >>> print(hyperband_plan(9).to_string(index=False))
         bracket  round  trials  epochs  new_epochs
               2      0       9       1           1
               2      1       3       3           2
               2      2       1       9           6
               1      0       5       3           3
               1      1       2       9           6
               0      0       3       9           9
    """
    if max_epochs < 1 or factor < 2:
        raise ValueError(f"Hyperband needs at least 1 epoch and a factor of 2; got {max_epochs} and {factor}.")
    brackets = 1 + max(b for b in range(64) if max_epochs / factor**b >= 1)
    rows = []
    for bracket in reversed(range(brackets)):
        before = 0
        for number in range(bracket + 1):
            left = bracket - number
            size = math.ceil(math.ceil(1 + math.log(max_epochs, factor)) / (bracket + 1) * factor**left)
            epochs = math.ceil(max_epochs / factor**left)
            row = {"bracket": bracket, "round": number, "trials": size, "epochs": epochs}
            rows.append(row | {"new_epochs": epochs - before})
            before = epochs
    return pd.DataFrame(rows)


def final(search: Search, row: Mapping[str, Any]) -> RunConfig:
    """The winner's run once more, declared final: the same training to the bit, which now scores the test set."""
    return replace(search.configure(row, int(row["epochs"])), score_test=True)


def space_table(search: Search) -> pd.DataFrame:
    """The space for readers: what may be tried, how it is drawn, and the value a search starts from."""
    start, options = search.start, models.options(search.start.model) | dict(search.start.model_options)
    off = {"augmentation_strength": 1.0 if start.augmentation == search.policy else 0.0, "head_l2": options["head_l2"]}
    known = {"learning_rate": start.phases[0].learning_rate, "batch_size": start.batch_size} | off
    rows = {}
    for name, values in search.space.items():
        real = isinstance(values, Real)
        rows[name.replace("_", " ")] = {
            "tried": f"{values.low:g} to {values.high:g}" if real else ", ".join(f"{v:g}" for v in values.values),
            "drawn": ("evenly by logarithm" if values.log else "evenly") if real else "one of these",
            "untuned": f"{known.get(name, options.get(name)):g}",
        }
    return pd.DataFrame(rows).T


def _rounded(value: float, kind: Real | Choice) -> float:
    """Three digits of a real number, or the choice it stands for (values may have passed through float32)."""
    if isinstance(kind, Real):
        return float(f"{value:.3g}")
    return min(kind.values, key=lambda choice: abs(choice - value))
