"""The whole state of a training in one file, written at once or not at all."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fer_utils.files import reading
from fer_utils.files.locks import claim
from fer_utils.files.writing import atomic, replacing
from fer_utils.models import weight_files
from fer_utils.records import Record, weights_path
from fer_utils.training import decisions


@dataclass
class State:
    """What a training knows besides its variables.

    Attributes:
        history: one row per finished epoch.
        train_seconds: wall time of the train steps alone, of all processes that worked on it.
        graph: hash of the network, see `fer_utils.models.graph_hash`.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    train_seconds: float = 0.0
    graph: str = ""

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return len(self.history)


def save(path: Path, state: State, model: keras.Model) -> None:
    """Write weights, optimizer variables and state to one file, atomically."""
    arrays = {f"weight_{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(model.weights)}
    slots = {f"optimizer_{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(model.optimizer.variables)}
    with atomic(path) as file:
        np.savez(file, state=np.array(json.dumps(asdict(state))), **arrays, **slots)


def adopt(parent: Record, folder: Path) -> bool:
    """Copy the checkpoint of a finished run, and the weights it kept, into the folder of a run that goes on from it.

    Returns:
        Whether the checkpoint and all weights that its history names were there; otherwise nothing is copied.
    """
    state = load_state(parent.path / "checkpoint.npz")
    if state is None:
        return False
    kept = decisions.kept_epochs(parent.config, state.history)
    weights = [weights_path(parent.path, name, epoch) for name, epoch in kept.items()]
    if not all(path.is_file() for path in weights):
        return False
    for source in (*weights, parent.path / "checkpoint.npz"):  # the checkpoint last: with it the run counts as begun
        copy(source, folder / source.relative_to(parent.path))
    return True


def copy(source: Path, target: Path) -> None:
    """Copy a file; the copy appears whole or not at all."""
    with source.open("rb") as content, atomic(target) as file:
        shutil.copyfileobj(content, file)


def load_state(path: Path) -> State | None:
    """The state of an interrupted training, or None where there is none. ValueError where its file is damaged."""
    if not path.is_file():
        return None
    with _opened(path) as stored:
        return State(**json.loads(str(stored["state"])))


def load_variables(path: Path, model: keras.Model) -> None:
    """Give a compiled model its weights and optimizer variables back. ValueError where the file is damaged."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    with _opened(path) as stored:
        for prefix, variables in (("weight", model.weights), ("optimizer", model.optimizer.variables)):
            for i, variable in enumerate(variables):
                variable.assign(stored[f"{prefix}_{i}"])


@contextmanager
def _opened(path: Path) -> Iterator[np.lib.npyio.NpzFile]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            yield stored
    except reading.DAMAGE as error:
        raise ValueError(
            f"A checkpoint is a whole file to resume a training from; {path} is not ({reading.one_line(error)}). "
            "Remove it: the training then begins at its start."
        ) from error


def save_weights(model: keras.Model, path: Path) -> None:
    """Write the weights in Keras's own format; the file appears whole or not at all.

    HDF5 crashes the process some time after it met a full disk: a generous estimate of the room is asked for before.
    """
    sizes = [4 * math.prod(variable.shape) for variable in model.weights]
    with replacing(path, room=sum(sizes) + 8192 * len(sizes) + 2**16) as partial, _without_optimizer(model):
        model.save_weights(partial)


def load_weights(path: Path, model: keras.Model) -> None:
    """Read weights that `save_weights` wrote; the optimizer keeps its state.

    Raises:
        ValueError: the file is damaged, or another network's.
    """
    with _without_optimizer(model):
        weight_files.load(path, model)


def prune(folder: Path, kept: Mapping[str, int]) -> None:
    """Remove the weights of epochs that are not among `kept` (name -> epoch) any more."""
    current = {weights_path(folder, name, epoch) for name, epoch in kept.items()}
    for path in set(folder.glob("weights/*.weights.h5")) - current:
        path.unlink()


def finish(record: Record, keep_checkpoint: bool) -> None:
    """Tidy up for a process that was killed after its record's last file; without waiting, and where that may be."""
    if (record.path / ".claim").exists():
        with suppress(OSError), claim(record.path, timeout=0):
            prune(record.path, record.run["kept_epochs"])
            if not keep_checkpoint:
                (record.path / "checkpoint.npz").unlink(missing_ok=True)


@contextmanager
def _without_optimizer(model: keras.Model) -> Iterator[None]:
    """Keras counts a compiled model's optimizer among its weights, which makes Adam's files three times larger."""
    optimizer = getattr(model, "optimizer", None)
    model.optimizer = None
    try:
        yield
    finally:
        model.optimizer = optimizer
