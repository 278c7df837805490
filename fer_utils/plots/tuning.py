"""Figures of hyper-parameter searches: progress against cost, all trials at once, one hyper-parameter at a time.

All take tables of trials as `fer_utils.study.tuning.trials` gives them, and spaces as its measurement holds them: name
to `{"kind": "real", "low", "high", "log"}` or `{"kind": "choice", "values"}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from fer_utils.plots import style

_METHODS = {"random": style.GREY, "hyperband": style.VERMILLION, "bayesian": style.BLUE}
_COST = {"own_epochs": ("Epochs trained", 1.0), "seconds": ("Minutes of training", 60.0)}
_BINS = 3


@style.styled
def search_progress(
    tables: Mapping[str, pd.DataFrame],
    *,
    cost: str = "own_epochs",
    references: Mapping[str, float] | None = None,
    title: str = "Best validation accuracy so far",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Best score so far against what the search has cost, one line per search, a dot per trial.

    Args:
        tables: name of each search to its trials, in the order they began.
        cost: `"own_epochs"`, or `"seconds"`, drawn as minutes.
        references: name to score (fraction of 1) of horizontal lines, such as the report's own values.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: another cost, or no search.
    """
    if cost not in _COST or not tables:
        raise ValueError(f"Progress needs a search and a cost of {', '.join(_COST)}; got {len(tables)}, {cost!r}.")
    figure = style.new_figure(6.4, 3.4)
    ax = figure.add_subplot()
    label, unit = _COST[cost]
    ends, last = [], 0.0
    for name, table in tables.items():
        spent, best = table[cost].fillna(0).cumsum() / unit, 100 * table["score"].cummax().ffill()
        colour = _METHODS.get(str(table["method"].iloc[0]), style.BLUE)
        ax.plot(spent, 100 * table["score"], "o", ms=3.5, color=colour, alpha=0.45, mew=0)
        ax.step([*spent, spent.iloc[-1]], [*best, best.iloc[-1]], where="post", color=colour)
        ends.append((float(best.iloc[-1]), f"{name} {best.iloc[-1]:.1f}", colour))
        last = max(last, float(spent.iloc[-1]))
    ax.set(xlabel=label, ylabel="Validation accuracy in %", xlim=(0, 1.02 * last))
    for name, value in (references or {}).items():
        ax.axhline(100 * value, color="#9A9A9A", lw=0.9, ls="--", zorder=0)
        ends.append((100 * value, f"{name} {100 * value:.1f}", style.MUTED))
    ax.margins(y=0.08)
    style.label_ends(ax, ends)
    ax.grid(True, axis="y")
    text = f"{_counted(pd.concat(tables.values()))} Dots: single trials; line: the best of those up to there. {caption}"
    return style.finish(figure, title, text.strip(), profile)


@style.styled
def parallel_coordinates(
    table: pd.DataFrame,
    space: Mapping[str, Mapping[str, Any]],
    *,
    title: str = "All trials",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Every trial as a line across its hyper-parameters to its score, which is also its colour; the best is thick.

    Args:
        table: trials; those without a score are left out.
        space: the hyper-parameters, one axis each, in order.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: no trial has a score.
    """
    scored = table.dropna(subset="score").sort_values("score", kind="stable")
    if scored.empty:
        raise ValueError("parallel_coordinates() needs a trial with a score; got none. Finish the search.")
    figure = style.new_figure(8.4, 3.6)
    ax = figure.add_subplot()
    low, high = _padded(100 * scored["score"])
    heights = [_height(scored[name], kind) for name, kind in space.items()]
    heights.append((100 * scored["score"] - low) / (high - low))
    colours = mpl.colormaps["viridis_r"](0.15 + 0.85 * heights[-1].to_numpy())  # without the palest yellow
    for line, (colour, path) in enumerate(zip(colours, np.transpose(heights), strict=True)):
        best = line == len(scored) - 1
        ax.plot(range(len(heights)), path, color=colour, lw=2.8 if best else 1.1, alpha=1 if best else 0.75)
    for place, (name, kind) in enumerate(space.items()):
        _axis(ax, place, name.replace("_", "\n"), _ticks(kind))
    marks = [v for v in MaxNLocator(5).tick_values(low, high) if low <= v <= high]
    _axis(ax, len(space), "validation\naccuracy in %", [((v - low) / (high - low), f"{v:g}") for v in marks])
    ax.set(xlim=(-0.35, len(space) + 0.35), ylim=(-0.04, 1.04))
    ax.set_axis_off()
    return style.finish(figure, title, f"{_counted(scored)} Thick: the best. {caption}".strip(), profile)


@style.styled
def marginal_effect(
    table: pd.DataFrame,
    name: str,
    space: Mapping[str, Mapping[str, Any]],
    *,
    title: str = "",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Score against one hyper-parameter, whatever the others were, with mean and standard deviation.

    Full-length trials are filled dots; their mean and standard deviation are drawn for each value of a choice, for
    thirds of the trials where it is a real number. Trials that were stopped earlier are open dots.

    Args:
        table: trials of one network on one dataset.
        name: the hyper-parameter.
        space: see the module.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: no trial has a score.
    """
    scored = table.dropna(subset="score")
    if scored.empty:
        raise ValueError("marginal_effect() needs a trial with a score; got none. Finish the search.")
    kind, whole = space[name], scored["epochs"] == scored["epochs"].max()
    figure = style.new_figure(4.6, 2.9)
    ax = figure.add_subplot()
    place = _place(scored[name], kind)
    for method, rows in scored.groupby("method", sort=False):
        colour = _METHODS.get(str(method), style.BLUE)
        full = whole.loc[rows.index]
        ax.plot(place[rows.index][full], 100 * rows["score"][full], "o", ms=4.5, color=colour, alpha=0.8, label=method)
        ax.plot(place[rows.index][~full], 100 * rows["score"][~full], "o", ms=4, mfc="none", mec=colour, alpha=0.6)
    for x, scores in _groups(scored[whole], name, kind):
        sd = np.std(scores, ddof=1) if len(scores) > 1 else 0.0
        bar = {"fmt": "_", "ms": 22, "mew": 2.2, "color": style.INK, "elinewidth": 1.2, "capsize": 3, "zorder": 5}
        ax.errorbar(x, np.mean(scores), sd, **bar)
    _scale(ax, kind)
    ax.set(xlabel=name.replace("_", " "), ylabel="Validation accuracy in %")
    ax.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2, handletextpad=0.1)
    text = f"{_counted(scored)} Filled: {whole.sum()} trained to the end; black: their mean ± sd"
    text += "." if kind["kind"] == "choice" else " by thirds."
    return style.finish(figure, title, f"{text} {caption}".strip(), profile)


def _counted(table: pd.DataFrame) -> str:
    """How many trials, and on how many validation images they were scored."""
    sizes = sorted(int(n) for n in table["n"].dropna().unique())
    return f"n = {len(table):,} trials, each scored on {', '.join(f'{n:,}' for n in sizes)} validation images."


def _place(values: pd.Series, kind: Mapping[str, Any]) -> pd.Series:
    """Where values stand on their axis: choices side by side and a little apart, real numbers at themselves."""
    if kind["kind"] == "real":
        return values.astype(float)
    places = values.map({value: place for place, value in enumerate(kind["values"])}).astype(float)
    return places + np.resize([0.0, 0.08, -0.08, 0.16, -0.16], len(places))


def _groups(table: pd.DataFrame, name: str, kind: Mapping[str, Any]) -> list[tuple[float, np.ndarray]]:
    """Place and scores in percent of each group of trials that is averaged; groups hold no, or a few, trials."""
    scores = 100 * table["score"].to_numpy(float)
    if kind["kind"] == "choice":
        grouped = [(float(i), scores[(table[name] == value).to_numpy()]) for i, value in enumerate(kind["values"])]
    else:
        order = np.argsort(table[name].to_numpy(float), kind="stable")
        parts = np.array_split(order, min(_BINS, len(order)) or 1)
        grouped = [(float(np.median(table[name].to_numpy(float)[part])), scores[part]) for part in parts if len(part)]
    return [(place, members) for place, members in grouped if len(members)]


def _scale(ax: Axes, kind: Mapping[str, Any]) -> None:
    """Limits and ticks of a hyper-parameter on the horizontal axis."""
    if kind["kind"] == "choice":
        ax.set_xticks(range(len(kind["values"])), [f"{value:g}" for value in kind["values"]])
        ax.set_xlim(-0.5, len(kind["values"]) - 0.5)
    elif kind["log"]:
        ax.set_xscale("log")
        ax.set_xlim(kind["low"] / 1.15, kind["high"] * 1.15)
        ax.xaxis.set_minor_locator(NullLocator())
    else:
        slack = 0.04 * (kind["high"] - kind["low"])
        ax.set_xlim(kind["low"] - slack, kind["high"] + slack)
    ax.grid(True, axis="y")


def _height(values: pd.Series, kind: Mapping[str, Any]) -> pd.Series:
    """Height of values on their axis of parallel coordinates, in [0, 1]."""
    if kind["kind"] == "choice":
        return values.map({value: place for place, value in enumerate(kind["values"])}) / (len(kind["values"]) - 1)
    scale = np.log if kind["log"] else np.asarray
    low, high = scale(kind["low"]), scale(kind["high"])
    return (scale(values.astype(float)) - low) / (high - low)


def _ticks(kind: Mapping[str, Any]) -> list[tuple[float, str]]:
    """Heights and texts of an axis' ticks."""
    if kind["kind"] == "choice":
        values = kind["values"]
    elif kind["log"]:
        exponents = np.arange(np.ceil(np.log10(kind["low"]) - 1e-9), np.floor(np.log10(kind["high"]) + 1e-9) + 1)
        values = [10.0**exponent for exponent in exponents]
    else:
        values = [v for v in MaxNLocator(4).tick_values(kind["low"], kind["high"]) if kind["low"] <= v <= kind["high"]]
    return list(zip(_height(pd.Series(values), kind), [f"{value:g}" for value in values], strict=True))


def _axis(ax: Axes, place: int, name: str, ticks: list[tuple[float, str]]) -> None:
    """One vertical axis with its name above and its ticks to the left."""
    ax.plot([place, place], [0, 1], color=style.INK, lw=0.9, zorder=3)
    ax.text(place, 1.05, name, ha="center", va="bottom", size=8)
    for height, text in ticks:
        ax.plot([place - 0.03, place], [height, height], color=style.INK, lw=0.9, zorder=3)
        box = {"facecolor": "white", "alpha": 0.75, "pad": 0.6, "lw": 0}
        ax.text(place - 0.05, height, text, ha="right", va="center", size=7, bbox=box, zorder=4)


def _padded(values: pd.Series) -> tuple[float, float]:
    """Least and largest value, at least 2 apart."""
    low, high = float(values.min()), float(values.max())
    slack = max(0.0, 2 - (high - low)) / 2
    return low - slack, high + slack
