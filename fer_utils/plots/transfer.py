"""Figures of transfer learning: how trainings differ that start from different weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fer_utils.plots import style

_COLOURS = (style.BLUE, style.VERMILLION, style.GREEN, style.ORANGE, style.PURPLE, style.SKY)
_DASHES = ("-", "--", "-.", ":")


@style.styled
def starts(
    histories: Mapping[str, Sequence[pd.DataFrame]],
    *,
    title: str = "The same network, different starts",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Validation accuracy over epochs of several ways to start: one thin line for each training, a thick mean.

    Args:
        histories: name of the start to the histories of its trainings (seeds and folds), each with the columns
            `epoch` (from 1), `phase` and `val_accuracy` in [0, 1].
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: a start without a training.
    """
    if not histories or not all(len(found) for found in histories.values()):
        found = {name: len(histories[name]) for name in histories}
        raise ValueError(f"starts() needs at least one history of every start; got {found}. Leave out the others.")
    figure = style.new_figure(6.6, 3.3)
    ax = figure.add_subplot()
    ends, last = [], 1
    for i, (name, found) in enumerate(histories.items()):
        colour, dashes = _COLOURS[i % len(_COLOURS)], _DASHES[i % len(_DASHES)]
        for history in found:
            ax.plot(history["epoch"], 100 * history["val_accuracy"], color=colour, lw=0.7, alpha=0.35)
        mean = 100 * pd.concat(found).groupby("epoch")["val_accuracy"].mean()
        ax.plot(mean.index, mean, color=colour, ls=dashes, lw=2.2, marker="o" if len(mean) < 5 else None, ms=4)
        for first in found[0].groupby("phase")["epoch"].min().iloc[1:]:
            ax.plot(first - 0.5, np.interp(first - 0.5, mean.index, mean), "|", color=colour, ms=14, mew=1.6)
        ends.append((float(mean.iloc[-1]), f"{name} {mean.iloc[-1]:.1f}", colour))
        last = max(last, int(mean.index[-1]))
    ax.set(xlim=(0.5, last + 0.5), xlabel="Epoch", ylabel="Validation accuracy in %")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.grid(True, axis="y")
    low, high = ax.get_ylim()
    ax.set_ylim(low - max(0.0, 2 - (high - low)), high + max(0.0, 2 - (high - low)))
    style.label_ends(ax, ends)
    sizes = " and ".join(dict.fromkeys(str(len(found)) for found in histories.values()))
    lines = "One training run each." if sizes == "1" else f"Thin lines: {sizes} training runs each; thick: their mean."
    text = f"{lines} A bar on a line marks where all layers begin to train."
    return style.finish(figure, title, f"{text} {caption}".strip(), profile)
