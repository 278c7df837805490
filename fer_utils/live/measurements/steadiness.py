"""How steady the recognizer's answers are, and how right where it is sure.

Needs FER2013. Everything is chosen on PublicTest; PrivateTest only says what the choice is worth.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from fer_utils import data, records
from fer_utils.files.paths import reports_root
from fer_utils.live.faces import Box
from fer_utils.live.recognizer import UNSURE_BELOW, EmotionRecognizer

LARGER = 4
"""Images are enlarged so many times before a box is moved on them, which then moves by parts of a pixel."""

JITTER = 0.04
"""Fraction of the box's side by which it is moved each way, and by which it is made larger or smaller."""

ANSWERED = 0.8
"""Least share of PublicTest that must be answered surely."""


def boxes(side: int, jitter: float = JITTER) -> list[Box]:
    """The whole picture of `side` pixels, then the eight boxes that are shifted and scaled by `jitter` either way."""
    found = [Box(0, 0, side, side)]
    for right, down, larger in itertools.product((-jitter, jitter), repeat=3):
        size = round(side * (1 + larger))
        found.append(Box(round((side - size) / 2 + right * side), round((side - size) / 2 + down * side), size, size))
    return found


def answers(
    recognizer: EmotionRecognizer, images: np.ndarray, places: Sequence[Box], views: str
) -> tuple[np.ndarray, np.ndarray]:
    """Labels int64 (n, b) and their probabilities float64 (n, b) of images uint8 (n, s, s) seen through b boxes each.

    Args:
        recognizer: classifies; its margin must be 0.
        images: n faces.
        places: b boxes on an image that is enlarged `LARGER` times.
        views: one of `fer_utils.data.preparation.VIEWS`.
    """
    labels, shares = [], []
    for image in images:
        large = cv2.resize(image, None, fx=LARGER, fy=LARGER, interpolation=cv2.INTER_LINEAR)
        seen = np.array([face.probabilities for face in recognizer.classify(large, places, views)])
        labels.append(seen.argmax(axis=1))
        shares.append(seen.max(axis=1))
    return np.array(labels), np.array(shares)


def threshold(confidence: np.ndarray, answered: float = ANSWERED) -> float:
    """The largest hundredth below which at most 1 - `answered` of the probabilities float (n,) lie."""
    steps = np.arange(0, 101) / 100
    return float(max(step for step in steps if np.mean(confidence >= step) >= answered))


def covered(labels: np.ndarray, found: np.ndarray, confidence: np.ndarray, least: float) -> dict[str, float]:
    """In percent: how many are answered at that threshold, and how many are right of those, of the rest and of all."""
    sure, right = confidence >= least, found == labels
    parts = {"accuracy": right, "accuracy where sure": right[sure], "accuracy where unsure": right[~sure]}
    return {"answered": 100 * float(sure.mean())} | {
        name: 100 * float(part.mean()) if len(part) else float("nan") for name, part in parts.items()
    }


def changed(found: np.ndarray, confidence: np.ndarray, least: float) -> dict[str, float]:
    """In percent: moved boxes (columns from 1) whose label differs from the first box's, and of those both sure."""
    moved, sure = found[:, 1:] != found[:, :1], (confidence[:, 1:] >= least) & (confidence[:, :1] >= least)
    return {"label changes": 100 * float(moved.mean()), "two sure answers differ": 100 * float(moved[sure].mean())}


def measure(n_jittered: int = 500) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Values and arrays of the measurement record, see `records.measure`.

    Args:
        n_jittered: images of PublicTest on which boxes are moved, the first of them.
    """
    dataset, recognizer = data.load("fer2013"), EmotionRecognizer(detector="haar", margin=0.0)
    public, private = (np.flatnonzero(dataset.usage == part) for part in ("PublicTest", "PrivateTest"))
    values: dict[str, Any] = {"network": recognizer.engine.description.record, "jitter": JITTER, "images": n_jittered}
    arrays = {}
    for views in ("one", "mirror", "six"):
        found, shares = answers(recognizer, dataset.images[public], boxes(48 * LARGER)[:1], views)
        least = threshold(shares[:, 0])
        values[views] = {"unsure below": least}
        values[views]["PublicTest"] = covered(dataset.labels[public], found[:, 0], shares[:, 0], least)
        jittered = answers(recognizer, dataset.images[public[:n_jittered]], boxes(48 * LARGER), views)
        values[views]["jitter of the box"] = changed(*jittered, least)
    found, shares = answers(recognizer, dataset.images[private], boxes(48 * LARGER)[:1], "six")
    values["PrivateTest, six views"] = covered(dataset.labels[private], found[:, 0], shares[:, 0], UNSURE_BELOW)
    arrays["private_confidence"] = shares[:, 0].astype(np.float16)
    arrays["private_right"] = found[:, 0] == dataset.labels[private]
    return values | {"shipped threshold": UNSURE_BELOW}, arrays


def main() -> None:
    """Measure and print; write too if asked."""
    parser = argparse.ArgumentParser(prog="python -m fer_utils.live.measurements.steadiness", description=__doc__)
    parser.add_argument("--record", metavar="NAME", help="also write the measurement record steadiness-NAME")
    options = parser.parse_args()
    if options.record:
        values = records.measure(f"steadiness-{options.record}", reports_root() / "measurements", measure).values
    else:
        values, _ = measure()
    print(json.dumps(values, indent=1))


if __name__ == "__main__":
    main()
