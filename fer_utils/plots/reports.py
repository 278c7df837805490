"""The study's first figure: what is claimed, what a re-run gives, and what is left under a sound protocol."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_utils.evaluation.statistics import Interval
from fer_utils.plots import style

if TYPE_CHECKING:
    from fer_utils.report.headlines import Line

COLOURS = {"claimed": style.VERMILLION, "re-run as reported": style.GREEN, "sound": style.BLUE}
"""Colour of each kind of number; another name is drawn in ink."""

_LETTERS = 54
"""So many fit side by side left of the dots."""

_GAP = 0.5  # between two systems, in rows


@dataclass(frozen=True)
class _Row:
    """One line of the figure: its label, colour and number; `main` is the epoch that the protocol keeps."""

    label: str
    colour: str
    number: float | Interval | Literal[""] | None
    text: str = ""
    main: bool = True
    filled: bool = True


@style.styled
def claims(
    panels: Mapping[str, Sequence[Line]],
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
    heights = [sum(len(list(_rows(system))) + _GAP for system in systems) + 0.5 for systems in panels.values()]
    if not heights:
        raise ValueError("claims() needs at least one system; got none. Read them with headlines.lines().")
    figure = style.new_figure(10.7, 0.25 + 0.5 * len(panels) + 0.185 * sum(heights))
    grid = figure.subplots(len(panels), 3, height_ratios=heights, width_ratios=(3.7, 2.5, 4.5), squeeze=False)
    for (left, middle, right), (data, systems) in zip(grid, panels.items(), strict=True):
        left.set_title(data, weight="bold", size=11)
        _panel(left, middle, right, systems)
        middle.set_xlabel("Accuracy in %")
        for ax in (left, right):
            ax.set(xlim=(0, 1), ylim=middle.get_ylim())
            ax.axis("off")
    key = (
        "Diamonds: as printed, without an interval. Dots: 95 % intervals, over persons where they are known, else over "
        "images, and over seeds where there are several; open dots: fewer epochs than the report's. Large dots: the "
        "epoch that the protocol keeps; small dots: the other one, so that protocols can be compared by one rule."
    )
    return style.finish(figure, title, f"{key} {caption}".strip(), profile)


def _rows(system: Line) -> Iterator[_Row]:
    if "*modified*" in system.detail:
        yield _Row("", style.INK, "")  # its name and what is modified are long
    if system.claimed is not None:
        yield _Row("claimed", COLOURS["claimed"], system.claimed, system.printed)
    for name, dot in system.dots.items():
        colour = COLOURS.get(name, style.INK)
        if dot is None:
            yield _Row(name, colour, None)
            continue
        yield _Row(f"{name}, {dot.epoch}", colour, dot.interval, dot.short, filled=not dot.reduced)
        for epoch, interval in dot.beside.items():
            yield _Row(epoch, colour, interval, main=False, filled=not dot.reduced)


def _panel(left: Axes, middle: Axes, right: Axes, systems: Sequence[Line]) -> None:
    """Names at the left, dots in the middle, numbers at the right, on common rows."""
    y = 0.0
    for system in systems:
        rows = list(_rows(system))
        head, _, modified = system.detail.partition(", *modified*: ")
        told = textwrap.wrap(head, _LETTERS)
        name = left.text(0, y, system.system, weight="bold", va="center", size=9)
        if modified:  # in a row of its own
            name.set_text(f"{system.system}, modified: {modified}")
            name.set_in_layout(False)  # it may reach over the dots, and must not push them aside
        else:
            free = (i for i, row in enumerate(rows) if i and len(head) + len(row.label) <= _LETTERS)
            place = y + next(free, 1)
            for i, line in enumerate(told):
                left.text(0, place + 0.8 * i, line, color=style.MUTED, va="center", size=8)
        for row in rows:
            left.text(0.99, y, row.label, ha="right", va="center", size=8, color=row.colour)
            _draw(middle, right, y, row)
            y += 1
        y += _GAP + len(told) * (len(rows) == 1)
        if system is not systems[-1]:
            middle.axhline(y - 0.5 - _GAP / 2, color=style.PALE, lw=0.8)
    middle.set(ylim=(y - _GAP - 0.25, -0.75), yticks=[])
    middle.margins(x=0.05)
    middle.grid(True, axis="x")
    middle.spines["left"].set_visible(False)


def _draw(ax: Axes, numbers: Axes, y: float, row: _Row) -> None:
    """One marker with its line, and beside it what it says."""
    words = {"va": "center", "size": 8.5}
    if row.number == "":
        return
    if row.number is None:
        numbers.text(0, y, "not measured", color=style.MUTED, style="italic", **words)
    elif isinstance(row.number, float):
        ax.plot(100 * row.number, y, "D", mfc="white", mec=row.colour, mew=1.4, ms=5.5, zorder=3)
        numbers.text(0, y, row.text, **words)
    else:
        numbers.text(0, y, row.number.percent(), weight="bold" if row.main else "normal", **words)
        numbers.text(0.42, y, textwrap.fill(row.text, 56), color=style.MUTED, **words | {"size": 7.5})
        low, middle, high = (100 * x for x in (row.number.low, row.number.estimate, row.number.high))
        size, width = (6, 2.2) if row.main else (3.8, 1.1)
        ax.plot([low, high], [y, y], color=row.colour, lw=width, solid_capstyle="butt")
        face = row.colour if row.filled else "white"
        ax.plot(middle, y, "o", mfc=face, mec=row.colour, mew=1.3, ms=size, zorder=4)
