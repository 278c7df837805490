"""The study's first figure: what is claimed, what a re-run gives, and what is left under a sound protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_utils.evaluation.statistics import Interval
from fer_utils.plots import style

COLOURS = {"claimed": style.VERMILLION, "re-run as reported": style.GREEN, "sound": style.BLUE}
"""Colour of each kind of number; another name is drawn in ink."""

_GAP = 0.5  # between two systems, in rows


class Dot(Protocol):
    """What is drawn of a `fer_utils.report.headlines.Measured`."""

    interval: Interval
    reduced: bool
    learned: bool
    short: str


class System(Protocol):
    """What is drawn of a `fer_utils.report.headlines.Line`."""

    system: str
    detail: str
    claimed: float | None
    dots: Mapping[str, Dot | None]


@style.styled
def claims(
    panels: Mapping[str, Sequence[System]],
    *,
    title: str = "",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """A claim and what was measured of it, row by row, one panel per dataset; "not measured" where nothing was.

    Args:
        panels: name of the data to the systems, drawn from top to bottom; a panel without a system is left out.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: no system.
    """
    panels = {data: systems for data, systems in panels.items() if systems}
    heights = [sum(len(_rows(system)) + _GAP for system in systems) + 0.5 for systems in panels.values()]
    if not heights:
        raise ValueError("claims() needs at least one system; got none. Read them with headlines.lines().")
    figure = style.new_figure(8.8, 0.25 + 0.5 * len(panels) + 0.185 * sum(heights))
    grid = figure.subplots(len(panels), 3, height_ratios=heights, width_ratios=(2.6, 2.9, 3.2), squeeze=False)
    for (left, middle, right), (data, systems) in zip(grid, panels.items(), strict=True):
        left.set_title(data, weight="bold", size=11)
        _panel(left, middle, right, systems)
        for ax in (left, right):
            ax.set(xlim=(0, 1), ylim=middle.get_ylim())
            ax.axis("off")
    grid[-1, 1].set_xlabel("Accuracy in %")
    key = "Diamonds: as printed, without an interval. Dots: 95 % intervals, over persons where they are known, else "
    key += "over images; open dots: fewer epochs than the report's. One seed unless more are named."
    return style.finish(figure, title, f"{key} {caption}".strip(), profile)


def _rows(system: System) -> list[tuple[str, float | Dot | None]]:
    claim = [] if system.claimed is None else [("claimed", system.claimed)]
    return [*claim, *system.dots.items()]


def _panel(left: Axes, middle: Axes, right: Axes, systems: Sequence[System]) -> None:
    """Names at the left, dots in the middle, numbers at the right, on common rows."""
    y = 0.0
    for system in systems:
        rows = _rows(system)
        name = {"va": "center", "size": 9}
        left.text(0, y, system.system, weight="bold", **name)
        place = (0, y + 1) if len(rows) > 1 else (0.265, y)
        left.text(*place, system.detail, color=style.MUTED, **name | {"size": 8})
        for kind, value in rows:
            colour = COLOURS.get(kind, style.INK)
            left.text(0.99, y, kind, ha="right", va="center", size=8, color=colour)
            _row(middle, right, y, value, colour)
            y += 1
        y += _GAP
        if system is not systems[-1]:
            middle.axhline(y - 0.5 - _GAP / 2, color=style.PALE, lw=0.8)
    middle.set(ylim=(y - _GAP - 0.25, -0.75), yticks=[])
    middle.margins(x=0.05)
    middle.grid(True, axis="x")
    middle.spines["left"].set_visible(False)


def _row(ax: Axes, numbers: Axes, y: float, value: float | Dot | None, colour: str) -> None:
    """One marker with its line, and beside it what it says."""
    words = {"va": "center", "size": 8.5}
    if value is None:
        numbers.text(0, y, "not measured", color=style.MUTED, style="italic", **words)
    elif isinstance(value, float):
        ax.plot(100 * value, y, "D", mfc="white", mec=colour, mew=1.4, ms=5.5, zorder=3)
        numbers.text(0, y, f"{100 * value:.2f}", **words)
    else:
        numbers.text(0, y, value.interval.percent(), weight="bold", **words)
        numbers.text(0.42, y, value.short, color=style.MUTED, **words | {"size": 8})
        if value.learned:
            low, middle, high = (100 * x for x in (value.interval.low, value.interval.estimate, value.interval.high))
            ax.plot([low, high], [y, y], color=colour, lw=2.2, solid_capstyle="butt")
            ax.plot(middle, y, "o", mfc="white" if value.reduced else colour, mec=colour, mew=1.5, ms=6, zorder=4)
