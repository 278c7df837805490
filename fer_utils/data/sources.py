"""What lies under a path: tables and class folders, found by content."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from fer_utils.data import folders, tables
from fer_utils.data.dataset import FaceDataset
from fer_utils.files.reading import told

DEPTH = 5
"""How many folders deep a class folder may lie: root/fer2013/images/train/angry is 4."""

COMPETITION = "challenges-in-representation-learning-facial-expression-recognition-challenge"

MOST_FOLDERS = 100_000
"""How many folders are looked into."""

GUIDE = {
    "fer2013": f"fer2013.csv or icml_face_data.csv of the Kaggle competition {COMPETITION} "
    "(free account; accept its rules), or train/ and test/ of the Kaggle dataset msambare/fer2013",
    "ferplus": "fer2013new.csv from https://github.com/microsoft/FERPlus beside fer2013.csv "
    "(its rows are those of the CSV; the folders of images do not do)",
    "ckplus": "the folder CK+48 of the Kaggle dataset shawon10/ckplus (or ckextended.csv, without subjects)",
}
"""For each dataset, what to fetch."""

S = TypeVar("S")


class MissingDataError(FileNotFoundError, ValueError):
    """A dataset is not there; the message says what to fetch and where to put it."""


@dataclass
class Found:
    """The tables and class folders under the absolute path `root`, other files that look like data, folders seen."""

    root: Path
    tables: list[tables.Table] = field(default_factory=list)
    folders: list[folders.ClassFolders] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    n_folders: int = 0


def find(root: Path) -> Found:
    """Look through a file, or a folder and up to five levels of subfolders; hidden ones are passed over.

    Raises:
        MissingDataError: nothing at `root`.
        ValueError: `root` is a file but no table of faces, or something cannot be read.
    """
    if not _exists(root):
        raise MissingDataError(
            f"A dataset is read from a file or folder; got {root}, which does not exist. "
            "Run `make data`: it says what to fetch and where to put it."
        )
    found = Found(root.absolute())
    if root.is_dir():
        _walk(found.root, (), found)
        return found
    found.tables += tables.sniff(found.root)
    if not found.tables:
        raise ValueError(
            f"{root}: a dataset's file is a CSV with a header such as emotion,pixels,Usage (also in a "
            f".zip, .gz or .xz); got {tables.describe(root)}. Name such a file, or a folder of class folders."
        )
    return found


def _exists(root: Path) -> bool:
    try:
        return root.exists()
    except OSError as reason:  # a name that is too long, for example
        raise ValueError(f"A dataset is read from a file or folder; got {told(reason)}. Name another.") from None


def _walk(folder: Path, above: tuple[tuple[int, int], ...], found: Found) -> tuple[str, ...]:
    """Collect what is under `folder`; return the names of the images that lie in it directly.

    Args:
        folder: where to look.
        above: device and number of the folders on the way there; a link back to one of them is passed over.
        found: what is added to.
    """
    found.n_folders += 1
    if found.n_folders > MOST_FOLDERS:
        came = f"got more under {found.root}. Name one of them."
        raise ValueError(f"Data lies in at most {MOST_FOLDERS:,} folders; {came}")
    here, entries = _listing(folder)
    if here in above:
        return ()
    images, classes = [], {}
    for entry in entries:
        if entry.is_dir():
            inside = _walk(Path(entry.path), (*above, here), found) if len(above) < DEPTH else ()
            if inside or folders.is_class(entry.name):
                classes[entry.name] = inside
        elif entry.name.lower().endswith(tables.SUFFIXES):
            images.append(entry.name)
        elif entry.is_file():
            _add_file(Path(entry.path), found)
    if any(map(folders.is_class, classes)):
        found.folders.append(folders.ClassFolders(folder, classes))
    return tuple(images)


def _listing(folder: Path) -> tuple[tuple[int, int], list[os.DirEntry[str]]]:
    """A folder's device and number, and what it holds, by name; hidden entries are passed over."""
    try:
        status = folder.stat()
        with os.scandir(folder) as listing:
            entries = sorted((e for e in listing if not e.name.startswith((".", "__"))), key=lambda e: e.name)
    except OSError as reason:
        remedy = "Change its permissions, or name another folder."
        raise ValueError(f"{folder} must be readable; got {reason.strerror}. {remedy}") from reason
    return (status.st_dev, status.st_ino), entries


def _add_file(path: Path, found: Found) -> None:
    """Unlike a file named outright, one found in a folder may be anything, even unreadable."""
    try:
        inside = tables.sniff(path)
    except ValueError:
        inside = []
    found.tables += inside
    if not inside and path.suffix.lower() in (".csv", ".gz", ".xz", ".zip"):
        found.others.append(path)


def choose(
    dataset: str, ranked: Sequence[Sequence[S]], read: Callable[[S], FaceDataset]
) -> tuple[FaceDataset, S] | None:
    """Read the candidate of the best rank; several of one rank must hold the same images and labels.

    Args:
        dataset: its name, for the message.
        ranked: candidates, best rank first.
        read: reads one.

    Returns:
        The dataset and the candidate it came from, or None without candidates.

    Raises:
        ValueError: candidates of one rank differ.
    """
    for candidates in filter(None, ranked):
        chosen = read(candidates[0])
        for other in candidates[1:]:
            if not same(chosen, read(other)):
                raise ValueError(
                    f"Copies of {dataset} under one folder must hold the same images and labels; got "
                    f"{candidates[0]} and {other}, which differ. Name the one you mean, or move one away."
                )
        return chosen, candidates[0]
    return None


def same(one: FaceDataset, other: FaceDataset) -> bool:
    """Whether two datasets hold the same images, labels and published parts, in any order."""
    return one.class_names == other.class_names and np.array_equal(_content(one), _content(other))


def _content(dataset: FaceDataset) -> np.ndarray:
    usage = b"" if dataset.usage is None else dataset.usage.astype("S")
    rows = np.char.add(dataset.digests, dataset.labels.astype("S3"))
    return np.sort(np.char.add(rows, usage))


def missing(dataset: str, found: Found) -> MissingDataError:
    """The error for a dataset that was not found, saying what is there and what to fetch."""
    kinds = {
        "faces": "faces with FER2013's labels",
        "unlabelled": "pixels without labels",
        "votes": "FER+ votes",
    }
    seen = [f"{table} ({kinds[table.kind]})" for table in found.tables]
    seen += [f"{place} (class folders)" for place in found.folders]
    seen += [f"{path} ({_describe(path)})" for path in found.others[:4]]
    return MissingDataError(
        f"{dataset} must lie under {found.root}; found {'; '.join(seen[:8]) or 'no table or class folders'}. "
        f"Fetch {GUIDE[dataset]}, and put it into data/ or name its place (root, or $FER_DATA)."
    )


def _describe(path: Path) -> str:
    try:
        return tables.describe(path)
    except ValueError:
        return "cannot be read: damaged or incomplete"
