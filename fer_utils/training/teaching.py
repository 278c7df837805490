"""Distillation (Hinton et al. 2015): labels that are, for a share, what trained networks say of the very image.

Their temperature, which softens the scores of both sides, is 1 here, and it is labels that are mixed, not losses.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from fer_utils.data.augmentation import Batches
from fer_utils.data.dataset import SIZE
from fer_utils.evaluation import metrics
from fer_utils.records import Record
from fer_utils.training import weights
from fer_utils.training.setup import Setup


class TaughtBatches(keras.utils.PyDataset):
    """Batches of another, whose labels come out as shares, float32 (b, k), to which teachers have contributed.

    The teachers see an image as it is trained on, augmented and mixed, and their probabilities are averaged. Nothing
    random is added, so that a batch is as pure a function of (seed, epoch, batch) as it was.

    Args:
        batches: of integer labels below k, or of shares (b, k).
        teachers: at least one network that gives scores (b, k) for images of that side.
        share: of the teachers in each label, in (0, 1]; the rest is the label's own.

    Raises:
        ValueError: there is no teacher, or the share is out of range.
    """

    def __init__(self, batches: Batches, teachers: Sequence[keras.Model], share: float) -> None:
        if not teachers or not 0 < share <= 1:
            raise ValueError(
                f"A training is taught by at least one network, whose share of a label is in (0, 1]; got "
                f"{len(teachers)} and {share}. Name a teacher and a share, or use the batches as they are."
            )
        super().__init__()
        self.batches, self.teachers, self.share = batches, teachers, share
        self.order, self.batch_size = batches.order, batches.batch_size
        self.one_at_a_time = threading.Lock()  # batches are made by threads, and a network compiles at its first call

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        """Batch `index`: x float32 (b, s, s, 1), y float32 (b, k), and w float32 (b,) where images have weights."""
        images, labels, *image_weights = self.batches[index]
        with self.one_at_a_time:
            scores = [np.asarray(teacher.predict_on_batch(images)) for teacher in self.teachers]
        said = metrics.softmax(np.stack(scores)).mean(axis=0)
        own = labels if labels.ndim == 2 else np.eye(said.shape[1])[labels]
        return images, (self.share * said + (1 - self.share) * own).astype(np.float32), *image_weights


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
