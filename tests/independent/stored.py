"""What is stored on disk, read anew: run records and measurements, with the answers that follow from their logits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

REPORTS = Path(__file__).resolve().parents[2] / "reports"
_ABSENT = {
    "start_from": "", "augmentation_rare": "", "augmentation_strength": 1.0, "precision": "float32", "mixup": 0.0,
    "cutmix": 0.0, "weight_averaging": 0.0, "teachers": [], "teaching": 0.0,
}  # fmt: skip
_ABSENT_IN_PHASES = {"schedule": "constant", "warmup_epochs": 0.0, "size": None, "trainable": "all", "final_rate": 0.0}


@dataclass(frozen=True, eq=False)
class Run:
    """One finished training: `run.json` as it is, and the arrays beside it."""

    folder: Path

    @cached_property
    def facts(self) -> dict[str, Any]:
        return json.loads((self.folder / "run.json").read_text(encoding="utf-8"))

    @cached_property
    def config(self) -> dict[str, Any]:
        """The configuration; what an older record does not name has its neutral value."""
        config = _ABSENT | self.facts["config"]
        config["split"] = {"test_copies": "natural"} | config["split"]
        config["phases"] = [_ABSENT_IN_PHASES | phase for phase in config["phases"]]
        return config

    @property
    def split(self) -> dict[str, Any]:
        return self.config["split"]

    @property
    def epochs(self) -> tuple[int, ...]:
        """Of each phase."""
        return tuple(phase["epochs"] for phase in self.config["phases"])

    @cached_property
    def history(self) -> pd.DataFrame:
        return pd.read_csv(self.folder / "history.csv")

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        with np.load(self.folder / "predictions.npz", allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}

    def answers(self, kept: str, part: str = "test") -> pd.DataFrame:
        """An image a row: label, what the network said, whether that is right, and who is shown (-1: nobody knows)."""
        labels = self.arrays[f"{part}_labels"].astype(int)
        said = self.arrays[f"{part}_{kept}"].astype(float).argmax(axis=1)
        persons = self.arrays.get(f"{part}_subjects", np.full(len(labels), -1)).astype(int)
        return pd.DataFrame({"label": labels, "said": said, "right": said == labels, "person": persons})

    def pairs(self, part: str) -> set[tuple[int, int]]:
        """Persons and labels that occur together in a part."""
        return set(zip(*(self.arrays[f"{part}_{name}"].tolist() for name in ("subjects", "labels")), strict=True))


def runs() -> list[Run]:
    """All finished runs, by name."""
    return [Run(path.parent) for path in sorted((REPORTS / "runs").glob("*/done"))]


def measurement(pattern: str) -> dict[str, Any] | None:
    """The values of the one measurement whose name fits, or None."""
    found = _measured(pattern)
    return json.loads((found / "measurement.json").read_text(encoding="utf-8")) if found else None


def measured_arrays(pattern: str) -> dict[str, np.ndarray]:
    """The arrays of the same."""
    with np.load(_measured(pattern) / "arrays.npz", allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _measured(pattern: str) -> Path | None:
    found = sorted((REPORTS / "measurements").glob(f"{pattern}/done"))
    assert len(found) <= 1, f"{len(found)} measurements are called {pattern}"
    return found[0].parent if found else None


def mirrored(run: Run) -> pd.DataFrame | None:
    """The answers on a run's test part when each image was averaged with its mirror image; None: not measured."""
    pattern = f"flips-{run.facts['id']}"
    if not _measured(pattern):
        return None
    table = run.answers(run.config["keep"][0])
    said = measured_arrays(pattern)["test"].astype(float).argmax(axis=1)
    return table.assign(said=said, right=said == table["label"])


def seeds(group: Iterable[Run]) -> list[list[Run]]:
    """The folds of each seed, both in ascending order."""
    found: dict[int, list[Run]] = {}
    for run in sorted(group, key=lambda run: (run.config["seed"], run.split["fold"])):
        found.setdefault(run.config["seed"], []).append(run)
    return list(found.values())


def comparable(a: Sequence[Run], b: Sequence[Run]) -> list[list[Run]]:
    """The runs of the seeds that both sides have; all, where a side has a single seed."""
    own = [{run.config["seed"] for run in side} for side in (a, b)]
    common = set.intersection(*own) if min(map(len, own)) > 1 else set.union(*own)
    return [[run for run in side if run.config["seed"] in common] for side in (a, b)]


def complete(group: Sequence[Run]) -> bool:
    """Whether every seed has all of its folds."""
    return all(len(folds) == n_folds(folds[0]) for folds in seeds(group))


def n_folds(run: Run) -> int:
    return run.split["n_folds"] if run.split["kind"] == "kfold" else 1


def pooled(folds: Sequence[Run], kept: str, part: str = "test") -> pd.DataFrame:
    """The images of all folds of one seed, one fold behind the other."""
    return pd.concat([run.answers(kept, part) for run in folds], ignore_index=True)


def groups(found: Iterable[Run]) -> list[list[Run]]:
    """Runs that differ in seed and fold alone, without the seeds that lack a fold."""
    alike: dict[str, list[Run]] = {}
    for run in found:
        config = {k: v for k, v in run.config.items() if k not in ("seed", "report")}
        config["split"] = {k: v for k, v in run.split.items() if k != "fold"}
        alike.setdefault(json.dumps(config, sort_keys=True), []).append(run)
    there = ([run for folds in seeds(group) if complete(folds) for run in folds] for group in alike.values())
    return [group for group in there if group]
