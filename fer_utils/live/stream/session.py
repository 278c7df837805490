"""A recognizer on a stream: detects now and then at reduced size, follows in between, smooths over time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fer_utils.live.detection import detectors
from fer_utils.live.faces import Box, Face, Frame, overlap
from fer_utils.live.images import as_frame, as_grey, reduced
from fer_utils.live.recognizer import SMALLEST, EmotionRecognizer
from fer_utils.live.stream.smoothing import Smoothing
from fer_utils.live.stream.tracking import Tracker, follow, match


@dataclass
class _Followed:
    """A face in the reduced picture, and when a detector last saw it."""

    box: Box
    detected: float


class Session:
    """What a camera or a video is watched with.

    Example:
        session = Session(EmotionRecognizer())
        for frame in VideoFile("clip.mp4"):
            faces = session(frame)
    """

    def __init__(
        self,
        recognizer: EmotionRecognizer,
        *,
        detect_every: float = 0.25,
        longest_side: int = 320,
        smoothing: Smoothing | None = None,
        patience: float = 0.75,
        views: str = "one",
    ) -> None:
        """Starts a stream.

        Args:
            recognizer: detects and classifies.
            detect_every: seconds between two detections; 0 for every frame.
            longest_side: pixels of the reduced picture in which faces are looked for and followed.
            smoothing: how steady labels are.
            patience: seconds for which a face is followed that the detector does not see any more.
            views: of each face in each frame, one of `fer_utils.data.preparation.VIEWS`; frames that follow each other
                are smoothed anyway.
        """
        self.recognizer, self.detect_every, self.longest_side = recognizer, detect_every, longest_side
        self.patience, self.views, self._smoothing = patience, views, smoothing
        self.reset()

    def reset(self) -> None:
        """Forget everybody, as for a new stream."""
        self.tracker = Tracker(self._smoothing, self.patience)
        self._followed: list[_Followed] = []
        self._before: np.ndarray | None = None
        self._detected = self._time = -np.inf

    def __call__(self, frame: Frame) -> list[Face]:
        """The faces of the next frame, smoothed, with the same `track` number for the same person.

        Args:
            frame: its time is in seconds; one before the last starts anew.
        """
        grey = as_grey(as_frame(frame.image))
        small, factor = reduced(grey, self.longest_side)
        if frame.time < self._time or (self._before is not None and self._before.shape != small.shape):
            self.reset()
        self._follow(small)
        if frame.time - self._detected >= self.detect_every:
            self._detect(small, frame.time, factor)
        self._before, self._time = small, frame.time
        boxes = [face.box.scaled(1 / factor) for face in self._followed]
        return self.tracker.update(self.recognizer.classify(grey, boxes, self.views), frame.time)

    def _follow(self, small: np.ndarray) -> None:
        """Move the faces along with the picture; one that cannot be followed stays until the next detection decides."""
        if self._before is None:
            return
        moved = follow(self._before, small, [face.box for face in self._followed])
        self._followed = [
            _Followed(box, face.detected) if box else _Followed(face.box, -np.inf)
            for face, box in zip(self._followed, moved, strict=True)
        ]

    def _detect(self, small: np.ndarray, time: float, factor: float) -> None:
        """Take the detector's boxes; keep those it misses until patience ends."""
        found = detectors.detect(self.recognizer.detector, small, max(small.shape), math.ceil(SMALLEST * factor))
        seen = {i for i, _ in match([face.box for face in self._followed], found)}
        missed = [
            face for i, face in enumerate(self._followed)
            if i not in seen and time - face.detected <= self.patience
            and all(overlap(face.box, box) < 0.1 for box in found)
        ]  # fmt: skip
        self._followed = [_Followed(box, time) for box in found] + missed
        self._detected = time
