"""What every test shares: a quiet, windowless machine and, where they are, the real datasets."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TQDM_DISABLE", "1")

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real datasets: `$FER_DATA`, else `data/`, else `../shared/data`."""
    project = Path(__file__).resolve().parent.parent
    candidates = [os.environ.get("FER_DATA"), project / "data", project.parent / "shared" / "data"]
    for folder in (Path(c) for c in candidates if c):
        if any(folder.glob("**/CK+48")) or any(folder.glob("**/fer2013.csv")):
            return folder
    pytest.skip("no real data: put fer2013.csv, fer2013new.csv and CK+48/ into data/ or name their folder in FER_DATA")
