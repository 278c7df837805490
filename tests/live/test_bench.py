"""`make bench` and smaller number formats, on the smallest network."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest

from fer_utils import models
from fer_utils.live.measurements import bench
from fer_utils.live.network import export, networks, quantise
from fer_utils.live.network.description import Description
from fer_utils.report import pages

pytest.importorskip("onnxruntime")
FACES = np.random.default_rng(0).random((20, 48, 48, 1), dtype=np.float32)


@pytest.fixture(scope="module")
def shipped() -> tuple[keras.Model, Description]:
    return networks.rebuilt((export.FOLDER / "synthetic.onnx").read_bytes())


def test_int8_of_onnx_runtime_is_smaller_and_agrees(shipped: tuple[keras.Model, Description]) -> None:
    size, scores = quantise.onnx_int8(*shipped, FACES, 1)
    expected = shipped[0].predict_on_batch(FACES)
    assert size < 0.5 * len(export.to_bytes(*shipped))
    assert np.corrcoef(scores(FACES).ravel(), expected.ravel())[0, 1] > 0.98


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="LiteRT is exported from TensorFlow")
def test_litert_in_three_formats(shipped: tuple[keras.Model, Description]) -> None:
    pytest.importorskip("ai_edge_litert")
    expected = shipped[0].predict_on_batch(FACES[:4])
    whole, half, eighth = (
        quantise.litert(shipped[0], 1, **options) for options in ({}, {"half": True}, {"images": FACES})
    )
    np.testing.assert_allclose(whole[1](FACES[:4]), expected, atol=1e-4)
    np.testing.assert_allclose(half[1](FACES[:4]), expected, atol=0.05)
    assert np.corrcoef(eighth[1](FACES[:4]).ravel(), expected.ravel())[0, 1] > 0.98
    assert eighth[0] < 0.5 * whole[0] and half[0] < 0.6 * whole[0]


def test_another_backend_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ImportError, match="needs the TensorFlow backend"):
        quantise.litert(models.build("tiny"), 1)


def test_timing_counts_calls_and_the_clip_holds_its_faces() -> None:
    calls: list[int] = []
    median, p95, n = bench.timed(lambda: calls.append(1), seconds=0.0, warm=3)
    assert n == 20 and len(calls) == 23 and 0 <= median <= p95
    frames = bench.clip(8, 3)
    assert [frame.time for frame in frames] == [0, 1 / 30, 2 / 30] and frames[0].image.shape == (480, 640, 3)
    assert (frames[0].image != frames[2].image).any()


def test_tables_are_markdown() -> None:
    table = pd.DataFrame({"ms": ["1.0", None]}, index=pd.Index(["a", "b"], name="network"))
    written = pages.pipes(table.fillna("").reset_index())
    assert written == "| network | ms |\n| --- | --- |\n| a | 1.0 |\n| b |  |\n"
