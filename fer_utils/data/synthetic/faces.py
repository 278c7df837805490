"""Drawn faces: a data set to learn with, where nobody's picture is needed.

Each subject shows each expression once, in a short sequence of frames that rises to its apex, as in
CK+48. Siblings of one sequence are near duplicates and subjects differ in looks and in how they express,
so that a random split of images flatters a model in the same way as it does on CK+.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from fer_utils.data.dataset import EXPRESSIONS, SIZE, FaceDataset
from fer_utils.data.synthetic.controls import Identity, Light, Pose
from fer_utils.data.synthetic.drawing import ACTION_UNITS, render

PROTOTYPES: dict[str, dict[str, float]] = {
    "angry": {"AU4": 1.0, "AU5": 0.5, "AU7": 0.7, "AU23": 0.9, "AU17": 0.3},
    "disgust": {"AU9": 1.0, "AU10": 0.7, "AU15": 0.4, "AU17": 0.3, "AU4": 0.3},
    "fear": {"AU1": 0.9, "AU2": 0.5, "AU4": 0.6, "AU5": 0.9, "AU20": 0.9, "AU25": 0.6, "AU26": 0.25},
    "happy": {"AU6": 0.8, "AU12": 1.0, "AU25": 0.6},
    "sad": {"AU1": 0.9, "AU4": 0.6, "AU15": 0.9, "AU17": 0.4},
    "surprise": {"AU1": 0.9, "AU2": 1.0, "AU5": 0.6, "AU25": 0.4, "AU26": 1.0},
    "neutral": {},
    "contempt": {"R12": 0.7, "R14": 0.9},
}
"""Expression -> intensity of its action units at the apex (1 is FACS intensity E).

The units are the prototypes of EMFACS (Friesen & Ekman, 1983; Ekman, Friesen & Hager, 2002, table 10-2)."""

_RESTING = {
    "skin": (85.0, 220.0), "hair": (20.0, 150.0), "face_width": (0.64, 0.8), "face_length": (0.84, 0.98),
    "jaw": (0.1, 0.9), "eye_spacing": (0.29, 0.37), "eye_size": (0.145, 0.185),
    "eye_opening": (0.36, 0.56), "eye_tilt": (-0.03, 0.03), "iris": (30.0, 110.0),
    "brow_thickness": (0.04, 0.09), "brow_height": (0.16, 0.25), "brow_tilt": (-0.03, 0.03),
    "nose_length": (0.3, 0.42), "nose_width": (0.1, 0.16), "mouth_width": (0.23, 0.34),
    "mouth_tilt": (-0.025, 0.025), "lips": (0.035, 0.085), "furrows": (0.3, 1.2),
}  # fmt: skip
"""Range of each measure of `Identity` among subjects."""


@dataclass(frozen=True)
class Controls:
    """How much subjects and recordings differ. All ranges are drawn uniformly.

    Attributes:
        variation: spread of looks between subjects; 0 gives everybody the same face, 1 the full ranges.
        skin: range of the skin's grey level, 0 black to 255 white.
        glasses, beard: fraction of subjects with them.
        expressiveness: range of a subject's own apex intensity.
        onset: intensity of a sequence's first frame, as a fraction of its apex.
        idiosyncrasy: sd of the factor on each action unit, drawn per subject and expression.
        omission: probability that a subject leaves an action unit of an expression out.
        habit: largest intensity of an extra action unit that a subject adds to an expression.
        yaw, pitch, roll: largest rotation in degrees. shift: largest shift in half picture widths.
        jitter: how much the frames of a sequence differ in intensity and pose, as a fraction.
        light: largest brightness change per half picture width. gain, gamma: their ranges.
        pixel_noise: sd of the sensor's noise in grey levels.
    """

    variation: float = 1.0
    skin: tuple[float, float] = _RESTING["skin"]
    glasses: float = 0.2
    beard: float = 0.15
    expressiveness: tuple[float, float] = (0.65, 1.0)
    onset: float = 0.7
    idiosyncrasy: float = 0.2
    omission: float = 0.03
    habit: float = 0.15
    yaw: float = 8.0
    pitch: float = 5.0
    roll: float = 5.0
    shift: float = 0.03
    jitter: float = 0.05
    light: float = 0.2
    gain: tuple[float, float] = (0.85, 1.1)
    gamma: tuple[float, float] = (0.85, 1.2)
    pixel_noise: float = 6.0

    def __post_init__(self) -> None:
        """Refuse shares that are none, and noise below 0."""
        shares = {name: getattr(self, name) for name in ("glasses", "beard", "omission")}
        if not all(0 <= share <= 1 for share in shares.values()) or self.pixel_noise < 0:
            raise ValueError(
                f"glasses, beard and omission are shares in [0, 1], pixel_noise is at least 0; got {shares} and "
                f"{self.pixel_noise}. Correct them."
            )

    @classmethod
    def named(cls, values: Mapping[str, Any]) -> Controls:
        """Controls of which some fields are given by name.

        Raises:
            ValueError: there is no such field.
        """
        names = [field.name for field in fields(cls)]
        if unknown := set(values) - set(names):
            raise ValueError(
                f"Controls of drawn faces are {', '.join(names)}; got {', '.join(sorted(unknown))}. Leave these out."
            )
        return cls(**values)


def faces(
    n_subjects: int = 40, n_frames: int = 3, seed: int = 0, contempt: bool = False,
    label_noise: float = 0.0, controls: Controls | Mapping[str, Any] | None = None,
) -> FaceDataset:  # fmt: skip
    """Draws a data set of n_subjects x 7 (8 with contempt) x n_frames faces.

    Args:
        n_subjects: people; person i looks the same whatever the number of others.
        n_frames: pictures per sequence, from `controls.onset` to the apex; one is the apex alone.
        seed: 0 or more; the same seed gives the same pixels.
        contempt: adds class 7, one-sided.
        label_noise: fraction of images, [0, 1), that get the label of another class.
        controls: how much faces and recordings differ, default `Controls()`; or some of its fields by name. Two
            sets that differ in one control show the same people, expressions and noise but for that one.

    Returns:
        `FaceDataset` named "synthetic" with FER2013's codes, subjects "synthetic-000", sequences
        "synthetic-000_happy" (the expression drawn, whatever the label) and, as usage, whole subjects: about
        80 % Training, 10 % PublicTest and 10 % PrivateTest.

    Raises:
        ValueError: a number is out of its range, or there is no such control.
    """
    return faces_with_attributes(n_subjects, n_frames, seed, contempt, label_noise, controls)[0]


def faces_with_attributes(
    n_subjects: int = 40, n_frames: int = 3, seed: int = 0, contempt: bool = False,
    label_noise: float = 0.0, controls: Controls | Mapping[str, Any] | None = None,
) -> tuple[FaceDataset, pd.DataFrame]:  # fmt: skip
    """`faces` and, row by row, what was drawn: for showing where a model fails, and for whom.

    The table has the columns subject, sequence, expression (the drawn one, before label noise), frame (from
    0), intensity (about 0 to 1, of whatever is shown), every field of `Identity`, `Pose` and `Light`, and
    every action unit that occurs (`AU1` ..., one-sided `R12` and `R14` with contempt).
    """
    _check(n_subjects, n_frames, seed, label_noise)
    controls = Controls.named(controls) if isinstance(controls, Mapping) else controls or Controls()
    names = (*EXPRESSIONS, "contempt") if contempt else EXPRESSIONS
    images, rows = [], []
    for subject in range(n_subjects):
        for picture, row in _subject(subject, n_frames, seed, names, controls):
            images.append(picture)
            rows.append(row)
    table = pd.DataFrame(rows).fillna({f"{side}{n}": 0.0 for n in ACTION_UNITS for side in ("AU", "R")})
    labels = np.array([names.index(name) for name in table["expression"]])
    data = FaceDataset(
        images=np.stack(images), labels=_noisy(labels, len(names), label_noise, seed), class_names=names,
        name="synthetic", usage=np.repeat(_usage(n_subjects, seed), len(names) * n_frames),
        subjects=table["subject"].to_numpy(str), sequences=table["sequence"].to_numpy(str),
    )  # fmt: skip
    return data, table


def identity(rng: np.random.Generator, controls: Controls) -> Identity:
    """Draws one person."""
    measures = {
        name: (low + high) / 2 + controls.variation * rng.uniform(-0.5, 0.5) * (high - low)
        for name, (low, high) in (_RESTING | {"skin": controls.skin}).items()
    }
    style, fullness = int(rng.integers(5)), rng.uniform(0.3, 0.9)
    glasses, bearded = rng.random(2) < [controls.glasses, controls.beard]
    style = style if controls.variation else 1
    return Identity(**measures, hair_style=style, glasses=bool(glasses), beard=fullness if bearded else 0.0)


def apex(expression: str, rng: np.random.Generator, controls: Controls) -> dict[str, float]:
    """One person's own way to show an expression: its action units changed, left out and added to."""
    units = {}
    for name, intensity in PROTOTYPES[expression].items():
        factor = np.clip(1 + controls.idiosyncrasy * rng.standard_normal(), 0.2, 1.3)
        units[name] = float(intensity * factor * (0.15 if rng.random() < controls.omission else 1))
    for number in rng.choice([n for n in ACTION_UNITS if n not in (16, 26)], 2, replace=False):
        extra = float(controls.habit * rng.random())
        units[f"AU{number}"] = max(units.get(f"AU{number}", 0.0), extra)
    return units


def _subject(
    subject: int, n_frames: int, seed: int, names: tuple[str, ...], controls: Controls
) -> Iterator[tuple[np.ndarray, dict]]:
    """Yields (image, row of the table) of one subject, expression by expression."""
    rng = np.random.default_rng([seed, 0, subject])
    who, name = identity(rng, controls), f"synthetic-{subject:03d}"
    strength = rng.uniform(*controls.expressiveness)
    for code, expression in enumerate(names):
        rng = np.random.default_rng([seed, 1, subject, code])
        units, pose, light = apex(expression, rng, controls), _pose(rng, controls), _light(rng, controls)
        for frame, share in enumerate(np.linspace(controls.onset, 1, n_frames) if n_frames > 1 else [1.0]):
            shown = strength * share * (1 + controls.jitter * rng.standard_normal())
            now = {unit: value * shown for unit, value in units.items()}
            held = _jittered(pose, rng, controls)
            noise = controls.pixel_noise * rng.standard_normal((SIZE, SIZE))
            picture = np.clip(np.rint(render(who, now, held, light, SIZE) + noise), 0, 255).astype(np.uint8)
            yield picture, {
                "subject": name, "sequence": f"{name}_{expression}", "expression": expression, "frame": frame,
                "intensity": shown, **vars(who), **vars(held), **vars(light), **now,
            }  # fmt: skip


def _pose(rng: np.random.Generator, controls: Controls) -> Pose:
    yaw, pitch, roll = rng.uniform(-1, 1, 3) * [controls.yaw, controls.pitch, controls.roll]
    shift_x, shift_y = rng.uniform(-1, 1, 2) * controls.shift
    return Pose(yaw, pitch, roll, shift_x, shift_y, Pose.scale + controls.shift * rng.uniform(-1, 1))


def _jittered(pose: Pose, rng: np.random.Generator, controls: Controls) -> Pose:
    sizes = {"yaw": controls.yaw, "pitch": controls.pitch, "roll": controls.roll}
    sizes |= {"shift_x": 0.1, "shift_y": 0.1}
    moves = controls.jitter * rng.standard_normal(len(sizes)) * list(sizes.values())
    return replace(pose, **{name: getattr(pose, name) + move for name, move in zip(sizes, moves, strict=True)})


def _light(rng: np.random.Generator, controls: Controls) -> Light:
    across, down = rng.uniform(-1, 1, 2) * controls.light
    gain, gamma = rng.uniform(*controls.gain), rng.uniform(*controls.gamma)
    return Light(across, down, gain, gamma, background=rng.uniform(50, 200))


def _noisy(labels: np.ndarray, n_classes: int, fraction: float, seed: int) -> np.ndarray:
    """int64 (n,): exactly round(fraction * n) labels moved to another class."""
    rng = np.random.default_rng([seed, 2])
    wrong = rng.permutation(len(labels))[: round(fraction * len(labels))]
    labels[wrong] = (labels[wrong] + rng.integers(1, n_classes, len(wrong))) % n_classes
    return labels


def _usage(n_subjects: int, seed: int) -> np.ndarray:
    """Part of each subject, str (n_subjects,): about 80, 10 and 10 %; at least one each from three subjects on."""
    usage = np.full(n_subjects, "Training", dtype="<U11")
    part = max(1, round(0.1 * n_subjects)) if n_subjects >= 3 else 0
    order = np.random.default_rng([seed, 3]).permutation(n_subjects)
    usage[order[:part]], usage[order[part : 2 * part]] = "PublicTest", "PrivateTest"
    return usage


def _check(n_subjects: int, n_frames: int, seed: int, label_noise: float) -> None:
    for name, value, least in (("n_subjects", n_subjects, 1), ("n_frames", n_frames, 1), ("seed", seed, 0)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}; got {value}. Pass a larger whole number.")
    if not 0 <= label_noise < 1:
        raise ValueError(f"label_noise must be in [0, 1), a fraction of the images; got {label_noise}.")
