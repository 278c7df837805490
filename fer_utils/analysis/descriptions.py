"""Datasets as notebooks describe them: from the images where they are at hand, else from the committed record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_utils.analysis import eda, ferplus_votes
from fer_utils.data import FaceDataset, data_root, load
from fer_utils.data.readers import ferplus
from fer_utils.records import Measurement


@dataclass(frozen=True)
class Description:
    """One dataset.

    Attributes:
        name: as `load` takes it.
        facts, arrays: values and arrays of `eda.summarize`.
        faces: its images; None where they are not on this machine.
    """

    name: str
    facts: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    faces: FaceDataset | None

    @property
    def title(self) -> str:
        """The dataset's name for readers."""
        return eda.TITLES[self.name]

    @property
    def source(self) -> str:
        """Which images its pixels were described on, as a sentence for captions."""
        return f"Measured on: {self.facts['described']}."

    @property
    def parts(self) -> dict[str, list[int]]:
        """Images per class of the published parts, or of a random 80/20 split where there are none."""
        return self.facts["counts"] if len(self.facts["counts"]) > 1 else self.facts["random_split"]

    def profile(self, profile: str) -> str | None:
        """What its figures are stamped with: numbers of real data mean the same under every profile."""
        return profile if self.name == "synthetic" or profile != "quick" else None


def read(
    names: Sequence[str], root: Path | str | None = None, options: Mapping[str, Any] | None = None
) -> list[Description]:
    """Describe datasets, as far as they are on this machine or on record.

    Args:
        names: as `load` takes them.
        root: where they lie; None for the usual places.
        options: arguments of `load` for drawn faces.

    Returns:
        A `Description` for each that is found, in this order. One that is not on this machine is said so in a printed
        line.
    """
    found = []
    for name in names:
        try:
            faces = load(name, root, **(dict(options or {}) if name == "synthetic" else {}))
            record: Measurement | None = eda.measure(faces)
        except FileNotFoundError:
            faces, record = None, eda.on_record(name)
            instead = "described from its record" if record else "left out"
            print(f"{eda.TITLES[name]} is not on this machine: {instead}.")
        if record:
            found.append(Description(name, record.values, record.arrays, faces))
    return found


def votes(described: Sequence[Description], root: Path | str | None = None) -> Measurement:
    """FER2013's labels against FER+'s votes: of the images where both datasets are here, else the committed record.

    Raises:
        FileNotFoundError: neither is there.
    """
    here = {one.name for one in described if one.faces is not None}
    if here >= {"fer2013", "ferplus"}:
        return ferplus_votes.measure(*ferplus.join(data_root(root)))
    if record := eda.on_record("votes"):
        return record
    raise FileNotFoundError(
        "Two sets of labels are compared from FER2013 and FER+, or from their record in reports/measurements; neither "
        "is here. Run `make data`: it says what to fetch."
    )
