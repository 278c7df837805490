"""Batches whose labels are shares: of images mixed in pairs (mixup, cutmix), or of images that networks speak of, too.

As with augmentation, everything random about a batch is a pure function of (seed, epoch, batch).
"""

import threading
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from scipy import special

from fer_utils.data.augmentation import MIXING, Batches, generator


class MixedBatches(Batches):
    """`Batches`, every image mixed with another of its batch; labels come out as shares, float32 (b, k).

    Args:
        *arguments: of `Batches`, up to `epoch`; labels are integers (n,) below k, or shares float (n, k).
        n_classes: k.
        mixup: alpha of mixup (Zhang et al. 2018), at least 0: images are weighted means of two, and the weight of the
            first is drawn from Beta(alpha, alpha) for each image.
        cutmix: alpha of cutmix (Yun et al. 2019): a rectangle of one image is put into the other; the share of the
            other's pixels is drawn in the same way. With both above 0 a fair coin decides for each batch.
        **others: of `Batches`.

    Raises:
        ValueError: neither alpha is above 0, or one is below it; or see `Batches`.
    """

    def __init__(
        self, *arguments: Any, n_classes: int, mixup: float = 0.0, cutmix: float = 0.0, **others: Any
    ) -> None:
        if min(mixup, cutmix) < 0 or max(mixup, cutmix) == 0:
            raise ValueError(
                f"Images are mixed with an alpha above 0, of mixup or of cutmix; got {mixup} and {cutmix}. "
                "Set one, or use Batches."
            )
        super().__init__(*arguments, **others)
        self.n_classes, self.alphas = n_classes, {"mixup": mixup, "cutmix": cutmix}

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        """Batch `index`: x float32 (b, s, s, 1), y float32 (b, k), and w float32 (b,)."""
        images, labels, *weights = super().__getitem__(index)
        shares = labels if labels.ndim == 2 else np.eye(self.n_classes, dtype=np.float32)[labels]
        random = generator(self.seed, self.epoch, MIXING, index)
        ways = [way for way, alpha in self.alphas.items() if alpha > 0]
        way = ways[random.integers(len(ways))]
        own = random.beta(self.alphas[way], self.alphas[way], len(images)).astype(np.float32)
        others = random.permutation(len(images))
        if way == "mixup":
            mixed = _mean(images, images[others], own)
        else:
            mixed, own = _patched(images, images[others], own, random)
        return mixed, *(_mean(values, values[others], own) for values in (shares, *weights))


class TaughtBatches(keras.utils.PyDataset):
    """Batches of another, whose labels come out as shares, float32 (b, k), to which teachers have contributed.

    This is distillation (Hinton et al. 2015). Their temperature, which softens the scores of both sides, is 1 here, and
    it is labels that are mixed, not losses. The teachers see an image as it is trained on, augmented and mixed, and
    their probabilities are averaged. Nothing random is added: a batch is as pure a function of (seed, epoch, batch) as
    it was.

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
        said = special.softmax(np.stack(scores).astype(np.float64), axis=-1).mean(axis=0)
        own = labels if labels.ndim == 2 else np.eye(said.shape[1])[labels]
        return images, (self.share * said + (1 - self.share) * own).astype(np.float32), *image_weights


def _mean(first: np.ndarray, second: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Weighted means along the first axis; `own` (b,) weighs the first."""
    own = own.reshape(-1, *[1] * (first.ndim - 1))
    return own * first + (1 - own) * second


def _patched(
    images: np.ndarray, others: np.ndarray, own: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Images with a rectangle of others', cut off at the edge, and the share of their own pixels, float32 (b,)."""
    height, width = images.shape[1:3]
    centres = random.random((len(images), 2)) * (height, width)
    halves = np.sqrt(1 - own)[:, None] * (height, width) / 2
    starts = np.rint(centres - halves).clip(0).astype(int)
    ends = np.rint(centres + halves).astype(int)
    mixed = images.copy()
    for i, ((top, left), (bottom, right)) in enumerate(zip(starts, ends, strict=True)):
        mixed[i, top:bottom, left:right] = others[i, top:bottom, left:right]
    rows, columns = (ends.clip(max=(height, width)) - starts).T
    return mixed, (1 - rows * columns / (height * width)).astype(np.float32)
