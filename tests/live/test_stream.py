"""Streams: labels that do not flicker, boxes that follow, devices that are released."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_recognizer import PICTURE, Engine

from fer_utils.data.dataset import EXPRESSIONS
from fer_utils.evaluation import metrics
from fer_utils.live import Box, EmotionRecognizer, Face, Frame, Session, Smoother, Smoothing, Tracker, read_image
from fer_utils.live.stream import sources as sources_module
from fer_utils.live.stream.sources import Camera, SourceError, VideoFile
from fer_utils.live.stream.tracking import follow, match

RATE = 30.0


def noisy(labels: np.ndarray, seed: int, sd: float = 1.5) -> np.ndarray:
    """Probabilities (n, 7) of a network that leans to `labels` and is unsure: logits 2 higher, noise of `sd`."""
    logits = np.random.default_rng(seed).normal(0, sd, (len(labels), 7))
    logits[np.arange(len(labels)), labels] += 2.0
    return metrics.softmax(logits)


def smoothed(probabilities: np.ndarray, rate: float = RATE, settings: Smoothing | None = None) -> np.ndarray:
    smoother = Smoother(settings)
    return np.array([smoother.update(p, i / rate)[1] for i, p in enumerate(probabilities)])


def flicker(labels: np.ndarray) -> int:
    return int(np.count_nonzero(np.diff(labels)))


@pytest.mark.parametrize("rate", [15.0, 30.0])
def test_flicker_falls_at_least_five_times_at_a_delay_below_a_third_of_a_second(rate: float) -> None:
    before = after = 0
    delays = []
    for seed in range(10):
        truth = np.repeat([6, 3, 5], round(2 * rate))
        raw = noisy(truth, seed)
        steady = smoothed(raw, rate)
        before += flicker(raw.argmax(axis=1)) - 2
        after += flicker(steady) - 2
        for change in (round(2 * rate), round(4 * rate)):
            delays.append(np.flatnonzero(steady[change:] == truth[change])[0] / rate)
        assert np.mean(steady == truth) > np.mean(raw.argmax(axis=1) == truth)
    assert before >= 5 * max(after, 1), (before, after)
    assert np.mean(delays) <= 0.2 and np.percentile(delays, 90) <= 0.3, delays


def test_a_clear_change_shows_after_the_time_that_is_stated() -> None:
    certain = np.array([[0.98, 0.02], [0.02, 0.98]])
    steady = smoothed(certain[np.repeat([0, 1], 1000)], rate=1000.0)
    lead = 2 * np.arctanh(0.1)  # of the logarithms, where the probabilities differ by the advantage of 0.1
    expected = 0.16 * np.log(2 * np.log(49) / (np.log(49) - lead))
    assert flicker(steady) == 1 and 0.16 * np.log(2) < expected < 0.12
    assert np.argmax(steady) / 1000 - 1 == pytest.approx(expected, abs=0.003)


def test_smoothing_does_not_depend_on_the_frame_rate() -> None:
    slow, fast = Smoother(), Smoother()
    for smoother, rate in ((slow, 10), (fast, 100)):
        smoother.update(np.array([0.999, 0.001]), 0.0)
        for i in range(1, rate // 2 + 1):
            found, _ = smoother.update(np.array([0.001, 0.999]), i / rate)
        kept = np.exp(-0.5 / 0.16)
        assert found.sum() == pytest.approx(1)
        assert np.log(found[0] / found[1]) == pytest.approx((2 * kept - 1) * np.log(999), rel=1e-3)


def test_a_rival_needs_an_advantage() -> None:
    smoother = Smoother(Smoothing(seconds=0, advantage=0.2))
    said = [[0.6, 0.4], [0.45, 0.55], [0.39, 0.61], [0.5, 0.5]]
    shown = [smoother.update(np.array(p), i)[1] for i, p in enumerate(said)]
    assert shown == [0, 0, 1, 1]
    with pytest.raises(ValueError, match=r"advantage in \[0, 1\)"):
        Smoothing(advantage=1.0)


def face(x: int, probabilities: Sequence[float] = (1.0, 0.0), y: int = 0) -> Face:
    shares = np.array(probabilities)
    return Face(Box(x, y, 40, 40), "ab"[int(shares.argmax())], shares, ("a", "b"))


def test_people_keep_their_numbers_and_their_own_smoothing() -> None:
    tracker = Tracker(patience=0.5)
    first = tracker.update([face(0), face(100, (0.0, 1.0))], 0.0)
    second = tracker.update([face(104, (0.4, 0.6)), face(3, (0.9, 0.1))], 0.04)
    assert [f.track for f in first] == [0, 1] and [f.track for f in second] == [1, 0]
    assert second[0].box.x == 104 and second[0].probabilities[1] > 0.9 and second[1].probabilities[0] > 0.98
    assert [f.track for f in tracker.update([face(5)], 0.3)] == [0], "one is away for a moment"
    assert [f.track for f in tracker.update([face(5), face(104)], 0.5)] == [0, 1]
    assert [f.track for f in tracker.update([face(104)], 3.0)] == [2], "forgotten after half a second"
    assert [f.track for f in tracker.update([face(104)], 0.0)] == [3], "a time before the last starts anew"
    assert tracker.update([], 0.1) == []


def test_matching_maximises_the_overlap_of_all() -> None:
    boxes = [Box(0, 0, 40, 40), Box(20, 0, 40, 40)]
    assert match(boxes, [Box(8, 0, 40, 40), Box(36, 0, 40, 40)]) == [(0, 0), (1, 1)]
    assert match(boxes, [Box(500, 0, 40, 40)]) == [] == match([], boxes)


@pytest.mark.parametrize(("shift", "scale"), [((6, -4), 1.0), ((0, 0), 1.05), ((-5, 3), 0.95)])
def test_boxes_follow_what_moves(shift: tuple[int, int], scale: float) -> None:
    grey = cv2.cvtColor(read_image(PICTURE), cv2.COLOR_BGR2GRAY)
    box = Box(177, 66, 95, 95)
    offset = np.add(shift, np.multiply(box.centre, 1 - scale))
    matrix = np.column_stack([scale * np.eye(2), offset])
    (moved,) = follow(grey, cv2.warpAffine(grey, matrix, (512, 512)), [box])
    assert moved is not None
    assert np.abs(np.subtract(moved.centre, np.add(box.centre, shift))).max() <= 2
    assert moved.width == pytest.approx(95 * scale, abs=3)


def test_a_face_that_is_gone_is_not_followed() -> None:
    grey = cv2.cvtColor(read_image(PICTURE), cv2.COLOR_BGR2GRAY)
    moved = follow(grey, np.full_like(grey, 90), [Box(177, 66, 95, 95), Box(480, 480, 60, 60)])
    assert moved[0] is None or moved[0].width < 95 * 1.2
    assert follow(grey, grey, []) == []


class Counting:
    """A detector that says where the face is, and counts."""

    margin = 0.0

    def __init__(self, boxes: Sequence[Box]) -> None:
        self.boxes, self.calls = list(boxes), 0

    def detect(self, bgr: np.ndarray) -> list[Box]:
        self.calls += 1
        return self.boxes


@pytest.fixture
def session() -> Session:
    recognizer = EmotionRecognizer(detector=Counting([Box(110, 41, 60, 60)]), threads=1)
    recognizer.engine = Engine()
    return Session(recognizer)


def panned(n: int, step: int = 3) -> list[Frame]:
    """The picture, panned to the left by `step` pixels a frame."""
    picture = read_image(PICTURE)
    return [Frame(np.roll(picture, -step * i, axis=1), i / RATE, i) for i in range(n)]


def test_a_session_detects_now_and_then_and_follows_in_between(session: Session) -> None:
    found = [session(frame) for frame in panned(8)]
    assert session.recognizer.detector.calls == 1 and len(session.recognizer.engine.batches) == 8
    assert {faces[0].track for faces in found} == {0}
    assert [faces[0].box.x for faces in found] == pytest.approx([176 - 3 * i for i in range(8)], abs=5)
    session(Frame(read_image(PICTURE), 0.25, 8))
    assert session.recognizer.detector.calls == 2


def test_a_face_that_the_detector_misses_is_followed_for_a_while_and_then_let_go(session: Session) -> None:
    picture = read_image(PICTURE)
    session(Frame(picture, 0.0, 0))
    session.recognizer.detector.boxes = []
    seen = [len(session(Frame(picture, i / 10, i))) for i in range(1, 15)]
    assert seen[:6] == [1] * 6 and seen[-1] == 0 and sorted(seen, reverse=True) == seen


def test_frames_are_blue_green_red_whatever_arrays_are(session: Session) -> None:
    frames = panned(3)
    colours = [Frame(np.stack([f.image[..., 0] // 4, f.image[..., 0], f.image[..., 0] // 2], -1), f.time, f.index)
               for f in frames]  # fmt: skip
    as_bgr = [session(frame) for frame in colours]
    session.reset()
    session.recognizer.colour_order = "rgb"
    for one, other in zip(as_bgr, map(session, colours), strict=True):
        assert [face.box for face in one] == [face.box for face in other]
    batches = session.recognizer.engine.batches
    np.testing.assert_array_equal(batches[0], batches[len(frames)])


def test_a_stream_that_starts_again_or_changes_size_forgets_everybody(session: Session) -> None:
    picture = read_image(PICTURE)
    assert session(Frame(picture, 5.0, 0))[0].track == 0
    assert len(session(Frame(picture[:400], 5.1, 1))) == 1 and session.recognizer.detector.calls == 2
    assert session(Frame(picture[:400], 0.0, 0))[0].track == 0 and session.recognizer.detector.calls == 3
    assert len(session(Frame(picture[:400, :, 0], 0.1, 1))) == 1, "a grey frame in between"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20, (512, 512))
    for frame in panned(10):
        writer.write(frame.image)
    writer.release()
    return path


def test_a_video_gives_its_frames_with_their_times(clip: Path) -> None:
    with VideoFile(clip) as video:
        frames = list(video)
        assert (video.width, video.height, video.frames_per_second, video.n_frames) == (512, 512, 20, 10)
    assert [frame.index for frame in frames] == list(range(10))
    assert [frame.time for frame in frames] == pytest.approx([i / 20 for i in range(10)], abs=1e-3)
    assert np.abs(frames[3].image.astype(int) - panned(4)[3].image).mean() < 6
    assert list(video) == [], "closed"


def test_what_is_no_video_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    for path, word in ((tmp_path / "a.mp4", "is not a video"), (tmp_path / "b.mp4", "is not there")):
        with pytest.raises(SourceError, match=word):
            VideoFile(path)


class FakeCapture:
    """A camera that gives three pictures and is then unplugged."""

    opened = True
    made: list[FakeCapture] = []  # noqa: RUF012

    def __init__(self, index: int) -> None:
        self.left, self.released, self.settings = 3, False, {}
        FakeCapture.made.append(self)

    def isOpened(self) -> bool:
        return self.opened and not self.released

    def set(self, name: int, value: float) -> None:
        self.settings[name] = value

    def get(self, name: int) -> float:
        return self.settings.get(name, 0)

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        return (True, np.zeros((480, 640, 3), np.uint8)) if self.left >= 0 else (False, None)

    def release(self) -> None:
        self.released = True


@pytest.fixture
def fake_camera(monkeypatch: pytest.MonkeyPatch) -> type[FakeCapture]:
    monkeypatch.setattr(sources_module.cv2, "VideoCapture", FakeCapture)
    monkeypatch.setattr(sources_module, "PATIENCE", 0.05)
    monkeypatch.setattr(FakeCapture, "opened", True)
    return FakeCapture


def test_a_camera_is_asked_for_small_fresh_pictures_and_released(fake_camera: type[FakeCapture]) -> None:
    with Camera(0) as camera:
        frames = [frame for frame, _ in zip(camera, range(2), strict=False)]
    assert [frame.index for frame in frames] == [0, 1] and frames[0].time <= frames[1].time < 5
    capture = fake_camera.made[-1]
    assert capture.released and capture.settings[cv2.CAP_PROP_BUFFERSIZE] == 1
    assert (camera.width, camera.height) == (640, 480)


def test_an_unplugged_camera_is_a_sentence_and_is_released(fake_camera: type[FakeCapture]) -> None:
    with pytest.raises(SourceError, match="Camera 0 gives no pictures any more"), Camera(0) as camera:
        for frame in camera:
            last = frame
    assert last.index == 2 and fake_camera.made[-1].released


def test_a_missing_camera_is_a_sentence(fake_camera: type[FakeCapture], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake_camera, "opened", False)
    with pytest.raises(SourceError, match="Camera 7 cannot be opened"):
        Camera(7)


def test_class_names_of_the_shipped_model_are_the_studys() -> None:
    assert EmotionRecognizer(threads=1).class_names == EXPRESSIONS
