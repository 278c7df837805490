"""Pictures of every kind become frames, and what cannot be used is refused in words."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_utils.data import augmentation
from fer_utils.data.readers import images
from fer_utils.live import Box, UnreadableError, read_image
from fer_utils.live.detection import crops
from fer_utils.live.faces import overlap
from fer_utils.live.images import MAX_PIXELS, as_bgr, as_frame, as_grey, reduced, write_image

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (30, 40, 3), dtype=np.uint8)
UPRIGHT = np.zeros((20, 40, 3), np.uint8)
UPRIGHT[:, 20:] = (10, 120, 240)  # the right half, in red-green-blue


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_and_depths_are_handled(channels: int) -> None:
    wide = np.dstack([COLOUR, COLOUR[..., 0]])[..., :channels]
    expected = wide[..., 0] if channels == 1 else COLOUR
    assert (as_frame(wide) == expected).all()
    assert (as_frame(wide.astype(np.uint16) * 257) == expected).all()


def test_numbers_of_every_kind_are_grey_values() -> None:
    for image in (COLOUR.astype(np.int64), COLOUR.astype(np.uint16), COLOUR.astype(np.float32), COLOUR / 255):
        assert (as_frame(image) == COLOUR).all(), image.dtype
    deep = np.array([[0, 257, 65535]], np.uint16)
    assert (as_frame(deep) == [[0, 1, 255]]).all()
    assert (as_frame(np.array([[True, False]])) == [[255, 0]]).all()
    assert as_frame(np.zeros((2, 2))).max() == 0, "black fractions are clear"


def test_colour_order_is_said_by_a_parameter() -> None:
    assert (as_frame(COLOUR[..., ::-1], "rgb") == COLOUR).all()
    assert (as_frame(np.dstack([COLOUR[..., ::-1], COLOUR[..., 0]]), "rgb") == COLOUR).all()
    with pytest.raises(ValueError, match=r"order of colours is one of .* got 'gbr'"):
        as_frame(COLOUR, "gbr")


@pytest.mark.parametrize(
    ("image", "word"),
    [
        (COLOUR / 128.0, "not clear which"),
        (COLOUR - 300.0, "float64 from -300 to"),
        (np.full((4, 4), np.nan), "from nan to nan"),
        (COLOUR.astype(np.int32) * 2, "got int32 from 0 to 510"),
        (COLOUR.transpose(2, 0, 1), r"channels come first: pass image.transpose\(1, 2, 0\)"),
        (COLOUR[..., :2], r"got shape \(30, 40, 2\)"),
        (np.zeros((0, 5), np.uint8), r"got shape \(0, 5\)"),
        (np.zeros((2, 3, 4, 3), np.uint8), "one picture at a time"),
        (np.array([["a"]]), "numbers or booleans"),
    ],
)
def test_other_arrays_are_refused_in_words(image: np.ndarray, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        as_frame(image)


def test_reduced_keeps_small_frames_and_proportions() -> None:
    assert reduced(COLOUR, 40)[0] is COLOUR
    small, factor = reduced(COLOUR, 20)
    assert small.shape == (15, 20, 3) and factor == 0.5


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "jpg"])
def test_formats_are_read_as_blue_green_red(suffix: str, tmp_path: Path) -> None:
    options = {"lossless": True} if suffix == "webp" else {"quality": 95} if suffix == "jpg" else {}
    found = read_image(saved(tmp_path / f"a.{suffix}", Image.fromarray(UPRIGHT), **options)).astype(int)
    assert found.shape == UPRIGHT.shape
    assert np.abs(found[:, 30:] - [240, 120, 10]).max() <= 3 and found[:, :10].max() <= 3


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_exif_rotation_is_undone(orientation: int, tmp_path: Path) -> None:
    turns = {1: 0, 3: 2, 6: 1, 8: 3}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a.jpg", Image.fromarray(np.rot90(UPRIGHT, turns)), exif=exif, quality=95)
    found = read_image(path)
    assert found.shape == UPRIGHT.shape and found[10, 35, 0] > 200 and found[10, 5].max() < 20


def test_sixteen_bits_palette_transparency_and_cmyk_are_read(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 40).astype(np.uint16)[None].repeat(20, 0)
    found = read_image(saved(tmp_path / "deep.png", Image.fromarray(ramp)))
    assert np.abs(found[0, :, 1].astype(int) - np.linspace(0, 255, 40)).max() <= 1
    turned = Image.frombytes("I;16B", (40, 20), ramp.astype(">u2").tobytes())
    assert (read_image(saved(tmp_path / "big-endian.tiff", turned)) == found).all()
    image = Image.fromarray(UPRIGHT)
    for name, mode in (("p.png", "P"), ("a.png", "RGBA"), ("c.jpg", "CMYK"), ("la.png", "LA"), ("one.png", "1")):
        assert read_image(saved(tmp_path / name, image.convert(mode))).shape == UPRIGHT.shape


def test_the_depth_of_a_picture_is_that_of_the_whole(tmp_path: Path) -> None:
    """A large one is converted in strips, and a dark strip of 16 bits looks like one of 8."""
    pixels = np.full((1400, 1600), 180, np.uint16)
    pixels[700:] = 65_535
    found = read_image(saved(tmp_path / "dark.png", Image.fromarray(pixels)))
    assert (found[:700] == 1).all() and (found[700:] == 255).all()
    shallow = saved(tmp_path / "shallow.png", Image.fromarray(np.full((48, 48), 180, np.uint16)))
    assert (read_image(shallow) == 180).all()
    assert (images.face_of(shallow.read_bytes(), shallow, images.OWN).face == 180).all(), "as the reader of datasets"


def test_fractions_in_a_file_are_grey_values_or_refused(tmp_path: Path) -> None:
    half = saved(tmp_path / "half.tiff", Image.fromarray(np.full((20, 30), 0.5, np.float32)))
    assert (read_image(half) == 128).all()
    high = saved(tmp_path / "high.tiff", Image.fromarray(np.full((30, 30), 1000.0, np.float32)))
    with pytest.raises(UnreadableError, match="from 1000 to 1000"):
        read_image(high)
    with pytest.raises(ValueError, match="can be decoded to 8 bits"):
        images.face_of(high.read_bytes(), high, images.OWN)


def png_that_claims(width: int, height: int) -> bytes:
    """A header and almost nothing behind it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_100, 11_000, 100_000])
def test_absurd_sizes_are_refused_before_decoding(side: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "huge.png").write_bytes(png_that_claims(side, side))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was decoded"))
    with pytest.raises(UnreadableError, match=f"at most {MAX_PIXELS:,} pixels"):
        read_image(tmp_path / "huge.png")


@pytest.mark.parametrize("kind", ["text", "empty", "truncated", "folder", "missing", "eps"])
def test_what_is_no_whole_picture_is_refused_in_words(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        whole = saved(tmp_path / "whole.jpg", Image.fromarray(COLOUR)).read_bytes()
        contents = {"text": b"hello", "empty": b"", "truncated": whole[:-200], "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n"}
        path.write_bytes(contents[kind])
    with pytest.raises(UnreadableError, match="PNG, WEBP"):
        read_image(path)


def test_a_written_copy_carries_no_exif_and_appears_whole(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", UPRIGHT[..., ::-1])
    assert (read_image(tmp_path / "a.png") == UPRIGHT[..., ::-1]).all()
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"] and not Image.open(tmp_path / "a.png").getexif()
    with pytest.raises(OSError, match="unknown file extension"):
        write_image(tmp_path / "a.nonsense", UPRIGHT)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_crops_go_through_the_function_of_training() -> None:
    grey = RNG.integers(0, 256, (200, 240), dtype=np.uint8)
    boxes = [Box(20, 30, 100, 100), Box(150, 90, 30, 40), Box(60, 60, 48, 48)]
    batch = crops.prepared(grey, boxes, 0.0, 48)
    assert batch.shape == (3, 48, 48, 1) and batch.dtype == np.float32
    assert (batch[0] == augmentation.prepare(grey[30:130, 20:120])[0]).all()
    assert (batch[1] == augmentation.prepare(grey[90:130, 145:185])[0]).all(), "a square about the centre"
    assert (batch[2] == augmentation.prepare(grey[60:108, 60:108])[0]).all()
    training = augmentation.apply(grey[None, 60:108, 60:108], augmentation.draw("none", 0, 0, 1))
    assert (batch[2:] == training).all(), "what a network sees in training without augmentation"
    assert crops.prepared(grey, [], 0.0, 48).shape == (0, 48, 48, 1)


def test_a_margin_widens_the_square_and_the_edge_is_repeated_beyond_the_frame() -> None:
    assert crops.square(Box(10, 20, 40, 20), 0.25) == Box(0, 0, 60, 60)
    grey = RNG.integers(0, 256, (50, 50), dtype=np.uint8)
    cut = crops.cut(grey, Box(-10, 40, 30, 30))
    assert cut.shape == (30, 30)
    assert (cut[:10, 10:] == grey[40:, :20]).all() and (cut[10:, 10:] == grey[-1, :20]).all()
    assert (cut[:10, :10] == grey[40:, :1]).all()
    with pytest.raises(ValueError, match="lies in the frame of 50 x 50"):
        crops.cut(grey, Box(60, 0, 10, 10))


def test_overlap_and_grey() -> None:
    assert overlap(Box(0, 0, 10, 10), Box(5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert overlap(Box(0, 0, 10, 10), Box(20, 0, 10, 10)) == 0
    grey = COLOUR[..., 0]
    assert as_grey(grey) is grey and (as_grey(as_bgr(grey)) == grey).all()
