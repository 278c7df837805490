"""`python -m fer_utils predict`: copies and a table, whatever the files are like."""

from __future__ import annotations

import csv
import os
import re
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from test_recognizer import FACE, PICTURE, Engine, near

from fer_utils.__main__ import main
from fer_utils.live import Box, EmotionRecognizer, read_image
from fer_utils.live.interface import predict as predict_module
from fer_utils.live.interface.kinds import AVIF
from fer_utils.live.interface.predict import INTERRUPTED, collect, predict
from fer_utils.training import backend


class Fixed:
    """A detector that always sees one face, at once."""

    margin = 0.0

    def detect(self, bgr: np.ndarray) -> list[Box]:
        return [Box(4, 4, 40, 40)]


@pytest.fixture
def quick() -> EmotionRecognizer:
    recognizer = EmotionRecognizer(detector=Fixed(), threads=1)
    recognizer.engine = Engine()
    return recognizer


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "predictions.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def grey_image(path: Path, level: int = 200) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((48, 64), level, np.uint8))
    return path


def video(path: Path, n: int, shape: tuple[int, int] = (64, 48)) -> Path:
    code = "MJPG" if path.suffix == ".avi" else "mp4v"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 10, shape)
    for _ in range(n):
        writer.write(np.full((*shape[::-1], 3), 200, np.uint8))
    writer.release()
    return path


def test_a_photo_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(PICTURE), "--out", str(tmp_path / "out")]) == 0
    assert (said := capsys.readouterr().out).startswith(f"{PICTURE}: happy ")
    assert "\n1 face in 1 file. Annotated copies and predictions.csv are in" in said and said.count("\n") == 2
    (row,) = rows(tmp_path / "out")
    assert near(Box(*(int(row[name]) for name in ("x", "y", "width", "height"))), FACE)
    shares = {name.removeprefix("p_"): float(value) for name, value in row.items() if name.startswith("p_")}
    assert len(shares) == 7 and sum(shares.values()) == pytest.approx(1, abs=1e-4)
    assert row["label"] == max(shares, key=shares.__getitem__)
    assert (row["file"], row["frame"], row["time"]) == (str(PICTURE), "0", "0.000")
    copy, original = read_image(tmp_path / "out/astronaut.jpg"), read_image(PICTURE)
    changed = np.abs(copy.astype(int) - original).max(axis=2) > 60
    assert copy.shape == original.shape and changed[66:161, 170:280].any() and not changed[200:450].any()


def test_folders_keep_their_shape_and_formats(quick: EmotionRecognizer, tmp_path: Path) -> None:
    faces = tmp_path / "faces"
    for name in ("a.png", "b/c.jpg", "b/d.webp", "b/e.gif", ".hidden/f.png", "b/.g.png", "notes.txt"):
        Image.fromarray(np.full((48, 64), 200, np.uint8)).save(
            (faces / name).with_suffix(".png") if name.endswith("txt") else made(faces / name)
        )
    (faces / "notes.png").rename(faces / "notes.txt")
    out = faces / "out"
    assert predict([faces], out, quick) == 0
    written = sorted(str(path.relative_to(out)) for path in out.rglob("*.*") if path.is_file())
    assert written == ["faces/a.png", "faces/b/c.jpg", "faces/b/d.webp", "faces/b/e.png", "predictions.csv"]
    assert [Path(row["file"]).name for row in rows(out)] == ["a.png", "c.jpg", "d.webp", "e.gif"]
    assert len(collect([faces], out)) == 4, "what an earlier call wrote is not read again"


def made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_files_of_one_name_get_copies_of_their_own(quick: EmotionRecognizer, tmp_path: Path) -> None:
    sources = [grey_image(tmp_path / f"{folder}/a.png") for folder in "xyz"]
    assert predict(sources, tmp_path / "out", quick) == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"a.png", "a-2.png", "a-3.png", "predictions.csv"}


@pytest.mark.parametrize(("name", "copy", "shape"), [("a.mp4", "a.mp4", (64, 48)), ("a.avi", "a.avi", (80, 60)),
                                                     ("a.MOV", "a.mp4", (64, 48))])  # fmt: skip
def test_videos_give_a_video_and_a_row_per_frame(
    name: str, copy: str, shape: tuple[int, int], quick: EmotionRecognizer, tmp_path: Path
) -> None:
    made_as = video(tmp_path / ("v.avi" if name.endswith("avi") else "v.mp4"), 6, shape).rename(tmp_path / name)
    assert predict([made_as], tmp_path / "out", quick) == 0
    found = rows(tmp_path / "out")
    assert [row["frame"] for row in found] == list("012345") and {row["track"] for row in found} == {"0"}
    assert [float(row["time"]) for row in found] == pytest.approx([i / 10 for i in range(6)], abs=0.002)
    capture = cv2.VideoCapture(str(tmp_path / "out" / copy))
    assert (capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)) == shape
    frames = sum(1 for _ in iter(lambda: capture.read()[0], False))
    capture.release()
    assert frames == 6 and not list((tmp_path / "out").glob(".*"))
    with (tmp_path / "out/a-timeline.csv").open(newline="", encoding="utf-8") as file:
        (stretch,) = csv.DictReader(file)
    assert (stretch["person"], stretch["start"], stretch["answer"]) == ("0", "0.000", found[0]["label"])
    assert float(stretch["seconds"]) == pytest.approx(0.6, abs=0.01)
    assert read_image(tmp_path / "out/a-timeline.png").shape[1] == 1200


def test_odd_sides_are_made_even_rather_than_cut() -> None:
    image = np.arange(49 * 65 * 3, dtype=np.uint32).reshape(49, 65, 3).astype(np.uint8)
    even = predict_module._even(image)
    assert even.shape == (50, 66, 3) and (even[:49, :65] == image).all() and (even[49, :65] == image[48]).all()
    assert predict_module._even(even) is even


def test_unreadable_files_are_listed_at_the_end_and_the_others_done(
    quick: EmotionRecognizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [grey_image(tmp_path / "a.png"), grey_image(tmp_path / "z.png")]
    for name in ("b.jpg", "c.mp4", "d.xyz"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
    bad = [tmp_path / name for name in ("b.jpg", "c.mp4", "d.xyz")]
    assert predict([good[0], *bad, good[1]], tmp_path / "out", quick) == 1
    printed = capsys.readouterr()
    assert [line.split(": ")[1] for line in printed.err.splitlines()] == [str(path) for path in bad]
    assert "\n2 faces in 2 files." in printed.out and len(rows(tmp_path / "out")) == 2
    assert not list((tmp_path / "out").glob("[bcd]*"))


def test_nothing_is_overwritten_unless_told(
    quick: EmotionRecognizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = grey_image(tmp_path / "a.png"), tmp_path / "out"
    assert predict([source], out, quick) == 0
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert main(["predict", str(source), "--out", str(out)]) == 2
    assert "Nothing is overwritten without --overwrite" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    assert predict([grey_image(source, 20)], out, quick, overwrite=True) == 0
    assert rows(out)[0]["label"] == "sad", "the new, dark picture"
    with pytest.raises(ValueError, match="never written over what is read"):
        predict([source], tmp_path, quick, overwrite=True)
    assert read_image(source).max() == 20


def test_mistakes_are_explained(quick: EmotionRecognizer, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="A folder holds images or videos"):
        predict([tmp_path / "empty"], tmp_path / "out", quick)
    with pytest.raises(ValueError, match=r"there is no .*missing\.png"):
        predict([grey_image(tmp_path / "a.png"), tmp_path / "missing.png"], tmp_path / "out", quick)
    assert not (tmp_path / "out").exists(), "nothing is left that would block the correct call"


def test_names_that_are_no_text_and_formats_that_do_not_fit_stop_nothing(
    quick: EmotionRecognizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        odd = grey_image(tmp_path / "odd.png").rename(tmp_path / os.fsdecode(b"bad\xff.png"))
    except OSError:
        pytest.skip("this file system has no such names")
    (video := tmp_path / os.fsdecode(b"bad\xff.avi")).write_bytes(b"RIFF")  # would end the process in OpenCV
    wide = tmp_path / "b.webp"
    Image.new("L", (16_400, 20), 200).save(wide, format="png")
    assert predict([odd, video, wide, grey_image(tmp_path / "z.png")], tmp_path / "out", quick) == 1
    printed = capsys.readouterr()
    assert "could not be written" in printed.err and "b.webp" in printed.err and "2 faces in 2 files." in printed.out
    assert "could not be read" in printed.err and "names are text; rename it" in printed.err
    table = (tmp_path / "out/predictions.csv").read_bytes()
    assert b"bad\xff.png" in table and b"z.png" in table and (tmp_path / "out" / odd.name).is_file()


def test_a_copy_of_the_same_name_goes_to_its_own_file(tmp_path: Path) -> None:
    sources = [tmp_path / name for name in ("a.gif", "a.png", "v.mov", "v.mp4")]
    for source in sources:
        source.touch()
    copies = {job.source.name: job.target.name for job in collect(sources, tmp_path / "out")}
    assert copies == {"a.gif": "a-2.png", "a.png": "a.png", "v.mov": "v-2.mp4", "v.mp4": "v.mp4"}


def test_a_videos_timeline_does_not_replace_the_copy_of_a_picture(tmp_path: Path) -> None:
    sources = [tmp_path / name for name in ("clip-timeline.png", "clip.mp4")]
    for source in sources:
        source.touch()
    assert [job.target.name for job in collect(sources, tmp_path / "out")] == ["clip-timeline.png", "clip-2.mp4"]


def test_a_copy_that_cannot_be_written_is_listed_and_the_others_are_made(
    quick: EmotionRecognizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    writer.write(np.full((240, 320, 3), 200, np.uint8))
    writer.release()
    out = tmp_path / os.fsdecode(b"out\xff")
    assert predict([whole, grey_image(tmp_path / "z.png")], out, quick) == 1
    printed = capsys.readouterr()
    assert "folders whose names are text; give another --out" in printed.err and "1 face in 1 file." in printed.out
    long = whole.rename(tmp_path / f"{'v' * 245}.avi")  # and no room for more in a name
    assert predict([long, tmp_path / "z.png"], tmp_path / "out", quick) == 1
    printed = capsys.readouterr()
    assert "OpenCV and FFmpeg cannot write" in printed.err and "1 face in 1 file." in printed.out


def test_a_video_that_breaks_off_is_named_and_its_beginning_kept(
    quick: EmotionRecognizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, cut = tmp_path / "v.avi", tmp_path / "cut.avi"
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for noise in np.random.default_rng(0).integers(180, 220, (20, 240, 320, 3), np.uint8):
        writer.write(noise)
    writer.release()
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert predict([whole, cut], tmp_path / "out", quick) == 1
    printed = capsys.readouterr()
    assert re.search(r"cut\.avi: only \d+ of its 20 frames can be decoded", printed.err)
    assert "1 face in 1 file." in printed.out, "one person, however many frames"
    assert (tmp_path / "out/cut.avi").is_file()


def test_interruption_keeps_what_is_done(
    quick: EmotionRecognizer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [*(grey_image(tmp_path / f"{i}.png") for i in range(3)), video(tmp_path / "v.mp4", 20)]
    draw, drawn = predict_module.draw, []

    def interrupted(*arguments: object) -> np.ndarray:
        drawn.append(1)
        if len(drawn) == 9:
            signal.raise_signal(signal.SIGINT)
        return draw(*arguments)

    monkeypatch.setattr(predict_module, "draw", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        assert predict([*sources, grey_image(tmp_path / "later.png")], tmp_path / "out", quick) == INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, before)
    assert "Stopped: 3 of 5 files are done and kept." in capsys.readouterr().err
    assert [row["file"] for row in rows(tmp_path / "out")] == [str(s) for s in (*sources[:3], *sources[3:] * 5)]
    capture = cv2.VideoCapture(str(tmp_path / "out/v.mp4"))
    assert sum(1 for _ in iter(lambda: capture.read()[0], False)) == 5, "the frames so far can be played"
    capture.release()


def test_memory_does_not_grow_with_the_number_of_images(
    quick: EmotionRecognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(1000):
        cv2.imwrite(str(made(tmp_path / f"in/{i:04}.jpg")), np.full((96, 96), 200, np.uint8))
    first, rest = sorted((tmp_path / "in").iterdir())[:200], sorted((tmp_path / "in").iterdir())[200:]
    monkeypatch.setattr(Engine, "__call__", lambda self, batch: np.zeros((len(batch), 7), np.float32))
    assert predict(first, tmp_path / "a", quick) == 0
    before = backend.peak_memory_mib()
    assert predict(rest, tmp_path / "b", quick) == 0
    assert backend.peak_memory_mib() - before < 15
    assert len(rows(tmp_path / "b")) == 800


def test_pictures_and_videos_of_other_kinds_are_named_at_the_end(
    tmp_path: Path, quick: EmotionRecognizer, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "holiday"
    (folder / "deep").mkdir(parents=True)
    cv2.imwrite(str(folder / "a.png"), read_image(PICTURE))
    for name in ("b.heic", "deep/c.H264", "deep/d.cr2", ".hidden.heic", "notes.txt"):
        (folder / name).write_bytes(b"x")
    assert predict([folder], tmp_path / "out", quick) == 1
    said = capsys.readouterr()
    assert "1 face in 1 file" in said.out
    named = [line for line in said.err.splitlines() if line.startswith("could not be read: ")]
    assert [Path(line.split(": ")[1]).name for line in named] == ["b.heic", "c.H264", "d.cr2"]
    (folder / "a.png").unlink()
    with pytest.raises(ValueError, match="has none, and 3 files of kinds that are not read"):
        predict([folder], tmp_path / "other", quick)


@pytest.mark.skipif(not AVIF, reason="this Pillow cannot read AVIF")
def test_avif_is_read_and_its_copy_is_png(tmp_path: Path, quick: EmotionRecognizer) -> None:
    picture = read_image(PICTURE)
    Image.fromarray(picture[..., ::-1]).save(tmp_path / "a.avif", quality=90)
    assert predict([tmp_path / "a.avif"], tmp_path / "out", quick) == 0
    assert (tmp_path / "out/a.png").is_file()
    difference = read_image(tmp_path / "a.avif").astype(int) - picture
    assert np.abs(difference).mean() < 10
