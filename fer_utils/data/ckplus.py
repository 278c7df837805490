"""CK+48: 981 faces, the last three frames of 327 sequences of 118 subjects (Lucey et al., 2010)."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from fer_utils.data import cache, folders, sources, tables
from fer_utils.data.dataset import CKPLUS_EXPRESSIONS, EXPRESSIONS, FaceDataset

VERSION = "ckplus-1"
"""Raised whenever the readers below return something else for the same files."""

EXTENDED_EXPRESSIONS = (*EXPRESSIONS, "contempt")
"""Classes of ckextended.csv: FER2013's codes 0 to 6, then contempt."""

_NAME = re.compile(r"(S\d{3})_(\d{3})_\d{8}\.", re.IGNORECASE)


def read(root: Path) -> FaceDataset:
    """Read CK+48 from its class folders, or ckextended.csv where no such folders are.

    Args:
        root: CK+48 or a folder above it, or ckextended.csv (also .zip, .gz, .xz) or its folder.

    Returns:
        The dataset, rows sorted by class and name. From folders: seven classes in the order of the
        sorted folder names, with `subjects` ("S010") and `sequences` ("S010_004"). From
        ckextended.csv: eight classes, FER2013's codes and 7 contempt, its `usage`, and no subjects
        (so no subject-independent split).

    Raises:
        MissingDataError: no CK+ there; the message says what to fetch.
        ValueError: bad input; the message names file, row, rule and remedy.
    """
    return locate(root)[0]


def locate(root: Path) -> tuple[FaceDataset, tables.Table | folders.ClassFolders]:
    """`read`, and the table or folders it read."""
    found = sources.find(root)
    extended = [table for table in found.tables if table.kind == "faces" and table.has_contempt()]
    chosen = sources.choose("ckplus", [list(filter(is_ckplus, found.folders)), extended], read_source)
    if chosen is None:
        raise sources.missing("ckplus", found)
    return chosen


def is_ckplus(place: folders.ClassFolders) -> bool:
    """Whether images are named as in CK+: subject, sequence, frame (`S010_004_00000017.png`)."""
    return _NAME.match(place.first) is not None


def read_source(source: tables.Table | folders.ClassFolders) -> FaceDataset:
    """Read CK+48's folders or ckextended.csv, through the cache."""
    if isinstance(source, tables.Table):
        key, classes = cache.identity([source.path], VERSION), EXTENDED_EXPRESSIONS
        arrays = cache.through("ckplus", str(source), key, lambda: tables.read_faces(source, len(classes)))
    else:
        items, classes = source.items(CKPLUS_EXPRESSIONS), CKPLUS_EXPRESSIONS
        key = cache.identity([path for path, _ in items], VERSION)
        arrays = cache.through("ckplus", str(source), key, lambda: _read_items(items))
    return FaceDataset(**arrays, class_names=classes, name="ckplus")


def _read_items(items: list[tuple[str, int]]) -> cache.Arrays:
    matches = [_match(path) for path, _ in items]
    return {
        "images": folders.read_images(path for path, _ in items),
        "labels": np.array([code for _, code in items], np.int64),
        "subjects": np.array([match[1].upper() for match in matches]),
        "sequences": np.array([f"{match[1].upper()}_{match[2]}" for match in matches]),
    }


def _match(path: str) -> re.Match[str]:
    name = os.path.basename(path)
    match = _NAME.match(name)
    if match is None:
        raise ValueError(
            f"{path}: a CK+48 image is named after subject, sequence and frame (S010_004_00000017.png); "
            f"got {name!r}. Move it away, or fetch CK+48 again (`make data` says from where)."
        )
    return match
