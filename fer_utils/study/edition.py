"""Whether the executed notebooks that readers see are what sources and records give today.

Compared is what is said: sources, printed text, Markdown, tables, and the alternative texts of figures with their
captions. Left out is what differs by machine: the pixels of figures, cells that train or time something live (tag
`live`), and in outputs one unit in the last place of numbers with decimals, which another processor may round to the
other side.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from nbformat.reader import NotJSONError

from fer_utils.files.reading import one_line

LIVE = "live"
"""The tag of cells whose outputs depend on the machine that executed them."""
_DECIMAL = re.compile(r"\d+\.\d+")


def differences(committed: Path, executed: Path) -> list[str]:
    """Where two executions of the lessons say different things.

    Args:
        committed: the folder of the copies that readers see.
        executed: that of copies that were made just now.

    Returns:
        One text a difference: the notebook, the cell, and the lines that differ ("-" committed, "+" made now). Empty
        where nothing differs.

    Raises:
        ValueError: one of the folders holds no executed notebook, or one that cannot be read.
    """
    names = {folder: {path.name for path in folder.glob("[0-9][0-9]_*.ipynb")} for folder in (committed, executed)}
    for folder, found in names.items():
        if not found:
            rule = "An edition is a folder of executed notebooks"
            raise ValueError(f"{rule}; {folder} holds none. `make reproduce PROFILE=full` makes one.")
    alone = sorted(names[committed] ^ names[executed])
    missing = [f"{name}: only in {committed if name in names[committed] else executed}" for name in alone]
    shared = sorted(names[committed] & names[executed])
    return missing + [text for name in shared for text in _of_notebook(committed / name, executed / name)]


def _of_notebook(committed: Path, executed: Path) -> Iterator[str]:
    one, other = _cells(committed), _cells(executed)
    if len(one) != len(other):
        yield f"{committed.name}: {len(one)} cells committed, {len(other)} made now; execute it anew."
        return
    for number, (before, now) in enumerate(zip(one, other, strict=True)):
        if before.source != now.source:
            yield f"{committed.name}, source of cell {number}:\n{_changed(before.source, now.source)}"
        if not _alike(first := said(before), second := said(now)):
            yield f"{committed.name}, output of cell {number}:\n{_changed(first, second)}"


def _cells(path: Path) -> list[nbformat.NotebookNode]:
    try:
        return nbformat.read(path, as_version=4).cells
    except NotJSONError as error:
        rule = "An executed notebook is JSON"
        raise ValueError(f"{rule}; {path} is not, or was cut off ({one_line(error)[:60]}). Execute it anew.") from error


def _changed(first: str, second: str) -> str:
    """The lines that differ."""
    lines = difflib.unified_diff(first.splitlines(), second.splitlines(), lineterm="", n=0)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def said(cell: nbformat.NotebookNode) -> str:
    """What a cell's outputs say, as lines of text; nothing for prose and for cells tagged `live`."""
    if cell.cell_type != "code" or LIVE in cell.metadata.get("tags", []):
        return ""
    lines = (line for output in cell.outputs for line in _text(output).splitlines())
    return "\n".join(line for line in lines if line.strip())


def _alike(first: str, second: str) -> bool:
    """Whether two texts are equal, but for the last place of numbers with decimals."""
    if _DECIMAL.sub("", first) != _DECIMAL.sub("", second):
        return False
    pairs = zip(_DECIMAL.findall(first), _DECIMAL.findall(second), strict=True)
    return all(len(a) == len(b) and abs(int(a.replace(".", "")) - int(b.replace(".", ""))) <= 1 for a, b in pairs)


def _text(output: nbformat.NotebookNode) -> str:
    if output.output_type == "stream":
        return output.text
    data, metadata = output.get("data", {}), output.get("metadata", {})
    if alternative := [metadata[kind]["alt"] for kind in metadata if "alt" in metadata[kind]]:
        return alternative[0]
    for kind in ("text/markdown", "text/html", "text/plain"):
        if kind in data:
            return _words(data[kind]) if kind == "text/html" else re.sub(r" at 0x[0-9a-f]+", "", data[kind])
    return ""


def _words(html: str) -> str:
    """The text of a page's part, without its style, one line for each piece."""
    soup = BeautifulSoup(html, "html.parser")
    for node in soup(["style", "script"]):
        node.decompose()
    return soup.get_text("\n", strip=True)
