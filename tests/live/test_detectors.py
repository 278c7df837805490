"""Which detector is taken, what it finds, how YuNet is fetched, and heads that lean."""

from __future__ import annotations

import csv
import hashlib
import threading
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_recognizer import FACE, PICTURE, PROJECT, known, near

from fer_utils.__main__ import main
from fer_utils.live import Box, EmotionRecognizer, RetinaFace, read_image
from fer_utils.live.detection import crops, detectors, fetch, retinaface
from fer_utils.live.faces import by_landmarks, overlap
from fer_utils.live.images import as_grey


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No YuNet on this machine; returns the user's cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FER_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(detectors, "project_root", lambda: tmp_path)
    monkeypatch.setattr(detectors.platformdirs, "user_cache_path", lambda *a, **k: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def upright() -> np.ndarray:
    return read_image(PICTURE)


def turned(image: np.ndarray, degrees: float) -> np.ndarray:
    """The picture turned clockwise about its face."""
    matrix = cv2.getRotationMatrix2D(FACE.centre, -degrees, 1.0)
    return cv2.warpAffine(image, matrix, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


def test_the_default_needs_no_file(nowhere: Path) -> None:
    assert isinstance(detectors.get(), RetinaFace)
    with pytest.raises(FileNotFoundError, match=r"--fetch-detector.* the default needs no file"):
        detectors.get("yunet")
    with pytest.raises(FileNotFoundError, match=r"one of auto, retinaface, yunet, haar or .*; nonsense is none"):
        detectors.get("nonsense")


@pytest.mark.parametrize("folder", ["data", "cache"])
def test_yunet_is_preferred_where_its_file_lies(
    folder: str, nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / detectors.YUNET).write_bytes(b"a file")
    taken: list[Path] = []
    monkeypatch.setattr(detectors, "YuNet", lambda path: taken.append(Path(path).resolve()))
    detectors.get()
    detectors.get("yunet")
    assert taken == 2 * [tmp_path / folder / detectors.YUNET]
    assert isinstance(detectors.get("retinaface"), RetinaFace)


def test_weights_of_another_package_version_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retinaface, "SHA256", "0" * 64)
    with pytest.raises(ValueError, match=r"known by its SHA-256; got 95db6f76"):
        RetinaFace()
    monkeypatch.setattr(retinaface, "PACKAGE", "no-such-package")
    with pytest.raises(ImportError, match="python -m pip install no-such-package"):
        RetinaFace()


def test_retinaface_finds_the_face_of_the_portrait_in_colour_in_grey_small_and_leaning(upright: np.ndarray) -> None:
    detector = RetinaFace(threads=1)
    for image in (upright, as_grey(upright), as_grey(upright)[..., None]):
        (box,) = detector.detect(image)
        assert near(box, FACE) and abs(box.tilt) < crops.TILT
    (small,) = detector.detect(cv2.resize(upright, (128, 128), interpolation=cv2.INTER_AREA))
    assert near(small, FACE.scaled(0.25), 4)
    (leaning,) = detector.detect(turned(upright, 35))
    assert 25 < leaning.tilt < 45 and near(Box(*leaning.scaled(1)), FACE, 40)
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    assert [detector.detect(empty) for empty in (noise, np.zeros((1, 1, 3), np.uint8))] == [[], []]


@pytest.mark.parametrize("degrees", [0, 30, -50, 90])
def test_the_tilt_follows_from_eyes_and_mouth(degrees: float) -> None:
    points = np.array([[-10, -8], [10, -8], [0, 0], [-7, 9], [7, 9]], float)
    turn = np.deg2rad(degrees)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    assert by_landmarks(np.array([1.4, 2, 3, 4]), points @ matrix.T).tilt == pytest.approx(degrees)
    assert by_landmarks(np.array([1.4, 2, 3, 4]), points) == (1, 2, 3, 4)


@pytest.mark.parametrize("degrees", [-40, 40])
def test_a_leaning_head_is_cropped_upright(degrees: float, upright: np.ndarray) -> None:
    grey, box = as_grey(upright), Box(*FACE)
    straight = crops.prepared(grey, [box], 0.0, 48)
    leaning = as_grey(turned(upright, degrees))
    levelled = crops.prepared(leaning, [Box(*FACE, tilt=degrees)], 0.0, 48)
    left = crops.prepared(leaning, [box], 0.0, 48)
    assert np.abs(levelled - straight).mean() < 0.03 < np.abs(left - straight).mean()
    slightly = crops.prepared(leaning, [Box(*FACE, tilt=crops.TILT)], 0.0, 48)
    np.testing.assert_array_equal(slightly, left)


def test_six_views_are_one_batch_and_their_mean_is_the_answer(upright: np.ndarray) -> None:
    recognizer = EmotionRecognizer(detector="haar", threads=1)
    batch = crops.prepared(as_grey(upright), [FACE], 0.0, 48, "six")
    assert batch.shape == (6, 48, 48, 1)
    np.testing.assert_array_equal(batch[1::2], batch[::2, :, ::-1])
    (face,) = recognizer.classify(upright, [FACE])
    again = recognizer.classify(np.ascontiguousarray(upright[:, ::-1]), [Box(512 - 178 - 95, 57, 95, 120)])[0]
    np.testing.assert_allclose(again.probabilities, face.probabilities, atol=0.03)
    with pytest.raises(ValueError, match="views is one of one, mirror, six; got 'ten'"):
        EmotionRecognizer(views="ten")


def test_an_answer_is_unsure_below_the_threshold(upright: np.ndarray) -> None:
    for least, sure in ((0.0, True), (1.0, False)):
        recognizer = known(unsure_below=least)
        (face,) = recognizer(upright)
        assert (face.sure is sure and face.answer == ("happy" if sure else "unsure (happy?)")) or face.label == "sad"
    assert face.as_dict()["sure"] is False
    with pytest.raises(ValueError, match=r"probability in \[0, 1\]; got 2"):
        EmotionRecognizer(unsure_below=2)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server on this machine, and the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder)) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_port}/yunet.onnx", folder
        found.shutdown()


def test_yunet_is_fetched_by_its_digest_after_saying_from_where(
    server: tuple[str, Path], nowhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url, folder = server
    (folder / "yunet.onnx").write_bytes(b"the right file")
    digest = hashlib.sha256(b"the right file").hexdigest()
    monkeypatch.setattr(fetch, "YUNET_SHA256", {digest: detectors.YUNET})
    path = fetch.fetch(url=url)
    assert path == nowhere / detectors.YUNET and path.read_bytes() == b"the right file"
    assert url in capsys.readouterr().out
    assert detectors.find_yunet() == path


def test_another_file_or_no_server_is_a_sentence_and_leaves_nothing(
    server: tuple[str, Path], nowhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url, folder = server
    (folder / "yunet.onnx").write_bytes(b"something else")
    monkeypatch.setattr(fetch, "URL", url)
    for address in (url, url + "-absent"):
        with pytest.raises(ValueError, match="YuNet could not be fetched"):
            fetch.fetch(url=address)
    assert not nowhere.exists() or list(nowhere.iterdir()) == []
    monkeypatch.setattr(fetch.fetch, "__defaults__", (None, url))
    assert main(["predict", "--fetch-detector"]) == 2
    assert "YuNet could not be fetched" in capsys.readouterr().err


@pytest.fixture(scope="module")
def photographs() -> dict[Path, list[Box]]:
    """Photographs with the boxes of their faces, `../shared/photos`."""
    folder = PROJECT.parent / "shared/photos"
    if not (folder / "boxes.csv").is_file():
        pytest.skip("no ../shared/photos with boxes.csv")
    found: dict[Path, list[Box]] = defaultdict(list)
    for row in csv.DictReader((folder / "boxes.csv").open(encoding="utf-8")):
        found[folder / row["file"]].append(Box(*(int(row[name]) for name in ("x", "y", "width", "height"))))
    return found


@pytest.mark.real_data
def test_the_default_finds_every_face_on_photographs_and_nothing_else(photographs: dict[Path, list[Box]]) -> None:
    detector = RetinaFace()
    for path, faces in photographs.items():
        boxes = detectors.detect(detector, read_image(path), 640)
        assert len(boxes) == len(faces), path
        assert all(any(overlap(box, face) > 0.3 for box in boxes) for face in faces), path
