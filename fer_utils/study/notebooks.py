"""Execute a notebook under a profile; the executed copy appears only when every cell has run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
import yaml

from fer_utils.files.locks import hold
from fer_utils.files.paths import project_root
from fer_utils.files.reading import one_line
from fer_utils.files.writing import storage_errors

SOLUTIONS = "solutions"
"""The folder beside the lessons that holds the solutions of their exercises."""

NOTICE = """> **From records alone.** The settings of the profile `{profile}` ask for trainings that are not on record
> and could not be done where this copy was made: {reason}
>
> So this copy was made with the settings of the profile `{instead}`, whose runs are on record. What is not here is
> not measured."""


def execute(notebook: Path, output: Path, profile: Path) -> None:
    """Run all cells of `notebook` with the values of `profile` for the parameters it declares.

    A profile may name another one under `on_record`: where a run is neither on record nor can be trained here, the
    notebook is executed with the values of that one instead, and says so below its title.

    Args:
        notebook: the source, with a `parameters` cell.
        output: the executed copy. It is written under a temporary name and moved when done; a failed notebook
            leaves its output, up to the failing cell, as `<output>.failed.ipynb`.
        profile: a YAML mapping from parameter names to literals. Names that no lesson and no solution beside this
            notebook declares are an error; those of other notebooks are passed over.

    Raises:
        FileNotFoundError: the notebook or the profile is not there.
        ValueError: the profile sets a parameter that no notebook has.
        papermill.PapermillExecutionError: a cell failed.
    """
    values = _values(notebook, profile)
    instead = values.pop("on_record", None)
    try:
        _run(notebook, output, values)
    except papermill.PapermillExecutionError as error:
        if not instead or not (reason := _not_on_record(error)):
            raise
        others = _values(notebook, profile.with_stem(instead))
        _run(notebook, output, others, NOTICE.format(profile=profile.stem, instead=instead, reason=reason))


def _not_on_record(error: papermill.PapermillExecutionError) -> str:
    """The sentence that says which run is missing, or nothing where the cell failed for another reason."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
    found = re.findall(r"NotOnRecord: (.+)", plain)
    return found[0].strip().split(". ")[0].rstrip(".") + "." if found else ""


def _values(notebook: Path, profile: Path) -> dict[str, Any]:
    """What `profile` sets of the notebook's parameters, and its `on_record`."""
    for path, kind in ((notebook, "notebook"), (profile, "profile")):
        if not path.is_file():
            there = ", ".join(sorted(other.name for other in path.parent.glob(f"*{path.suffix}"))) or "none"
            raise FileNotFoundError(f"A {kind} is a file; {path} is not there. {path.parent} holds: {there}.")
    try:
        values = dict(yaml.safe_load(profile.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValueError, TypeError) as error:
        rule = "A profile is YAML that gives parameters their values"
        raise ValueError(f"{rule}; {profile} is not ({one_line(error)}). Mend it.") from error
    declared = declared_parameters(notebook)
    lessons = notebook.parent.parent if notebook.parent.name == SOLUTIONS else notebook.parent
    beside = [*lessons.glob("*.ipynb"), *lessons.glob(f"{SOLUTIONS}/*.ipynb")]
    known = {"on_record"}.union(*(declared_parameters(path) for path in beside))
    if unknown := set(values) - known:
        raise ValueError(
            f"A profile sets only parameters that some notebook declares; {profile} sets also "
            f"{', '.join(sorted(unknown))}. Known are: {', '.join(sorted(known))}."
        )
    return {name: value for name, value in values.items() if name in declared or name == "on_record"}


def _run(notebook: Path, output: Path, values: Mapping[str, Any], notice: str = "") -> None:
    with storage_errors(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        before = _written(output)
        with hold(output.with_name(f".{output.stem}.claim")):  # where make was killed, its child may still be at it
            if _written(output) == before:
                _run_alone(notebook, output, values, notice)


def _written(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None


def _run_alone(notebook: Path, output: Path, values: Mapping[str, Any], notice: str) -> None:
    partial, failed = output.with_name(f".{output.stem}.partial.ipynb"), output.with_suffix(".failed.ipynb")
    try:
        papermill.execute_notebook(
            notebook, partial, dict(values), kernel_name="python3", cwd=project_root(), progress_bar=False,
            log_output=False,
        )  # fmt: skip
    except OSError:
        partial.unlink(missing_ok=True)  # cut off in the midst of a line
        raise
    except BaseException:
        if partial.exists():
            partial.replace(failed)
            print(f"{notebook.name} did not finish; its output up to there is in {failed}", file=sys.stderr)
        raise
    os.replace(_tidy(partial, notice), output)
    failed.unlink(missing_ok=True)


def declared_parameters(notebook: Path) -> set[str]:
    """Names assigned in the notebook's `parameters` cell."""
    return set(papermill.inspect_notebook(notebook))


def _tidy(path: Path, notice: str) -> Path:
    """Drop what differs from run to run and says nothing (papermill's time stamps, the kernel's log noise); add notice.

    The notice stands in the first cell, below the title.
    """
    notebook = nbformat.read(path, as_version=4)
    if notice:
        title, _, rest = notebook.cells[0].source.partition("\n")
        notebook.cells[0].source = f"{title}\n\n{notice}\n{rest}"
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if not (o.output_type == "stream" and o.name == "stderr")]
    nbformat.write(notebook, path)
    return path
