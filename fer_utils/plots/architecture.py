"""Diagrams of a network: its parts as a chain, a residual block opened, and two kinds of convolution side by side."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fer_utils.plots import style

_LOOK = {"ha": "center", "va": "center", "fontsize": 7.5}
_PLAIN, _MARKED = "#DCE6F2", "#F6D9B8"
_CHANNELS = ("C0", "C1", "C2", "C3")
_MIXED = "#9A9A9A"


@style.styled
def separable_convolution(
    outputs: int = 5, *, title: str = "", caption: str = "", profile: str | None = None
) -> Figure:
    """An ordinary convolution of four channels above a separable one, with the weights that each has.

    Args:
        outputs: channels that come out, 1 to 6.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: another number of outputs, which would not fit.
    """
    if not 1 <= outputs <= 6:
        raise ValueError(f"The drawing has room for 1 to 6 outputs; got {outputs}. Draw fewer.")
    figure = style.new_figure(8.4, 4.0)
    ordinary, separable = figure.subplots(2, 1)
    c, k = len(_CHANNELS), outputs
    for i in range(k):
        _sheets(ordinary, 3.2 + 1.05 * i, 0.4, _CHANNELS, 0.45, 0.1)
        _sheets(separable, 7.7 + 0.42 * i, 0.5, _CHANNELS, 0.15, 0.09)
    for i in range(c):
        _sheets(separable, 2.3 + 0.62 * i, 0.4, _CHANNELS[i : i + 1], 0.45)
    _sheets(separable, 5.4, 0, _CHANNELS)
    for ax, arrows in ((ordinary, (2.3, 9.4)), (separable, (1.9, 5.0, 7.25, 10.1))):
        _ends(ax, k, arrows)
    ordinary.set_title(f"Ordinary: {k} kernels of 3×3 places and {c} channels")
    ordinary.text(5.8, -0.4, f"3 · 3 · {c} · {k} = {9 * c * k} weights", ha="center")
    separable.set_title(f"Separable: {c} kernels of 3×3 and one channel, then {k} of 1×1 and {c} channels")
    separable.text(3.4, -0.4, f"3 · 3 · {c} = {9 * c} weights", ha="center")
    separable.text(8.7, -0.4, f"{c} · {k} = {c * k} weights", ha="center")
    return style.finish(figure, title, caption, profile)


@style.styled
def network_chain(
    parts: pd.DataFrame, inside: Sequence[str], *, marked: str = "", title: str = "", caption: str = "",
    profile: str | None = None,
) -> Figure:  # fmt: skip
    """A network's parts from image to scores, above one residual block with its shortcut.

    Args:
        parts: one row per part, in order; columns `output` (shape without the batch) and `weights`.
        inside: the steps of the block, from its input to the sum.
        marked: the part to colour.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: no part, or fewer than two steps.
    """
    if parts.empty or len(inside) < 2:
        raise ValueError(f"A chain needs parts, and a block two steps; got {len(parts)} and {len(inside)}. Name them.")
    figure = style.new_figure(8.4, 3.0)
    chain, block = figure.subplots(2, 1, height_ratios=(1, 1.4))
    sizes = (f"{'×'.join(map(str, row['output']))}\n{_weights(row['weights'])}" for _, row in parts.iterrows())
    texts = [f"{name}\n{size}" for name, size in zip(parts.index, sizes, strict=True)]
    _boxes(chain, texts, [_MARKED if name == marked else _PLAIN for name in parts.index], 0.6)
    _boxes(block, inside, [_PLAIN] * len(inside), 1.6)
    last = len(inside) - 1
    curve = {"arrowstyle": "->", "connectionstyle": "arc3,rad=-0.14"}
    block.annotate("", (last, 0.35), (0, 0.35), arrowprops=curve)
    block.text(last / 2, 1.42, "shortcut: the input itself", **_LOOK)
    chain.set_title("Each part: its output and its weights")
    block.set_title("One of the middle blocks, opened")
    return style.finish(figure, title, caption, profile)


def _weights(n: int) -> str:
    """A number of weights: in millions where it is large, else as it is, so that a small part is not called 0."""
    return f"{n / 1e6:.2f} M" if n >= 100_000 else f"{n:,}"


def _sheets(ax: Axes, x: float, y: float, colours: Sequence[str], side: float = 1.0, step: float = 0.16) -> None:
    """A feature map or kernel: one square per channel, one behind the other."""
    for k, colour in reversed(list(enumerate(colours))):
        ax.add_patch(Rectangle((x + step * k, y + step * k), side, side, facecolor=colour, edgecolor="white"))


def _ends(ax: Axes, outputs: int, arrows: Sequence[float]) -> None:
    """The map that goes in, the one that comes out, and the arrows on the way."""
    _sheets(ax, 0, 0, _CHANNELS)
    _sheets(ax, 10.4, 0, [_MIXED] * outputs)
    for left in arrows:
        ax.text(left, 0.65, "→", fontsize=14, ha="center", va="center")
    for left, text in ((0.7, f"{len(_CHANNELS)} channels"), (11.2, f"{outputs} channels")):
        ax.text(left, -0.4, text, ha="center")
    ax.set(xlim=(-0.2, 12.2), ylim=(-0.6, 1.85), aspect="equal")
    ax.axis("off")


def _boxes(ax: Axes, texts: Sequence[str], colours: Sequence[str], top: float) -> None:
    """Texts in boxes, side by side, with arrows between them."""
    for i, (text, colour) in enumerate(zip(texts, colours, strict=True)):
        ax.text(i, 0, text, bbox={"boxstyle": "round,pad=0.4", "facecolor": colour}, **_LOOK)
        if i:
            ax.text(i - 0.5, 0, "→", fontsize=12, ha="center", va="center")
    ax.set(xlim=(-0.5, len(texts) - 0.5), ylim=(-0.6, top))
    ax.axis("off")
