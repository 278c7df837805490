"""CK+ (Lucey et al., 2010): CK+48's 981 faces, or the apex frames of the original layout."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from fer_utils.data.dataset import CKPLUS_EXPRESSIONS, EXPRESSIONS, FaceDataset
from fer_utils.data.readers import cache, ckplus_original, folders, naming, sources, tables
from fer_utils.data.readers.ckplus_original import Original

VERSION = "ckplus-2"
"""Raised whenever the readers below return something else for the same files."""

EXTENDED_EXPRESSIONS = (*EXPRESSIONS, "contempt")
"""Classes of ckextended.csv: FER2013's codes 0 to 6, then contempt."""

Source = tables.Table | folders.Layout | Original


def read(root: Path) -> FaceDataset:
    """Read CK+48 from its class folders, else CK+ in its original layout, else ckextended.csv.

    Args:
        root: CK+48, the original folders or ckextended.csv, an archive of one, or a folder above it.

    Returns:
        The dataset, seven classes in the order of CK+48's sorted folder names. From CK+48: rows sorted by class and
        name, with `subjects` ("S010") and `sequences` ("S010_004"); where class folders lie in parts, `usage` holds
        them. From the original layout: the same, one apex frame for each labelled sequence. From ckextended.csv:
        eight classes, FER2013's codes and 7 contempt, its `usage`, and no subjects (so no subject-independent split).

    Raises:
        MissingDataError: no CK+ there; the message says what to fetch.
        ValueError: bad input; the message names file, row, rule and remedy.
    """
    return locate(root)[0]


def locate(root: Path) -> tuple[FaceDataset, Source]:
    """`read`, and the table or folders it read."""
    found = sources.find(root)
    extended = [table for table in found.tables if table.kind == "faces" and table.has_contempt()]
    layouts = folders.layouts(filter(is_ckplus, found.folders), found.root)
    chosen = sources.choose(
        "ckplus", [layouts, ckplus_original.originals(found), extended], lambda source: _checked(source, layouts, found)
    )
    if chosen is None:
        ckplus_original.check_has_labels(found)
        _check_names(found)
        raise sources.missing("ckplus", found)
    return chosen


def _check_names(found: sources.Found) -> None:
    """Refuse class folders of CK+'s expressions, contempt among them, whose images tell no person."""
    for place in found.folders:
        if "contempt" in map(naming.expression, place.files):
            raise sources.MissingDataError(
                f"{place}: CK+48's images are named after subject, sequence and frame (S010_004_00000017.png), without "
                f"which nobody knows whose they are; got {place.first!r}. Fetch CK+48 with its own names, or read "
                "these as they are by load('folders', ...)."
            )


def is_ckplus(place: folders.ClassFolders) -> bool:
    """Whether images are named as in CK+: subject, sequence, frame (`S010_004_00000017.png`)."""
    return is_frame(place.first)


def is_frame(name: str) -> bool:
    """Whether an image is named as in CK+."""
    return ckplus_original.FRAME.match(name) is not None


def _checked(source: Source, layouts: list[folders.Layout], found: sources.Found) -> FaceDataset:
    """Read a source below whose folder nothing else lies but other datasets, and copies that it is compared with."""
    if isinstance(source, folders.Layout):
        others = {place.path / name for place in found.folders if not is_ckplus(place) for name in place.files}
        others |= {folder.path for folder in found.images if ckplus_original.is_sequence(folder.path)}
        copies = (copy.read for copy in layouts if copy is not source)
        sources.check_nothing_left_out(found, source, others.union(*copies))
    return read_source(source)


def read_source(source: Source) -> FaceDataset:
    """Read CK+48's folders, the original layout or ckextended.csv, through the cache."""
    classes = CKPLUS_EXPRESSIONS
    if isinstance(source, tables.Table):
        key, classes = cache.identity([source.path], VERSION), EXTENDED_EXPRESSIONS
        arrays = cache.through("ckplus", str(source), key, lambda: tables.read_faces(source, len(classes)))
    elif isinstance(source, Original):
        key = source.identity(VERSION)
        arrays = cache.through("ckplus", str(source), key, source.read)
    else:
        items = source.items(CKPLUS_EXPRESSIONS)
        key = folders.identity([path for path, _, _ in items], source.archive, VERSION)
        arrays = cache.through("ckplus", str(source), key, lambda: _read_items(items, source.archive))
    return FaceDataset(**folders.warn_altered(arrays, source, "CK+48"), class_names=classes, name="ckplus")


def _read_items(items: list[tuple[str, int, str]], archive: Path | None) -> cache.Arrays:
    matches = [_match(path) for path, _, _ in items]
    arrays = folders.read_images([path for path, _, _ in items], archive)
    if any(part for _, _, part in items):
        arrays["usage"] = tables.named_usages(part for _, _, part in items)
    return arrays | {
        "labels": np.array([code for _, code, _ in items], np.int64),
        "subjects": np.array([match[1].upper() for match in matches]),
        "sequences": np.array([f"{match[1].upper()}_{match[2]}" for match in matches]),
    }


def _match(path: str) -> re.Match[str]:
    name = os.path.basename(path)
    match = ckplus_original.FRAME.match(name)
    if match is None:
        raise ValueError(
            f"{path}: a CK+48 image is named after subject, sequence and frame (S010_004_00000017.png); "
            f"got {name!r}. Move it away, or fetch CK+48 again (`make data` says from where)."
        )
    return match
