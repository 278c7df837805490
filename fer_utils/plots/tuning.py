"""Figures of hyper-parameter searches: progress against cost, and one hyper-parameter at a time.

All take tables of trials as `fer_utils.study.tuning.trials` gives them, and spaces as its measurement holds them: name
to `{"kind": "real", "low", "high", "log"}` or `{"kind": "choice", "values"}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from fer_utils.plots import style

_METHODS = {"random": style.GREY, "hyperband": style.VERMILLION, "bayesian": style.BLUE}
_COST = {"own_epochs": ("Epochs trained", 1.0), "seconds": ("Minutes of training", 60.0)}


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
    text = f"{_counted(pd.concat(tables.values()))} Dots: single trials; line: the best so far. {caption}"
    return style.finish(figure, title, text.strip(), profile)


@style.styled
def marginal_effects(
    table: pd.DataFrame,
    space: Mapping[str, Mapping[str, Any]],
    *,
    title: str = "One hyper-parameter at a time",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Score against each hyper-parameter, one small panel each, whatever the others were.

    Trials that were trained to the end are filled dots, those that were stopped earlier open ones; a star marks the
    best trial in every panel.

    Args:
        table: trials of one network on one dataset.
        space: the hyper-parameters, one panel each, in order.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: no trial has a score.
    """
    scored = table.dropna(subset="score")
    if scored.empty:
        raise ValueError("marginal_effects() needs a trial with a score; got none. Finish the search.")
    columns = min(4, len(space))
    rows = -(-len(space) // columns)
    figure = style.new_figure(8.4, 0.6 + 1.8 * rows)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for panel, (name, kind) in zip(panels, space.items(), strict=False):
        _marginal(panel, scored, name, kind)
    for place, panel in enumerate(panels):
        panel.set_visible(place < len(space))
        panel.set_ylabel("" if place % columns else "Validation accuracy in %")
    panels[0].set_ylim(-3, 103)
    whole = int((scored["epochs"] == scored["epochs"].max()).sum())
    methods = list(dict.fromkeys(scored["method"]))
    key = f" Colours: {', '.join(methods)}, in this order." if len(methods) > 1 else ""
    text = f"{_counted(scored)} Filled: {whole} trained to the end; star: the best.{key} {caption}"
    return style.finish(figure, title, text.strip(), profile)


def _marginal(ax: Axes, scored: pd.DataFrame, name: str, kind: Mapping[str, Any]) -> None:
    """One panel of `marginal_effects`."""
    place, whole = _place(scored[name], kind), scored["epochs"] == scored["epochs"].max()
    for method, rows in scored.groupby("method", sort=False):
        colour, full = _METHODS.get(str(method), style.BLUE), whole.loc[rows.index]
        ax.plot(place[rows.index][full], 100 * rows["score"][full], "o", ms=4.5, color=colour, alpha=0.8)
        ax.plot(place[rows.index][~full], 100 * rows["score"][~full], "o", ms=4, mfc="none", mec=colour, alpha=0.6)
    best = scored["score"].idxmax()
    ax.plot(place[best], 100 * scored["score"][best], "*", ms=11, color=style.INK, zorder=5)
    _scale(ax, kind)
    ax.set_xlabel(name.replace("_", " "))


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
