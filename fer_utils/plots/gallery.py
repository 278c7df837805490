"""Pictures of faces: grids of them, and boxes on scenes.

Every picture of single faces goes through `faces`, which asks `fer_utils.data.publishing` what others may be shown.
Whatever is not plainly allowed is withheld: only `published=False` itself shows everything.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colors as mpl_colours
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Rectangle

from fer_utils.data.publishing import CKPLUS_NOTICE, OPEN_DATASETS, may_publish
from fer_utils.plots import style

if TYPE_CHECKING:
    from fer_utils.live.faces import Face

DATASET_TITLES = {"fer2013": "FER2013", "ferplus": "FER2013", "ckplus": "CK+", "synthetic": "Synthetic"}


_TITLE_SIZE, _TITLE_LINE = 7.0, 0.125
_LARGE, _MEDIUM, _SMALL, _GAP = 1.0, 0.75, 0.36, 0.06  # sides of a face and the gap between two, in inches
_BAR_WIDTH, _BAR = 0.09, 0.45  # of a colour bar alone, and of what it and its numbers take
_HEAT, _VEIL = "inferno", 0.45  # colours of heat maps, and how much they cover


@style.styled
def faces(
    images: np.ndarray | Sequence[np.ndarray | None],
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    *,
    dataset_name: str,
    subjects: Sequence[str] | np.ndarray | None = None,
    published: bool = True,
    title: str = "",
    title_colours: Sequence[str] | None = None,
    row_titles: Sequence[str] | None = None,
    overlays: Sequence[np.ndarray | None] | None = None,
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """A grid of faces: the one function through which every picture of single faces goes.

    Args:
        images: n faces, uint8 (h, w) or (h, w, 1 or 3), or float in [0, 1] of such shapes; None leaves a gap.
        titles: n texts above the faces.
        columns: faces per row; None for up to 8.
        dataset_name: where the faces come from; decides with `subjects` what may be published.
        subjects: n names, needed to publish CK+ faces.
        published: True where others may see the figure (a committed file, an executed notebook): faces that
            may not be shown are then replaced by an outline, with a note. False on the user's own screen.
        title: of the figure.
        title_colours: n colours of the titles.
        row_titles: one text per row, left of it.
        overlays: n heat maps, float (h', w') in [0, 1], laid over the faces (Grad-CAM); withheld with them. A colour
            bar stands at the end of each row, unless all maps are masks of 0 and 1.
        caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: no face, values outside their range, or lists of another length than n.
    """
    n = len(images)
    allowed = may_publish(dataset_name, subjects, n)
    for name, given in (("titles", titles), ("title_colours", title_colours), ("overlays", overlays)):
        if given is not None and len(given) != n:
            raise ValueError(f"{name} must have one entry for each of the {n} faces; got {len(given)}.")
    present = np.array([image is not None for image in images], dtype=bool)
    if not present.any():
        raise ValueError("faces() needs at least one face; got none. Check the selection before drawing it.")
    shown = present & (allowed | (published is False))
    figure = grid(
        images,
        shown,
        titles=titles,
        columns=columns,
        title_colours=title_colours,
        row_titles=row_titles,
        overlays=overlays,
        scales=[("0", "1")] * -(-n // min(columns or 8, n)) if _graded(overlays) else None,
    )
    style.finish(figure, title, caption)
    for line in _notices(dataset_name, published, present, shown):
        style.note(figure, line)
    return style.stamp(figure, profile)


def _graded(overlays: Sequence[np.ndarray | None] | None) -> bool:
    """Whether any heat map has other values than 0 and 1, so that its colours need a scale."""
    return any(overlay is not None and not np.isin(overlay, (0, 1)).all() for overlay in overlays or ())


@style.styled
def scenes(
    frames: Sequence[np.ndarray],
    found: Sequence[Sequence[Face]],
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    *,
    dataset_name: str,
    published: bool = True,
    title: str = "",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Whole pictures with a box and the predicted expression on each face.

    Args:
        frames: n pictures, uint8 (h, w) or (h, w, 3) in the live demo's order blue, green, red.
        found: for each the faces on it, e.g. `live.Face`s.
        titles: n texts above the pictures.
        columns: pictures per row; None for up to 3.
        dataset_name, published: as in `faces`; only `OPEN_DATASETS` may be published, others become an empty frame.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: no frame, or lists of another length than n.
    """
    n = len(frames)
    if n == 0 or len(found) != n or (titles is not None and len(titles) != n):
        given = f"{n} frames, {len(found)} lists of faces" + ("" if titles is None else f", {len(titles)} titles")
        raise ValueError(f"scenes() needs one list of faces and one title for each frame; got {given}.")
    shown = may_publish(dataset_name, None, n) | (published is False)
    columns = min(columns or 3, n)
    width = {1: 4.2, 2: 3.6}.get(columns, 2.8)
    ratio = max(frame.shape[0] / frame.shape[1] for frame in frames)
    rows = -(-n // columns)
    figure = style.new_figure(columns * width, rows * (width * ratio + (0.25 if titles else 0.05)))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in panels:
        ax.set_axis_off()
    for i, (ax, frame, faces_here) in enumerate(zip(panels, frames, found, strict=False)):
        _scene(ax, frame, faces_here if shown[i] else (), bool(shown[i]))
        ax.set_title("" if titles is None else titles[i], fontsize=9)
    style.finish(figure, title, caption)
    for line in _notices(dataset_name, published, np.ones(n, dtype=bool), shown):
        style.note(figure, line)
    return style.stamp(figure, profile)


def _scene(ax: Axes, frame: np.ndarray, found: Sequence[Face], shown: bool) -> None:
    """One picture with boxes, or the place where it would be."""
    height, width = frame.shape[:2]
    ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    if not shown:
        ax.add_patch(Rectangle((0, 0), width, height, facecolor=style.PALE, edgecolor="none"))
        return
    image = frame[..., ::-1] if frame.ndim == 3 else frame
    ax.imshow(pixels(image), cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0), interpolation="antialiased")
    for face in found:
        x, y, w, h = face.box
        (colour,) = style.colours([face.label])
        ink = style.text_colour(mpl_colours.to_rgb(colour))
        for line, width in (("black", 3.2), (colour, 1.8)):
            ax.add_patch(Rectangle((x, y), w, h, fill=False, edgecolor=line, lw=width, snap=False))
        plate = {"facecolor": colour, "edgecolor": "none", "pad": 1.5}
        ax.text(x, y, f"{face.answer} {face.confidence:.0%}", size=7.5, color=ink, va="bottom", bbox=plate)


def grid(
    images: Sequence[np.ndarray | None] | np.ndarray,
    shown: np.ndarray,
    *,
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    title_colours: Sequence[str] | None = None,
    row_titles: Sequence[str] | None = None,
    overlays: Sequence[np.ndarray | None] | None = None,
    scales: Sequence[tuple[str, str]] | None = None,
) -> Figure:
    """Lay pictures out in rows; only for `faces` and `mean_faces`, which decide what is `shown`, bool (n,).

    Coordinates are inches. What is not shown gets an outline, and its pixels stay out of the figure. `scales` are the
    ends of each row's colour bar.
    """
    n = len(images)
    columns = min(columns or 8, n)
    rows = -(-n // columns)
    cell = _LARGE if titles is not None else _MEDIUM if shown.any() else _SMALL
    lines = [_wrap(text, cell) for text in titles or [""] * n]
    heads = [max(map(len, lines[row * columns : (row + 1) * columns])) for row in range(rows)]
    tops = np.cumsum([_TITLE_LINE * head + _GAP for head in heads]) + cell * np.arange(rows) - _GAP
    left = 0.0 if row_titles is None else 0.1 + 0.08 * max(map(len, row_titles))
    right = left + columns * (cell + _GAP)
    width = max(right - _GAP + (0 if scales is None else _BAR), 4.5)
    figure = style.new_figure(width + 0.1, tops[-1] + cell + 0.1)
    ax = figure.add_subplot()
    ax.set(xlim=(0, width), ylim=(tops[-1] + cell, 0), aspect="equal", anchor="W")
    ax.set_axis_off()
    for i, image in enumerate(images):
        x, y = left + (i % columns) * (cell + _GAP), tops[i // columns]
        if image is not None:
            _cell(ax, image if shown[i] else None, (x, y, cell), None if overlays is None else overlays[i])
        colour = style.INK if title_colours is None else title_colours[i]
        for up, line in enumerate(reversed(lines[i])):
            ax.text(x, y - 0.045 - _TITLE_LINE * up, line, size=_TITLE_SIZE, color=colour)
    for text, y, colour in zip(row_titles or (), tops, style.colours(row_titles or ()), strict=False):
        look = {"size": 9, "weight": "bold", "va": "center", "ha": "right"}
        ax.text(left - 0.08, y + cell / 2, text, color=colour, **look)
    for row, (ends, y) in enumerate(zip(scales or (), tops, strict=False)):
        if shown[row * columns : (row + 1) * columns].any():
            _colour_bar(ax, ends, (right, y, cell))
    return figure


def pixels(image: np.ndarray) -> np.ndarray:
    """One picture as float64 in [0, 1], (h, w) or (h, w, 3).

    Raises:
        ValueError: another shape, or values outside uint8's range or [0, 1].
    """
    image = np.asarray(image)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(f"A face must have shape (h, w), (h, w, 1) or (h, w, 3); got {image.shape}.")
    scaled = image.astype(np.float64) / (255 if image.dtype == np.uint8 else 1)
    if not (scaled.min() >= -1e-6 and scaled.max() <= 1 + 1e-6):
        raise ValueError(
            f"Pixels must be uint8, or floats in [0, 1]; got {image.dtype} from {image.min():.4g} to "
            f"{image.max():.4g}. Divide grey levels by 255."
        )
    return np.clip(scaled, 0, 1)


def _cell(
    ax: Axes, image: np.ndarray | None, place: tuple[float, float, float], overlay: np.ndarray | None
) -> None:
    """Draw one face with its heat map at `place` (left, top, side), or an outline in its stead."""
    x, y, size = place
    extent = (x, x + size, y + size, y)
    if image is None:
        ax.add_patch(Rectangle((x, y), size, size, facecolor=style.PALE, edgecolor="none"))
        middle = (x + size / 2, y + size / 2)
        ax.add_patch(Ellipse(middle, 0.5 * size, 0.66 * size, facecolor="none", edgecolor="#B0B0B0"))
        return
    look = {"extent": extent, "aspect": "equal", "vmin": 0, "vmax": 1}
    ax.imshow(pixels(image), cmap="gray", interpolation="nearest", **look)
    if overlay is not None:
        ax.imshow(overlay, cmap=_HEAT, alpha=_VEIL, interpolation="bilinear", **look)


def _colour_bar(ax: Axes, ends: tuple[str, str], place: tuple[float, float, float]) -> None:
    """What a heat map's colours mean, as they look over a medium grey: the low end below, the high end on top."""
    x, y, height = place
    extent = (x, x + _BAR_WIDTH, y + height, y)
    look = {"extent": extent, "aspect": "equal", "vmin": 0, "vmax": 1}
    ax.imshow(np.full((2, 1), 0.5), cmap="gray", **look)
    ax.imshow(np.linspace(1, 0, 64)[:, None], cmap=_HEAT, alpha=_VEIL, interpolation="bilinear", **look)
    for text, at, side in ((ends[1], y, "top"), (ends[0], y + height, "bottom")):
        ax.text(x + _BAR_WIDTH + 0.03, at, text, size=6.5, color=style.MUTED, va=side)


def _wrap(text: str, cell: float) -> list[str]:
    """Lines of a title no wider than a cell of so many inches; line breaks stay."""
    letters = int(cell / (_TITLE_SIZE * 0.55 / 72))
    return [line for part in text.split("\n") for line in textwrap.wrap(part, letters)]


def _notices(dataset_name: str, published: bool, present: np.ndarray, shown: np.ndarray) -> list[str]:
    """What must be printed below faces of this dataset."""
    name = DATASET_TITLES.get(dataset_name, dataset_name)
    lines = []
    if dataset_name == "ckplus" and shown.any():
        lines.append(CKPLUS_NOTICE)
    withheld = int((present & ~shown).sum())
    if withheld:
        n = int(present.sum())
        which = "faces" if withheld == n else f"faces of {withheld} of these {n} images"
        lines.append(f"{name} {which} are not published; run the notebook with your own copy to see them.")
    if published is False and dataset_name not in OPEN_DATASETS:
        lines.append(f"For your own screen: {name} faces must not be passed on.")
    return lines
