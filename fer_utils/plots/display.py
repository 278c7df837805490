"""How a notebook shows a figure: sharp, small, and with words for readers who cannot see it.

Lines and bars become SVG, which is sharp at any size; figures that hold images become PNG. Both carry an
alternative text.
"""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

DOTS_PER_INCH = 170
"""Of figures that hold images; a notebook shows them at `CSS_PIXELS_PER_INCH`, so that fine screens stay sharp."""
CSS_PIXELS_PER_INCH = 100
FEWER_DOTS, LARGEST_PNG = 120, 1_000_000
"""Dots per inch of a figure whose PNG would otherwise be larger, in bytes: noisy pictures hardly shrink."""
LARGEST_SVG = 400_000
"""Bytes. A figure of so many marks that its SVG would be larger becomes a PNG."""

MimeBundle = tuple[dict[str, Any], dict[str, Any]]


class StudyFigure(Figure):
    """A figure that belongs to no pyplot window, and that a notebook shows once under any backend.

    Attributes:
        alternative: what a reader who cannot see the figure is told; where it is empty, `alternative_text` tells it
            from titles, axes, legends and notes.
    """

    alternative: str = ""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> MimeBundle:  # IPython calls it
        return bundle(self)


def described(figure: Figure, text: str) -> Figure:
    """Give the figure an alternative text of its own; returns the figure.

    Args:
        figure: one made by this package.
        text: what is to be seen, in one or two sentences.

    Raises:
        ValueError: the text is empty.
    """
    if not text.strip():
        raise ValueError("An alternative text says what is to be seen in the figure; got an empty one.")
    figure.alternative = " ".join(text.split())
    return figure


def adding(figure: Figure, seen: str) -> Figure:
    """Say in the alternative text, after what titles, axes and notes tell, what is to be seen; returns the figure."""
    return described(figure, f"{alternative_text(figure)} {seen}")


def bundle(figure: Figure) -> MimeBundle:
    """The figure for a notebook: by MIME type its data, and by MIME type the alternative text and the size to show."""
    text = alternative_text(figure)
    plain = {"text/plain": text}
    if not holds_images(figure):
        svg = _saved(figure, "svg").decode("utf-8")
        if len(svg) <= LARGEST_SVG:
            return plain | {"image/svg+xml": svg}, {"image/svg+xml": {"alt": text}}
    dots, png = DOTS_PER_INCH, _saved(figure, "png")
    if len(png) > LARGEST_PNG:
        dots, png = FEWER_DOTS, _saved(figure, "png", FEWER_DOTS)
    width, height = (round(side * CSS_PIXELS_PER_INCH / dots) for side in _png_size(png))
    return plain | {"image/png": png}, {"image/png": {"alt": text, "width": width, "height": height}}


def holds_images(figure: Figure) -> bool:
    """Whether pixels are drawn in it: images, or the cells of a colour mesh."""
    return any(ax.images or any(isinstance(c, QuadMesh) for c in ax.collections) for ax in figure.axes)


def alternative_text(figure: Figure) -> str:
    """What the figure shows, in words: its own alternative text, else its titles, axes, legends and notes.

    Example:
        >>> import numpy as np
        >>> from fer_utils import plots
        >>> counts = np.array([[8, 2], [1, 9]])
        >>> print(alternative_text(plots.confusion_matrix(counts, ("happy", "sad"))))
        Confusion matrix. across: Predicted expression; upwards: Label. n = 20 images, 85.0 % on the diagonal. Colour:
        share of the row.
    """
    if own := getattr(figure, "alternative", ""):
        return own
    title = figure.get_suptitle()
    panels = [panel for ax in figure.axes if (panel := _panel(ax))]
    said = [_sentence(part) for part in (title, *dict.fromkeys(panels), *notes(figure)) if part]
    return " ".join(said) or "A figure without title, labels or notes."


def notes(figure: Figure) -> list[str]:
    """What stands below the figure, unwrapped, from top to bottom."""
    return [" ".join(text.get_text().split("\n")) for text in figure.texts if text.get_gid() == "note"]


def _panel(ax: Axes) -> str:
    names = [label for label in ax.get_legend_handles_labels()[1] if not label.startswith("_")]
    parts = [
        " ".join(ax.get_title(loc="left").split()) or " ".join(ax.get_title().split()),
        f"across: {ax.get_xlabel()}" if ax.get_xlabel() else "",
        f"upwards: {ax.get_ylabel()}" if ax.get_ylabel() else "",
        f"shown are {', '.join(dict.fromkeys(names))}" if names else "",
    ]
    return "; ".join(part for part in parts if part)


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text[-1] in ".!?" else f"{text}."


def _saved(figure: Figure, kind: str, dots: int = DOTS_PER_INCH) -> bytes:
    """The figure as a file; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "fer-study"}):
        metadata = {"Date": None} if kind == "svg" else None
        figure.savefig(buffer, format=kind, dpi=dots, bbox_inches="tight", metadata=metadata)
    return buffer.getvalue()


def _png_size(png: bytes) -> tuple[int, int]:
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
