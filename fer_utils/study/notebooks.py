"""Execute a notebook under a profile; the executed copy appears only when every cell has run."""

from __future__ import annotations

import os
import re
import resource
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import nbformat
import papermill
import psutil
import yaml
from nbclient.exceptions import DeadKernelError
from nbformat import v4

from fer_utils.files.locks import hold
from fer_utils.files.paths import project_root
from fer_utils.files.reading import one_line
from fer_utils.files.writing import storage_errors

SOLUTIONS = "solutions"
"""The folder beside the lessons that holds the solutions of their exercises."""
_LINK = re.compile(r"(?<=\]\()[^()\s#:]+(?=[#)])")


class KernelDied(RuntimeError):
    """The process that executes a notebook's cells ended by itself."""


def execute(notebook: Path, output: Path, profile: Path) -> None:
    """Run all cells of `notebook` with the values of `profile` for the parameters it declares.

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
        KernelDied: the kernel ended by itself, most often for want of memory.
    """
    values = _values(notebook, profile)
    with storage_errors(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        before = _written(output)
        with hold(output.with_name(f".{output.stem}.claim")):  # where make was killed, its child may still be at it
            if _written(output) == before:
                _run(notebook, output, values)


def _values(notebook: Path, profile: Path) -> dict[str, Any]:
    """What `profile` sets of the notebook's parameters."""
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
    lessons = _lessons(notebook)
    beside = [*lessons.glob("*.ipynb"), *lessons.glob(f"{SOLUTIONS}/*.ipynb")]
    known = set().union(*(declared_parameters(path) for path in beside))
    if unknown := set(values) - known:
        raise ValueError(
            f"A profile sets only parameters that some notebook declares; {profile} sets also "
            f"{', '.join(sorted(unknown))}. Known are: {', '.join(sorted(known))}."
        )
    return {name: value for name, value in values.items() if name in declared}


def _lessons(notebook: Path) -> Path:
    """The folder of the lessons, which a solution's lies in."""
    return notebook.parent.parent if notebook.parent.name == SOLUTIONS else notebook.parent


def _written(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None


def _run(notebook: Path, output: Path, values: Mapping[str, Any]) -> None:
    partial, failed = output.with_name(f".{output.stem}.partial.ipynb"), output.with_suffix(".failed.ipynb")
    try:
        papermill.execute_notebook(
            notebook, partial, dict(values), kernel_name="python3", cwd=project_root(), progress_bar=False,
            log_output=False,
        )  # fmt: skip
    except OSError:
        partial.unlink(missing_ok=True)  # cut off in the midst of a line
        raise
    except BaseException as error:
        if partial.exists():
            partial.replace(failed)
            print(f"{notebook.name} did not finish; its output up to there is in {failed}", file=sys.stderr)
        if isinstance(error, DeadKernelError):
            raise KernelDied(_death(notebook, failed)) from error
        raise
    os.replace(_tidy(partial, notebook), output)
    failed.unlink(missing_ok=True)


def _death(notebook: Path, failed: Path) -> str:
    """Which cell ran when the kernel died, the memory that it had come to use, and what to do about it."""
    cells = nbformat.read(failed, as_version=4).cells if failed.exists() else []
    begun = [n for n, cell in enumerate(cells) if cell.metadata.get("papermill", {}).get("start_time")]
    where = f'the cell "{" ".join(cells[begun[-1]].source.split())[:60]}"' if begun else "its first cell"
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    memory = psutil.virtual_memory()
    return (
        f"The kernel of {notebook.name} died while it ran {where}. The largest process of this execution used "
        f"{used / 2**30:.1f} GiB; the machine has {memory.total / 2**30:.1f} GiB, of which "
        f"{memory.available / 2**30:.1f} are free now. A kernel that dies without an error has most often been stopped "
        "for want of memory: close other programs, or execute one notebook at a time (make without -j), and try again."
    )


def declared_parameters(notebook: Path) -> set[str]:
    """Names assigned in the notebook's `parameters` cell."""
    return set(papermill.inspect_notebook(notebook))


def _tidy(path: Path, source: Path) -> Path:
    """Drop what differs from run to run and says nothing: time stamps, log noise, where printed text was cut.

    Links are made to lead from the copy to where they led from its source.
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = list(_joined(cell.outputs))
        elif cell.cell_type == "markdown":
            cell.source = _LINK.sub(lambda found: _link(found[0], source, path.parent), cell.source)
    nbformat.write(notebook, path)
    return path


def _link(link: str, source: Path, folder: Path) -> str:
    """A relative link of a notebook as it reads in a copy that lies in `folder`; those to other lessons stay."""
    target = Path(os.path.normpath(source.parent / link))
    if not target.exists() or (target.suffix == ".ipynb" and target.parent == Path(os.path.normpath(_lessons(source)))):
        return link
    root = project_root()  # by way of the root, so that copies in other folders of one depth read alike
    return (Path(os.path.relpath(root, folder)) / os.path.relpath(target, root)).as_posix()


def _joined(outputs: Iterable[nbformat.NotebookNode]) -> Iterator[nbformat.NotebookNode]:
    """Outputs without the error stream; text that a kernel sent in pieces is one output, where it stood."""
    heard = [output for output in outputs if output.get("name") != "stderr"]
    for printed, pieces in groupby(heard, key=lambda output: output.output_type == "stream"):
        if printed:
            yield v4.new_output("stream", text="".join(piece.text for piece in pieces))
        else:
            yield from pieces
