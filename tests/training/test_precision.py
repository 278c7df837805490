"""Training in mixed bfloat16: what computes in which type, that it resumes, and that what it leaves is float32."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pandas as pd
import pytest
from trainings import FACES, assert_same_to_the_bit, stopped_and_taken_up

from fer_utils import study, training
from fer_utils.data import FaceDataset, splits
from fer_utils.data.splits import SplitSpec
from fer_utils.evaluation.statistics import Interval
from fer_utils.live.network import export
from fer_utils.records import Record
from fer_utils.records.config import Phase, RunConfig
from fer_utils.report import pages
from fer_utils.report.headlines import Measured
from fer_utils.training import devices, run, setup, weights

MIXED = RunConfig(
    "tiny", "synthetic", (Phase(2, 0.02), Phase(1, 0.01)), split=SplitSpec("random", validation_size=0.3),
    dataset_options=FACES, augmentation="light", batch_size=10, head_l2=0.1, precision="mixed_bfloat16",
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(faces: FaceDataset, tmp_path_factory: pytest.TempPathFactory) -> Record:
    return run(MIXED, store=tmp_path_factory.mktemp("mixed"), dataset=faces)


def types(model: keras.Model) -> set[str]:
    return {layer.compute_dtype for layer in model.layers if layer.weights and layer.name != "logits"}


def test_layers_compute_in_bfloat16_inside_a_run_and_keep_float32(
    faces: FaceDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, fit = [], devices.fit

    def noted(model: keras.Model, *arguments: Any) -> Any:
        models.append(model)
        return fit(model, *arguments)

    monkeypatch.setattr(devices, "fit", noted)
    for precision, expected in (("mixed_bfloat16", "bfloat16"), ("float32", "float32")):
        record = run(replace(MIXED, precision=precision, phases=MIXED.phases[:1]), store=tmp_path, dataset=faces)
        model = models[-1]
        assert types(model) == {expected}
        assert {v.dtype for v in model.weights} == {"float32"}
        counted = {"seed_generator_state", "iteration"}
        assert {v.dtype for v in model.optimizer.variables if v.name not in counted} == {"float32"}
        assert model.get_layer("logits").compute_dtype == model.output.dtype == "float32"
        assert model.loss.dtype == model.losses[0].dtype == "float32"
        assert keras.config.dtype_policy().name == "float32", "a run leaves the process as it was"
        assert record.config.precision == precision
    losses = [pd.read_csv(path)["loss"] for path in sorted(tmp_path.glob("*/history.csv"))]
    assert len(losses) == 2 and not np.array_equal(*losses), "bfloat16 was asked for and float32 was trained"
    np.testing.assert_allclose(*losses, rtol=0.1)


@pytest.mark.survival
def test_a_run_that_was_stopped_ends_the_same_to_the_bit(
    trained: Record, faces: FaceDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again, begun = stopped_and_taken_up(MIXED, faces, tmp_path, monkeypatch, at=2)
    assert begun == 4, "one epoch, one that was stopped, and the two that were left"
    assert_same_to_the_bit(trained, again, "best_validation", "last")


def test_what_it_leaves_is_the_float32_network(trained: Record, faces: FaceDataset, tmp_path: Path) -> None:
    network = weights.rebuild(trained, "last")
    assert types(network) == {"float32"}
    rows = splits.make(faces, MIXED.split).validation
    logits = training.predict_logits(network, faces.images, rows=rows)
    stored = trained.predictions("validation", "last")[1]
    np.testing.assert_array_equal(logits.astype(np.float16), stored)
    mixed = setup.build(MIXED, 7)
    mixed.set_weights(network.get_weights())
    assert not np.array_equal(training.predict_logits(mixed, faces.images, rows=rows).astype(np.float16), stored)
    exported = onnx.load(export.export(trained, tmp_path / "mixed.onnx", "last", half=False)).graph
    kinds = {tensor.data_type for tensor in exported.initializer}
    assert onnx.TensorProto.FLOAT in kinds and onnx.TensorProto.BFLOAT16 not in kinds
    assert not [node for node in exported.node if node.op_type == "Cast"]


def test_it_is_shown_beside_a_budget(trained: Record) -> None:
    assert pages._budget([trained]) == "2 + 1 epochs, bfloat16"
    interval = Interval(0.5, 0.4, 0.6, 0.95, 10, "Wilson")
    about = Measured(interval, "last", {}, np.nan, 1, 1, 3, 5, "", "a machine", 0.1, (trained,))
    assert about.note == "last epoch, n = 10, 1 seed, 3 of 5 epochs, bfloat16"
    assert about.short == "n = 10, 3 of 5 epochs, bfloat16"
    assert study.listing([trained])["precision"].tolist() == ["bfloat16"]
    assert MIXED.precision_note == ", bfloat16" and replace(MIXED, precision="float32").precision_note == ""
