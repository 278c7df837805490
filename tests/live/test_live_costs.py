"""What the live demo costs: maps by covering, weights set to zero, memory of a process, detectors on a photograph."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from fer_utils.data import augmentation
from fer_utils.live.images import read_image
from fer_utils.live.measurements import bench, costs
from fer_utils.live.network import export, networks

pytest.importorskip("onnxruntime")
SMALL = (export.FOLDER / "synthetic.onnx").read_bytes()


class Corner:
    """Scores 0 by the brightness of the upper left corner alone."""

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        return np.stack([1 + batch[:, :12, :12, 0].mean(axis=(1, 2)), np.ones(len(batch))], axis=1)


def test_a_map_falls_where_the_score_comes_from() -> None:
    face = np.zeros((48, 48), np.uint8)
    face[:12, :12] = 250
    answer, drops = costs.covered(Corner(), face)
    assert answer == 0 and drops.shape == (7, 7) and drops.argmax() == 0
    assert abs(drops[3:, 3:]).max() < 1e-6 and drops[0, 0] > 0.5


def test_pruning_zeroes_the_smallest_weights_and_leaves_the_network_alone() -> None:
    model, _ = networks.rebuilt(SMALL)
    before = [weights.copy() for weights in model.get_weights()]
    half = costs.pruned(model, 0.5)
    for kernel, cut in zip(before, half.get_weights(), strict=True):
        kept = cut != 0
        if kernel.ndim > 1 and kernel.size > 100:
            assert 0.4 < kept.mean() < 0.6
            assert np.abs(kernel[kept]).min() >= np.abs(kernel[~kept]).max()
        np.testing.assert_array_equal(cut[kept], kernel[kept])
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    faces = augmentation.prepare(np.random.default_rng(0).integers(0, 256, (4, 48, 48), np.uint8))
    np.testing.assert_allclose(
        costs.pruned(model, 0.0).predict_on_batch(faces), model.predict_on_batch(faces), atol=1e-5
    )
    with pytest.raises(ValueError, match=r"lies in \[0, 1\); got 1"):
        costs.pruned(model, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_memory_is_that_of_another_process() -> None:
    before, peak = costs._peak(SMALL)
    assert 20_000 < before <= peak < 4_000_000  # KiB


def test_detectors_are_counted_against_known_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = read_image(bench._PICTURE)
    cv2.imwrite(str(tmp_path / "one.png"), picture)
    columns, known = ["file", "x", "y", "width", "height"], [(165, 55, 120, 130), (10, 400, 40, 40)]
    boxes = pd.DataFrame([("one.png", *box) for box in known], columns=columns)
    boxes.to_csv(tmp_path / "boxes.csv", index=False)
    monkeypatch.setattr(costs.detectors, "YuNet", lambda path: costs.detectors.Haar())
    table = costs.detection(tmp_path, tmp_path / "none")
    assert (table["faces found"] == "1 of 2").all() and len(table) == 4
    assert (table["false boxes"] >= 0).all()
