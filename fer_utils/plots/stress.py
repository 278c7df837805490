"""Figures of robustness and calibration: stress curves, reliability diagrams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_utils.evaluation.statistics import Interval
from fer_utils.plots import display, style

_COLUMNS = 4


@style.styled
def stress_curves(
    curves: Mapping[str, Mapping[str, Sequence[Interval]]],
    *,
    guessing: float | None = None,
    title: str = "Accuracy under damage",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """One small panel per corruption: accuracy in % against severity 0 (clean) to 5, a line per network.

    Args:
        curves: network -> corruption -> 6 intervals, of severities 0 to 5. All networks have the same corruptions.
        guessing: accuracy of a constant answer, drawn as a dashed line.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: no network, or networks with other corruptions.
    """
    names = list(next(iter(curves.values()), ()))
    if not names or any(list(of) != names for of in curves.values()):
        came = {network: list(of) for network, of in curves.items()}
        raise ValueError(f"stress_curves() needs the same corruptions of every network; got {came}.")
    rows = -(-len(names) // _COLUMNS)
    figure = style.new_figure(8.4, 0.6 + 1.55 * rows)
    panels = figure.subplots(rows, min(_COLUMNS, len(names)), sharex=True, sharey=True, squeeze=False).ravel()
    for ax, name in zip(panels, names, strict=False):
        for (network, of), colour in zip(curves.items(), (style.BLUE, style.VERMILLION, style.GREEN), strict=False):
            _curve(ax, of[name], colour, network)
        if guessing is not None:
            ax.axhline(100 * guessing, color="#9A9A9A", lw=0.9, ls="--")
        ax.set_title(name, fontsize=9)
        ax.grid(True, axis="y")
    _label_panels(panels, len(names), min(_COLUMNS, len(names)))
    if len(curves) > 1:
        handles, labels = panels[0].get_legend_handles_labels()
        free = panels[len(names)] if len(names) < len(panels) else panels[0]
        free.legend(handles, labels, loc="center" if free is not panels[0] else "best")
    text = f"{_sizes(curves)}{' Dashes: always the commonest class.' if guessing is not None else ''} {caption}"
    return display.adding(style.finish(figure, title, text.strip(), profile), _falls(curves))


@style.styled
def reliability(
    tables: Mapping[str, pd.DataFrame],
    scores: Mapping[str, Mapping[str, float]] | None = None,
    *,
    title: str = "Reliability: accuracy against confidence",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """One reliability diagram per method: accuracy of the images in each bin of confidence, and how many they are.

    Args:
        tables: method -> `fer_utils.evaluation.calibration.reliability`.
        scores: method -> `fer_utils.evaluation.calibration.summary`, of which ECE and NLL stand below the name.
        title, caption, profile: see `fer_utils.plots`.
    """
    columns = min(_COLUMNS, len(tables))
    rows = -(-len(tables) // columns)
    figure = style.new_figure(max(2.15 * columns + 0.5, 4.5), 2.75 * rows + 0.2)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for ax, (method, table) in zip(panels, tables.items(), strict=False):
        ax.plot([0, 100], [0, 100], color="#9A9A9A", lw=0.9, ls="--")
        x, n = 100 * table["confidence"], table["n"]
        ax.bar(x, 25 * n / n.sum(), width=4, color=style.PALE, zorder=0)
        below, above = table["accuracy"] - table["low"], table["high"] - table["accuracy"]
        ax.errorbar(x, 100 * table["accuracy"], 100 * np.abs([below, above]), fmt="o", ms=4, lw=1.2, color=style.BLUE)
        found = (scores or {}).get(method)
        numbers = f"\nECE {found['ece']:.3f}, NLL {found['nll']:.2f}" if found else ""
        ax.set_title(f"{method}{numbers}", fontsize=8)
        ax.set(xlim=(0, 103), ylim=(0, 103), aspect="equal", xticks=(0, 50, 100), yticks=(0, 50, 100))
    for i, ax in enumerate(panels):
        ax.set_visible(i < len(tables))
        ax.tick_params(labelbottom=i + columns >= len(tables), labelleft=i % columns == 0)
        ax.set_xlabel("Confidence in %" if i + columns >= len(tables) else "")
        ax.set_ylabel("" if i % columns else "Accuracy in %")
    sizes = ", ".join(dict.fromkeys(f"{int(table['n'].sum()):,}" for table in tables.values()))
    text = f"n = {sizes} images. Bars: 95 % Wilson intervals (images taken as independent). Grey columns: share of the "
    text += f"images in the bin (a quarter of the height is all). Dashes: calibrated. {caption}"
    return style.finish(figure, title, text.strip(), profile)


def _curve(ax: Axes, intervals: Sequence[Interval], colour: str, label: str) -> None:
    severities = np.arange(len(intervals))
    ax.plot(severities, [100 * i.estimate for i in intervals], "o-", color=colour, ms=3, label=label)
    low, high = ([100 * getattr(i, end) for i in intervals] for end in ("low", "high"))
    ax.fill_between(severities, low, high, color=colour, alpha=0.2, lw=0)


def _falls(curves: Mapping[str, Mapping[str, Sequence[Interval]]]) -> str:
    """In words: accuracy on clean images and at the highest severity of each corruption."""
    texts = []
    for network, of in curves.items():
        ends = ", ".join(f"{name} {100 * line[-1].estimate:.0f} %" for name, line in of.items())
        clean = next(iter(of.values()))[0].estimate
        texts.append(f"{network}: {100 * clean:.0f} % on clean images; at the highest severity {ends}.")
    return " ".join(texts)


def _label_panels(panels: np.ndarray, used: int, columns: int) -> None:
    """Tick labels and axis names at the outer panels only; panels beyond `used` stay blank."""
    for i, ax in enumerate(panels):
        if i >= used:
            ax.set_axis_off()
            continue
        bottom = i + columns >= used
        ax.tick_params(labelbottom=bottom)
        ax.set(xlabel="Severity" if bottom else "", ylabel="" if i % columns else "Accuracy in %")
    panels[0].set(ylim=(0, 100), xticks=range(6))


def _sizes(curves: Mapping[str, Mapping[str, Sequence[Interval]]]) -> str:
    """Number of images and kind of interval."""
    first = [next(iter(of.values()))[0] for of in curves.values()]
    sizes = ", ".join(dict.fromkeys(f"{interval.n:,}" for interval in first))
    return f"n = {sizes} images. Bands: 95 % intervals ({first[0].method})."
