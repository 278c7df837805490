"""How a network bears worse pictures: corruptions of five severities, and what they cost in accuracy.

The idea is that of Hendrycks and Dietterich 2019 ("Benchmarking neural network robustness to common corruptions and
perturbations"): score one trained network on many kinds of damage at graded strengths. Kinds and strengths here are
ours, for 48x48 grey faces. Everything is a pure function of the image, its place in the array, and the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pandas as pd

from fer_utils.data import augmentation
from fer_utils.evaluation import intervals, metrics, statistics

SEVERITIES: Mapping[str, tuple[float, ...]] = {
    "brightness": (25, 50, 75, 100, 125),  # added grey levels
    "contrast": (0.7, 0.5, 0.35, 0.22, 0.12),  # share of the contrast that is left, about the image's mean
    "gamma": (1.4, 1.8, 2.4, 3.2, 4.2),  # exponent of grey / 255: darker middle tones
    "blur": (0.6, 1.0, 1.5, 2.2, 3.2),  # standard deviation of a Gaussian, in pixels
    "noise": (8, 16, 26, 38, 54),  # standard deviation of Gaussian noise, in grey levels
    "JPEG": (60, 35, 20, 10, 5),  # quality of OpenCV's encoder
    "rotation": (8, 16, 24, 34, 45),  # degrees, to the left or to the right
    "shift": (0.05, 0.1, 0.15, 0.2, 0.3),  # fraction of the side, in a drawn direction
    "scale": (0.9, 0.8, 0.7, 0.6, 0.5),  # size of the face
    "eyes covered": (4, 8, 12, 16, 20),  # height in pixels of a band of the image's mean grey
    "mouth covered": (4, 8, 12, 16, 20),
}
"""Corruption -> its strength at severities 1 to 5."""

EYES, MOUTH = 0.37, 0.77
"""Height of the bands' middles, as a fraction of the side from the top: where mean faces have eyes and mouth."""


def corrupt(images: np.ndarray, name: str, severity: int, seed: int = 0) -> np.ndarray:
    """Damage images.

    Args:
        images: uint8 (n, s, s).
        name: one of `SEVERITIES`.
        severity: 1 to 5; 0 gives a copy.
        seed: of noise and of directions. Image i gets the same noise pattern and direction at every severity.

    Returns:
        uint8 (n, s, s).

    Raises:
        ValueError: another name, severity, shape or type.

    Example:
        >>> grey = np.full((1, 48, 48), 100, np.uint8)
        >>> [int(corrupt(grey, "brightness", severity)[0, 0, 0]) for severity in range(6)]
        [100, 125, 150, 175, 200, 225]
    """
    _check(images, name, severity)
    if severity == 0:
        return images.copy()
    strength = SEVERITIES[name][severity - 1]
    rng = np.random.default_rng([seed, list(SEVERITIES).index(name)])
    return _FUNCTIONS[name](images, strength, rng)


def _brightness(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return _grey(images.astype(np.float32) + strength)


def _contrast(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    mean = images.mean(axis=(1, 2), keepdims=True)
    return _grey(mean + strength * (images - mean))


def _gamma(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return _grey(255 * (np.arange(256) / 255) ** strength)[images]


def _blur(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(image, (0, 0), strength, borderType=cv2.BORDER_REPLICATE) for image in images])


def _noise(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return _grey(images + strength * rng.standard_normal(images.shape, np.float32))


def _jpeg(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(strength)]
    coded = (cv2.imencode(".jpg", image, quality)[1] for image in images)
    return np.stack([cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) for data in coded])


def _rotation(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return _warped(images, rotation=strength * rng.choice([-1, 1], len(images)))


def _shift(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi, len(images))
    return _warped(images, shift_x=strength * np.cos(angle), shift_y=strength * np.sin(angle))


def _scale(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return _warped(images, zoom_x=1 / strength, zoom_y=1 / strength)


def _eyes(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return _covered(images, EYES, strength)


def _mouth(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return _covered(images, MOUTH, strength)


_FUNCTIONS: Mapping[str, Callable[[np.ndarray, float, np.random.Generator], np.ndarray]] = {
    "brightness": _brightness, "contrast": _contrast, "gamma": _gamma, "blur": _blur, "noise": _noise, "JPEG": _jpeg,
    "rotation": _rotation, "shift": _shift, "scale": _scale, "eyes covered": _eyes, "mouth covered": _mouth,
}  # fmt: skip


def _grey(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _warped(images: np.ndarray, **moves: Any) -> np.ndarray:
    """The warp of the study's augmentation (bilinear, border replicated), without anything random of its own."""
    draws = augmentation.draw("none", 0, 0, len(images))
    for name, values in moves.items():
        draws[name] = values
    return _grey(255 * augmentation.apply(images, draws)[..., 0])


def _covered(images: np.ndarray, middle: float, height: float) -> np.ndarray:
    """A band of the image's mean grey over the middle 11/12 of the width (a pair of glasses, a mask)."""
    side, covered = images.shape[1], images.copy()
    top = round(middle * side - height * side / 96)
    edge = side // 24
    grey = _grey(images.mean(axis=(1, 2)))[:, None, None]
    covered[:, top : top + round(height * side / 48), edge : side - edge] = grey
    return covered


@dataclass(frozen=True, eq=False)
class Stress:
    """What one or more networks say of damaged images, each image by a network that has not seen the person.

    Attributes:
        labels: int64 (n,).
        predicted: int64 (c, 6, n), the predicted class under each corruption and severity 0 to 5.
        confidence: float64 (c, 6, n), probability of that class.
        subjects: int64 (n,) or None.
        names: (c,) corruptions.
    """

    labels: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    subjects: np.ndarray | None = None
    names: tuple[str, ...] = tuple(SEVERITIES)

    @property
    def correct(self) -> np.ndarray:
        """Bool (c, 6, n)."""
        return self.predicted == self.labels

    @property
    def people(self) -> np.ndarray | None:
        """Whom a bootstrap draws: the subjects where two or more are known, else None (images)."""
        return statistics.clusters_of(self.subjects)

    def curve(self, name: str) -> list[statistics.Interval]:
        """Accuracy at severities 0 to 5, with 95 % intervals."""
        rows = self.correct[self.names.index(name)]
        return [intervals.accuracy(row, self.people) for row in rows]

    def curves(self) -> dict[str, list[statistics.Interval]]:
        """Corruption -> `curve`."""
        return {name: self.curve(name) for name in self.names}

    def table(self) -> pd.DataFrame:
        """Error in % of each corruption: clean, at severities 1 to 5, their mean, and what they add; worst first."""
        columns = ["clean", *(f"severity {severity}" for severity in range(1, 6))]
        found = pd.DataFrame(100 * (~self.correct).mean(axis=2), list(self.names), columns)
        found["mean of 1–5"] = found.iloc[:, 1:].mean(axis=1)
        found["added points"] = found["mean of 1–5"] - found["clean"]
        return found.sort_values("added points", ascending=False)

    def confidence_table(self) -> pd.DataFrame:
        """Accuracy and mean confidence in % at each severity, over all corruptions."""
        found = pd.DataFrame({
            "accuracy in %": 100 * self.correct.mean(axis=(0, 2)),
            "mean confidence in %": 100 * self.confidence.mean(axis=(0, 2)),
        })  # fmt: skip
        found["confidence minus accuracy"] = found["mean confidence in %"] - found["accuracy in %"]
        return found.rename_axis("severity")

    def overconfidence(self, severity: int) -> statistics.Interval:
        """Mean confidence minus accuracy at a severity, over all corruptions, with its 95 % interval."""
        right, sure = (table[:, severity].mean(axis=0) for table in (self.correct, self.confidence))
        return statistics.paired_bootstrap_difference(sure, right, clusters=self.people)

    @property
    def majority(self) -> float:
        """Accuracy of always answering the commonest class."""
        return float(np.bincount(self.labels).max() / len(self.labels))

    def summary(self) -> Errors:
        """Mean corruption error against the clean error."""
        wrong = ~self.correct
        return errors(wrong[0, 0], wrong[:, 1:].mean(axis=(0, 1)), self.people)


@dataclass(frozen=True)
class Errors:
    """Clean error, mean corruption error (mCE), and how the second compares with the first.

    Attributes:
        clean: error on undamaged images.
        corrupted: the mCE, mean over corruptions, severities 1 to 5 and images.
        added: mCE less clean error, paired by image.
        ratio: mCE / clean error; NaN where there is no clean error.
    """

    clean: statistics.Interval
    corrupted: statistics.Interval
    added: statistics.Interval
    ratio: float

    def __str__(self) -> str:
        added = " to ".join(f"{100 * end:+.1f}" for end in (self.added.low, self.added.high))
        return (
            f"clean error {self.clean.percent()} %, mCE {self.corrupted.percent()} %: {100 * self.added.estimate:+.1f} "
            f"points ({added}), {self.ratio:.1f} times the clean error; n = {self.clean.n:,}"
        )


def errors(clean: np.ndarray, corrupted: np.ndarray, people: np.ndarray | None = None) -> Errors:
    """Compare errors on clean and on damaged images.

    Hendrycks and Dietterich divide by the errors of a reference network (AlexNet); no such network is common to
    faces of 48 pixels, so each network is compared with *itself* on clean images.

    Args:
        clean: (n,) 1 where the network errs on the clean image.
        corrupted: float (n,) in [0, 1], share of the damaged versions of the image on which it errs.
        people: (n,) subjects, who are drawn in place of images; None draws images.
    """
    clean, corrupted = np.asarray(clean, float), np.asarray(corrupted, float)
    found = [statistics.bootstrap_interval(x, clusters=people) for x in (clean, corrupted, corrupted - clean)]
    ratio = corrupted.mean() / clean.mean() if clean.any() else np.nan
    return Errors(*found, float(ratio))


def stress(logits_of: Callable[[np.ndarray], np.ndarray], images: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Score every corruption and severity.

    Args:
        logits_of: from uint8 (n, s, s) to logits (n, k).
        images: uint8 (n, s, s).
        seed: of the corruptions.

    Returns:
        `predicted` uint8 (c, 6, n) and `confidence` float16 (c, 6, n), as a measurement record keeps them.
    """
    clean = metrics.softmax(logits_of(images))
    table = np.broadcast_to(clean, (len(SEVERITIES), 6, *clean.shape)).copy()
    for row, name in enumerate(SEVERITIES):
        damaged = np.concatenate([corrupt(images, name, severity, seed) for severity in range(1, 6)])
        table[row, 1:] = metrics.softmax(logits_of(damaged)).reshape(5, *clean.shape)
    return {"predicted": table.argmax(-1).astype(np.uint8), "confidence": table.max(-1).astype(np.float16)}


def pool(parts: list[tuple[np.ndarray, Mapping[str, np.ndarray], np.ndarray | None]]) -> Stress:
    """Put (labels, arrays of `stress`, subjects or None) of several networks, the folds of a seed, together."""
    subjects = [part[2] for part in parts]
    return Stress(
        labels=np.concatenate([part[0] for part in parts]).astype(np.int64),
        predicted=np.concatenate([part[1]["predicted"] for part in parts], axis=2).astype(np.int64),
        confidence=np.concatenate([part[1]["confidence"] for part in parts], axis=2).astype(np.float64),
        subjects=None if any(s is None for s in subjects) else np.concatenate(subjects),
    )


def _check(images: np.ndarray, name: str, severity: int) -> None:
    if name not in SEVERITIES:
        raise ValueError(f"A corruption is one of {', '.join(SEVERITIES)}; got {name!r}.")
    if severity not in range(6):
        raise ValueError(f"A severity is 0 (none) to 5; got {severity!r}.")
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1] != images.shape[2] or len(images) == 0:
        raise ValueError(f"Corruptions take uint8 images (n, s, s), n >= 1; got {images.dtype} {images.shape}.")
