"""The examples in docstrings: whatever stands behind `>>>` is run, and prints what the docstring says it prints."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WITH_EXAMPLES = sorted(path for path in (ROOT / "fer_utils").rglob("*.py") if ">>> " in path.read_text("utf-8"))
ROOMS = {path.relative_to(ROOT / "fer_utils").parts[0] for path in WITH_EXAMPLES}


def test_every_room_shows_an_example() -> None:
    rooms = {path.parent.name for path in (ROOT / "fer_utils").glob("*/__init__.py")}
    assert rooms - ROOMS == {"commands"}, "the command line has its examples in README.md"


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.stem)
def test_examples_do_what_they_say(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    module = importlib.import_module(".".join(part for part in parts if part != "__init__"))
    failed, tried = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert tried and not failed
