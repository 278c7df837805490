"""Nothing is downloaded unless asked: the study without a network, every try to connect noted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import readers

ROOT = Path(__file__).resolve().parent.parent.parent

STUDY = """
import sys
import numpy as np
from pathlib import Path
from fer_utils import models, study
from fer_utils.records.config import Phase, RunConfig
from fer_utils.data import load
from fer_utils.live import EmotionRecognizer

load("fer2013", sys.argv[1])
load("synthetic", n_subjects=8)
models.build("resnet_transfer")
config = RunConfig("tiny", "synthetic", (Phase(1, 1e-3),), dataset_options={"n_subjects": 8})
study.listing(study.run_study([config], store=Path(sys.argv[1]) / "runs"))
EmotionRecognizer()(np.zeros((200, 200, 3), np.uint8))
"""


@pytest.fixture
def offline(tmp_path: Path) -> dict[str, str]:
    """An environment in which Python refuses and notes every connection, with a home and stores of its own."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/fer2013.csv").write_bytes(readers.table())
    return {
        **os.environ, "PYTHONPATH": str(ROOT / "tests/without_network"), "FER_CONNECTIONS": str(tmp_path / "tried"),
        "FER_REPORTS": str(tmp_path / "reports"), "FER_DATA": str(tmp_path / "data"), "HOME": str(tmp_path),
        "FER_CACHE": str(tmp_path / "cache"), "KERAS_HOME": str(tmp_path / "keras"),
    }  # fmt: skip


def run(offline: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, *arguments]
    return subprocess.run(call, cwd=ROOT, env=offline, capture_output=True, text=True, timeout=400)


def tried(offline: dict[str, str]) -> str:
    path = Path(offline["FER_CONNECTIONS"])
    return path.read_text() if path.exists() else ""


def test_a_try_to_connect_is_seen(offline: dict[str, str]) -> None:
    done = run(offline, "-c", "import urllib.request as r; r.urlopen('http://example.org', timeout=5)")
    assert done.returncode == 1 and "no network here" in done.stderr and "example.org" in tried(offline)


def test_the_study_and_the_live_demo_download_nothing(offline: dict[str, str], tmp_path: Path) -> None:
    done = run(offline, "-c", STUDY, str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr[-2000:]
    assert tried(offline) == ""


@pytest.mark.parametrize("arguments", [("data",), ("runs",), ("predict", "fer_utils/live/pictures", "--out", "OUT")])
def test_the_commands_download_nothing(arguments: tuple[str, ...], offline: dict[str, str], tmp_path: Path) -> None:
    done = run(offline, "-m", "fer_utils", *(str(tmp_path / "out") if a == "OUT" else a for a in arguments))
    assert done.returncode in (0, 1) and "Traceback" not in done.stderr, done.stderr[-2000:]
    assert tried(offline) == ""


def test_a_notebook_downloads_nothing(offline: dict[str, str], tmp_path: Path) -> None:
    notebook = ["notebooks/02_exploring_the_data.ipynb", str(tmp_path / "01.ipynb")]
    done = run(offline, "-m", "fer_utils", "execute", *notebook, "--profile", "notebooks/profiles/quick.yaml")
    assert done.returncode == 0, done.stderr[-2000:]
    assert tried(offline) == ""


def test_what_is_asked_for_is_tried_and_its_failure_explained(offline: dict[str, str]) -> None:
    code = "from fer_utils import models; models.build('resnet_transfer', weights='imagenet')"
    done = run(offline, "-c", code)
    assert done.returncode == 1 and "could not be fetched" in done.stderr and tried(offline) != ""
