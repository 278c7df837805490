"""What computes the scores: ONNX Runtime where it is installed, else Keras, behind one call."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from fer_utils.files import reading
from fer_utils.live import export, modelfiles
from fer_utils.live.export import Description
from fer_utils.live.modelfiles import INSTALL
from fer_utils.live.modelfiles import parsed as parsed
from fer_utils.records import Record
from fer_utils.training import weights

_REFUSED = (".pkl", ".pickle", ".pt", ".pth", ".h5", ".joblib")


class Engine(Protocol):
    """A network that is ready to run.

    Attributes:
        description: its classes, size and temperature.
        name: what runs it, in words.
    """

    description: Description
    name: str

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Scores float32 (n, k) of prepared images float32 (n, size, size, 1)."""
        ...


class OnnxEngine:
    """ONNX Runtime on the processor."""

    name = "ONNX Runtime"

    def __init__(self, content: bytes, threads: int | None = None) -> None:
        """Prepares a session.

        Args:
            content: an ONNX file that `export.to_bytes` wrote.
            threads: at most so many; None for one per core.

        Raises:
            ImportError: ONNX Runtime is not installed.
            ValueError: the file is none of this study's.
        """
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads or _cores()
        settings.inter_op_num_threads = 1
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        settings.log_severity_level = 4  # what is wrong is said in a sentence
        self.description = _of(proto := parsed(content))
        k, size = len(self.description.class_names), self.description.size
        modelfiles.check_graph(proto, size)
        try:
            self._session = onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])
            scores = self(np.zeros((1, size, size, 1), np.float32))
        except Exception as error:  # ONNX Runtime's own errors, which derive from no common one
            rule = "A model file takes `image` and gives `logits`"
            raise ValueError(f"{rule}; this one does not run ({reading.told(error)}).") from None
        if scores.shape != (1, k) or not np.isfinite(scores).all():
            raise ValueError(f"A model file takes `image` and gives {k} `logits`, one a class; this one does not.")

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """See `Engine`."""
        return self._session.run(["logits"], {"image": batch})[0]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class KerasEngine:
    """The network in Keras itself, on any of its backends."""

    name = "Keras"

    def __init__(self, model: keras.Model, description: Description) -> None:
        """Takes a network that gives scores (no softmax) as it is."""
        self._model, self.description = model, description

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """See `Engine`; a compiled step, since `predict` costs tens of milliseconds a call."""
        return np.asarray(self._model.predict_on_batch(batch))


def description_of(content: bytes) -> Description:
    """The description inside an ONNX file.

    Raises:
        ValueError: the file holds none, or is refused by `parsed`.
    """
    return _of(parsed(content))


def _of(proto: Any) -> Description:
    found = {str(entry.key): entry.value for entry in proto.metadata_props}
    if export.KEY not in found:
        raise ValueError(
            "A model file carries its classes and temperature; this ONNX file was not written by this study. "
            "Write one with: python -m fer_utils export ID --out FILE."
        )
    text = found[export.KEY]
    return Description.from_text(text if isinstance(text, str) else repr(text))  # bytes, where they are not UTF-8


def load(
    model: str | Path | Record | keras.Model | None = None,
    class_names: Sequence[str] = (),
    threads: int | None = None,
) -> Engine:
    """The engine of a model.

    Args:
        model: an `.onnx` file written by `python -m fer_utils export`; a finished run or its id; a Keras network that
            gives scores, or a `.keras` file of one; None for the network that ships with the package.
        class_names: the classes of a Keras network.
        threads: of ONNX Runtime; None for one per core.

    Raises:
        ValueError: the model is none of these.
        FileNotFoundError: there is no such file, or a run's weights are not on this machine.
        ImportError: an `.onnx` file without the package `onnx`.
    """
    if isinstance(model, keras.Model):
        return _of_network(model, _described(model, class_names), threads)
    if isinstance(model, Record):
        return _of_network(export.network(model), export.describe(model), threads)
    path = shipped() if model is None else Path(model)
    if path.suffix in (".onnx", ".keras", *_REFUSED):
        return _of_path(path, class_names, threads)
    return _of_network(export.network(run := weights.finished_run(str(model))), export.describe(run), threads)


def _of_path(path: Path, class_names: Sequence[str], threads: int | None) -> Engine:
    if path.suffix == ".onnx":
        return _of_file(_content(path), threads)
    if path.suffix == ".keras":
        found = modelfiles.network(path)
        return _of_network(found, _described(found, class_names), threads)
    raise ValueError(
        f"A model is an .onnx or .keras file or a run's id; got {path.name}. Pickled files may run any program and "
        "are never read; export the run instead: python -m fer_utils export ID --out FILE."
    )


def shipped() -> Path:
    """The network that ships with the package: trained on FER2013, or, until it exists, on synthetic faces."""
    compact = export.FOLDER / "compact.onnx"
    return compact if compact.is_file() else export.FOLDER / "synthetic.onnx"


def _content(path: Path) -> bytes:
    if not path.exists():
        raise FileNotFoundError(f"There is no model file {path}. Write it: python -m fer_utils export ID --out {path}")
    return reading.content(path, export.LARGEST_FILE)


def _of_file(content: bytes, threads: int | None) -> Engine:
    try:
        return OnnxEngine(content, threads)
    except ImportError:
        return KerasEngine(*rebuilt(content))


def rebuilt(content: bytes) -> tuple[keras.Model, Description]:
    """The Keras network, with its weights, that an exported ONNX file holds, and its description."""
    from fer_utils.live import graph

    description = description_of(content)
    if not description.model:
        raise ValueError(f"Only networks of this study can be rebuilt in Keras; this file names none. {INSTALL}")
    try:
        model = export.build(description)
        graph.read_weights(parsed(content), model)
    except Exception as error:  # options of another network, or weights that do not fit: Keras has many words for it
        rule = "A model file holds the weights of the network it names"
        raise ValueError(f"{rule}; this one does not ({reading.told(error)}).") from None
    return model, description


def _of_network(model: keras.Model, description: Description, threads: int | None) -> Engine:
    """ONNX Runtime if the network has an ONNX form here and the packages are installed, else Keras."""
    try:
        return OnnxEngine(export.to_bytes(model, description), threads)
    except (ImportError, ValueError):
        return KerasEngine(model, description)


def _described(model: keras.Model, class_names: Sequence[str]) -> Description:
    if len(class_names) != model.output_shape[-1]:
        raise ValueError(
            f"class_names name the {model.output_shape[-1]} scores of {model.name!r}; got {len(class_names)}. "
            "Pass them in the order of the scores."
        )
    size = model.input_shape[1] or 48
    return replace(Description(tuple(class_names)), size=size)
