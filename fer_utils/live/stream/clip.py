"""A clip of drawn people whose expression is known at every moment: a video that shows nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from fer_utils.data.synthetic import PROTOTYPES, Controls, identity
from fer_utils.data.synthetic.controls import Identity, Light, Pose
from fer_utils.data.synthetic.drawing import render
from fer_utils.live.faces import Frame

WIDTH, HEIGHT = 640, 480
_SCALES = {1: 0.42, 2: 0.36, 3: 0.3}  # of the heads, by number of people; 0.42 makes them about 240 pixels high
_WALL, _SHIRT = 150, 75  # grey levels
_ONSET = 0.25  # seconds from one expression to the next


class SyntheticClip:
    """Frames of people who show one expression after another while their heads sway; a source like any other.

    Everybody shows the same expression at the same time. The camera is a bad one: every frame has its own noise.
    """

    def __init__(
        self, expressions: Sequence[str] = ("neutral", "happy", "neutral", "surprise"), *, seconds: float = 1.0,
        rate: float = 15.0, n_faces: int = 1, noise: float = 8.0, seed: int = 0,
    ) -> None:  # fmt: skip
        """Says what to draw; drawing happens frame by frame.

        Args:
            expressions: shown in this order, among those of `synthetic.PROTOTYPES`.
            seconds: that each is shown.
            rate: frames per second.
            n_faces: people side by side, 1 to 3.
            noise: sd of the noise in grey levels.
            seed: chooses people, sway and noise.

        Raises:
            ValueError: no or an unknown expression, or a number out of its range.
        """
        if not expressions or not set(expressions) <= set(PROTOTYPES):
            came = list(expressions)
            raise ValueError(f"expressions are one or more of {list(PROTOTYPES)}; got {came}. Rename them.")
        if min(seconds, rate) <= 0 or not 1 <= n_faces <= 3:
            came = f"seconds={seconds}, rate={rate}, n_faces={n_faces}"
            raise ValueError(f"A clip needs seconds and a rate above 0 and 1 to 3 faces; got {came}. Change that.")
        self.expressions, self.seconds, self.rate, self.noise = tuple(expressions), seconds, rate, noise
        self._seed = seed
        rng, looks = np.random.default_rng([seed, 10]), Controls(glasses=0.0, beard=0.0)
        self._people: list[Identity] = [identity(rng, looks) for _ in range(n_faces)]
        self._phases = rng.uniform(0, 2 * np.pi, (n_faces, 4))

    def __len__(self) -> int:
        """Number of frames."""
        return round(len(self.expressions) * self.seconds * self.rate)

    def __iter__(self) -> Iterator[Frame]:
        """The frames, the same every time."""
        rng = np.random.default_rng([self._seed, 11])
        for index in range(len(self)):
            time = index / self.rate
            grey = self._scene(time)
            noisy = grey + self.noise * rng.standard_normal(grey.shape, dtype=np.float32)
            yield Frame(cv2.cvtColor(np.clip(noisy, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR), time, index)

    def expression(self, time: float) -> str:
        """What is shown at a time in seconds."""
        return self.expressions[min(int(time / self.seconds + 1e-9), len(self.expressions) - 1)]

    def close(self) -> None:
        """Nothing is held open."""

    def write(self, path: Path) -> Path:
        """Write the clip as Motion-JPEG, to a file that ends in `.avi`; returns the path.

        Raises:
            ValueError: this OpenCV cannot write there.
        """
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), self.rate, (WIDTH, HEIGHT))
        if not writer.isOpened():
            raise ValueError(f"A clip is written as .avi into a folder that exists; could not write {path}. Change it.")
        try:
            for frame in self:
                writer.write(frame.image)
        finally:
            writer.release()
        return path

    def _units(self, time: float) -> dict[str, float]:
        """Action units: those of the present expression, growing out of the one before."""
        step = min(int(time / self.seconds + 1e-9), len(self.expressions) - 1)
        share = min(1.0, (time - step * self.seconds) / min(_ONSET, self.seconds)) if step else 1.0
        now, before = PROTOTYPES[self.expressions[step]], PROTOTYPES[self.expressions[max(step - 1, 0)]]
        names = sorted(now.keys() | before.keys())
        return {name: share * now.get(name, 0.0) + (1 - share) * before.get(name, 0.0) for name in names}

    def _scene(self, time: float) -> np.ndarray:
        """Everybody before a wall, uint8 (HEIGHT, WIDTH)."""
        scene = np.full((WIDTH, WIDTH), _WALL, np.uint8)
        for person, who in enumerate(self._people):
            pose = self._pose(person, time)
            picture = render(who, self._units(time), pose, Light(down=0.0, background=float(_WALL)), WIDTH)
            np.copyto(scene, picture, where=picture != _WALL)
            half = WIDTH / 2
            middle = (round(half * (1 + pose.shift_x)), round(half * (1 + pose.shift_y + 2.45 * pose.scale)))
            axes = (round(half * 0.95 * pose.scale), round(half * 1.3 * pose.scale))
            cv2.ellipse(scene, middle, axes, 0, 0, 360, _SHIRT, cv2.FILLED, cv2.LINE_AA)
        top = (WIDTH - HEIGHT) // 2
        return scene[top : top + HEIGHT]

    def _pose(self, person: int, time: float) -> Pose:
        """How one person's head is held now."""
        yaw, roll, across, down = np.sin(2 * np.pi * np.array([0.31, 0.23, 0.17, 0.41]) * time + self._phases[person])
        n = len(self._people)
        place = (2 * person + 1 - n) / n
        return Pose(8 * yaw, 0.0, 4 * roll, place + 0.1 / n * across, 0.1 + 0.04 * down, _SCALES[n])
