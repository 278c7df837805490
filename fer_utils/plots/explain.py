"""Figures of explanations: class means of maps, and what is left of maps when weights are shuffled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from fer_utils.evaluation import statistics
from fer_utils.plots import display, style
from fer_utils.plots.gallery import grid

_BLANK = 0.5  # grey on which maps lie where no mean face may be shown


@style.styled
def class_maps(
    maps: Mapping[str, np.ndarray],
    class_names: Sequence[str],
    counts: Sequence[int] | None = None,
    *,
    means: np.ndarray | None = None,
    title: str = "Mean map of each class",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Mean maps of each class laid over its mean face: one row per kind of map, one column per class.

    Class means show nobody, so they may be published wherever the mean faces may.

    Args:
        maps: kind -> float (k, h, w), class means as of `fer_utils.analysis.saliency.class_means`; each row is
            stretched over its own range, from 0 where it has negative places, as its colour bar says. A class of NaN
            is drawn as an outline.
        class_names, counts: k names, and k numbers of images where they are known.
        means: mean faces float (k, s, s) in 0..255 as `fer_utils.analysis.eda.class_means` gives them, NaN where they
            are withheld; maps of such classes, and all if None, lie on plain grey.
        title, caption, profile: see `fer_utils.plots`.

    Raises:
        ValueError: maps that do not fit the classes, or nothing but NaN.
    """
    k = len(class_names)
    rows, finite = _checked_maps(maps, k)
    faces = np.full((k, 48, 48), np.nan) if means is None else np.asarray(means, float) / 255
    faces = np.where(np.isfinite(faces), faces, _BLANK)
    ends = {kind: (max(0.0, values[finite[kind]].min()), values[finite[kind]].max()) for kind, values in rows.items()}
    overlays = [
        _stretched(one, *ends[kind]) if known else None
        for kind, values in rows.items()
        for one, known in zip(values, finite[kind], strict=True)
    ]
    names = [*class_names]
    if counts is not None:
        names = [f"{name}\nn = {n:,}" for name, n in zip(class_names, counts, strict=True)]
    figure = grid(
        [*faces] * len(rows), np.concatenate(list(finite.values())), titles=names + [""] * (k * (len(rows) - 1)),
        columns=k, title_colours=style.colours(class_names) * len(rows), row_titles=list(rows), overlays=overlays,
        scales=[(f"{low:.2f}", f"{high:.2f}") for low, high in ends.values()],
    )  # fmt: skip
    return style.finish(figure, title, caption, profile)


@style.styled
def cascade(
    layers: Sequence[str],
    correlations: Mapping[str, np.ndarray],
    *,
    people: np.ndarray | None = None,
    title: str = "What is left of the maps when layers are shuffled",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Rank correlation of maps with those of the trained network, as more layers are shuffled from the head down.

    Args:
        layers: m names, in the order in which they are shuffled.
        correlations: kind of map -> float (m, n) of n images, NaN where undefined.
        people: (n,) who is shown, whom the intervals draw; None, or one person alone: they draw images.
        title, caption, profile: see `fer_utils.plots`.
    """
    people = statistics.clusters_of(people)
    figure = style.new_figure(7.2, 3.2)
    ax, places, undefined = figure.add_subplot(), np.arange(1, len(layers) + 1), []
    for (kind, values), colour in zip(correlations.items(), (style.BLUE, style.VERMILLION, style.GREEN), strict=False):
        values = np.asarray(values, float)
        ends = [_interval(row, people) for row in values]
        ax.plot([0, *places], [1, *(mean for mean, _, _ in ends)], "o-", color=colour, label=kind, ms=4)
        ax.fill_between(places, [e[1] for e in ends], [e[2] for e in ends], color=colour, alpha=0.2, lw=0)
        undefined.append(f"{kind}: {np.isnan(values[-1]).mean():.0%}")
    ax.axhline(0, color="#9A9A9A", lw=0.9, ls="--")
    ax.set_xticks([0, *places], ["trained", *layers], rotation=35, ha="right", rotation_mode="anchor")
    ax.set(ylabel="Rank correlation", xlabel="Shuffled from the head down to", ylim=(min(-0.3, ax.get_ylim()[0]), 1.05))
    if len(correlations) > 1:
        ax.legend()
    n = len(next(iter(correlations.values()))[0])
    drawn = "images" if people is None else "persons"
    text = f"{style.count(n)}. Mean over images with 95 % interval (bootstrap over {drawn}). "
    text += f"Left out, since a map is the same everywhere, with all layers shuffled: {', '.join(undefined)}. {caption}"
    seen = (f"{kind}: {_words(values[0])} with the head shuffled, {_words(values[-1])} with all of them"
            for kind, values in correlations.items())
    return display.adding(style.finish(figure, title, text.strip(), profile), f"{'; '.join(seen)}.")


def _words(values: np.ndarray) -> str:
    known = np.asarray(values, float)[np.isfinite(values)]
    return f"{known.mean():.2f}" if len(known) else "undefined"


def _checked_maps(maps: Mapping[str, np.ndarray], k: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Each kind's maps float (k, h, w), and bool (k,) which of them are known; ValueError for anything else."""
    rows = {kind: np.asarray(values, float) for kind, values in maps.items()}
    if not rows or any(len(values) != k or values.ndim != 3 for values in rows.values()):
        shapes = {kind: values.shape for kind, values in rows.items()}
        raise ValueError(f"class_maps() needs maps (k, h, w) for {k} classes; got {shapes}. Pass class means.")
    finite = {kind: np.isfinite(values).all(axis=(1, 2)) for kind, values in rows.items()}
    if not all(known.any() for known in finite.values()):
        raise ValueError("class_maps() needs one class with a map in each row; got NaN alone. Check the labels.")
    return rows, finite


def _stretched(one: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip((one - low) / max(high - low, 1e-12), 0, 1)


def _interval(values: np.ndarray, people: np.ndarray | None) -> tuple[float, float, float]:
    """Mean of the known values and its ends; NaN without values, no width for one image or one person."""
    known = np.isfinite(values)
    values, people = values[known], None if people is None else np.asarray(people)[known]
    if len(values if people is None else np.unique(people)) < 2:
        mean = float(values.mean()) if len(values) else np.nan
        return mean, mean, mean
    found = statistics.bootstrap_interval(values, clusters=people, n_resamples=1000)
    return found.estimate, found.low, found.high
