"""What is searched for each network: ranges of its hyper-parameters, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Real:
    """A number from `low` to `high`, drawn evenly or, with `log`, evenly by its logarithm; three digits are kept."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"A range goes up, and from above 0 if by logarithm; got {self}. Exchange or raise ends.")


@dataclass(frozen=True)
class Choice:
    """One of some ordered numbers."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.values) < 2 or list(self.values) != sorted(set(self.values)):
            raise ValueError(f"A choice has two or more different numbers in rising order; got {self.values}.")


Space = Mapping[str, Real | Choice]

SPACES: Mapping[str, Space] = {
    "iitk2023_model2": {
        "learning_rate": Real(1e-4, 1e-2, log=True),
        "batch_size": Choice((8, 16, 32, 64)),
        "dropout": Real(0.0, 0.6),
        "head_l2": Real(1e-6, 1e-1, log=True),
        "width": Choice((0.25, 0.5, 1.0)),
        "depth": Choice((3, 4, 5)),
        "augmentation_strength": Real(0.0, 2.0),
    },
    "psg2025": {
        "learning_rate": Real(1e-4, 1e-2, log=True),
        "batch_size": Choice((16, 32, 64, 128)),
        "dropout": Real(0.0, 0.6),
        "head_l2": Real(1e-6, 1e-1, log=True),
        "width": Choice((0.25, 0.5, 1.0)),
        "depth": Choice((2, 4, 8)),
        "augmentation_strength": Real(0.0, 1.5),
    },
    "tiny": {
        "learning_rate": Real(1e-3, 1e-1, log=True),
        "batch_size": Choice((8, 16, 32)),
        "dropout": Real(0.0, 0.6),
        "head_l2": Real(1e-6, 1e-1, log=True),
        "width": Choice((0.5, 1.0, 2.0)),
        "augmentation_strength": Real(0.0, 2.0),
    },
}
"""What is searched for each network. Names: `learning_rate`, fields of `RunConfig`, options of `models.build`."""

POLICIES: Mapping[str, str] = {"iitk2023_model2": "iitk2023", "psg2025": "psg2025", "tiny": "light"}
"""The augmentation whose ranges `augmentation_strength` multiplies: the report's own, `light` for `tiny`."""
