"""FER2013 (Goodfellow et al., 2013): 35,887 faces, seven expressions, three published parts."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fer_utils.data.dataset import EXPRESSIONS, USAGES, FaceDataset
from fer_utils.data.readers import cache, ckplus, folders, naming, sources, tables
from fer_utils.data.readers.naming import GENERIC

VERSION = "fer2013-2"
"""Raised whenever the readers below return something else for the same files."""

_NAME = re.compile(r"(Training|PublicTest|PrivateTest)_", re.IGNORECASE)
_USAGE = {name.lower(): name for name in USAGES}

PUBLISHED = {
    "Training": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "PublicTest": (467, 56, 496, 895, 653, 415, 607),
    "PrivateTest": (491, 55, 528, 879, 594, 416, 626),
}
"""Images of each class in the published parts."""


@dataclass(frozen=True)
class TableParts:
    """FER2013 as one table for each part, named after it (train.csv, val.csv, test.csv)."""

    path: Path
    parts: tuple[tables.Table, ...]

    def __str__(self) -> str:
        return f"{self.path} ({', '.join(table.place.name for table in self.parts)})"


Source = tables.Table | TableParts | folders.Layout


def read(root: Path) -> FaceDataset:
    """Read FER2013 from any layout under `root`.

    Recognised by content, in this order of preference when several lie under one root:
    1. a table with emotion, pixels and Usage in any order (fer2013.csv, icml_face_data.csv);
    2. class folders whose images are named after their usage (`PublicTest_123.jpg`);
    3. class folders in folders of parts (train, test, validation under any usual name): `usage` then holds these names;
    4. a table for each part, named after it;
    5. a table without Usage (train.csv): all Training. Its test.csv has no labels and is not used.
    Several of one kind must hold the same images and labels. Tables may be compressed; all may lie in an archive.
    Where train, validation and test have the published counts in every class, they are named as published.

    Args:
        root: a file, an archive, or a folder that holds it.

    Returns:
        The dataset, with codes 0 angry to 6 neutral whatever the order of folders. Rows stand in
        the order of the CSV, or sorted by part, class and name.

    Raises:
        MissingDataError: no FER2013 there; the message says what to fetch.
        ValueError: bad input; the message names file, row, rule and remedy.
    """
    return locate(root)[0]


def locate(root: Path) -> tuple[FaceDataset, Source]:
    """As `read`; returns the dataset and the table or folders that it was read from."""
    found = sources.find(root)
    csvs = csv_tables(found)
    divided = _table_parts(csvs)
    single = [table for table in csvs if not any(table in source.parts for source in divided)]
    layouts = [layout for layout in folders.layouts(found.folders, found.root) if _may_be(layout, found.root)]
    ranked = [
        [table for table in single if "usage" in table.columns],
        [layout for layout in layouts if names_tell(layout)],
        [layout for layout in layouts if not names_tell(layout)],
        divided,
        [table for table in single if "usage" not in table.columns],
    ]
    chosen = sources.choose("fer2013", ranked, lambda source: _checked(source, layouts, found))
    if chosen is None:
        raise _nothing(found)
    return chosen


def csv_tables(found: sources.Found) -> list[tables.Table]:
    """The tables of faces that are FER2013: those without contempt."""
    return [table for table in found.tables if table.kind == "faces" and not table.has_contempt()]


def names_tell(layout: folders.Layout) -> bool:
    """Whether the images' names say which published part they belong to."""
    return all(_NAME.match(part.first) for part in layout.parts)


def _checked(source: Source, layouts: list[folders.Layout], found: sources.Found) -> FaceDataset:
    """Read a source after checking that its folder holds nothing else but other datasets and copies to compare with."""
    if isinstance(source, folders.Layout):
        copies = [other for other in layouts if other is not source and names_tell(other) == names_tell(source)]
        others = {place.path / name for place in found.folders if ckplus.is_ckplus(place) for name in place.files}
        others |= {folder.path for folder in found.images if ckplus.is_frame(folder.images[0])}
        sources.check_nothing_left_out(found, source, others.union(*(copy.read for copy in copies)))
    return read_source(source)


def read_source(source: Source) -> FaceDataset:
    """Read one table, a table for each part, or one set of class folders, through the cache."""
    if isinstance(source, folders.Layout):
        items = source.items(EXPRESSIONS)
        key = folders.identity([path for path, _, _ in items], source.archive, VERSION)
        arrays = cache.through("fer2013", str(source), key, lambda: _read_items(items, source.archive))
        arrays = folders.warn_altered(arrays, source, "FER2013")
    else:
        parts = source.parts if isinstance(source, TableParts) else (source,)
        key = cache.identity([table.path for table in parts], VERSION)
        arrays = cache.through("fer2013", str(source), key, lambda: _read_tables(parts))
    return _as_published(FaceDataset(**arrays, class_names=EXPRESSIONS, name="fer2013"))


def _read_tables(parts: tuple[tables.Table, ...]) -> cache.Arrays:
    written = [naming.part(table.place.stem) for table in parts]
    meant = naming.usages([name for name in written if name])
    names = [meant.get(name or "", USAGES[0]) for name in written]
    if names == ["train"]:
        names = [USAGES[0]]  # train.csv of the competition, whose test.csv has no labels
    read = [tables.read_faces(table, len(EXPRESSIONS), name) for table, name in zip(parts, names, strict=True)]
    return read[0] if len(read) == 1 else {field: np.concatenate([r[field] for r in read]) for field in read[0]}


def _read_items(items: list[tuple[str, int, str]], archive: Path | None) -> cache.Arrays:
    arrays = folders.read_images([path for path, _, _ in items], archive)
    arrays["labels"] = np.array([code for _, code, _ in items], np.int64)
    told = [_NAME.match(os.path.basename(path)) for path, _, _ in items]
    if any(told):
        if not all(told):
            odd = items[told.index(None)][0]
            raise ValueError(
                f"{odd}: where names of images begin with their usage (Training_, PublicTest_, PrivateTest_), all do; "
                f"{told.count(None):,} of {len(told):,} do not. Rename these or move them away."
            )
        arrays["usage"] = np.array([_USAGE[match[1].lower()] for match in told if match])
    elif all(part for _, _, part in items):
        arrays["usage"] = tables.named_usages(part for _, _, part in items)
    return arrays


def _as_published(dataset: FaceDataset) -> FaceDataset:
    """With the published names of parts, where train, validation and test have the published counts in every class."""
    names = dict(zip(GENERIC, USAGES, strict=True))
    if dataset.usage is None or set(dataset.usage.tolist()) != set(names):
        return dataset
    for generic, published in names.items():
        counts = np.bincount(dataset.labels[dataset.usage == generic], minlength=dataset.n_classes)
        if tuple(counts.tolist()) != PUBLISHED[published]:
            return dataset
    return replace(dataset, usage=np.array([names[name] for name in dataset.usage.tolist()]))


def _may_be(layout: folders.Layout, root: Path) -> bool:
    """Whether class folders may be FER2013's: not CK+'s, and named outright, in parts or with telling names."""
    if any(map(ckplus.is_ckplus, layout.parts)):
        return False
    whole_archive = layout.archive == root
    return layout.path == root or whole_archive or any(layout.names) or bool(_NAME.match(layout.parts[0].first))


def _table_parts(csvs: list[tables.Table]) -> list[TableParts]:
    """Tables named after different parts, by the folder that they lie in."""
    by_folder: dict[Path, list[tables.Table]] = {}
    for table in csvs:
        if naming.part(table.place.stem):
            by_folder.setdefault(table.place.parent, []).append(table)
    found = []
    for folder, parts in by_folder.items():
        if len({naming.part(table.place.stem) for table in parts}) == len(parts) > 1:
            found.append(TableParts(folder, tuple(parts)))
    return found


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
    trees = [tree for tree in found.images if not ckplus.is_frame(tree.images[0])]
    if trees and not found.folders:
        where = ", ".join(f"{tree.path} ({len(tree.images):,})" for tree in trees[:4])
        return sources.MissingDataError(
            f"FER2013's images lie in folders named after their classes ({', '.join(EXPRESSIONS)}), directly in a "
            f"part's folder or without parts; got {sum(len(tree.images) for tree in trees):,} in {where}. "
            "Rename or rearrange those folders, or read pictures of your own by load('folders', ...)."
        )
    return sources.missing("fer2013", found)
