"""Pictures of one's own: any tree with one folder per class, persons told by the names of files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_utils.data.dataset import FaceDataset
from fer_utils.data.readers import cache, folders, naming, sources, trees
from fer_utils.data.readers.images import OWN

MOST_CLASSES = 100

VERSION = "folders-1"
"""Raised whenever the reader below returns something else for the same files."""


@dataclass(frozen=True)
class Own:
    """A tree of one's own.

    Attributes:
        path: its root.
        archive: the archive that it is, or None on the disk.
        paths, classes, parts: each n: file, name of its class, name of its part (train, validation, test) or empty.
        others: files below it that are no pictures, and are not read.
        n_passed: how many files and folders were passed over (`naming.passed_over`).
    """

    path: Path
    archive: Path | None
    paths: tuple[str, ...]
    classes: tuple[str, ...]
    parts: tuple[str, ...]
    others: tuple[Path, ...]
    n_passed: int

    def __str__(self) -> str:
        return str(self.path)


def read(root: str | Path | None, subjects: str = "", sequences: str = "") -> FaceDataset:
    """Read faces of one's own from a tree of one folder per class.

    Classes are the names of the folders as they are, in sorted order. They may lie in folders of parts (train, val,
    test under any usual name), which become the dataset's `usage`. Faces are grey or in colour, of 24 pixels or more
    and nearly square: the middle square is made grey and sized to 48 x 48, as at run time.

    Args:
        root: the tree's root, or an archive of it.
        subjects: a regular expression whose first group is the person, searched for in each file's name, or where it
            holds a "/" in its path below `root`: `r"^([a-z]+)_"` for `anna_003.jpg`, `r"^([^/]+)/"` for
            `anna/happy/003.jpg`. Empty where nobody knows.
        sequences: such an expression for the video or burst that a picture is taken from.

    Returns:
        The dataset, named "folders", rows sorted by part, class and name. Its fingerprint depends on parts, subjects
        and sequences too, which are the user's own.

    Raises:
        ValueError: no such tree, a picture or folder that cannot be understood, or a name that tells no person; the
            message names it.
    """
    own = locate(root, any_depth="/" in subjects)
    try:
        key = folders.identity(own.paths, own.archive, VERSION)
        arrays = cache.through("folders", str(own), key, lambda: folders.read_images(own.paths, own.archive, OWN))
    except FileNotFoundError as gone:  # which elsewhere says that a dataset is not here, and a record of it will do
        raise ValueError(str(gone)) from None
    names = tuple(sorted(set(own.classes)))
    return FaceDataset(
        arrays["images"],
        np.array([names.index(name) for name in own.classes], np.int64),
        names,
        "folders",
        usage=np.array(own.parts) if any(own.parts) else None,
        subjects=_told(own, "subjects", subjects),
        sequences=_told(own, "sequences", sequences),
    )


def locate(root: str | Path | None, any_depth: bool = False) -> Own:
    """The files of a tree with their classes and parts, none of them read yet.

    Args:
        root: see `read`.
        any_depth: whether class folders may lie in different folders, as `anna/happy` and `ben/happy` do.

    Raises:
        ValueError: see `read`.
    """
    if root is None:
        raise ValueError("Pictures of your own are read from a folder that you name; got none. Name it.")
    place = Path(root).expanduser()
    if not place.exists():
        raise ValueError(f"Pictures of your own are read from a folder; {place} does not exist. Name another.")
    found = sources.find(place)
    archives = {folder.archive for folder in found.images}
    if len(archives) != 1:
        among = ", ".join(str(archive or found.root) for archive in archives)
        raise ValueError(
            f"{place}: pictures of your own lie in one folder for each class; got {among or 'no picture'}. "
            "Name the folder above the class folders."
        )
    own = _sorted(found, archives.pop(), any_depth)
    _check(own, found)
    return own


def _sorted(found: sources.Found, archive: Path | None, any_depth: bool) -> Own:
    rows, prefixes = [], {}
    for folder in found.images:
        above = list(folder.path.relative_to(found.root).parts)
        parts = [name for name in above if naming.part(name)]
        rest = [name for name in above if not naming.part(name)]
        if len(parts) > 1 or not rest:
            raise ValueError(
                f"{folder.path}: every picture lies in a folder named after its class, in at most one folder of a "
                f"part (train, validation, test); {len(folder.images):,} pictures there do not "
                f"({folder.images[0]!r}). Move them into class folders, or away."
            )
        prefixes.setdefault(tuple(rest[:-1]), folder.path)
        rows.append(((naming.part(parts[0]) or "") if parts else "", rest[-1], folder))
    if len(prefixes) > 1 and not any_depth:
        one, other = list(prefixes.values())[:2]
        raise ValueError(
            f"Class folders lie side by side; got {one} and {other}. Name the folder directly above the classes, or, "
            "where the folders between are persons, say so by subjects=r'([^/]+)/[^/]+/[^/]+$'."
        )
    ordered = _by_part(rows)
    items = [(part, name, str(tree.path / image)) for part, name, tree in ordered for image in sorted(tree.images)]
    parts, classes, paths = zip(*items, strict=True)
    others = (*found.others, *found.files, *(table.path for table in found.tables))
    return Own(found.root, archive, paths, classes, parts, others, found.n_passed)


def _by_part(rows: list[tuple[str, str, trees.Tree]]) -> list[tuple[str, str, trees.Tree]]:
    order = ("", *naming.GENERIC, "PublicTest", "PrivateTest")
    return sorted(rows, key=lambda row: (order.index(row[0]), row[1], str(row[2].path)))


def _check(own: Own, found: sources.Found) -> None:
    """Refuse what would be left out, and a tree that nothing can be learned from."""
    sources.check_kinds(path for path, _ in found.unread)
    beside = {Path(path).parent.parent for path in own.paths}
    if empty := [path for path in found.empty if path.parent in beside or naming.part(path.name)]:
        raise ValueError(
            f"{empty[0]}: a class folder holds pictures; {len(empty)} of the folders hold none. Remove them, or put "
            "pictures there."
        )
    if any(own.parts) and not all(own.parts):
        raise ValueError(
            f"{own.path}: class folders lie in folders of parts or none do; got {own.paths[own.parts.index('')]} in "
            "none. Move its folder into one of them, or name the folder you mean."
        )
    trained = {name for name, part in zip(own.classes, own.parts, strict=True) if part in ("", "train")}
    if rest := sorted(set(own.classes) - trained):
        raise ValueError(
            f"{own.path}: every class has a folder in the training part, spelt alike; it has {sorted(trained)}, and "
            f"{rest} elsewhere. Rename or move folders."
        )
    if not 2 <= len(trained) <= MOST_CLASSES:
        raise ValueError(
            f"{own.path}: there are at least two classes and at most {MOST_CLASSES}, each in a folder of its own; got "
            f"{len(trained)}: {sorted(trained)[:9]}. Name the folder above the class folders."
        )
    if odd := [name for name in sorted(trained) if not name.isprintable()]:
        raise ValueError(f"{own.path}: names of classes can be printed; got {odd[0]!a}. Rename that folder.")


def beside(root: str | Path, subjects: str = "") -> list[str]:
    """How many files of a tree are no pictures or were passed over, in lines; arguments as of `read`."""
    own = locate(root, any_depth="/" in subjects)
    named = f" ({', '.join(path.name for path in own.others[:4])})" if own.others else ""
    return [f"  not read: {len(own.others):,} other files{named}; passed over: {own.n_passed:,} hidden or system files"]


def _told(own: Own, what: str, pattern: str) -> np.ndarray | None:
    """What a pattern's first group finds for each file, str (n,); None without a pattern."""
    if not pattern:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{what} is a regular expression; got {pattern!r}: {error}. Mend it.") from error
    if not compiled.groups:
        raise ValueError(f"{what} has a group, in parentheses, that finds the name; got {pattern!r}. Add one.")
    places = [Path(path).relative_to(own.path).as_posix() for path in own.paths]
    texts = places if "/" in pattern else [Path(path).name for path in own.paths]
    matches = [compiled.search(text) for text in texts]
    if odd := [text for text, match in zip(texts, matches, strict=True) if not (match and match[1])]:
        raise ValueError(
            f"{what}={pattern!r} tells something about every picture; {len(odd):,} of {len(texts):,} do not fit, "
            f"for example {odd[0]!r}. Change the pattern, or rename those files."
        )
    return np.array([match[1] for match in matches if match])

