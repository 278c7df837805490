"""Networks in Keras: those of runs and `.keras` files made ready for the recognizer, and shipped ones read back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from fer_utils.files import reading
from fer_utils.live.network import export, graph, kerasfiles, modelfiles
from fer_utils.live.network.description import Description
from fer_utils.live.network.engines import Engine
from fer_utils.records import Record
from fer_utils.training import weights


class KerasEngine:
    """The network in Keras itself, on any of its backends."""

    name = "Keras"

    def __init__(self, model: keras.Model, description: Description) -> None:
        """Takes a network that gives scores (no softmax) as it is."""
        self._model, self.description = model, description

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """See `Engine`; a compiled step, since `predict` costs tens of milliseconds a call."""
        return np.asarray(self._model.predict_on_batch(batch))


def engine(
    model: str | Path | Record | keras.Model, class_names: Sequence[str], by_onnx: Callable[[bytes], Engine]
) -> Engine:
    """The engine of a run, its id, a Keras network or a `.keras` file; see `engines.load`.

    Args:
        model: which.
        class_names: the classes of a Keras network.
        by_onnx: makes an engine of an ONNX file's bytes; Keras is the engine where a network has no ONNX form here.
    """
    if not isinstance(model, (Record, keras.Model)):
        model = kerasfiles.network(Path(model)) if Path(model).suffix == ".keras" else weights.finished_run(str(model))
    if isinstance(model, Record):
        model, description = export.network(model), export.describe(model)
    else:
        description = _of_keras(model, class_names)
    try:
        return by_onnx(export.to_bytes(model, description))
    except (ImportError, ValueError):
        return KerasEngine(model, description)


def rebuilt(content: bytes) -> tuple[keras.Model, Description]:
    """The Keras network, with its weights, that an exported ONNX file holds, and its description."""
    proto = modelfiles.parsed(content)
    description = modelfiles.description(proto)
    if not description.model:
        raise ValueError("Only networks of this study can be rebuilt in Keras; this file names none. Use another.")
    try:
        model = export.build(description)
        graph.read_weights(proto, model)
    except Exception as error:  # options of another network, or weights that do not fit: Keras has many words for it
        rule = "A model file holds the weights of the network it names"
        raise ValueError(f"{rule}; this one does not ({reading.one_line(error)}).") from None
    return model, description


def _of_keras(model: keras.Model, class_names: Sequence[str]) -> Description:
    if len(class_names) != model.output_shape[-1]:
        raise ValueError(
            f"class_names name the {model.output_shape[-1]} scores of {model.name!r}; got {len(class_names)}. "
            "Pass them in the order of the scores."
        )
    return replace(Description(tuple(class_names)), size=model.input_shape[1] or 48)
