"""The two figures of README, as PNG files that hold the numbers they show.

A figure is drawn again only where the records say other numbers than the file holds, so that no file changes for
nothing.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fer_utils import plots
from fer_utils.analysis.prices import tables
from fer_utils.analysis.prices.experiments import Price
from fer_utils.files.paths import project_root
from fer_utils.files.writing import atomic
from fer_utils.report import headlines, one_page
from fer_utils.report.records_index import Shelf

CHUNK, WIDTH = "fer_utils", 1600
"""The text chunk of a file that holds its numbers as JSON, and its width in pixels."""


class Picture(NamedTuple):
    """A figure to be written: the numbers that it shows, ready for JSON, and how it is drawn."""

    numbers: dict[str, Any]
    figure: Callable[[], Figure]


def pictures(shelf: Shelf) -> dict[str, Picture]:
    """By file name in `reports/` what the records say for each figure."""
    lines, prices = headlines.lines(shelf), priced(tables.on_record(shelf.measurements.parent / "runs"))
    found = {"five_reports.png": Picture(one_page.numbers(lines), lambda: one_page.figure(lines))}
    if prices:
        found["prices.png"] = Picture(_price_numbers(prices), lambda: _price_figure(prices))
    return found


def draw(path: Path, picture: Picture) -> bool:
    """Write a figure with its numbers inside, unless the file holds these numbers already; returns whether it did."""
    if path.is_file() and drawn(path) == picture.numbers:
        return False
    figure, whole, chunk = picture.figure(), io.BytesIO(), PngInfo()
    figure.savefig(whole, format="png", dpi=WIDTH / figure.get_size_inches()[0])
    chunk.add_text(CHUNK, json.dumps(picture.numbers, ensure_ascii=True))
    with atomic(path, "wb") as file:  # 256 colours are enough, and less than half as many bytes
        Image.open(whole).convert("RGB").quantize().save(file, "png", pnginfo=chunk, optimize=True)
    return True


def draw_all(shelf: Shelf, folder: Path | None = None) -> dict[str, bool]:
    """Write every figure that the records have changed; by file name whether it was written.

    Args:
        shelf: what is on record.
        folder: default `reports/` of the project.
    """
    folder = folder or project_root() / "reports"
    return {name: draw(folder / name, picture) for name, picture in pictures(shelf).items()}


def drawn(path: Path) -> dict[str, Any]:
    """The numbers that a file of `draw` holds; empty where it holds none."""
    with Image.open(path) as picture:
        return json.loads(picture.info.get(CHUNK, "{}"))


def priced(prices: Mapping[str, Sequence[Price]]) -> dict[str, list[Price]]:
    """The main prices, data by data; without data that have none."""
    found = {data: tables.main(group) for data, group in prices.items()}
    return {data: group for data, group in found.items() if group}


def _price_numbers(prices: Mapping[str, Sequence[Price]]) -> dict[str, Any]:
    return {f"{data}: {p.shortcut}": one_page.ends(p.interval) for data, group in prices.items() for p in group}


def _price_figure(prices: Mapping[str, Sequence[Price]]) -> Figure:
    uneven = [p.shortcut.partition(", ")[2] for group in prices.values() for p in group if " seed)" in p.compared]
    note = f" {'; '.join(uneven)}: the two sides have different numbers of seeds." if uneven else ""
    caption = f"From committed records; where one seed is marked, the interval draws persons alone.{note}"
    return plots.forest(prices, title="What each shortcut adds to an accuracy", caption=caption)
