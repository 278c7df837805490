"""Reads damaged models and videos in a process of its own, so that a crash or a hang in a library is seen from outside.

Called as `python reading_child.py FOLDER NAME...`; FOLDER/NAME holds files for the reader that the name begins with
(`video-avi`). Prints a line of JSON before each file and one after it.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import mutations
import numpy as np

FACES = np.random.default_rng(0).random((2, 48, 48, 1), dtype=np.float32)
NAMES = tuple("abcdefg")
MOST_FRAMES = 500


def model(path: Path) -> None:
    """A model file as the live demo loads it, and two faces through it."""
    from fer_utils.live.network import engines

    scores = engines.load(path, NAMES if path.suffix == ".keras" else (), threads=1)(FACES)
    assert scores.shape == (2, 7), scores.shape


def rebuilt(path: Path) -> None:
    """An ONNX file read back into Keras."""
    from fer_utils.live.network import networks

    network, description = networks.rebuilt(path.read_bytes())
    assert network.output_shape[-1] == len(description.class_names)


@functools.cache
def _tiny() -> object:
    from fer_utils import models

    return models.build("tiny")


def weights(path: Path) -> None:
    """A file of weights for a network that is there."""
    from fer_utils.models import weight_files

    weight_files.load(path, _tiny())


def video(path: Path) -> None:
    """Every frame of a video."""
    from fer_utils.live import VideoFile

    with VideoFile(path) as file:
        for frame in file:
            assert frame.image.dtype == np.uint8 and frame.image.ndim == 3 and np.isfinite(frame.time)
            if frame.index > MOST_FRAMES:
                raise AssertionError("a small file has hundreds of frames")


def picture(path: Path) -> None:
    """A picture file."""
    from fer_utils.live import read_image

    assert read_image(path).ndim == 3


def table(path: Path) -> None:
    """A table of faces, without a cache."""
    from fer_utils.data.readers import sources, tables

    for found in sources.find(path).tables:
        if found.kind == "faces":
            tables.read_faces(found, 7)


def arrays(path: Path) -> None:
    """The arrays of a record."""
    from fer_utils.records import contents

    contents.measured_arrays(path)


def answer(read: Callable[[Path], None], path: Path) -> dict[str, object]:
    """What came of one file: outcome, seconds, and by how many MiB the process grew at most."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before, start, told = _status("VmRSS"), time.monotonic(), ""
    try:
        outcome = mutations.outcome(lambda: read(path))
    except AssertionError as error:
        outcome, told = "FAULT", str(error)
    seconds = round(time.monotonic() - start, 2)
    return {
        "file": path.name, "outcome": outcome, "seconds": seconds, "mib": _status("VmHWM") - before, "told": told,
    }  # fmt: skip


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(name))


def answer_all(reader: Callable[[Path], None], folder: Path) -> None:
    """Answer for a folder's files; the sound one comes first, so that what is loaded once counts for no other."""
    for path in sorted(folder.iterdir(), key=lambda path: (not path.name.startswith("sound"), path.name)):
        print(json.dumps({"begins": str(path)}), flush=True)
        print(json.dumps({"folder": folder.name, **answer(reader, path)}), flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for module in ("live", "live.network.networks", "records", "data.readers.sources"):  # loaded once, counts for none
        importlib.import_module(f"fer_utils.{module}")
    for name in sys.argv[2:]:
        answer_all(globals()[name.partition("-")[0]], Path(sys.argv[1]) / name)
