"""Execute a notebook under a profile; the executed copy appears only when every cell has run."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import papermill
import yaml

from fer_utils.paths import project_root


def execute(notebook: Path, output: Path, profile: Path) -> None:
    """Run all cells of `notebook` with the values of `profile` for the parameters it declares.

    Args:
        notebook: the source, with a `parameters` cell.
        output: the executed copy. It is written under a temporary name and moved when done; a failed notebook
            leaves its output, up to the failing cell, as `<output>.failed.ipynb`.
        profile: a YAML mapping from parameter names to literals. Names that no notebook beside this one declares
            are an error; those of other notebooks are passed over.

    Raises:
        FileNotFoundError: the notebook or the profile is not there.
        ValueError: the profile sets a parameter that no notebook has.
        papermill.PapermillExecutionError: a cell failed.
    """
    for path, kind in ((notebook, "notebook"), (profile, "profile")):
        if not path.is_file():
            there = ", ".join(sorted(other.name for other in path.parent.glob(f"*{path.suffix}"))) or "none"
            raise FileNotFoundError(f"A {kind} is a file; {path} is not there. {path.parent} holds: {there}.")
    values = yaml.safe_load(profile.read_text(encoding="utf-8"))
    declared = declared_parameters(notebook)
    known = set().union(*(declared_parameters(path) for path in notebook.parent.glob("*.ipynb")))
    if unknown := set(values) - known:
        raise ValueError(
            f"A profile sets only parameters that some notebook declares; {profile} sets also "
            f"{', '.join(sorted(unknown))}. Known are: {', '.join(sorted(known))}."
        )
    partial = output.with_name(f".{output.stem}.partial.ipynb")
    output.parent.mkdir(parents=True, exist_ok=True)
    failed = output.with_suffix(".failed.ipynb")
    try:
        papermill.execute_notebook(
            notebook, partial, {k: v for k, v in values.items() if k in declared},
            kernel_name="python3", cwd=project_root(), progress_bar=False, log_output=False,
        )  # fmt: skip
    except BaseException:
        if partial.exists():
            partial.replace(failed)
            print(f"{notebook.name} did not finish; its output up to there is in {failed}")
        raise
    os.replace(_tidy(partial), output)
    failed.unlink(missing_ok=True)


def declared_parameters(notebook: Path) -> set[str]:
    """Names assigned in the notebook's `parameters` cell."""
    return set(papermill.inspect_notebook(notebook))


def _tidy(path: Path) -> Path:
    """Drop what differs from run to run and says nothing: papermill's time stamps and the kernel's log noise."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if not (o.output_type == "stream" and o.name == "stderr")]
    nbformat.write(notebook, path)
    return path
