"""Thousands of damaged files: each is read or refused in one sentence of ours, in time and without a crash."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import mutations
import numpy as np
import pytest
import readers

from fer_utils import models
from fer_utils.live.network import export
from fer_utils.live.network.description import Description
from fer_utils.training import checkpoint

CHILD = Path(__file__).parent / "reading_child.py"
COPIES = {"tables": 100, "folders": 150, "pictures": 100, "records": 60, "caches": 200, "descriptions": 200}
"""Damaged copies of each sound file of a kind: 2,900 in all."""

MODELS = ("model-keras", "weights-h5", "model-onnx", "rebuilt-onnx")
CODECS = {"avi": "MJPG", "mp4": "mp4v", "webm": "VP80", "mkv": "XVID"}
VIDEOS, NETWORKS, ARCHIVES = 80, 120, 60
MOST_MIB = 64
"""By how many MiB a reader of small files may grow."""


@pytest.mark.parametrize("kind", readers.KINDS)
def test_damaged_input(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))
    found = readers.hold(kind, COPIES[kind], 2, tmp_path)
    print(kind, dict(found))
    assert found["read"] and found.total() >= COPIES[kind]


Job = tuple[str, bytes, int, tuple[Callable[..., bytes], ...]]
"""A file's ending, sound content, how many damaged copies, and how to damage it besides by bytes."""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What a process of its own said about models and videos, by name."""
    folder = tmp_path_factory.mktemp("damaged")
    names = jobs(tmp_path_factory.mktemp("sound"))
    for name, (suffix, content, n, structured) in names.items():
        (folder / name).mkdir()
        (folder / name / f"sound{suffix}").write_bytes(content)
        for number, copy in enumerate(mutations.many(content, n, 3, *structured)):
            (folder / name / f"{number:04}{suffix}").write_bytes(copy)
    call = [sys.executable, str(CHILD), str(folder), *names]
    done = subprocess.run(call, capture_output=True, text=True, errors="replace", timeout=500)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, f"the process died at {lines[-1:]}: {done.stderr[-2000:]}"
    found = [line for line in lines if "outcome" in line]
    return {name: [line for line in found if line["folder"] == name] for name in names}


@pytest.mark.parametrize("name", [*(f"video-{suffix}" for suffix in CODECS), *MODELS])
def test_damaged_models_and_videos(name: str, answers: dict[str, list[dict[str, Any]]]) -> None:
    if name not in answers:
        pytest.skip("this OpenCV writes no such videos, or ONNX is not installed")
    told = answers[name]
    seconds, mib = (max(answer[key] for answer in told[1:]) for key in ("seconds", "mib"))
    outcomes = Counter(answer["outcome"] for answer in told)
    print(name, dict(outcomes), f"at most {seconds} s and {mib} MiB")
    assert told[0]["outcome"] == "read", "the sound file"
    assert not [f"{answer['file']}: {answer['told']}" for answer in told if answer["outcome"] == "FAULT"]
    assert outcomes["read"] and outcomes["refused"] and mib <= MOST_MIB


def jobs(folder: Path) -> dict[str, Job]:
    """What is read in a process of its own."""
    found: dict[str, Job] = {}
    for suffix, codec in CODECS.items():
        if content := clip(folder / f"clip.{suffix}", codec):
            further = () if suffix == "webm" else (_absurd,)  # VP8 has its own size, up to 16,383 pixels a side
            found[f"video-{suffix}"] = (f".{suffix}", content, VIDEOS, further)
    network = models.build("tiny")
    network.save(folder / "a.keras")
    checkpoint.save_weights(network, folder / "a.weights.h5")
    found["model-keras"] = (".keras", (folder / "a.keras").read_bytes(), ARCHIVES, (_members, _members))
    found["weights-h5"] = (".weights.h5", (folder / "a.weights.h5").read_bytes(), NETWORKS, ())
    if find_spec("onnx") and find_spec("onnxruntime"):
        content = export.to_bytes(network, Description(tuple("abcdefg"), 1.2, model="tiny"))
        found |= dict.fromkeys(("model-onnx", "rebuilt-onnx"), (".onnx", content, NETWORKS, (_operators,)))
    return found


def clip(path: Path, codec: str) -> bytes:
    """Eight small frames; empty if this OpenCV cannot write them."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10, (64, 48))
    if not writer.isOpened():
        return b""
    rng = np.random.default_rng(0)
    for number in range(8):
        writer.write(rng.integers(0, 60, (48, 64, 3), dtype=np.uint8) + np.uint8(16 * number))
    writer.release()
    return path.read_bytes()


def _absurd(content: bytes, rng: random.Random) -> bytes:
    """The frames' width or height, wherever it stands, replaced by an absurd one."""
    form, order = rng.choice((2, 4)), rng.choice(("little", "big"))
    side, huge = rng.choice((64, 48)), rng.choice((60_000, 32_767, 0))
    return content.replace(side.to_bytes(form, order), huge.to_bytes(form, order), rng.choice((1, 2, -1)))


def _operators(content: bytes, rng: random.Random) -> bytes:
    """An ONNX file whose messages are whole and do not fit together."""
    import onnx

    proto = onnx.load_model_from_string(content)
    node, tensor = rng.choice(proto.graph.node), rng.choice(proto.graph.initializer)
    odd = (-1, 0, 1, 7, 60_000, 2**40)
    change = rng.randrange(7)
    if change == 0:
        proto.graph.node.remove(node)
    elif change == 1:
        node.op_type = rng.choice(("Relu", "Conv", "Concat", "MatMul", "ConstantOfShape", "Tile", "Loop", "x", ""))
    elif change == 2:
        node.input[0] = rng.choice([name for other in proto.graph.node for name in other.input] + ["", "x"])
    elif change == 3 and node.attribute:
        node.attribute[0].ints[:] = [rng.choice(odd) for _ in node.attribute[0].ints]
    elif change == 4:
        tensor.dims[0] = rng.choice(odd)
    elif change == 5:
        tensor.raw_data = mutations.damaged(tensor.raw_data, rng)
    else:
        tensor.data_type = rng.choice((1, 2, 7, 8, 10, 99))
    return proto.SerializeToString()


def _members(content: bytes, rng: random.Random) -> bytes:
    """A `.keras` archive that is whole and holds damaged files."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(members))
    change = mutations.damaged_json if name.endswith(".json") and rng.random() < 0.8 else mutations.damaged
    members[name] = change(members[name], rng)
    return mutations.zipped(list(members.items()))
