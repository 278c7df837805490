"""Figures of how a training goes: schedules of the learning rate, watched curves, what moving averages do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fer_utils.plots import style

_COLOURS = (style.BLUE, style.VERMILLION, style.GREEN, style.PURPLE)


@style.styled
def schedules(
    rates: Mapping[str, Sequence[np.ndarray]], *, log: Sequence[str] = (), title: str = "Learning rate",
    caption: str = "", profile: str | None = None,
) -> Figure:  # fmt: skip
    """The learning rate over epochs, one panel for each training; a dashed line where a new optimizer begins.

    Args:
        rates: name to the rates of each phase, an array (m,) with one value for each of its m epochs.
        log: names whose axis is logarithmic.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: no training, or one without a phase.
    """
    if not rates or not all(len(phases) for phases in rates.values()):
        raise ValueError(f"schedules() needs the rates of one phase or more for each name; got {dict(rates)}.")
    figure = style.new_figure(8.4, 2.5)
    for ax, (name, phases) in zip(np.atleast_1d(figure.subplots(1, len(rates))), rates.items(), strict=True):
        start = 1
        for phase in phases:
            ax.plot(start + np.arange(len(phase)), phase, color=style.BLUE, lw=2)
            if start > 1:
                ax.axvline(start - 0.5, color="#9A9A9A", ls="--", lw=0.9)
            start += len(phase)
        ax.set(yscale="log" if name in log else "linear", xlabel="Epoch", ylabel="Learning rate")
        ax.set_title(name)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return style.finish(figure, title, caption, profile)


@style.styled
def watched_curves(
    histories: Mapping[str, pd.DataFrame], *, references: Mapping[str, float] | None = None, last: int | None = None,
    title: str = "What training sees, and what is watched", caption: str = "", profile: str | None = None,
) -> Figure:  # fmt: skip
    """Accuracy of the watched part (solid) and of the training batches (dashed) over epochs, of one or more runs.

    Args:
        histories: name to history, with the columns `epoch`, `accuracy` and `val_accuracy` in [0, 1]; no more than 4.
        references: name to value (fraction of 1) of horizontal lines, such as one constant answer.
        last: the last epoch to draw; None for all.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: no history, or more than 4.
    """
    if not 1 <= len(histories) <= len(_COLOURS):
        raise ValueError(f"watched_curves() draws 1 to {len(_COLOURS)} runs; got {len(histories)}. Leave some out.")
    figure = style.new_figure(7.2, 3.0)
    ax = figure.add_subplot()
    for colour, (name, history) in zip(_COLOURS, histories.items(), strict=False):
        shown = history[history["epoch"] <= (last or np.inf)]
        ax.plot(shown["epoch"], 100 * shown["accuracy"], "--", color=colour, lw=1, alpha=0.8)
        ax.plot(shown["epoch"], 100 * shown["val_accuracy"], "-", color=colour, lw=2, label=name)
    for name, value in (references or {}).items():
        ax.axhline(100 * value, color="#9A9A9A", ls=":")
        place = {"transform": ax.get_yaxis_transform(), "va": "center"}
        ax.text(1.01, 100 * value, name, size=7.5, color=style.MUTED, **place)
    ax.set(xlabel="Epoch", ylabel="Accuracy in %", ylim=(0, 102))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(loc="center right")
    return style.finish(figure, title, f"Solid: the watched part; dashed: training batches. {caption}".strip(), profile)


@style.styled
def moving_averages(
    stored: np.ndarray, own: np.ndarray, epochs: np.ndarray, accuracy: np.ndarray, *, as_kept: float,
    title: str = "What moving averages do to one set of weights", caption: str = "", profile: str | None = None,
) -> Figure:  # fmt: skip
    """Left: variances stored in each normalisation and those of its batches. Right: accuracy by the averages' age.

    Args:
        stored, own: float (m,), medians over channels, from image to head.
        epochs: float (p,), how long ago the averages began.
        accuracy: float (p,) in [0, 1], of the same weights with averages of that age.
        as_kept: accuracy with the averages that were stored with the weights.
        title, caption, profile: see `fer_utils.plots`.
    """
    figure = style.new_figure(8.4, 2.8)
    depth, age = figure.subplots(1, 2)
    places = np.arange(1, len(own) + 1)
    depth.semilogy(places, stored, color=style.VERMILLION, label="stored average")
    depth.semilogy(places, own, color=style.BLUE, label="of the batches")
    depth.set(xlabel="Normalisation, from image to head", ylabel="Variance (median)")
    depth.legend(loc="upper center")
    age.plot(epochs, 100 * accuracy, ".-", color=style.BLUE)
    age.axhline(100 * as_kept, color=style.VERMILLION, ls=":")
    age.text(0.99, 100 * as_kept + 2, "with the stored averages", ha="right", size=7.5, color=style.VERMILLION,
             transform=age.get_yaxis_transform())  # fmt: skip
    age.set(xlabel="Age of the averages in epochs", ylabel="Accuracy in %", ylim=(0, 105))
    return style.finish(figure, title, caption, profile)
