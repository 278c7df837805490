"""Executing a notebook under a profile, and from records alone."""

from __future__ import annotations

from pathlib import Path

import nbformat
import papermill
import pytest

from fer_utils.study.notebooks import execute

CELL = """
class NotOnRecord(FileNotFoundError):
    pass
if seeds > 1:
    raise {error}
print(profile, seeds)
"""


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    paths = {name: tmp_path / f"{name}.yaml" for name in ("full", "cpu")}
    paths["full"].write_text("profile: full\non_record: cpu\n")
    paths["cpu"].write_text("profile: cpu\nseeds: 1\n")
    return {**paths, "notebook": tmp_path / "01_a.ipynb", "output": tmp_path / "out/01_a.ipynb"}


def write(path: Path, error: str) -> None:
    parameters = nbformat.v4.new_code_cell('profile = "full"\nseeds = 3', metadata={"tags": ["parameters"]})
    title, body = nbformat.v4.new_markdown_cell("# Title\n\nText."), nbformat.v4.new_code_cell(CELL.format(error=error))
    cells = [title, parameters, body]
    spec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec}), path)


def test_what_is_not_on_record_is_shown_with_the_other_profile_and_says_so(files: dict[str, Path]) -> None:
    write(files["notebook"], "NotOnRecord('A run of compact is not on record, and this is why. Path /secret/place.')")
    execute(files["notebook"], files["output"], files["full"])
    made = nbformat.read(files["output"], as_version=4)
    title, notice = made.cells[0].source.split("\n\n")[:2]
    assert title == "# Title" and made.cells[0].source.endswith("Text.")
    assert "From records alone" in notice and "secret" not in notice
    assert "A run of compact is not on record, and this is why." in notice
    assert made.cells[-1].outputs[0].text == "cpu 1\n"
    assert [path.name for path in files["output"].parent.iterdir()] == ["01_a.ipynb"]


def test_another_error_fails_and_leaves_what_was_done_under_another_name(files: dict[str, Path]) -> None:
    write(files["notebook"], "ValueError('a real mistake')")
    with pytest.raises(papermill.PapermillExecutionError, match="a real mistake"):
        execute(files["notebook"], files["output"], files["full"])
    assert [path.name for path in files["output"].parent.iterdir()] == ["01_a.failed.ipynb"]


def test_a_solution_takes_the_parameters_of_its_profile(files: dict[str, Path], tmp_path: Path) -> None:
    solution = tmp_path / "solutions/01_a.ipynb"
    solution.parent.mkdir()
    write(files["notebook"], "ValueError()")
    write(solution, "ValueError()")
    files["full"].write_text("profile: full\nseeds: 0\n")
    execute(solution, files["output"], files["full"])
    assert nbformat.read(files["output"], as_version=4).cells[-1].outputs[0].text == "full 0\n"
    files["full"].write_text("profile: full\nseedlings: 0\n")
    with pytest.raises(ValueError, match="seedlings"):
        execute(solution, files["output"], files["full"])
