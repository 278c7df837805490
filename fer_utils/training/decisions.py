"""What a training decides from its history alone: learning rate, end, and the epochs it keeps.

Pure functions of a `RunConfig` and of what each epoch measured, so that a training that was killed decides after its
resumption as it would have done without. A history is a list of rows, one per finished epoch, with `val_loss` and
`val_accuracy` of the monitored part and `<part>_accuracy` of other parts whose best epoch is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fer_utils.records.config import Phase, RunConfig


class Place(NamedTuple):
    """Where an epoch stands: the phase, its position from 0, and the epoch (from 0) with which it begins."""

    phase: Phase
    index: int
    first: int


def place(config: RunConfig, epoch: int) -> Place:
    """The phase that an epoch (from 0) belongs to.

    Raises:
        IndexError: the configuration has no such epoch.
    """
    first = 0
    for index, phase in enumerate(config.phases):
        if epoch < first + phase.epochs:
            return Place(phase, index, first)
        first += phase.epochs
    raise IndexError(epoch)


def learning_rate(config: RunConfig, history: Sequence[Mapping[str, Any]]) -> float:
    """The next epoch's rate where it is constant: the phase's own, lowered by each plateau of this phase so far.

    A plateau is `plateau_patience` epochs in a row without a lower monitored loss; each starts the count anew.

    Example:
        Two epochs in a row brought nothing lower than 0.9, so the third rate is a tenth of the first.

        >>> config = RunConfig("tiny", "synthetic", phases=(Phase(9, 0.01),), plateau_patience=2)
        >>> losses = (1.2, 0.9, 0.95, 0.91)
        >>> [learning_rate(config, [{"val_loss": loss} for loss in losses[:n]]) for n in (0, 2, 4)]
        [0.01, 0.01, 0.001]
    """
    phase, _, first = place(config, len(history))
    factor = 1.0
    for wait in _waits(history[first:], config.plateau_patience):
        if wait == config.plateau_patience:
            factor *= config.plateau_factor
    return phase.learning_rate * factor


def stops(config: RunConfig, history: Sequence[Mapping[str, Any]]) -> bool:
    """Whether early stopping ends the training after these epochs; a new phase starts the count anew."""
    if not history or not config.early_stopping:
        return False
    first = place(config, len(history) - 1).first
    *_, wait = _waits(history[first:])
    return wait >= config.early_stopping


def _waits(rows: Iterable[Mapping[str, Any]], patience: int | None = None) -> Iterable[int]:
    """After each epoch, how many have passed without a lower loss; counted from 0 again after `patience` of them."""
    best, wait = float("inf"), 0
    for row in rows:
        improved = row["val_loss"] < best
        best = row["val_loss"] if improved else best
        wait = 0 if improved else (wait + 1 if wait != patience else 1)
        yield wait


def kept_epochs(config: RunConfig, history: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Which epochs (from 1) `config.keep` names so far, without `"last"`, which only a training's end decides.

    Returns:
        `"block_<i>"` once phase i has ended; `"best_<part>"`, the earliest epoch with the highest accuracy on it.
    """
    found, end = {}, 0
    for number, phase in enumerate(config.phases, 1):
        end += phase.epochs
        if f"block_{number}" in config.keep and len(history) >= end:
            found[f"block_{number}"] = end
    for name in config.keep:
        part = name.removeprefix("best_")
        if part != name and history:
            column = "val_accuracy" if part == config.monitor else f"{part}_accuracy"
            accuracies = [row[column] for row in history]
            found[name] = 1 + accuracies.index(max(accuracies))
    return found
