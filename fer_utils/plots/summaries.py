"""Figures drawn from a dataset's description (`fer_utils.analysis.eda`), where its images need not be at hand."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from fer_utils.plots import style
from fer_utils.plots.gallery import grid


@style.styled
def pixel_distribution(
    levels: np.ndarray,
    n: int,
    *,
    bins: int = 64,
    title: str = "Grey levels of all images",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Histogram of all pixels' grey levels, with their mean and standard deviation.

    Args:
        levels: int (256,), how many pixels have each grey level.
        n: number of images they are of.
        bins: number of bins over 0..255.
        title, caption, profile: see `fer_utils.plots`.
    """
    mean, sd = mean_sd(levels)
    figure = style.new_figure(6.0, 2.8)
    ax = figure.add_subplot()
    share, edges = _shares(levels, bins)
    ax.stairs(share, edges, fill=True, color="#9DB7CC")
    ax.axvline(mean, color=style.INK, lw=1)
    place = {"transform": ax.get_xaxis_transform(), "va": "top"}
    ax.text(mean + 3, 1.0, f"mean {mean:.0f}, sd {sd:.0f}", size=8, **place)
    ax.set(xlim=(0, 256), ylim=(0, 1.12 * share.max()))
    ax.set(xlabel="Grey level (0 black, 255 white)", ylabel="% of pixels")
    black, white = (style.percent(levels[i], levels.sum()) for i in (0, 255))
    ends = f"{black} of pixels are 0, {white} are 255."
    return style.finish(figure, title, f"{style.count(n)}. {ends} {caption}".strip(), profile)


@style.styled
def pixel_distribution_by_class(
    levels: np.ndarray,
    n: int,
    class_names: Sequence[str],
    *,
    bins: int = 32,
    title: str = "Grey levels by class",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """One small histogram per class over that of all images, on shared axes.

    Args:
        levels: int (k, 256), how many pixels of each class have each grey level; a class without pixels gets an
            empty panel.
        n: number of images.
        class_names: k names.
        bins: number of bins over 0..255.
        title, caption, profile: see `fer_utils.plots`.
    """
    columns = min(4, len(levels))
    rows = -(-len(levels) // columns)
    figure = style.new_figure(8.0, 0.7 + 1.5 * rows)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    overall, edges = _shares(np.sum(levels, axis=0), bins)
    for ax, name, colour, own in zip(panels, class_names, style.colours(class_names), levels, strict=False):
        ax.stairs(overall, edges, fill=True, color=style.PALE)
        if own.sum():
            ax.stairs(_shares(own, bins)[0], edges, color=colour, lw=1.6)
            ax.set_title("mean {:.0f}, sd {:.0f}".format(*mean_sd(own)), loc="right", size=7)
        ax.set_title(name, color=colour, weight="bold")
    for i, ax in enumerate(panels):
        ax.set_visible(i < len(levels))
        ax.tick_params(labelbottom=i + columns >= len(levels))
        ax.set(xlabel="Grey level" if i + columns >= len(levels) else "", ylabel="" if i % columns else "% of pixels")
    panels[0].set(xlim=(0, 256), xticks=(0, 128, 255), ylim=(0, None))
    text = f"{style.count(n)}. Line: the class; grey: all images. {caption}".strip()
    return style.finish(figure, title, text, profile)


@style.styled
def mean_faces(
    means: np.ndarray,
    counts: Sequence[int],
    class_names: Sequence[str],
    *,
    title: str = "Mean face of each class",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """The mean face of each class above its difference from the mean of all (red brighter, blue darker).

    Args:
        means: float (k, h, w) in 0..255, as `fer_utils.analysis.eda.class_means` gives them: NaN where a class is
            too small to be published, which is then drawn as an outline.
        counts: k numbers of images.
        class_names: k names.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: no class has a mean.
    """
    means, counts = np.asarray(means, np.float64) / 255, np.asarray(counts)
    known = np.isfinite(means).all(axis=(1, 2))
    if not known.any():
        raise ValueError("mean_faces() needs the mean of at least one class; all are withheld. Describe more images.")
    differences = means - np.average(means[known], axis=0, weights=counts[known])
    reach = np.abs(differences[known]).max() or 1.0
    tinted = mpl.colormaps["RdBu_r"](0.5 + differences / (2 * reach))[..., :3]
    names = [f"{name}\nn = {n:,}" for name, n in zip(class_names, counts, strict=True)]
    figure = grid(
        [*np.nan_to_num(means), *tinted],
        np.tile(known, 2),
        titles=names + [""] * len(names),
        columns=len(names),
        title_colours=style.colours(class_names) * 2,
    )
    key = "Below: difference from the mean of all images, blue darker, red brighter, "
    key += f"by up to {255 * reach:.0f} grey levels."
    style.finish(figure, title, f"{key} {caption}".strip())
    if not known.all():
        style.note(figure, "Means of few images or people are not published.")
    return style.stamp(figure, profile)


def mean_sd(levels: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of grey levels from their counts (256,)."""
    mean = np.average(np.arange(256), weights=levels)
    return float(mean), float(np.sqrt(np.average((np.arange(256) - mean) ** 2, weights=levels)))


def _shares(levels: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """% of pixels in each bin (bins,) and the bins' edges (bins + 1,)."""
    share, edges = np.histogram(np.arange(256), bins, range=(0, 256), weights=levels)
    return 100 * share / max(levels.sum(), 1), edges
