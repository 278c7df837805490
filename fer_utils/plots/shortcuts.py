"""Figures of notebooks 01 and 10: curves from simulations, prices of shortcuts, the error budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fer_utils.evaluation.statistics import Interval
from fer_utils.plots import style

if TYPE_CHECKING:
    from fer_utils.analysis.prices.experiments import Price
    from fer_utils.analysis.prices.tables import Share

KINDS = {
    "leak": ("test images known from training", style.VERMILLION),
    "choice": ("chosen on test images", style.ORANGE),
    "scored": ("other images scored", style.BLUE),
    "chance": ("chance", style.GREY),
    "labels": ("disagreement about labels", style.PURPLE),
}
"""Kind of a price to its name in the key and its colour."""


@style.styled
def forest(
    groups: Mapping[str, Sequence[Price]],
    *,
    title: str = "What each shortcut adds",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """A dot with its 95 % interval per shortcut, small marks for single seeds, grouped by data.

    Args:
        groups: name of the data to its prices, drawn from top to bottom.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: no price.
    """
    rows: list[Price | str] = [row for data, prices in groups.items() for row in (data, *prices)]
    prices = [row for row in rows if not isinstance(row, str)]
    if not prices:
        raise ValueError("forest() needs at least one price; got none. Measure a shortcut first.")
    figure = style.new_figure(8.6, 1.1 + 0.3 * len(rows))
    ax = figure.add_subplot()
    ax.axvline(0, color=style.INK, lw=0.9, zorder=1)
    for y, row in enumerate(rows):
        if isinstance(row, str):
            white = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
            ax.text(0, y, row, transform=ax.get_yaxis_transform(), weight="bold", size=9, va="center", bbox=white)
        else:
            _row(ax, y, row.interval, row.seeds, KINDS[row.kind][1])
    ax.set_yticks(range(len(rows)), ["" if isinstance(row, str) else row.shortcut for row in rows])
    _dress(ax, len(rows), "Points of accuracy")
    kinds = {p.kind for p in prices}
    handles = [Line2D([], [], marker="o", color=c, label=n) for k, (n, c) in KINDS.items() if k in kinds]
    ax.legend(handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(handles))
    text = f"Dots: mean over seeds; bars: 95 % intervals; small marks: single seeds. {caption}"
    return style.finish(figure, title, text.strip(), profile)


@style.styled
def error_budget(
    shares: Sequence[Share],
    *,
    title: str = "Error budget",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """A bar per source of error, largest on top, with its interval; one colour per kind.

    Args:
        shares: what to draw.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: nothing to draw.
    """
    if not shares:
        raise ValueError("error_budget() needs at least one share; got none. Measure something first.")
    ordered = sorted(shares, key=lambda share: -abs(share.interval.estimate))
    figure = style.new_figure(8.6, 1.1 + 0.34 * len(ordered))
    ax = figure.add_subplot()
    for y, share in enumerate(ordered):
        ax.barh(y, 100 * share.interval.estimate, height=0.62, color=KINDS[share.kind][1], alpha=0.55)
        _row(ax, y, share.interval, (), style.INK)
    ax.axvline(0, color=style.INK, lw=0.9)
    ax.set_yticks(range(len(ordered)), [f"{share.name}\n{share.source}" for share in ordered])
    ax.tick_params(axis="y", labelsize=7.5)
    _dress(ax, len(ordered), "Points of accuracy")
    kinds = {share.kind for share in ordered}
    handles = [Patch(color=c, alpha=0.55, label=n) for k, (n, c) in KINDS.items() if k in kinds]
    ax.legend(handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=min(len(handles), 3))
    return style.finish(figure, title, f"Lines: 95 % intervals. {caption}".strip(), profile)


@style.styled
def simulated(
    panels: Mapping[str, pd.DataFrame],
    *,
    percent: bool = True,
    references: Mapping[str, float] | None = None,
    title: str = "",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Columns of tables as lines over their index, one panel per table, named at their right ends.

    Panels in percent share their vertical axis.

    Args:
        panels: title of each panel to a table whose index has a name.
        percent: whether the values are shares to be shown in percent.
        references: panel's title to the height of a dashed line.
        title, caption, profile: see `fer_utils.plots`.
    """
    figure = style.new_figure(1.0 + 3.9 * len(panels), 2.9)
    cycle = (style.BLUE, style.VERMILLION, style.GREEN)
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=percent)[0]
    lines = []
    for ax, (name, table) in zip(axes, panels.items(), strict=True):
        ends = []
        for colour, column in zip(cycle, table, strict=False):
            values = (100 if percent else 1) * table[column].to_numpy(float)
            ax.plot(table.index, values, color=colour, marker="o", ms=3.5, label=column)
            ends.append((values[-1], column, colour))
        if (height := (references or {}).get(name)) is not None:
            ax.axhline(height, color=style.INK, lw=0.9, ls="--", zorder=1)
        ax.set_title(name, size=9)
        ax.set(xlabel=table.index.name)
        ax.grid(True)
        lines.append(ends)
    axes[0].set_ylabel("%" if percent else "")
    for ax, ends in zip(axes, lines, strict=True):  # once all panels have their limits
        style.label_ends(ax, ends)
    return style.finish(figure, title, caption, profile)


def _row(ax: Axes, y: int, interval: Interval, seeds: Sequence[float], colour: str) -> None:
    """Dot, bar, marks of single seeds, and the numbers right of the axes."""
    low, middle, high = (100 * x for x in (interval.low, interval.estimate, interval.high))
    ax.plot([low, high], [y, y], color=colour, lw=2.0, solid_capstyle="butt")
    ax.plot(middle, y, "o", color=colour, ms=5.5, zorder=4)
    ax.plot(100 * np.array(seeds), np.full(len(seeds), y + 0.27), "|", color=colour, ms=5, mew=1.1)
    text = interval.points() if high > low else f"{middle:.1f}"
    ax.text(1.02, y, text, transform=ax.get_yaxis_transform(), va="center", fontsize=8)


def _dress(ax: Axes, n: int, quantity: str) -> None:
    ax.set(ylim=(n - 0.5, -0.6), xlabel=quantity)
    ax.tick_params(axis="y", length=0)
    ax.grid(True, axis="x")
    ax.spines["left"].set_visible(False)
