"""What the files of a record hold, read within limits and checked before anything is done with it."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_utils.files import reading
from fer_utils.files.writing import MAX_BYTES
from fer_utils.records import schema

MAX_ARRAYS = 32 * MAX_BYTES
"""Bytes of a record's arrays when they are unpacked."""

_PART = re.compile(r"(validation|test)_(\w{1,40})")
_KINDS = {"labels": "iu", "subjects": "iu", "seen": "b"}


def run(folder: Path) -> dict[str, Any]:
    """`run.json`.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is not a valid run.json, or lies outside the store.
    """
    return schema.json_object(*_file(folder, "run.json"), schema.run_schema(), finite=True)


def history(folder: Path) -> pd.DataFrame:
    """`history.csv`: numbers, one row per epoch from 1. Errors: see `run`."""
    content, where = _file(folder, "history.csv")
    try:
        table = pd.read_csv(io.BytesIO(content))
    except reading.DAMAGE as error:
        raise ValueError(
            f"{where} must be a table of numbers; got {reading.one_line(error)}. Fetch it again."
        ) from error
    odd = [str(name) for name, kind in table.dtypes.items() if kind.kind not in "if"]
    epochs = table["epoch"].tolist() if "epoch" in table else []
    if odd or not epochs or epochs != list(range(1, len(table) + 1)):
        came = reading.one_line(f"other values in {', '.join(odd)}" if odd else f"the epochs {epochs}")
        raise ValueError(f"{where} must hold numbers, a row per epoch from 1; got {came}. Fetch it again.")
    return table


def predictions(folder: Path, k: int) -> dict[str, np.ndarray]:
    """`predictions.npz` as stored: for each part labels (n,), logits (n, k), and where known subjects and seen (n,).

    Args:
        folder: of the record.
        k: number of classes.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is not a valid predictions.npz, or lies outside the store.
    """
    content, where = _file(folder, "predictions.npz")
    stored = reading.arrays(io.BytesIO(content), where, MAX_ARRAYS)
    for name, array in stored.items():
        if problem := _problem(name, array, stored, k):
            raise ValueError(f"{where} must hold labels and scores of {k} classes; got {problem}. Fetch it again.")
    return stored


def _problem(name: str, array: np.ndarray, stored: dict[str, np.ndarray], k: int) -> str:
    match = _PART.fullmatch(name)
    labels = stored.get(f"{match[1]}_labels") if match else None
    if match is None or labels is None:
        return f"{reading.one_line(name)!r}, which belongs to no part"
    kind = _KINDS.get(match[2], "f")
    shape = labels.shape if match[2] in _KINDS else (*labels.shape, k)
    if array.dtype.kind not in kind or array.shape != shape or labels.ndim != 1 or labels.size == 0:
        return f"{name} of type {array.dtype} and shape {array.shape} for labels of shape {labels.shape}"
    return ""


def measured_values(folder: Path) -> dict[str, Any]:
    """`measurement.json`. Errors: see `run`."""
    return schema.json_object(*_file(folder, "measurement.json"))


def measured_arrays(folder: Path) -> dict[str, np.ndarray]:
    """`arrays.npz`. Errors: see `run`."""
    content, where = _file(folder, "arrays.npz")
    return reading.arrays(io.BytesIO(content), where, MAX_ARRAYS)


def _file(folder: Path, name: str) -> tuple[bytes, Path]:
    """A file's bytes and path; it lies in the store, whatever links say."""
    path = folder / name
    return reading.content(path, MAX_BYTES, home=folder.parent), path
