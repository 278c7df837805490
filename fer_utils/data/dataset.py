"""The one in-memory form of every dataset."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

SIZE = 48
"""Height and width in pixels of every image of the study."""

EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""FER2013's classes; the position is its own code, 0 to 6, whatever the order of folders on a disk."""

CKPLUS_EXPRESSIONS = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
"""CK+48's classes in the order of its sorted folder names (no neutral)."""

FERPLUS_EXPRESSIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""FER+'s eight classes in the order of its vote columns."""

USAGES = ("Training", "PublicTest", "PrivateTest")
"""FER2013's three parts: 28,709, 3,589 and 3,589 images."""

_PER_IMAGE = ("labels", "usage", "subjects", "sequences", "label_distribution")


@dataclass(frozen=True, eq=False)
class FaceDataset:
    """Grey face images with their labels. Arrays are read-only views: do not change those that you passed.

    Attributes:
        images: uint8 (n, 48, 48), 0 black to 255 white.
        labels: int64 (n,), positions in `class_names`.
        class_names: the k names of the classes.
        name: `"fer2013"`, `"ferplus"`, `"ckplus"`, `"synthetic"` or `"folders"` (pictures of one's own).
        usage: str (n,), the published part each image belongs to, or None.
        subjects: str (n,), the person shown, or None where the dataset does not tell.
        sequences: str (n,), the video an image was taken from, or None.
        label_distribution: float32 (n, k), rows sum to 1, or None (where FER+'s votes are asked for).

    Raises:
        ValueError: an array has another shape or type than said above (of `label_distribution` only the shape is
            checked), or a label is no class.

    Example:
        >>> faces = FaceDataset(np.zeros((2, 48, 48), np.uint8), np.array([3, 6]), EXPRESSIONS, "fer2013")
        >>> len(faces), [faces.class_names[code] for code in faces.labels]
        (2, ['happy', 'neutral'])
        >>> faces.class_counts()
        array([0, 0, 0, 1, 0, 0, 1])
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    name: str
    usage: np.ndarray | None = None
    subjects: np.ndarray | None = None
    sequences: np.ndarray | None = None
    label_distribution: np.ndarray | None = None

    def __post_init__(self) -> None:
        _check_images(self.images)
        n, k = len(self.images), len(self.class_names)
        object.__setattr__(self, "labels", _as_labels(self.labels, n, k))
        for field in ("usage", "subjects", "sequences"):
            values = getattr(self, field)
            if values is not None:
                object.__setattr__(self, field, _as_names(field, values, n))
        if self.label_distribution is not None and self.label_distribution.shape != (n, k):
            raise ValueError(
                f"label_distribution must have shape ({n}, {k}), one row per image and one column per class; "
                f"got {self.label_distribution.shape}. Pass normalised votes in the order of class_names."
            )
        for field in ("images", *_PER_IMAGE):
            if (array := getattr(self, field)) is not None:
                view = array.view()
                view.flags.writeable = False
                object.__setattr__(self, field, view)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"FaceDataset({self.name!r}, n={len(self):,}, {self.n_classes} classes, {self.fingerprint})"

    @property
    def n_classes(self) -> int:
        """Number of classes k."""
        return len(self.class_names)

    @cached_property
    def digests(self) -> np.ndarray:
        """S32 (n,): each image's 16-byte BLAKE2b hash as 32 hexadecimal digits; equal hashes are exact duplicates."""
        # Hexadecimal, because NumPy strips trailing zero bytes from byte strings.
        return np.array([hashlib.blake2b(image.tobytes(), digest_size=16).hexdigest() for image in self.images], "S32")

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that depend on the classes, the images and their labels, in any order.

        The layout on disk, the order of rows and the published parts have no influence, so the same
        images have one fingerprint from a CSV and from folders. Of pictures of one's own, whose parts and persons
        nobody has published, these count too.
        """
        rows = np.char.add(self.digests, self.labels.astype("S3"))
        for field in ("usage", "subjects", "sequences") if self.name == "folders" else ():
            if (told := getattr(self, field)) is not None:
                rows = np.char.add(rows, np.char.encode(np.char.add(f"\t{field} ", told), "utf-8", "surrogateescape"))
        content = hashlib.blake2b("\n".join(self.class_names).encode(), digest_size=8)
        content.update(b"\n".join(np.sort(rows).tolist()))
        return content.hexdigest()

    @cached_property
    def canonical_order(self) -> np.ndarray:
        """int64 (n,): the order in which splits see the images, whatever order they were read in.

        Sorted by label, then by hash of the pixels. Two copies of one dataset, read from different
        layouts, therefore get the same split under the same seed.
        """
        keys = [self.usage, self.sequences, self.digests, self.labels]  # the last one counts most
        return np.lexsort([key for key in keys if key is not None])

    def class_counts(self) -> np.ndarray:
        """int64 (k,): images per class."""
        return np.bincount(self.labels, minlength=self.n_classes)

    def subset(self, indices: np.ndarray) -> FaceDataset:
        """The images at `indices` (int (m,) or bool (n,)), in that order."""
        picked = {f: getattr(self, f)[indices] for f in ("images", *_PER_IMAGE) if getattr(self, f) is not None}
        return replace(self, **picked)


def _check_images(images: np.ndarray) -> None:
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != (SIZE, SIZE):
        came = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else type(images).__name__
        raise ValueError(
            f"images must be a uint8 array of shape (n, {SIZE}, {SIZE}); got {came}. "
            "Read files with fer_utils.data.load(), or resize and convert to grey levels 0-255 first."
        )
    if len(images) == 0:
        raise ValueError("A dataset needs at least one image; got none. Check the folder or file you named.")


def _as_labels(labels: np.ndarray, n: int, k: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers of shape ({n},), one per image; got {labels.dtype} {labels.shape}.")
    if labels.min() < 0 or labels.max() >= k:
        raise ValueError(
            f"labels must lie in 0..{k - 1} for {k} classes; got {labels.min()}..{labels.max()}. "
            "Check class_names, or drop the images of classes you do not use."
        )
    return labels.astype(np.int64)


def _as_names(field: str, values: np.ndarray, n: int) -> np.ndarray:
    values = np.asarray(values, dtype=str)
    if values.shape != (n,):
        raise ValueError(f"{field} must have shape ({n},), one name per image; got {values.shape}.")
    return values
