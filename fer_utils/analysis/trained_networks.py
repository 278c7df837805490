"""What is measured of a trained network's weights: small records, so that figures need neither weights nor images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from fer_utils import records, study
from fer_utils.analysis import corruptions, eda, saliency
from fer_utils.analysis.eda import Summary
from fer_utils.data import FaceDataset, load, splits
from fer_utils.evaluation import statistics
from fer_utils.evaluation.statistics import Interval
from fer_utils.files.paths import project_root, store_for
from fer_utils.records import Measurement, Record
from fer_utils.training import weights
from fer_utils.training.scoring import predict_logits

VERSION = 1
"""Raised whenever the code below, or that of `saliency` or `corruptions`, measures something else."""

PATCH, STRIDE = 12, 6
"""Side and step of the occluding square, in pixels."""


def measured(
    kind: str, record: Record, compute: Callable[[keras.Model, FaceDataset], Summary], part: str,
    *, root: str | Path | None = None, limit: int | None = None, retrain: bool = False, compute_missing: bool = True,
) -> Measurement | None:  # fmt: skip
    """A measurement of a run's first kept weights on one part of its data: loaded, or computed and stored.

    Args:
        kind: what is measured; the record is named by it, `VERSION`, part, limit and the run.
        record: a finished run.
        compute: from the trained network and the part's images to what is stored.
        part: `"train"`, `"validation"` or `"test"`.
        root: where the dataset lies.
        limit: at most so many images, drawn at random with a fixed seed.
        retrain: whether to train the run again where its weights are gone and its images are there.
        compute_missing: False only looks for records.

    Returns:
        None where it is not on record and the weights or the images are not on this machine.
    """
    limit = limit if limit and limit < record.run["split"][part] else None
    name = f"{kind}{VERSION}-{part}{limit or ''}-{record.id}"
    store = store_for(record.config.dataset).parent / "measurements"

    def summary() -> Summary:
        faces = images_of(record, part, root, limit)
        return compute(weights.rebuild(study.with_weights(record, root) if retrain else record), faces)

    return on_record_or(summary if compute_missing else None, name, store)


def on_record_or(compute: Callable[[], Summary] | None, name: str, store: Path) -> Measurement | None:
    """A measurement that is on record in a store or in the project's own; else computed, and kept in the store.

    Args:
        compute: loads what it needs and measures it; None only looks.
        name, store: as `fer_utils.records.measure` takes them.

    Returns:
        None where it is not on record and weights or images that `compute` needs are not on this machine.
    """
    if found := records.measured(name, store, project_root() / "reports/measurements"):
        return found
    try:
        return records.measure(name, store, compute) if compute else None
    except FileNotFoundError:
        return None


def images_of(record: Record, part: str, root: str | Path | None = None, limit: int | None = None) -> FaceDataset:
    """The images of one part of a run's split, in the order of its predictions; at most `limit`, see `kept_rows`.

    Raises:
        FileNotFoundError: the dataset is not on this machine.
    """
    faces = load(record.config.dataset, root, **record.config.dataset_options)
    rows = getattr(splits.make(faces, record.config.split), part)
    return faces.subset(rows[kept_rows(len(rows), limit)])


def kept_rows(n: int, limit: int | None) -> np.ndarray:
    """Which of n images are measured, int64 (m,) in order: all, or `limit` of them drawn with a fixed seed."""
    if limit is None or n <= limit:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).permutation(n)[:limit])


def maps(network: keras.Model, faces: FaceDataset, layers: Sequence[str], seed: int = 0) -> Summary:
    """Grad-CAM at some layers and occlusion, of every image's labelled class, and how far to trust them.

    Returns:
        Values: `n`, `counts` (k,), `layers`; per layer `empty`, the share of maps without any positive place, `alike`,
        the mean rank correlation of two images' maps (`same` and `other` class), and `steps` of the cascade.
        Arrays: `occlusion` float64 (k, r, r), class means of the drop in the logit; per layer i `cam_i` (k, h, w),
        class means of scaled maps, `agreement_i` float16 (n,) with occlusion, `cascade_i` float16 (m, n).
    """
    labels, k = faces.labels, faces.n_classes
    drops = saliency.occlusion(network, faces.images, labels, PATCH, STRIDE)
    arrays = {"occlusion": np.stack([_mean(drops[labels == code], drops.shape[1:]) for code in range(k)])}
    values = {"n": len(faces), "counts": faces.class_counts().tolist(), "layers": {}}
    for i, layer in enumerate(layers):
        found = partial(saliency.GradCam(network, layer), faces.images, labels)
        cam, left = found(), saliency.cascade(network, found, seed)
        values["layers"][layer] = {
            "side": cam.shape[1], "empty": float(np.mean(cam.max(axis=(1, 2)) <= 0)), "alike": alike(cam, labels),
            "steps": list(left.layers),
        }  # fmt: skip
        arrays |= {
            f"cam_{i}": saliency.class_means(cam, labels, k),
            f"agreement_{i}": np.float16(saliency.rank_correlation(saliency.resized(cam, drops.shape[1]), drops)),
            f"cascade_{i}": left.correlations.astype(np.float16),
        }
    return values, arrays


def pooled(parts: Sequence[Measurement]) -> Summary:
    """What `maps` says of several runs whose images do not overlap (the folds of a seed), as if of one.

    Class means and shares are weighted by the images behind them; arrays over images are put one after another.
    """
    values, n = dict(parts[0].values), np.array([part.values["n"] for part in parts])
    counts = np.array([part.values["counts"] for part in parts])
    arrays = {}
    for name, first in parts[0].arrays.items():
        stack = [part.arrays[name] for part in parts]
        if name.startswith(("agreement", "cascade")):
            arrays[name] = np.concatenate(stack, axis=first.ndim - 1)
            continue
        share = (counts / np.maximum(counts.sum(axis=0), 1))[..., None, None]
        arrays[name] = np.where(counts.any(axis=0)[:, None, None], np.nansum(stack * share, axis=0), np.nan)
    layers = {}
    for layer, one in values["layers"].items():
        own = [part.values["layers"][layer] for part in parts]
        both = {kind: float(np.average([o["alike"][kind] for o in own], weights=n)) for kind in one["alike"]}
        layers[layer] = one | {"empty": float(np.average([o["empty"] for o in own], weights=n)), "alike": both}
    return values | {"n": int(n.sum()), "counts": counts.sum(axis=0).tolist(), "layers": layers}, arrays


def rows(values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The class means of `maps` as rows of `plots.class_maps`."""
    sides = [found["side"] for found in values["layers"].values()]
    cams = {f"Grad-CAM\n{side}×{side}": arrays[f"cam_{i}"] for i, side in enumerate(sides)}
    return cams | {"occlusion\n(logit)": arrays["occlusion"]}


def explained(
    runs: Sequence[Record], layers: Sequence[str], *, root: str | Path | None = None, limit: int | None = None
) -> Summary:
    """`maps` of the validation images of a seed's runs, `pooled`; on record, or measured where weights and images are.

    Args:
        runs: the folds of one seed.
        layers: where Grad-CAM looks.
        root: where the dataset lies.
        limit: at most so many images of each run.

    Returns:
        As `pooled`, and in the arrays `people`, int64 (n,), who is shown, where all runs know it.

    Raises:
        FileNotFoundError: the maps of a run are not on record, and its weights or images not on this machine.
    """
    how, parts = {"root": root, "limit": limit, "retrain": True}, []
    for record in runs:
        found = measured("maps", record, partial(maps, layers=layers), "validation", **how)
        if found is None:
            raise FileNotFoundError(
                f"The maps of {record.id} are not measured: they are not on record, and its weights or images are not "
                "on this machine. Train the run here (`make queue`), or name a run whose maps are on record."
            )
        parts.append(found)
    values, arrays = pooled(parts)
    return values, arrays | people_of(runs, parts)


def people_of(runs: Sequence[Record], parts: Sequence[Measurement]) -> dict[str, np.ndarray]:
    """Under `people`, who is shown on the validation images behind each run's maps; nothing where a run does not know.

    A person may stand in the validation part of several folds, so intervals of pooled maps draw persons.
    """
    found = []
    for record, part in zip(runs, parts, strict=True):
        if (whose := record.context("validation", "subjects")) is None:
            return {}
        found.append(whose[kept_rows(len(whose), part.values["n"])])
    return {"people": np.concatenate(found)}


def mean_correlation(correlations: np.ndarray, people: np.ndarray | None = None) -> Interval:
    """Mean of rank correlations float (n,), NaN left out, with its 95 % interval.

    Args:
        correlations: of n images.
        people: (n,) who is shown; persons are drawn where there are two or more, else images.
    """
    known = np.isfinite(correlations)
    persons = statistics.clusters_of(None if people is None else people[known])
    return statistics.bootstrap_interval(correlations[known].astype(float), clusters=persons)


def lower_half(found: np.ndarray) -> float:
    """Share in [0, 1] of a map (h, w) without negative places below its middle; a row in the middle counts half.

    Example:
        >>> lower_half(np.array([[1.0], [1.0], [2.0]]))
        0.625
    """
    weights = np.clip(np.arange(len(found)) - (len(found) - 1) / 2 + 0.5, 0, 1)
    return float((found.sum(axis=1) * weights).sum() / found.sum())


def mean_faces(record: Record) -> np.ndarray | None:
    """Mean faces float (k, 48, 48) of the data of a run, to lay maps over: drawn ones anew, those of people on record.

    None where nothing is on record; `plots.class_maps` then draws the maps on plain grey.
    """
    if record.config.dataset == "synthetic":
        return eda.class_means(load("synthetic", **record.config.dataset_options))
    described = eda.on_record(record.config.dataset)
    return described.arrays["means"] if described else None


def layer_table(values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Per layer of `maps`: agreement with occlusion (`mean_correlation`), alikeness of maps, empty maps."""
    lines = {}
    for i, (name, found) in enumerate(values["layers"].items()):
        interval = mean_correlation(arrays[f"agreement_{i}"], arrays.get("people"))
        lines[name] = {
            "agreement with occlusion": f"{interval.estimate:.2f} [{interval.low:.2f}, {interval.high:.2f}]",
            "alike, same class": f"{found['alike']['same']:.2f}",
            "alike, other class": f"{found['alike']['other']:.2f}",
            "empty": f"{found['empty']:.0%}", "images": values["n"],
        }  # fmt: skip
    return pd.DataFrame(lines)


def alike(found: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Mean rank correlation of the maps (n, h, w) of two different images: of the `same` and of `other` classes."""
    usable = found.max(axis=(1, 2)) > found.min(axis=(1, 2))
    found, labels = found[usable], labels[usable]
    first, second = np.triu_indices(len(found), 1)
    if len(first) > 20_000:  # enough for a mean
        chosen = np.random.default_rng(0).permutation(len(first))[:20_000]
        first, second = first[chosen], second[chosen]
    same = labels[first] == labels[second]
    between = saliency.rank_correlation(found[first], found[second]) if len(first) else np.zeros(0)
    groups = {"same": between[same], "other": between[~same]}
    return {name: float(group.mean()) if len(group) else float("nan") for name, group in groups.items()}


def stress(network: keras.Model, faces: FaceDataset) -> Summary:
    """`corruptions.stress` of a network on these images."""
    return {"n": len(faces)}, corruptions.stress(lambda images: predict_logits(network, images), faces.images)


def stressed(runs: Sequence[Record], **options: Any) -> corruptions.Stress | None:
    """Test images of runs that do not overlap (the folds of a seed) under every damage; None where one is missing.

    Args:
        runs: finished runs that scored their test part.
        **options: `root`, `limit`, `retrain` and `compute_missing` of `measured`.
    """
    parts = []
    for record in runs:
        found = measured("stress", record, stress, "test", **options)
        if found is None:
            return None
        labels, subjects = record.predictions("test")[0], record.context("test", "subjects")
        rows = kept_rows(len(labels), options.get("limit"))
        parts.append((labels[rows], found.arrays, None if subjects is None else subjects[rows]))
    return corruptions.pool(parts)


def shared_validation(runs: Sequence[Record]) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each fold, validation labels and logits of all folds of a seed, without the persons of its own test part.

    More images to fit a calibration on than a fold's own validation part, and still nobody of its test.
    """
    together, found = study.pool(runs, "validation"), []
    for record in runs:
        tested, keep = record.context("test", "subjects"), np.ones(len(together.labels), bool)
        if together.subjects is not None and tested is not None:
            keep = ~np.isin(together.subjects, tested)
        found.append((together.labels[keep], together.logits[keep]))
    return found


def _mean(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return values.mean(axis=0) if len(values) else np.full(shape, np.nan)
