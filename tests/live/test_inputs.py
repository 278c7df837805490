"""What a recognizer may be given, and what it says of the rest."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from test_recognizer import PICTURE, known

from fer_utils.live import EmotionRecognizer, Face, read_image


class Middle:
    """A detector that always sees the middle."""

    margin = 0.0

    def detect(self, bgr: np.ndarray) -> list[Any]:
        from fer_utils.live import Box

        return [Box(10, 10, 60, 60)]


@pytest.fixture(scope="module")
def recognizer() -> EmotionRecognizer:
    return EmotionRecognizer(detector=Middle(), threads=1)


PIXELS = read_image(PICTURE)[60:160, 170:270]


def pillow() -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(PIXELS[..., ::-1]))


def png() -> bytes:
    buffer = io.BytesIO()
    pillow().save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "pillow", "rgb", "fractions", "wide"])
def test_every_kind_of_picture_gives_the_same(kind: str, recognizer: EmotionRecognizer, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    expected = recognizer(PIXELS)[0].probabilities
    given = {
        "path": tmp_path / "a.png", "text": str(tmp_path / "a.png"), "bytes": png(), "pillow": pillow(),
        "rgb": PIXELS[..., ::-1], "fractions": PIXELS / 255, "wide": PIXELS.astype(np.int64),
    }[kind]  # fmt: skip
    (face,) = recognizer(given, colour="rgb" if kind == "rgb" else None)
    np.testing.assert_allclose(face.probabilities, expected, atol=1e-6)


def test_several_pictures_give_a_list_each(recognizer: EmotionRecognizer) -> None:
    for several in ([PIXELS, pillow()], (PIXELS, PIXELS), np.stack([PIXELS, PIXELS])):
        found = recognizer(several)
        assert [len(faces) for faces in found] == [1, 1] and isinstance(found[0][0], Face)
    assert recognizer([]) == []


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (None, "got None. OpenCV's imread gives None"),
        ("absent.jpg", "absent.jpg cannot be read"),
        (Path("film.mp4"), "is a video by its name. Use python -m fer_utils predict film.mp4"),
        (b"no picture", "no picture, or not a whole one"),
        (7, "got int. Pass one of these"),
        (np.zeros((3, 40, 50), np.uint8), "channels come first"),
        (np.array(["a"]), "got shape"),
    ],
)
def test_what_is_no_picture_gets_a_sentence(given: object, sentence: str, recognizer: EmotionRecognizer) -> None:
    with pytest.raises(ValueError, match=sentence.replace("(", r"\(").replace(".", r"\.")):
        recognizer(given)


def test_a_face_as_plain_values() -> None:
    (face,) = known(detector=Middle(), unsure_below=0.1)(PIXELS)
    found = json.loads(json.dumps(face.as_dict()))
    assert found["box"] == [10, 10, 60, 60] and found["label"] == face.label and found["sure"] is True
    assert found["confidence"] == max(found["probabilities"].values()) and len(found["probabilities"]) == 7
    assert "track" not in found
