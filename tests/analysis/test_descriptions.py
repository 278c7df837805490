"""Datasets that are not on a machine are described from their records."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_utils.analysis import descriptions, eda


@pytest.fixture
def no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FER_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("FER_REPORTS", str(tmp_path / "reports"))
    return tmp_path


def test_what_is_missing_is_described_from_its_record(no_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ckplus, drawn = descriptions.read(["ckplus", "synthetic"], options={"n_subjects": 6})
    assert capsys.readouterr().out == "CK+48 is not on this machine: described from its record.\n"
    assert ckplus.faces is None and ckplus.facts["n"] == 981 and ckplus.title == "CK+48"
    assert list(ckplus.parts) == ["train", "test"] and ckplus.source == "Measured on: all images."
    assert ckplus.profile("quick") is None and ckplus.profile("full") == "full"
    assert len(drawn.faces) == drawn.facts["n"] == 126 and drawn.profile("quick") == "quick"


def test_what_is_neither_here_nor_on_record_is_left_out(
    no_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(eda, "on_record", lambda name: None)
    assert descriptions.read(["fer2013"]) == []
    assert "left out" in capsys.readouterr().out
    with pytest.raises(FileNotFoundError, match="make data"):
        descriptions.votes([])


def test_votes_come_from_the_record_where_the_data_are_not_here(no_data: Path) -> None:
    assert descriptions.votes(descriptions.read(["ckplus"])).values["n"] == 35_887
