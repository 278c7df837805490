"""Measurements that need weights: loaded where they are on record, None where neither weights nor images are here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_utils import study
from fer_utils.analysis import cross_dataset, features
from fer_utils.study import protocols

MODEL = "iitk2023_model2"


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No dataset, a store of its own, and no training."""
    monkeypatch.setenv("FER_REPORTS", str(tmp_path))
    monkeypatch.setenv("FER_TRAIN", "never")
    return tmp_path / "data"


def test_the_forest_is_loaded_from_its_record(nowhere: Path) -> None:
    config = protocols.configs(MODEL, "ckplus", "sound", epochs=[30])[0]
    (run,) = study.on_record(MODEL, "ckplus", phases=config.phases, split=config.split, loss="cross_entropy")
    found = features.measured(run, nowhere)
    assert found.values["run"] == run.id and found.values["names"][0] == "the network itself"
    assert len(features.table(found.values, found.arrays)) == len(found.values["names"])
    own, forest, *_ = features.gains(found.arrays)
    assert own.estimate == own.low == own.high == 0 and forest.low < forest.estimate < forest.high
    alone = {name: array for name, array in found.arrays.items() if name != "subjects"}
    assert features.gains(alone)[1].estimate == forest.estimate


def test_what_is_not_on_record_is_none(nowhere: Path) -> None:
    (run,) = study.on_record("iitk2023_model1", "ckplus", "reported", seed=1)
    assert features.measured(run, nowhere) is None
    assert cross_dataset.measured([run], "fer2013", root=nowhere) is None


def test_answers_to_another_dataset_are_loaded_from_their_record(nowhere: Path) -> None:
    found = cross_dataset.measured([study.shipped()], "ckplus", root=nowhere)
    assert found.values["trained_on"] == "fer2013" and found.values["left_out"] == {"contempt": 54}
    right = found.arrays["among_shared"] == found.arrays["labels"]
    assert np.isclose(cross_dataset.away(found.arrays).estimate, right.mean())
