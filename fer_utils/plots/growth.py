"""Figures of what grows with the data."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from fer_utils.plots import style


@style.styled
def growth(table: pd.DataFrame, *, caption: str = "", profile: str | None = None) -> Figure:
    """Time over the number of images (left) and memory over their size (right), all axes logarithmic.

    Args:
        table: columns `step`, `images`, `megabytes`, `seconds`, `grown`, one row per step and size.
        caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: no rows.
    """
    if table.empty:
        raise ValueError("A figure of growth needs rows of steps and sizes; got none. Measure some.")
    figure = style.new_figure(8.4, 3.2)
    time, memory = figure.subplots(1, 2)
    for name, part in table.groupby("step", sort=False):
        (line,) = time.plot(part["images"], part["seconds"], "o-", ms=4, lw=1.4)
        time.annotate(name, (part["images"].iloc[-1], part["seconds"].iloc[-1]), xytext=(5, 0),
                      textcoords="offset points", color=line.get_color(), va="center", size=8)  # fmt: skip
        memory.plot(part["megabytes"], part["grown"], "o-", ms=4, lw=1.4, color=line.get_color(), label=name)
    ends = table["images"].iloc[[0, -1]].to_numpy()
    time.plot(ends, table["seconds"].min() * ends / ends[0], "--", color="#9A9A9A", lw=0.9, zorder=0)
    time.set(xscale="log", yscale="log", xlabel="Images", ylabel="Seconds")
    time.margins(x=0.25)
    sides = table["megabytes"].iloc[[0, -1]]
    memory.plot(sides, sides, "--", color="#9A9A9A", lw=0.9, zorder=0)
    memory.set(xscale="log", yscale="log", xlabel="Size of the images in MB", ylabel="Memory grown by, in MB")
    memory.legend(fontsize=8)
    text = f"Dashes: linear time (left), one copy of the images (right). {caption}".strip()
    return style.finish(figure, "Time and memory over the number of images", text, profile)
