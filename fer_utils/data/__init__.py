"""Datasets: one `load()` for every layout, splits, audit, synthetic faces."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fer_utils.data.dataset import (
    CKPLUS_EXPRESSIONS,
    EXPRESSIONS,
    FERPLUS_EXPRESSIONS,
    USAGES,
    FaceDataset,
)
from fer_utils.files.paths import project_root

__all__ = [
    "CKPLUS_EXPRESSIONS",
    "EXPRESSIONS",
    "FERPLUS_EXPRESSIONS",
    "NAMES",
    "USAGES",
    "FaceDataset",
    "data_root",
    "load",
]

NAMES = ("fer2013", "ferplus", "ckplus", "folders", "synthetic")


def data_root(root: str | Path | None = None) -> Path:
    """Where datasets are looked for: `root`, else `$FER_DATA`, else `data/` here or in the project."""
    if chosen := root or os.environ.get("FER_DATA"):
        return Path(chosen).expanduser()
    here = Path("data")
    return here if here.is_dir() else project_root() / "data"


def load(name: str, root: str | Path | None = None, **options: Any) -> FaceDataset:
    """Load a dataset, whatever layout it is in.

    Args:
        name: `"fer2013"`, `"ferplus"`, `"ckplus"`, `"folders"` (pictures of one's own) or `"synthetic"`.
        root: a file, archive or folder; its layout is recognised by content. Default: `$FER_DATA`, else `data/`;
            pictures of one's own have no default. Not used for synthetic faces, which are drawn.
        **options: `labels="majority" | "distribution"` for FER+; `labels="votes"` for FER2013, whose labels stay and
            are joined by shares that FER+'s votes enter (`fer_utils.data.readers.ferplus.voted`); `subjects` and
            `sequences`, patterns on the names of files, for one's own (see `fer_utils.data.readers.own.read`); the
            arguments of `synthetic.faces` for synthetic faces.

    Returns:
        A `FaceDataset`.

    Raises:
        ValueError: unknown name or option, or bad input; the message names file, row, rule and remedy.
        FileNotFoundError: nothing there; the message says what to fetch and where to put it.
    """
    if name == "synthetic":
        from fer_utils.data import synthetic

        _check_options(name, options, inspect.signature(synthetic.faces).parameters)
        return synthetic.faces(**options)
    if name not in NAMES:
        raise ValueError(f"A dataset is one of {', '.join(NAMES)}; got {name!r}. Choose one of these names.")
    from fer_utils.data.readers import ckplus, fer2013, ferplus, own

    fer = ferplus.voted if options else fer2013.read
    readers = {"fer2013": fer, "ferplus": ferplus.read, "ckplus": ckplus.read, "folders": own.read}
    allowed = {"fer2013": ("labels",), "ferplus": ("labels",), "folders": ("subjects", "sequences")}.get(name, ())
    _check_options(name, options, allowed)
    return readers[name](root if name == "folders" else data_root(root), **options)


def _check_options(name: str, options: Iterable[str], allowed: Iterable[str]) -> None:
    if unknown := set(options) - set(allowed):
        raise ValueError(
            f"Options of {name!r}: {', '.join(allowed) or 'none'}; got {', '.join(sorted(unknown))}. "
            "Leave out what is not listed."
        )
