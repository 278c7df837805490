"""Run records and measurement records on disk: write, read, find, verify.

A run record is a folder `<id>/` with `run.json`, `history.csv`, `predictions.npz` and, written last, `done`.
Weights and checkpoints may lie beside; they are not part of the record, nor are the rounded weights in `half/` that are
small enough to be committed. A measurement record is a folder with
`measurement.json`, optionally `arrays.npz`, and `done`. Nothing is pickled.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_utils.evaluation import metrics
from fer_utils.files.locks import claim
from fer_utils.files.paths import project_root, reports_root
from fer_utils.files.writing import json_bytes, npz_bytes, write_together
from fer_utils.records import contents
from fer_utils.records.config import RECIPE_VERSION, RunConfig

_CONTEXT = {"labels": np.int8, "subjects": np.int16, "seen": np.bool_}


@dataclass(frozen=True)
class Record:
    """A finished run on disk.

    Attributes:
        path: its folder; the folder's name is its id.
    """

    path: Path

    @property
    def id(self) -> str:
        """Readable name and hash."""
        return self.path.name

    @cached_property
    def run(self) -> dict[str, Any]:
        """`run.json`."""
        return contents.run(self.path)

    @cached_property
    def config(self) -> RunConfig:
        """The configuration it was trained with."""
        return RunConfig.from_dict(self.run["config"])

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row per epoch: epoch (from 1), phase, learning_rate, loss, accuracy, val_loss, val_accuracy, seconds."""
        return contents.history(self.path)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the k classes."""
        return tuple(self.run["class_names"])

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the kept epochs."""
        return tuple(self.run["kept_epochs"])

    def predictions(self, part: str = "test", kept: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Labels int64 (n,) and logits float64 (n, k) of `"validation"` or `"test"`.

        Args:
            part: which part of the split.
            kept: which kept epoch; default: the first of `config.keep`.

        Raises:
            ValueError: the run did not score that part or keep that epoch.
        """
        kept = kept or self.kept[0]
        stored = contents.predictions(self.path, len(self.class_names))
        if f"{part}_{kept}" not in stored:
            raise ValueError(
                f"Run {self.id} holds predictions {', '.join(n for n in stored if _is_logits(n))}; "
                f"asked for {part}_{kept}. Only runs with score_test=True score the test set."
            )
        return stored[f"{part}_labels"].astype(np.int64), stored[f"{part}_{kept}"].astype(np.float64)

    def context(self, part: str, kind: str) -> np.ndarray | None:
        """`"subjects"` int64 (n,) or `"seen"` bool (n,) of a part's images; None where not known."""
        found = contents.predictions(self.path, len(self.class_names)).get(f"{part}_{kind}")
        return found if found is None or found.dtype == bool else found.astype(np.int64)

    def metric(self, name: str = "accuracy", part: str = "test", kept: str | None = None) -> float:
        """A stored metric, as computed from the stored predictions; ValueError where the run has none such."""
        found = self.run["metrics"].get(part, {}).get(kept := kept or self.kept[0], {})
        if name not in found:
            raise ValueError(f"Run {self.id} must hold {name} of {part} {kept}; it holds {', '.join(found) or 'none'}.")
        return found[name]

    def weights(self, kept: str | None = None) -> Path:
        """The weights file of a kept epoch.

        Raises:
            ValueError: the run did not keep that epoch.
            FileNotFoundError: weights are not committed; the message says how to get them.
        """
        kept = kept or self.kept[0]
        if kept not in self.kept:
            raise ValueError(f"Run {self.id} keeps the epochs {', '.join(self.kept)}; asked for {kept!r}. Name one.")
        path = weights_path(self.path, kept, self.run["kept_epochs"][kept])
        if not path.is_file():
            raise FileNotFoundError(
                f"The weights of run {self.id} are not on this machine ({path} is missing). "
                f"Train it again with: python -m fer_utils rerun {self.id}"
            )
        return path


def weights_path(folder: Path, kept: str, epoch: int) -> Path:
    """Where the weights of a kept epoch lie, in the folder of its run."""
    return folder / "weights" / f"{kept}-{epoch:04d}.weights.h5"


def half_path(folder: Path, kept: str, epoch: int) -> Path:
    """Where the weights of a kept epoch lie that are committed beside a record, rounded to float16."""
    return folder / "half" / f"{kept}-{epoch:04d}.weights.h5"


def identify(config: RunConfig, fingerprint: str) -> str:
    """The record's id: readable, plus hashes of the configuration (with the recipe version) and the data."""
    return f"{_readable(config)}-{config.key}-{fingerprint[:6]}"


def _readable(config: RunConfig) -> str:
    """What an id begins with."""
    split = config.split
    where = split.kind if split.kind != "kfold" else f"fold{split.fold + 1}of{split.n_folds}"
    model = config.model.replace(":", ".")  # of a user's own network: no character that a file system forbids
    return f"{config.dataset}-{model}-{where}{f'-by-{split.groups}' if split.groups else ''}-s{config.seed}"


def find(config: RunConfig, store: Path, fingerprint: str | None = None) -> Record | None:
    """The finished record of `config`, however its numbers are spelt (1 or 1.0), or None.

    A record measured on exactly this data (`fingerprint`) comes first, then one on another copy of the dataset: a
    record is loaded rather than trained again. For drawn faces and pictures of one's own only a record with this very
    fingerprint answers, because another one there means other data.
    """
    if fingerprint and is_done(exact := store / identify(config, fingerprint)):
        return Record(exact)
    found = sorted(path for path in store.glob(f"*-{config.key}-*") if is_done(path))
    if not found:
        alike = (path for path in sorted(store.glob(f"{_readable(config)}-*")) if is_done(path))
        found = [path for path in alike if _trains_as(Record(path), config)]
    if fingerprint and config.dataset in ("synthetic", "folders"):
        found = [path for path in found if path.name.endswith(f"-{fingerprint[:6]}")]
    return Record(found[0]) if found else None


def _trains_as(record: Record, config: RunConfig) -> bool:
    """Whether a record is of that training under today's recipe; one that cannot be read is of none."""
    with suppress(OSError, ValueError):
        return record.run["recipe_version"] == RECIPE_VERSION and record.config.trains_as(config)
    return False


def find_all(store: Path, marks: Sequence[str] = ("run.json",)) -> list[Record]:
    """All finished run records of a store, by id: the folders that hold one of the files `marks`."""
    finished = (path for path in sorted(store.glob("*")) if is_done(path))
    return [Record(path) for path in finished if any(os.path.lexists(path / name) for name in marks)]


def is_done(path: Path) -> bool:
    """Whether a record's folder is complete."""
    return (path / "done").is_file()


def write(path: Path, run: Mapping[str, Any], history: pd.DataFrame, predictions: Mapping[str, np.ndarray]) -> Record:
    """Write a run record; `done` comes last. Metrics are computed here, from the float16 predictions.

    Args:
        path: the record's folder.
        run: contents of `run.json` except its metrics.
        history: one row per epoch.
        predictions: `"<part>_<kept>"` logits (n, k) and, for each part, `"<part>_labels"` int (n,); where known
            `"<part>_subjects"` int (n,) and `"test_seen"` bool (n,), whether the pixels also stand in training.

    Raises:
        ValueError: the record would be larger than 500 KB.
    """
    stored = {name: _compact(name, array) for name, array in predictions.items()}
    described = {**run, "metrics": _metrics(stored, run["config"]["loss"])}
    table = history.to_csv(index=False, lineterminator="\n")
    files = {"predictions.npz": npz_bytes(stored), "history.csv": table.encode(), "run.json": json_bytes(described)}
    write_together(path, files, "Keep fewer epochs.")
    return Record(path)


def _compact(name: str, array: np.ndarray) -> np.ndarray:
    if (kind := name.split("_", 1)[1]) in _CONTEXT:
        return array.astype(_CONTEXT[kind])
    limit = float(np.finfo(np.float16).max)
    return np.clip(array, -limit, limit).astype(np.float16)


def _is_logits(name: str) -> bool:
    return name.split("_", 1)[1] not in _CONTEXT


def _metrics(stored: Mapping[str, np.ndarray], loss: str) -> dict[str, dict[str, dict[str, float]]]:
    scores = "softmax" if loss == "cross_entropy" else "margin"
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, array in stored.items():
        if _is_logits(name):
            part, kept = name.split("_", 1)
            labels = stored[f"{part}_labels"].astype(np.int64)
            found.setdefault(part, {})[kept] = metrics.summary(labels, array.astype(np.float64), scores=scores)
    return found


def verify(record: Record, tolerance: float = 1e-9) -> list[str]:
    """Check that a record's id follows from its configuration and its metrics from its predictions.

    Returns:
        What is wrong, one sentence each; empty when the record holds.
    """
    try:
        return _problems(record, tolerance)
    except (OSError, ValueError) as error:
        return [f"it cannot be read: {error}"]


def _problems(record: Record, tolerance: float) -> list[str]:
    problems = []
    expected = identify(record.config, record.run["dataset"]["fingerprint"])
    if record.run["recipe_version"] == RECIPE_VERSION and expected != record.id:
        problems.append(f"its configuration belongs to {expected}")
    if len(record.history) != record.run["epochs"]:
        problems.append(f"its history has {len(record.history)} epochs of {record.run['epochs']}")
    stored = contents.predictions(record.path, len(record.class_names))
    computed = _flat(_metrics(stored, record.config.loss))
    claimed = _flat(record.run["metrics"])
    problems += [
        f"{name}: {claimed.get(name)} is stored, {computed.get(name)} follows from the predictions"
        for name in sorted(claimed.keys() | computed.keys())
        if not abs(claimed.get(name, np.nan) - computed.get(name, np.nan)) <= tolerance
    ]
    if not record.config.score_test and any(name.startswith("test ") for name in computed):
        problems.append("it scored the test set without being declared final (score_test)")
    return problems


def _flat(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, float]:
    """By "<part> <kept> <metric>"."""
    frame = {f"{part} {kept}": values for part, by_kept in found.items() for kept, values in by_kept.items()}
    return {f"{where} {metric}": value for where, values in frame.items() for metric, value in values.items()}


def measure(name: str, store: Path, compute: Callable[[], tuple[dict[str, Any], dict[str, np.ndarray]]]) -> Measurement:
    """Load the measurement record `name`, or compute and write it.

    Args:
        name: folder name; it should say what was measured on which data.
        store: folder of measurement records, e.g. `reports/measurements`.
        compute: returns JSON-ready values and small arrays.

    Raises:
        ValueError: the record would be larger than 500 KB.
    """
    path = store / name
    if not is_done(path):
        values, arrays = compute()
        files = {"arrays.npz": npz_bytes(arrays), "measurement.json": json_bytes(values)}
        with claim(path):
            write_together(path, files, "Store less.")
    return Measurement(path)


def measured(pattern: str, *stores: Path) -> Measurement | None:
    """The first finished measurement record of that name (`*` stands for anything), or None.

    Args:
        pattern: its folder's name.
        *stores: folders of measurement records, in the order to look; default those of `$FER_REPORTS` and of the
            project.
    """
    default = (root / "measurements" for root in dict.fromkeys((reports_root(), project_root() / "reports")))
    found = (path for store in stores or default for path in sorted(store.glob(pattern)))
    return next((Measurement(path) for path in found if is_done(path)), None)


@dataclass(frozen=True)
class Measurement:
    """A finished measurement on disk."""

    path: Path

    @cached_property
    def values(self) -> dict[str, Any]:
        """The JSON part."""
        return contents.measured_values(self.path)

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays, by name."""
        return contents.measured_arrays(self.path)
