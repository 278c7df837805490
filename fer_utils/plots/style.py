"""One look for every figure: colours, type, captions and the quick profile's stamp."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_utils.data.colours import (  # noqa: F401  some are for the other modules of this folder
    BLACK,
    BLUE,
    EXPRESSION_COLOURS,
    GREEN,
    GREY,
    INK,
    MUTED,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILLION,
)
from fer_utils.plots.display import StudyFigure, notes

PROFILES = ("quick", "full")
QUICK_STAMP = "Quick profile: synthetic faces, a few steps: numbers mean nothing"

_CYCLE = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, GREY, BLACK)

STYLE: dict[str, object] = {
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "figure.titlesize": 11,
    "savefig.dpi": 150,
    "savefig.bbox": "tight",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=_CYCLE),
    "grid.color": PALE,
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
    "image.cmap": "Blues",
    "pdf.fonttype": 42,
}

_NOTE_SIZE = 8.0
_LINE = _NOTE_SIZE * 1.35 / 72  # height of a line of notes in inches
_LETTER = {"normal": _NOTE_SIZE * 0.53 / 72, "bold": _NOTE_SIZE * 0.61 / 72}  # mean width of a letter
_TITLE_HEIGHT = 0.26

P = ParamSpec("P")
T = TypeVar("T")


def use_style() -> None:
    """Give figures that a notebook draws by itself the style of this package's figures.

    The functions of `fer_utils.plots` have that style anyway. Changes Matplotlib's settings for the session.
    """
    mpl.rcParams.update(STYLE)


def styled(function: Callable[P, T]) -> Callable[P, T]:
    """Decorator: run a figure function under `STYLE`, whatever the session's settings are."""

    @functools.wraps(function)
    def under_style(*args: P.args, **kwargs: P.kwargs) -> T:
        with mpl.rc_context(STYLE):
            return function(*args, **kwargs)

    return under_style


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that size in inches, whose axes leave room for titles, labels and notes."""
    return StudyFigure(figsize=(width, height), layout="constrained")


def finish(figure: Figure, title: str = "", caption: str = "", profile: str | None = None) -> Figure:
    """Title above (left), caption below and, in the quick profile, the stamp; returns the figure."""
    if title:
        width, height = figure.get_size_inches()
        figure.set_size_inches(width, height + _TITLE_HEIGHT)
        figure.suptitle(title, x=0.01, ha="left", weight="bold")
    if caption:
        note(figure, caption)
    return stamp(figure, profile)


def note(figure: Figure, text: str) -> Figure:
    """Print `text` below everything else in the figure, wrapped to its width; the figure grows to hold it.

    Args:
        figure: one made by this package, or any with `layout="constrained"`.
        text: one or more sentences.
    """
    return _footer(figure, text, INK, "normal")


def stamp(figure: Figure, profile: str | None) -> Figure:
    """In the quick profile, say below the figure that its numbers mean nothing; once, however often called.

    Args:
        figure: as for `note`.
        profile: `"quick"`, `"full"`, or None for none.

    Raises:
        ValueError: another profile.
    """
    if profile is not None and profile not in PROFILES:
        raise ValueError(f"profile must be one of {PROFILES} or None; got {profile!r}.")
    if profile != "quick" or QUICK_STAMP in " ".join(notes(figure)):
        return figure
    return _footer(figure, QUICK_STAMP, VERMILLION, "bold")


def colours(names: Sequence[str]) -> list[str]:
    """One colour per class: that of its expression; for another name, that at its position in the style's cycle."""
    return [EXPRESSION_COLOURS.get(name.lower(), _CYCLE[i % len(_CYCLE)]) for i, name in enumerate(names)]


def count(n: int, what: str = "images") -> str:
    """The number of images (or of `what`) as text, such as `n = 3,589 images`."""
    return f"n = {int(n):,} {what}"


def percent(part: int, whole: int) -> str:
    """The share of `part` in `whole` as text, such as `25.0 %`, with a no-break space."""
    return f"{100 * part / max(whole, 1):.1f}\u00a0%"


def text_colour(background: Sequence[float]) -> str:
    """Black or white, whichever reads better on an RGB(A) background in [0, 1]."""
    red, green, blue = background[:3]
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else "white"


def label_ends(ax: Axes, labels: Sequence[tuple[float, str, str]], gap: float = 0.075) -> None:
    """Write (y, text, colour) labels right of the axes at height y, moved apart where they would overlap.

    Args:
        ax: linear axes whose limits are final.
        labels: heights in data units, texts and colours.
        gap: least distance of two labels, as a fraction of the height of the axes.
    """
    low, high = ax.get_ylim()
    ordered = sorted(labels)
    wanted = np.clip([(y - low) / (high - low) for y, _, _ in ordered], 0, 1)
    placed = np.maximum.accumulate(wanted - gap * np.arange(len(wanted))) + gap * np.arange(len(wanted))
    placed -= (placed - wanted).mean() if len(placed) else 0
    for y, (_, text, colour) in zip(placed, ordered, strict=True):
        ax.text(1.015, y, text, color=colour, transform=ax.transAxes, va="center", fontsize=8)


def _footer(figure: Figure, text: str, colour: str, weight: str) -> Figure:
    """Add a block of text at the bottom; blocks keep their order, the axes above keep their size."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(text, max(20, int((width - 0.1) / _LETTER[weight])))
    added = len(lines) * _LINE + (0 if notes(figure) else 0.08)
    figure.text(0.01, 0, "\n".join(lines), size=_NOTE_SIZE, color=colour, weight=weight, gid="note",
                va="bottom", ha="left", linespacing=1.2)  # fmt: skip
    height += added
    figure.set_size_inches(width, height)
    bottom = 0.03
    for block in reversed([block for block in figure.texts if block.get_gid() == "note"]):
        block.set_y(bottom / height)
        bottom += _LINE * len(block.get_text().split("\n"))
    figure.get_layout_engine().set(rect=(0, (bottom + 0.05) / height, 1, 1 - (bottom + 0.05) / height))
    return figure
