"""A search that is killed again and again, in the midst of anything, tries exactly what an undisturbed one tries."""

from __future__ import annotations

import contextlib
import io
import os
import random
from pathlib import Path

import pandas as pd
import pytest
from killing import CONTEXT, assert_no_litter, assert_same_record, kill_when, nth_new, victim

from fer_utils import records
from fer_utils.__main__ import main
from fer_utils.records import Measurement, Record
from fer_utils.study import tuning

CALL = ("tune", "tiny", "synthetic", "--method", "hyperband", "--epochs", "2", "--factor", "2", "--subjects", "8")


def tune() -> None:
    """The command line's own entry; what it prints is no matter here."""
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(CALL) == 0


def table(reports: Path) -> pd.DataFrame:
    (found,) = (reports / "quick/measurements").glob("tuning-*")
    assert records.is_done(found)
    return tuning.trials(Measurement(found)).drop(columns="seconds")


def undisturbed(reports: Path) -> None:
    os.environ["FER_REPORTS"] = str(reports)
    tune()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reports = tmp_path_factory.mktemp("undisturbed")
    process = CONTEXT.Process(target=undisturbed, args=(reports,))
    process.start()
    process.join()
    assert process.exitcode == 0
    return reports


def test_a_search_killed_in_everything_it_writes_ends_as_if_undisturbed(reference: Path, tmp_path: Path) -> None:
    rng = random.Random(6)
    moments = [
        ("trial.json", 1, 0.0), ("oracle.json", 1, 0.0), ("checkpoint.npz", 1, 0.0), ("run.json", 2, 0.0),
        ("checkpoint.npz", 1, rng.uniform(0.0, 1.0)), ("oracle.json", 3, rng.uniform(0.0, 1.0)),
    ]  # fmt: skip
    for name, count, delay in moments:
        process = victim(tune, FER_REPORTS=str(tmp_path))
        kill_when(process, nth_new(tmp_path, name, count), delay)
        assert not list(tmp_path.glob("quick/measurements/*/done")), "no search that looks finished"
    done = {path: path.stat().st_mtime_ns for path in tmp_path.glob("quick/runs/*/done")}
    process = victim(tune, FER_REPORTS=str(tmp_path))
    process.join()
    assert process.exitcode == 0
    pd.testing.assert_frame_equal(table(tmp_path), table(reference), check_exact=True)
    for run in table(reference)["run"]:
        assert_same_record(Record(tmp_path / "quick/runs" / run), Record(reference / "quick/runs" / run))
    assert {path: path.stat().st_mtime_ns for path in done} == done, "no run was trained twice"
    assert_no_litter(tmp_path)
