"""Records as a training would leave them, made of random scores in no time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_utils import records
from fer_utils.data import EXPRESSIONS
from fer_utils.data.splits import SplitSpec
from fer_utils.records import Record
from fer_utils.records.config import RECIPE_VERSION, Phase, RunConfig

CONFIG = RunConfig(
    "tiny", "synthetic", (Phase(2, 1e-3),), split=SplitSpec("kfold", groups="subjects", fold=1, validation_size=0.2),
    keep=("best_validation", "last"), score_test=True, seed=3,
)  # fmt: skip
FINGERPRINT = "0123456789abcdef"
HISTORY = pd.DataFrame({"epoch": [1, 2], "phase": [1, 1], "loss": [2.0, 1.5], "val_loss": [1.9, 1.8]})


def description(config: RunConfig, fingerprint: str = FINGERPRINT) -> dict[str, Any]:
    return {
        "id": records.identify(config, fingerprint), "recipe_version": RECIPE_VERSION, "config": config.to_dict(),
        "dataset": {"name": config.dataset, "n": 50, "fingerprint": fingerprint}, "class_names": list(EXPRESSIONS),
        "kept_epochs": {name: 1 + i for i, name in enumerate(config.keep)},
        "chosen_on_test": list(config.chosen_on_test), "split": {"train": 50, "validation": 40, "test": 40},
        "epochs": 2, "seconds": 1.0, "device": "none", "backend": "none", "peak_memory_mib": 100,
    }  # fmt: skip


def scores(
    n: int = 40, parts: tuple[str, ...] = ("validation", "test"), seed: int = 0, keep: tuple[str, ...] = CONFIG.keep
) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {}
    for part in parts:
        labels = np.arange(n) % 7
        logits = {k: rng.normal(size=(n, 7)) + 2 * np.eye(7)[labels] for k in keep}
        found |= {f"{part}_labels": labels, f"{part}_subjects": np.arange(n) // 7}
        found |= {f"{part}_{kept}": array.astype(np.float32) for kept, array in logits.items()}
    if "test" in parts:
        found["test_seen"] = rng.random(n) < 0.2
    return found


def written(store: Path, config: RunConfig = CONFIG, fingerprint: str = FINGERPRINT, seed: int = 0) -> Record:
    parts = ("validation", "test") if config.score_test else ("validation",)
    path = store / records.identify(config, fingerprint)
    given = scores(parts=parts, seed=seed, keep=config.keep)
    return records.write(path, description(config, fingerprint), HISTORY, given)


def listed(config: RunConfig, store: Path) -> Record:
    """A record with what the list shows besides its metrics."""
    record = written(store, config, seed=10 * config.seed + config.split.fold)
    extra = {"epochs": 2, "seconds": 90.0, "device": "a CPU", "backend": "tensorflow", "peak_memory_mib": 2048}
    (record.path / "run.json").write_text(json.dumps({**record.run, **extra}))
    return Record(record.path)


def logits(labels: np.ndarray, correct: np.ndarray) -> np.ndarray:
    return np.eye(7)[np.where(correct, labels, (labels + 1) % 7)]


def finished(
    store: Path, config: RunConfig, right: Sequence[float], *, subjects: np.ndarray | None = None,
    seen: np.ndarray | None = None, n: int = 40, train: Sequence[float] = (0.9, 1.0),
) -> Record:  # fmt: skip
    """A record of a run that never ran: `right` is its accuracy on validation and, per kept epoch, on test."""
    rng = np.random.default_rng([config.seed, config.split.fold])
    labels = rng.integers(0, 7, n)
    found: dict[str, np.ndarray] = {}
    for part in ("validation", "test"):
        found[f"{part}_labels"] = labels
        for i, kept in enumerate(config.keep):
            share = right[0] if part == "validation" else right[1 + i]
            found[f"{part}_{kept}"] = logits(labels, np.arange(n) < round(share * n))
        if subjects is not None:
            found[f"{part}_subjects"] = subjects
    if seen is not None:
        found["test_seen"] = seen
    history = pd.DataFrame(
        {"epoch": [1, 2], "phase": 1, "accuracy": 0.5, "val_accuracy": [right[0]] * 2, "test_accuracy": [right[1]] * 2}
    ).assign(train_accuracy=list(train))
    return records.write(store / records.identify(config, "0123456789abcdef"), described(config, n), history, found)


def described(config: RunConfig, n: int) -> dict[str, Any]:
    """What `run.json` says of a run that never ran and scored n images."""
    return {
        "config": config.to_dict(), "class_names": list("abcdefg"), "recipe_version": 1, "chosen_on_test": [],
        "kept_epochs": dict.fromkeys(config.keep, 1), "dataset": {"fingerprint": "0123456789abcdef"},
        "epochs": config.epochs, "seconds": 1.0, "device": "none", "backend": "none", "peak_memory_mib": 100,
        "split": {"train": 5000, "validation": n, "test": n, "hash": f"{config.split.kind} {config.split.seed}"},
    }  # fmt: skip
