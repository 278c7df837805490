"""What the book is made of: the project's own files, executed notebooks in place of the sources."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
LESSON = "00_the_whole_method.ipynb"
OPENING = {
    "cell_type": "markdown", "metadata": {}, "id": "a",
    "source": ["# 00 · A title\n", "\n", "**Question.** How sure\n", "is it?\n", "\n", "**Time.** None."],
}  # fmt: skip


def code(*outputs: dict[str, object], **metadata: object) -> dict[str, object]:
    cell = {"cell_type": "code", "id": "b", "source": ["1"], "execution_count": 1, "metadata": metadata}
    return cell | {"outputs": list(outputs)}


def markdown(*lines: str) -> dict[str, object]:
    return {"output_type": "display_data", "metadata": {}, "data": {"text/markdown": list(lines)}}


def test_the_first_page_has_questions_and_answers_of_the_executed_notebooks(
    sources: ModuleType, edition: Callable[..., Path], tmp_path: Path
) -> None:
    folder = edition(OPENING, code(markdown("aside")), code(markdown("> **Answer.** Quite", " sure.")))
    sources.lay_out(tmp_path / "book", folder)
    page = (tmp_path / "book/index.md").read_text(encoding="utf-8")
    assert f"**[00 · A title](notebooks/{LESSON})** How sure\nis it?\n\n> **Answer.** Quite sure." in page
    assert all(f"(notebooks/{path.name})" in page for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))


def test_the_first_page_is_filled_from_readme(sources: ModuleType) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    page = sources.first_page(readme, [])
    assert not any(f"<!-- {part} -->" in page for part in [*sources.PARTS, "notebooks"])
    assert "](reports/five_reports.png)" in page and "make reproduce" in page
    assert readme.split("## Results\n")[1].split("\n## ")[0].strip() in page


@pytest.mark.parametrize("lost", ["![", "```bash", "## Results"])
def test_a_readme_without_a_part_of_the_first_page_is_refused(sources: ModuleType, lost: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match=r"first page shows the \w+ of README\.md"):
        sources.first_page(readme.replace(lost, "lost"), [])


def test_an_edition_that_is_not_there_is_refused(sources: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"is not there\. Give EDITION=reports/full"):
        sources.lay_out(tmp_path / "book", tmp_path / "nowhere")
    assert not (tmp_path / "book").exists()


def test_what_jupyterlab_folds_the_book_folds(sources: ModuleType, edition: Callable[..., Path]) -> None:
    folder = edition(OPENING, code(jupyter={"source_hidden": True}), code(tags=["parameters"]))
    notebook = dict(sources.read(folder))[LESSON]
    assert [cell["metadata"].get("tags") for cell in notebook["cells"]] == [None, ["hide-input"], ["parameters"]]


def test_what_is_not_executed_is_shown_all_the_same(sources: ModuleType, tmp_path: Path) -> None:
    shown = dict(sources.read(tmp_path / "nowhere"))
    source = json.loads((ROOT / "notebooks" / LESSON).read_text(encoding="utf-8"))
    assert [cell["source"] for cell in shown[LESSON]["cells"]] == [cell["source"] for cell in source["cells"]]
    assert f"solutions/{LESSON}" in shown


def test_a_link_to_a_folder_is_its_text_alone(sources: ModuleType) -> None:
    text = "[the runs](reports/runs), [a page](README.md), [far](https://example.org/reports)"
    assert sources.without_folders(text, ROOT) == text.replace("[the runs](reports/runs)", "the runs")


def test_the_glossary_links_every_notebook_that_it_names() -> None:
    text = (ROOT / "notebooks/GLOSSARY.md").read_text(encoding="utf-8")
    entries = re.findall(r"^- \*\*(.+?)\*\*.*?: .+?\(\[(\d\d)\]\)$", text, re.MULTILINE | re.DOTALL)
    assert len(entries) == text.count("\n- ") > 80
    links = dict(re.findall(r"^\[(\d\d)\]: (\S+)$", text, re.MULTILINE))
    assert set(links) == {number for _, number in entries}
    there = {path.name[:2]: path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    assert {number: name for number, name in links.items() if there.get(number, name) != name} == {}
