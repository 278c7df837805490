"""What lies under a folder or inside an archive, sorted by kind of file: nothing is left out without being counted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fer_utils.data.readers import cache, naming, packed

DEPTH = 12
"""How many folders deep anything may lie."""

MOST_FOLDERS = 100_000
"""How many folders are looked into."""

HEAD = 4096
"""Bytes at which the first line of a file is cut."""

VERSION = "listing-1"
"""Raised whenever the listing of an archive holds something else."""


@dataclass
class Tree:
    """A folder on the disk or inside an archive.

    Attributes:
        path: where; inside an archive the archive's path and the name behind it.
        archive: the archive, or None on the disk.
        folders: its folders by name, without those that are passed over.
        images: names of the images that lie in it directly.
        unread: names of pictures of kinds that are not read.
        labels: names of CK+'s label files.
        files: names of all other files.
        passed: how many of its files and folders are passed over (`naming.passed_over`).
    """

    path: Path
    archive: Path | None = None
    folders: dict[str, Tree] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    passed: int = 0

    def add(self, name: str) -> None:
        """Put a file where it belongs."""
        ending = os.path.splitext(name)[1].lower()
        kinds = {**dict.fromkeys(naming.IMAGES, self.images), **dict.fromkeys(naming.OTHER_PICTURES, self.unread)}
        if naming.passed_over(name):
            self.passed += 1
        elif naming.is_label_file(name):
            self.labels.append(name)
        else:
            kinds.get(ending, self.files).append(name)

    def walk(self) -> Iterator[Tree]:
        """This folder and all below it, by name."""
        yield self
        for name in sorted(self.folders):
            yield from self.folders[name].walk()


def of_folder(root: Path) -> Tree:
    """The tree of a folder on the disk.

    Raises:
        ValueError: a folder cannot be read, lies too deep, or there are too many.
    """
    return _Walker(root).look(root, ())


class _Walker:
    def __init__(self, root: Path) -> None:
        self.root, self.n_folders = root, 0

    def look(self, folder: Path, above: tuple[tuple[int, int], ...]) -> Tree:
        """The tree of `folder`; `above` holds device and number of the folders on the way there."""
        self.n_folders += 1
        if self.n_folders > MOST_FOLDERS or len(above) > DEPTH:
            came = f"got more under {self.root}: {folder}. Name the folder that holds the data."
            raise ValueError(f"Data lies in at most {MOST_FOLDERS:,} folders, {DEPTH} deep; {came}")
        tree = Tree(folder)
        here, entries = _listing(folder)
        if here in above:  # a link back
            return tree
        for entry in entries:
            if entry.is_dir() and naming.folder_passed_over(entry.name):
                tree.passed += 1
            elif entry.is_dir():
                tree.folders[entry.name] = self.look(Path(entry.path), (*above, here))
            elif entry.is_file() or entry.name.lower().endswith(naming.IMAGES):
                tree.add(entry.name)
        return tree


def _listing(folder: Path) -> tuple[tuple[int, int], list[os.DirEntry[str]]]:
    """A folder's device and number, and what it holds, by name."""
    try:
        status = folder.stat()
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as reason:
        remedy = "Change its permissions, or name another folder."
        raise ValueError(f"{folder} must be readable; got {reason.strerror}. {remedy}") from reason
    return (status.st_dev, status.st_ino), entries


def of_archive(path: Path) -> tuple[Tree, dict[str, bytes]]:
    """The tree of an archive, and the first lines of its files that are no images, by name inside.

    Raises:
        ValueError: it is damaged, or holds too many or too large files.
    """
    root, heads = Tree(path, path), {}
    for member in _members(path):
        *above, name = member.name.split("/")
        if len(above) > DEPTH:
            raise ValueError(f"{path}: files lie at most {DEPTH} folders deep; got {member.name!r}. Unpack it first.")
        tree = root
        if any(map(naming.folder_passed_over, above)):
            root.passed += 1
            continue
        for folder in above:
            tree = tree.folders.setdefault(folder, Tree(tree.path / folder, path))
        tree.add(name)
        if member.head:
            heads[member.name] = member.head
    return root, heads


def _members(path: Path) -> list[packed.Member]:
    """What `packed.members` lists; of a tar, which must be unpacked for that, through the cache."""
    if packed.is_zip(path):
        return packed.members(path, HEAD)

    def read() -> cache.Arrays:
        members = packed.members(path, HEAD)
        names, heads = np.array([m.name for m in members], str), np.array([m.head for m in members], bytes)
        return {"names": names, "sizes": np.array([m.size for m in members], np.int64), "heads": heads}

    found = cache.through("listing", str(path), cache.identity([path], VERSION), read)
    columns = (found[name].tolist() for name in ("names", "sizes", "heads"))
    return [packed.Member(*row) for row in zip(*columns, strict=True)]
