"""Figures of a dataset before any training: classes, parts and pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_utils.plots import style, summaries

_PART_COLOURS = ("#303030", "#8C8C8C", "#C4C4C4", "#606060", "#E0E0E0")  # colours are for expressions


@style.styled
def class_distribution(
    labels: np.ndarray,
    class_names: Sequence[str],
    *,
    title: str = "Images per class",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Images of each class, with what always answering the largest class would score.

    Args:
        labels: int (n,), positions in `class_names`.
        class_names: k names.
        title, caption, profile: see `fer_utils.plots`.
    """
    counts = _counts(labels, len(class_names))
    figure = style.new_figure(6.0, 0.9 + 0.3 * len(counts))
    ax = figure.add_subplot()
    ax.barh(range(len(counts)), counts, color=style.colours(class_names), height=0.72)
    for row, n in enumerate(counts):
        ax.text(
            n + 0.012 * counts.max(),
            row,
            f"{n:,} ({style.percent(n, counts.sum())})",
            va="center",
            fontsize=8,
        )
    _class_axis(ax, class_names)
    ax.set(xlim=(0, 1.2 * counts.max()), xticks=[])
    ax.spines["bottom"].set_visible(False)
    share = style.percent(counts.max(), counts.sum())
    baseline = f"Always answering {class_names[int(counts.argmax())]} would be right in {share}."
    return style.finish(figure, title, f"{style.count(counts.sum())}. {baseline} {caption}".strip(), profile)


@style.styled
def split_distribution(
    labels: np.ndarray,
    parts: np.ndarray,
    class_names: Sequence[str],
    *,
    order: Sequence[str] | None = None,
    title: str = "Parts of the split and their classes",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Images of each part (left) and the share of each class within its part (right).

    Args:
        labels: int (n,), positions in `class_names`.
        parts: str (n,), the part each image belongs to, such as `usage`, or a split's names.
        class_names: k names.
        order: the parts from top to bottom, at most five; None for the order in which they occur.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: more than five parts, or a part in `order` without images.
    """
    labels, parts = np.asarray(labels), np.asarray(parts)
    order = list(dict.fromkeys(parts.tolist())) if order is None else list(order)
    if len(order) > len(_PART_COLOURS) or not set(order) <= set(parts.tolist()):
        raise ValueError(
            f"split_distribution() shows up to {len(_PART_COLOURS)} parts that occur in `parts`; got {order}."
        )
    tables = [_counts(labels[parts == part], len(class_names)) for part in order]
    figure = style.new_figure(8.0, 1.0 + 0.16 * len(class_names) * (1 + len(order)))
    left, right = figure.subplots(1, 2, width_ratios=(1, 2))
    _part_sizes(left, order, [int(table.sum()) for table in tables])
    height = 0.8 / len(order)
    for i, (part, table) in enumerate(zip(order, tables, strict=True)):
        rows = np.arange(len(class_names)) - 0.4 + height * (i + 0.5)
        shares = 100 * table / table.sum()
        right.barh(rows, shares, height=0.9 * height, color=_PART_COLOURS[i], label=part)
        for row, share, n in zip(rows, shares, table, strict=True):
            right.text(share + 0.3, row, f"{n:,}", va="center", fontsize=6.5)
    _class_axis(right, class_names)
    right.set(title="Share of each class in its part", xlabel="Share in % (bars: number of images)")
    right.margins(x=0.1)
    total = sum(int(table.sum()) for table in tables)
    return style.finish(figure, title, f"{style.count(total)}. {caption}".strip(), profile)


def pixel_distribution(
    images: np.ndarray,
    *,
    bins: int = 64,
    title: str = "Grey levels of all images",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Histogram of all pixels' grey levels, with their mean and standard deviation.

    Args:
        images: uint8 (n, h, w).
        bins: number of bins over 0..255.
        title, caption, profile: see `fer_utils.plots`.
    """
    return summaries.pixel_distribution(
        _levels(images), len(images), bins=bins, title=title, caption=caption, profile=profile
    )


def pixel_distribution_by_class(
    images: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    *,
    bins: int = 32,
    title: str = "Grey levels by class",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """One small histogram per class over that of all images, on shared axes.

    Args:
        images: uint8 (n, h, w).
        labels: int (n,), positions in `class_names`; classes without images get an empty panel.
        class_names: k names.
        bins: number of bins over 0..255.
        title, caption, profile: see `fer_utils.plots`.
    """
    labels = np.asarray(labels)
    levels = np.array([_levels(images[labels == code]) for code in range(len(class_names))])
    return summaries.pixel_distribution_by_class(
        levels, len(images), class_names, bins=bins, title=title, caption=caption, profile=profile
    )


def _counts(labels: np.ndarray, k: int) -> np.ndarray:
    labels = np.asarray(labels)
    if len(labels) == 0 or labels.min() < 0 or labels.max() >= k:
        came = f"{labels.min()}..{labels.max()}" if len(labels) else "none"
        raise ValueError(
            f"labels must be positions 0..{k - 1} in class_names; got {came}. Pass matching names."
        )
    return np.bincount(labels, minlength=k)


def _part_sizes(ax: Axes, order: Sequence[str], sizes: Sequence[int]) -> None:
    """One bar per part, with its number of images and its share."""
    ax.barh(range(len(order)), sizes, color=_PART_COLOURS[: len(order)], height=0.6)
    for row, n in enumerate(sizes):
        ax.text(
            0, row - 0.36, f"{order[row]}: {n:,} ({style.percent(n, sum(sizes))})", va="bottom", fontsize=8
        )
    ax.set(title="Images in each part", yticks=[], xticks=[], ylim=(len(order) - 0.4, -0.75))
    ax.spines[["bottom", "left"]].set_visible(False)


def _class_axis(ax: Axes, class_names: Sequence[str]) -> None:
    """Class names down the vertical axis, each in its colour."""
    ax.set_yticks(range(len(class_names)), class_names)
    ax.set_ylim(len(class_names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0, labelsize=9)
    ax.spines["left"].set_visible(False)
    for text, colour in zip(ax.get_yticklabels(), style.colours(class_names), strict=True):
        text.set(color=colour, weight="bold")


def _levels(images: np.ndarray) -> np.ndarray:
    """int64 (256,): how often each grey level occurs."""
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise ValueError(f"Grey levels need uint8 images; got {images.dtype}. Pass FaceDataset.images.")
    return np.bincount(images.ravel(), minlength=256)
