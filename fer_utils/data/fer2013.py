"""FER2013 (Goodfellow et al., 2013): 35,887 faces, seven expressions, three published parts."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_utils.data import cache, ckplus, folders, sources, tables
from fer_utils.data.dataset import EXPRESSIONS, USAGES, FaceDataset

VERSION = "fer2013-1"
"""Raised whenever the readers below return something else for the same files."""

_USAGE = {name.lower(): name for name in USAGES}
PARTS = _USAGE | {name: name for name in ("train", "test", "validation")} | {"val": "validation"}
"""Folder names in lower case, to the usage of images whose own names do not tell."""

_NAME = re.compile(r"(Training|PublicTest|PrivateTest)_", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """FER2013 as class folders: one `ClassFolders` for each part (train, test, ...)."""

    path: Path
    parts: tuple[folders.ClassFolders, ...]

    def __str__(self) -> str:
        return str(self.path)

    @property
    def names_tell(self) -> bool:
        """Whether the images' names say which published part they belong to."""
        return all(_NAME.match(part.first) for part in self.parts)


def read(root: Path) -> FaceDataset:
    """Read FER2013 from any layout under `root`.

    Recognised by content, in this order of preference when several lie under one root:
    1. a CSV with emotion, pixels and Usage in any order (fer2013.csv, icml_face_data.csv);
    2. class folders whose images are named after their usage (`PublicTest_123.jpg`);
    3. class folders under train/, test/, validation/: `usage` then holds these names;
    4. a CSV without Usage (train.csv): all Training. Its test.csv has no labels and is not used.
    Several of one kind must hold the same images and labels. A CSV may be in a .zip, .gz or .xz.

    Args:
        root: a file, its folder, or a folder that holds it up to five levels down.

    Returns:
        The dataset, with codes 0 angry to 6 neutral whatever the order of folders. Rows stand in
        the order of the CSV, or sorted by part, class and name.

    Raises:
        MissingDataError: no FER2013 there; the message says what to fetch.
        ValueError: bad input; the message names file, row, rule and remedy.
    """
    return locate(root)[0]


def locate(root: Path) -> tuple[FaceDataset, tables.Table | Layout]:
    """`read`, and the table or folders it read."""
    found = sources.find(root)
    csvs = csv_tables(found)
    layouts = _layouts(found)
    ranked = [
        [table for table in csvs if "usage" in table.columns],
        [layout for layout in layouts if layout.names_tell],
        [layout for layout in layouts if not layout.names_tell],
        [table for table in csvs if "usage" not in table.columns],
    ]
    chosen = sources.choose("fer2013", ranked, read_source)
    if chosen is None:
        raise _nothing(found)
    return chosen


def csv_tables(found: sources.Found) -> list[tables.Table]:
    """The tables of faces that are FER2013: those without contempt."""
    return [table for table in found.tables if table.kind == "faces" and not table.has_contempt()]


def read_source(source: tables.Table | Layout) -> FaceDataset:
    """Read one table or one set of class folders, through the cache."""
    if isinstance(source, tables.Table):
        key, k = cache.identity([source.path], VERSION), len(EXPRESSIONS)
        arrays = cache.through("fer2013", str(source), key, lambda: tables.read_faces(source, k))
    else:
        items = [(*item, part) for part in source.parts for item in part.items(EXPRESSIONS)]
        key = cache.identity([path for path, _, _ in items], VERSION)
        arrays = cache.through("fer2013", str(source), key, lambda: _read_items(items))
    return FaceDataset(**arrays, class_names=EXPRESSIONS, name="fer2013")


def _read_items(items: list[tuple[str, int, folders.ClassFolders]]) -> cache.Arrays:
    arrays = {
        "images": folders.read_images(path for path, _, _ in items),
        "labels": np.array([code for _, code, _ in items], np.int64),
    }
    usage = [_usage(path, part.path.name) for path, _, part in items]
    return arrays | {"usage": np.array(usage)} if all(usage) else arrays


def _usage(path: str, part: str) -> str:
    match = _NAME.match(os.path.basename(path))
    return _USAGE[match[1].lower()] if match else PARTS.get(part.lower(), "")


def _layouts(found: sources.Found) -> list[Layout]:
    """Class folders that are parts of one FER2013, by their common parent."""
    by_parent: dict[Path, list[folders.ClassFolders]] = {}
    for place in found.folders:
        if ckplus.is_ckplus(place):
            continue
        if place.path.name.lower() in PARTS:
            by_parent.setdefault(place.path.parent, []).append(place)
        elif place.path == found.root or _NAME.match(place.first):
            by_parent.setdefault(place.path, []).append(place)
    return [Layout(path, tuple(parts)) for path, parts in by_parent.items()]


def _nothing(found: sources.Found) -> ValueError:
    """The most helpful error when no FER2013 was found."""
    for table in found.tables:
        if table.kind == "faces":
            return ValueError(
                f"{table}, data row {table.contempt_row()}: a label of FER2013 lies in 0 to 6; "
                f"got {tables.CONTEMPT}, which is contempt in ckextended.csv. "
                "Read that with load('ckplus', ...), or fetch FER2013 (`make data` says from where)."
            )
        if table.kind == "unlabelled":
            return ValueError(
                f"{table}: a dataset needs labels; got pixels without an emotion column, as in the "
                f"competition's test.csv. Fetch {sources.GUIDE['fer2013']}, which hold its labels."
            )
    return sources.missing("fer2013", found)
