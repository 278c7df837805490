"""Boxes and labels on pictures."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from fer_utils.data.colours import EXPRESSION_COLOURS
from fer_utils.live.faces import Face
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


def draw(frame: np.ndarray, faces: Sequence[Face], notice: str = "") -> np.ndarray:
    """A copy of a frame with a box and the predicted expression on each face.

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
        cv2.rectangle(drawn, (x, y), (x + width, y + height), colour(face.label), max(1, round(2.5 * size)))
        _label(drawn, face, size)
    if notice:
        _strip(drawn, notice, size)
    return drawn


def _label(drawn: np.ndarray, face: Face, size: float) -> None:
    """Name and probability on a plate above the box, or inside it where there is no room, within the frame."""
    text = f"{face.label} {face.confidence:.0%}"
    thickness = max(1, round(1.5 * size))
    (width, height), below = cv2.getTextSize(text, _FONT, size, thickness)
    x = min(max(face.box.x, 0), max(drawn.shape[1] - width, 0))
    bottom = face.box.y if face.box.y > height + 2 * below else max(face.box.y, 0) + height + 2 * below
    plate = colour(face.label)
    cv2.rectangle(drawn, (x, bottom - height - 2 * below), (x + width, bottom), plate, cv2.FILLED)
    ink = tuple(round(255 * part) for part in _rgb(contrast_colour(EXPRESSION_COLOURS.get(face.label, UNKNOWN))))
    cv2.putText(drawn, text, (x, bottom - below), _FONT, size, ink, thickness, cv2.LINE_AA)


def _strip(drawn: np.ndarray, text: str, size: float) -> None:
    """White on black along the lower edge, as large as the width allows."""
    (width, _), _ = cv2.getTextSize(text, _FONT, size, 1)
    size = size * min(1.0, 0.98 * drawn.shape[1] / width)
    (width, height), below = cv2.getTextSize(text, _FONT, size, 1)
    top = drawn.shape[0] - height - 2 * below - 2
    cv2.rectangle(drawn, (0, top), (drawn.shape[1], drawn.shape[0]), (0, 0, 0), cv2.FILLED)
    cv2.putText(drawn, text, (2, drawn.shape[0] - below - 1), _FONT, size, (255, 255, 255), 1, cv2.LINE_AA)
