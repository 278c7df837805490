"""From a finished run to one file that the live demo runs: network, weights, classes and temperature."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras

from fer_utils import models
from fer_utils.evaluation import calibration
from fer_utils.files.writing import atomic
from fer_utils.live.network.description import FOLDER, KEY, Description
from fer_utils.records import Record
from fer_utils.records.config import Phase, RunConfig
from fer_utils.training import weights

_LICENCE = {
    "synthetic": "Trained on drawn faces; MIT like the code that draws them.",
    "fer2013": "Trained on FER2013, a dataset for research; holds none of its pictures. For research and teaching.",
    "ferplus": "Trained on FER2013 with FER+ labels; holds none of its pictures. For research and teaching.",
    "ckplus": "Trained on CK+48, a dataset for research; holds none of its pictures. For research and teaching.",
    "folders": "Trained on somebody's own pictures, and holds none of them; whoever made it decides what it is for.",
}


def describe(record: Record, kept: str | None = None) -> Description:
    """The description of a finished run, with the temperature fitted on its stored *validation* predictions."""
    config, kept = record.config, kept or record.kept[0]
    found = Description(
        record.class_names, 1.0, 48, config.model, config.network_options, record.id, config.dataset,
        "none: the run has no validation part", _LICENCE.get(config.dataset, ""),
    )  # fmt: skip
    if not record.run["split"].get("validation"):
        return found
    fitted = calibration.temperature(*record.predictions("validation", kept))
    how = f"temperature, fitted on {record.run['split']['validation']:,} validation images"
    return replace(found, temperature=fitted, calibration=how)


def network(record: Record, kept: str | None = None) -> keras.Model:
    """The trained network of a run, for images of 48 x 48 pixels.

    Raises:
        FileNotFoundError: its weights are not on this machine; the message says how to get them.
    """
    trained = weights.rebuild(record, kept)
    if trained.input_shape[1] is not None:
        return trained
    fixed = build(describe(record, kept))  # trained at several sizes
    fixed.set_weights(trained.get_weights())
    return fixed


def build(description: Description) -> keras.Model:
    """The untrained network of a description."""
    options = {name: value for name, value in description.model_options.items() if name != "weights"}
    return models.build(description.model, len(description.class_names), description.size, **options)


def to_bytes(model: keras.Model, description: Description, half: bool = False) -> bytes:
    """An ONNX file that holds a network and its description; see `graph.to_onnx`."""
    from fer_utils.live.network import graph

    return graph.to_onnx(model, {KEY: description.to_text()}, half).SerializeToString()


def export(record: Record, out: Path | None = None, kept: str | None = None, half: bool = True) -> Path:
    """Write the ONNX file of a finished run.

    Args:
        record: the run; its weights must be on this machine.
        out: the file; default: the one that ships with the package, named after the network, or `synthetic.onnx`.
        kept: which kept epoch; default: the run's first.
        half: kernels as float16 (half the size; arithmetic stays float32), else float32.

    Returns:
        The file.
    """
    name = "synthetic" if record.config.dataset == "synthetic" else record.config.model
    out = out or FOLDER / f"{name}.onnx"
    content = to_bytes(network(record, kept), describe(record, kept), half)
    with atomic(out) as file:
        file.write(content)
    return out


def synthetic_run() -> RunConfig:
    """The run behind `synthetic.onnx`: `tiny` on drawn faces, under a minute on one core."""
    return RunConfig(
        model="tiny", dataset="synthetic", dataset_options={"n_subjects": 80}, phases=(Phase(12, 3e-3, "cosine"),),
        augmentation="light", batch_size=64, score_test=True,
    )  # fmt: skip
