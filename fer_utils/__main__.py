"""The study on the command line: `python -m fer_utils --help`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from fer_utils.commands import data, pictures, runs, trainings
from fer_utils.files import writing
from fer_utils.files.paths import is_checkout

ANYWHERE = ("predict", "evaluate", "crop")
"""Commands that need no checkout and none of the study's libraries."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    parser = argparse.ArgumentParser(prog=_called(), description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command", dest="name")
    for topic in (data, runs, trainings, pictures):
        topic.add(commands)
    options = parser.parse_args(arguments)
    try:
        _check_place(options.name)
        return options.command(options)
    except BrokenPipeError:
        raise
    except Exception as error:
        if (sentence := _sentence(error)) is None:
            raise
        print(f"error: {sentence}", file=sys.stderr)
        return 2


def console() -> int:
    """What the script `fer-study` runs."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # names of files need not be text
    try:
        code = main()
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read the answers has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _called() -> str:
    return "fer-study" if Path(sys.argv[0]).stem == "fer-study" else "python -m fer_utils"


def _check_place(command: str) -> None:
    """Refuse, outside a checkout of the project, what works on the study's own files.

    Raises:
        ValueError: as said.
    """
    if command not in ANYWHERE and not is_checkout():
        raise ValueError(
            f"`{command}` works on the study's own records and notebooks and needs a checkout of the project; this is "
            f"an installed package, which has {', '.join(ANYWHERE)} alone. Clone the project and run `make` there."
        )


def _sentence(error: Exception) -> str | None:
    """What a user is told instead of a traceback; None for what is the program's own fault."""
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("fer_utils"):
        return (
            f"The package {error.name} is missing. In a checkout run `make data` once and use .venv/bin/python, or: "
            "python -m pip install -e '.[study,tensorflow]'."
        )
    if isinstance(error, ValueError):
        return str(error)
    if isinstance(error, OSError):
        return str(writing.as_explained(error) or error)
    in_cell = getattr(error, "ename", "")  # papermill's; the traceback stands in the notebook's copy
    if in_cell in ("ConnectionError", "StorageError", "StudyError", "UnsharedError"):
        return f"in cell {error.exec_count}: {error.evalue}"
    return None


if __name__ == "__main__":
    sys.exit(console())
