"""What a dataset looks like before any training, as small numbers: counts, grey levels, means, duplicates.

A description holds no picture of anybody: class means are kept only where many people hide in them. It is a
measurement record, so that its figures can be drawn where the images are not. Pixels are described on the
training part where a dataset has published parts; test images are only counted and compared.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_utils import records
from fer_utils.data import audit, splits
from fer_utils.data.dataset import USAGES, FaceDataset
from fer_utils.data.publishing import MIN_IMAGES_PER_MEAN, MIN_SUBJECTS_PER_MEAN
from fer_utils.files.paths import reports_root
from fer_utils.records import Measurement

VERSION = 1
"""Raised whenever the code below measures something else, so that older records no longer answer for it."""

TITLES = {"fer2013": "FER2013", "ferplus": "FER+", "ckplus": "CK+48", "synthetic": "Synthetic faces"}
STATISTICS = ("brightness", "contrast")
"""Per image: mean and standard deviation of its grey levels (RMS contrast)."""

Summary = tuple[dict[str, Any], dict[str, np.ndarray]]


def measure(dataset: FaceDataset) -> Measurement:
    """Load the description of exactly these images and labels, or measure and store it.

    `values` and `arrays` are those of `summarize`.
    """
    name = f"eda{VERSION}-{dataset.name}-{dataset.fingerprint[:6]}"
    quick = "quick/measurements" if dataset.name == "synthetic" else "measurements"
    return records.measure(name, reports_root() / quick, lambda: summarize(dataset))


def on_record(name: str, store: Path | None = None) -> Measurement | None:
    """The committed description of a real dataset whose images are not on this machine, or None.

    Args:
        name: a dataset's name, or `"votes"`.
        store: folder of measurement records; default those of `$FER_REPORTS` and of the project.
    """
    return records.measured(f"eda{VERSION}-{name}-*", *([store] if store else []))


def expand(counts: dict[str, list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Labels int64 (n,) and parts str (n,) that have these counts per part and class, for figures of counts."""
    table = np.array(list(counts.values()))
    codes, parts = np.tile(np.arange(table.shape[1]), len(table)), np.repeat(list(counts), table.shape[1])
    return np.repeat(codes, table.ravel()), np.repeat(parts, table.ravel())


def imbalance(values: dict[str, Any]) -> dict[str, str]:
    """Commonest and rarest class, their ratio, and what always answering the commonest scores; from `summarize`."""
    counts, names = np.sum(list(values["counts"].values()), axis=0), values["class_names"]
    equal = counts.min() == counts.max()
    return {
        "commonest": "all equal" if equal else names[counts.argmax()],
        "rarest": "all equal" if equal else names[counts.argmin()],
        "ratio": f"{counts.max() / counts.min():.1f} to 1",
        "majority baseline: accuracy": f"{100 * counts.max() / counts.sum():.1f} %",
        "its UAR": f"{100 / len(names):.1f} %",
    }


def duplicates_row(values: dict[str, Any]) -> dict[str, int | str]:
    """`audit.duplicates` as a row of a table with names for readers; from `summarize`."""
    found = values["duplicates"]
    return {
        "sets of identical images": found["groups"],
        "images in them": found["images"],
        "superfluous copies": found["images"] - found["groups"],
        "sets with conflicting labels": found["conflicting_groups"],
        "images in those": found["conflicting_images"],
        "sets across parts": "no parts" if found["crossing_groups"] is None else found["crossing_groups"],
    }


def summarize(dataset: FaceDataset) -> Summary:
    """Describe a dataset.

    Returns:
        JSON-ready values: `dataset`, `fingerprint`, `n`, `class_names`; `described` (which images the pixel
        numbers are of), `n_described`, `counts_described` (k,); `counts` per published part and class (one part
        "all" where there are none); `random_split`, the same for the split of `split_counts`; `blank` images of
        one grey level; `duplicates` of `audit.duplicates`; `leaks`; `intensity`; `people` (None if unknown).
        Arrays: `levels` int64 (k, 256), `means` float16 (k, 48, 48), `correlation` float64 (2, k),
        `conflicts` int64 (k, k) and, where sequences are known, `frames` float64 (k, f).
    """
    shown, described = training_part(dataset)
    intensity, correlation = intensity_by_class(shown)
    values = {
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "n": len(dataset),
        "class_names": list(dataset.class_names),
        "described": described,
        "n_described": len(shown),
        "counts_described": shown.class_counts().tolist(),
        "counts": counts_by_part(dataset, dataset.usage),
        "random_split": split_counts(dataset, splits.SplitSpec("random", test_size=0.2, seed=123)),
        "blank": int((dataset.images.min(axis=(1, 2)) == dataset.images.max(axis=(1, 2))).sum()),
        "duplicates": asdict(audit.duplicates(dataset)),
        "leaks": leaks(dataset),
        "intensity": intensity,
        "people": people(dataset),
    }
    arrays = {
        "levels": levels(shown),
        "means": class_means(shown),
        "correlation": correlation,
        "conflicts": conflicts(dataset),
    }
    return values, arrays | ({} if shown.sequences is None else {"frames": frame_scores(shown)})


def training_part(dataset: FaceDataset) -> tuple[FaceDataset, str]:
    """The published training part and its name, or the whole dataset and "all images" where it has no parts."""
    for name in ("Training", "train"):
        if dataset.usage is not None and (dataset.usage == name).any():
            return dataset.subset(dataset.usage == name), name
    return dataset, "all images"


def counts_by_part(dataset: FaceDataset, parts: np.ndarray | None) -> dict[str, list[int]]:
    """Images per class (k,) of each part, str (n,); FER2013's parts in their own order, then others."""
    if parts is None:
        return {"all": dataset.class_counts().tolist()}
    names = [*(p for p in USAGES if p in parts), *sorted(set(parts.tolist()) - set(USAGES))]
    return {name: dataset.subset(parts == name).class_counts().tolist() for name in names}


def split_counts(dataset: FaceDataset, spec: splits.SplitSpec) -> dict[str, list[int]]:
    """Images per class (k,) of the two sides of a hold-out: `train` and `test`."""
    split = splits.make(dataset, spec)
    return {side: dataset.subset(getattr(split, side)).class_counts().tolist() for side in ("train", "test")}


def levels(dataset: FaceDataset) -> np.ndarray:
    """int64 (k, 256): how many pixels of each class have each grey level."""
    members = [dataset.images[dataset.labels == code] for code in range(dataset.n_classes)]
    return np.stack([np.bincount(images.ravel(), minlength=256) for images in members])


def class_means(dataset: FaceDataset) -> np.ndarray:
    """float16 (k, 48, 48): mean face of each class in grey levels.

    NaN for a class of fewer different images or (where subjects are known) people than a published mean needs
    (`fer_utils.data.publishing`); synthetic faces are nobody's and need one image.
    """
    means = np.full((dataset.n_classes, *dataset.images.shape[1:]), np.nan, np.float16)
    for code in range(dataset.n_classes):
        rows = dataset.labels == code
        enough = len(np.unique(dataset.digests[rows])) >= MIN_IMAGES_PER_MEAN
        if dataset.subjects is not None:
            enough &= len(np.unique(dataset.subjects[rows])) >= MIN_SUBJECTS_PER_MEAN
        if rows.any() and (enough or dataset.name == "synthetic"):
            means[code] = dataset.images[rows].mean(axis=0)
    return means


def intensity_by_class(dataset: FaceDataset) -> tuple[dict[str, Any], np.ndarray]:
    """Brightness and contrast of the images, and how they go with the classes.

    Returns:
        For each of `STATISTICS`: `mean` and `sd` over the images of each class (k,), and `explained`, the share
        of the variance between images that class means explain (eta squared, [0, 1]).
        Correlation float64 (2, k) of each statistic with membership of each class (1 inside, 0 outside).
    """
    pixels = dataset.images.reshape(len(dataset), -1)
    table = np.stack([pixels.mean(axis=1), pixels.std(axis=1)])
    with np.errstate(invalid="ignore", divide="ignore"):
        inside = dataset.labels == np.arange(dataset.n_classes)[:, None]
        correlation = np.corrcoef(table, inside)[: len(table), len(table) :]
    summary = {}
    for name, column in zip(STATISTICS, table, strict=True):
        mean = by_class(column, dataset.labels, dataset.n_classes)
        residual = column - mean[dataset.labels]
        sd = np.sqrt(by_class(residual**2, dataset.labels, dataset.n_classes))
        explained = 1 - residual.var() / column.var() if column.var() else 0.0
        summary[name] = {"mean": mean.tolist(), "sd": sd.tolist(), "explained": float(explained)}
    return summary, correlation


def frame_scores(dataset: FaceDataset) -> np.ndarray:
    """How strongly the successive frames of a sequence show their expression, float64 (k, f).

    A face's score is its projection on its class's direction: 0 for the mean face of all, 1 for the mean face
    of the class, both taken over *other* subjects only. Rows of one sequence must stand in order of time, as
    the readers return them. Averaged over sequences of the commonest length f; NaN where no other subject has
    the class.
    """
    sequences = pd.Series(dataset.sequences)
    position = sequences.groupby(sequences).cumcount().to_numpy()
    length = sequences.groupby(sequences).transform("size").to_numpy()
    f = int(np.bincount(length).argmax())
    pixels = dataset.images.reshape(len(dataset), -1).astype(np.float64)
    scores = np.full(len(dataset), np.nan)
    for subject in np.unique(dataset.subjects):
        own = dataset.subjects == subject
        average = pixels[~own].mean(axis=0) if not own.all() else pixels.mean(axis=0)
        for code in np.unique(dataset.labels[own]):
            others = ~own & (dataset.labels == code)
            rows = own & (dataset.labels == code)
            if others.any():
                direction = pixels[others].mean(axis=0) - average
                scores[rows] = (pixels[rows] - average) @ direction / (direction @ direction)
    kept = pd.DataFrame({"code": dataset.labels, "frame": position, "score": scores})[length == f]
    table = kept.groupby(["code", "frame"])["score"].mean().unstack()
    return table.reindex(index=range(dataset.n_classes), columns=range(f)).to_numpy(float)


def conflicts(dataset: FaceDataset) -> np.ndarray:
    """int64 (k, k), symmetric: sets of identical images in which both labels occur (0 on the diagonal)."""
    groups = audit.duplicate_groups(dataset)
    present = np.zeros((groups.max() + 1, dataset.n_classes), np.int64)
    present[groups, dataset.labels] = 1
    together = present.T @ present
    return together - np.diag(np.diag(together))


def people(dataset: FaceDataset) -> dict[str, Any] | None:
    """Subjects and sequences, in all and per class (k,), and how many have how many images; None if unknown."""
    if dataset.subjects is None or dataset.sequences is None:
        return None
    frame = pd.DataFrame({"label": dataset.labels, "s": dataset.subjects, "q": dataset.sequences})
    per_class = frame.groupby("label").nunique().reindex(range(dataset.n_classes), fill_value=0)
    return {
        "subjects": int(frame["s"].nunique()),
        "sequences": int(frame["q"].nunique()),
        "subjects_per_class": per_class["s"].tolist(),
        "sequences_per_class": per_class["q"].tolist(),
        "images_per_subject": _frequencies(frame["s"]),
        "frames_per_sequence": _frequencies(frame["q"]),
    }


def leaks(dataset: FaceDataset) -> dict[str, dict[str, int | None]]:
    """`audit.leaks` of the published parts, of a random 80/20 split, and of one by subject where they are known."""
    found = {"random 80/20, image by image": splits.make(dataset, splits.SplitSpec("random", seed=123))}
    if dataset.usage is not None and set(USAGES) <= set(dataset.usage.tolist()):
        train, public, private = splits.make(dataset, splits.SplitSpec("usage"))
        found |= {
            "PublicTest against Training": splits.Split(train, public[:0], public, ""),
            "PrivateTest against Training": splits.Split(train, public, private, ""),
        }
    if dataset.subjects is not None:
        found["80/20 by subject"] = splits.make(dataset, splits.SplitSpec("random", groups="subjects", seed=123))
    return {name: asdict(audit.leaks(dataset, split)) for name, split in found.items()}


def by_class(values: np.ndarray, codes: np.ndarray, k: int) -> np.ndarray:
    """Mean of the values of each code, float64 (k,); NaN for a code that does not occur."""
    with np.errstate(invalid="ignore"):
        return np.bincount(codes, values, minlength=k) / np.bincount(codes, minlength=k)


def _frequencies(names: pd.Series) -> dict[str, int]:
    """How many names occur once, twice, ...: JSON wants the numbers as text."""
    return {str(n): int(times) for n, times in names.value_counts().value_counts().sort_index().items()}
