"""From whole pictures to a dataset of faces: the face of each, cropped as the recognizer crops it, in the same tree."""

from __future__ import annotations

import csv
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from fer_utils.data.readers import naming
from fer_utils.files.writing import atomic, reason
from fer_utils.live.detection import crops, detectors
from fer_utils.live.detection.detectors import Detector
from fer_utils.live.faces import Box
from fer_utils.live.images import UnreadableError, as_grey, read_image
from fer_utils.live.interface import kinds
from fer_utils.live.recognizer import SMALLEST

TABLE = "crops.csv"
"""What was found in every picture."""

LONGEST_SIDE = 1280
"""Pixels of the copy in which faces are looked for, as the recognizer has it."""

SHOWN = 20
"""How many pictures of each kind are listed at the end; the table has all."""


@dataclass
class Tally:
    """What has been done: how many faces were cropped, and which pictures had none or several or cannot be read."""

    cropped: int = 0
    without: list[str] = field(default_factory=list)
    several: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def crop(source: Path, out: Path, detector: Detector, largest: bool = False) -> int:
    """Crop the face of each picture below a folder into the same place below another, as grey PNG.

    A face is the square that the recognizer cuts out, at the picture's own resolution. A picture with no face, or with
    several, has no crop (nobody can tell which is meant), and is listed. CK+'s label files are copied.

    Args:
        source: a folder of pictures.
        out: a new or empty folder; `crops.csv` in it says what was found in every picture.
        detector: what finds the faces.
        largest: of several faces, crop the largest.

    Returns:
        Exit code: 0; 1 if a picture could not be read or its crop not be written (all are listed); 130 after Ctrl-C
        (what is done stays).

    Raises:
        ValueError: no such folder, no picture in it, or `out` holds something.
    """
    if not source.is_dir():
        raise ValueError(f"Pictures to crop lie in a folder; {source} is none. Name a folder.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"Faces are cropped into a new folder; {out} is there already. Name another.")
    pictures = list(kinds.files(source, out, kinds.IMAGES))
    tally = Tally(failed=kinds.left_out(source, out))
    if not pictures:
        besides = f"; {len(tally.failed):,} files are of kinds that are not read" if tally.failed else ""
        raise ValueError(f"A folder of pictures holds some ({', '.join(kinds.IMAGES)}); {source} has none{besides}.")
    out.mkdir(parents=True, exist_ok=True)
    stopped = _all(pictures, source, out, detector, largest, tally)
    n_labels = _copy_labels(source, out)
    _say(tally, out, n_labels, largest)
    if stopped:
        print(f"Stopped: the folder {out} is not complete.", file=sys.stderr)
        return kinds.INTERRUPTED
    return 1 if tally.failed else 0


def _all(pictures: list[Path], source: Path, out: Path, detector: Detector, largest: bool, tally: Tally) -> bool:
    """Crop every picture; returns whether Ctrl-C came in between."""
    taken: set[Path] = set()
    with (out / TABLE).open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", "faces", "crop", "x", "y", "side"])
        try:
            for path in tqdm(pictures, unit="picture", disable=None):
                target = _free(out / path.relative_to(source).with_suffix(".png"), taken)
                table.writerow(_one(path, target, detector, largest, tally))
        except KeyboardInterrupt:
            return True
    return False


def _free(target: Path, taken: set[Path]) -> Path:
    """The target, numbered if another picture of this call has it already (a.jpg beside a.png)."""
    number = 1
    while (found := target if number == 1 else target.with_stem(f"{target.stem}-{number}")) in taken:
        number += 1
    taken.add(found)
    return found


def _one(path: Path, target: Path, detector: Detector, largest: bool, tally: Tally) -> list[Any]:
    """Crop one picture; its row of the table."""
    try:
        frame = read_image(path)
    except UnreadableError as error:
        tally.failed.append(f"could not be read: {path}: {error}")
        return [path, "", "", "", "", ""]
    boxes = detectors.detect(detector, frame, LONGEST_SIDE, SMALLEST)
    if len(boxes) != 1:
        (tally.several if boxes else tally.without).append(str(path))
    if not boxes or (len(boxes) > 1 and not largest):
        return [path, len(boxes), "", "", "", ""]
    square = crops.square(boxes[0], detector.margin)
    try:
        with atomic(target) as file:
            file.write(cv2.imencode(".png", face_of(frame, square))[1].data)
    except OSError as error:
        tally.failed.append(f"could not be written: {target}: {reason(error)}")
        return [path, len(boxes), "", "", "", ""]
    tally.cropped += 1
    return [path, len(boxes), target, square.x, square.y, square.width]


def face_of(frame: np.ndarray, square: Box) -> np.ndarray:
    """The grey pixels uint8 (s, s) of a square in a frame of `images.as_frame`: what the recognizer prepares."""
    return np.ascontiguousarray(crops.cut(as_grey(frame), square))


def _copy_labels(source: Path, out: Path) -> int:
    """Copy CK+'s label files into the same places; returns how many."""
    labels = [path for path in kinds.files(source, out, (".txt",)) if naming.is_label_file(path.name)]
    for path in labels:
        target = out / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return len(labels)


def _say(tally: Tally, out: Path, n_labels: int, largest: bool) -> None:
    labels = f", and {n_labels:,} label files copied" if n_labels else ""
    print(f"{tally.cropped:,} faces cropped into {out}{labels}; {out / TABLE} says what was found in every picture.")
    several = "several faces, the largest cropped" if largest else "several faces, none cropped (--largest takes one)"
    for words, paths in (("no face found", tally.without), (several, tally.several)):
        if paths:
            print(f"{words}: {len(paths):,} pictures")
            print("".join(f"  {path}\n" for path in paths[:SHOWN]), end="")
            print(f"  and {len(paths) - SHOWN:,} more\n" * (len(paths) > SHOWN), end="")
    for line in tally.failed:
        print(line, file=sys.stderr)
