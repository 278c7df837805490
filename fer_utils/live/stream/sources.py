"""Where frames come from: a camera of this machine or a video file, behind one interface.

A source is an iterable of `Frame` and a context manager that releases the device:

    with Camera(0) as camera:
        for frame in camera:
            print(frame.index, frame.time, frame.image.shape)
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from fer_utils.files.reading import is_text, one_line
from fer_utils.live.faces import Frame
from fer_utils.live.images import MAX_PIXELS

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # silent: what a file lacks is said in a sentence of ours

PATIENCE = 2.0
"""Seconds for which a camera may give no picture before it counts as lost."""


class SourceError(RuntimeError):
    """A camera or video cannot be used (any more); the message is a sentence for the user."""


class _Captured:
    """What cameras and video files share: one `cv2.VideoCapture`."""

    def __init__(self, capture: cv2.VideoCapture) -> None:
        self._capture = capture
        self._index = 0
        self.width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))

    def close(self) -> None:
        """Release the device; a loop over the frames ends."""
        self._capture.release()

    def __enter__(self):
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> np.ndarray | None:
        """The next picture, or None where none comes.

        Raises:
            SourceError: OpenCV cannot hold it, or it is larger than was said before.
        """
        try:
            with _quiet():
                arrived, image = self._capture.read()
        except cv2.error as error:
            raise SourceError(f"A frame cannot be decoded: {one_line(error)}.") from error
        if arrived and image.shape[0] * image.shape[1] > MAX_PIXELS:
            size = f"{image.shape[1]} x {image.shape[0]}"
            raise SourceError(f"A frame has at most {MAX_PIXELS:,} pixels; one has {size}. Leave this source out.")
        return image if arrived else None

    def _frame(self, image: np.ndarray, seconds: float) -> Frame:
        self._index += 1
        return Frame(image, seconds, self._index - 1)


class Camera(_Captured):
    """A camera of the machine that runs Python (with a remote notebook: the server's, not yours).

    Attributes:
        width, height: of its pictures in pixels.
    """

    def __init__(self, index: int = 0, width: int = 640, height: int = 480) -> None:
        """Opens it.

        Args:
            index: 0 for the first camera.
            width, height: what to ask it for; it may give another size.

        Raises:
            SourceError: there is no such camera, or it may not be used.
        """
        with _quiet():
            capture = cv2.VideoCapture(index)
        if not capture.isOpened():
            raise SourceError(
                f"Camera {index} cannot be opened: this machine has none of that number, another program uses it, or "
                "access is not permitted."
            )
        for setting, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, width), (cv2.CAP_PROP_FRAME_HEIGHT, height), (cv2.CAP_PROP_BUFFERSIZE, 1),
        ):  # fmt: skip
            capture.set(setting, value)  # one frame of buffer: what is shown is now, however slow we are
        self.index = index
        self._start = time.monotonic()
        super().__init__(capture)

    def __iter__(self) -> Iterator[Frame]:
        """Frames as they come, until `close`.

        Raises:
            SourceError: it gives no pictures any more.
        """
        last = time.monotonic()
        while self._capture.isOpened():
            image = self._read()
            now = time.monotonic()
            if image is not None:
                last = now
                yield self._frame(image, now - self._start)
            elif now - last > PATIENCE and self._capture.isOpened():
                raise SourceError(f"Camera {self.index} gives no pictures any more. Is it still plugged in?")
            else:
                time.sleep(0.01)


class VideoFile(_Captured):
    """A video file.

    Attributes:
        width, height: of its frames in pixels.
        frames_per_second: as the file says; 25 where it does not.
        n_frames: how many the file says it has, or None.
    """

    def __init__(self, path: str | Path) -> None:
        """Opens it.

        Raises:
            SourceError: no such file, no video, or absurdly large frames.
        """
        path = Path(path)
        if not path.is_file():
            raise SourceError(f"A video is a file; {path} is not there.")
        if not is_text(path):
            raise SourceError("OpenCV opens videos whose names are text; rename it.")
        try:
            with _quiet():
                capture = cv2.VideoCapture(str(path.absolute()))
        except cv2.error:
            capture = cv2.VideoCapture()
        if not capture.isOpened():
            raise SourceError(f"{path.name} is not a video that OpenCV can read.")
        super().__init__(capture)
        if not 0 < self.width * self.height <= MAX_PIXELS:
            self.close()
            size = f"{self.width} x {self.height}"
            raise SourceError(f"A frame has at most {MAX_PIXELS:,} pixels; those of {path.name} claim {size}.")
        rate, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.frames_per_second = float(rate) if 0 < rate <= 1000 else 25.0
        self.n_frames = int(count) if count > 0 else None

    def __iter__(self) -> Iterator[Frame]:
        """Frames to the end of the file, or as far as it can be decoded.

        Raises:
            SourceError: one is absurdly large.
        """
        last = -1.0
        while self._capture.isOpened() and (image := self._read()) is not None:
            seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if not last < seconds < np.inf:  # containers without time stamps
                seconds = max(self._index / self.frames_per_second, last)
            last = seconds
            yield self._frame(image, seconds)


@contextmanager
def _quiet() -> Iterator[None]:
    """OpenCV prints warnings of its own for what we say in a sentence."""
    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)
