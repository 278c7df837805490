"""The recognizer is light: what it imports, what it needs of the system, and where the commands work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from test_recognizer import PICTURE, PROJECT

from fer_utils import __main__ as command
from fer_utils.commands import runs
from fer_utils.files import paths

HEAVY = ("keras", "tensorflow", "jax", "torch", "pandas", "scipy", "sklearn", "skimage", "matplotlib", "onnx")

PREDICTS = """
import builtins, os, sys
blocked, before = {blocked!r}, builtins.__import__

def guarded(name, *arguments, **options):
    if name.partition(".")[0] in blocked:
        raise ImportError(f"{{name}} is blocked here")
    return before(name, *arguments, **options)

builtins.__import__ = guarded
for name in ("sched_getaffinity", "sched_setaffinity", "posix_fallocate", "fork"):
    if {bare!r} and hasattr(os, name):
        delattr(os, name)
from fer_utils.__main__ import main
code = main(["predict", {picture!r}, "--out", "out"])
loaded = sorted(name for name in {heavy!r} if name in sys.modules)
assert code == 0 and not loaded, (code, loaded)
"""


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-c", script]
    return subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False, env={
        "PYTHONPATH": str(PROJECT), "PATH": "/usr/bin:/bin", "HOME": str(folder)})  # fmt: skip


@pytest.mark.parametrize(("blocked", "bare"), [(HEAVY, False), (("resource", "fcntl", "pwd", "grp"), True)])
def test_predict_needs_neither_the_studys_libraries_nor_what_only_unix_has(
    blocked: tuple[str, ...], bare: bool, tmp_path: Path
) -> None:
    done = run(PREDICTS.format(blocked=blocked, bare=bare, picture=str(PICTURE), heavy=HEAVY), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and "1 face in 1 file" in done.stdout


@pytest.mark.parametrize("name", ["runs", "data", "tables"])
def test_outside_a_checkout_the_studys_commands_say_that_they_need_one(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(paths, "project_root", lambda: tmp_path)
    assert command.main([name]) == 2
    said = capsys.readouterr().err
    assert f"`{name}` works on the study's own records and notebooks and needs a checkout" in said
    assert said.count("\n") == 1


def test_a_missing_library_is_a_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_: object) -> int:
        raise ModuleNotFoundError("No module named 'pandas'", name="pandas")

    monkeypatch.setattr(runs, "_runs", fails)
    assert command.main(["runs"]) == 2
    assert "The package pandas is missing" in capsys.readouterr().err
