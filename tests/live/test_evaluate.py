"""`python -m fer_utils evaluate`: one folder per expression, from detection to label."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_recognizer import Engine

from fer_utils.__main__ import main
from fer_utils.evaluation.statistics import wilson_interval
from fer_utils.live import Box, EmotionRecognizer
from fer_utils.live.interface import evaluate

BRIGHT, DARK, EMPTY = 200, 20, 100
"""Grey levels: read as happy, read as sad, no face."""


class ByLevel:
    """Finds a face unless the picture is `EMPTY`, two on wide ones."""

    margin = 0.0

    def detect(self, bgr: np.ndarray) -> list[Box]:
        faces = [Box(4, 4, 40, 40), Box(60, 4, 30, 30)]
        return [] if abs(int(bgr[0, 0].flat[0]) - EMPTY) < 9 else faces[: 1 + (bgr.shape[1] > 90)]


@pytest.fixture
def recognizer() -> EmotionRecognizer:
    found = EmotionRecognizer(detector=ByLevel(), threads=1)
    found.engine = Engine()
    return found


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three happy ones, one of them without a face, and three of sadness, of which one is bright."""
    levels = {"Happy": (BRIGHT, BRIGHT, EMPTY), "sadness": (DARK, DARK, BRIGHT)}
    for name, values in levels.items():
        (tmp_path / "mine" / name).mkdir(parents=True)
        for i, level in enumerate(values):
            wide = 100 if (name, i) == ("Happy", 0) else 60
            cv2.imwrite(str(tmp_path / "mine" / name / f"{i}.png"), np.full((48, wide), level, np.uint8))
    return tmp_path / "mine"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_report_and_the_tables_say_the_same(
    pictures: Path, recognizer: EmotionRecognizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate.evaluate(pictures, tmp_path / "out", recognizer) == 0
    said = capsys.readouterr().out
    assert "6 pictures; no face found in 1; in 1 several" in said
    assert " 66.7 % [30.0, 90.3] right of all pictures" in said
    assert " 80.0 % [37.6, 96.4] right where a face was found" in said
    worst = pictures / "sadness/2.png"
    assert f"  {worst}: sad, read as happy " in said
    found = rows(tmp_path / "out/pictures.csv")
    assert [row["right"] for row in found] == list("110110") and [row["faces"] for row in found] == list("210111")
    assert [(row["expression"], row["recall"], row["no face"]) for row in rows(tmp_path / "out/classes.csv")] == [
        ("happy", "66.67", "1"), ("sad", "66.67", "0")]  # fmt: skip
    matrix = {row.pop("expression"): row for row in rows(tmp_path / "out/confusion.csv")}
    assert matrix["happy"]["happy"] == "2" and matrix["sad"] == {**matrix["sad"], "sad": "2", "happy": "1"}
    assert (tmp_path / "out/confusion.png").is_file()


@pytest.mark.parametrize(("k", "n"), [(0, 5), (5, 5), (3, 7), (400, 1000)])
def test_the_interval_is_wilsons(k: int, n: int) -> None:
    expected = wilson_interval(k, n)
    ends = [expected.estimate, expected.low, expected.high]
    np.testing.assert_allclose(evaluate.wilson(k, n), np.multiply(100, ends))


def test_nothing_is_overwritten_and_a_broken_file_is_named(
    pictures: Path, recognizer: EmotionRecognizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "Happy/broken.jpg").write_bytes(b"no picture")
    (pictures / "Happy/phone.heic").write_bytes(b"of a kind that is not read")
    assert evaluate.evaluate(pictures, tmp_path / "out", recognizer) == 1
    printed = capsys.readouterr()
    assert "broken.jpg" in printed.err and "phone.heic: .heic files are not read" in printed.err
    assert "6 pictures" in printed.out
    with pytest.raises(ValueError, match="Nothing is overwritten without --overwrite"):
        evaluate.evaluate(pictures, tmp_path / "out", recognizer)
    assert evaluate.evaluate(pictures, tmp_path / "out", recognizer, overwrite=True) == 1


def test_it_can_be_repeated_where_it_wrote_and_names_what_lies_loose(
    pictures: Path, recognizer: EmotionRecognizer, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(pictures / "loose.png"), np.full((48, 60), BRIGHT, np.uint8))
    for _ in range(2):
        assert evaluate.evaluate(pictures, pictures / "evaluation/first", recognizer, overwrite=True) == 1
        printed = capsys.readouterr()
        assert "6 pictures" in printed.out and "loose.png lies in no expression's folder" in printed.err


def test_names_that_are_no_text_are_kept_in_the_tables(
    pictures: Path, recognizer: EmotionRecognizer, tmp_path: Path
) -> None:
    try:
        (pictures / "Happy/0.png").rename(pictures / "Happy" / os.fsdecode(b"bad\xff.png"))
    except OSError:
        pytest.skip("this file system has no such names")
    assert evaluate.evaluate(pictures, tmp_path / "out", recognizer) == 0
    assert b"bad\xff.png" in (tmp_path / "out/pictures.csv").read_bytes()


def test_interruption_keeps_what_was_read(
    pictures: Path, recognizer: EmotionRecognizer, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    detect, seen = recognizer.detector.detect, []

    def interrupted(image: np.ndarray) -> list[Box]:
        seen.append(1)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return detect(image)

    monkeypatch.setattr(recognizer.detector, "detect", interrupted)
    assert evaluate.evaluate(pictures, tmp_path / "out", recognizer) == 130
    assert "Stopped: 2 of 6 pictures were read." in capsys.readouterr().err
    assert len(rows(tmp_path / "out/pictures.csv")) == 2


def test_folders_of_other_names_are_explained(
    tmp_path: Path, recognizer: EmotionRecognizer, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine/bored").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"bored is none of these\. Rename it"):
        evaluate.collect(tmp_path / "mine", recognizer.class_names, tmp_path / "out")
    (tmp_path / "mine/bored").rename(tmp_path / "mine/fearful")
    with pytest.raises(ValueError, match="there are none"):
        evaluate.collect(tmp_path / "mine", recognizer.class_names, tmp_path / "out")
    assert main(["evaluate", str(tmp_path / "absent")]) == 2
    assert "is no folder" in capsys.readouterr().err
