"""Weights on this disk: where they lie, networks rebuilt with them, and trainings that start from them.

Weights are not committed. They lie beside the record of a run that was trained on this machine, or in
`reports/quick/reruns/` after `python -m fer_utils rerun ID`. Of a network that later work starts from, `keep` writes
them rounded to float16 into the record's folder, small enough to be committed; they are used where the exact ones are
not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import keras
import numpy as np

from fer_utils import records
from fer_utils.files.paths import reports_root, store_for
from fer_utils.files.reading import regular
from fer_utils.files.writing import replacing
from fer_utils.models import weight_files
from fer_utils.records import Record
from fer_utils.records.config import RunConfig
from fer_utils.training import checkpoint, setup

LIMIT = 10_000_000
"""Bytes of rounded weights that are committed at most."""


def finished_run(identifier: str, store: Path | None = None) -> Record:
    """The finished run of that id, with or without weights.

    Args:
        identifier: a run's id.
        store: looked in first; then the stores of real data, of drawn faces and of pictures of one's own.

    Raises:
        ValueError: there is no such run.
    """
    stores = [store] if store else []
    stores += [store_for(name) for name in ("fer2013", "synthetic", "folders")]
    named = bool(identifier) and Path(identifier).name == identifier  # a record's words lead nowhere else
    for folder in stores if named else ():
        if records.is_done(folder / identifier):
            return Record(folder / identifier)
    known = ", ".join(map(str, dict.fromkeys(stores)))
    raise ValueError(
        f"A run is named by its id; got {identifier!r}, which is in none of {known}. "
        "Train it first, or correct it (`python -m fer_utils runs` lists what there is; a file's name ends in .onnx)."
    )


def path(record: Record, kept: str | None = None) -> Path:
    """The weights file of a kept epoch: beside the record, else that of a rerun, else the rounded one (`keep`).

    Args:
        record: a finished run.
        kept: name of the kept epoch; None for its first.

    Raises:
        ValueError: the run did not keep that epoch.
        FileNotFoundError: the file is not on this machine; the message says how to get it.
    """
    kept = kept or record.kept[0]
    try:
        return record.weights(kept)
    except FileNotFoundError:
        for folder in sorted((reports_root() / "quick/reruns").glob(f"*/{record.id}")):
            found = Record(folder)
            if records.is_done(folder) and _file(found, kept).is_file():
                return _file(found, kept)
        rounded = records.half_path(record.path, kept, record.run["kept_epochs"][kept])
        if rounded.is_file():
            return rounded
        raise


def keep(record: Record, kept: str | None = None) -> Path:
    """Write the weights of a kept epoch into its record's folder, rounded to float16, to be committed.

    Vectors (biases, normalisation) stay float32, as in an exported file.

    Args:
        record: a finished run, its weights on this machine.
        kept: name of the kept epoch; None for its first.

    Returns:
        The file, see `records.half_path`.

    Raises:
        ValueError: the run did not keep that epoch, its file is damaged, a weight is beyond float16, or the new file
            would exceed `LIMIT`.
        FileNotFoundError: the weights are not on this machine; the message says how to get them.
    """
    kept = kept or record.kept[0]
    source, target = path(record, kept), records.half_path(record.path, kept, record.run["kept_epochs"][kept])
    if source == target:
        return target
    arrays: dict[str, np.ndarray] = {}

    def take(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = _rounded(item)

    weight_files.check(regular(source), source)
    with h5py.File(source) as exact:
        exact.visititems(take)
    size = sum(array.nbytes for array in arrays.values())
    if size > LIMIT:
        raise ValueError(
            f"At most {LIMIT:,} bytes of weights are kept beside a record; those of {record.id} take {size:,}. Start "
            "from a smaller network, or train it where its weights can stay."
        )
    with replacing(target, room=2 * size + 2**20) as partial, h5py.File(partial, "w") as rounded:
        for name, array in arrays.items():
            rounded[name] = array
    return target


def _rounded(item: h5py.Dataset) -> np.ndarray:
    exact = item[()]
    if exact.ndim < 2:
        return exact
    if not np.abs(exact).max(initial=0) <= np.finfo(np.float16).max:
        raise ValueError(f"Weights up to 65,504 fit into float16; {item.name} holds others. Train the run again.")
    return exact.astype(np.float16)


def are_here(record: Record, kept: str | None = None) -> bool:
    """Whether the weights of a kept epoch are on this machine."""
    try:
        return path(record, kept).is_file()
    except FileNotFoundError:
        return False


def rebuild(record: Record, kept: str | None = None, precision: str = "float32") -> keras.Model:
    """The trained network of a finished run, computing in that precision. Other arguments and errors: see `path`."""
    file = path(record, kept)
    model = setup.rebuild(record.config, len(record.class_names), precision)
    checkpoint.load_weights(file, model)
    return model


def start(model: keras.Model, config: RunConfig, class_names: Sequence[str], store: Path | None = None) -> list[str]:
    """Give a network the weights of the run that `config.start_from` names.

    Every layer whose name and shapes are equal is taken over. The head (the last layer) is, only if both runs have
    the same classes in the same order: seven scores for other expressions are of no use.

    Args:
        model: the untrained network; changed in place.
        config: names the run and which of its kept epochs.
        class_names: of the new run's dataset.
        store: folder of records to look in first.

    Returns:
        Names of the layers taken over.

    Raises:
        ValueError: there is no such run or kept epoch, or no layer fits.
        FileNotFoundError: its weights are not on this machine; the message says how to get them.
    """
    identifier, _, kept = config.start_from.partition(":")
    parent = finished_run(identifier, store)
    source = rebuild(parent, kept or None)
    if tuple(class_names) != parent.class_names:
        source = keras.Model(source.input, source.layers[-2].output)
    there = {layer.name: layer.get_weights() for layer in source.layers if layer.weights}
    taken = []
    for layer in model.layers:
        values = there.get(layer.name)
        if values and [tuple(w.shape) for w in layer.weights] == [v.shape for v in values]:
            layer.set_weights(values)
            taken.append(layer.name)
    if not taken:
        raise ValueError(
            f"A run starts from one with layers of equal name and shape; {config.model} shares none with "
            f"{parent.config.model} of {parent.id}. Start from a run of the same network."
        )
    return taken


def _file(record: Record, kept: str) -> Path:
    return records.weights_path(record.path, kept, record.run["kept_epochs"][kept])
