"""The reports' figures and tables: all are listed, and what stands in their place exists and is shown."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest

from fer_utils.report.audit import claims, counterparts
from fer_utils.report.audit.counterparts import COUNTERPARTS, Counterpart

ROOT = Path(__file__).resolve().parents[2]
ITEMS = {
    "psg2025": {"Table 2.1", "Table 5.8", "Table 5.9", "Fig 4.1", *(f"Fig 5.{i}" for i in range(1, 8))},
    "cutm2024": {f"Figure {i}" for i in range(1, 13)},
    "xavengers2025": {"Table 1", *(f"Figure {i}" for i in range(1, 16))},
    "iitk2023": {
        *(f"Table 4.{i}" for i in range(1, 6)), *(f"Fig 4.4.{i}" for i in range(1, 5)), "Figure 1", "Figure 2",
        "Figure 4.1", "section 4.1.1", "section 4.1.2", "Appendix, Figure 1",
    },
    "colab2023": {"Model Summary", "Graph Comparison", "Confusion Matrix", "Classification Report", "CNN Model"},
}  # fmt: skip


def code(notebook: str) -> str:
    cells = json.loads((ROOT / f"notebooks/{counterparts.NOTEBOOKS[notebook]}.ipynb").read_text("utf-8"))["cells"]
    return "".join("".join(cell["source"]) + "\n" for cell in cells if cell["cell_type"] == "code")


@pytest.mark.parametrize("report", claims.KEYS)
def test_every_figure_and_table_is_listed_once(report: str) -> None:
    listed = [c.item for c in COUNTERPARTS if c.report == report]
    assert sorted(listed) == sorted(ITEMS[report])


@pytest.mark.parametrize("one", COUNTERPARTS, ids=lambda c: f"{c.report}-{c.item}")
def test_what_stands_in_its_place_exists_and_is_used_there(one: Counterpart) -> None:
    module, name = one.made_by.split(":")
    assert callable(getattr(importlib.import_module(module), name))
    assert re.search(rf"\b{name}\b", code(one.notebook)), f"notebook {one.notebook} no longer uses {name}"


def test_the_page_links_to_notebooks_that_exist() -> None:
    for report in claims.KEYS:
        for path in re.findall(r"\(\.\./(notebooks/[^)]+)\)", " ".join(counterparts.table(report)["here"])):
            assert (ROOT / path).is_file()
