"""What the live demo costs beside its speed, and what other parts would bring.

Memory, folders of pictures, an explanation beside each answer; detectors on photographs; weights set to zero. Times are
of the processor, all threads added up, so that a busy machine measures nearly the same. Nothing is written unless
`--record` asks for it. Pictures are read, never kept.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd

from fer_utils import models, records
from fer_utils.data import augmentation
from fer_utils.evaluation import metrics
from fer_utils.files.paths import reports_root
from fer_utils.live.detection import detectors
from fer_utils.live.faces import Box, overlap
from fer_utils.live.images import read_image
from fer_utils.live.interface import predict
from fer_utils.live.measurements import bench
from fer_utils.live.network import engines, export
from fer_utils.live.network.description import Description
from fer_utils.live.network.engines import Engine, OnnxEngine
from fer_utils.live.recognizer import EmotionRecognizer
from fer_utils.training import backend

PATCH, STRIDE = 12, 6
"""Side and step of the square that covers a place of a face, as in `analysis.trained_networks`."""
PRUNED = (0.0, 0.25, 0.5, 0.75, 0.9)
"""Shares of each layer's weights that are set to zero, the smallest first."""
MATCH = 0.4
"""Least intersection over union of a box that found a face: detectors cut faces differently."""

_CHILD = """
import sys
import numpy as np
from fer_utils.live.network.engines import OnnxEngine

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

before, content = peak(), open(sys.argv[1], "rb").read()
engine = OnnxEngine(content, 2)
size = engine.description.size
for _ in range(50):
    engine(np.zeros((1, size, size, 1), np.float32))
print(before, peak())
"""


def memory() -> pd.DataFrame:
    """Peak memory of a fresh process that classifies one face after another with ONNX Runtime; Linux only."""
    rows = {}
    names = tuple("abcdefg")
    contents = {f"{engines.shipped().stem} (ships)": engines.shipped().read_bytes()}
    contents |= {name: export.to_bytes(models.build(name), Description(names)) for name in bench.NETWORKS}
    for name, content in contents.items():
        before, peak = _peak(content)
        rows[name] = {
            "whole process, MB": f"{peak / 1024:.0f}", "of it network and runtime, MB": f"{(peak - before) / 1024:.0f}",
            "file, MB": f"{len(content) / 2**20:.1f}",
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("memory at inference")


def _peak(content: bytes) -> tuple[int, int]:
    """Peak resident memory in KiB before and after a network was loaded and used, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        path.write_bytes(content)
        done = subprocess.run([sys.executable, "-c", _CHILD, str(path)], capture_output=True, text=True, check=True)
    before, peak = map(int, done.stdout.split()[-2:])
    return before, peak


def folder(n_pictures: int = 200) -> pd.DataFrame:
    """`predict` on a folder of pictures with one face each: reading, finding, classifying, drawing, writing."""
    picture = read_image(bench._PICTURE)
    with tempfile.TemporaryDirectory() as where:
        source = Path(where) / "pictures"
        source.mkdir()
        for number in range(n_pictures):
            cv2.imwrite(str(source / f"{number:04d}.jpg"), np.roll(picture, number, axis=1))
        recognizer = EmotionRecognizer(threads=bench.CORES)
        start = time.process_time()
        with redirect_stdout(StringIO()):
            code = predict.predict([source], Path(where) / "out", recognizer)
        seconds = time.process_time() - start
        n_faces = len((Path(where) / "out" / predict.TABLE).read_text().splitlines()) - 1
    size = f"{picture.shape[1]} x {picture.shape[0]}"
    row = {
        "processor ms a picture": f"{1000 * seconds / n_pictures:.0f}",
        "pictures a processor second": f"{n_pictures / seconds:.1f}", "faces found": n_faces, "exit code": code,
    }  # fmt: skip
    return pd.DataFrame([row], index=pd.Index([f"{n_pictures} pictures of {size}"], name="folder"))


def explanation(n_calls: int = 100) -> pd.DataFrame:
    """A map of what an answer rests on, made beside it: the face once more for every place that a square covers."""
    engine = OnnxEngine(engines.shipped().read_bytes(), bench.CORES)
    face = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    calls = (lambda: engine(augmentation.prepare(face[None])), lambda: covered(engine, face))
    alone, mapped = (_processor_ms(call, n_calls) for call in calls)
    row = {
        "answer alone, processor ms": f"{alone:.2f}", "with its map, processor ms": f"{mapped:.1f}",
        "squares": f"{covered(engine, face)[1].size}",
    }  # fmt: skip
    return pd.DataFrame([row], index=pd.Index([f"{engines.shipped().stem} (ships)"], name="explanation"))


def _processor_ms(call: Callable[[], object], n_calls: int) -> float:
    """Mean processor time of a call, after one that is not counted."""
    call()
    start = time.process_time()
    for _ in range(n_calls):
        call()
    return 1000 * (time.process_time() - start) / n_calls


def covered(engine: Engine, face: np.ndarray) -> tuple[int, np.ndarray]:
    """The answer for a face and how far its score falls when a grey square covers a place (occlusion).

    Args:
        engine: a network.
        face: uint8 (h, w).

    Returns:
        The class, and float32 (r, r): score without less score with the square.
    """
    starts = range(0, len(face) - PATCH + 1, STRIDE)
    versions = np.repeat(face[None], len(starts) ** 2 + 1, axis=0)
    for number, (top, left) in enumerate((t, x) for t in starts for x in starts):
        versions[number + 1, top : top + PATCH, left : left + PATCH] = round(face.mean())
    scores = engine(augmentation.prepare(versions))
    answer = int(scores[0].argmax())
    return answer, (scores[0, answer] - scores[1:, answer]).reshape(len(starts), len(starts))


def pruned(model: keras.Model, share: float) -> keras.Model:
    """A copy of a network whose kernels have their smallest weights set to zero, layer by layer; nothing is retrained.

    Args:
        model: the network; it stays as it is.
        share: of each kernel's weights, in [0, 1).

    Raises:
        ValueError: a share outside.
    """
    if not 0 <= share < 1:
        raise ValueError(f"A share of weights to set to zero lies in [0, 1); got {share}.")
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for variable in copy.trainable_variables:
        if len(variable.shape) > 1:
            kernel = keras.ops.convert_to_numpy(variable)
            least = np.quantile(np.abs(kernel), share)
            variable.assign(np.where(np.abs(kernel) < least, 0, kernel))
    return copy


def pruning(n_images: int | None = None) -> pd.DataFrame:
    """Accuracy of the network that ships on its validation images, as weights are set to zero."""
    model, description, origin = bench._network()
    images, labels, _, where = bench._data(description, n_images)
    batch, rows, first = augmentation.prepare(images), {}, None
    for share in PRUNED:
        scores = pruned(model, share).predict(batch, batch_size=128, verbose=0)
        accuracy = 100 * float(np.mean(metrics.predict(scores) == labels))
        first = accuracy if first is None else first
        rows[f"{share:.0%} of weights zero"] = {
            "accuracy, %": f"{accuracy:.2f}", "lost, points": f"{first - accuracy:+.2f}",
        }  # fmt: skip
    name = f"pruning {description.model} ({origin}), {len(labels):,} images of {where}"
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(name)


def detection(photos: Path, yunet: Path) -> pd.DataFrame:
    """Detectors on photographs with known faces, `boxes.csv` beside them: file, x, y, width, height.

    Raises:
        FileNotFoundError: no such table or photograph.
        ValueError: another file than YuNet's.
    """
    truth = pd.read_csv(photos / "boxes.csv")
    known = {name: [Box(*row) for row in group.to_numpy().tolist()] for name, group in _boxes(truth)}
    pictures = {name: read_image(photos / name) for name in known}
    rows = {}
    for name, detector in {
        "Haar, scale 1.3, 5 neighbours (xavengers2025)": detectors.Haar(1.3, 5), "Haar (here)": detectors.Haar(),
        "YuNet": detectors.YuNet(yunet), "RetinaFace (default)": detectors.get("retinaface", bench.CORES),
    }.items():  # fmt: skip
        found, false, start = 0, 0, time.process_time()
        for file, boxes in known.items():
            seen = detectors.detect(detector, pictures[file], 640)
            hits = sum(any(overlap(box, other) >= MATCH for other in seen) for box in boxes)
            found, false = found + hits, false + sum(all(overlap(s, box) < MATCH for box in boxes) for s in seen)
        rows[name] = {
            "faces found": f"{found} of {len(truth)}", "false boxes": false,
            "processor ms a photograph": f"{1000 * (time.process_time() - start) / len(known):.0f}",
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(f"detection, {len(known)} photographs at 640 px")


def _boxes(truth: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for name, group in truth.groupby("file"):
        yield str(name), group[["x", "y", "width", "height"]]


def main() -> None:
    """Measure and print; write too if asked."""
    parser = argparse.ArgumentParser(prog="python -m fer_utils.live.measurements.costs", description=__doc__)
    parser.add_argument("--record", metavar="NAME", help="also write the measurement record costs-NAME")
    parser.add_argument("--photos", type=Path, help="folder of photographs with boxes.csv, to compare detectors")
    parser.add_argument("--yunet", type=Path, help="YuNet's file, for the same")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: bench.CORES])
    cv2.setNumThreads(bench.CORES)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    where = f"{backend.device()}; {bench.CORES} threads; load average before the start {load:.1f}"
    parts: list[Callable[[], pd.DataFrame]] = [memory, folder, explanation, pruning]
    if options.photos and options.yunet:
        parts.append(lambda: detection(options.photos, options.yunet))
    made = []
    for make in parts:
        made.append(make().fillna("").reset_index().to_dict("split", index=False))
        print(pd.DataFrame(**made[-1]).to_string(index=False), end="\n\n", flush=True)
    if options.record:
        store = reports_root() / "measurements"
        records.measure(f"costs-{options.record}", store, lambda: ({"machine": where, "tables": made}, {}))


if __name__ == "__main__":
    main()
