"""psg2025's attention on record: what its kinds are worth on validation images, and what the trained gates look like.

Nothing here trains: `fer_utils.study.rows` declares the runs, the queue trains them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_utils import records, study
from fer_utils.models.attention import KINDS
from fer_utils.records.config import in_words
from fer_utils.study import protocols

MODEL, DATASET = "psg2025", "ckplus"
ALIKE = 0.1
"""A place whose mean gates differ by no more than this between expressions lets all of them through alike."""


@dataclass(frozen=True, eq=False)
class Gates:
    """The mean gate of each expression, of one trained network.

    Attributes:
        maps: float (k, 3, 3) in [0, 1].
        classes: k names.
        n: images they are means of.
        places, faces: standard deviation of the gates between places, and between the faces at one place.
        run: the record of the network.
    """

    maps: np.ndarray
    classes: tuple[str, ...]
    n: int
    places: float
    faces: float
    run: records.Record

    def trained(self) -> str:
        """How the network was trained, for captions and sentences: the data, the epochs, and what was modified."""
        config, budget = self.run.config, sum(protocols.recipe(MODEL, DATASET).epochs)
        changed = in_words(config.model_options)
        return f"CK+48, {config.epochs} of {budget} epochs{f', modified: {changed}' if changed else ''}"

    @property
    def alike(self) -> int:
        """How many of the places let all expressions through alike: their mean gates differ by 0.1 or less."""
        return int((np.ptp(self.maps, axis=0) <= ALIKE).sum())


def reading(gates: Sequence[Gates]) -> str:
    """What the mean gates say, as a sentence: at how many places they depend on the expression.

    Args:
        gates: of at least one network; all were trained alike.
    """
    places, n = gates[0].maps[0].size, len(gates)
    alike = [found.alike for found in gates]
    who = "In the trained network" if n == 1 else f"In each of the {n} networks trained alike"
    return (
        f"{who} whose gates are on record ({gates[0].trained()}), {_span(alike)} of the {places} places let all "
        f"expressions through alike; at the other {_span([places - count for count in alike])} the mean gate depends "
        f"on the expression (it differs by more than {ALIKE:g})."
    )


def _span(counts: Sequence[int]) -> str:
    """The range of some counts in words: "3", "4 to 7"."""
    return str(counts[0]) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def trained_gates() -> list[Gates]:
    """The gates that were measured of psg2025 on CK+48: of the longest trained network and of those trained alike."""
    measured: list[Gates] = []
    for run in sorted(study.on_record(MODEL, DATASET), key=lambda run: -run.run["epochs"]):
        if found := records.measured(f"gates*-{run.id}") or records.measured(f"attention-{run.id}"):
            arrays, values = found.arrays, found.values
            codes = arrays.get("classes", np.arange(len(run.class_names)))
            maps = arrays.get("gates", arrays.get("maps"))
            names = tuple(run.class_names[code] for code in codes)
            measured.append(Gates(maps, names, values["n"], values["places"], values["faces"], run))
    return [found for found in measured if found.trained() == measured[0].trained()]


def first_blocks(runs: Iterable[records.Record] | None = None) -> pd.DataFrame:
    """Validation accuracy after psg2025's first block, first fold of persons, for each kind of attention on record.

    Args:
        runs: psg2025's on CK+48 under the sound protocol; None for those on record.

    Returns:
        One row for each kind and budget: `attention`, `epochs`, `network` ("unmodified", or what was modified),
        `accuracy` in % (mean over seeds), `images`, `seeds`. No row where nothing is on record.
    """
    found: dict[tuple[str, int, str], list[records.Record]] = {}
    for run in study.on_record(MODEL, DATASET, "sound") if runs is None else runs:
        options = dict(run.config.model_options)
        kind = options.pop("attention", "spatial")
        changed = in_words(options)
        if run.config.split == protocols.sound_splits(DATASET)[0]:
            network = f"modified: {changed}" if changed else "unmodified"
            found.setdefault((kind, run.config.phases[0].epochs, network), []).append(run)
    rows = [
        {"attention": kind, "epochs": epochs, "network": network, "accuracy": 100 * np.mean([
            run.history["val_accuracy"].iloc[epochs - 1] for run in runs]),
         "images": runs[0].run["split"]["validation"], "seeds": len(runs)}
        for (kind, epochs, network), runs in found.items()
    ]  # fmt: skip
    columns = ["attention", "epochs", "network", "accuracy", "images", "seeds"]
    order = {kind: place for place, kind in enumerate(KINDS)}
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["epochs", "attention"], key=lambda c: c.map(order) if c.name == "attention" else -c)


def side_by_side(table: pd.DataFrame) -> str:
    """The kinds of attention of `first_blocks` that were trained alike, beside each other; "" where none were."""
    texts = []
    for (epochs, network), rows in table.groupby(["epochs", "network"], sort=False):
        if len(rows) > 1:
            shares = ", ".join(f"{row.attention} {row.accuracy:.1f}" for row in rows.itertuples())
            seeds = int(rows["seeds"].min())
            texts.append(
                f"after a first block of {epochs} epochs, {network}: {shares} % of {rows['images'].min()} validation "
                f"images, {seeds} seed{'s' * (seeds > 1)}"
            )
    return "; ".join(texts)


def worth(table: pd.DataFrame) -> str:
    """What `first_blocks` lets one say of the spatial attention's worth, as a sentence.

    Two accuracies of one seed on one fold's validation part are levels and no proof, and the sentence says so.
    """
    for (epochs, network), rows in table.groupby(["epochs", "network"], sort=False):
        level = rows.set_index("attention")
        if {"none", "spatial"} <= set(level.index):
            one, other = level.loc["spatial"], level.loc["none"]
            n = min(one["seeds"], other["seeds"])
            seeds = "one seed" if n == 1 else f"{n} seeds"
            return (
                f"After a first block of {epochs} epochs ({network}) the network with spatial attention names "
                f"{one['accuracy']:.1f} % of {one['images']} validation images of CK+48 correctly, the one without it "
                f"{other['accuracy']:.1f} %; with {seeds} and one fold that is **no proof of a difference**."
            )
    return (
        "Whether attention raises psg2025's accuracy is **not measured**: no pair of runs with and without it is on "
        "record (`make queue` trains what is missing)."
    )
