"""What a drawn face is made from (person, pose, light) and the pencil that draws it on two layers.

Coordinates: x to the right and y down, in half picture widths from the centre: a picture spans -1 to 1.
Solid shapes go on an enlarged ink layer that is shrunk by area averaging; soft folds and shadows go on a
second layer that multiplies it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

SUPERSAMPLING = 4
STEPS = np.linspace(0, 1, 13)
"""Positions along a curve."""
BOW = 1 - (2 * STEPS - 1) ** 2
"""A parabola over `STEPS`: 0 at the ends, 1 in the middle."""
_CIRCLE = np.stack([np.cos(2 * np.pi * np.arange(20) / 20), np.sin(2 * np.pi * np.arange(20) / 20)], axis=1)


def arc(start: tuple[float, float], end: tuple[float, float], bulge: float, power: float = 1.0) -> np.ndarray:
    """Points (13, 2) from start to end, moved down by up to `bulge` in the middle."""
    points = np.empty((13, 2))
    points[:, 0] = start[0] + (end[0] - start[0]) * STEPS
    points[:, 1] = start[1] + (end[1] - start[1]) * STEPS + bulge * (BOW if power == 1 else BOW**power)
    return points


def moved(points: np.ndarray, x: float, y: float) -> np.ndarray:
    """The points (..., 2), shifted."""
    return points + np.array((x, y))


def ellipse(x: float, y: float, width: float, height: float) -> np.ndarray:
    """Points (20, 2) around (x, y); width and height are half axes."""
    return moved(_CIRCLE * [width, height], x, y)


@dataclass(frozen=True)
class Identity:
    """One person's face at rest. Lengths in half picture widths, shades in grey levels 0 to 255.

    Attributes:
        hair_style: 0 receding, 1 short, 2 fringe, 3 long, 4 side parting.
        jaw: 0 pointed to 1 square.
        brow_tilt, eye_tilt, mouth_tilt: how much the outer end lies below the inner end (mouth: the centre).
        furrows: depth of all folds; small for a smooth face.
        beard: 0 none to 1 full.
    """

    skin: float = 175.0
    hair: float = 55.0
    hair_style: int = 1
    face_width: float = 0.72
    face_length: float = 0.9
    jaw: float = 0.5
    eye_spacing: float = 0.33
    eye_size: float = 0.165
    eye_opening: float = 0.45
    eye_tilt: float = 0.0
    iris: float = 55.0
    brow_thickness: float = 0.06
    brow_height: float = 0.2
    brow_tilt: float = 0.0
    nose_length: float = 0.36
    nose_width: float = 0.13
    mouth_width: float = 0.29
    mouth_tilt: float = 0.0
    lips: float = 0.06
    furrows: float = 1.0
    glasses: bool = False
    beard: float = 0.0


@dataclass(frozen=True)
class Pose:
    """How the head is held and framed.

    Attributes:
        yaw, pitch, roll: rotation in degrees, to the picture's right, down and clockwise.
        shift_x, shift_y: of the head's centre, in half picture widths.
        scale: 1.1 crops as tightly as FER2013 and CK+48 do.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    scale: float = 1.1

    def project(self, points: np.ndarray) -> np.ndarray:
        """Rows (x, y, lift above the skull) float (n, 3) to picture coordinates (n, 2)."""
        x, y, lift = points.T
        depth = 0.6 * np.sqrt(np.maximum(0, 1 - (x / 0.85) ** 2 - (y / 1.1) ** 2)) + lift
        yaw, pitch, roll = np.deg2rad([self.yaw, self.pitch, self.roll])
        x, y = x * np.cos(yaw) + depth * np.sin(yaw), y * np.cos(pitch) + depth * np.sin(pitch)
        turned = np.stack([x * np.cos(roll) - y * np.sin(roll), x * np.sin(roll) + y * np.cos(roll)], axis=1)
        return moved(self.scale * turned, self.shift_x, self.shift_y)


@dataclass(frozen=True)
class Light:
    """Brightness changes by `across` (to the right) and `down` per half width; then gain, then gamma."""

    across: float = 0.0
    down: float = -0.1
    gain: float = 1.0
    gamma: float = 1.0
    background: float = 110.0


class Sketch:
    """Collects shapes, then projects all of them at once and draws them in order."""

    def __init__(self) -> None:
        self._shapes: list[tuple[np.ndarray, float, float, float, bool]] = []

    def fill(self, points: np.ndarray, shade: float, lift: float = 0.0) -> None:
        """A filled polygon (n, 2) of a grey level 0 to 255, `lift` above the skull."""
        self._shapes.append((points, shade, 0.0, lift, False))

    def line(self, points: np.ndarray, shade: float, width: float, lift: float = 0.0) -> None:
        """An open line (n, 2) of the given width."""
        self._shapes.append((points, shade, width, lift, False))

    def shadow(self, points: np.ndarray, strength: float, width: float) -> None:
        """A soft line (n, 2) that darkens by the fraction `strength`, or lightens if it is negative."""
        self._shapes.append((points, 128 * (1 - strength), width, 0.0, True))

    def draw(self, pose: Pose, background: float, size: int) -> tuple[np.ndarray, np.ndarray]:
        """uint8 ink layer (size, size) and float32 factor (size, size) of the soft layer."""
        big = size * SUPERSAMPLING
        ink, soft = np.full((big, big), background, np.uint8), np.full((size, size), 128, np.uint8)
        counts = [len(shape[0]) for shape in self._shapes]
        lifts = np.repeat([shape[3] for shape in self._shapes], counts)
        placed = pose.project(np.column_stack([np.concatenate([shape[0] for shape in self._shapes]), lifts]))
        fine = np.rint((placed + 1) * big * 8 - 8).astype(np.int32)  # 4 fractional bits of a pixel
        coarse = np.rint((placed + 1) * size * 8 - 8).astype(np.int32)
        end = 0
        for (_, shade, width, _, is_soft), count in zip(self._shapes, counts, strict=True):
            start, end = end, end + count
            layer, points = (soft, coarse[start:end]) if is_soft else (ink, fine[start:end])
            shade, edge = min(max(shade, 0.0), 255.0), cv2.LINE_AA if is_soft else cv2.LINE_8
            if width:
                cv2.polylines(layer, [points], False, shade, max(1, round(width * len(layer) / 2)), edge, 4)
            else:
                cv2.fillPoly(layer, [points], shade, edge, 4)
        factor = cv2.GaussianBlur(soft, (0, 0), size / 52).astype(np.float32) / 128
        return cv2.resize(ink, (size, size), interpolation=cv2.INTER_AREA), factor
