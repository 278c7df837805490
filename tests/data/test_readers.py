"""Readers: every layout gives the same faces, and bad input is refused by name."""

from __future__ import annotations

import gzip
import lzma
import sys
import time
import types
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from fer_utils.data import CKPLUS_EXPRESSIONS, EXPRESSIONS, FERPLUS_EXPRESSIONS, USAGES, FaceDataset, load
from fer_utils.data.readers import fetch
from fer_utils.data.readers import tables as tables_module

N = 21
LABELS = np.arange(N) % 7
USAGE = np.array([USAGES[i // 7] for i in range(N)])
FACES = np.random.default_rng(0).integers(0, 256, (N, 48, 48), dtype=np.uint8)
VOTES = [
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_CACHE", str(tmp_path_factory.mktemp("cache")))


def text(image: np.ndarray) -> str:
    return " ".join(map(str, image.ravel()))


def csv(
    path: Path, labels: np.ndarray = LABELS, header: str = "emotion,pixels,Usage", rows: slice = slice(None)
) -> Path:
    """Write a table of the test's faces with the columns that `header` names, in its order."""
    columns = {"emotion": labels.astype(str), "pixels": [text(face) for face in FACES], "Usage": USAGE}
    lines = list(zip(*(columns[name.strip()] for name in header.split(",")), strict=True))[rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *map(",".join, lines)]) + "\n")
    return path


def image_file(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


def class_folders(root: Path, named: bool = True, parts: tuple[str, ...] = ("train", "test", "test")) -> Path:
    """FER2013 as folders: a part for each usage, file names that tell the usage or not."""
    for i, (face, label) in enumerate(zip(FACES, LABELS, strict=True)):
        name = f"{USAGE[i]}_{i:04}.png" if named else f"{i}.png"
        image_file(root / parts[i // 7] / EXPRESSIONS[label] / name, face)
    return root


def ck_folders(root: Path) -> Path:
    for i, face in enumerate(FACES):
        name = f"S{10 + i // 6:03}_{1 + i // 3 % 2:03}_{i % 3 + 5:08}.png"
        image_file(root / CKPLUS_EXPRESSIONS[i // 3] / name, face)
    return root


def votes(
    path: Path, rows: list[list[int]], usage: np.ndarray = USAGE, unnamed: tuple[int, ...] = ()
) -> Path:
    lines = [",".join(["Usage", "Image name", *VOTES])]
    for i, (part, row) in enumerate(zip(usage, rows, strict=True)):
        lines.append(",".join([part, "" if i in unnamed else f"fer{i:07}.png", *map(str, row)]))
    path.write_text("\n".join(lines) + "\n")
    return path


def one_hot_votes() -> list[list[int]]:
    return [[10 if k == label else 0 for k in range(10)] for label in LABELS]


# Layouts of FER2013


def make_layout(layout: str, root: Path) -> Path:
    """Write one layout of the complete test set and return what to give to `load`."""
    if layout == "csv":
        return csv(root / "fer2013.csv")
    if layout == "folder of the csv":
        return csv(root / "faces.txt").parent
    if layout == "nested":
        return csv(root / "data" / "any" / "fer2013.csv").parent.parent
    if layout == "icml":
        return csv(root / "icml_face_data.csv", header="emotion, Usage, pixels")
    if layout in ("gz", "xz"):
        plain = csv(root / "fer2013.csv").read_bytes()
        (root / "fer2013.csv").unlink()
        (root / "packed").write_bytes(
            gzip.compress(plain, 1) if layout == "gz" else lzma.compress(plain, preset=0)
        )
        return root
    if layout == "zip":
        with zipfile.ZipFile(root / "archive.zip", "w") as archive:
            archive.write(csv(root / "x" / "fer2013.csv"), "fer2013/fer2013.csv")
            archive.write(csv(root / "x" / "test.csv", header="pixels"), "fer2013/test.csv")
            archive.writestr("README.md", "two tables, one with labels")
        return root / "archive.zip"
    if layout == "root of parts":
        return class_folders(root / "a" / "fer2013").parent
    assert layout == "mixed case"
    class_folders(root)
    for old, new in (("angry", "Anger"), ("happy", "HAPPINESS"), ("sad", "Sadness")):
        (root / "train" / old).rename(root / "train" / new)
    return root


LAYOUTS = ["csv", "folder of the csv", "nested", "icml", "gz", "xz", "zip", "root of parts", "mixed case"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_faces(layout: str, tmp_path: Path) -> None:
    expected = FaceDataset(FACES, LABELS, EXPRESSIONS, "fer2013", usage=USAGE)
    root = make_layout(layout, tmp_path)
    for _ in range(2):  # read, then from the cache
        dataset = load("fer2013", root)
        assert dataset.fingerprint == expected.fingerprint
        order, reference = dataset.canonical_order, expected.canonical_order
        np.testing.assert_array_equal(dataset.images[order], FACES[reference])
        np.testing.assert_array_equal(dataset.labels[order], LABELS[reference])
        np.testing.assert_array_equal(dataset.usage[order], USAGE[reference])


def test_train_csv_is_all_training_and_its_test_csv_is_not_used(tmp_path: Path) -> None:
    csv(tmp_path / "train.csv", header="emotion,pixels", rows=slice(14))
    csv(tmp_path / "test.csv", header="pixels", rows=slice(14, None))
    dataset = load("fer2013", tmp_path)
    assert len(dataset) == 14
    assert set(dataset.usage) == {"Training"}


@pytest.mark.parametrize("as_file", [True, False])
def test_test_csv_alone_is_refused(as_file: bool, tmp_path: Path) -> None:
    path = csv(tmp_path / "test.csv", header="pixels")
    with pytest.raises(ValueError, match=r"test\.csv.*needs labels"):
        load("fer2013", path if as_file else tmp_path)


def test_folders_without_telling_names_keep_the_folder_as_usage(tmp_path: Path) -> None:
    parts = ("images/train", "images/train", "images/validation")
    root = class_folders(tmp_path / "data", named=False, parts=parts)
    assert load("fer2013", root).usage.tolist() == ["train"] * 14 + ["validation"] * 7
    assert load("fer2013", root / "images" / "train").usage.tolist() == ["train"] * 14


def test_class_folders_alone_have_no_usage(tmp_path: Path) -> None:
    image_file(tmp_path / "faces" / "sad" / "1.png", FACES[0])
    dataset = load("fer2013", tmp_path / "faces")
    assert dataset.usage is None
    assert dataset.labels.tolist() == [4]


def test_jpeg_and_equal_channels_are_grey(tmp_path: Path) -> None:
    flat = np.full((48, 48), 90, np.uint8)
    image_file(tmp_path / "train" / "fear" / "a.jpg", flat)
    image_file(tmp_path / "train" / "fear" / "b.png", np.dstack([flat] * 3))
    np.testing.assert_array_equal(load("fer2013", tmp_path).images, [flat, flat])


def test_quotes_blank_lines_and_double_spaces_are_read(tmp_path: Path) -> None:
    columns = zip(LABELS, (text(face).replace(" ", "  ", 1) for face in FACES), USAGE, strict=True)
    rows = [f'"{label}","{pixels}",{part}\r\n\r\n' for label, pixels, part in columns]
    (tmp_path / "x.csv").write_text("\ufeffemotion,pixels,Usage\r\n" + "".join(rows), newline="")
    dataset = load("fer2013", tmp_path)
    np.testing.assert_array_equal(dataset.images, FACES)
    np.testing.assert_array_equal(dataset.labels, LABELS)


def test_copies_that_agree_are_one_and_copies_that_differ_are_refused(tmp_path: Path) -> None:
    csv(tmp_path / "a.csv")
    csv(tmp_path / "b.csv", header=" Usage, pixels,emotion")
    assert len(load("fer2013", tmp_path)) == N
    csv(tmp_path / "b.csv", rows=slice(20))
    with pytest.raises(ValueError, match=r"must hold the same.*a\.csv.*b\.csv"):
        load("fer2013", tmp_path)
    assert len(load("fer2013", tmp_path / "b.csv")) == 20


# Several datasets side by side


def test_datasets_side_by_side_do_not_disturb_each_other(tmp_path: Path) -> None:
    csv(tmp_path / "fer2013.csv")
    votes(tmp_path / "fer2013new.csv", one_hot_votes())
    ck_folders(tmp_path / "CK+48")
    csv(tmp_path / ".cache" / "old.csv", rows=slice(3))
    (tmp_path / "notes.txt").write_text("nothing")
    assert load("fer2013", tmp_path).n_classes == 7
    assert load("ferplus", tmp_path).class_names == FERPLUS_EXPRESSIONS
    assert load("ckplus", tmp_path).class_names == CKPLUS_EXPRESSIONS
    with pytest.raises(ValueError, match="fer2013 must lie under"):
        load("fer2013", tmp_path / "CK+48")


# CK+48


@pytest.mark.parametrize("root", ["CK+48", ".", ".."])
def test_ckplus_tells_subject_and_sequence(root: str, tmp_path: Path) -> None:
    ck_folders(tmp_path / "a" / "CK+48")
    dataset = load("ckplus", tmp_path / "a" / root)
    np.testing.assert_array_equal(dataset.images, FACES)
    assert dataset.labels.tolist() == [i // 3 for i in range(N)]
    assert dataset.subjects.tolist() == [f"S{10 + i // 6:03}" for i in range(N)]
    assert dataset.sequences.tolist() == [f"S{10 + i // 6:03}_{1 + i // 3 % 2:03}" for i in range(N)]


def test_ckplus_stored_twice_is_read_once(tmp_path: Path) -> None:
    ck_folders(tmp_path / "CK+48")
    ck_folders(tmp_path / "ck" / "CK+48")
    assert len(load("ckplus", tmp_path)) == N


def test_ckextended_has_contempt_and_no_subjects(tmp_path: Path) -> None:
    labels = np.arange(N) % 8
    path = csv(tmp_path / "ckextended.csv", labels)
    csv(tmp_path / "fer2013.csv")
    dataset = load("ckplus", tmp_path)
    assert dataset.class_names == (*EXPRESSIONS, "contempt")
    assert dataset.subjects is None and dataset.sequences is None
    np.testing.assert_array_equal(dataset.labels, labels)
    np.testing.assert_array_equal(load("fer2013", tmp_path).labels, LABELS)
    with pytest.raises(ValueError, match=r"data row 8.*got 7.*load\('ckplus'"):
        load("fer2013", path)


def test_ckplus_refuses_names_that_tell_no_subject(tmp_path: Path) -> None:
    image_file(ck_folders(tmp_path) / "surprise" / "smile.png", FACES[0])
    with pytest.raises(ValueError, match=r"smile\.png.*named after subject"):
        load("ckplus", tmp_path)


# FER+


def test_ferplus_majority_and_distribution_follow_the_rule(tmp_path: Path) -> None:
    rows = one_hot_votes()
    rows[0] = [5, 4, 1, 0, 0, 0, 0, 0, 0, 0]  # the 1 is dropped: 5 of 9, a majority
    rows[1] = [5, 5, 0, 0, 0, 0, 0, 0, 0, 0]  # exactly half: no majority; a distribution
    rows[2] = [4, 0, 0, 0, 0, 0, 0, 0, 6, 0]  # unknown on top: neither
    rows[3] = [5, 0, 0, 0, 0, 0, 0, 0, 5, 0]  # unknown counts as votes: no majority; a distribution
    rows[4] = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]  # single votes only: neither
    rows[5] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 10]  # no face
    votes(tmp_path / "fer2013new.csv", rows, unnamed=(5, 6))
    csv(tmp_path / "fer2013.csv")
    majority = load("ferplus", tmp_path)
    np.testing.assert_array_equal(majority.images, FACES[[0, *range(7, N)]])
    assert majority.labels.tolist() == [0, *LABELS[7:]]
    assert majority.label_distribution is None
    soft = load("ferplus", tmp_path / "fer2013new.csv", labels="distribution")
    np.testing.assert_array_equal(soft.images, FACES[[0, 1, 3, *range(7, N)]])
    assert soft.label_distribution.dtype == np.float32
    np.testing.assert_allclose(
        soft.label_distribution[:3, :2], [[5 / 9, 4 / 9], [0.5, 0.5], [1, 0]], rtol=1e-6
    )
    np.testing.assert_allclose(soft.label_distribution.sum(axis=1), 1, rtol=1e-6)


def test_fer2013_with_votes_keeps_its_labels_and_shares_them_with_the_annotators(tmp_path: Path) -> None:
    rows = one_hot_votes()
    rows[0] = [4, 1, 0, 0, 4, 0, 0, 2, 0, 0]  # neutral 4, anger 4; a single vote and contempt do not count
    rows[1] = [0, 0, 0, 0, 0, 0, 0, 6, 4, 0]  # nobody for one of the seven: the label alone
    rows[2] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 10]
    rows[3] = [0, 0, 0, 0, 0, 8, 0, 0, 2, 0]  # disgust
    votes(tmp_path / "fer2013new.csv", rows, unnamed=(2,))
    csv(tmp_path / "fer2013.csv")
    plain, voted = load("fer2013", tmp_path), load("fer2013", tmp_path, labels="votes")
    np.testing.assert_array_equal(plain.images, voted.images)
    np.testing.assert_array_equal(plain.labels, voted.labels)
    assert plain.fingerprint == voted.fingerprint and plain.label_distribution is None
    own, said = np.eye(7)[LABELS], np.zeros((N, 7))
    said[0, [EXPRESSIONS.index("neutral"), EXPRESSIONS.index("angry")]] = 0.5
    said[1:3], said[3, EXPRESSIONS.index("disgust")] = own[1:3], 1
    called = ["neutral", "happy", "surprise", "sad", "angry", "disgust", "fear"]  # FER+'s columns by FER2013's names
    for i in range(4, N):  # ten votes in the column of the label's number
        said[i, EXPRESSIONS.index(called[LABELS[i]])] = 1
    np.testing.assert_allclose(voted.label_distribution, (own + said) / 2, rtol=1e-6)
    np.testing.assert_allclose(voted.label_distribution.sum(axis=1), 1, rtol=1e-6)
    assert voted.label_distribution.dtype == np.float32
    with pytest.raises(ValueError, match="joined by FER\\+'s with labels='votes'; got 'majority'"):
        load("fer2013", tmp_path, labels="majority")


def test_ferplus_in_one_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        archive.write(csv(tmp_path / "x" / "fer2013.csv"), "fer2013.csv")
        archive.write(votes(tmp_path / "x" / "new.csv", one_hot_votes()), "fer2013new.csv")
    np.testing.assert_array_equal(load("ferplus", tmp_path / "both.zip").labels, LABELS)


def test_ferplus_refuses_what_does_not_belong_together(tmp_path: Path) -> None:
    new = votes(tmp_path / "fer2013new.csv", one_hot_votes(), usage=USAGE[::-1])
    with pytest.raises(FileNotFoundError, match=r"fer2013 must lie under.*Fetch"):
        load("ferplus", tmp_path)
    class_folders(tmp_path)
    with pytest.raises(ValueError, match="follow the rows of FER2013"):
        load("ferplus", tmp_path)
    csv(tmp_path / "fer2013.csv")
    with pytest.raises(ValueError, match=r"new\.csv, data row 1 .*'PrivateTest'.*'Training'"):
        load("ferplus", tmp_path)
    votes(new, one_hot_votes()[:20], usage=USAGE[:20])
    with pytest.raises(ValueError, match=r"same rows; got 20 .* and 21"):
        load("ferplus", tmp_path)
    new.write_text(new.read_text().replace(",10,", ",ten,"))
    with pytest.raises(ValueError, match=r"data row 1 .*vote count"):
        load("ferplus", tmp_path)
    with pytest.raises(ValueError, match="majority, distribution; got 'mode'"):
        load("ferplus", tmp_path, labels="mode")


# Bad input


def spoil(change: tuple[str, str]) -> str:
    """The test's CSV with one thing changed in data row 3."""
    pixels = text(FACES[2])
    row = {"emotion": "2", "pixels": pixels, "Usage": "Training"}
    name, value = change
    tail = pixels.split(" ", 1)[1]
    row[name] = value.format(tail=tail, pixels=pixels)
    rows = [f"{LABELS[i]},{text(FACES[i])},Training" for i in range(5)]
    rows[2] = ",".join(row.values())
    return "\n".join(["emotion,pixels,Usage", *rows]) + "\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("pixels", "{tail}"), r"2,304 pixels .*got 2,303"),
        (("pixels", "1 {pixels}"), r"2,304 pixels .*got 2,305"),
        (("pixels", ""), r"2,304 pixels .*got 0"),
        (("pixels", "256 {tail}"), r"0 to 255; got '256' at pixel 1"),
        (("pixels", "1000 {tail}"), r"0 to 255; got '1000'"),
        (("pixels", "-1 {tail}"), r"0 to 255; got '-1'"),
        (("pixels", "2.5 {tail}"), r"0 to 255; got '2.5'"),
        (("pixels", "black {tail}"), r"0 to 255; got 'black'"),
        (("emotion", "9"), r"0 to 6; got '9'"),
        (("emotion", "-1"), r"0 to 6; got '-1'"),
        (("emotion", "happy"), r"0 to 6; got 'happy'"),
        (("emotion", ""), r"0 to 6; got ''"),
        (("Usage", "Public"), r"Training, PublicTest, PrivateTest; got 'Public'"),
        (("Usage", "Training,5"), r"header's 3 fields; got 4"),
        (("Usage", "x" * 70_000), r"one line of 2,304 pixels"),
    ],
)
def test_a_bad_row_is_named(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text(spoil(change))
    with pytest.raises(ValueError, match=rf"fer2013\.csv, data row 3 \(.*{message}.*Fetch"):
        load("fer2013", tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"a,b\n1,2\n", "begins with b'a,b'"),
        (b"emotion,pixels,Usage\n", "rows below its header|faces with FER2013"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"PK\x03\x04broken", "BadZipFile"),
        (gzip.compress(b"emotion,pixels,Usage\n" + bytes(5000), mtime=0)[:-9], "readable to its end"),
        (b"\xfd7zXZ\0broken", "LZMAError"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    ],
)
@pytest.mark.parametrize("name", ["fer2013", "ckplus"])
def test_a_wrong_file_is_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"fer2013\.csv.*({message})"):
        load(name, path)
    with pytest.raises(ValueError, match=r"fer2013\.csv"):
        load(name, tmp_path)


@pytest.mark.parametrize("name", ["fer2013", "ferplus", "ckplus"])
def test_what_is_missing_is_explained(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"does not exist.*make data"):
        load(name, tmp_path / "nowhere")
    with pytest.raises(ValueError, match=rf"{name} must lie under .*Fetch .*put it into data/"):
        load(name, tmp_path)


def huge_png() -> bytes:
    """A tiny file that claims 60,000 x 60,000 pixels."""
    header = b"IHDR" + (60_000).to_bytes(4) * 2 + b"\x08\0\0\0\0"
    end = b"IEND"
    chunks = b"".join((len(c) - 4).to_bytes(4) + c + zlib.crc32(c).to_bytes(4) for c in (header, end))
    return b"\x89PNG\r\n\x1a\n" + chunks


def encoded(suffix: str, image: np.ndarray = FACES[0]) -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


COLOUR = np.random.default_rng(1).integers(0, 256, (48, 48, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cut.png", encoded(".png")[:-20], "truncated or damaged"),
        ("cut.jpg", encoded(".jpg")[:-90], "truncated or damaged"),
        ("flipped.png", encoded(".png")[:100] + b"\0\0\0" + encoded(".png")[103:], "truncated or damaged"),
        ("empty.png", b"", "an empty file"),
        ("lfs.png", b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
        ("phone.jpg", b"\0\0\0\x18ftypheic", "a HEIC"),
        ("page.jpg", b"<html>", "a web page"),
        ("large.png", encoded(".png", np.zeros((96, 48), np.uint8)), "48 x 48 pixels; got 48 x 96"),
        ("large.jpg", encoded(".jpg", np.zeros((48, 96), np.uint8)), "48 x 48 pixels; got 96 x 48"),
        ("huge.png", huge_png(), "at most 4,096 pixels a side; got 60000 x 60000"),
        ("big.png", bytes((16 << 20) + 1), "at most 16 MiB"),
        ("deep.png", encoded(".png", FACES[0].astype(np.uint16)), "8 bits"),
    ],
)
def test_a_bad_image_is_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    class_folders(tmp_path)
    (tmp_path / "train" / "sad" / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"sad/{name}: .*{message}.*Fetch"):
        load("fer2013", tmp_path)


def test_empty_and_unknown_class_folders_are_named(tmp_path: Path) -> None:
    class_folders(tmp_path)
    for face in (tmp_path / "test" / "fear").iterdir():
        face.unlink()
    with pytest.raises(ValueError, match=r"test/fear: a class folder holds"):
        load("fer2013", tmp_path)
    image_file(tmp_path / "test" / "bored" / "1.png", FACES[0])
    with pytest.raises(ValueError, match=r"bored: a folder of images is named after"):
        load("fer2013", tmp_path)


# make data


def test_report_names_differences_and_what_is_missing(tmp_path: Path) -> None:
    csv(tmp_path / "fer2013.csv")
    text, code = fetch.report(tmp_path)
    assert code == 1
    assert "DIFFERS: Training, angry: 1 where 3,995 were published" in text
    assert "ckplus: not there" in text and "shawon10/ckplus" in text and "published or passed on" in text
    text, code = fetch.report(tmp_path / "empty")
    assert code == 0
    assert text.count("not there") == 3


def test_report_shows_broken_data(tmp_path: Path) -> None:
    ck_folders(tmp_path)
    (tmp_path / "fear" / "S001_001_00000001.png").write_bytes(b"")
    text, code = fetch.report(tmp_path)
    assert code == 1
    assert "ckplus: CANNOT BE READ" in text and "S001_001_00000001.png" in text


def test_fetch_puts_what_kagglehub_brings_into_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def dataset_download(handle: str) -> str:
        asked.append(handle)
        return str(ck_folders(tmp_path / "download"))

    monkeypatch.setitem(sys.modules, "kagglehub", types.SimpleNamespace(dataset_download=dataset_download))
    folder = fetch.fetch("ckplus", tmp_path / "data")
    assert asked == ["shawon10/ckplus"]
    assert len(load("ckplus", tmp_path / "data")) == N
    assert [p.name for p in (tmp_path / "data").iterdir()] == [folder.name]
    with pytest.raises(ValueError, match="Move it away"):
        fetch.fetch("ckplus", tmp_path / "data")
    with pytest.raises(ValueError, match=r"github\.com/microsoft/FERPlus"):
        fetch.fetch("ferplus", tmp_path)


def test_fetch_explains_a_missing_kagglehub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(ValueError, match=r"pip install -e \.\[data\].*competitions/"):
        fetch.fetch("fer2013", tmp_path)


# Fast parsing


def test_parse_pixels_equals_the_plain_way() -> None:
    rng = np.random.default_rng(2)
    rows = rng.integers(0, 256, (5, 2304))
    rows[:, :256] = np.arange(256)
    parsed = tables_module.parse_pixels([" ".join(map(str, row)).encode() for row in rows])
    np.testing.assert_array_equal(parsed, rows)


@pytest.mark.real_data
def test_first_read_is_three_times_faster_than_the_usual_way(real_data: Path, tmp_path: Path) -> None:
    source = next(iter(real_data.glob("**/fer2013.csv")), None)
    if source is None:
        pytest.skip("no fer2013.csv there")
    part = tmp_path / "part.csv"
    with open(source, "rb") as file:
        part.write_bytes(b"".join(file.readline() for _ in range(2001)))

    def usual() -> np.ndarray:
        return np.stack([np.array(p.split(), np.uint8) for p in pd.read_csv(part)["pixels"]])

    def ours() -> np.ndarray:
        return tables_module.read_faces(tables_module.sniff(part)[0], 7)["images"].reshape(-1, 2304)

    np.testing.assert_array_equal(ours(), usual())
    assert 3 * min(map(seconds, [ours] * 3)) < min(map(seconds, [usual] * 2))


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


# The real data, where they are


@pytest.mark.real_data
def test_real_ckplus_counts(real_data: Path) -> None:
    dataset = load("ckplus", real_data)
    assert dataset.class_counts().tolist() == [135, 54, 177, 75, 207, 84, 249]
    assert (len(dataset), len(set(dataset.sequences)), len(set(dataset.subjects))) == (981, 327, 118)


@pytest.mark.real_data
def test_real_fer2013_and_ferplus_counts(real_data: Path) -> None:
    if not any(real_data.glob("**/fer2013.csv")) or not any(real_data.glob("**/fer2013new.csv")):
        pytest.skip("no fer2013.csv with fer2013new.csv there")
    text, code = fetch.report(real_data)
    assert (text.count("Counts as published."), code) == (3, 0), text
    assert min(seconds(lambda: load("fer2013", real_data)) for _ in range(3)) < 0.5
    own = load("fer2013", real_data, labels="votes")
    votes = 2 * own.label_distribution - np.eye(own.n_classes)[own.labels]
    agree = [votes[own.labels == code, code].mean() for code in range(own.n_classes)]
    assert min(agree) > 0.1 and np.mean(agree) > 0.5, "most votes are for the image's own label"
    soft = load("ferplus", real_data, labels="distribution")
    np.testing.assert_allclose(soft.label_distribution.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(soft.label_distribution.argmax(axis=1), soft.labels)
