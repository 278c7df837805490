"""What lies under a path: tables, class folders and all other images, found by content."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from fer_utils.data.dataset import FaceDataset
from fer_utils.data.readers import folders, naming, packed, tables, trees, unknown
from fer_utils.files.reading import one_line

COMPETITION = "challenges-in-representation-learning-facial-expression-recognition-challenge"

GUIDE = {
    "fer2013": f"fer2013.csv or icml_face_data.csv of the Kaggle competition {COMPETITION} "
    "(free account; accept its rules), or train/ and test/ of the Kaggle dataset msambare/fer2013",
    "ferplus": "fer2013new.csv from https://github.com/microsoft/FERPlus beside fer2013.csv "
    "(its rows are those of the CSV; the folders of images do not do)",
    "ckplus": "the folder CK+48 of the Kaggle dataset shawon10/ckplus (or ckextended.csv, without subjects)",
}
"""For each dataset, what to fetch."""

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
_PACKED = (".csv", ".tsv", ".gz", ".xz", ".bz2", ".zip", ".tar", ".tgz", ".7z", ".rar", ".xlsx", ".h5", ".npz", ".pkl")

S = TypeVar("S")


class MissingDataError(FileNotFoundError, ValueError):
    """A dataset is not there; the message says what to fetch and where to put it."""


@dataclass
class Found:
    """What lies under the absolute path `root`.

    Attributes:
        root: a file or folder.
        tables: of faces or votes.
        folders: folders with class folders in them.
        images: every folder that holds images directly.
        unread: pictures of kinds that are not read.
        labels: label files of CK+.
        empty: folders without a folder or picture in them.
        others: other files that look like data.
        files: all other files.
        n_passed: how many files and folders were passed over (`naming.passed_over`).
    """

    root: Path
    tables: list[tables.Table] = field(default_factory=list)
    folders: list[folders.ClassFolders] = field(default_factory=list)
    images: list[trees.Tree] = field(default_factory=list)
    unread: list[folders.Place] = field(default_factory=list)
    labels: list[folders.Place] = field(default_factory=list)
    empty: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    n_passed: int = 0


def find(root: Path) -> Found:
    """Look through a file, an archive, or a folder and its subfolders; see `naming` for what is passed over.

    Raises:
        MissingDataError: nothing at `root`.
        ValueError: `root` is a file that holds no dataset, or something cannot be read.
    """
    if not _exists(root):
        raise MissingDataError(
            f"A dataset is read from a file or folder; got {root}, which does not exist. "
            "Run `make data`: it says what to fetch and where to put it."
        )
    found = Found(root.absolute())
    if root.is_dir():
        _add_tree(trees.of_folder(found.root), found)
        return found
    _add_file(found.root, found)
    if not (found.tables or found.images or found.labels):
        came = f"{found.others[0].name} inside it" if found.others else unknown.describe(root)
        raise ValueError(
            f"{root}: a dataset's file is a CSV with a header such as emotion,pixels,Usage (also packed), or an "
            f"archive with a dataset directly inside; got {came}. Name such a file, or a folder of class "
            "folders."
        )
    return found


def _exists(root: Path) -> bool:
    try:
        return root.exists()
    except OSError as reason:  # a name that is too long, for example
        raise ValueError(f"A dataset is read from a file or folder; got {one_line(reason)}. Name another.") from None


def _add_tree(tree: trees.Tree, found: Found) -> None:
    for folder in tree.walk():
        found.n_passed += folder.passed
        found.unread += [(folder.path / name, folder.archive) for name in folder.unread]
        found.labels += [(folder.path / name, folder.archive) for name in folder.labels]
        if folder.images:
            found.images.append(folder)
        if not (folder.images or folder.folders or folder.unread or folder.labels):
            found.empty.append(folder.path)
        classes = {name: tuple(sub.images) for name, sub in folder.folders.items() if _may_be_class(name, sub)}
        if any(map(naming.expression, classes)):
            found.folders.append(folders.ClassFolders(folder.path, classes, folder.archive))
        for name in folder.files if folder.archive is None else ():
            _add_found_file(folder.path / name, found)


def _may_be_class(name: str, folder: trees.Tree) -> bool:
    """A folder of images, or one named after an expression that holds nothing."""
    return bool(folder.images) or (naming.expression(name) is not None and not folder.folders)


def _add_file(path: Path, found: Found) -> None:
    """Add what a file holds."""
    if packed.is_archive(path):
        tree, heads = trees.of_archive(path)
        found.tables += [t for name, head in heads.items() if (t := tables.table(path, name, head))]
        found.unread += [(path / name, path) for name, head in heads.items() if unknown.is_picture(head)]
        found.others += [path / name for name in heads if name.lower().endswith(_ARCHIVES)]
        _add_tree(tree, found)
    else:
        found.tables += tables.sniff(path)


def _add_found_file(path: Path, found: Found) -> None:
    """Unlike a file named outright, one found in a folder may be anything, even unreadable."""
    before = len(found.tables) + len(found.images) + len(found.labels)
    picture = False
    with contextlib.suppress(ValueError):
        _add_file(path, found)
        with packed.opened(path) as file:
            picture = unknown.is_picture(file.read(16))
    found.unread += [(path, None)] * picture
    if len(found.tables) + len(found.images) + len(found.labels) > before:
        return
    if path.suffix.lower() in _PACKED:
        found.others.append(path)
    elif not picture:
        found.files.append(path)


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


def check_nothing_left_out(found: Found, layout: folders.Layout, others: Collection[Path] = ()) -> None:
    """Refuse a layout beside whose images there are others that nothing says the meaning of.

    Args:
        found: what lies there.
        layout: what is to be read.
        others: folders of images that are known to belong to another dataset.

    Raises:
        ValueError: such images, pictures of a kind that is not read, or an empty part; the message names them.
    """

    def inside(path: Path) -> bool:
        return path.is_relative_to(layout.path)

    read = layout.read.union(others)
    trees_here = (tree for tree in found.images if tree.archive == layout.archive and inside(tree.path))
    if rest := [tree for tree in trees_here if tree.path not in read]:
        where = ", ".join(f"{tree.path} ({len(tree.images):,})" for tree in rest[:4])
        raise ValueError(
            f"Every image under {layout.path} lies in a class folder, directly there or in folders named train, "
            f"validation, test or alike; got {sum(len(tree.images) for tree in rest):,} elsewhere: {where}. "
            "Rename those folders after classes or parts, or move them away."
        )
    check_kinds(path for path, archive in found.unread if archive == layout.archive and inside(path))
    if empty := [path for path in found.empty if inside(path) and naming.part(path.name)]:
        raise ValueError(f"{empty[0]}: a part holds class folders; got none. Put its images there, or remove it.")


def check_kinds(unread: Iterable[Path]) -> None:
    """Refuse pictures of kinds that are not read.

    Raises:
        ValueError: there is one; the message names some and says how many there are.
    """
    if named := list(map(str, unread)):
        raise ValueError(
            f"A dataset's images are {', '.join(ending[1:] for ending in naming.IMAGES)} files; got {len(named):,} of "
            f"another kind: {', '.join(named[:4])}. Convert them to PNG or JPEG (or name them so), or move them away."
        )


def missing(dataset: str, found: Found) -> MissingDataError:
    """The error for a dataset that was not found, saying what is there and what to fetch."""
    kinds = {
        "faces": "faces with FER2013's labels",
        "unlabelled": "pixels without labels",
        "votes": "FER+ votes",
    }
    seen = [f"{table} ({kinds[table.kind]})" for table in found.tables]
    seen += [f"{place} (class folders)" for place in found.folders]
    if not found.folders:
        seen += [f"{folder.path} ({len(folder.images):,} images in no class folder)" for folder in found.images[:4]]
    seen += [f"{path} ({described(path)})" for path in found.others[:4]]
    return MissingDataError(
        f"{dataset} must lie under {found.root}; found {'; '.join(seen[:8]) or 'no table or class folders'}. "
        f"Fetch {GUIDE[dataset]}, and put it into data/ or name its place (root, or $FER_DATA)."
    )


def described(path: Path) -> str:
    """What a file that is no dataset seems to be (`unknown.describe`), damaged ones included."""
    if not path.exists():
        return "an archive inside an archive: unpack the outer one"
    try:
        return unknown.describe(path)
    except ValueError:
        return "cannot be read: damaged or incomplete"
