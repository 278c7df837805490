"""Tables shown as colours: confusion, reports, correlations, votes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from fer_utils.plots import style


@style.styled
def heatmap(
    values: np.ndarray | pd.DataFrame,
    row_names: Sequence[str] | None = None,
    column_names: Sequence[str] | None = None,
    *,
    title: str = "",
    row_title: str = "",
    column_title: str = "",
    colour_title: str = "",
    limits: tuple[float, float] | None = None,
    diverging: bool = False,
    number_format: str = "{:.2f}",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """A table of numbers with each cell coloured by its value; NaN cells stay blank.

    Args:
        values: float (r, c), or a DataFrame, whose index and columns are the names.
        row_names, column_names: r and c names.
        title, row_title, column_title, colour_title: of figure, axes and colour bar (none without a title).
        limits: values of the palest and the darkest colour; None for the range of the values, from 0.
        diverging: two hues about the middle of `limits`, for signed values.
        number_format: of the cells; `""` writes no numbers.
        caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: names that do not fit the table.
    """
    if isinstance(values, pd.DataFrame):
        row_names, column_names = row_names or list(values.index), column_names or list(values.columns)
    values = np.asarray(values, dtype=np.float64)
    if np.ndim(values) != 2 or (len(row_names or ()), len(column_names or ())) != values.shape:
        raise ValueError(
            f"heatmap() needs a name for each row and column of a table; got shape {values.shape}, "
            f"{len(row_names or ())} row names and {len(column_names or ())} column names."
        )
    texts = [[number_format.format(x) if np.isfinite(x) else "" for x in row] for row in values]
    letters = max(len(text) for row in texts for text in row)
    cell = max(0.5, 0.085 * letters + 0.15, 2.4 / len(column_names))
    names = [max(len(str(name)) for name in names) for names in (row_names, column_names)]
    width, height = cell * len(column_names) + 0.075 * names[0] + 0.4, 0.36 * len(row_names) + 0.5
    figure = style.new_figure(width + (0.7 if colour_title else 0), height + 0.04 * names[1])
    ax = figure.add_subplot()
    shown = _draw(ax, values, texts, limits, diverging)
    _name_axes(ax, row_names, column_names, cell)
    ax.set(xlabel=column_title, ylabel=row_title)
    if colour_title:
        figure.colorbar(shown, ax=ax, label=colour_title, shrink=0.8, pad=0.02).outline.set_visible(False)
    return style.finish(figure, title, caption, profile)


@style.styled
def confusion_matrix(
    counts: np.ndarray,
    class_names: Sequence[str],
    *,
    title: str = "Confusion matrix",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Rows: labels; columns: predicted expressions; colour and % are shares of the row, below them images.

    Args:
        counts: int (k, k) of `metrics.confusion`.
        class_names: k names.
        title, caption, profile: see `fer_utils.plots`.
    """
    counts = _checked_counts(counts, class_names)
    shares = _row_shares(counts)
    texts = [
        [f"{share:.0f} %\n{n:,}" if n else "" for share, n in zip(*row, strict=True)]
        for row in zip(shares, counts, strict=True)
    ]
    side = 0.66 * len(counts)
    figure = style.new_figure(side + 1.6, side + 1.1)
    ax = figure.add_subplot()
    _draw(ax, shares, texts, (0, 100), size=7.5)
    rows = [f"{name}\nn = {n:,}" for name, n in zip(class_names, counts.sum(axis=1), strict=True)]
    _name_axes(ax, rows, class_names, 0.66)
    ax.set(xlabel="Predicted expression", ylabel="Label")
    return style.finish(figure, title, f"{_total(counts)} {caption}".strip(), profile)


@style.styled
def confusion_matrices(
    counts: Mapping[str, np.ndarray],
    class_names: Sequence[str],
    *,
    columns: int | None = None,
    title: str = "Confusion matrices",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Several confusion matrices on one colour scale; cells hold % of the row, those below 1 % are empty.

    Args:
        counts: name of each model or block to its int (k, k).
        class_names: k names.
        columns: matrices per row; None for up to three.
        title, caption, profile: see `fer_utils.plots`.
    """
    tables = {name: _checked_counts(table, class_names) for name, table in counts.items()}
    columns = columns or (2 if len(tables) == 4 else min(3, len(tables)))
    rows = -(-len(tables) // columns)
    side = 0.34 * len(class_names)
    figure = style.new_figure(columns * (side + 0.15) + 0.9, rows * (side + 0.3) + 1.0)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for ax, (name, table) in zip(panels, tables.items(), strict=False):
        shares = _row_shares(table)
        _draw(ax, shares, [[f"{x:.0f}" if x >= 1 else "" for x in row] for row in shares], (0, 100), size=7)
        _name_axes(ax, class_names, class_names, 0.34)
        right = style.percent(np.trace(table), table.sum())
        ax.set_title(f"{name}\n{right} of {table.sum():,} right", fontsize=8.5)
    for i, ax in enumerate(panels):
        bottom, first = i + columns >= len(tables), i % columns == 0
        ax.tick_params(labelbottom=bottom, labelleft=first)
        ax.set(xlabel="Predicted expression" if bottom else "", ylabel="Label" if first else "")
        ax.set_visible(i < len(tables))
    key = "Cells: % of the images with that label; those below 1 % are empty."
    return style.finish(figure, title, f"{key} {caption}".strip(), profile)


def report_heatmap(
    report: pd.DataFrame,
    *,
    title: str = "Precision, recall and F1 of each class",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """`metrics.report`'s table as a heat map; the support stands beside each class's name.

    Args:
        report: columns `precision`, `recall`, `f1` in [0, 1] and `support`; rows classes, then averages.
        title, caption, profile: see `fer_utils.plots`.
    """
    support = report["support"].astype(int)
    averages = ("accuracy", "macro average")
    rows = [name if name in averages else f"{name} (n = {n:,})" for name, n in support.items()]
    return heatmap(
        report[["precision", "recall", "f1"]].to_numpy(float),
        rows,
        ["precision", "recall", "F1"],
        title=title,
        limits=(0, 1),
        caption=f"{style.count(support.max())}. {caption}".strip(),
        profile=profile,
    )


def _draw(
    ax: Axes,
    values: np.ndarray,
    texts: Sequence[Sequence[str]],
    limits: tuple[float, float] | None,
    diverging: bool = False,
    size: float = 8,
) -> ScalarMappable:
    """Colour the cells of a table and write its texts on them."""
    finite = values[np.isfinite(values)]
    low, high = limits or (min(0.0, finite.min(initial=0)), finite.max(initial=1e-9))
    scale, colours = Normalize(low, high), mpl.colormaps["PuOr" if diverging else "Blues"]
    shown = ax.pcolormesh(values, cmap=colours, norm=scale, edgecolor="white", linewidth=0.8)
    for (row, column), value in np.ndenumerate(values):
        look = {"ha": "center", "va": "center", "fontsize": size}
        ink = style.text_colour(colours(scale(value))) if np.isfinite(value) else style.INK
        ax.text(column + 0.5, row + 0.5, texts[row][column], color=ink, **look)
    ax.set_ylim(len(values), 0)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return shown


def _name_axes(ax: Axes, rows: Sequence[str], columns: Sequence[str], cell: float) -> None:
    """Names at the middle of rows and columns; column names wider than a cell (in inches) are turned."""
    ax.set_yticks(np.arange(len(rows)) + 0.5, rows)
    turned = 0.068 * max(len(str(name)) for name in columns) > cell
    look = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if turned else {}
    ax.set_xticks(np.arange(len(columns)) + 0.5, columns, **look)


def _checked_counts(counts: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    counts = np.asarray(counts)
    k = len(class_names)
    if counts.shape != (k, k) or (counts != np.round(counts)).any() or counts.min() < 0:
        raise ValueError(
            f"A confusion matrix needs whole numbers of shape ({k}, {k}) for {k} classes; got {counts.dtype} "
            f"{counts.shape}. Pass metrics.confusion(labels, logits) without normalize."
        )
    return counts.astype(np.int64)


def _row_shares(counts: np.ndarray) -> np.ndarray:
    """% of each row; rows without images are NaN."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.where(totals > 0, 100 * counts / np.maximum(totals, 1), np.nan)


def _total(counts: np.ndarray) -> str:
    right = style.percent(np.trace(counts), counts.sum())
    return f"{style.count(counts.sum())}, {right} on the diagonal. Colour: share of the row."
