"""A drawn face: identity + FACS action units + pose + light -> grey picture.

What an action unit (AU) does to the face follows Ekman, Friesen & Hager, Facial Action Coding System (2002).
Coordinates as in `controls`; side -1 is the person's own right, the picture's left.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fer_utils.data.synthetic.controls import BOW, STEPS, Identity, Light, Pose, Sketch, arc, ellipse, moved

ACTION_UNITS = {
    1: "inner brow raiser", 2: "outer brow raiser", 4: "brow lowerer", 5: "upper lid raiser",
    6: "cheek raiser", 7: "lid tightener", 9: "nose wrinkler", 10: "upper lip raiser",
    12: "lip corner puller", 14: "dimpler", 15: "lip corner depressor", 16: "lower lip depressor",
    17: "chin raiser", 20: "lip stretcher", 23: "lip tightener", 25: "lips part", 26: "jaw drop",
}  # fmt: skip
"""FACS number -> name of every action unit the drawing understands."""

_SHARES = {"AU": {-1: 1.0, 0: 1.0, 1: 1.0}, "R": {-1: 1.0, 0: 0.5}, "L": {1: 1.0, 0: 0.5}}
_UNIT_NAMES = frozenset(f"{prefix}{number}" for number in ACTION_UNITS for prefix in _SHARES)
_CUPID = 1 - 0.25 * np.cos(4 * np.pi * (STEPS - 0.5))
_ANGLES = np.linspace(0, 2 * np.pi, 48, endpoint=False)
_RING = np.cos(_ANGLES), np.sin(_ANGLES)
_MOUTH_Y, _EYE_Y = 0.47, -0.2


class _Face(Sketch):
    """A sketch that knows whom it shows and with which action units."""

    def __init__(self, identity: Identity, units: Mapping[str, float]) -> None:
        super().__init__()
        self.identity = identity
        self._units: dict[int, dict[int, float]] = {-1: {}, 0: {}, 1: {}}
        for name, intensity in units.items():
            number = int(name.lstrip("AURL"))
            for side, share in _SHARES[name.rstrip("0123456789")].items():
                self._units[side][number] = self.unit(number, side) + share * intensity

    def unit(self, number: int, side: int = 0) -> float:
        """Intensity of an action unit on one side, or the mean of both (side 0)."""
        return self._units[side].get(number, 0.0)

    def fold(self, points: np.ndarray, strength: float, width: float = 0.04) -> None:
        """A wrinkle (strength > 0) or bulge (< 0) of the skin, as deep as this person's furrows are."""
        if abs(strength) > 0.03:
            self.shadow(points, 0.5 * self.identity.furrows * min(strength, 1.2), width)


def render(identity: Identity, action_units: Mapping[str, float], pose: Pose | None = None,
           light: Light | None = None, size: int = 48) -> np.ndarray:  # fmt: skip
    """Draws one face.

    Args:
        identity: the person.
        action_units: intensity 0 to about 1 by name: `"AU12"` both sides, `"R12"` or `"L12"` the person's
            right or left side only (FACS notation). Missing ones are 0.
        pose: head pose, default frontal.
        light: default frontal, slightly from above.
        size: height and width in pixels, 16 or more.

    Returns:
        uint8 (size, size), 0 black to 255 white, without sensor noise.

    Raises:
        ValueError: an action unit the drawing does not know, or a size below 16.
    """
    if unknown := sorted(set(action_units) - _UNIT_NAMES):
        rule = f"action units must be among {sorted(ACTION_UNITS)}, written 'AU12', 'R12' or 'L12'"
        raise ValueError(f"{rule}; got {unknown}. Rename or drop them.")
    if size < 16:
        raise ValueError(f"size must be at least 16 pixels; got {size}. Draw larger and shrink the picture.")
    pose, light = pose or Pose(), light or Light()
    face = _Face(identity, action_units)
    for part in (_head, _folds, _nose, _beard, _mouth, _eyes, _hair, _brows, _glasses):
        part(face)
    ink, factor = face.draw(pose, light.background, size)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    lit = ink * factor * light.gain * (1 + light.across * axis + light.down * axis[:, None])
    return np.rint(255 * np.clip(lit / 255, 0, 1) ** light.gamma).astype(np.uint8)


def _outline(face: _Face, grow: float = 1.0) -> np.ndarray:
    """The head's outline (48, 2); the jaw drops with AU26."""
    who, (x, y) = face.identity, _RING
    squareness = np.where(y > 0, 1 - 0.5 * who.jaw, 0.85)
    x = np.sign(x) * np.abs(x) ** squareness * np.where(y > 0, 1 - 0.2 * y**2, 1)
    points = np.stack([who.face_width * grow * x, who.face_length * grow * y], axis=1)
    points[:, 1] += 0.14 * face.unit(26) * np.clip(points[:, 1] / 0.8 - 0.2, 0, 1)
    return points


def _head(face: _Face) -> None:
    who = face.identity
    if who.hair_style == 3:
        behind = _outline(face, 1.22)
        behind[:, 0] *= np.where(behind[:, 1] > 0, 1.2, 1)
        face.fill(behind, who.hair)
    face.fill(np.array([[-0.42, 0.5], [0.42, 0.5], [0.5, 1.3], [-0.5, 1.3]]), 0.72 * who.skin)
    for side in (-1, 1):
        face.fill(ellipse(side * who.face_width, -0.05, 0.09, 0.19), 0.85 * who.skin)
    outline = _outline(face)
    face.fill(outline, who.skin)
    face.shadow(np.concatenate([outline, outline[:1]]), 0.2, 0.12)


def _folds(face: _Face) -> None:
    """Wrinkles and bulges that action units raise on the skin."""
    brow = face.unit(1) * (0.4 + 0.6 * face.unit(2))
    for y in (-0.58, -0.67):
        half = 0.14 + 0.22 * min(1.0, face.unit(2))
        face.fold(arc((-half, y), (half, y), -0.04), 0.5 * brow, 0.03)
    chin = 0.79 + 0.12 * face.unit(26)
    face.fold(arc((-0.12, chin - 0.05), (0.12, chin - 0.05), -0.07), 0.25 + 0.6 * face.unit(17))
    face.fold(ellipse(0, chin + 0.02, 0.05, 0.03), 0.4 * face.unit(17))
    for side in (-1, 1):
        _side_folds(face, side)


def _side_folds(face: _Face, side: int) -> None:
    who, unit = face.identity, lambda number: face.unit(number, side)
    x, out, corner = side * who.eye_spacing, side * (who.eye_spacing + who.eye_size), _corner(face, side)
    face.fold(np.array([[side * 0.05, -0.42], [side * 0.06, -0.26]]), 0.9 * unit(4), 0.035)
    bag = arc((x - 0.15, _EYE_Y + 0.13), (x + 0.15, _EYE_Y + 0.13), 0.07)
    face.fold(bag, 0.15 + 0.5 * unit(6) + 0.2 * unit(7))
    face.fold(ellipse(x + side * 0.03, 0.1, 0.1, 0.04), -0.2 * unit(6) - 0.1 * unit(12), 0.06)
    for rise in (-0.06, 0.03):
        crow = np.array([[out + side * 0.03, _EYE_Y], [out + side * 0.12, _EYE_Y + rise]])
        face.fold(crow, 0.6 * unit(6), 0.03)
    for y in (-0.2, -0.11):
        face.fold(np.array([[side * 0.02, y], [side * 0.13, y + 0.05]]), 1.0 * unit(9), 0.035)
    wing = np.array([side * (who.nose_width + 0.04), _EYE_Y + who.nose_length - 0.05 - 0.05 * unit(9)])
    pull = max(unit(12), unit(9), unit(10))
    end = moved(corner, side * 0.06, 0.02)
    middle = moved((wing + end) / 2, side * 0.04 * pull, -0.03)
    face.fold(np.stack([wing, middle, end]), 0.12 + 0.7 * pull)
    face.fold(np.stack([moved(corner, side * 0.03, 0.02), moved(corner, side * 0.06, 0.1)]), 0.8 * unit(15), 0.035)
    face.fold(ellipse(corner[0] + side * 0.06, corner[1], 0.015, 0.05), 1.0 * unit(14), 0.035)


def _nose(face: _Face) -> None:
    who, wrinkle = face.identity, face.unit(9)
    tip, wide = _EYE_Y + who.nose_length - 0.05 * wrinkle, who.nose_width * (1 + 0.15 * wrinkle)
    bridge = np.array([[0.05, _EYE_Y - 0.05], [0.06, tip - 0.12]])
    face.line(bridge, 0.82 * who.skin, 0.035, 0.1)
    face.line(arc((-wide, tip - 0.02), (wide, tip - 0.02), 0.05), 0.72 * who.skin, 0.03, 0.15)
    for side in (-1, 1):
        wing = np.array([[0.9 * wide, -0.1], [1.1 * wide, -0.03], [wide, 0]]) * [side, 1]
        wing = moved(wing, 0, tip - 0.03 * wrinkle)
        face.line(wing, (0.75 - 0.1 * wrinkle) * who.skin, 0.03, 0.1)
        face.fill(ellipse(side * wide * 0.5, tip + 0.005, 0.045, 0.025), 0.35 * who.skin, 0.15)


def _corner(face: _Face, side: int) -> np.ndarray:
    """Where the lips meet, (x, y)."""
    who, unit = face.identity, lambda number: face.unit(number, side)
    width = 1 + 0.3 * unit(12) + 0.28 * unit(20) + 0.06 * unit(14) - 0.2 * unit(23) - 0.1 * unit(17)
    width -= 0.22 * unit(26) * (1 - min(1, unit(20) + unit(12)))
    y = _MOUTH_Y + who.mouth_tilt - 0.13 * unit(12) + 0.12 * unit(15) + 0.03 * unit(20) + 0.07 * unit(26)
    return np.array([side * who.mouth_width * width, y - 0.03 * unit(14)])


def _mouth(face: _Face) -> None:
    """Lips, and where AU25 and AU26 part them, teeth and the dark between."""
    who, unit = face.identity, face.unit
    left, right = _corner(face, -1), _corner(face, 1)
    lift = 0.07 * unit(10) + 0.04 * unit(9) + 0.05 * unit(17)
    gap = 0.1 * unit(25) + 0.24 * unit(26)
    middle, rest = _MOUTH_Y - lift + 0.02 * unit(12), (left[1] + right[1]) / 2
    power = 0.6 if gap > 0.15 else 0.8
    upper = arc(left, right, middle - 0.15 * gap - rest, power)
    lower = arc(left, right, middle + 0.85 * gap + 0.04 * unit(16) - rest, power)
    lower[:, 1] = np.maximum(lower[:, 1], upper[:, 1])
    thin = max(0.2, 1 - 0.65 * unit(23) - 0.25 * unit(12) - 0.2 * unit(20) - 0.2 * unit(9))
    top = upper - np.stack([0 * STEPS, who.lips * thin * BOW**0.5 * _CUPID], 1)
    bottom = lower + np.stack([0 * STEPS, who.lips * (1.25 * thin + 0.3 * unit(17)) * BOW**0.5], 1)
    face.fill(np.concatenate([top, bottom[::-1]]), 0.66 * who.skin, 0.05)
    face.line(moved(bottom[3:10], 0, 0.02), 0.78 * who.skin, 0.025, 0.05)
    if gap > 0.03:
        _inside(face, upper, lower, gap)
    face.line(upper, 0.3 * who.skin, 0.03, 0.05)


def _inside(face: _Face, upper: np.ndarray, lower: np.ndarray, gap: float) -> None:
    face.fill(np.concatenate([upper, lower[::-1]]), 25, 0.02)
    shown = 0.35 + 0.6 * min(1, face.unit(12) + face.unit(10) + 0.6 * face.unit(20))
    teeth = moved(upper, 0, min(0.1, shown * gap))
    teeth[:, 1] = np.minimum(teeth[:, 1], lower[:, 1])
    face.fill(np.concatenate([upper, teeth[::-1]]), 150 + 75 * shown, 0.02)


def _eyes(face: _Face) -> None:
    for side in (-1, 1):
        _eye(face, side)


def _eye(face: _Face, side: int) -> None:
    who, unit = face.identity, lambda number: face.unit(number, side)
    x, e = side * who.eye_spacing, who.eye_size
    inner, outer = (x - side * e, _EYE_Y + 0.015), (x + side * e, _EYE_Y + who.eye_tilt)
    opening = who.eye_opening * (1 + 0.1 * unit(1) + 0.1 * unit(2))
    raised = 0.8 * unit(5) - 0.35 * unit(7) - 0.25 * unit(6) - 0.3 * unit(9) - 0.15 * unit(4)
    above = e * opening * (1 + raised)
    under = e * opening * (0.75 - 0.5 * unit(7) - 0.55 * unit(6) - 0.35 * unit(9))
    upper, lower = arc(inner, outer, -max(above, 0.02), 0.8), arc(inner, outer, under, 0.8)
    lower[:, 1] = np.maximum(lower[:, 1], upper[:, 1])
    face.fill(np.concatenate([upper, lower[::-1]]), min(245, 110 + 0.65 * who.skin))
    order = slice(None, None, side)
    for radius, shade in ((0.5, who.iris), (0.26, 10)):
        disc = ellipse(x, _EYE_Y - 0.08 * e, radius * e, radius * e)
        lid = [np.interp(disc[:, 0], curve[order, 0], curve[order, 1]) for curve in (upper, lower)]
        disc[:, 1] = np.clip(disc[:, 1], lid[0], lid[1])
        face.fill(disc, shade)
    face.line(upper, 0.22 * who.skin, 0.04)
    face.line(lower, 0.62 * who.skin, 0.022)
    crease = moved(upper[2:11], 0, -0.05 + 0.025 * unit(5))
    face.line(crease, (0.78 + 0.1 * unit(5)) * who.skin, 0.025)


def _brows(face: _Face) -> None:
    who = face.identity
    for side in (-1, 1):
        one, two, four = (min(1.2, face.unit(number, side)) for number in (1, 2, 4))
        y = _EYE_Y - who.brow_height + 0.02
        lowered = four * (1 - 0.85 * min(1, one)) + 0.6 * face.unit(9, side)
        inner = (side * (0.13 - 0.06 * four), y - 0.13 * one + 0.13 * lowered)
        outer_x = side * (who.eye_spacing + who.eye_size + 0.02)
        outer = (outer_x, y + who.brow_tilt - 0.11 * two + 0.03 * one)
        middle = arc(inner, outer, -0.07 - 0.04 * two + 0.05 * lowered + 0.04 * one * (1 - min(1, two)))
        half = np.stack([0 * STEPS, who.brow_thickness * (0.55 - 0.35 * STEPS**2)], axis=1)
        shade = 0.75 * min(who.hair, 0.7 * who.skin) + 0.1 * who.skin
        face.fill(np.concatenate([middle - half, (middle + half)[::-1]]), shade, 0.03)


def _beard(face: _Face) -> None:
    who = face.identity
    if who.beard:
        outline = _outline(face)
        low = outline[outline[:, 1] > -0.05]
        shade = who.skin + who.beard * (min(who.hair, 0.8 * who.skin) - who.skin)
        lips = [moved(_corner(face, side), 0.06 * side, -0.04) for side in (-1, 1)]
        cheeks = [[-0.5, 0.33], lips[0], [-0.22, 0.3], [0, 0.25], [0.22, 0.3], lips[1], [0.5, 0.33]]
        face.fill(np.concatenate([low, cheeks]), shade)


def _hair(face: _Face) -> None:
    who = face.identity
    outer = _outline(face, 1.12)
    crown = outer[outer[:, 1] < -0.15]
    top = (-0.78, -0.7, -0.5, -0.66, -0.68)[who.hair_style]
    sides = -0.5 if who.hair_style == 0 else -0.18
    edge = who.face_width * (0.8 if who.hair_style == 0 else 0.94)
    hairline = arc((edge, sides), (-edge, sides), top - sides, 0.35)
    if who.hair_style == 4:
        hairline[:, 1] += 0.12 * hairline[:, 0] * BOW
    face.fill(np.concatenate([crown, hairline]), who.hair)


def _glasses(face: _Face) -> None:
    who = face.identity
    if not who.glasses:
        return
    for side in (-1, 1):
        x = side * who.eye_spacing
        rim = ellipse(x, _EYE_Y + 0.03, 0.23, 0.18)
        temple = np.array([[x + side * 0.23, _EYE_Y], [side * who.face_width, _EYE_Y - 0.03]])
        face.line(np.concatenate([rim, rim[:1]]), 45, 0.025, 0.1)
        face.line(temple, 45, 0.025, 0.05)
    reach = who.eye_spacing - 0.22
    face.line(arc((-reach, _EYE_Y), (reach, _EYE_Y), -0.03), 45, 0.025, 0.12)
