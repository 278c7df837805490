"""Who showed which expression when, in a video: a table of stretches and a picture of them, a row for each person."""

from __future__ import annotations

import csv
import itertools
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from fer_utils.files.writing import atomic
from fer_utils.live.faces import Face
from fer_utils.live.images import write_image
from fer_utils.live.interface.drawing import colour

UNSURE = "unsure"
_WIDTH, _LEFT, _ROW, _TOP, _FOOT = 1200, 110, 64, 40, 40  # pixels
_FONT, _INK, _PAPER, _LINE = cv2.FONT_HERSHEY_SIMPLEX, (51, 51, 51), (255, 255, 255), (230, 230, 230)
_MOST_ROWS = 40


class Stretch(NamedTuple):
    """A time in which the answer about one person stays the same.

    Attributes:
        person: number of the track.
        start, end: seconds; the end is the time of the next frame.
        answer: the predicted expression, or `UNSURE`.
        share: mean probability of the label, in [0, 1].
    """

    person: int
    start: float
    end: float
    answer: str
    share: float


class Timeline:
    """Takes in the faces of a video, frame by frame, and writes what was seen."""

    def __init__(self, frames_per_second: float) -> None:
        """Starts empty; the rate says how long a frame lasts."""
        self._step = 1 / frames_per_second
        self._seen: dict[int, list[tuple[float, str, float]]] = defaultdict(list)

    def add(self, faces: Sequence[Face], time: float) -> None:
        """The faces of the next frame, with their track numbers, and its time in seconds."""
        for face in faces:
            answer = face.label if face.sure else UNSURE
            self._seen[face.track or 0].append((time, answer, face.confidence))

    def stretches(self) -> list[Stretch]:
        """All stretches by person and time; a gap of more than two frames ends one."""
        found = []
        for person, seen in sorted(self._seen.items()):
            gaps = np.diff([time for time, _, _ in seen], prepend=seen[0][0]) > 2.5 * self._step
            marked = zip(np.cumsum(gaps), seen, strict=True)
            for (_, answer), part in itertools.groupby(marked, key=lambda pair: (pair[0], pair[1][1])):
                times, _, shares = zip(*(one for _, one in part), strict=True)
                found.append(Stretch(person, times[0], times[-1] + self._step, answer, float(np.mean(shares))))
        return found

    def write(self, table: Path, picture: Path) -> None:
        """Write the stretches as CSV and draw them as PNG."""
        stretches = self.stretches()
        with atomic(table, "w") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["person", "start", "end", "seconds", "answer", "share"])
            for person, start, end, answer, share in stretches:
                rows.writerow([person, f"{start:.3f}", f"{end:.3f}", f"{end - start:.3f}", answer, f"{share:.5f}"])
        write_image(picture, drawn(stretches))


def drawn(stretches: Sequence[Stretch]) -> np.ndarray:
    """The picture, uint8 (h, w, 3) BGR: a band for each person, coloured by expression, as high as the share.

    The people who are seen longest are shown, at most 40.
    """
    seconds: dict[int, float] = defaultdict(float)
    for stretch in stretches:
        seconds[stretch.person] += stretch.end - stretch.start
    people = sorted(sorted(seconds, key=lambda person: -seconds[person])[:_MOST_ROWS])
    canvas = np.full((_TOP + _ROW * max(len(people), 1) + _FOOT, _WIDTH, 3), _PAPER, np.uint8)
    last = max((stretch.end for stretch in stretches), default=1.0)
    scale = (_WIDTH - _LEFT - 20) / last
    _axis(canvas, last, scale)
    for row, person in enumerate(people):
        bottom = _TOP + _ROW * (row + 1) - 8
        _write(canvas, f"person {person}", (8, bottom - 16))
        for stretch in (stretch for stretch in stretches if stretch.person == person):
            left, right = (round(_LEFT + time * scale) for time in (stretch.start, stretch.end))
            top = bottom - max(2, round(stretch.share * (_ROW - 16)))
            cv2.rectangle(canvas, (left, top), (max(right - 1, left), bottom), _shade(stretch.answer), cv2.FILLED)
    _legend(canvas, sorted({stretch.answer for stretch in stretches}))
    return canvas


def _shade(answer: str) -> tuple[int, int, int]:
    return (205, 205, 205) if answer == UNSURE else colour(answer)


def _axis(canvas: np.ndarray, last: float, scale: float) -> None:
    """Lines at round numbers of seconds, at most ten of them."""
    steps = (base * 10**power for power in range(-2, 6) for base in (1, 2, 5))
    step = next(step for step in steps if last / step <= 10)
    for i in range(int(last / step + 1e-9) + 1):
        x = round(_LEFT + i * step * scale)
        cv2.line(canvas, (x, _TOP), (x, canvas.shape[0] - _FOOT), _LINE, 1)
        _write(canvas, f"{i * step:g} s", (x - 8, canvas.shape[0] - _FOOT + 20))


def _legend(canvas: np.ndarray, answers: Sequence[str]) -> None:
    x = _LEFT
    for answer in answers:
        cv2.rectangle(canvas, (x, 12), (x + 14, 26), _shade(answer), cv2.FILLED)
        _write(canvas, answer, (x + 20, 25))
        x += 36 + cv2.getTextSize(answer, _FONT, 0.5, 1)[0][0]
    _write(canvas, "height: probability of the label", (max(x + 10, _WIDTH - 290), 25))


def _write(canvas: np.ndarray, text: str, place: tuple[int, int]) -> None:
    cv2.putText(canvas, text, place, _FONT, 0.5, _INK, 1, cv2.LINE_AA)
