"""Boxes and labels on pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fer_utils.data.colours import EXPRESSION_COLOURS
from fer_utils.live.faces import Box, Face, overlap
from fer_utils.live.images import as_bgr

UNKNOWN = "#888888"
"""Colour of a label that is none of the study's expressions."""

def _rgb(colour: str) -> tuple[float, float, float]:
    """`"#rrggbb"` as three numbers in [0, 1]."""
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))  # type: ignore[return-value]


_FONT = cv2.FONT_HERSHEY_SIMPLEX


def contrast_colour(colour: str) -> str:
    """Black or white, whichever has the higher contrast (WCAG 2) on `colour`."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _rgb(colour)]
    luminance = float(np.dot([0.2126, 0.7152, 0.0722], linear))
    return "#000000" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#ffffff"


def colour(label: str) -> tuple[int, int, int]:
    """The study's colour of an expression as blue, green, red in 0..255; grey for other labels."""
    red, green, blue = (round(255 * part) for part in _rgb(EXPRESSION_COLOURS.get(label, UNKNOWN)))
    return blue, green, red


def number(faces: Sequence[Face], i: int) -> str:
    """What face i is called beside the others: its track in a stream, else its place from 1; empty if alone."""
    if len(faces) < 2:
        return ""
    return f"{i + 1} " if faces[i].track is None else f"{faces[i].track} "


def draw(frame: np.ndarray, faces: Sequence[Face], notice: str = "") -> np.ndarray:
    """A copy of a frame with a box and the predicted expression on each face.

    The letters of a plate grow with its face. A plate covers no other face and no other plate: it goes above, below,
    beside or into its own box, smaller where it must, and shows the number alone where nothing else fits.

    Args:
        frame: uint8 (h, w) or (h, w, 3), blue, green, red; not changed.
        faces: what to draw.
        notice: a sentence along the lower edge: the recognizer's `notice`.

    Returns:
        uint8 (h, w, 3).
    """
    drawn = as_bgr(frame).copy()
    size = min(max(max(drawn.shape[:2]) / 900, 0.35), 3.0)
    for face in faces:
        x, y, width, height = face.box
        cv2.rectangle(drawn, (x, y), (x + width, y + height), _shade(face), max(1, round(2.5 * size)))
    for plate in plates(faces, drawn.shape[:2]):
        _fill(drawn, plate)
    if notice:
        _strip(drawn, notice, size)
    return drawn


@dataclass(frozen=True)
class Plate:
    """Where and how a label is written.

    Attributes:
        face: whose it is.
        text: what it says.
        box: the plate.
        scale: of the letters.
    """

    face: Face
    text: str
    box: Box
    scale: float


def plates(faces: Sequence[Face], shape: tuple[int, int]) -> list[Plate]:
    """A plate for each face, none over another face or plate, all inside a frame of `shape` (h, w) where they fit."""
    found: list[Plate] = []
    for i, face in enumerate(faces):
        taken = [plate.box for plate in found]
        others = [*(other.box for j, other in enumerate(faces) if j != i), *taken]
        tried = list(_tries(face, number(faces, i), shape))
        free = (plate for plate in tried if _inside(plate.box, shape) and _is_free(plate.box, others))
        if plate := next(free, next((plate for plate in reversed(tried) if _is_free(plate.box, taken)), None)):
            found.append(plate)
    return found


def _tries(face: Face, called: str, shape: tuple[int, int]) -> Iterator[Plate]:
    """Plates for one face, the best first."""
    texts = [f"{called}{face.answer} {face.confidence:.0%}", *([called.strip()] if called else [])]
    for text in texts:
        (unit, _), _ = cv2.getTextSize(text, _FONT, 1.0, 1)
        best = min(max(1.15 * face.box.width / unit, 0.4), 3.0)
        for scale in (best, 0.75 * best, 0.4) if best > 0.4 else (best,):
            yield from (Plate(face, text, box, scale) for box in _places(face.box, text, scale, shape))


def _places(box: Box, text: str, scale: float, shape: tuple[int, int]) -> Iterator[Box]:
    """Above, below, right, left, and inside at the top and at the bottom."""
    (width, height), below = cv2.getTextSize(text, _FONT, scale, _thickness(scale))
    height += 2 * below
    left = min(max(box.x, 0), max(shape[1] - width, 0))
    right, bottom = box.x + box.width, box.y + box.height
    top = max(box.y, 0)
    for x, y in ((left, box.y - height), (left, bottom + 1), (right + 1, top), (box.x - width - 1, top),
                 (left, top), (left, min(bottom, shape[0]) - height)):  # fmt: skip
        yield Box(x, y, width, height)


def _is_free(box: Box, others: Sequence[Box]) -> bool:
    return not any(overlap(box, other) for other in others)


def _inside(box: Box, shape: tuple[int, int]) -> bool:
    return box.x >= 0 and box.y >= 0 and box.x + box.width <= shape[1] and box.y + box.height <= shape[0]


def _thickness(scale: float) -> int:
    return max(1, round(1.5 * scale))


def _shade(face: Face) -> tuple[int, int, int]:
    return colour(face.label if face.sure else UNKNOWN)


def _fill(drawn: np.ndarray, plate: Plate) -> None:
    x, y, width, height = plate.box
    shade = EXPRESSION_COLOURS.get(plate.face.label, UNKNOWN) if plate.face.sure else UNKNOWN
    cv2.rectangle(drawn, (x, y), (x + width, y + height), _shade(plate.face), cv2.FILLED)
    ink = tuple(round(255 * part) for part in _rgb(contrast_colour(shade)))
    _, below = cv2.getTextSize(plate.text, _FONT, plate.scale, _thickness(plate.scale))
    place = (x, y + height - below)
    cv2.putText(drawn, plate.text, place, _FONT, plate.scale, ink, _thickness(plate.scale), cv2.LINE_AA)


def _strip(drawn: np.ndarray, text: str, size: float) -> None:
    """White on black along the lower edge, as large as the width allows."""
    (width, _), _ = cv2.getTextSize(text, _FONT, size, 1)
    size = size * min(1.0, 0.98 * drawn.shape[1] / width)
    (width, height), below = cv2.getTextSize(text, _FONT, size, 1)
    top = drawn.shape[0] - height - 2 * below - 2
    cv2.rectangle(drawn, (0, top), (drawn.shape[1], drawn.shape[0]), (0, 0, 0), cv2.FILLED)
    cv2.putText(drawn, text, (2, drawn.shape[0] - below - 1), _FONT, size, (255, 255, 255), 1, cv2.LINE_AA)
