"""Whether committed copies say what a new execution says."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from fer_utils.study import edition

v4 = nbformat.v4


def write(path: Path, *outputs: nbformat.NotebookNode, tags: tuple[str, ...] = (), source: str = "show()") -> None:
    path.parent.mkdir(exist_ok=True)
    cell = v4.new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)}, id="a")
    nbformat.write(v4.new_notebook(cells=[v4.new_markdown_cell("# Title", id="t"), cell]), path)


def table(value: str, style: str) -> nbformat.NotebookNode:
    html = f"<style>#T_{style} {{}}</style><table id='T_{style}'><tr><td>{value}</td></tr></table>"
    return v4.new_output("display_data", {"text/html": html, "text/plain": "<Styler at 0x1f>"})


def figure(alternative: str, pixels: str) -> nbformat.NotebookNode:
    return v4.new_output("display_data", {"image/png": pixels}, metadata={"image/png": {"alt": alternative}})


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "committed", tmp_path / "now"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (table("65.3", "a"), table("65.5", "a")),
        (v4.new_output("stream", text="1\n2\n"), v4.new_output("stream", text="1\n3\n")),
        (figure("n = 981", "AA=="), figure("n = 980", "AA==")),
    ],
    ids=["a table", "printed text", "a caption"],
)
def test_another_number_is_found(both: tuple[Path, Path], one, other) -> None:
    for folder, output in zip(both, (one, other), strict=True):
        write(folder / "04_a.ipynb", output)
    (found,) = edition.differences(*both)
    assert found.startswith("04_a.ipynb, output of cell 1:\n-") and "\n+" in found


def test_styles_pixels_and_addresses_are_not_compared(both: tuple[Path, Path]) -> None:
    plain = [v4.new_output("display_data", {"text/plain": f"<A at 0x{end}>"}) for end in ("1f", "2e")]
    write(both[0] / "04_a.ipynb", table("1", "a"), figure("n = 1", "AA=="), plain[0])
    write(both[1] / "04_a.ipynb", table("1", "b"), figure("n = 1", "BB=="), plain[1])
    assert edition.differences(*both) == []


@pytest.mark.parametrize(("other", "differs"), [("65.4 of 981", False), ("65.3 of 982", True), ("65.30 of 981", True)])
def test_rounding_may_differ_in_the_last_place(both: tuple[Path, Path], other: str, differs: bool) -> None:
    for folder, text in zip(both, ("65.3 of 981", other), strict=True):
        write(folder / "04_a.ipynb", v4.new_output("stream", text=text))
    assert bool(edition.differences(*both)) is differs


def test_live_cells_may_differ_and_sources_may_not(both: tuple[Path, Path]) -> None:
    for folder, text in zip(both, ("1 s", "2 s"), strict=True):
        write(folder / "04_a.ipynb", v4.new_output("stream", text=text), tags=("live",))
    assert edition.differences(*both) == []
    for folder, rate in zip(both, ("0.1", "0.2"), strict=True):
        write(folder / "04_a.ipynb", source=f"show({rate})")
    assert edition.differences(*both) == ["04_a.ipynb, source of cell 1:\n-show(0.1)\n+show(0.2)"]
    write(both[0] / "04_a.ipynb", tags=("live",))
    write(both[1] / "04_a.ipynb", tags=("live",), source="show(1)")
    (found,) = edition.differences(*both)
    assert found == "04_a.ipynb, source of cell 1:\n-show()\n+show(1)"


def test_a_copy_that_was_cut_off_is_named(both: tuple[Path, Path]) -> None:
    for folder in both:
        write(folder / "04_a.ipynb")
    broken = both[1] / "04_a.ipynb"
    broken.write_text(broken.read_text()[:40])
    with pytest.raises(ValueError, match=r"now/04_a\.ipynb is not, or was cut off"):
        edition.differences(*both)


def test_missing_copies_are_named_and_an_empty_folder_is_refused(both: tuple[Path, Path]) -> None:
    write(both[0] / "04_a.ipynb")
    with pytest.raises(ValueError, match="holds none"):
        edition.differences(*both)
    write(both[1] / "05_b.ipynb")
    assert [line.split(":")[0] for line in edition.differences(*both)] == ["04_a.ipynb", "05_b.ipynb"]
