"""How good is it on *my* pictures: pictures in a folder for each expression, read from detection to label.

Everything stays on this machine: the pictures are read, and tables are written where `out` says.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fer_utils.data.readers import naming
from fer_utils.files.reading import printable
from fer_utils.files.writing import atomic, replacing
from fer_utils.live.faces import Face
from fer_utils.live.images import UnreadableError
from fer_utils.live.interface import kinds
from fer_utils.live.recognizer import EmotionRecognizer

_Z = 1.959963984540054  # 97.5 % quantile of the normal distribution
_WORST = 10


@dataclass(frozen=True)
class Seen:
    """One picture.

    Attributes:
        path: its file.
        truth: the class that its folder says.
        faces: how many faces were found.
        face: the largest of them, or None.
    """

    path: Path
    truth: str
    faces: int
    face: Face | None

    @property
    def right(self) -> bool:
        """Whether a face was found and the predicted expression is the folder's."""
        return self.face is not None and self.face.label == self.truth


def wilson(k: int, n: int) -> tuple[float, float, float]:
    """K of n, and the ends of Wilson's 95 % interval (Wilson 1927), in percent; n is at least 1."""
    share, spread = k / n, _Z**2 / n
    middle, half = share + spread / 2, _Z * math.sqrt((share * (1 - share) + spread / 4) / n)
    low, high = ((middle + sign * half) / (1 + spread) for sign in (-1, 1))
    return 100 * share, 100 * max(low, 0.0), 100 * min(high, 1.0)


def collect(folder: Path, class_names: Sequence[str], out: Path) -> list[tuple[Path, str]]:
    """Every picture below the folder's subfolders and the class that the subfolder's name says, in order.

    Args:
        folder: holds a folder for each expression; usual other names of expressions are understood.
        class_names: the k classes of the network.
        out: passed over, where it lies among them.

    Raises:
        ValueError: no such folder, a subfolder that is named after no class of the network, or no picture at all.
    """
    rule = f"Pictures lie in one folder for each expression ({', '.join(class_names)})"
    if not folder.is_dir():
        raise ValueError(f"{rule}; {folder} is no folder. Name the folder that holds them.")
    found = []
    for inside in _folders(folder, out):
        truth = inside.name.lower() if inside.name.lower() in class_names else naming.expression(inside.name)
        if truth not in class_names:
            raise ValueError(f"{rule}; {inside} is none of these. Rename it or move it away.")
        found += [(path, truth) for path in kinds.files(inside, out, kinds.IMAGES)]
    if not found:
        raise ValueError(f"{rule}; in {folder} there are none ({', '.join(kinds.IMAGES)}). Sort them into folders.")
    return found


def _folders(folder: Path, out: Path) -> list[Path]:
    """The folders of expressions; not one that `out` is or lies in, unless it is named after an expression."""
    inside = (path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    own = out.resolve()
    return sorted(
        path for path in inside
        if path.resolve() != own and (naming.expression(path.name) or not own.is_relative_to(path.resolve()))
    )  # fmt: skip


def _loose(folder: Path) -> list[str]:
    """A line for each picture that lies in no expression's folder."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in kinds.IMAGES and path.is_file())
    return [f"left out: {path} lies in no expression's folder" for path in found if not path.name.startswith(".")]


def evaluate(folder: Path, out: Path, recognizer: EmotionRecognizer, overwrite: bool = False) -> int:
    """Read all pictures, print what the recognizer is worth on them, and write the tables.

    Args:
        folder: holds one folder for each expression.
        out: folder for `pictures.csv`, `classes.csv`, `confusion.csv`, and `confusion.png` where Matplotlib is there.
        recognizer: what finds and classifies.
        overwrite: whether tables in `out` may be replaced.

    Returns:
        Exit code: 0; 1 if a file could not be read or lies in no expression's folder; 130 after Ctrl-C, with the tables
        of what was read.

    Raises:
        ValueError: see `collect`; or tables are there already.
    """
    jobs = collect(folder, recognizer.class_names, out)
    there = [out / name for name in ("pictures.csv", "classes.csv", "confusion.csv") if (out / name).exists()]
    if there and not overwrite:
        raise ValueError(f"Nothing is overwritten without --overwrite; {there[0]} is there. Add it, or another --out.")
    seen, failed = [], [*kinds.left_out(folder, out), *_loose(folder)]
    stopped = _read(jobs, recognizer, seen, failed)
    for line in failed:
        print(printable(line), file=sys.stderr)
    if seen:
        _write(seen, recognizer.class_names, out)
        print(printable("\n".join([*report(seen, recognizer.class_names), f"Tables are in {out}."])))
    if stopped:
        print(f"Stopped: {len(seen):,} of {len(jobs):,} pictures were read.", file=sys.stderr)
        return kinds.INTERRUPTED
    return 1 if failed or not seen else 0


def _read(
    jobs: Sequence[tuple[Path, str]], recognizer: EmotionRecognizer, seen: list[Seen], failed: list[str]
) -> bool:
    """Read every picture; returns whether Ctrl-C came in between."""
    try:
        for path, truth in tqdm(jobs, unit="picture", disable=None):
            try:
                faces = recognizer(path)
            except UnreadableError as error:
                failed.append(f"could not be read: {error}")
                continue
            seen.append(Seen(path, truth, len(faces), faces[0] if faces else None))
    except KeyboardInterrupt:
        return True
    return False


def report(seen: Sequence[Seen], class_names: Sequence[str]) -> list[str]:
    """The report in lines.

    Args:
        seen: at least one picture.
        class_names: the k classes.
    """
    found = [one for one in seen if one.face]
    sure = [one for one in found if one.face.sure]
    lines = [
        f"{len(seen):,} pictures; no face found in {len(seen) - len(found):,}; in "
        f"{sum(one.faces > 1 for one in seen):,} several, of which the largest counts.",
        _share("right of all pictures (no face counts as wrong)", seen),
        *([_share("right where a face was found", found)] if found else []),
        *([_share(f"right where it is sure ({len(sure)} of {len(found)} answers)", sure)] if sure else []),
        "",
        f"{'expression':12}{'pictures':>9}{'no face':>9}{'recall, %':>11}   95 % interval",
    ]
    for name, of_class in _by_class(seen, class_names):
        share, low, high = wilson(sum(one.right for one in of_class), len(of_class))
        missing = sum(one.face is None for one in of_class)
        lines.append(f"{name:12}{len(of_class):9,}{missing:9,}{share:11.1f}   [{low:.1f}, {high:.1f}]")
    return [*lines, "", *_worst(found), "Intervals take pictures as independent; several of one person are not."]


def _share(what: str, seen: Sequence[Seen]) -> str:
    share, low, high = wilson(sum(one.right for one in seen), len(seen))
    return f"{share:5.1f} % [{low:.1f}, {high:.1f}] {what}"


def _by_class(seen: Sequence[Seen], class_names: Sequence[str]) -> Iterable[tuple[str, list[Seen]]]:
    parts = ((name, [one for one in seen if one.truth == name]) for name in class_names)
    return ((name, part) for name, part in parts if part)


def _worst(found: Sequence[Seen]) -> list[str]:
    """The wrong answers that were surest."""
    wrong = sorted((one for one in found if not one.right), key=lambda one: -one.face.confidence)
    lines = [f"  {one.path}: {one.truth}, read as {one.face.label} {one.face.confidence:.0%}" for one in wrong[:_WORST]]
    return ["Surest among the wrong answers:", *lines, ""] if lines else []


def confusion(seen: Sequence[Seen], class_names: Sequence[str]) -> np.ndarray:
    """Counts int64 (k, k) of the pictures with a face: row the folder's class, column the predicted one."""
    counts = np.zeros((len(class_names), len(class_names)), np.int64)
    for one in seen:
        if one.face:
            counts[class_names.index(one.truth), class_names.index(one.face.label)] += 1
    return counts


def _write(seen: Sequence[Seen], class_names: Sequence[str], out: Path) -> None:
    shares = [f"p_{name}" for name in class_names]
    head = ["file", "expression", "faces", "label", "sure", "right", *shares]
    _table(out / "pictures.csv", head, (_row(one, len(class_names)) for one in seen))
    rows = []
    for name, part in _by_class(seen, class_names):
        share, low, high = wilson(sum(one.right for one in part), len(part))
        missing = sum(one.face is None for one in part)
        rows.append([name, len(part), missing, f"{share:.2f}", f"{low:.2f}", f"{high:.2f}"])
    _table(out / "classes.csv", ["expression", "pictures", "no face", "recall", "low", "high"], rows)
    counts = confusion(seen, class_names)
    rows = ([name, *row] for name, row in zip(class_names, counts.tolist(), strict=True))
    _table(out / "confusion.csv", ["expression", *class_names], rows)
    _picture(counts, class_names, out / "confusion.png")


def _row(one: Seen, k: int) -> list[object]:
    if one.face is None:
        return [one.path, one.truth, 0, "", "", 0, *[""] * k]
    shares = [f"{share:.5f}" for share in one.face.probabilities]
    return [one.path, one.truth, one.faces, one.face.label, int(one.face.sure), int(one.right), *shares]


def _table(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with atomic(path, "w") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(head)
        table.writerows(rows)


def _picture(counts: np.ndarray, class_names: Sequence[str], path: Path) -> None:
    """The confusion matrix as a picture, where Matplotlib is installed."""
    try:
        from fer_utils import plots
    except ImportError:
        return
    figure = plots.confusion_matrix(counts, class_names, title="Predicted expressions of own pictures",
                                    caption=f"{counts.sum():,} pictures in which a face was found.")  # fmt: skip
    with replacing(path) as partial:
        figure.savefig(partial, format="png")
