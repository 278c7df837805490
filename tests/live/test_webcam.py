"""The live widget's kernel side without a browser, the window on the desktop, and the clip they can show."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fer_utils.live.detection import detectors
from fer_utils.live.faces import Box, Face, Frame
from fer_utils.live.interface import desktop, webcam
from fer_utils.live.stream.clip import SyntheticClip
from fer_utils.live.stream.session import Session
from fer_utils.live.stream.sources import SourceError, VideoFile
from fer_utils.plots import EXPRESSION_COLOURS

NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
PICTURE = np.full((240, 320, 3), (200, 120, 40), np.uint8)
ROOT = Path(__file__).resolve().parents[2]


class StandIn:
    """In place of a recognizer: "happy", in the middle of any picture."""

    about, notice, colour_order = "Read by nobody.", "Drawn faces only.", "bgr"

    def __init__(self) -> None:
        self.detector = self

    def detect(self, frame: np.ndarray) -> list[Box]:
        height, width = frame.shape[:2]
        return [Box(width // 4, height // 4, width // 2, height // 2)]

    def classify(self, frame: np.ndarray, boxes: Sequence[Box], views: str | None = None) -> list[Face]:
        shares = np.where(np.array(NAMES) == "happy", 0.7, 0.05)
        return [Face(box, "happy", shares, NAMES) for box in boxes]

    def __call__(self, frame: np.ndarray) -> list[Face]:
        return self.classify(frame, self.detect(frame))


stand_in = StandIn()


def jpeg(image: np.ndarray = PICTURE) -> bytes:
    return webcam.encode_jpeg(image, 0.9)


class Browser:
    """Sends messages as the browser does and holds the answers."""

    def __init__(self, view: webcam.LiveView, monkeypatch: pytest.MonkeyPatch, name: str = "a") -> None:
        self.view, self.name, self.id = view, name, 0
        self.answers: list[tuple[dict[str, Any], list[bytes]]] = []
        monkeypatch.setattr(view, "send", lambda content, buffers=None: self.answers.append((content, buffers)))

    def ask(self, content: dict[str, Any], *buffers: bytes) -> tuple[dict[str, Any], list[bytes]]:
        self.id += 1
        before = len(self.answers)
        self.view._handle_custom_msg({"view": self.name, "id": self.id} | content, [memoryview(b) for b in buffers])
        assert len(self.answers) == before + 1, "one answer to one question"
        return self.answers[-1]

    def tell(self, kind: str) -> None:
        self.view._handle_custom_msg({"view": self.name, "id": 0, "type": kind}, [])

    def frame(self, picture: bytes, seconds: float = 0.0) -> dict[str, Any]:
        return self.ask({"type": "frame", "time": seconds}, picture)[0]


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Browser]:
    """Makes a browser in front of a view."""
    return lambda *arguments, **options: Browser(webcam.LiveView(*arguments, **options), monkeypatch)


class Film:
    """A source on the kernel's machine."""

    def __init__(self, n: int = 3, fails: Exception | None = None) -> None:
        self.n, self.fails, self.closed = n, fails, 0

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self.n):
            yield Frame(PICTURE, index / 10, index)
        if self.fails:
            raise self.fails

    def close(self) -> None:
        self.closed += 1


def test_a_frame_comes_back_as_faces(browser: Callable[..., Browser]) -> None:
    answer = browser(stand_in).frame(jpeg(), 1.5)
    assert (answer["type"], answer["width"], answer["height"], answer["time"]) == ("faces", 320, 240, 1.5)
    assert (answer["view"], answer["id"]) == ("a", 1)
    assert answer["milliseconds"] > 0
    (face,) = answer["faces"]
    assert (face["box"], face["label"], face["share"]) == ([80, 60, 160, 120], "happy", pytest.approx(0.7))
    assert list(face["probabilities"]) == list(NAMES)
    assert sum(face["probabilities"].values()) == pytest.approx(1)


def test_decoded_pixels_are_those_sent_in_opencvs_order() -> None:
    decoded = webcam.decode_jpeg(jpeg())
    assert decoded.shape == PICTURE.shape and decoded.dtype == np.uint8
    np.testing.assert_allclose(decoded[100, 100], PICTURE[0, 0], atol=3)


def test_a_grey_jpeg_is_a_frame_too() -> None:
    decoded = webcam.decode_jpeg(jpeg(PICTURE[..., 0]))
    assert decoded.shape == PICTURE.shape
    assert np.ptp(decoded, axis=2).max() == 0


def png() -> bytes:
    return cv2.imencode(".png", PICTURE)[1].tobytes()


def huge_claim(side: int = 65_000) -> bytes:
    """A small JPEG whose header claims side x side pixels."""
    data = bytearray(jpeg())
    size = data.index(b"\xff\xc0") + 5
    data[size : size + 4] = side.to_bytes(2, "big") * 2
    return bytes(data)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: b"", "whole JPEG"),
        (lambda: b"no picture", "whole JPEG"),
        (png, "whole JPEG"),
        (lambda: jpeg()[:-200], "whole JPEG"),
        (huge_claim, "4096 pixels a side; got far more"),
        (lambda: huge_claim(9_000), "4096 pixels a side; got 9000 x 9000"),
        (lambda: jpeg(np.zeros((8, 5000, 3), np.uint8)), "4096 pixels a side; got 5000 x 8"),
        (lambda: jpeg() + bytes(webcam.MAX_BYTES), "pixels a side; got 8.0 MiB"),
    ],
)
def test_what_is_no_frame_is_refused_in_words_and_the_next_one_works(
    browser: Callable[..., Browser], make: Callable[[], bytes], rule: str
) -> None:
    page = browser(stand_in)
    answer = page.frame(make())
    assert answer["type"] == "refused" and rule in answer["sentence"]
    assert page.frame(jpeg())["type"] == "faces"


@pytest.mark.parametrize("message", [{"type": "frame"}, {"type": "frame", "time": "x"}, {"type": "frame", "time": 0}])
def test_a_message_without_its_parts_gets_a_sentence(browser: Callable[..., Browser], message: dict[str, Any]) -> None:
    answer, _ = browser(stand_in).ask(message)
    assert answer["type"] == "refused" and answer["sentence"]


def test_a_recognizer_that_fails_is_a_sentence(
    browser: Callable[..., Browser], capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(StandIn):
        def classify(self, frame: np.ndarray, boxes: Sequence[Box], views: str | None = None) -> list[Face]:
            raise RuntimeError("out of order")

    answer = browser(Broken()).frame(jpeg())
    assert answer["type"] == "refused" and "RuntimeError: out of order" in answer["sentence"]
    assert capsys.readouterr() == ("", "")


def test_unknown_messages_are_left_alone(browser: Callable[..., Browser]) -> None:
    page = browser(stand_in)
    page.tell("dance")
    page.tell("stop")
    assert page.answers == []


def test_a_source_on_the_kernels_machine_sends_its_pictures(browser: Callable[..., Browser]) -> None:
    film = Film(2)
    page = browser(stand_in, lambda: film)
    page.tell("start")
    answers = [page.ask({"type": "next"}) for _ in range(3)]
    assert [answer["type"] for answer, _ in answers] == ["faces", "faces", "ended"]
    assert [answer["time"] for answer, _ in answers[:2]] == [0.0, 0.1]
    np.testing.assert_allclose(webcam.decode_jpeg(answers[0][1][0])[0, 0], PICTURE[0, 0], atol=3)
    assert film.closed == 1


def test_start_opens_a_source_anew_and_stop_closes_it(browser: Callable[..., Browser]) -> None:
    films: list[Film] = []
    page = browser(stand_in, lambda: films.append(Film()) or films[-1])
    for _ in range(2):
        page.tell("start")
        assert page.ask({"type": "next"})[0]["time"] == 0
        page.tell("stop")
    assert [film.closed for film in films] == [1, 1]


def test_a_camera_that_fails_in_the_middle_is_a_sentence_and_is_closed(browser: Callable[..., Browser]) -> None:
    film = Film(1, SourceError("The camera was unplugged."))
    page = browser(stand_in, lambda: film)
    page.ask({"type": "next"})
    answer, _ = page.ask({"type": "next"})
    assert answer["type"] == "refused" and answer["sentence"] == "The camera was unplugged."
    assert film.closed == 1


def test_a_camera_that_cannot_be_opened_is_a_sentence(browser: Callable[..., Browser]) -> None:
    def absent() -> Film:
        raise SourceError("There is no camera 0 here.")

    answer, _ = browser(stand_in, absent).ask({"type": "next"})
    assert answer["sentence"] == "There is no camera 0 here."


def test_a_camera_that_nobody_watches_is_closed(
    browser: Callable[..., Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webcam, "IDLE_SECONDS", 0.05)
    film = Film(1000)
    browser(stand_in, lambda: film).ask({"type": "next"})
    deadline = time.monotonic() + 5
    while not film.closed and time.monotonic() < deadline:
        time.sleep(0.01)
    assert film.closed == 1


def test_closing_the_widget_closes_its_sources(browser: Callable[..., Browser]) -> None:
    film = Film()
    page = browser(stand_in, lambda: film)
    page.ask({"type": "next"})
    page.view.close()
    assert film.closed == 1


def test_a_source_by_another_name_is_refused() -> None:
    with pytest.raises(ValueError, match="source is 'camera', 'picture'"):
        webcam.LiveView(stand_in, "webcam")


def test_colours_are_the_studys_and_letters_can_be_read_on_them() -> None:
    colours = webcam.LiveView(stand_in).colours
    assert {name: colour for name, (colour, _) in colours.items()} == EXPRESSION_COLOURS
    for colour, ink in colours.values():
        assert contrast(colour, ink) >= 4.5  # WCAG 2, level AA


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast ratio, from its definition."""

    def luminance(colour: str) -> float:
        values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(values <= 0.03928, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_the_widget_says_predicted_expression_and_that_nothing_is_stored() -> None:
    view = webcam.LiveView(stand_in)
    assert view.notice.startswith(f"{stand_in.about} {stand_in.notice} ")
    assert "nothing is stored" in view.notice
    assert "predicted expression: ${face.answer}" in view._esm


def test_the_browsers_side_can_neither_store_nor_send() -> None:
    code = webcam.LiveView._esm
    for word in ("fetch(", "XMLHttpRequest", "WebSocket", "sendBeacon", "localStorage", "sessionStorage", "indexedDB",
                 "MediaRecorder", "RTCPeerConnection", "download", "import(", "http:", "model.set"):  # fmt: skip
        assert word not in code.replace("http://localhost", ""), word
    assert not re.search(r"\.save_changes|document\.cookie", code)


def test_no_picture_becomes_part_of_the_saved_state(browser: Callable[..., Browser]) -> None:
    page = browser(stand_in)
    before = page.view.get_state()
    page.frame(jpeg())
    assert page.view.get_state() == before
    assert not any(isinstance(value, (bytes, memoryview)) for value in before.values())


WATCHED = """
import os, sys
from fer_utils.live import EmotionRecognizer
from fer_utils.live.interface import webcam
from fer_utils.live.stream.clip import SyntheticClip
sys.path.insert(0, {tests!r})

seen = []
WRITES = {{"os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink", "shutil.copyfile", "socket.connect",
           "socket.sendto", "socket.bind", "subprocess.Popen", "os.system", "os.posix_spawn", "os.exec"}}

def watch(event, arguments):
    flags, mode = (arguments[2] or 0, str(arguments[1] or "")) if event == "open" else (0, "")
    if set(mode) & set("wax+") or flags & (os.O_WRONLY | os.O_RDWR):
        seen.append((event, arguments[0]))
    elif event in WRITES:
        seen.append((event, arguments))

view = webcam.LiveView(EmotionRecognizer())
view.send = lambda content, buffers=None: answers.append(len(content["faces"]))
answers, frame = [], webcam.encode_jpeg(next(iter(SyntheticClip())).image, 0.9)
for i in range(20):
    if i == 1:
        sys.addaudithook(watch)
    view._handle_custom_msg(dict(view="a", id=i, type="frame", time=i / 20), [memoryview(frame)])
assert answers == [1] * 20, answers
assert seen == [], seen
open("proof", "w").close()
assert seen == [("open", "proof")], seen
os.remove("proof")
"""


def test_nothing_is_written_or_sent_while_frames_are_worked_on(tmp_path: Path) -> None:
    """With the real recognizer, on a picture with a face."""
    script = WATCHED.format(tests=str(ROOT / "tests"))
    home = tmp_path / "empty"
    home.mkdir()
    environment = {"HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin",
                   "MPLCONFIGDIR": str(tmp_path / "mpl"), "KERAS_HOME": str(tmp_path / "keras"),
                   "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
    call = [sys.executable, "-c", script]
    done = subprocess.run(call, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(home.iterdir()) == []


# ---------------------------------------------------------------- the window on the desktop


def test_without_a_display_the_window_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(desktop.sys, "platform", "linux")
    assert desktop.main([]) == 1
    printed = capsys.readouterr()
    assert "A window needs a display" in printed.err and "Traceback" not in printed.err
    assert printed.err.count("\n") == 1


class Shown:
    """In place of a window."""

    last: Shown

    def __init__(self, quits_at: int = 1000) -> None:
        self.pictures: list[np.ndarray] = []
        self.quits_at, self.closed = quits_at, False
        Shown.last = self

    def show(self, picture: np.ndarray) -> bool:
        self.pictures.append(picture)
        return len(self.pictures) < self.quits_at

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("options", "sentence"),
    [(["--camera", "97"], "Camera 97 cannot be opened"), (["--video", "absent.avi"], "absent.avi is not there")],
)
def test_no_camera_and_no_video_are_sentences(
    options: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(desktop, "Window", Shown)
    assert desktop.main(options) == 1
    printed = capfd.readouterr().err
    assert sentence in printed and printed.count("\n") == 1
    assert Shown.last.closed


def test_the_window_goes_on_until_q() -> None:
    window = Shown(quits_at=3)
    assert desktop.play(Film(10), Session(stand_in), window.show, notice="Drawn faces only.") == 3
    assert all(picture.shape == PICTURE.shape for picture in window.pictures)
    assert (window.pictures[0] != PICTURE).any()


def test_a_mirrored_window_turns_the_picture_and_not_the_letters() -> None:
    half = PICTURE.copy()
    half[:, :160] = 0
    seen: list[np.ndarray] = []
    window = Shown()
    desktop.play([Frame(half, 0.0, 0)], lambda frame: seen.append(frame.image) or [], window.show, mirrored=True)
    np.testing.assert_array_equal(seen[0], half[:, ::-1])  # what is drawn afterwards is not turned
    np.testing.assert_array_equal(window.pictures[0], half[:, ::-1])


@pytest.mark.parametrize(("key", "visible", "goes_on"), [(-1, 1.0, True), (ord("q"), 1.0, False), (-1, 0.0, False)])
def test_q_and_a_closed_window_end_it(
    key: int, visible: float, goes_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    for name, answer in (("namedWindow", None), ("imshow", None), ("resizeWindow", None), ("waitKey", key),
                         ("getWindowProperty", visible)):  # fmt: skip
        monkeypatch.setattr(desktop.cv2, name, lambda *_, answer=answer: answer)
    assert desktop.Window().show(PICTURE) is goes_on


@pytest.mark.parametrize(("shape", "size"), [((480, 640), (640, 480)), ((2160, 3840), (1600, 900))])
def test_the_window_opens_at_the_videos_size(
    shape: tuple[int, int], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    sizes: list[tuple[int, ...]] = []
    for name in ("namedWindow", "imshow", "getWindowProperty", "waitKey"):
        monkeypatch.setattr(desktop.cv2, name, lambda *_: 1)
    monkeypatch.setattr(desktop.cv2, "resizeWindow", lambda _, *size: sizes.append(size))
    window = desktop.Window()
    for _ in range(2):
        window.show(np.zeros((*shape, 3), np.uint8))
    assert sizes == [size]


def test_a_file_is_shown_in_its_own_time() -> None:
    start = time.monotonic()
    assert len(list(desktop.paced(Film(4)))) == 4
    assert 0.3 <= time.monotonic() - start < 2


# ---------------------------------------------------------------- the synthetic clip


def test_the_clip_shows_what_it_says_and_is_the_same_every_time() -> None:
    clip = SyntheticClip(("happy", "sad"), seconds=0.4, rate=5)
    first, again = list(clip), list(clip)
    assert len(clip) == len(first) == 4
    assert [frame.index for frame in first] == [0, 1, 2, 3] and first[1].time == pytest.approx(0.2)
    assert [clip.expression(frame.time) for frame in first] == ["happy", "happy", "sad", "sad"]
    for one, other in zip(first, again, strict=True):
        assert one.image.shape == (480, 640, 3) and one.image.dtype == np.uint8
        np.testing.assert_array_equal(one.image, other.image)


def test_faces_of_the_clip_are_found() -> None:
    clip = SyntheticClip(("neutral",), seconds=1, rate=1, n_faces=3)
    boxes = detectors.detect(detectors.Haar(), next(iter(clip)).image, 640)
    assert sorted(round(box.centre[0] / 213 - 0.5) for box in boxes) == [0, 1, 2]


def test_the_clip_is_a_video_file_too(tmp_path: Path) -> None:
    clip = SyntheticClip(("neutral", "happy"), seconds=0.3, rate=10)
    with VideoFile(clip.write(tmp_path / "clip.avi")) as video:
        read = list(video)
    assert len(read) == len(clip)
    assert [frame.time for frame in read] == pytest.approx([frame.time for frame in clip])
    error = np.abs(read[2].image.astype(int) - list(clip)[2].image).mean()
    assert error < 8


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"expressions": ()}, "one or more of"),
        ({"expressions": ("joy",)}, "one or more of"),
        ({"n_faces": 4}, "1 to 3 faces"),
        ({"rate": 0}, "above 0"),
    ],
)
def test_a_clip_that_cannot_be_drawn_is_refused(options: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        SyntheticClip(**options)
