"""Lay out what Sphinx reads for the book: the repository as it is, with the executed notebooks in place of the sources.

    python reports/book/sources.py FOLDER [--edition reports/full]

So a link means in the book what it means in the repository. Nothing is copied by hand: pages are links to the project's
own files, and the first page takes its figure, results, commands, questions and answers from them.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BESIDE = ("fer_utils", "tests", "notebooks/profiles", "Makefile", "LICENSE", "CITATION.cff", "environment.yml")
"""What pages may link to and the book has no page of: the reader gets the file."""
PARTS = {
    "sentence": r"\A# .+?\n\n(.+?)\n\n",
    "figure": r"^(!\[[^\]]+\]\([^)]+\))$",
    "commands": r"^(```bash\n.+?\n```)$",
    "results": r"^## Results\n\n(.+?)\n(?=## )",
}
"""Where README.md has what stands on the first page, too."""

Page = tuple[str, dict[str, Any]]
"""A notebook's name below notebooks/, and the notebook."""


def lay_out(folder: Path, edition: Path) -> None:
    """Write the book's sources into `folder`.

    Args:
        folder: where the sources go; what was there is removed.
        edition: a folder of executed notebooks under the names of their sources. What it lacks is shown unexecuted.

    Raises:
        FileNotFoundError: the edition is not there.
        ValueError: README.md lacks something that stands on the first page.
    """
    if not edition.is_dir():
        raise FileNotFoundError(
            f"An edition is a folder of executed notebooks; {edition} is not there. Give EDITION=reports/full, or one "
            "that `make reproduce` made."
        )
    notebooks = list(read(edition))
    first = first_page((ROOT / "README.md").read_text(encoding="utf-8"), notebooks)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "notebooks/solutions").mkdir(parents=True)
    (folder / "reports").mkdir()
    for path in [*(ROOT / "reports").glob("*.*"), *(ROOT / "notebooks").glob("*.md"), ROOT / "README.md"]:
        if path.suffix == ".md":
            text = without_folders(path.read_text(encoding="utf-8"), path.parent)
            (folder / path.relative_to(ROOT)).write_text(text, encoding="utf-8")
        else:
            (folder / path.relative_to(ROOT)).symlink_to(path)
    for name in BESIDE:
        (folder / name).symlink_to(ROOT / name)
    for name, notebook in notebooks:
        (folder / "notebooks" / name).write_text(json.dumps(notebook), encoding="utf-8")
    (folder / "index.md").write_text(first, encoding="utf-8")


def without_folders(text: str, place: Path) -> str:
    """Markdown whose links to folders, of which the book has no page, are their text alone; `place` holds the text."""
    link = re.compile(r"\[([^\[\]]+)\]\(([^()#:\s]+)\)")
    return link.sub(lambda found: found[1] if (place / found[2]).is_dir() else found[0], text)


def read(edition: Path) -> Iterator[Page]:
    """The notebooks, executed where `edition` has them, with code folded where JupyterLab folds it.

    Solutions are executed on drawn faces alone, so those that `make reproduce` left in `reports/quick/` are taken.
    """
    sources = ROOT / "notebooks"
    for source in sorted([*sources.glob("[0-9]*.ipynb"), *sources.glob("solutions/[0-9]*.ipynb")]):
        name = source.relative_to(sources)
        notebook = json.loads(source.read_text(encoding="utf-8"))
        written = {cell["id"]: cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown"}
        if (executed := edition / name).is_file():
            notebook = json.loads(executed.read_text(encoding="utf-8"))
        elif len(name.parts) > 1 and (executed := ROOT / "reports/quick" / name).is_file():
            found = json.loads(executed.read_text(encoding="utf-8"))
            notebook = found if code(found) == code(notebook) else notebook  # an older execution is left out
        for cell in notebook["cells"]:
            cell["source"] = written.get(cell["id"], cell["source"])  # an executed copy's links lead from its folder
            if cell["metadata"].get("jupyter", {}).get("source_hidden"):
                cell["metadata"].setdefault("tags", []).append("hide-input")
        yield str(name), notebook


def code(notebook: dict[str, Any]) -> list[str]:
    """What its cells say, without the parameters that an execution put in."""
    cells = (cell for cell in notebook["cells"] if "injected-parameters" not in cell["metadata"].get("tags", []))
    return ["".join(cell["source"]) for cell in cells]


def first_page(readme: str, notebooks: Iterable[Page]) -> str:
    """The book's first page: this folder's `index.md`, its parts filled in from README.md and the notebooks.

    Raises:
        ValueError: README.md lacks one of them.
    """
    page = (HERE / "index.md").read_text(encoding="utf-8")
    for name, pattern in PARTS.items():
        if not (found := re.search(pattern, readme, re.MULTILINE | re.DOTALL)):
            raise ValueError(
                f"The book's first page shows the {name} of README.md, which has none: nothing matches {pattern!r}. "
                "Put it back, or change PARTS in reports/book/sources.py."
            )
        page = page.replace(f"<!-- {name} -->", found[1])
    return page.replace("<!-- notebooks -->", "\n\n".join(summary(*each) for each in notebooks if "/" not in each[0]))


def summary(name: str, notebook: dict[str, Any]) -> str:
    """A notebook's title as a link, its question, and its answer where a cell computed one; Markdown."""
    opening = "".join(notebook["cells"][0]["source"])
    title = opening.partition("\n")[0].removeprefix("# ")
    question = re.search(r"\*\*Question\.?\*\*:? *(.+?)(?:\n\n|\Z)", opening, re.DOTALL)
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    shown = ["".join(output.get("data", {}).get("text/markdown", "")) for output in outputs]
    answers = [text for text in shown if text.startswith("> **Answer.**")]
    asked = f"**[{title}](notebooks/{name})**" + (f" {question[1]}" if question else "")
    return "\n\n".join([asked, *answers[:1]])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the book's sources go")
    parser.add_argument("--edition", type=Path, default=ROOT / "reports/full", help="a folder of executed notebooks")
    given = parser.parse_args()
    lay_out(given.folder, given.edition)
