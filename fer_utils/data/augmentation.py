"""Augmentation on the host: what is random is drawn by NumPy, what moves is warped once by OpenCV.

Everything random about an epoch's images is a pure function of (seed, epoch): their order, and one row of
draws for each. A resumed run, on any Keras backend, sees the same pixels to the bit.

Conventions are those of Keras's ``ImageDataGenerator``: rotation about the centre of the pixel grid,
``(size - 1) / 2``; shifts as a fraction of the size; one zoom factor for each axis, below one enlarging; from
output to input pixels the product rotation * shift * zoom * flip; bilinear, border replicated ("nearest").
Ours differs on purpose in three ways:

* the flip, and a change of size if one is asked for, are part of the *same* warp: one interpolation;
* the warp is OpenCV's and rounds to grey levels (``scipy.ndimage.affine_transform`` within about one);
* brightness is added instead of multiplied; contrast and erasing are new.
"""

from dataclasses import dataclass, fields

import cv2
import keras
import numpy as np

from fer_utils.data.preparation import check_images, resize
from fer_utils.data.preparation import prepare as prepare

DRAW = np.dtype(  # degrees; fractions of the size; factors, below 1 enlarging; flip; grey values in [0, 1]
    [(name, "f8") for name in ("rotation", "shift_x", "shift_y", "zoom_x", "zoom_y")]
    + [("flip", "?"), ("brightness", "f8"), ("contrast", "f8"), ("erase_grey", "f8")]
    + [(f"erase_{name}", "f8") for name in ("height", "width", "top", "left")]  # height 0: nothing is erased
)
_PERMUTATION, _DRAWS, MIXING = 1, 2, 3  # purposes: independent random streams for one (seed, epoch)
_ERASED_AREA = (0.02, 0.2)  # of the image; Zhong et al. 2020 go to 0.4, too much of a 48-pixel face
_ERASED_ASPECT = (0.3, 1 / 0.3)  # height / width, log-uniform; the range of Zhong et al. 2020


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)


@dataclass(frozen=True)
class Policy:
    """Ranges of an augmentation, as data; every field is off by default. ValueError if one is out of bounds.

    Args:
        rotation: degrees in [0, 180]; the angle is uniform in +-rotation.
        shift: fraction of width and of height in [0, 1]; each axis has its own shift, uniform in +-shift.
        zoom: in [0, 1); each axis has its own factor, uniform in [1 - zoom, 1 + zoom].
        flip: whether half of the images are mirrored left to right.
        brightness: in [0, 1]; uniform in +-brightness, added to grey values in [0, 1].
        contrast: in [0, 1]; uniform factor in [1 - contrast, 1 + contrast] about the image's own mean.
        erasing: probability in [0, 1] that one rectangle is filled with a random grey (Zhong et al. 2020).
        stated: fields whose range the report states. named: fields it names without a range (ours).
    """

    rotation: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    flip: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    erasing: float = 0.0
    stated: tuple[str, ...] = ()
    named: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in RANGES:
            value, top = getattr(self, name), {"rotation": 180, "zoom": 0.99}.get(name, 1)
            _require(0 <= value <= top, f"{name} must be in [0, {top}], got {value}: give half of the range.")
        unknown = {*self.stated, *self.named} - {*RANGES}
        _require(not unknown, f"stated and named must hold ranges, got {unknown}: use some of {RANGES}.")

    def sources(self) -> dict[str, str]:
        """Where the range of every field that is on comes from: "stated", "named, range ours" or "ours"."""
        said = dict.fromkeys(self.named, "named, range ours") | dict.fromkeys(self.stated, "stated")
        return {name: said.get(name, "ours") for name in RANGES if getattr(self, name)}


RANGES = tuple(field.name for field in fields(Policy) if field.name not in ("stated", "named"))
POLICIES: dict[str, Policy] = {
    "none": Policy(),
    # all stated
    "psg2025": Policy(30, 0.2, 0.2, flip=True, stated=("rotation", "shift", "zoom", "flip")),
    # rotation and scaling named without ranges; shifts and flips ours
    "cutm2024": Policy(rotation=10, shift=0.1, zoom=0.1, flip=True, named=("rotation", "zoom")),
    # one section's list (another has flip, rotation, zoom, shifts): flip stated, the other three ranges ours
    "xavengers2025": Policy(
        rotation=10, flip=True, brightness=0.2, contrast=0.2,
        stated=("flip",), named=("rotation", "brightness", "contrast"),
    ),
    # all stated, for FER2013; on CK+ the report uses none
    "iitk2023": Policy(shift=0.1, flip=True, stated=("shift", "flip")),
    # flip stated, rotation named: its range is ours
    "colab2023": Policy(rotation=10, flip=True, stated=("flip",), named=("rotation",)),
    # the study's own, for its compact network: all ours
    "light": Policy(10, 0.1, 0.1, flip=True, brightness=0.2, contrast=0.2, erasing=0.25),
    # for its longer trainings
    "strong": Policy(12, 0.12, 0.2, flip=True, brightness=0.2, contrast=0.3, erasing=0.4),
}


def get_policy(policy: str | Policy) -> Policy:
    """The policy of that name in ``POLICIES`` (ValueError if there is none); a ``Policy`` comes back."""
    known = isinstance(policy, Policy) or policy in POLICIES
    _require(known, f"Unknown augmentation policy, got {policy!r}: use one of {[*POLICIES]}.")
    return policy if isinstance(policy, Policy) else POLICIES[policy]


def generator(seed: int, epoch: int, *purpose: int) -> np.random.Generator:
    """Random numbers that are a pure function of (seed, epoch) and of what they are for.

    Raises:
        ValueError: seed or epoch is below 0.
    """
    _require(min(seed, epoch) >= 0, f"seed and epoch must be >= 0, got {seed} and {epoch}: count from 0.")
    return np.random.default_rng(np.random.SeedSequence([seed, epoch, *purpose]))


def permutation(seed: int, epoch: int, n: int) -> np.ndarray:
    """The order of ``n`` images in one epoch: int64 (n,), a pure function of its arguments."""
    return generator(seed, epoch, _PERMUTATION).permutation(n).astype(np.int64, copy=False)


def draw(policy: str | Policy, seed: int, epoch: int, n: int) -> np.ndarray:
    """Draw one epoch's augmentation parameters: structured array (n,) of dtype ``DRAW``.

    Row ``i`` is image ``i``'s and depends on (seed, epoch, i) and the policy's ranges alone, not on ``n``.
    Policies share the underlying random numbers, so that a comparison of two of them is paired.
    """
    policy = get_policy(policy)
    uniform = generator(seed, epoch, _DRAWS).random((n, 14)).T  # an image's 14 numbers are consecutive
    centred, draws = 2 * uniform - 1, np.zeros(n, DRAW)
    draws["rotation"] = policy.rotation * centred[0]
    draws["shift_x"], draws["shift_y"] = policy.shift * centred[1], policy.shift * centred[2]
    draws["zoom_x"], draws["zoom_y"] = 1 + policy.zoom * centred[3], 1 + policy.zoom * centred[4]
    draws["flip"] = policy.flip & (uniform[5] < 0.5)
    draws["brightness"], draws["contrast"] = policy.brightness * centred[6], 1 + policy.contrast * centred[7]
    erased = uniform[8] < policy.erasing
    area = np.interp(uniform[9], (0, 1), _ERASED_AREA)
    aspect = np.exp(np.interp(uniform[10], (0, 1), np.log(_ERASED_ASPECT)))
    draws["erase_height"] = erased * np.sqrt(area * aspect)
    draws["erase_width"] = erased * np.sqrt(area / aspect)
    draws["erase_top"] = uniform[11] * (1 - draws["erase_height"])  # the rectangle lies inside the image
    draws["erase_left"] = uniform[12] * (1 - draws["erase_width"])
    draws["erase_grey"] = uniform[13]
    return draws


def matrices(draws: np.ndarray, size: int, out_size: int) -> np.ndarray:
    """Affine matrices of the draws: float64 (b, 2, 3), from output pixel (x, y, 1) to input pixel (x, y).

    Rotation * shift * zoom * flip * (size / out_size), about the centres of the two pixel grids.
    """
    angle = np.deg2rad(draws["rotation"])
    rotation = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], axis=-1).reshape(-1, 2, 2)
    scale = np.stack([np.where(draws["flip"], -1, 1) * draws["zoom_x"], draws["zoom_y"]], axis=-1)
    shift = size * np.stack([draws["shift_x"], draws["shift_y"]], axis=-1)
    linear = rotation * (scale * (size / out_size))[:, None, :]
    offset = (rotation * shift[:, None, :]).sum(-1) - linear.sum(-1) * (out_size - 1) / 2 + (size - 1) / 2
    return np.concatenate([linear, offset[..., None]], axis=-1)


def _warp(images: np.ndarray, draws: np.ndarray, out_size: int) -> np.ndarray:
    """uint8 (b, s, s) to uint8 (b, out_size, out_size); what only flips is sized as ``prepare`` does it."""
    size, side = images.shape[1], (out_size, out_size)
    warped = np.empty((len(images), *side), np.uint8)
    moves = (draws["rotation"] != 0) | (draws["shift_x"] != 0) | (draws["shift_y"] != 0)
    moves |= (draws["zoom_x"] != 1) | (draws["zoom_y"] != 1)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for i, matrix in enumerate(matrices(draws, size, out_size)):
        if moves[i]:
            cv2.warpAffine(images[i], matrix, side, warped[i], flags, cv2.BORDER_REPLICATE)
        else:
            image = images[i] if size == out_size else resize(images[i], out_size)
            warped[i] = image[:, ::-1] if draws["flip"][i] else image
    return warped


def _tone(images: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """uint8 (b, s, s) to float32 in [0, 1]: contrast about each image's mean, then brightness, clipped."""
    toned = np.divide(images, np.float32(255), dtype=np.float32)
    rows = np.flatnonzero((draws["contrast"] != 1) | (draws["brightness"] != 0))
    mean = images[rows].sum(axis=(1, 2), dtype=np.int64) / (255 * images.shape[1] ** 2)
    gain = draws["contrast"][rows]
    offset = mean * (1 - gain) + draws["brightness"][rows]
    gain, offset = (values.astype(np.float32)[:, None, None] for values in (gain, offset))
    toned[rows] = (toned[rows] * gain + offset).clip(0, 1)
    return toned


def _erase(images: np.ndarray, draws: np.ndarray) -> None:
    """Fill the rectangles of the images that have one, in place."""
    for i in np.flatnonzero(draws["erase_height"] > 0):
        edges = [images.shape[1] * draws[f"erase_{name}"][i] for name in ("top", "left", "height", "width")]
        top, left, height, width = (round(edge) for edge in edges)
        images[i, top : top + max(1, height), left : left + max(1, width)] = draws["erase_grey"][i]


def apply(images: np.ndarray, draws: np.ndarray, out_size: int | None = None) -> np.ndarray:
    """Augment a batch: one warp, then contrast and brightness, then erasing.

    A row without any draw gives what ``prepare`` gives, bit for bit, whatever the rest of the batch.

    Args:
        images: uint8 (b, s, s); ValueError if not, or if the draws do not match.
        draws: array (b,) of dtype ``DRAW``, one row for each image: ``draw(...)[indices]``.
        out_size: side of the result, float32 (b, out_size, out_size, 1) in [0, 1]; ``s`` if not given.
    """
    check_images(images, square=True)
    match = draws.dtype == DRAW and len(draws) == len(images)
    _require(match, f"Draws must be ({len(images)},) from draw(), got {draws.shape}: index as the images.")
    augmented = _tone(_warp(images, draws, out_size or images.shape[1]), draws)
    _erase(augmented, draws)
    return augmented[..., None]


def view(images: np.ndarray, size: float, mirrored: bool) -> np.ndarray:
    """One view of `fer_utils.data.preparation.VIEWS` of images, without anything random.

    Args:
        images: uint8 (n, s, s).
        size: of the part that is seen, about the centre, by its side.
        mirrored: left to right.

    Returns:
        float32 (n, s, s, 1) in [0, 1]; of size 1 and not mirrored what ``prepare`` gives, bit for bit.
    """
    draws = np.zeros(len(images), DRAW)
    draws["contrast"], draws["zoom_x"], draws["zoom_y"], draws["flip"] = 1, size, size, mirrored
    return apply(images, draws)


class Batches(keras.utils.PyDataset):
    """One epoch of augmented batches; ``batches[i]`` is pure, so that threads may share it.

    Give it to ``fit`` with ``shuffle=False``: Keras otherwise reorders the batches from a global generator.

    Args:
        images: uint8 (n, s, s), or with `rows` (m, s, s); ValueError if this or any other argument is not as said here.
        labels: integers (n,), or soft labels float (n, k).
        policy: a name in ``POLICIES``, a ``Policy``, or draws (n,) made already.
        batch_size: images in a batch.
        seed: seed of the run, at least 0.
        epoch: the epoch, at least 0; make one ``Batches`` for each.
        sample_weight: optional weights (n,); batches are then (x, y, w).
        size: side of the images that come out, ``s`` if not given.
        drop_last: leave out a last batch that is not full.
        order: indices of the images to show, instead of ``permutation``; repeated ones are augmented alike.
        workers: threads that make batches ahead; with 1, Keras prefetches on TensorFlow only.
        rows: int (n,), which of the images the epoch has, without copying them; all if not given.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        policy: str | Policy | np.ndarray,
        batch_size: int,
        seed: int,
        epoch: int,
        sample_weight: np.ndarray | None = None,
        size: int | None = None,
        drop_last: bool = False,
        order: np.ndarray | None = None,
        workers: int = 1,
        rows: np.ndarray | None = None,
    ) -> None:
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=4)
        check_images(images, square=True)
        self.images, self.batch_size, self.size, self.drop_last = images, batch_size, size, drop_last
        self.seed, self.epoch = seed, epoch
        self.rows = np.arange(len(images)) if rows is None else np.asarray(rows)
        labels = np.asarray(labels)
        self.labels = labels.astype(np.int32 if labels.dtype.kind in "iu" else np.float32)
        self.weights = None if sample_weight is None else np.asarray(sample_weight, np.float32)
        self.order = permutation(seed, epoch, len(self.rows)) if order is None else np.asarray(order)
        self.draws = policy if isinstance(policy, np.ndarray) else draw(policy, seed, epoch, len(self.rows))
        self._check(len(self.rows))

    def _check(self, n: int) -> None:
        y, w, order = self.labels, self.weights, self.order
        fits = len(y) == n and y.ndim == (1 if y.dtype == np.int32 else 2)
        _require(fits, f"Labels must be int ({n},) or float ({n}, k), got {y.dtype} {y.shape}: one an image.")
        _require(w is None or w.shape == (n,), f"Weights must be ({n},), got {np.shape(w)}: one an image.")
        fits = order.ndim == 1 and order.dtype.kind in "iu" and ((order >= 0) & (order < n)).all()
        _require(fits, f"order must hold indices below {n}, got {order.dtype} {order.shape}: take some.")
        fits = self.rows.dtype.kind in "iu" and ((self.rows >= 0) & (self.rows < len(self.images))).all()
        _require(fits, f"rows must hold indices below {len(self.images)}, got {self.rows.dtype}: take some.")
        _require(self.draws.shape == (n,), f"Draws must be ({n},), got {self.draws.shape}: one an image.")
        fits = self.batch_size > 0 and len(self) > 0
        _require(fits, f"There must be a batch, got {order.size} images by {self.batch_size}: change one.")

    def __len__(self) -> int:
        return (len(self.order) + (0 if self.drop_last else self.batch_size - 1)) // self.batch_size

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        """Batch ``index``: x float32 (b, s, s, 1), y int32 (b,) or float32 (b, k), and w float32 (b,)."""
        if not 0 <= index < len(self):
            raise IndexError(f"Batch index must be in [0, {len(self)}), got {index}: use range(len(...)).")
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        batch = (apply(self.images[self.rows[rows]], self.draws[rows], self.size), self.labels[rows])
        return batch if self.weights is None else (*batch, self.weights[rows])
