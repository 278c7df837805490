"""Figures of training and of its results: learning curves, ROC curves, comparisons with intervals."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fer_utils.evaluation.metrics import Roc
from fer_utils.evaluation.statistics import Interval
from fer_utils.plots import style

_CURVES = (("", "training", style.GREY, "--"), ("val_", "validation", style.BLUE, "-"))
_TEST = ("test_", "TEST SET", style.VERMILLION, ":")


@style.styled
def learning_curves(
    history: pd.DataFrame,
    phase_ends: Sequence[int] | None = None,
    *,
    kept: Mapping[str, int] | None = None,
    title: str = "Learning curves",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Loss (left) and accuracy (right) over epochs, with the phases of training shaded in turn.

    Args:
        history: one row per epoch, columns `epoch` (from 1), `loss`, `accuracy` in [0, 1], and where present
            `val_loss`, `val_accuracy`, `test_loss`, `test_accuracy`, `phase`, `learning_rate`.
        phase_ends: last epoch of each phase; None reads them from `phase`.
        kept: name to epoch of the weights that were kept, marked by a vertical line.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: no epoch, or a needed column is missing.
    """
    missing = {"epoch", "loss", "accuracy"} - set(history.columns)
    if missing or history.empty:
        raise ValueError(
            f"A history needs rows with epoch, loss and accuracy; got {len(history)} rows without "
            f"{sorted(missing) or 'epochs'}. Pass the history of a run record."
        )
    figure = style.new_figure(8.4, 3.2)
    panels = figure.subplots(1, 2)
    for ax, column, scale in zip(panels, ("loss", "accuracy"), (1, 100), strict=True):
        _lines(ax, history, column, scale)
        _phases(ax, history, phase_ends)
        _mark_epochs(ax, kept or {}, at_top=column == "loss")
    panels[0].set_title("Loss", pad=14)
    panels[1].set_title("Accuracy in %", pad=14)
    return style.finish(figure, title, caption, profile)


@style.styled
def roc_curves(
    curves: Mapping[int, Roc],
    class_names: Sequence[str],
    *,
    n: int | None = None,
    title: str = "ROC curves, one class against the rest",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """True against false positive rate of each class; the names are listed by the area under the curve.

    Args:
        curves: class code to curve, from `metrics.roc`.
        class_names: k names.
        n: number of images, for the caption.
        title, caption, profile: see `fer_utils.plots`.
    """
    figure = style.new_figure(4.8, 4.6)
    ax = figure.add_subplot()
    ax.plot([0, 1], [0, 1], color="#B0B0B0", lw=0.9, ls="--")
    palette = style.colours(class_names)
    ordered = sorted(curves, key=lambda code: -curves[code].auc)
    ax.text(0.97, 0.045 * len(ordered) + 0.06, "area under the curve", ha="right", size=8)
    for place, code in enumerate(ordered):
        curve = curves[code]
        ax.plot(curve.fpr, curve.tpr, color=palette[code], lw=1.5)
        y = 0.045 * (len(ordered) - place) + 0.005
        ax.text(0.86, y, class_names[code], color=palette[code], ha="right", weight="bold", size=8)
        ax.text(0.97, y, f"{curve.auc:.3f}", color=palette[code], ha="right", size=8)
    ax.set(xlim=(0, 1), ylim=(0, 1.005), aspect="equal")
    ax.set(xlabel="False positive rate", ylabel="True positive rate")
    ax.grid(True)
    macro = np.mean([curve.auc for curve in curves.values()]) if curves else np.nan
    text = f"{style.count(n) + '. ' if n else ''}Mean area {macro:.3f}; dashes: guessing. {caption}".strip()
    return style.finish(figure, title, text, profile)


@style.styled
def comparison(
    names: Sequence[str],
    intervals: Sequence[Interval | None],
    *,
    reported: Sequence[float | None] | None = None,
    references: Mapping[str, float] | None = None,
    bands: Mapping[str, tuple[float, float]] | None = None,
    limits: tuple[float, float] | None = None,
    colours: Sequence[str] | None = None,
    quantity: str = "Accuracy",
    title: str = "",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """A dot with its interval for each system, beside what its report claimed.

    Args:
        names: m systems, drawn from top to bottom.
        intervals: what was measured, as fractions of 1; None where only a claim is known.
        reported: claimed values, fractions of 1, drawn as open diamonds; None where there is none.
        references: name to value (fraction of 1) of vertical lines, such as guessing or humans.
        bands: name to the ends (fractions of 1) of vertical bands, such as a number of the literature with its ±.
        limits: ends of the axis, fractions of 1; None for what is drawn.
        colours: m colours; None for one colour.
        quantity: name of the horizontal axis; one that begins with "Difference" is in points, any other in %.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: lists of different length, or nothing to show.
    """
    claims = [None] * len(names) if reported is None else list(reported)
    if not len(names) == len(intervals) == len(claims) or all(x is None for x in [*intervals, *claims]):
        raise ValueError(
            f"comparison() needs one interval (or None) and one claim (or None) per name; got "
            f"{len(names)} names, {len(intervals)} intervals and {len(claims)} claims."
        )
    figure = style.new_figure(7.2, 1.0 + 0.34 * len(names) + (0.2 if references or bands else 0))
    ax = figure.add_subplot()
    several = len({interval.n for interval in intervals if interval is not None}) > 1
    for row, (interval, claim) in enumerate(zip(intervals, claims, strict=True)):
        _compare_row(ax, row, interval, claim, style.BLUE if colours is None else colours[row], several)
    _mark_values(ax, references or {}, bands or {})
    if limits is not None:
        ax.set_xlim(100 * limits[0], 100 * limits[1])
    unit = "points" if quantity.startswith("Difference") else "%"
    ax.set(ylim=(len(names) - 0.5, -0.5), xlabel=f"{quantity} in {unit}")
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis="y", length=0, labelsize=9)
    ax.margins(x=0.06)
    ax.grid(True, axis="x")
    ax.spines["left"].set_visible(False)
    text = _comparison_caption(intervals, claims)
    return style.finish(figure, title, f"{text} {caption}".strip(), profile)


def _lines(ax: Axes, history: pd.DataFrame, column: str, scale: float) -> None:
    """Training, validation and (in capitals) test curves with their names at their right ends."""
    epochs, ends = history["epoch"], []
    for prefix, name, colour, dashes in (*_CURVES, _TEST):
        values = history.get(prefix + column)
        if values is None or values.isna().all():
            continue
        marker = "o" if len(history) < 5 else None
        ax.plot(epochs, scale * values, color=colour, ls=dashes, marker=marker, ms=4)
        last = float(scale * values.dropna().iloc[-1])
        ends.append((last, f"{name} {last:.1f}" if scale == 100 else f"{name} {last:.2f}", colour))
    first, last = float(epochs.iloc[0]), float(epochs.iloc[-1])
    ax.set(xlim=(first - 0.5, last + 0.5), xlabel="Epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.ticklabel_format(axis="y", useOffset=False)
    low, high = ax.get_ylim()
    slack = max(0.0, 0.01 * scale - (high - low)) / 2  # equal values need no microscope
    ax.set_ylim(low - slack, high + slack)
    style.label_ends(ax, ends)


def _mark_epochs(ax: Axes, kept: Mapping[str, int], at_top: bool) -> None:
    """A dotted line at each kept epoch; lines too near for a name each share one, left of the first of them."""
    groups: list[list[int]] = []
    for epoch in sorted(set(kept.values())):
        ax.axvline(epoch, color=style.INK, lw=0.9, ls=(0, (1, 1.5)))
        if groups and epoch - groups[-1][-1] < 0.05 * np.ptp(ax.get_xlim()):
            groups[-1].append(epoch)
        else:
            groups.append([epoch])
    for group in groups:
        names = ", ".join(name for at in group for name in kept if kept[name] == at)
        _name_epoch(ax, names.replace("_", " "), group[0], at_top)


def _name_epoch(ax: Axes, name: str, epoch: int, at_top: bool) -> None:
    """A name left of an epoch, at that end of the axes which the curves leave free."""
    ax.annotate(
        name,
        (epoch, 0.98 if at_top else 0.02),
        xycoords=ax.get_xaxis_transform(),
        xytext=(-2.5, 0),
        textcoords="offset points",
        rotation=90,
        size=7,
        ha="right",
        va="top" if at_top else "bottom",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
    )


def _phases(ax: Axes, history: pd.DataFrame, phase_ends: Sequence[int] | None) -> None:
    """Shade every other phase and write its learning rate above the axes where there is room."""
    epochs = history["epoch"].to_numpy()
    if phase_ends is None and "phase" in history:
        phase_ends = history.groupby("phase", sort=False)["epoch"].max().tolist()
    starts = [epochs[0], *(end + 1 for end in (phase_ends or [])[:-1])]
    for i, (start, end) in enumerate(zip(starts, phase_ends or [epochs[-1]], strict=True)):
        if start > epochs[-1]:
            break
        end = min(end, epochs[-1])
        if i % 2:
            ax.axvspan(start - 0.5, end + 0.5, color="#F1F1F1", zorder=-1, lw=0)
        if "learning_rate" in history and (end - start + 1) / len(epochs) >= 0.18:
            rates = history["learning_rate"][(epochs >= start) & (epochs <= end)]
            falls = f" to {rates.iloc[-1]:.1g}" if rates.iloc[-1] < 0.999 * rates.max() else ""  # after a warm-up
            ax.text((start + end) / 2, 1.015, f"{'' if i else 'rate '}{rates.max():.3g}{falls}", size=7, ha="center",
                    color=style.MUTED, transform=ax.get_xaxis_transform())  # fmt: skip


def _mark_values(ax: Axes, lines: Mapping[str, float], bands: Mapping[str, tuple[float, float]]) -> None:
    """Vertical lines and bands with their names above the axes."""
    place = {"transform": ax.get_xaxis_transform(), "ha": "center", "size": 7.5, "color": style.MUTED}
    for name, value in lines.items():
        ax.axvline(100 * value, color="#9A9A9A", lw=0.9, ls="--", zorder=1)
        ax.text(100 * value, 1.01, name, **place)
    for name, (low, high) in bands.items():
        ax.axvspan(100 * low, 100 * high, color=style.PALE, lw=0, zorder=0)
        ax.text(50 * (low + high), 1.01, name, **place)


def _compare_row(
    ax: Axes, row: int, interval: Interval | None, claim: float | None, colour: str, counted: bool
) -> None:
    """One system's dot, bar, claim, and the numbers right of the axes; with its n where those of the rows differ."""
    texts = []
    if interval is not None:
        low, high = 100 * interval.low, 100 * interval.high
        ax.plot([low, high], [row, row], color=colour, lw=2.2, solid_capstyle="butt")
        ax.plot(100 * interval.estimate, row, "o", color=colour, ms=6, zorder=4)
        texts.append(interval.percent() + (f", n = {interval.n:,}" if counted else ""))
    if claim is not None:
        ax.plot(100 * claim, row, "D", mfc="white", mec=style.VERMILLION, mew=1.3, ms=6, zorder=3)
        texts.append(f"printed {round(100 * claim, 2):g}")
    ax.text(1.02, row, ", ".join(texts), transform=ax.get_yaxis_transform(), va="center", fontsize=8)


def _comparison_caption(intervals: Sequence[Interval | None], claims: Sequence[float | None]) -> str:
    """What dots, bars and diamonds are, with n where all rows share it."""
    given = [interval for interval in intervals if interval is not None]
    parts = []
    if given:
        methods = dict.fromkeys(interval.method for interval in given)
        if len(methods) > 2:  # they differ in how many were drawn, which stands at each row
            shorter = (re.sub(r"(?<=over )[\d,]+ |percentile |, [\d,]+ resamples", "", method) for method in methods)
            methods = dict.fromkeys(method.replace("subjects", "persons") for method in shorter)
        units = {"seeds" if "seeds" in interval.method else "images" for interval in given}
        sizes = {interval.n for interval in given}
        shared = f"n = {sizes.pop():,} {units.pop()}. " if len(sizes) == len(units) == 1 else ""
        levels = ", ".join(dict.fromkeys(f"{100 * interval.level:g} %" for interval in given))
        parts.append(f"{shared}Bars: {levels} intervals ({' or '.join(methods)}).")
    if any(claim is not None for claim in claims):
        parts.append("Diamonds: as printed.")
    return " ".join(parts)
