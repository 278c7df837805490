"""Sheets of faces for one question each: samples, predictions, augmentation, class means."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from fer_utils.data.publishing import MIN_IMAGES_PER_MEAN, MIN_SUBJECTS_PER_MEAN, may_publish
from fer_utils.plots import style
from fer_utils.plots.gallery import DATASET_TITLES, faces, grid


def sample_grid(
    images: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    rng: np.random.Generator,
    *,
    dataset_name: str,
    per_class: int = 8,
    subjects: np.ndarray | None = None,
    published: bool = True,
    title: str = "",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """A row of faces drawn at random from each class; published CK+ rows draw from its publishable subjects.

    Args:
        images: uint8 (n, h, w).
        labels: int (n,), positions in `class_names`.
        class_names: k names.
        rng: draws the faces.
        per_class: faces per row; a class with fewer shows them all.
        dataset_name, subjects, published, title, caption, profile: see `faces`.
    """
    labels, allowed = np.asarray(labels), may_publish(dataset_name, subjects, len(images))
    picked: list[int | None] = []
    for code in range(len(class_names)):
        members = np.flatnonzero(labels == code)
        free = members[allowed[members]]
        pool = members if published is False or not len(free) else free
        row = rng.choice(pool, min(per_class, len(pool)), replace=False).tolist()
        picked += row + [None] * (per_class - len(row))
    return faces(
        [None if i is None else images[i] for i in picked],
        columns=per_class,
        dataset_name=dataset_name,
        subjects=None if subjects is None else ["" if i is None else subjects[i] for i in picked],
        published=published,
        title=title,
        row_titles=class_names,
        caption=caption,
        profile=profile,
    )


def predictions_grid(
    images: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    class_names: Sequence[str],
    *,
    dataset_name: str,
    confidence: np.ndarray | None = None,
    columns: int | None = None,
    subjects: np.ndarray | None = None,
    published: bool = True,
    title: str = "",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Faces with their label and the predicted expression; wrong ones say both and are coloured.

    Args:
        images: uint8 (n, h, w).
        labels, predicted: int (n,), positions in `class_names`.
        class_names: k names.
        confidence: float (n,) in [0, 1], probability of the predicted expression, or None.
        columns, dataset_name, subjects, published, title, caption, profile: see `faces`.
    """
    right = np.asarray(labels) == np.asarray(predicted)
    sure = [""] * len(right) if confidence is None else [f" {100 * p:.0f}\u00a0%" for p in confidence]
    titles = [
        class_names[p] + s + ("" if p == y else f"\nlabelled {class_names[y]}")
        for y, p, s in zip(labels, predicted, sure, strict=True)
    ]
    key = "Above each face: the predicted expression and, in colour where it differs, the label."
    return faces(
        images,
        titles,
        columns,
        dataset_name=dataset_name,
        subjects=subjects,
        published=published,
        title=title,
        title_colours=[style.INK if ok else style.VERMILLION for ok in right],
        caption=f"{key} {caption}".strip(),
        profile=profile,
    )


def augmentation_sheet(
    originals: np.ndarray,
    augmented: np.ndarray,
    policy: str,
    *,
    dataset_name: str,
    subjects: np.ndarray | None = None,
    published: bool = True,
    title: str = "",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """Each face beside what one augmentation policy makes of it.

    Args:
        originals: (m, h, w) uint8 or float in [0, 1].
        augmented: (m, r, h, w) or (m, r, h, w, 1), r drawn versions of each, of the same value range.
        policy: its name.
        dataset_name, subjects (m,), published, title, caption, profile: see `faces`.

    Raises:
        ValueError: not one row of versions per face.
    """
    if len(originals) != len(augmented) or np.ndim(augmented) not in (4, 5):
        raise ValueError(
            f"augmented must have shape (m, r, h, w) with m = {len(originals)}; got {np.shape(augmented)}. "
            "Stack the versions of one face along the second axis."
        )
    versions = augmented.shape[1]
    rows = [image for face, made in zip(originals, augmented, strict=True) for image in (face, *made)]
    first_row = ["original"] + [f"version {i + 1}" for i in range(versions)]
    return faces(
        rows,
        first_row + [""] * (len(rows) - len(first_row)),
        versions + 1,
        dataset_name=dataset_name,
        subjects=None if subjects is None else np.repeat(np.asarray(subjects), versions + 1),
        published=published,
        title=title or f"Augmentation policy {policy}",
        caption=caption,
        profile=profile,
    )


@style.styled
def mean_faces(
    images: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    *,
    dataset_name: str,
    subjects: np.ndarray | None = None,
    published: bool = True,
    title: str = "",
    caption: str = "",
    profile: str | None = None,
) -> Figure:
    """The mean face of each class above its difference from the mean of all (red brighter, blue darker).

    A published mean needs `MIN_IMAGES_PER_MEAN` different images and, where subjects are known,
    `MIN_SUBJECTS_PER_MEAN` people; that of a smaller class is withheld unless the faces are synthetic.

    Args:
        images: uint8 (n, h, w).
        labels: int (n,), positions in `class_names`.
        class_names: k names.
        dataset_name, subjects (n,), published, title, caption, profile: see `faces`.

    Raises:
        ValueError: a class without images.
    """
    labels, k = np.asarray(labels), len(class_names)
    counts = np.bincount(labels, minlength=k)
    if counts.min() == 0:
        empty = [class_names[i] for i in np.flatnonzero(counts == 0)]
        raise ValueError(f"A mean face needs images of every class; none of {empty}. Leave those names out.")
    members = [np.flatnonzero(labels == code) for code in range(k)]
    means = np.stack([images[rows].mean(axis=0) for rows in members]) / 255
    differences = means - np.average(means, axis=0, weights=counts)
    reach = np.abs(differences).max() or 1.0
    tinted = mpl.colormaps["RdBu_r"](0.5 + differences / (2 * reach))[..., :3]
    open_anyway = published is False or dataset_name == "synthetic"
    safe = [open_anyway or _many(images, subjects, rows) for rows in members]
    titles = [f"{name}\nn = {n:,}" for name, n in zip(class_names, counts, strict=True)]
    figure = grid(
        [*means, *tinted],
        np.array(safe * 2),
        titles=titles + [""] * k,
        columns=k,
        title_colours=style.colours(class_names) * 2,
    )
    key = "Below: difference from the mean of all images, blue darker, red brighter, "
    key += f"by up to {255 * reach:.0f} grey levels."
    style.finish(figure, title or "Mean face of each class", f"{key} {caption}".strip())
    if not all(safe):
        name = DATASET_TITLES.get(dataset_name, dataset_name)
        style.note(figure, f"{name} means of few images or people are not published.")
    return style.stamp(figure, profile)


def _many(images: np.ndarray, subjects: np.ndarray | None, rows: np.ndarray) -> bool:
    """Whether a mean over `rows` hides whom it is made of."""
    different = len({images[row].tobytes() for row in rows})
    people = MIN_SUBJECTS_PER_MEAN if subjects is None else len(np.unique(np.asarray(subjects)[rows]))
    return different >= MIN_IMAGES_PER_MEAN and people >= MIN_SUBJECTS_PER_MEAN
