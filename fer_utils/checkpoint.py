"""The whole state of a training in one file, written at once or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fer_utils.records import atomic, weights_path


@dataclass
class State:
    """What a training knows besides its variables.

    Attributes:
        epoch: epochs finished.
        history: one row per finished epoch.
        kept: kept epoch's name -> epoch (from 1) it stands for so far.
        best: part -> highest accuracy so far.
        best_loss: lowest monitored loss since the phase began (for plateau and early stopping).
        plateau_wait, stop_wait: epochs since then.
        rate_factor: what plateaus have made of the phase's learning rate.
        stopped: early stopping has ended the training.
        seconds: wall time of all processes that worked on it; train_seconds: of the train steps alone.
        images: trained on.
    """

    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    best_loss: float = float("inf")
    plateau_wait: int = 0
    stop_wait: int = 0
    rate_factor: float = 1.0
    stopped: bool = False
    seconds: float = 0.0
    train_seconds: float = 0.0
    images: int = 0


def save(path: Path, state: State, model: keras.Model) -> None:
    """Write weights, optimizer variables and state to one file, atomically."""
    arrays = {f"weight_{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(model.weights)}
    slots = {f"optimizer_{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(model.optimizer.variables)}
    with atomic(path) as file:
        np.savez(file, state=np.array(json.dumps(asdict(state))), **arrays, **slots)


def adopt(parent: Path, folder: Path) -> bool:
    """Copy the checkpoint of a finished run, and the weights it kept, into the folder of a run that goes on from it.

    Returns:
        Whether the checkpoint and all weights that its state names were there; otherwise nothing is copied.
    """
    state = load_state(parent / "checkpoint.npz")
    if state is None:
        return False
    weights = [weights_path(parent, name, epoch) for name, epoch in state.kept.items()]
    if not all(path.is_file() for path in weights):
        return False
    for source in (*weights, parent / "checkpoint.npz"):  # the checkpoint last: with it the run counts as begun
        target = folder / source.relative_to(parent)
        with source.open("rb") as content, atomic(target) as file:
            shutil.copyfileobj(content, file)
    return True


def load_state(path: Path) -> State | None:
    """The state of an interrupted training, or None where there is none."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as stored:
        return State(**json.loads(str(stored["state"])))


def load_variables(path: Path, model: keras.Model) -> None:
    """Give a compiled model its weights and optimizer variables back."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    with np.load(path, allow_pickle=False) as stored:
        for prefix, variables in (("weight", model.weights), ("optimizer", model.optimizer.variables)):
            for i, variable in enumerate(variables):
                variable.assign(stored[f"{prefix}_{i}"])


def save_weights(model: keras.Model, path: Path) -> None:
    """Write the weights in Keras's own format; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{path.name}")
    with _without_optimizer(model):
        model.save_weights(partial)
    partial.replace(path)


def load_weights(path: Path, model: keras.Model) -> None:
    """Read them back; the optimizer keeps its state."""
    with _without_optimizer(model):
        model.load_weights(path)


@contextmanager
def _without_optimizer(model: keras.Model) -> Iterator[None]:
    """Keras counts a compiled model's optimizer among its weights, which makes Adam's files three times larger."""
    optimizer = getattr(model, "optimizer", None)
    model.optimizer = None
    try:
        yield
    finally:
        model.optimizer = optimizer
