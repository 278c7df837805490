"""A full disk and a folder that may not be written end in one sentence, and leave alone what was finished before.

The small disks are mounted in namespaces of their own, which end with their process.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from killing import ROOT

NAMESPACE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
NOTEBOOK = "notebooks/02_exploring_the_data.ipynb"


def mountable() -> bool:
    if not shutil.which("unshare"):
        return False
    call = [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(call, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not mountable(), reason="a small disk needs Linux's unshare and the right to mount")


@pytest.fixture(scope="module")
def happened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What `small_disk.py` tells, by name."""
    call = [*NAMESPACE, sys.executable, str(Path(__file__).with_name("small_disk.py")), tmp_path_factory.mktemp("disk")]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return {one["name"]: one for one in json.loads(done.stdout.splitlines()[-1])}


def assert_one_sentence(text: str, reason: str) -> None:
    (line,) = text.splitlines()
    assert line.startswith("error: ") and f"could not be written ({reason})" in line and "is intact" in line
    assert "then give the same command again" in line


@pytest.mark.parametrize("room", [0, 8_192, 40_960, 300_000])
def test_a_search_on_a_full_disk_says_so_in_one_sentence(happened: dict[str, dict[str, Any]], room: int) -> None:
    one = happened[f"search, {room} bytes left"]
    assert one["result"] == 2
    assert_one_sentence(one["said"], "No space left on device")


@pytest.mark.parametrize("name", ["checkpoint.npz", "predictions.npz", "history.csv", "run.json"])
def test_a_training_on_a_full_disk_names_what_it_could_not_write(
    happened: dict[str, dict[str, Any]], name: str
) -> None:
    assert happened[name]["result"].startswith("StorageError: ")
    assert f"/{name} could not be written (No space left on device)" in happened[name]["result"]


def test_what_was_finished_before_is_intact_and_nothing_half_written_stays(
    happened: dict[str, dict[str, Any]],
) -> None:
    before = happened["finished before"]
    assert before["result"] == 0 and len(before["finished"]) == 2, "a run and its search"
    for one in happened.values():
        assert one["touched"] == [] and one["litter"] == [], one["name"]
        assert set(before["finished"]) <= set(one["finished"])
    for name in ("checkpoint.npz", "predictions.npz", "history.csv", "run.json"):
        assert happened[name]["finished"] == before["finished"]


def test_with_room_again_the_same_command_goes_on(happened: dict[str, dict[str, Any]]) -> None:
    assert happened["with room again"]["result"] == 0 and happened["trained at last"]["result"] == []


@pytest.mark.parametrize("name", ["search", "notebook"])
def test_a_closed_folder_is_told_in_one_sentence(happened: dict[str, dict[str, Any]], name: str) -> None:
    assert happened[f"closed: {name}"]["result"] == 2
    assert_one_sentence(happened[f"closed: {name}"]["said"], "Read-only file system")


def test_what_is_finished_can_be_read_in_a_closed_folder(happened: dict[str, dict[str, Any]]) -> None:
    assert happened["closed: loads"]["result"] is True and happened["closed: runs"]["result"] == 0
    assert happened["closed: trains"]["result"].startswith("StorageError: ")


def reproduce(place: Path, mount: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`make reproduce` of one notebook into `place`/reports with a disk mounted by `mount`."""
    (place / "reports").mkdir(parents=True)
    (place / "records").mkdir()
    make = f"make --no-print-directory reproduce PY={sys.executable} REPORTS={place}/reports SOURCES={NOTEBOOK}"
    call = [*NAMESPACE, "bash", "-euc", f"{mount}; {make}"]
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))} | environment
    return subprocess.run(call, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize(
    ("mount", "reason"),
    [
        ("mount -t tmpfs -o ro tmpfs {}/reports", "Read-only file system"),
        ("mount -t tmpfs -o size=80k tmpfs {}/reports", "No space left on device"),
        ("mount -t tmpfs -o ro tmpfs {}/records", "Read-only file system"),
    ],
    ids=["reports closed", "reports full", "records closed"],
)  # fmt: skip
def test_make_says_in_one_sentence_what_it_cannot_write(tmp_path: Path, mount: str, reason: str) -> None:
    done = reproduce(tmp_path, mount.format(tmp_path), FER_REPORTS=str(tmp_path / "records"))
    begun, said = done.stdout.splitlines(), done.stderr.splitlines()
    assert done.returncode == 2 and begun.pop(0).startswith("quick: 02_exploring_the_data")
    assert said.pop().startswith("make: *** ")
    (sentence,) = begun + said
    assert reason in sentence
    if "mkdir" not in sentence:
        assert_one_sentence(sentence, reason)
    assert not list(tmp_path.rglob("02_exploring_the_data.ipynb"))
