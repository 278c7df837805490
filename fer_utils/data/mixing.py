"""Batches whose images are mixed in pairs, with labels that are shares: mixup and cutmix.

As with augmentation, everything random about a batch is a pure function of (seed, epoch, batch).
"""

from typing import Any

import numpy as np

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
