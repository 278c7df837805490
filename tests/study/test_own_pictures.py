"""From a folder of pictures to a recognizer that runs, on drawn faces: crop, audit, train, export, recognise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import layouts
import numpy as np
import pytest

from fer_utils.__main__ import main
from fer_utils.data import FaceDataset, load, splits, synthetic
from fer_utils.data.splits import SplitSpec
from fer_utils.live import EmotionRecognizer, read_image
from fer_utils.live.detection import crop_folder, crops
from fer_utils.live.faces import Box
from fer_utils.records import Record
from fer_utils.study import own_pictures
from fer_utils.training import run

PATTERN = r"^([a-z0-9]+)_"
DRAWN = synthetic.faces(n_subjects=12, n_frames=1)


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("FER_REPORTS", str(tmp_path_factory.mktemp("reports")))


def drawn(root: Path, side: int = 48, dataset: FaceDataset = DRAWN, part: str = "") -> Path:
    """Drawn faces as somebody's own pictures: classes as folders, persons in the names, of any size."""
    for i, face in enumerate(dataset.images):
        name = f"{dataset.subjects[i].replace('-', '')}_{i:03}.png"
        large = cv2.resize(face, (side, side), interpolation=cv2.INTER_NEAREST)
        layouts.picture(root / part / dataset.class_names[dataset.labels[i]] / name, large)
    return root


def test_one_command_goes_from_a_folder_to_a_recognizer_that_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, model = drawn(tmp_path / "faces", 96, synthetic.faces(n_subjects=12)), tmp_path / "mine.onnx"
    call = ["train", str(folder), "--subjects", PATTERN, "--model", "tiny", "--epochs", "12", "--out", str(model)]
    assert main(call) == 0
    said = capsys.readouterr().out
    assert "persons: 12" in said and "test pictures of persons in training: 0" in said
    assert "Nobody stands on both sides" in said and str(model) in said
    (path,) = (tmp_path_of_reports() / "own/runs").iterdir()
    record, dataset = Record(path), load("folders", folder, subjects=PATTERN)
    recognizer = EmotionRecognizer(model, margin=0.0, views="one")
    assert recognizer.class_names == tuple(sorted(DRAWN.class_names)) and not recognizer.notice
    assert record.metric() > 2 / 7  # twice what guessing gets
    test = splits.make(dataset, record.config.split).test
    labels, logits = record.predictions("test")
    for i in range(0, len(test), 10):
        (face,) = recognizer.classify(dataset.images[test[i]], [Box(0, 0, 48, 48)])
        assert face.label == dataset.class_names[int(logits[i].argmax())]
    assert labels.tolist() == dataset.labels[test].tolist()


def tmp_path_of_reports() -> Path:
    from fer_utils.files.paths import reports_root

    return reports_root()


def test_other_pictures_are_another_run(tmp_path: Path) -> None:
    one = load("folders", drawn(tmp_path / "a"), subjects=PATTERN)
    config = own_pictures.plan(one, {"subjects": PATTERN}, model="tiny", epochs=1)
    first = run(config, dataset=one)
    assert run(config, root=tmp_path / "a").path == first.path
    layouts.picture(tmp_path / "a/happy/anna_1.png", layouts.FACES[0])
    assert run(config, root=tmp_path / "a").path != first.path
    with pytest.raises(ValueError, match="does not exist"):
        run(config, root=tmp_path / "gone")


def test_the_split_is_by_persons_wherever_they_are_known(tmp_path: Path) -> None:
    dataset = load("folders", drawn(tmp_path), subjects=PATTERN)
    split = splits.make(dataset, own_pictures.split_spec(dataset))
    persons = [set(dataset.subjects[part]) for part in split]
    assert all(persons) and not any(persons[i] & persons[j] for i, j in ((0, 1), (0, 2), (1, 2)))
    few = dataset.subset(np.isin(dataset.subjects, np.unique(dataset.subjects)[:3]))
    assert [len(set(few.subjects[part])) for part in splits.make(few, own_pictures.split_spec(few))] == [1, 1, 1]
    two = dataset.subset(np.isin(dataset.subjects, np.unique(dataset.subjects)[:2]))
    with pytest.raises(ValueError, match=r"at least three.*got 2"):
        own_pictures.split_spec(two, by_persons=True)


def test_parts_are_taken_as_they_are_and_missing_ones_come_out_of_train(tmp_path: Path) -> None:
    for part, rows in (("train", DRAWN.labels >= 0), ("test", np.arange(len(DRAWN)) < 21)):
        drawn(tmp_path, dataset=DRAWN.subset(rows), part=part)
    dataset = load("folders", tmp_path, subjects=PATTERN)
    spec = own_pictures.split_spec(dataset)
    split = splits.make(dataset, spec)
    assert spec.kind == "parts" and set(dataset.usage[split.test]) == {"test"} and len(split.test) == 21
    assert set(dataset.usage[np.concatenate([split.train, split.validation])]) == {"train"}
    assert spec.groups is None, "the parts share persons already"
    shared = np.isin(dataset.subjects[split.test], dataset.subjects[split.train]).sum()
    assert shared > 0
    lines = own_pictures.leaking(dataset, split)
    copied = np.isin(dataset.digests[split.test], dataset.digests[split.train]).sum()
    assert f"also stand in training: {copied} of 21" in lines[1] and f"of persons in training: {shared}" in lines[-1]
    assert own_pictures.claims(dataset, split)[0].startswith(f"{shared} of 21 test pictures show persons who also")
    apart = splits.make(dataset, own_pictures.split_spec(dataset, by_persons=True))
    assert not set(dataset.subjects[apart.train]) & set(dataset.subjects[apart.test])


def test_persons_that_chose_the_epoch_are_named() -> None:
    usage = np.where(np.isin(DRAWN.subjects, np.unique(DRAWN.subjects)[:8]), "train", "validation")
    usage[np.flatnonzero(usage == "validation")[::2]] = "test"
    dataset = replace(DRAWN, name="folders", usage=usage)
    split = splits.make(dataset, own_pictures.split_spec(dataset))
    (sentence,) = own_pictures.claims(dataset, split)
    n = len(split.test)
    assert sentence.startswith(f"{n} of {n} test pictures show persons whose other pictures chose the epoch")


def test_settings_that_cannot_be_are_refused_before_the_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(drawn(tmp_path / "faces"))
    for options, said in ((["--epochs", "0"], "1 or more"), (["--out", str(tmp_path / "mine")], "an .onnx file"),
                          (["--out", str(tmp_path)], "an .onnx file")):  # fmt: skip
        assert main(["train", folder, *options]) == 2
        assert said in capsys.readouterr().err
    assert main(["data", folder, "--subjects", PATTERN]) == 2 and "--own" in capsys.readouterr().err


def test_all_three_parts_are_the_split_and_published_names_are_parts_too() -> None:
    spec = SplitSpec("parts", validation_size=0.2)
    for names in (("train", "validation", "test"), ("Training", "PublicTest", "PrivateTest")):
        usage = np.array(names)[np.arange(len(DRAWN)) % 3]
        dataset = FaceDataset(DRAWN.images, DRAWN.labels, DRAWN.class_names, "folders", usage=usage)
        split = splits.make(dataset, spec)
        assert [set(dataset.usage[part].tolist()) for part in split] == [{name} for name in names]
    with pytest.raises(ValueError, match="marked train"):
        splits.make(FaceDataset(DRAWN.images, DRAWN.labels, DRAWN.class_names, "folders"), spec)


def test_without_persons_it_says_what_cannot_be_claimed(tmp_path: Path) -> None:
    dataset = load("folders", drawn(tmp_path))
    spec = own_pictures.split_spec(dataset)
    assert spec.groups is None and dataset.subjects is None
    (sentence,) = own_pictures.claims(dataset, splits.make(dataset, spec))
    assert "Persons are not known" in sentence and "--subjects" in sentence
    with pytest.raises(ValueError, match="none known"):
        own_pictures.split_spec(dataset, by_persons=True)


def test_one_wrong_answer_on_two_persons_promises_little() -> None:
    split = splits.make(DRAWN, SplitSpec("random", test_size=2 / 12, groups="subjects"))
    labels = DRAWN.labels[split.test]
    guesses = np.where(np.arange(len(labels)) == 0, (labels + 1) % 7, labels)
    record = SimpleNamespace(predictions=lambda part: (labels, np.eye(7)[guesses]))
    first, *_ = own_pictures.score(DRAWN, split, record)
    assert first.startswith(f"accuracy on 14 test pictures: {100 * 13 / 14:.1f} % [") and "by 2 persons" in first
    low, high = (float(end) for end in first.split("[")[1].split("]")[0].split(","))
    assert low < 10 and high > 95, "one of two persons was recognised without a fault"


def test_the_audit_finds_copies_and_contradictions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn(tmp_path)
    copy = sorted((tmp_path / "happy").iterdir())[0]
    for name in ("happy/copy_1.png", "sad/copy_2.png"):
        (tmp_path / name).write_bytes(copy.read_bytes())
    layouts.file(tmp_path / "sad", "clip.mp4", b"x")
    layouts.file(tmp_path / "sad", "Thumbs.db", b"x")
    assert main(["data", str(tmp_path), "--own", "--subjects", PATTERN]) == 0
    said = capsys.readouterr().out
    assert "exact duplicates: 3 pictures in 1 groups" in said and "different labels: 3 in 1 groups" in said
    assert "not read: 1 other files (clip.mp4); passed over: 1 hidden" in said


# Crop


class Marked:
    """Finds what is white: a detector whose answers are known."""

    margin = 0.1

    def detect(self, bgr: np.ndarray) -> list[Box]:
        grey = bgr if bgr.ndim == 2 else bgr[..., 0]
        n, _, stats, _ = cv2.connectedComponentsWithStats((grey > 250).astype(np.uint8))
        return [Box(*map(int, stats[i][:4])) for i in range(1, n) if stats[i][4] > 400]


def scene(n: int) -> np.ndarray:
    """A picture with n white squares of 40 pixels in noise."""
    image = np.random.default_rng(n).integers(0, 200, (200, 300, 3), dtype=np.uint8)
    for i in range(n):
        image[30:70, 20 + 90 * i : 60 + 90 * i] = 255
    return image


def test_crop_keeps_the_tree_and_lists_what_has_no_face_or_several(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    for name, n in (("train/sad/a.jpg", 1), ("train/sad/a.png", 1), ("train/joy/none.png", 0), ("two.png", 2)):
        layouts.picture(source / name, scene(n))
    layouts.file(source / "train/joy", "b.heic", b"x")
    layouts.file(source / "train/joy", "broken.png", b"x")
    assert crop_folder.crop(source, out, Marked()) == 1
    said = capsys.readouterr()
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*.png")) == ["train/sad/a-2.png", "train/sad/a.png"]
    assert "2 faces cropped" in said.out and "no face found: 1" in said.out and "none.png" in said.out
    assert "several faces, none cropped (--largest takes one): 1" in said.out and "two.png" in said.out
    assert "b.heic" in said.err and "broken.png" in said.err
    assert len((out / crop_folder.TABLE).read_text().splitlines()) == 6
    assert crop_folder.crop(source, tmp_path / "more", Marked(), largest=True) == 1
    assert (tmp_path / "more/two.png").is_file()
    with pytest.raises(ValueError, match="new folder"):
        crop_folder.crop(source, out, Marked())
    with pytest.raises(ValueError, match="Name a folder"):
        crop_folder.crop(source / "two.png", tmp_path / "x", Marked())
    with pytest.raises(ValueError, match=r"has none; 1 files are of kinds"):
        (source / "train/joy/broken.png").unlink()
        (source / "train/joy/none.png").unlink()
        crop_folder.crop(source / "train/joy", tmp_path / "x", Marked())


def test_what_load_reads_of_a_crop_is_what_the_recognizer_sees(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png"):
        layouts.picture(tmp_path / "in" / name, scene(1))
    assert crop_folder.crop(tmp_path / "in", tmp_path / "out", Marked()) == 0
    frame = read_image(tmp_path / "in/a/1.png")
    (box,) = Marked().detect(frame)
    seen = crops.prepared(crop_folder.as_grey(frame), [box], Marked.margin, 48)[0, ..., 0]
    for own in load("folders", tmp_path / "out").images:
        np.testing.assert_array_equal(own / np.float32(255), seen)


def test_ck_in_its_original_layout_is_cropped_and_then_read(tmp_path: Path) -> None:
    layouts.original(tmp_path / "in", lambda i: cv2.resize(scene(1), (640, 490)))
    with pytest.raises(ValueError, match="crop IN OUT"):
        load("ckplus", tmp_path / "in")
    assert crop_folder.crop(tmp_path / "in", tmp_path / "out", Marked()) == 0
    with pytest.warns(UserWarning, match="7 of another size"):
        dataset = load("ckplus", tmp_path / "out")
    assert dataset.labels.tolist() == list(range(7)) and len(set(dataset.subjects)) == 7


def test_the_command_names_the_detector_and_refuses_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["crop", str(tmp_path / "nowhere"), str(tmp_path / "out")]) == 2
    assert "Name a folder" in capsys.readouterr().err
    layouts.picture(tmp_path / "in/a.png", scene(0))
    assert main(["crop", str(tmp_path / "in"), str(tmp_path / "out")]) == 0
    assert "0 faces cropped" in capsys.readouterr().out
