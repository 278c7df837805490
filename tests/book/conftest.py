"""The book's own code, and the book itself: from the committed edition, or from a notebook made for a test."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LESSON = "00_the_whole_method.ipynb"


@pytest.fixture(scope="session")
def sources() -> ModuleType:
    """`reports/book/sources.py`."""
    spec = importlib.util.spec_from_file_location("sources", ROOT / "reports/book/sources.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def edition(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder of executed notebooks that holds one lesson of the given cells."""

    def write(*cells: dict[str, Any]) -> Path:
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        notebook = {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
        folder = tmp_path / "edition"
        folder.mkdir()
        (folder / LESSON).write_text(json.dumps(notebook), encoding="utf-8")
        return folder

    return write


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """`make book` from an edition, where a warning is an error; returns the folder of the pages."""

    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}

    def built(edition: Path) -> Path:
        folder = tmp_path_factory.mktemp("book")
        call = ["make", "book", f"PY={sys.executable}", f"BOOK={folder}", f"EDITION={edition}"]
        done = subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert f"The book is in {folder}/site/index.html" in done.stdout
        return folder / "site"

    return built


@pytest.fixture(scope="session")
def site(build: Callable[[Path], Path]) -> Path:
    """The book as readers get it."""
    return build(ROOT / "reports/full")
