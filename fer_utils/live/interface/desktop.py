"""A window on the desktop: `make webcam`, or `python -m fer_utils.live.interface.desktop --video FILE`.

Nothing is stored or sent. This is the one module besides `plots.gallery` that shows pictures, on the user's screen.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from fer_utils.live.detection import fetch
from fer_utils.live.faces import Face, Frame
from fer_utils.live.interface.drawing import draw
from fer_utils.live.stream.sources import Camera, SourceError, VideoFile

TITLE = "Predicted expression - q to quit"
_QUIT = (ord("q"), ord("Q"), 27)  # 27: Escape


class NoDisplayError(RuntimeError):
    """There is nowhere to show a window; the message is a sentence for the user."""


class Window:
    """A window of OpenCV."""

    def __init__(self, title: str = TITLE) -> None:
        """Opens it; it takes the size of the first picture, within a common screen's.

        Raises:
            NoDisplayError: there is no display, or this OpenCV was built without windows.
        """
        if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise NoDisplayError(
                "A window needs a display, and this session has none (DISPLAY is not set). Use notebook 15, which "
                "shows the camera in the browser, or `python -m fer_utils predict` for files."
            )
        self.title, self._sized = title, False
        try:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error:
            raise NoDisplayError(
                "This OpenCV was built without windows; install opencv-python in place of opencv-python-headless."
            ) from None

    def show(self, picture: np.ndarray) -> bool:
        """Show a picture, uint8 (h, w, 3) BGR; False once the user has pressed q or Escape, or closed the window."""
        if not self._sized:
            factor = min(1.0, 1600 / picture.shape[1], 900 / picture.shape[0])
            cv2.resizeWindow(self.title, *(max(1, round(factor * side)) for side in picture.shape[1::-1]))
            self._sized = True
        cv2.imshow(self.title, picture)
        pressed = cv2.waitKey(1) & 0xFF
        return pressed not in _QUIT and cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) >= 1

    def close(self) -> None:
        """Take it away."""
        cv2.destroyWindow(self.title)


def play(
    frames: Iterable[Frame], watch: Callable[[Frame], Sequence[Face]], show: Callable[[np.ndarray], bool],
    *, mirrored: bool = False, notice: str = "",
) -> int:  # fmt: skip
    """Show frames with what is predicted on them, until they end or `show` returns False.

    Args:
        frames: a source.
        watch: finds the faces of a frame, see `Session`.
        show: takes uint8 (h, w, 3) BGR and says whether to go on.
        mirrored: show everything as in a mirror.
        notice: a sentence on every picture.

    Returns:
        Number of frames shown.
    """
    shown = 0
    for frame in frames:
        if mirrored:
            frame = Frame(np.ascontiguousarray(frame.image[:, ::-1]), frame.time, frame.index)
        shown += 1
        if not show(draw(frame.image, watch(frame), notice)):
            break
    return shown


def paced(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Frames of a file, none before its time."""
    start = time.monotonic()
    for frame in frames:
        time.sleep(max(0.0, frame.time - (time.monotonic() - start)))
        yield frame


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the window; returns the exit code, 1 with a sentence where there is no camera, video, model or display."""
    parser = argparse.ArgumentParser(
        "python -m fer_utils.live.interface.desktop", description="Predicted expressions, live."
    )
    parser.add_argument("--camera", type=int, default=0, help="number of the camera, 0 for the first")
    parser.add_argument("--video", type=Path, help="a video file in place of a camera")
    fetch.add_options(parser)
    parser.add_argument("--model", help="an .onnx file or the id of a run; default: the one in the package")
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except (SourceError, NoDisplayError, ValueError, FileNotFoundError, ImportError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _run(options: argparse.Namespace) -> int:
    from fer_utils.live.recognizer import EmotionRecognizer
    from fer_utils.live.stream.session import Session

    if options.fetch_detector:
        print(fetch.fetch())
    window = Window()
    try:
        with VideoFile(options.video) if options.video else Camera(options.camera) as source:
            recognizer, live = EmotionRecognizer(options.model, options.detector), options.video is None
            frames = source if live else paced(source)
            play(frames, Session(recognizer), window.show, mirrored=live, notice=recognizer.notice)
    finally:
        window.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
