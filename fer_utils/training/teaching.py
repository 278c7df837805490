"""The networks that teach a training (distillation, see `fer_utils.data.mixing.TaughtBatches`)."""

from __future__ import annotations

from pathlib import Path

import keras

from fer_utils.data.dataset import SIZE
from fer_utils.records import Record
from fer_utils.training import weights
from fer_utils.training.setup import Setup


def teachers(setup: Setup, store: Path | None = None) -> tuple[keras.Model, ...]:
    """The networks that teach a training, computing in its precision; none where it names none.

    Args:
        setup: the training; its configuration names the teachers' runs, and which of their kept epochs.
        store: folder of records to look in first.

    Raises:
        ValueError: there is no such run or kept epoch, or it is no teacher for this training (see the message).
        FileNotFoundError: its weights are not on this machine; the message says how to get them.
    """
    found, sides = [], sorted({phase.size or SIZE for phase in setup.config.phases})
    for name in setup.config.teachers:
        identifier, _, kept = name.partition(":")
        record = weights.finished_run(identifier, store)
        _check(record, kept or record.kept[0], setup)
        network = weights.rebuild(record, kept or None, setup.config.precision)
        if network.input_shape[1] is not None and sides != [network.input_shape[1]]:
            raise ValueError(
                f"A teacher sees the images that are trained on, of {', '.join(map(str, sides))} pixels; {record.id} "
                f"takes {network.input_shape[1]} alone. Train at that size, or name a network without dense layers "
                "that was trained at several."
            )
        found.append(network)
    return tuple(found)


def _check(record: Record, kept: str, setup: Setup) -> None:
    """Refuse a run whose answers would not be those of a fair teacher: see the messages."""
    if record.class_names != tuple(setup.dataset.class_names):
        raise ValueError(
            f"A teacher tells the same classes apart, in the same order: {', '.join(setup.dataset.class_names)}; got "
            f"{record.id} with {', '.join(record.class_names)}. Name a run on the same classes."
        )
    if record.run["split"]["hash"] != setup.split.hash:
        raise ValueError(
            f"A teacher was trained on the same split, and has not seen the images that its student is scored on; got "
            f"{record.id}, on another. Name a run on this split."
        )
    if kept in record.config.chosen_on_test or record.config.loss != "cross_entropy":
        raise ValueError(
            "A teacher gives probabilities (its loss is cross_entropy) at an epoch that no test image chose; got "
            f"{record.id} with {record.config.loss} at {kept}. Name another run, or another of its kept epochs."
        )
