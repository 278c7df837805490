"""Why a known person costs accuracy: drawn folds in which the answer is known by construction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_records import described, finished

from fer_utils import records
from fer_utils.analysis.prices import experiments, known_persons
from fer_utils.records import Record

SHOWN = {person: [0, 1, 2] if person < 6 else [person % 3] for person in range(9)}
"""Expressions of nine persons: three of each of the first six, one of the others."""


def fold_of(person: int, label: int, grouping: str) -> int:
    return person % 2 if grouping == "subjects" else (person + label) % 2


def answer(person: int, label: int, fold: int, grouping: str) -> int:
    """In folds of sequences what the person showed in training, if anything; else nobody's expression."""
    if grouping == "subjects":
        return 3 + label
    return min((x for x in SHOWN[person] if fold_of(person, x, grouping) != fold), default=label)


def posed(store: Path, grouping: str, seed: int) -> list[Record]:
    """Two folds of three frames a sequence, of which the first is right."""
    found = []
    for config in experiments.by_grouping("tiny", "ckplus", grouping, [seed], n_folds=2, epochs=2):
        fold = config.split.fold
        here = [(p, y) for p, labels in SHOWN.items() for y in labels if fold_of(p, y, grouping) == fold]
        persons, labels = np.repeat(np.array(here), 3, axis=0).T
        said = np.repeat([answer(p, y, fold, grouping) for p, y in here], 3)
        said[::3] = labels[::3]
        parts = {"test_labels": labels, "test_subjects": persons, "validation_labels": np.array([5]),
                 "validation_subjects": np.array([99])}  # fmt: skip
        for kept in config.keep:
            parts |= {f"test_{kept}": np.eye(7)[said], f"validation_{kept}": np.eye(7)[[5]]}
        path = store / records.identify(config, "0123456789abcdef")
        found.append(records.write(path, described(config, len(labels)), pd.DataFrame({"epoch": [1, 2]}), parts))
    return found


def test_a_known_person_misleads(tmp_path: Path) -> None:
    runs = {g: [r for seed in (0, 1) for r in posed(tmp_path, g, seed)] for g in ("sequences", "subjects")}
    found = known_persons.known(runs)
    assert (found.n_present, found.n_absent) == (54, 9)
    assert found.present.estimate == pytest.approx(0), "one frame of three is right in both"
    assert found.absent.estimate == pytest.approx(1 - 1 / 3) and found.absent_seeds == pytest.approx((2 / 3, 2 / 3))
    assert found.misled == (1, 0) and found.gap.estimate == 1
    assert "+0.0 [" in found.sentence() and "100 % of the errors" in found.sentence()
    prices = experiments._known(runs)
    assert [p.interval for p in prices] == [found.present, found.absent]
    assert {p.of for p in prices} == {"Sequences kept whole, persons not"}


def test_what_was_only_validated_on_is_not_known(tmp_path: Path) -> None:
    folds = posed(tmp_path, "sequences", 0)
    others = known_persons._others(folds, "best_validation")
    assert others[0, 0] == {1} and others[0, 1] == {0, 2} and others[7, 1] == set()
    with np.load(folds[0].path / "predictions.npz") as stored:
        parts = {name: stored[name] for name in stored}
    parts |= {"validation_labels": np.array([1], np.int8), "validation_subjects": np.array([0], np.int16)}
    np.savez_compressed(folds[0].path / "predictions.npz", **parts)
    assert known_persons._others([Record(r.path) for r in folds], "best_validation")[0, 0] == set()


def test_nothing_is_proved_where_a_pair_stands_in_two_folds(tmp_path: Path) -> None:
    (config, _) = experiments.by_grouping("tiny", "ckplus", "sequences", [0], n_folds=2, epochs=2)
    same = [finished(tmp_path, config, [0.7] * 5, subjects=np.repeat(np.arange(10), 4))] * 2
    assert known_persons.known({"sequences": same, "subjects": same}) is None
