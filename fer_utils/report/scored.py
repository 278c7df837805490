"""Which runs ever scored which test images: what was tried on them is part of what a number on them is worth."""

from __future__ import annotations

from collections.abc import Sequence

from fer_utils.analysis.eda import TITLES
from fer_utils.records import Record
from fer_utils.records.config import RunConfig
from fer_utils.study import by_configuration

PRIVATE_TEST = "FER2013, PrivateTest"
EARLIER_TRIAL = (
    "one trial before the first record, which is not stored: a residual network of 48, 96, 192 and 384 channels, one "
    "seed, an hour on two CPU cores, 67.26 % of PrivateTest (67.90 % with mirror images averaged), nothing chosen by it"
)
"""What scored FER2013's PrivateTest and left no record; it belongs to every list of runs that did."""


def test_part(config: RunConfig) -> str:
    """Which images are the test part of a run, in words."""
    split, data = config.split, TITLES.get(config.dataset, config.dataset)
    parts = {
        "usage": "PrivateTest", "merged": "PublicTest and PrivateTest", "random": "a random part",
        "kfold": f"folds by {split.groups or 'images'}",
    }  # fmt: skip
    return f"{data}, {parts[split.kind]}"


def ever(records: Sequence[Record]) -> list[Record]:
    """The runs that scored test images, declared final or not."""
    return [record for record in records if record.config.score_test or "test" in record.run["metrics"]]


def sentences(records: Sequence[Record]) -> list[str]:
    """How many runs of how many systems scored which test images, a sentence each.

    A system is a configuration but for seed and fold. The sentence on PrivateTest names what left no record, too.
    """
    by_part: dict[str, list[Record]] = {}
    for record in ever(records):
        by_part.setdefault(test_part(record.config), []).append(record)
    earlier = {PRIVATE_TEST: f", and {EARLIER_TRIAL}"}
    return [
        f"{part}: {_counted(found, 'run')} of {_counted(by_configuration(found), 'system')}{earlier.get(part, '')}."
        for part, found in sorted(by_part.items())
    ]


def _counted(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"
