"""Figures of the live demo: labels over time, and what is left of errors where unsure answers are withheld."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from fer_utils.evaluation import statistics
from fer_utils.plots import display, style

_POINTS = 80  # at which the band is computed


@style.styled
def timeline(
    labels: Mapping[str, Sequence[str]],
    times: Sequence[float],
    class_names: Sequence[str],
    *,
    title: str = "Labels over time",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """One row of coloured frames for each way of labelling a video.

    Args:
        labels: name of the row -> n labels; "" where no face was found, which stays white.
        times: n times of the frames in seconds, rising.
        class_names: the order of the legend; only names that occur stand in it.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: no row, or not one label for each frame.
    """
    if not labels or any(len(row) != len(times) for row in labels.values()) or len(times) < 2:
        came = {name: len(row) for name, row in labels.items()}
        raise ValueError(f"timeline() needs a label for each of two or more frames; got {came} for {len(times)}.")
    step = float(np.median(np.diff(times)))
    figure = style.new_figure(8.4, 0.9 + 0.35 * len(labels))
    ax = figure.add_subplot()
    for row, shown in enumerate(labels.values()):
        for label in sorted(set(shown) - {""}):
            at = [time for time, name in zip(times, shown, strict=True) if name == label]
            ax.barh([-row] * len(at), step, left=at, height=0.7, color=style.colours([label])[0])
    ax.set(yticks=-np.arange(len(labels)), yticklabels=list(labels), xlabel="Seconds", xlim=(0, times[-1] + step))
    shown = [name for name in class_names if any(name in row for row in labels.values())]
    patches = [Patch(color=colour) for colour in style.colours(shown)]
    ax.legend(patches, shown, ncols=max(len(shown), 1), loc="lower left", bbox_to_anchor=(0, 1))
    return style.finish(figure, title, f"{len(times)} frames. {caption}".strip(), profile)


@style.styled
def risk_coverage(
    coverage: np.ndarray,
    risk: np.ndarray,
    *,
    chosen: float | None = None,
    title: str = "Errors among the answers that are given",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Share of wrong answers against the share of images that are answered, the surest first.

    Args:
        coverage: float (n,), share of n images that are answered, rising from 1/n to 1.
        risk: float (n,), share of wrong answers among them.
        chosen: share of images answered at a threshold, marked by a dot; None marks nothing.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: no image, or shapes that differ.
    """
    coverage, risk = np.asarray(coverage, float), np.asarray(risk, float)
    n = len(coverage)
    if n == 0 or risk.shape != coverage.shape:
        raise ValueError(f"A curve needs a risk for each coverage; got shapes {coverage.shape} and {risk.shape}.")
    figure = style.new_figure(6.4, 3.2)
    ax = figure.add_subplot()
    counts = np.unique(np.linspace(max(1, n // 50), n, _POINTS).astype(int))
    ends = [statistics.wilson_interval(round(risk[m - 1] * m), int(m)) for m in counts]
    low, high = ([100 * getattr(end, side) for end in ends] for side in ("low", "high"))
    ax.fill_between(100 * counts / n, low, high, color=style.BLUE, alpha=0.2, lw=0)
    ax.plot(100 * counts / n, 100 * risk[counts - 1], color=style.BLUE)
    if chosen is not None:
        at = 100 * risk[max(round(chosen * n), 1) - 1]
        ax.plot(100 * chosen, at, "o", color=style.VERMILLION, ms=7)
        text = f"shipped: {100 * chosen:.0f} % answered, {at:.0f} % of them wrong "
        ax.text(100 * chosen - 1.5, at + 1, text, ha="right", va="bottom", size=8, color=style.VERMILLION)
    ax.set(xlim=(0, 100), ylim=(0, None), xlabel="Images answered, the surest first, in %", ylabel="Wrong answers in %")
    ax.grid(True, axis="y")
    text = f"{style.count(n)}. Band: 95 % Wilson intervals. {caption}"
    at = {part: risk[-(-n * part // 100) - 1] for part in (10, 50, 80, 100)}
    seen = ", ".join(f"{100 * value:.0f} % of the surest {part} %" for part, value in at.items())
    return display.adding(style.finish(figure, title, text.strip(), profile), f"Wrong are {seen}.")
