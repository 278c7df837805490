"""Which files of the package each notebook needs, as rules for make.

    python fer_utils/study/prerequisites.py > rules.mk      # NEEDS_01 := fer_utils/__init__.py fer_utils/data/...

A notebook is executed again when a file changes that it imports, directly or through others. The sources are read and
nothing is imported, so this runs before anything is installed: keep it to the standard library.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "fer_utils"


def needed(notebook: Path) -> set[Path]:
    """Files of the package that a notebook's code cells import, transitively, and the data beside them.

    Args:
        notebook: an `.ipynb` file.

    Returns:
        Absolute paths: modules, the `__init__` of each folder on the way, and what a folder of them holds besides code
        (models, pictures, scripts).
    """
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    waiting = [name for c in cells if c["cell_type"] == "code" for name in imported("".join(c["source"]))]
    found: set[Path] = set()
    while waiting:
        for path in files_of(waiting.pop()) - found:
            found.add(path)
            waiting += imports_of(path)
    return found | {data for path in found if path.name != "__init__.py" for data in data_beside(path.parent)}


@cache
def imports_of(path: Path) -> tuple[str, ...]:
    """Names of the package that a module imports, anywhere in it."""
    return tuple(imported(path.read_text(encoding="utf-8")))


def imported(source: str) -> Iterator[str]:
    """Dotted names of the package that Python source imports; what only type checkers read is left out."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module.split(".")[0] == PACKAGE)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE)


@cache
def files_of(name: str) -> frozenset[Path]:
    """The files that importing a dotted name runs: the module and the `__init__` of each folder above it."""
    found, place = set(), ROOT
    for part in name.split("."):
        if home := lazy_names(place / "__init__.py").get(part):
            return frozenset(found | files_of(f"{home}.{part}"))
        place /= part
        found |= {path for path in (place / "__init__.py", place.with_suffix(".py")) if path.is_file()}
    return frozenset(found)


@cache
def lazy_names(init: Path) -> dict[str, str]:
    """Public names that an `__init__` imports when they are first asked for: its table `_HOMES`, name to module."""
    tree = ast.parse(init.read_text(encoding="utf-8")) if init.is_file() else ast.Module([], [])
    tables = [n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "_HOMES"]
    return ast.literal_eval(tables[0]) if tables else {}


@cache
def data_beside(folder: Path) -> frozenset[Path]:
    """Files of the folders below a module's folder that hold no code."""
    holders = [f for f in folder.iterdir() if f.is_dir() and f.name != "__pycache__" and not any(f.rglob("*.py"))]
    return frozenset(path for f in holders for path in f.rglob("*") if path.is_file())


def main() -> None:
    """Print one line for each lesson, and one for each solution, which needs its lesson too."""
    lessons = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    for lesson in lessons:
        _print(lesson.name[:2], needed(lesson))
    for lesson in lessons:
        if (solution := lesson.parent / "solutions" / lesson.name).is_file():
            _print(f"solutions/{lesson.name[:2]}", needed(solution) | {lesson})


def _print(name: str, paths: set[Path]) -> None:
    sys.stdout.write(f"NEEDS_{name} := {' '.join(sorted(str(path.relative_to(ROOT)) for path in paths))}\n")


if __name__ == "__main__":
    main()
