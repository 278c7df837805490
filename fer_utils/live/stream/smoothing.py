"""Steady labels: probabilities smoothed over time, and a label that changes only for a clear rival."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fer_utils.live.faces import softmax

LEAST = 1e-3
"""A class that the network all but rules out in one frame counts as this probable, so that one frame cannot veto it."""


@dataclass(frozen=True)
class Smoothing:
    """How steady.

    Attributes:
        seconds: time constant of the exponential average; 0 leaves probabilities as they come.
        advantage: how much more probable than the label another class must be to replace it, in [0, 1).
    """

    seconds: float = 0.16
    advantage: float = 0.1

    def __post_init__(self) -> None:
        if self.seconds < 0 or not 0 <= self.advantage < 1:
            raise ValueError(f"Smoothing takes seconds >= 0 and an advantage in [0, 1); got {self}.")


class Smoother:
    """The state of one person: smoothed probabilities and the label shown.

    It is the *logarithms* that are averaged (a geometric mean, as of experts that are multiplied): of noisy frames this
    finds the class sooner than the mean of probabilities at the same calm. An average with time constant s keeps the
    share exp(-dt / s) of what it held dt seconds ago, so that a camera of 10 frames a second and one of 60 give the
    same curve. When the picture changes for good from one certain class to another, the label follows a little after
    s log(2), with the defaults 0.11 s.

    One frame that says otherwise changes nothing, the third in a row does.

    >>> smoother, (calm, other) = Smoother(), np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> [smoother.update(p, time / 30)[1] for time, p in enumerate([calm, calm, other, calm, *[other] * 6])]
    [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]
    """

    def __init__(self, settings: Smoothing | None = None) -> None:
        """Starts without a label."""
        self.settings = settings or Smoothing()
        self.probabilities: np.ndarray | None = None
        self.label: int | None = None
        self._time = 0.0

    def update(self, probabilities: np.ndarray, time: float) -> tuple[np.ndarray, int]:
        """Take in what the network says now.

        Args:
            probabilities: float (k,), sum 1.
            time: seconds; not before the last.

        Returns:
            Smoothed probabilities float64 (k,), sum 1, and the class shown.
        """
        new = np.asarray(probabilities, np.float64)
        if self.probabilities is None or self.settings.seconds == 0:
            self.probabilities = new
        else:
            kept = math.exp(-max(time - self._time, 0.0) / self.settings.seconds)
            before, now = (np.log(np.maximum(shares, LEAST)) for shares in (self.probabilities, new))
            self.probabilities = softmax(kept * before + (1 - kept) * now)
        self._time, first = time, int(self.probabilities.argmax())
        if self.label is None or self.probabilities[first] > self.probabilities[self.label] + self.settings.advantage:
            self.label = first
        return self.probabilities, self.label
