"""Executing a notebook under a profile."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import papermill
import pytest

from fer_utils.study.notebooks import KernelDied, execute


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    profile = tmp_path / "full.yaml"
    profile.write_text("profile: full\nseeds: 1\n")
    return {"profile": profile, "notebook": tmp_path / "01_a.ipynb", "output": tmp_path / "out/01_a.ipynb"}


def write(path: Path, body: str = "print(profile, seeds)") -> None:
    parameters = nbformat.v4.new_code_cell('profile = "full"\nseeds = 3', metadata={"tags": ["parameters"]})
    cells = [nbformat.v4.new_markdown_cell("# Title\n\nText."), parameters, nbformat.v4.new_code_cell(body)]
    spec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec}), path)


def test_an_error_fails_and_leaves_what_was_done_under_another_name(files: dict[str, Path]) -> None:
    write(files["notebook"], "raise ValueError('a real mistake')")
    with pytest.raises(papermill.PapermillExecutionError, match="a real mistake"):
        execute(files["notebook"], files["output"], files["profile"])
    assert [path.name for path in files["output"].parent.iterdir()] == ["01_a.failed.ipynb"]


def test_a_kernel_that_dies_is_named_with_its_cell_its_memory_and_a_remedy(files: dict[str, Path]) -> None:
    write(files["notebook"], "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(KernelDied) as caught:
        execute(files["notebook"], files["output"], files["profile"])
    said = str(caught.value)
    assert "01_a.ipynb" in said and "import os, signal" in said and "one notebook at a time" in said
    assert all(float(said.split(word)[1].split()[0]) > 0 for word in (" used ", " has "))
    assert not files["output"].exists()


def test_a_solution_takes_the_parameters_of_its_profile(files: dict[str, Path], tmp_path: Path) -> None:
    solution = tmp_path / "solutions/01_a.ipynb"
    solution.parent.mkdir()
    write(files["notebook"])
    write(solution)
    execute(solution, files["output"], files["profile"])
    assert nbformat.read(files["output"], as_version=4).cells[-1].outputs[0].text == "full 1\n"
    files["profile"].write_text("profile: full\nseedlings: 0\n")
    with pytest.raises(ValueError, match="seedlings"):
        execute(solution, files["output"], files["profile"])


def test_printed_text_is_one_output_however_the_kernel_sent_it(files: dict[str, Path]) -> None:
    body = """
import sys, time
from IPython.display import Markdown, display
print("one:", end="", flush=True)
time.sleep(0.5)
print("a log line", file=sys.stderr, flush=True)
print(" piece")
display(Markdown("between"))
print("after")
"""
    write(files["notebook"], body)
    execute(files["notebook"], files["output"], files["profile"])
    outputs = nbformat.read(files["output"], as_version=4).cells[-1].outputs
    assert [output.get("text", "shown") for output in outputs] == ["one: piece\n", "shown", "after\n"]


def test_a_copys_links_lead_where_the_notebooks_led(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/a.md").touch()
    write(tmp_path / "02_b.ipynb")
    links = "[page](pages/a.md#part), [lesson](02_b.ipynb), [far](https://example.org/pages/a.md), [lost](no/b.md)"
    spec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    cells = [nbformat.v4.new_markdown_cell(links), nbformat.v4.new_code_cell("1", metadata={"tags": ["parameters"]})]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec}), files["notebook"])
    files["profile"].write_text("{}")
    execute(files["notebook"], files["output"], files["profile"])
    text = nbformat.read(files["output"], as_version=4).cells[0].source
    page, fragment = re.match(r"\[page\]\((.+?)(#part)\)", text).groups()
    assert (files["output"].parent / page).resolve() == tmp_path / "pages/a.md" and fragment == "#part"
    assert text.endswith(links.partition(", ")[2])
