"""Right answers per seed and person: what accuracies, their differences and the intervals of both are computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, eq=False)
class RightAnswers:
    """Right answers of each seed on each unit: all that accuracies and their differences are computed from.

    Attributes:
        right, images: float64 (s, u): right answers and images of s seeds and u units.
        units: (u,) names of persons, or positions of images, in ascending order.
        what: `"persons"` or `"images"`.
    """

    right: np.ndarray
    images: np.ndarray
    units: np.ndarray
    what: str = "images"

    @property
    def accuracy(self) -> np.ndarray:
        """Of each seed, float64 (s,)."""
        return self.right.sum(axis=1) / self.images.sum(axis=1)

    @property
    def n(self) -> int:
        """Images that a seed scored."""
        return int(self.images[0].sum())

    @property
    def rarer(self) -> int:
        """Units with an answer of the rarer kind, in any seed."""
        return min(int((count > 0).any(axis=0).sum()) for count in (self.right, self.images - self.right))

    @property
    def contributions(self) -> np.ndarray:
        """How far each unit moves its seed's accuracy, float64 (s, u), to first order; rows sum to 0."""
        return (self.right - self.accuracy[:, None] * self.images) / self.images.sum(axis=1, keepdims=True)

    def of_draws(self, times: np.ndarray) -> np.ndarray:
        """Accuracies (m, s) when units count as often as `times` (m, u) says; NaN where a draw has no image."""
        with np.errstate(invalid="ignore"):
            return times @ self.right.T / (times @ self.images.T)

    def at(self, units: np.ndarray) -> RightAnswers:
        """The same on a longer list of units, zero where a unit is new."""
        place = np.searchsorted(units, self.units)
        right, images = np.zeros((2, len(self.right), len(units)))
        right[:, place], images[:, place] = self.right, self.images
        return RightAnswers(right, images, units, self.what)


def counted(correct: ArrayLike, units: ArrayLike | None = None) -> RightAnswers:
    """The tally of answers, right or wrong, (n,) of one seed or (s, n), with the person of each image, (n,), or None.

    Raises:
        ValueError: no image, answers that are neither right nor wrong, or not one unit per image.
    """
    right = np.atleast_2d(np.asarray(correct, dtype=np.float64))
    if right.ndim != 2 or right.size == 0:
        raise ValueError(f"An accuracy needs answers, (n,) or (seeds, n); got shape {np.shape(correct)}. Score images.")
    if not np.isin(right, (0, 1)).all():
        raise ValueError(
            "An accuracy needs answers that are right (True, 1) or wrong (False, 0); got values from "
            f"{right.min():g} to {right.max():g}. Pass predicted == labels."
        )
    n = right.shape[1]
    if units is None:
        return RightAnswers(right, np.ones_like(right), np.arange(n))
    if np.shape(units) != (n,):
        raise ValueError(f"units must name the person of each of {n} images; got shape {np.shape(units)}.")
    names, codes = np.unique(np.asarray(units), return_inverse=True)
    sums = np.stack([np.bincount(codes, weights=row, minlength=len(names)) for row in right])
    images = np.tile(np.bincount(codes).astype(float), (len(right), 1))
    return RightAnswers(sums, images, names, "persons")


def joined(a: RightAnswers, b: RightAnswers) -> RightAnswers:
    """Two parts scored together; a unit that stands in both counts once, with all its images."""
    units = np.union1d(a.units, b.units)
    a, b = a.at(units), b.at(units)
    return RightAnswers(a.right + b.right, a.images + b.images, units, a.what)


def stacked(seeds: Sequence[RightAnswers]) -> RightAnswers:
    """Tallies of one or more seeds each as one, on all of their units."""
    units = np.unique(np.concatenate([one.units for one in seeds]))
    placed = [one.at(units) for one in seeds]
    right, images = (np.concatenate([getattr(one, name) for one in placed]) for name in ("right", "images"))
    return RightAnswers(right, images, units, seeds[0].what)
