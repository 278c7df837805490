"""How fast, and how much smaller: `python -m fer_utils.live.measurements.bench`, or `make bench`.

Times are medians and 95th percentiles of single calls on two cores, in one run. Nothing is written unless `--record`
asks for it. A busy machine measures the others' work too: run it on an idle one.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pandas as pd

from fer_utils import data, models, records
from fer_utils.data import augmentation
from fer_utils.evaluation import metrics
from fer_utils.files.paths import reports_root
from fer_utils.live.detection import detectors
from fer_utils.live.faces import Frame
from fer_utils.live.images import read_image
from fer_utils.live.interface.drawing import draw
from fer_utils.live.network import engines, export, networks, quantise
from fer_utils.live.network.description import Description
from fer_utils.live.network.engines import Engine, OnnxEngine
from fer_utils.live.recognizer import EmotionRecognizer
from fer_utils.live.stream.session import Session
from fer_utils.records import Measurement, Record
from fer_utils.report import pages
from fer_utils.training import backend, weights

CORES = 2
NETWORKS = {"iitk2023_model2": 6.0, "psg2025": 9.0}
"""Networks of the reports, and the milliseconds within which one face is to be classified."""
DETECTOR_GOAL = 25
"""Milliseconds within which the default detector is to search a picture of 640 x 480 pixels."""

_PICTURE = Path(__file__).parents[1] / "pictures/astronaut.jpg"
_FACE = (150, 40, 150, 150)  # of that picture


def timed(call: Callable[[], object], seconds: float = 4.0, warm: int = 5) -> tuple[float, float, int]:
    """Median and 95th percentile of a call in milliseconds, and how often it was made (at least 20 times)."""
    for _ in range(warm):
        call()
    found, end = [], time.perf_counter() + seconds
    while len(found) < 20 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        found.append(1000 * (time.perf_counter() - start))
    return float(np.median(found)), float(np.percentile(found, 95)), len(found)


def one_face(seconds: float) -> pd.DataFrame:
    """One face of 48 x 48 pixels through networks of the reports and the one that ships, against Keras's `predict`."""
    face = np.random.default_rng(0).random((1, 48, 48, 1), dtype=np.float32)
    names = tuple("abcdefg")
    rows = {}
    for name, goal in NETWORKS.items():
        model = models.build(name)
        fast = OnnxEngine(export.to_bytes(model, Description(names)), CORES)
        rows[name] = _against_keras(fast, model, face, goal, seconds)
    content = engines.shipped().read_bytes()
    model, _ = networks.rebuilt(content)
    rows[f"{engines.shipped().stem} (ships)"] = _against_keras(OnnxEngine(content, CORES), model, face, 3.0, seconds)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("network")


def _against_keras(
    fast: Engine, model: keras.Model, face: np.ndarray, goal: float, seconds: float
) -> dict[str, object]:
    """One row; every time is of the same run."""
    difference = np.abs(fast(face) - model.predict_on_batch(face)).max()
    quick, slow = timed(lambda: fast(face), seconds), timed(lambda: model.predict(face, verbose=0), seconds)
    step = timed(lambda: model.predict_on_batch(face), seconds)
    return {
        "ONNX Runtime, ms": f"{quick[0]:.2f}", "p95": f"{quick[1]:.2f}", "goal": f"{goal:.0f}",
        "Keras predict_on_batch, ms": f"{step[0]:.1f}", "Keras predict, ms": f"{slow[0]:.1f}",
        "its p95": f"{slow[1]:.1f}", "largest difference": f"{difference:.0e}",
    }  # fmt: skip


def latency(record: Record, root: Path | None = None) -> Measurement:
    """How long a trained network takes for one face, from the array to its scores: a measurement record.

    Args:
        record: a finished run whose weights are on this machine.
        root: not used; the face is noise.

    Returns:
        `values`: the machine with its load average, the threads, and by engine (`"ONNX Runtime"`, `"Keras"`) median and
        95th percentile in milliseconds and the number of calls.
    """
    def compute() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        face = np.random.default_rng(0).random((1, 48, 48, 1), dtype=np.float32)
        model, threads = export.network(record), min(CORES, _cores())
        fast = OnnxEngine(export.to_bytes(model, export.describe(record)), threads)
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        calls = {"ONNX Runtime": lambda: fast(face), "Keras": lambda: model.predict_on_batch(face)}
        found = {name: timed(call, 2.0) for name, call in calls.items()}
        values = {name: dict(zip(("median", "p95", "calls"), times, strict=True)) for name, times in found.items()}
        return {"machine": backend.device(), "load average": load, "threads": threads, "milliseconds": values}, {}

    return records.measure(_latency_name(record), record.path.parent.parent / "measurements", compute)


def latency_due(record: Record) -> bool:
    """Whether `latency` is still to be measured: once a system, for the first seed and fold of a final run."""
    config = record.config
    of_a_system = config.score_test and config.protocol in ("reported", "sound")
    first = config.seed == 0 and config.split.fold == 0
    store = record.path.parent.parent / "measurements"
    return of_a_system and first and weights.are_here(record) and not records.is_done(store / _latency_name(record))


AFTERWARDS = (latency_due, latency)
"""For the queue, which measures it right after a training."""


def _latency_name(record: Record) -> str:
    return f"latency-{record.id}"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def clip(n_faces: int, n_frames: int) -> list[Frame]:
    """A video of 640 x 480 pixels at 30 frames a second: the public-domain face, so often, swaying and noisy."""
    left, top, width, height = _FACE
    face = read_image(_PICTURE)[top : top + height, left : left + width]
    columns = 4 if n_faces > 1 else 1
    noise = np.random.default_rng(0).integers(0, 9, (480, 640, 3), dtype=np.uint8)
    frames = []
    for index in range(n_frames):
        image = np.full((480, 640, 3), 110, np.uint8)
        for place in range(n_faces):
            x = 20 + 155 * (place % columns) + round(8 * np.sin(index / 15 + place)) + (225 if n_faces == 1 else 0)
            y = 60 + 200 * (place // columns) + round(6 * np.cos(index / 11 + place))
            image[y : y + height, max(x, 0) : x + width] = face[:, max(-x, 0) : max(640 - x, 0)][:, : 640 - max(x, 0)]
        frames.append(Frame(cv2.add(image, np.roll(noise, 7 * index, axis=1)), index / 30, index))
    return frames


def video(n_frames: int = 150) -> pd.DataFrame:
    """Frames per second from picture to drawn picture at 640 x 480: detection, following, classes, smoothing, boxes."""
    rows = {}
    for n_faces, goal in ((1, 30), (8, 15)):
        frames = clip(n_faces, n_frames)
        session, found, times = Session(EmotionRecognizer(detector="retinaface", threads=CORES)), [], []
        for frame in frames:
            start = time.perf_counter()
            faces = session(frame)
            draw(frame.image, faces)
            found.append(len(faces))
            times.append(1000 * (time.perf_counter() - start))
        rows[f"{n_faces} face{'s' if n_faces > 1 else ''}"] = {
            "frames/s": f"{1000 / np.mean(times):.0f}", "goal": goal, "median, ms": f"{np.median(times):.1f}",
            "p95": f"{np.percentile(times, 95):.1f}", "slowest": f"{max(times):.0f}",
            "faces found a frame": f"{np.mean(found):.2f}",
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("video")


def picture(seconds: float) -> pd.DataFrame:
    """One picture of 640 x 480 pixels with one face: each detector that is here, and the recognizer's whole answer."""
    image = clip(1, 1)[0].image
    known = ["retinaface", *(["yunet"] if detectors.find_yunet() else []), "haar"]
    calls = {f"{name} finds the face": partial(detectors.get(name, CORES).detect, image) for name in known}
    recognizer = EmotionRecognizer(detector="retinaface", threads=CORES)
    calls["the default's whole answer, six views"] = partial(recognizer, image)
    rows = {name: timed(call, seconds) for name, call in calls.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["median, ms", "p95", "calls"])
    table["goal"] = [DETECTOR_GOAL if name.startswith("retinaface") else "" for name in table.index]
    return table.round({"median, ms": 1, "p95": 1}).rename_axis("one picture of 640 x 480")


def formats(seconds: float, n_images: int | None = None) -> pd.DataFrame:
    """Size, speed and accuracy of the network that ships as float32, float16 and int8.

    The accuracy is that on the *validation* part of the data it was trained on (the test part is scored by its run
    alone); int8 is calibrated on training images.
    """
    model, description, origin = _network()
    images, labels, sample, where = _data(description, n_images)
    batch = augmentation.prepare(images)
    rows, first = {}, None
    for name, make in _kinds(model, description, augmentation.prepare(sample)).items():
        try:
            size, scores = make()
        except ImportError as error:
            rows[name] = {"file, bytes": f"not measured: {error}"}
            continue
        parts = np.array_split(batch, -(-len(batch) // 64))
        predicted = metrics.predict(np.concatenate([scores(part) for part in parts]))
        accuracy = 100 * float(np.mean(predicted == labels))
        first = accuracy if first is None else first
        median, p95, _ = timed(lambda scores=scores: scores(batch[:1]), seconds)
        rows[name] = {
            "file, bytes": f"{size:,}", "one face, ms": f"{median:.2f}", "p95": f"{p95:.2f}",
            "accuracy, %": f"{accuracy:.2f}", "lost, points": f"{first - accuracy:+.2f}",
        }  # fmt: skip
    name = f"{description.model} ({origin}) on {len(labels):,} images of {where}"
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(name)


def _network() -> tuple[keras.Model, Description, str]:
    """The network that ships: with its run's float32 weights where they are here, else those of the file, float16."""
    model, description = networks.rebuilt(engines.shipped().read_bytes())
    try:
        return export.network(weights.finished_run(description.record)), description, "the run's float32 weights"
    except (FileNotFoundError, ValueError):
        return model, description, "the shipped file's weights, already rounded to float16"


def _kinds(
    model: keras.Model, description: Description, sample: np.ndarray
) -> dict[str, Callable[[], tuple[int, quantise.Scores]]]:
    """What is compared; each gives the bytes of its file and what computes the scores."""
    return {
        "float32, ONNX Runtime": lambda: _onnx(export.to_bytes(model, description)),
        "float16 weights, ONNX Runtime": lambda: _onnx(export.to_bytes(model, description, half=True)),
        "int8, ONNX Runtime": lambda: quantise.onnx_int8(model, description, sample, CORES),
        "float32, LiteRT": lambda: quantise.litert(model, CORES),
        "float16 weights, LiteRT": lambda: quantise.litert(model, CORES, half=True),
        "int8, LiteRT": lambda: quantise.litert(model, CORES, sample),
    }


def _onnx(content: bytes) -> tuple[int, quantise.Scores]:
    return len(content), OnnxEngine(content, CORES)


def _data(description: Description, n_images: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Validation images and labels, 300 training images, and where they are from."""
    try:
        dataset, where = data.load(description.dataset), f"{description.dataset}'s PublicTest"
    except FileNotFoundError:
        dataset = data.load("synthetic", n_subjects=100)
        where = f"drawn faces ({description.dataset} is not here, so the accuracies mean nothing)"
    rows = np.flatnonzero(dataset.usage == "PublicTest")[:n_images]
    training = np.flatnonzero(dataset.usage == "Training")
    chosen = np.random.default_rng(0).choice(training, min(300, len(training)), replace=False)
    return dataset.images[rows], dataset.labels[rows], dataset.images[np.sort(chosen)], where


def main() -> None:
    """Measure and print; write too if asked."""
    parser = argparse.ArgumentParser(prog="python -m fer_utils.live.measurements.bench", description=__doc__)
    parser.add_argument("--record", metavar="NAME", help="also write the measurement record speed-NAME")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each timing (default: 4)")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    cv2.setNumThreads(CORES)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    where = f"{backend.device()}; {CORES} threads; load average before the start {load:.1f}"
    print(f"{where}\n", flush=True)
    made = []
    for make in (one_face, picture, lambda seconds: video(), formats):
        table = make(options.seconds).fillna("").reset_index()
        print(pages.pipes(table), flush=True)
        made.append(table.to_dict("split", index=False))
    if options.record:
        store = reports_root() / "measurements"
        records.measure(f"speed-{options.record}", store, lambda: ({"machine": where, "tables": made}, {}))


if __name__ == "__main__":
    main()
