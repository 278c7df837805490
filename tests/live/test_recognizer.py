"""Pictures in, faces out: found, cropped, classified in one batch, and nothing kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_utils.data import augmentation
from fer_utils.data.dataset import EXPRESSIONS
from fer_utils.evaluation import metrics
from fer_utils.live import Box, EmotionRecognizer, Face, Haar, RetinaFace, YuNet, draw, read_image
from fer_utils.live.detection import crops, detectors
from fer_utils.live.faces import overlap
from fer_utils.live.images import as_grey
from fer_utils.live.interface import drawing
from fer_utils.live.network.description import Description
from fer_utils.live.recognizer import SYNTHETIC_NOTICE

PICTURE = Path(crops.__file__).parents[1] / "pictures/astronaut.jpg"
FACE = Box(178, 57, 95, 120)
PROJECT = Path(__file__).resolve().parents[2]
YUNET = "face_detection_yunet_2026may.onnx"


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return read_image(PICTURE)


@pytest.fixture(scope="module")
def recognizer() -> EmotionRecognizer:
    return EmotionRecognizer(threads=1)


@pytest.fixture(scope="session")
def yunet() -> Path:
    """The user's YuNet file: in `$FER_DATA`, `data/` or `../shared/models`."""
    folders = [os.environ.get("FER_DATA"), PROJECT / "data", PROJECT.parent / "shared/models"]
    for folder in (Path(f) for f in folders if f):
        if (folder / YUNET).is_file():
            return folder / YUNET
    pytest.skip(f"no {YUNET}: put it into data/ or name its folder in FER_DATA")


class Engine:
    """Scores that are known: class 3 for bright faces, class 4 for dark ones; counts its calls."""

    description = Description(EXPRESSIONS, temperature=2.0)
    name = "known"

    def __init__(self) -> None:
        self.batches: list[np.ndarray] = []

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        self.batches.append(batch)
        bright = batch.mean(axis=(1, 2, 3)) > 0.5
        return np.where(np.arange(7) == np.where(bright, 3, 4)[:, None], 4.0, 0.0).astype(np.float32)


def known(**options: object) -> EmotionRecognizer:
    """A recognizer whose network is known."""
    made = EmotionRecognizer(threads=1, **options)
    made.engine = Engine()
    return made


def near(box: Box, expected: Box, tolerance: int = 12) -> bool:
    return max(abs(a - b) for a, b in zip(box, expected, strict=True)) <= tolerance


def test_the_one_face_of_a_photo_is_found_and_classified(recognizer: EmotionRecognizer, picture: np.ndarray) -> None:
    (face,) = recognizer(picture)
    assert isinstance(face, Face) and near(face.box, FACE)
    assert face.probabilities.shape == (7,) and face.probabilities.sum() == pytest.approx(1)
    assert face.label == recognizer.class_names[face.probabilities.argmax()]
    assert face.confidence == face.probabilities.max() and face.track is None


def test_what_it_says_follows_from_the_function_of_training(
    recognizer: EmotionRecognizer, picture: np.ndarray
) -> None:
    (face,) = recognizer.classify(picture, recognizer.detect(picture), "one")
    x, y, side, _ = crops.square(face.box, recognizer.margin)
    batch = augmentation.prepare(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[y : y + side, x : x + side])
    expected = metrics.softmax(recognizer.engine(batch) / recognizer.engine.description.temperature)
    np.testing.assert_allclose(face.probabilities, expected[0], atol=1e-6)


def test_colour_grey_transparent_and_deep_pictures_give_the_same(picture: np.ndarray) -> None:
    haar = {"detector": "haar", "threads": 1}  # it looks at grey values alone
    bgr, rgb = EmotionRecognizer(**haar), EmotionRecognizer(**haar, colour_order="rgb")
    (expected,) = bgr(picture)
    grey = as_grey(picture)
    clear = np.dstack([picture, np.zeros_like(grey)])
    deep = picture.astype(np.uint16) * 257
    for found in (bgr(grey), bgr(grey[..., None]), bgr(clear), bgr(deep), rgb(picture[..., ::-1])):
        assert found[0].box == expected.box
        np.testing.assert_allclose(found[0].probabilities, expected.probabilities, atol=1e-6)


def test_all_faces_of_a_frame_are_one_batch_and_the_temperature_counts(picture: np.ndarray) -> None:
    recognizer = known()
    top = np.tile(picture[:256, 100:356], (2, 3, 1))
    top[:, :256] = np.clip(top[:, :256] * 0.35, 0, 255).astype(np.uint8)
    faces = recognizer(top)
    assert len(faces) == 6 and [len(batch) for batch in recognizer.engine.batches] == [36]
    assert sorted(face.label for face in faces) == ["happy"] * 4 + ["sad"] * 2
    assert all((face.label == "sad") == (face.box.x < 256) for face in faces)
    assert faces[0].confidence == pytest.approx(np.exp(2) / (np.exp(2) + 6))


def test_pictures_without_faces_give_none(recognizer: EmotionRecognizer) -> None:
    engine = known()
    noise = np.random.default_rng(0).integers(0, 256, (60, 80), dtype=np.uint8)
    dark, dot, line = np.zeros((480, 640, 3), np.uint8), np.zeros((1, 1), np.uint8), np.full((3, 900), 255, np.uint8)
    for frame in (dark, noise, dot, line):
        assert engine(frame) == []
    assert engine.engine.batches == []


def test_faces_cut_off_by_the_edge_are_completed_by_repeating_it(picture: np.ndarray) -> None:
    recognizer = known(margin=0.5)
    left = picture[:, FACE.x - 4 :]
    (face,) = [f for f in recognizer(left) if f.box.y < 150]
    assert crops.square(face.box, 0.5).x < 0 and recognizer.engine.batches[0].shape == (6, 48, 48, 1)


def test_tiny_faces_are_left_out_rather_than_guessed(picture: np.ndarray) -> None:
    recognizer = known()
    for height, n_faces in ((256, 1), (80, 0)):
        small = cv2.resize(picture, (height, height), interpolation=cv2.INTER_AREA)
        assert len(recognizer(small)) == n_faces, "below 20 pixels nothing is said"


def test_a_large_photo_is_searched_at_reduced_size_and_cropped_at_full_size(picture: np.ndarray) -> None:
    large = cv2.resize(picture, None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    (face,) = [f for f in known()(large) if f.box.width > 300]
    assert near(face.box, FACE.scaled(6), 40)


def test_bad_settings_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"margin lies between -0\.4 and 2 .* got 3"):
        EmotionRecognizer(margin=3)
    with pytest.raises(ValueError, match="order of colours"):
        EmotionRecognizer(colour_order="hsv")


def test_another_file_is_no_yunet(tmp_path: Path) -> None:
    (tmp_path / "face.onnx").write_bytes(b"something else")
    with pytest.raises(ValueError, match="known by its SHA-256"):
        YuNet(tmp_path / "face.onnx")


def test_an_opencv_without_cascades_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(ValueError, match="part of OpenCV 4"):
        Haar()


@pytest.mark.real_data
def test_yunet_finds_the_same_face_and_tiles_of_it(yunet: Path, picture: np.ndarray) -> None:
    recognizer = EmotionRecognizer(detector=yunet, threads=1)
    (face,) = recognizer(picture)
    assert overlap_of_squares(face.box) > 0.6
    assert len(recognizer(np.tile(picture[:256, 100:356], (2, 2, 1)))) == 4
    assert len(recognizer(as_grey(picture))) == 1
    assert recognizer(np.zeros((480, 640, 3), np.uint8)) == []


def overlap_of_squares(box: Box) -> float:
    return detectors.overlap(crops.square(box, YuNet.margin), crops.square(FACE, RetinaFace.margin))


def test_a_detector_of_ones_own_is_taken(picture: np.ndarray) -> None:
    class Everything:
        margin = 0.0

        def detect(self, bgr: np.ndarray) -> list[Box]:
            return [Box(0, 0, bgr.shape[1], bgr.shape[0]), Box(5000, 0, 50, 50)]

    faces = known(detector=Everything())(picture)
    assert [face.box for face in faces] == [Box(0, 0, 512, 512)], "boxes outside the picture are no faces"


def test_drawing_marks_a_copy_and_says_what_the_model_is(recognizer: EmotionRecognizer, picture: np.ndarray) -> None:
    before, faces = picture.copy(), recognizer(picture)
    plain, told = draw(picture, faces), draw(picture, faces, SYNTHETIC_NOTICE)
    assert (picture == before).all() and plain.shape == picture.shape
    x, y = faces[0].box[:2]
    assert (plain[y : y + 95, x] != picture[y : y + 95, x]).any()
    assert (told[-3:] == 0).mean() > 0.5 > (plain[-3:] == 0).mean()
    assert draw(as_grey(picture), []).shape == picture.shape
    edge = Face(Box(-20, -20, 60, 60), "happy", np.full(7, 1 / 7), EXPRESSIONS)
    assert draw(np.zeros((20, 30, 3), np.uint8), [edge], SYNTHETIC_NOTICE).any()


@pytest.mark.parametrize("seed", range(8))
def test_plates_cover_no_other_face_and_no_other_plate(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = [Box(20 + 155 * (i % 4), 30 + 150 * (i // 4), int(side), int(side))
             for i, side in enumerate(rng.integers(24, 120, 12))]  # fmt: skip
    faces = [Face(box, "surprise", np.full(7, 1 / 7), EXPRESSIONS, unsure_below=0.5) for box in boxes]
    plates = drawing.plates(faces, (480, 640))
    assert len(plates) == 12
    for i, plate in enumerate(plates):
        assert all(overlap(plate.box, face.box) == 0 for face in faces if face is not plate.face)
        assert all(overlap(plate.box, other.box) == 0 for other in plates[:i])
        assert plate.text.startswith(f"{i + 1} ") or plate.text == str(i + 1)


def test_letters_grow_with_the_face_and_a_face_alone_has_no_number() -> None:
    plates = [drawing.plates([Face(Box(200, 100, side, side), "happy", np.eye(7)[3], EXPRESSIONS)], (480, 640))[0]
              for side in (40, 80, 160)]  # fmt: skip
    assert [plate.text for plate in plates] == ["happy 100%"] * 3
    assert plates[0].scale < plates[1].scale < plates[2].scale


def test_crowded_faces_keep_their_plates_apart() -> None:
    faces = [Face(Box(30 * i, 0, 30, 30), "sad", np.eye(7)[4], EXPRESSIONS, track=i) for i in range(6)]
    plates = drawing.plates(faces, (40, 180))
    assert all(overlap(a.box, b.box) == 0 for i, a in enumerate(plates) for b in plates[:i])


def test_a_model_of_drawn_faces_says_so() -> None:
    recognizer = known()
    recognizer.engine.description = Description(EXPRESSIONS, dataset="synthetic")
    assert recognizer.notice == SYNTHETIC_NOTICE
    assert recognizer.about == "Read by the network of your own, trained on synthetic."
    recognizer.engine.description = Description(EXPRESSIONS, dataset="fer2013")
    assert recognizer.notice == ""


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[list[str]]:
    """What Python opens for writing, and every connection, while the test runs."""
    seen: list[str] = []
    active = [True]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if not active[0]:
            return
        if event.startswith("socket.") or event in ("os.mkdir", "os.rename", "subprocess.Popen"):
            seen.append(event)
        elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
            seen.append(f"open {arguments[0]}")

    sys.addaudithook(hook)
    yield seen
    active[0] = False


def test_nothing_is_written_or_sent(
    recognizer: EmotionRecognizer, picture: np.ndarray, watched: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    faces = recognizer(picture)
    draw(picture, faces, recognizer.notice)
    assert len(faces) == 1 and watched == [] and list(tmp_path.iterdir()) == []
    (tmp_path / "proof").write_text("the watch works")
    assert watched


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"longest_side": 0}, "longest_side is a number of pixels, 1 or more; got 0"),
        ({"class_names": ("a", "b")}, "class_names are those of a Keras network; got a, b"),
        ({"detector": None}, "A detector is one of auto, retinaface, yunet, haar, .* got None"),
    ],
)
def test_settings_that_cannot_be_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmotionRecognizer(threads=1, **options)
