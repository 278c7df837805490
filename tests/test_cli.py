"""`python -m fer_utils`: what it prints and how it exits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from made_records import CONFIG, listed

from fer_utils import study
from fer_utils.__main__ import main

ROOT = Path(__file__).resolve().parent.parent
PRIVATE = replace(CONFIG, score_test=False, seed=4)
CHOSEN = replace(CONFIG, keep=("best_test", "last"), seed=5)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for config in (CONFIG, PRIVATE, CHOSEN):
        listed(config, tmp_path)
    return tmp_path


def tamper(store: Path) -> str:
    """Improve one accuracy by hand; returns the run's id."""
    path = next(store.glob("*-s3-*"))
    run = json.loads((path / "run.json").read_text())
    run["metrics"]["test"]["last"]["accuracy"] = 0.999
    (path / "run.json").write_text(json.dumps(run))
    return path.name


def test_runs_lists_and_verifies(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(store)]) == 0
    printed = capsys.readouterr().out
    for record in store.iterdir():
        assert record.name in printed
    assert printed.endswith("3 runs, 2 scored a test set; 3 verified, 0 do not hold.\n")
    header, *rows = printed.splitlines()
    assert "CHOSEN ON TEST" in header and "1.5" in rows[0] and "a CPU" in rows[0]
    assert ["best_test" in row for row in rows[:3]] == ["-s5-" in row for row in rows[:3]]
    private = next(row for row in rows if "-s4-" in row)
    assert "–" in private.split("a CPU")[0], "no test accuracy for a run that never scored it"


def test_runs_can_show_those_that_scored_a_test_set_alone(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(store), "--scored", "test"]) == 0
    printed = capsys.readouterr().out
    assert "Synthetic faces, folds by subjects: 2 runs of 2 systems.\n" in printed
    assert "-s3-" in printed and "-s4-" not in printed and "2 runs, 2 scored" in printed


def test_runs_exits_with_1_when_one_does_not_hold(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = tamper(store)
    assert main(["runs", str(store)]) == 1
    printed = capsys.readouterr().out
    assert f"DOES NOT HOLD: {name}: test last accuracy: 0.999 is stored" in printed
    assert "2 verified, 1 do not hold" in printed


def test_an_empty_store_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(tmp_path)]) == 0
    assert "No finished runs" in capsys.readouterr().out


def test_the_module_runs_as_a_program_with_its_exit_code(store: Path) -> None:
    environment = {**os.environ, "FER_REPORTS": str(store.parent / "reports")}
    (store.parent / "reports").mkdir()
    store.rename(store.parent / "reports/runs")
    tamper(store.parent / "reports/runs")
    call = [sys.executable, "-W", "error::DeprecationWarning:fer_utils", "-m", "fer_utils", "runs"]
    done = subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and "3 runs, 2 scored" in done.stdout and "DOES NOT HOLD" in done.stdout
    assert "Traceback" not in done.stderr


def test_rerun_says_what_it_costs_first(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = next(store.glob("*-s3-*")).name
    monkeypatch.setattr(study, "rerun", lambda record, out, root: f"reproduces {record.id} in {out.name}")
    assert main(["rerun", name, "--store", str(store), "--out", str(store / "again")]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{name} took 0.03 hours and 2.0 GiB on a CPU (tensorflow)")
    assert second == f"reproduces {name} in 1"


def test_mistakes_are_explained_on_one_line_with_exit_code_2(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rerun", "nothing-like-it", "--store", str(store)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: A run is named by its id;") and captured.err.count("\n") == 1
    with pytest.raises(SystemExit) as stopped:
        main(["train"])
    assert stopped.value.code == 2
    with pytest.raises(SystemExit):
        main([])


@pytest.mark.parametrize("missing", ["notebook", "profile"])
def test_execute_names_what_is_missing_and_what_is_there(
    missing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {"notebook": tmp_path / "01_a.ipynb", "profile": tmp_path / "quick.yaml"}
    for path in paths.values():
        path.touch()
    there = paths[missing].rename(paths[missing].with_stem("other"))
    output = tmp_path / "out" / "01_a.ipynb"
    assert main(["execute", str(paths["notebook"]), str(output), "--profile", str(paths["profile"])]) == 2
    error = capsys.readouterr().err
    assert f"{paths[missing]} is not there" in error and there.name in error
    assert not output.parent.exists()
