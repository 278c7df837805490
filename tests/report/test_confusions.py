"""Single expressions: confusions against the next one, flicker, votes on the same images, and where maps lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_records import finished

from fer_utils import records
from fer_utils.analysis import shared_confusion, trained_networks
from fer_utils.report import records_index
from fer_utils.report.audit import confusions
from fer_utils.report.audit.verdicts import NOT_MEASURED
from fer_utils.study import Pooled, protocols

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    for name in ("runs", "measurements"):
        (tmp_path / name).mkdir()
    return tmp_path


def pooled(said: list[int], label: int) -> Pooled:
    logits = np.eye(7)[said]
    return Pooled(np.full(len(said), label), logits, None, NAMES)


def test_a_confusion_is_compared_with_the_commonest_other_one() -> None:
    text = confusions._against_next(pooled([0] * 50 + [4] * 30 + [6] * 15 + [2] * 5, 0), "angry", "sad")
    assert text.startswith("angry as sad 30.0 [") and "as neutral 15.0 [" in text
    assert "difference +15.0 [" in text and text.endswith("n = 100")


def flickering(reports: Path, answers: list[list[int]], people: list[int]) -> str:
    arrays = {
        "labels": np.repeat([3, 3, 4], 3).astype(np.int8), "subjects": np.repeat(people, 3).astype(np.int16),
        "free": np.array(answers, np.int8).reshape(1, -1),
    }  # fmt: skip
    name, values = "elsewhere-fer2013-compact-x-on-ckplus", {"names": list(NAMES[:6])}
    records.measure(name, reports / "measurements", lambda: (values, arrays))
    return confusions.flicker(records_index.read(reports))


def test_flicker_counts_sequences_whose_answer_changes(reports: Path) -> None:
    said = flickering(reports, [[3, 3, 3], [3, -1, 3], [0, 0, 0]], [1, 2, 3])
    assert "happy 50.0 [" in said and "sad 0.0 [0.0, " in said


def test_frames_that_are_no_whole_sequences_are_not_counted(reports: Path) -> None:
    labels, free = np.array([3, 3, 4], np.int8), np.zeros((1, 3), np.int8)
    arrays = {"labels": labels, "subjects": np.zeros(3, np.int16), "free": free}
    store, name = reports / "measurements", "elsewhere-fer2013-compact-x-on-ckplus"
    records.measure(name, store, lambda: ({"names": list(NAMES[:6])}, arrays))
    assert confusions.flicker(records_index.read(reports)) == NOT_MEASURED


@pytest.mark.parametrize("side", [3, 4, 5, 6])
def test_the_lower_half_of_an_even_map_is_half(side: int) -> None:
    assert trained_networks.lower_half(np.ones((side, side))) == pytest.approx(0.5)
    bottom = np.zeros((side, side))
    bottom[-1] = 1
    assert trained_networks.lower_half(bottom) == 1


def test_people_and_network_on_the_same_images() -> None:
    said = np.repeat([True, False], [20, 60])
    votes = np.zeros((80, 10), int)
    votes[:20, 3], votes[:20, 6] = 8, 2  # sadness and fear, FER+'s columns
    votes[20:, 6], votes[20:, 3] = 9, 1
    values, arrays = shared_confusion.compare(said, votes, 4)
    assert arrays == {} and (values["n"], values["said"]) == (80, 20)
    assert values["network"]["share"] == 0.25 and values["people"]["share"] == pytest.approx((0.8 * 20 + 0.1 * 60) / 80)
    assert values["difference"] == pytest.approx({"share": 0.7, "low": 0.7, "high": 0.7})


def test_what_cannot_be_shared_is_refused(reports: Path) -> None:
    (config,) = protocols.compact((0,))
    record = finished(reports / "runs", config, [0.7, 0.7, 0.7])
    with pytest.raises(ValueError, match="Expressions are angry"):
        shared_confusion.measure(record, None, "fear", "sadness")
    with pytest.raises(FileNotFoundError, match="Name the folder"):
        shared_confusion.measure(record, None)


def test_the_committed_records_answer() -> None:
    shelf = records_index.read(ROOT / "reports")
    assert "people vote so with 42.5 [" in confusions.like_people(shelf)
    assert confusions.flicker(shelf).count(" % of ") == 6
    assert "30 epochs: of the mean map anger" in confusions.where_reports_look(shelf)
    assert confusions.anger_and_sadness(shelf).count("n = ") == 2
