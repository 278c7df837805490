"""What computes the scores: ONNX Runtime, or Keras for what has no ONNX form, behind one call."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import onnxruntime

from fer_utils.files import reading
from fer_utils.live.network.description import FOLDER, LARGEST_FILE, Description, described

if TYPE_CHECKING:
    import keras

    from fer_utils.records import Record

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


def session(content: bytes, threads: int | None = None) -> onnxruntime.InferenceSession:
    """ONNX Runtime on the processor, with a network in the bytes of an ONNX file.

    Args:
        content: the file's bytes.
        threads: at most so many; None for one per core.
    """
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads or _cores()
    settings.inter_op_num_threads = 1
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    settings.log_severity_level = 4  # what is wrong is said in a sentence
    return onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])


class OnnxEngine:
    """ONNX Runtime on the processor."""

    name = "ONNX Runtime"

    def __init__(self, content: bytes, threads: int | None = None, trusted: bool = False) -> None:
        """Prepares a session.

        Args:
            content: an ONNX file that `export.to_bytes` wrote.
            threads: at most so many; None for one per core.
            trusted: whether the file came with this package; others are looked through before anything in them runs.

        Raises:
            ImportError: the file is not trusted, and the package onnx is not installed.
            ValueError: the file is none of this study's.
        """
        if not trusted:
            _check(content)
        try:
            self._session = session(content, threads)
        except Exception as error:  # ONNX Runtime's own errors, which derive from no common one
            raise _unusable(error) from None
        self.description = described(self._session.get_modelmeta().custom_metadata_map)
        k, size = len(self.description.class_names), self.description.size
        try:
            scores = self(np.zeros((1, size, size, 1), np.float32))
        except Exception as error:
            raise _unusable(error) from None
        if scores.shape != (1, k) or not np.isfinite(scores).all():
            raise ValueError(f"A model file takes `image` and gives {k} `logits`, one a class; this one does not.")

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """See `Engine`."""
        return self._session.run(["logits"], {"image": batch})[0]


def _check(content: bytes) -> None:
    """Refuse a file that is none of this study's before anything in it runs."""
    from fer_utils.live.network import modelfiles

    proto = modelfiles.parsed(content)
    modelfiles.check_graph(proto, modelfiles.description(proto).size)


def _unusable(error: Exception) -> ValueError:
    return ValueError(
        f"A model file takes `image` and gives `logits`; this one does not run ({reading.one_line(error)})."
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
        ImportError: the model needs a package that is not installed; the message names it.
    """
    if class_names and (model is None or (isinstance(model, (str, Path)) and Path(model).suffix == ".onnx")):
        raise ValueError(
            f"class_names are those of a Keras network; got {', '.join(class_names)} for a file that has its own. "
            "Leave them out."
        )
    if model is None:
        return OnnxEngine(shipped().read_bytes(), threads, trusted=True)
    if isinstance(model, (str, Path)) and Path(model).suffix == ".onnx":
        path = Path(model)
        return OnnxEngine(_content(path), threads, trusted=path.resolve().parent == FOLDER.resolve())
    if isinstance(model, (str, Path)) and Path(model).suffix in _REFUSED:
        raise ValueError(
            f"A model is an .onnx or .keras file or a run's id; got {Path(model).name}. Pickled files may run any "
            "program and are never read; export the run instead: python -m fer_utils export ID --out FILE."
        )
    try:
        from fer_utils.live.network import networks
    except ImportError as error:
        raise ImportError(
            f"A run or a Keras network needs the study's libraries ({reading.one_line(error)}). Install them with: "
            "python -m pip install '.[study,tensorflow]' in a clone. An exported .onnx file needs none of them."
        ) from error
    return networks.engine(model, class_names, partial(OnnxEngine, threads=threads, trusted=True))


def shipped() -> Path:
    """The network that ships with the package: trained on FER2013, or, until it exists, on synthetic faces."""
    compact = FOLDER / "compact.onnx"
    return compact if compact.is_file() else FOLDER / "synthetic.onnx"


def _content(path: Path) -> bytes:
    if not path.exists():
        raise FileNotFoundError(f"There is no model file {path}. Write it: python -m fer_utils export ID --out {path}")
    return reading.content(path, LARGEST_FILE)
