"""Images in one folder per class, on the disk or inside an archive; the classes may lie in folders of parts."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_utils.data.dataset import SIZE
from fer_utils.data.readers import cache, naming, packed
from fer_utils.data.readers.images import LARGEST_FILE, PUBLISHED, Rules, face_of, read

Place = tuple[Path, Path | None]
"""A file, and the archive that it lies in, if any."""


@dataclass(frozen=True)
class ClassFolders:
    """A folder whose subfolders hold images: `files` maps a subfolder's name to its sorted image names."""

    path: Path
    files: dict[str, tuple[str, ...]]
    archive: Path | None = None

    def __str__(self) -> str:
        return str(self.path)

    @property
    def first(self) -> str:
        """Name of one image, to tell the dataset by; empty if there is no image at all."""
        return next((names[0] for names in self.files.values() if names), "")

    def items(self, class_names: Sequence[str]) -> list[tuple[str, int]]:
        """Path and class code of every image, by class and name.

        Args:
            class_names: the dataset's classes; a folder may carry any synonym of one (`naming.expression`).

        Raises:
            ValueError: a folder is none of the classes, or holds no image.
        """
        codes = {naming.SYNONYMS[name]: code for code, name in enumerate(class_names)}
        found = []
        for folder, names in self.files.items():
            code = codes.get(naming.expression(folder) or "")
            if code is None:
                raise self._no_class(folder, class_names)
            if not names:
                raise ValueError(
                    f"{self.path / folder}: a class folder holds images; got none. "
                    "Put its images there, or remove the folder."
                )
            found.append((code, os.path.join(self.path, folder, ""), names))
        return [(place + name, code) for code, place, names in sorted(found) for name in names]

    def _no_class(self, folder: str, class_names: Sequence[str]) -> ValueError:
        remedy = "Rename it or move it away"
        if naming.expression(folder) == "contempt":
            remedy = "FER+, AffectNet and CK+ have that class, FER2013 has not: move it away"
        return ValueError(
            f"{self.path / folder}: a folder of images is named after one of the classes "
            f"{', '.join(class_names)}; got {folder!r}. {remedy}, or read classes of your own by load('folders', ...)."
        )


@dataclass(frozen=True)
class Layout:
    """Class folders that belong together: one `ClassFolders` for each part (train, test, ...), or a single one.

    Attributes:
        path: the folder that holds them all.
        parts: in the order of their paths.
        names: for each the name of its part's folder as it is written; empty without one.
    """

    path: Path
    parts: tuple[ClassFolders, ...]
    names: tuple[str, ...]

    def __str__(self) -> str:
        return str(self.path)

    @property
    def archive(self) -> Path | None:
        """The archive that it lies in, if any."""
        return self.parts[0].archive

    @property
    def read(self) -> set[Path]:
        """The folders whose images it reads."""
        return {part.path / folder for part in self.parts for folder in part.files}

    def items(self, class_names: Sequence[str]) -> list[tuple[str, int, str]]:
        """Path, class code and name of the part of every image, by part, class and name.

        Raises:
            ValueError: parts that do not go together, a folder that is no class, or one without images.
        """
        if len(set(self.names)) < len(self.names) or (len(self.names) > 1 and "" in self.names):
            raise ValueError(
                f"{self.path}: class folders lie directly in each part's folder; got them in "
                f"{' and in '.join(str(part.path) for part in self.parts[:4])}. Name the one you mean or move one away."
            )
        self._check_numbers()
        parts = zip(self.parts, self.names, strict=True)
        return [(*item, name) for part, name in parts for item in part.items(class_names)]

    def _check_numbers(self) -> None:
        folders = {folder for part in self.parts for folder in part.files}
        numbers = {folder for folder in folders if naming.is_number(folder)}
        if numbers and folders != set("0123456"):
            raise ValueError(
                f"{self.path}: class folders named by numbers are FER2013's 0 to 6, all seven and no others; got "
                f"{', '.join(sorted(folders))}. RAF-DB, AffectNet and CK+ number expressions differently: rename the "
                "folders after what they show, or read them as they are with load('folders', ...)."
            )


def layouts(places: Iterable[ClassFolders], root: Path) -> list[Layout]:
    """Class folders by what they belong to: parts by the folder that holds them, others by themselves."""
    groups: dict[tuple[Path, Path | None], list[tuple[ClassFolders, str]]] = {}
    for place in places:
        part = _part_of(place.path, root)
        groups.setdefault((part.parent if part else place.path, place.archive), []).append(
            (place, part.name if part else "")
        )
    return [Layout(path, *zip(*found, strict=True)) for (path, _), found in groups.items()]


def _part_of(path: Path, root: Path) -> Path | None:
    """The folder at or above `path`, and not above `root`, that is named after a part."""
    for folder in (path, *path.parents):
        if not folder.is_relative_to(root):
            return None
        if naming.part(folder.name):
            return folder
    return None


def read_images(paths: Sequence[str | Path], archive: Path | None = None, rules: Rules = PUBLISHED) -> cache.Arrays:
    """Decode image files, each held once.

    Args:
        paths: n files; inside an archive its path with the name behind it.
        archive: that archive, or None for files on the disk.
        rules: which images are faces.

    Returns:
        `images` uint8 (n, 48, 48), and `altered` int64 (2,): how many had another size, and how many colour.

    Raises:
        ValueError, FileNotFoundError: a file is missing, or is not a valid image; the message names it.
    """
    images, altered = np.empty((len(paths), SIZE, SIZE), np.uint8), np.zeros(2, np.int64)
    for position, data in _contents(paths, archive, rules):
        found = face_of(data, Path(paths[position]), rules)
        images[position] = found.face
        altered += (found.resized, found.coloured)
    return {"images": images, "altered": altered}


def _contents(paths: Sequence[str | Path], archive: Path | None, rules: Rules) -> Iterable[tuple[int, bytes]]:
    if archive is None:
        return ((position, read(Path(path), rules)) for position, path in enumerate(paths))
    names = {Path(path).relative_to(archive).as_posix(): position for position, path in enumerate(paths)}
    return packed.contents(archive, names, LARGEST_FILE)


def identity(paths: Sequence[str | Path], archive: Path | None, version: str) -> str:
    """`cache.identity` of image files, or of the archive they lie in and their names."""
    if archive is None:
        return cache.identity(paths, version)
    names = "\n".join(str(Path(path).relative_to(archive)) for path in paths)
    return cache.identity([archive], f"{version}\n{names}")


def warn_altered(arrays: cache.Arrays, where: object, name: str) -> cache.Arrays:
    """The arrays without `altered`, which becomes a warning where images were not as published."""
    resized, coloured = arrays.pop("altered", np.zeros(2, np.int64)).tolist()
    if resized or coloured:
        what = [f"{resized:,} of another size were reduced to {SIZE} x {SIZE} by area"] * bool(resized)
        what += [f"{coloured:,} in colour were made grey"] * bool(coloured)
        warnings.warn(
            f"{where}: of {len(arrays['images']):,} images {' and '.join(what)}. Pixels and fingerprint are not those "
            f"of the original {name}, so results are not comparable to the digit.",
            stacklevel=2,
        )
    return arrays
