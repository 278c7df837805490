"""`make wheel-test`: the built wheel, alone in a bare environment, recognises faces, as a command and in Python."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PICTURE = ROOT / "fer_utils/live/pictures/astronaut.jpg"
HEAVY = ("keras", "tensorflow", "pandas", "scipy", "sklearn", "skimage", "matplotlib")
READY = 4
"""A recognizer is ready, imports included, within this many times the processor time that its libraries themselves
take to import: about 0.5 s for 0.2 s, whatever else the machine does and however fast it is."""

pytestmark = pytest.mark.wheel

PREDICTS = f"""
import importlib.util, json, sys, time
start = time.process_time()
import cv2, numpy, onnxruntime
libraries = time.process_time() - start
from fer_utils.live import EmotionRecognizer
recognizer = EmotionRecognizer()
ready = time.process_time() - start
(face,) = recognizer({str(PICTURE)!r})
print(json.dumps({{
    "ready": ready / libraries, "label": face.label, "imported": [name for name in {HEAVY!r} if name in sys.modules],
    "installed": [name for name in {HEAVY!r} if importlib.util.find_spec(name)],
}}))
"""


def call(*words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in words], cwd=folder, capture_output=True, text=True, check=False)


def untracked() -> set[str]:
    listed = call("git", "status", "--porcelain", "--untracked-files=all", folder=ROOT).stdout
    return {line for line in listed.splitlines() if line.startswith("??")}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment that holds the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("wheel")
    before = untracked()
    built = call(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir",
                 folder, ROOT, folder=ROOT)  # fmt: skip
    assert built.returncode == 0, built.stderr
    assert untracked() == before, "building leaves nothing that git does not ignore"
    (wheel,) = folder.glob("*.whl")
    assert call(sys.executable, "-m", "venv", folder / "bare", folder=folder).returncode == 0
    place = folder / "bare" / ("Scripts" if sys.platform == "win32" else "bin")
    done = call(place / "python", "-m", "pip", "install", "--quiet", wheel, folder=folder)
    assert done.returncode == 0, done.stderr
    return place


def test_the_recognizer_predicts_and_imports_none_of_the_studys_libraries(installed: Path, tmp_path: Path) -> None:
    times = []
    for _ in range(3):  # the first reads all files from the disk
        done = call(installed / "python", "-c", PREDICTS, folder=tmp_path)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        found = json.loads(done.stdout)
        assert found["label"] == "happy" and found["imported"] == [] == found["installed"]
        times.append(found["ready"])
    assert min(times) <= READY, f"ready after {times} times what the libraries take to import"


def test_the_console_script_predicts(installed: Path, tmp_path: Path) -> None:
    done = call(installed / "fer-study", "predict", PICTURE, "--out", tmp_path / "out", folder=tmp_path)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert (tmp_path / "out/astronaut.jpg").is_file() and "1 face" in done.stdout


@pytest.mark.parametrize("name", ["runs", "data", "tables"])
def test_commands_of_the_study_need_a_checkout(name: str, installed: Path, tmp_path: Path) -> None:
    done = call(installed / "fer-study", name, folder=tmp_path)
    assert done.returncode == 2 and "needs a checkout of the project" in done.stderr
    assert done.stderr.count("\n") == 1
