"""The live widget: a camera, a video or a picture in the notebook, with the predicted expression drawn on each face.

Pictures go from the browser to the kernel and no further: nothing here writes a file or opens a connection, and no
picture becomes part of the widget's state, so none is saved with the notebook. One frame is under way at a time: the
browser sends the next one after the answer to the last, so frames never pile up, however slow the kernel is.
"""

from __future__ import annotations

import io
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, Protocol

import anywidget
import cv2
import numpy as np
import traitlets
from PIL import Image

from fer_utils.data.colours import EXPRESSION_COLOURS
from fer_utils.live.faces import Face, Frame
from fer_utils.live.interface.drawing import contrast_colour
from fer_utils.live.recognizer import EmotionRecognizer
from fer_utils.live.stream.session import Session
from fer_utils.live.stream.sources import SourceError

MAX_BYTES = 8 * 2**20
"""Largest JPEG that the widget decodes, in bytes."""

MAX_SIDE = 4096
"""Largest width and height that the widget decodes, in pixels."""

IDLE_SECONDS = 30.0
"""A camera is closed when no browser has asked for a frame of it for so long."""

ENDED = "The video is over, or the camera gives no more pictures. Press Start to begin again."

NOTICE = (
    "Pictures stay in the memory of this browser and of the kernel: nothing is stored, nothing is sent elsewhere. A "
    "predicted expression is what a picture looks like to a network; it is not what a person feels."
)

_WEB = files("fer_utils.live.interface") / "web"


def decode_jpeg(data: bytes | memoryview) -> np.ndarray:
    """The picture in JPEG bytes, refused before decoding where it is absurdly large.

    Returns:
        uint8 (h, w, 3), BGR.

    Raises:
        ValueError: more than `MAX_BYTES`, no JPEG, a side over `MAX_SIDE`, or bytes missing at its end.
    """
    rule = f"A frame must have at most {MAX_BYTES // 2**20} MiB as JPEG and {MAX_SIDE} pixels a side; got"
    if len(data) > MAX_BYTES:
        raise ValueError(f"{rule} {len(data) / 2**20:.1f} MiB. Send it smaller.")
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            if max(picture.size) > MAX_SIDE:
                raise ValueError(f"{rule} {picture.width} x {picture.height}. Send it smaller.")
            return np.ascontiguousarray(np.asarray(picture.convert("RGB"))[..., ::-1])
    except Image.DecompressionBombError:
        raise ValueError(f"{rule} far more. Send it smaller.") from None
    except (OSError, SyntaxError) as error:
        raise ValueError("A frame must be a whole JPEG picture; these bytes are none. Send it again.") from error


def encode_jpeg(image: np.ndarray, quality: float) -> bytes:
    """A frame, uint8 (h, w, 3) BGR, as JPEG bytes of a quality in (0, 1]."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, round(100 * quality)])[1].tobytes()


def described(face: Face) -> dict[str, Any]:
    """A face as the browser draws it: plain numbers and names."""
    shares = dict(zip(face.class_names, map(float, face.probabilities), strict=True))
    said = {"label": face.label, "answer": face.answer, "sure": face.sure, "share": face.confidence}
    return {"box": list(face.box), **said, "probabilities": shares}


class Source(Protocol):
    """Frames of one stream, in order: `Camera`, `VideoFile` and `BrowserFrames` are sources."""

    def __iter__(self) -> Iterator[Frame]:
        """The frames."""
        ...

    def close(self) -> None:
        """Release the camera or file."""
        ...


class BrowserFrames:
    """Frames that a browser sends, behind the same interface as a camera or a file on the kernel's machine."""

    def __init__(self) -> None:
        self._waiting: Frame | None = None
        self._index = 0

    def push(self, jpeg: bytes | memoryview, seconds: float) -> None:
        """Hold the next frame: its JPEG bytes, and its time since the start in seconds.

        Raises:
            ValueError: see `decode_jpeg`.
        """
        self._waiting = Frame(decode_jpeg(jpeg), seconds, self._index)
        self._index += 1

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        """The frame that was pushed last; the browser never sends two without an answer between them."""
        frame, self._waiting = self._waiting, None
        if frame is None:
            raise StopIteration
        return frame

    def close(self) -> None:
        """Forget the frame that waits, if one does."""
        self._waiting = None


class _Stream:
    """One view's stream, from start to stop."""

    def __init__(self, source: Source, watch: Callable[[Frame], Sequence[Face]]) -> None:
        self.source, self._frames, self._watch = source, iter(source), watch
        self._timer: threading.Timer | None = None

    def next(self) -> tuple[Frame, Sequence[Face]] | None:
        """The next frame and the faces on it, or None when the stream is over."""
        frame = next(self._frames, None)
        return None if frame is None else (frame, self._watch(frame))

    def close_when_idle(self, close: Callable[[], None]) -> None:
        """Call `close` unless this is called again within `IDLE_SECONDS`."""
        self.cancel()
        self._timer = threading.Timer(IDLE_SECONDS, close)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        """Do not call it after all."""
        if self._timer:
            self._timer.cancel()


class LiveView(anywidget.AnyWidget):
    """Shows a stream or a picture in the notebook, with boxes and predicted expressions.

    The browser asks and the kernel answers, in the words that `web/session.js` lists. A frame that cannot be used, a
    camera or a model that fails become a sentence on the widget, and the kernel goes on.
    """

    _esm = "\n".join((_WEB / name).read_text(encoding="utf-8") for name in ("panel.js", "session.js"))
    _css = (_WEB / "live.css").read_text(encoding="utf-8")
    kind = traitlets.Enum(("camera", "picture", "kernel"), help="where pictures come from").tag(sync=True)
    limit = traitlets.Int(help="longest side of a frame that the browser sends, in pixels").tag(sync=True)
    quality = traitlets.Float(0.85, help="JPEG quality of a frame that the browser sends").tag(sync=True)
    mirrored = traitlets.Bool(True, help="whether the browser's camera is shown as in a mirror at first").tag(sync=True)
    notice = traitlets.Unicode(help="what stands below the picture").tag(sync=True)
    colours = traitlets.Dict(help="expression -> its colour and that of text on it").tag(sync=True)

    def __init__(self, recognizer: EmotionRecognizer, source: str | Callable[[], Source] = "camera") -> None:
        """Makes the widget; no camera is opened before a user presses Start.

        Args:
            recognizer: finds the faces of a picture. Give the widget one of its own: it may work beside a cell.
            source: `"camera"`, one that the browser may use; `"picture"`, a file that the user chooses in the
                browser; or what opens a source on the kernel's machine, e.g. `lambda: Camera(0)`.

        Raises:
            ValueError: another source.
        """
        self._streams: dict[str, _Stream] = {}
        if not callable(source) and source not in ("camera", "picture"):
            raise ValueError(
                f"source is 'camera', 'picture', or a function that opens frames; got {source!r}. "
                "Pass lambda: Camera(0) for a camera on the kernel's machine."
            )
        super().__init__(
            kind="kernel" if callable(source) else source,
            limit=1280 if source == "picture" else 640,
            notice=" ".join(filter(None, (recognizer.about, recognizer.notice, NOTICE))),
            colours={name: [colour, contrast_colour(colour)] for name, colour in EXPRESSION_COLOURS.items()},
        )
        self._recognizer = recognizer
        self._open: Callable[[], Source] = source if callable(source) else BrowserFrames
        self._lock = threading.RLock()
        self.on_msg(self._receive)

    def close(self) -> None:
        """Take the widget away and release its sources."""
        for view in list(self._streams):
            self._stop(view)
        super().close()

    def _receive(self, _: object, message: Mapping[str, Any], buffers: Sequence[bytes | memoryview]) -> None:
        """Answer one message; JupyterLab may call this in a thread beside the one that runs cells."""
        view, kind, start = str(message.get("view")), message.get("type"), time.perf_counter()
        with self._lock:
            if kind == "stop" or kind == "start":
                self._stop(view)
            elif kind == "frame" or kind == "next":
                answer, sent = self._answered(view, message, buffers)
                seconds = time.perf_counter() - start
                self.send({"view": view, "id": message.get("id"), "milliseconds": 1000 * seconds} | answer, sent)

    def _answered(
        self, view: str, message: Mapping[str, Any], buffers: Sequence[bytes | memoryview]
    ) -> tuple[dict[str, Any], list[bytes]]:
        """The answer to a request for faces, whatever happens."""
        try:
            return self._faces(view, message, buffers)
        except (ValueError, SourceError) as error:
            sentence = str(error)
        except Exception as error:
            sentence = f"This frame could not be worked on: {type(error).__name__}: {error}"
        self._stop(view)
        return {"type": "refused", "sentence": sentence}, []

    def _faces(
        self, view: str, message: Mapping[str, Any], buffers: Sequence[bytes | memoryview]
    ) -> tuple[dict[str, Any], list[bytes]]:
        stream = self._streams.get(view)
        if stream is None:
            stream = self._streams[view] = _Stream(self._open(), self._watch())
        stream.close_when_idle(lambda: self._stop(view))
        if isinstance(stream.source, BrowserFrames):
            stream.source.push(buffers[0], float(message["time"]))
        found = stream.next()
        if found is None:
            self._stop(view)
            return {"type": "ended", "sentence": ENDED}, []
        frame, faces = found
        height, width = frame.image.shape[:2]
        answer = {"type": "faces", "width": width, "height": height, "time": frame.time}
        pictures = [encode_jpeg(frame.image, self.quality)] if self.kind == "kernel" else []
        return answer | {"faces": [described(face) for face in faces]}, pictures

    def _watch(self) -> Callable[[Frame], Sequence[Face]]:
        """What finds the faces of one stream; a single picture is searched at its full size."""
        if self.kind == "picture":
            return lambda frame: self._recognizer(frame.image, "bgr")
        return Session(self._recognizer)

    def _stop(self, view: str) -> None:
        with self._lock:
            stream = self._streams.pop(view, None)
            if stream:
                stream.cancel()
                stream.source.close()
