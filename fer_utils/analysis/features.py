"""A network's features: what its last layer sees, and what other classifiers make of it.

iitk2023 added a random forest to Model 2, which "drastically decreases" the accuracy; what the forest saw is not said.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from fer_utils import study
from fer_utils.analysis.eda import Summary
from fer_utils.analysis.trained_networks import on_record_or
from fer_utils.data import FaceDataset, load, splits
from fer_utils.evaluation import intervals, metrics, statistics
from fer_utils.records import Measurement, Record
from fer_utils.training import weights
from fer_utils.training.scoring import predict_logits


def penultimate(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Inputs of the network's last layer, float32 (n, d), of uint8 images (n, 48, 48), without dropout."""
    return predict_logits(keras.Model(model.input, model.layers[-1].input), images)


def classifiers(seed: int = 0) -> dict[str, ClassifierMixin]:
    """Untrained classifiers by name, from scikit-learn: a forest of 500 trees, a linear one-vs-rest SVM (C = 1).

    The SVM sees standardised features; iitk2023 states no settings, so all of these are ours.

    Args:
        seed: of the forest's trees and the SVM's order.
    """
    svm = LinearSVC(C=1.0, random_state=seed, max_iter=5000, dual=False)
    return {
        "random forest": RandomForestClassifier(500, random_state=seed),
        "linear SVM": make_pipeline(StandardScaler(), svm),
    }


def compare(record: Record, dataset: FaceDataset) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Classifiers on the features and on the pixels of a run's training images, scored on its test images.

    Args:
        record: a finished run with `score_test` whose weights are on this machine.
        dataset: what it was trained on.

    Returns:
        For `records.measure`: values `run`, `n_features`, `n_train`, `names` (the network itself first);
        arrays `labels` int8 (n,), `predicted` int8 (m, n), one row for each name, and where persons are known
        `subjects` int16 (n,).

    Raises:
        ValueError: the run may not score the test set.
        FileNotFoundError: its weights are not on this machine.
    """
    if not record.config.score_test:
        raise ValueError(f"Only final runs score test images; {record.id} has score_test=False. Declare it final.")
    split, model = splits.make(dataset, record.config.split), weights.rebuild(record)
    parts = [dataset.images[rows] for rows in (split.train, split.test)]
    spaces = {
        "its features": [penultimate(model, images) for images in parts],
        "pixels": [images.reshape(len(images), -1) / np.float32(255) for images in parts],
    }
    predicted = {"the network itself": predict_logits(model, parts[1]).argmax(axis=1)}
    for space, (train, test) in spaces.items():
        for name, classifier in classifiers(record.config.seed).items():
            classifier.fit(train, dataset.labels[split.train])
            predicted[f"{name} on {space}"] = classifier.predict(test)
    values = {
        "run": record.id, "n_features": spaces["its features"][0].shape[1], "n_train": len(split.train),
        "names": list(predicted),
    }  # fmt: skip
    arrays = {
        "labels": dataset.labels[split.test].astype(np.int8),
        "predicted": np.array(list(predicted.values()), np.int8),
    }
    if dataset.subjects is not None:
        arrays["subjects"] = np.unique(dataset.subjects, return_inverse=True)[1][split.test].astype(np.int16)
    return values, arrays


def measured(record: Record, root: str | Path | None = None) -> Measurement | None:
    """What `compare` says of a run: loaded, or measured and stored.

    Args:
        record: a finished run; where its weights are gone and its images are here, it is trained again.
        root: where its dataset lies.

    Returns:
        None where it is not on record and the weights or the images cannot be had on this machine.
    """
    name, store = f"shallow-{record.id}", record.path.parent.parent / "measurements"

    def summary() -> Summary:
        dataset = load(record.config.dataset, root, **record.config.dataset_options)
        return compare(study.with_weights(record, root), dataset)

    return on_record_or(summary, name, store)


def gains(arrays: Mapping[str, np.ndarray], level: float = 0.95) -> list[statistics.Interval]:
    """Accuracy of each classifier that `compare` measured minus the network's, in pairs; the network's own is 0.

    Args:
        arrays: of the measurement.
        level: of each interval; 1 − 0.05 / m holds m intervals together at 95 % (Bonferroni).
    """
    right, people = arrays["predicted"] == arrays["labels"], statistics.clusters_of(arrays.get("subjects"))
    return [statistics.paired_bootstrap_difference(one, right[0], clusters=people, level=level) for one in right]


def table(values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """What `compare` measured, one row for each classifier, in percent with 95 % intervals; the network first."""
    labels, answers = arrays["labels"].astype(np.int64), arrays["predicted"].astype(np.int64)
    rows = {
        name: {
            "accuracy in %": intervals.accuracy(said == labels, arrays.get("subjects")).percent(),
            "minus the network, points": gain.percent(),
            "UAR in %": f"{100 * metrics.recall_of_classes(labels, said).mean():.1f}",
            "n": len(labels),
        }
        for name, said, gain in zip(values["names"], answers, gains(arrays), strict=True)
    }
    return pd.DataFrame.from_dict(rows, orient="index")
