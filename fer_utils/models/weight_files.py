"""Files of weights in HDF5: what they may hold before Keras reads them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import h5py
import keras

from fer_utils.files.reading import DAMAGE, one_line, regular


def load(path: Path, model: keras.Model) -> None:
    """Give a network the weights of a file in Keras's own format.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: see `check`, or the weights are another network's.
    """
    check(regular(path), path)
    try:
        model.load_weights(path)
    except Exception as error:  # on files of other networks Keras and its backends raise several kinds
        rule = f"{path} must hold the weights of {model.name!r}"
        raise ValueError(f"{rule}; got {one_line(error)}. Train the run again.") from error


def check(source: Path | bytes, where: object) -> None:
    """Refuse an HDF5 file of weights that leads to other files, or claims more than it holds.

    Args:
        source: the file, or its bytes.
        where: what the message names.

    Raises:
        ValueError: no HDF5 file, a damaged one, or one as above.
    """
    try:
        with h5py.File(io.BytesIO(source) if isinstance(source, bytes) else source, "r") as file:
            size = len(source) if isinstance(source, bytes) else source.stat().st_size
            _check_group(file, size, set())
    except DAMAGE as error:
        raise ValueError(
            f"{where} must be a whole HDF5 file of weights; got {one_line(error)}. Train it again."
        ) from error


def _check_group(group: h5py.Group, size: int, seen: set[Any]) -> None:
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{name!r}, a link")
        item = group[name]
        identity = h5py.h5o.get_info(item.id).addr
        if identity in seen:
            raise ValueError(f"{name!r} twice")
        seen.add(identity)
        if isinstance(item, h5py.Group):
            _check_group(item, size, seen)
        elif not isinstance(item, h5py.Dataset) or item.external or item.is_virtual or item.chunks:
            raise ValueError(f"{name!r}, which is no plain array of this file")
        elif item.shape is not None and item.nbytes > min(size, item.id.get_storage_size()):
            raise ValueError(f"{name!r}, which claims {item.nbytes:,} bytes")
