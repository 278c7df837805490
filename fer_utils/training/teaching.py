"""Distillation (Hinton et al. 2015): labels that are, for a share, what trained networks say of the very image."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from fer_utils.data.augmentation import Batches
from fer_utils.evaluation import metrics
from fer_utils.records.config import RunConfig
from fer_utils.training import weights


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
            scores = [keras.ops.convert_to_numpy(teacher.predict_on_batch(images)) for teacher in self.teachers]
        said = metrics.softmax(np.stack(scores)).mean(axis=0)
        own = labels if labels.ndim == 2 else np.eye(said.shape[1])[labels]
        return images, (self.share * said + (1 - self.share) * own).astype(np.float32), *image_weights


def teachers(config: RunConfig, class_names: Sequence[str], store: Path | None = None) -> tuple[keras.Model, ...]:
    """The networks that teach a training, computing in its precision; none where it names none.

    Args:
        config: names their runs, and which of the kept epochs.
        class_names: of the dataset.
        store: folder of records to look in first.

    Raises:
        ValueError: there is no such run or kept epoch, or it tells other classes apart.
        FileNotFoundError: its weights are not on this machine; the message says how to get them.
    """
    found = []
    for name in config.teachers:
        identifier, _, kept = name.partition(":")
        record = weights.finished_run(identifier, store)
        if record.class_names != tuple(class_names):
            raise ValueError(
                f"A teacher tells the same classes apart, in the same order: {', '.join(class_names)}; got {record.id} "
                f"with {', '.join(record.class_names)}. Name a run on the same classes."
            )
        found.append(weights.rebuild(record, kept or None, config.precision))
    return tuple(found)
