"""CK+ as it is given out: frames by subject and sequence, and one label file for each labelled sequence.

`cohn-kanade-images/S005/001/S005_001_00000011.png` is the apex frame that
`Emotion/S005/001/S005_001_00000011_emotion.txt` labels. Frames and labels are joined by their names, wherever they lie.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_utils.data.dataset import CKPLUS_EXPRESSIONS
from fer_utils.data.readers import cache, folders, packed, sources
from fer_utils.files.reading import content

FRAME = re.compile(r"(S\d{3})_(\d{3})_\d{8}\.", re.IGNORECASE)
"""A frame's name: subject, sequence, frame."""

_LABEL = re.compile(r"(S\d{3}_\d{3}_\d{8})_emotion\.txt", re.IGNORECASE)
_LARGEST_LABEL = 1000  # bytes; one number


@dataclass(frozen=True)
class Original:
    """CK+'s frames and label files.

    Attributes:
        path: a folder or archive that holds the frames.
        frames: each frame's name without its ending, in upper case, to its file; all in one archive, or none in one.
        labels: the label files, by name.
    """

    path: Path
    frames: dict[str, folders.Place]
    labels: tuple[folders.Place, ...]

    def __str__(self) -> str:
        return f"{self.path} (CK+'s frames, {len(self.labels)} label files)"

    @property
    def apexes(self) -> list[tuple[str, folders.Place]]:
        """Name and file of the frame that each label file labels.

        Raises:
            ValueError: a label file without its frame.
        """
        names = [_stem(label) for label, _ in self.labels]
        if lacking := [name for name in names if name not in self.frames]:
            raise ValueError(
                f"{self.path}: each label file of CK+ is named after the frame at its sequence's apex; {len(lacking)} "
                f"of {len(names)} such frames are not there: {', '.join(lacking[:4])}. Put them back, or move those "
                "label files away."
            )
        return [(name, self.frames[name]) for name in names]

    def identity(self, version: str) -> str:
        """See `cache.identity`."""
        places = [*self.labels, *(place for _, place in self.apexes)]
        files = dict.fromkeys(archive or path for path, archive in places)
        names = "\n".join(str(path) for path, archive in places if archive)
        return cache.identity(files, f"{version}\n{names}")

    def read(self) -> cache.Arrays:
        """The apex frames by class and name; arrays as of `folders.read_images`, with labels, subjects, sequences."""
        codes = _labels(self.labels)
        rows = sorted((code, name, place) for code, (name, place) in zip(codes, self.apexes, strict=True))
        arrays = folders.read_images([path for _, _, (path, _) in rows], rows[0][2][1])
        return arrays | {
            "labels": np.array([code for code, _, _ in rows], np.int64),
            "subjects": np.array([name[:4] for _, name, _ in rows]),
            "sequences": np.array([name[:8] for _, name, _ in rows]),
        }


def originals(found: sources.Found) -> list[Original]:
    """CK+ in its original layout, for each archive and for the disk; without label files none."""
    by_archive: dict[Path | None, dict[str, folders.Place]] = {}
    for folder in found.images:
        frames = {name for name in folder.images if FRAME.match(name)} if is_sequence(folder.path) else ()
        for name in frames:
            by_archive.setdefault(folder.archive, {})[Path(name).stem.upper()] = (folder.path / name, folder.archive)
    labels = {_stem(path): (path, archive) for path, archive in found.labels if _LABEL.fullmatch(path.name)}
    placed = tuple(labels[name] for name in sorted(labels))
    return [Original(archive or found.root, frames, placed) for archive, frames in by_archive.items() if placed]


def check_has_labels(found: sources.Found) -> None:
    """Refuse frames of CK+ whose label files are not there.

    Raises:
        MissingDataError: such frames; the message says what to put beside them.
    """
    frames = [folder for folder in found.images if is_sequence(folder.path) and FRAME.match(folder.images[0])]
    if frames:
        raise sources.MissingDataError(
            f"CK+'s frames need its label files, Emotion/S005/001/S005_001_00000011_emotion.txt and so on; under "
            f"{found.root} are {len(frames):,} sequences and no label file. Put the folder Emotion beside them."
        )


def is_sequence(folder: Path) -> bool:
    """Whether a folder is that of a sequence (S005/001)."""
    return bool(re.fullmatch(r"\d{3}", folder.name) and re.fullmatch(r"[Ss]\d{3}", folder.parent.name))


def _stem(label: Path) -> str:
    """The name of the frame that a label file labels."""
    match = _LABEL.fullmatch(label.name)
    return match[1].upper() if match else ""


def _labels(places: Sequence[folders.Place]) -> list[int]:
    """The class codes in label files: positions in `CKPLUS_EXPRESSIONS`, which are CK+'s 1 to 7 less one."""
    texts: dict[Path, bytes] = {path: content(path, _LARGEST_LABEL) for path, archive in places if archive is None}
    for archive in {archive for _, archive in places if archive}:
        inside = [path for path, where in places if where == archive]
        names = {path.relative_to(archive).as_posix(): number for number, path in enumerate(inside)}
        texts |= {inside[number]: data for number, data in packed.contents(archive, names, _LARGEST_LABEL)}
    return [_code(path, texts[path]) for path, _ in places]


def _code(path: Path, text: bytes) -> int:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if value not in range(1, len(CKPLUS_EXPRESSIONS) + 1):
        classes = ", ".join(f"{number} {name}" for number, name in enumerate(CKPLUS_EXPRESSIONS, 1))
        raise ValueError(
            f"{path}: a label file of CK+ holds one number ({classes}); got {text[:40]!r}. "
            "Fetch the file again, or move it away."
        )
    return int(value) - 1
