"""Networks in `.keras` files, looked through before anything in them runs."""

from __future__ import annotations

import io
import math
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fer_utils.files import reading
from fer_utils.live.network.description import LARGEST_FILE
from fer_utils.live.network.modelfiles import MAX_VALUES
from fer_utils.models import weight_files
from fer_utils.records import schema

_REFUSED = {
    "Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "StringLookup", "IntegerLookup",
    "TextVectorization", "IndexLookup",
}  # fmt: skip
_PARTS = {"config.json", "metadata.json", "model.weights.h5"}


def network(path: Path) -> keras.Model:
    """The network in a `.keras` file: Keras's safe mode, and before it, what the file holds and claims.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: not a file of that kind, a damaged one, one with layers that run code or read files, or one that
            claims more weights than it holds.
    """
    content = reading.content(path, LARGEST_FILE)
    members = _members(content, path)
    config = schema.json_object(members["config.json"], f"{path} (config.json)")
    weight_files.check(members["model.weights.h5"], f"{path} (model.weights.h5)")
    _check_layers(config, path)
    try:
        with ThreadPoolExecutor(1) as pool:  # Keras keeps what is not initialised by thread: here it is forgotten
            pool.submit(_check_claims, config, len(members["model.weights.h5"])).result()
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # on damaged configurations Keras and its backends raise nearly every kind there is
        came = reading.one_line(error)
        raise ValueError(f"{path} must be a whole .keras file of safe layers; got {came}. Save it again.") from error


def _members(content: bytes, path: Path) -> dict[str, bytes]:
    """The three files of a `.keras` archive, by name; nothing is unpacked to the disk."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            names = sorted(info.filename for info in members)
            if names != sorted(_PARTS) or sum(info.file_size for info in members) > LARGEST_FILE:
                raise ValueError(f"the files {', '.join(names)}, together {sum(i.file_size for i in members):,} bytes")
            if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in members):
                raise ValueError("another compression than deflate")
            return {name: archive.read(name) for name in names}
    except reading.DAMAGE as error:
        raise ValueError(
            f"{path} must be a .keras file, a zip of {', '.join(sorted(_PARTS))} and of at most {LARGEST_FILE:,} bytes "
            f"(pickled files may run any program and are never read); got {reading.one_line(error)}. Save it again."
        ) from error


def _check_layers(config: Any, path: Path) -> None:
    """Refuse layers that run code from the file, or read other files, before Keras looks at any."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            name, module = str(value.get("class_name")), str(value.get("module") or "keras")
            if name in _REFUSED or module.split(".")[0] not in ("keras", "builtins", "fer_utils"):
                came = reading.one_line(f"{name} of {module}")
                raise ValueError(
                    f"{path}: layers of a .keras file neither run code nor read files; got {came}: refused. Export the "
                    "run instead: python -m fer_utils export ID --out FILE."
                )
        waiting += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _check_claims(config: Any, held: int) -> None:
    """Build the network without making its weights, and compare them with the bytes of weights that are held."""
    with keras.StatelessScope(initialize_variables=False):
        model = keras.saving.deserialize_keras_object({**config, "compile_config": None}, safe_mode=True)
    claimed = sum(math.prod(v.shape) * np.dtype(str(v.dtype)).itemsize for v in model.variables)
    largest = max(math.prod(side or 1 for side in layer.output.shape) for layer in model.layers)
    if claimed > held or largest > MAX_VALUES:
        raise ValueError(f"layers that claim {claimed:,} bytes of weights and {largest:,} numbers at one place")
