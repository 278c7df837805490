"""The table of layouts in reports/layouts.md, row by row; and the warnings, causes and limits behind it."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import layouts
import numpy as np
import pytest
from layouts import FACES, N

from fer_utils.data import FaceDataset, load
from fer_utils.data.readers import fetch

PAGE = Path(__file__).resolve().parents[2] / "reports/layouts.md"
ROWS = {
    layout: told
    for layout, told in re.findall(r"^\| (.+?) \| (.+?) \| .*\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    if layout != "layout"
}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_CACHE", str(tmp_path_factory.mktemp("cache")))


def test_the_table_has_every_sample_and_reads_more_than_it_refuses() -> None:
    assert set(ROWS) == set(layouts.SAMPLES)
    assert sum(not told.startswith("refused: ") for told in ROWS.values()) > len(ROWS) / 2


@pytest.mark.parametrize("layout", layouts.SAMPLES)
def test_each_layout_is_read_whole_or_refused_for_the_reason_told(layout: str, tmp_path: Path) -> None:
    sample, told = layouts.SAMPLES[layout], ROWS[layout]
    root = sample.make(tmp_path / "root")
    if refused := re.fullmatch(r"refused: “(.+)”", told):
        with pytest.raises((ValueError, FileNotFoundError), match=re.escape(refused[1])):
            load(sample.dataset, root, **sample.options)
        return
    for _ in range(2):  # read, then from the cache
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            dataset = load(sample.dataset, root, **sample.options)
        assert len(dataset) == sample.n and bool(caught) == sample.warns
        assert parts(dataset) == set(re.findall(r"[A-Za-z]{4,}", told.replace("no parts", "")))
        assert sample.warns or sample.dataset == "folders" or pixels(dataset) <= pixels(None)



def parts(dataset: FaceDataset) -> set[str]:
    return set() if dataset.usage is None else set(dataset.usage.tolist())


def pixels(dataset: FaceDataset | None) -> set[bytes]:
    return {face.tobytes() for face in (FACES if dataset is None else dataset.images)}


def test_counts_in_the_table_are_the_published_ones() -> None:
    published = {part: sum(n) for part, n in fetch.PUBLISHED["fer2013"].items()}
    others = {**fetch.PUBLISHED["ferplus"], **fetch.PUBLISHED["fer2013, images/train and images/validation"]}
    for told in ROWS.values():
        for part, count in re.findall(r"(\w+) ([\d,]{5,})", told):
            assert int(count.replace(",", "")) in (published.get(part, -1), others.get(part))


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz"])
def test_an_archive_of_images_gives_what_the_folder_gives(kind: str, tmp_path: Path) -> None:
    folder = load("fer2013", layouts.faces(tmp_path / "a"))
    archive = load("fer2013", layouts.packed(tmp_path / "b", layouts.faces, kind))
    assert archive.fingerprint == folder.fingerprint
    np.testing.assert_array_equal(archive.images, folder.images)
    np.testing.assert_array_equal(archive.usage, folder.usage)


def test_a_split_that_is_the_published_one_is_named_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fer_utils.data.readers import fer2013

    monkeypatch.setattr(fer2013, "PUBLISHED", dict.fromkeys(fer2013.PUBLISHED, (1,) * 7))
    dataset = load("fer2013", layouts.faces(tmp_path))
    assert set(dataset.usage.tolist()) == {"Training", "PublicTest", "PrivateTest"}
    layouts.picture(tmp_path / "val/sad/2.png", FACES[0])
    assert set(load("fer2013", tmp_path).usage.tolist()) == {"train", "validation", "test"}


def test_enlarged_faces_are_reduced_by_area_and_said_to_be_others(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"of 21 images 21 of another size.*fingerprint are not those of the original"):
        dataset = load("fer2013", layouts.faces(tmp_path / "a", (), face=layouts.enlarged(96)))
    assert pixels(dataset) == pixels(None)  # each pixel was repeated, so its mean is itself
    with pytest.warns(UserWarning, match="21 in colour were made grey"):
        load("fer2013", layouts.faces(tmp_path / "b", (), face=layouts.enlarged(48, colour=True)))
    text, _ = fetch.report(tmp_path / "b")
    assert "NOTE: " in text and "made grey" in text


def test_names_of_parts_in_some_images_alone_are_refused(tmp_path: Path) -> None:
    layouts.faces(tmp_path, ("train", "test", "test"), name="{usage}_{i}.png")
    layouts.picture(tmp_path / "train/sad/copy.png", FACES[0])
    with pytest.raises(ValueError, match=r"copy\.png: where names of images begin with their usage.*1 of 22 do not"):
        load("fer2013", tmp_path)


def test_the_report_says_what_is_not_read_and_counts_what_is_passed_over(tmp_path: Path) -> None:
    layouts.ck(tmp_path / "CK+48")
    for name in ("Thumbs.db", "README.md", ".hidden"):
        layouts.file(tmp_path / "CK+48" / "anger", name, b"x")
    layouts.picture(tmp_path / "holiday/1.png", FACES[0])
    layouts.file(tmp_path, "faces.7z", b"7z\xbc\xaf\x27\x1c")
    layouts.file(tmp_path, "a.heic", b"x")
    layouts.file(tmp_path, "notes.txt", b"x")
    text, _ = fetch.report(tmp_path)
    assert "Passed over: 3 (" in text and "Other files, which are no data: 1 (notes.txt)" in text
    assert re.search(r"Not read.*holiday: 1 images.*a\.heic: a kind.*faces\.7z: a 7z archive: unpack", text, re.DOTALL)


def test_other_datasets_below_the_same_folder_are_no_obstacle(tmp_path: Path) -> None:
    layouts.faces(tmp_path)
    layouts.ck(tmp_path / "CK+48")
    layouts.original(tmp_path / "ck")
    assert len(load("fer2013", tmp_path)) == N
    assert len(load("ckplus", tmp_path)) == N


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archives_are_refused_by_what_they_claim(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fer_utils.data.readers import packed

    path = layouts.packed(tmp_path, layouts.faces, kind)
    monkeypatch.setattr(packed, "LARGEST", 1000)
    with pytest.raises(ValueError, match=r"data\..*1,000 bytes in it.*unpack it"):
        load("fer2013", path)


@pytest.mark.parametrize("cut", [0.2, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_archives_that_are_cut_off_are_refused(kind: str, cut: float, tmp_path: Path) -> None:
    path = layouts.packed(tmp_path, layouts.faces, kind)
    content = path.read_bytes()
    path.write_bytes(content[: int(cut * len(content)) if kind != "tar" or cut < 0.99 else -10_240])
    with pytest.raises(ValueError, match=r"data\..*readable to its end"):
        load("fer2013", path)


def test_own_pictures_count_parts_and_persons(tmp_path: Path) -> None:
    root = layouts.faces(tmp_path / "a", (), name="{person}_{i}.png")
    plain, known = load("folders", root), load("folders", root, subjects=r"^(p\d)_", sequences=r"_(\d+)")
    assert plain.subjects is None and plain.name == "folders"
    assert plain.class_names == tuple(sorted(layouts.EXPRESSIONS))
    assert known.subjects.tolist() == [Path(p).name[:2] for p in sorted_paths(root)]
    assert len(set(known.sequences)) == N
    np.testing.assert_array_equal(plain.images, known.images)
    assert plain.fingerprint != known.fingerprint
    other = load("folders", layouts.faces(tmp_path / "b"))
    assert other.fingerprint != plain.fingerprint and pixels(other) == pixels(plain)


def sorted_paths(root: Path) -> list[Path]:
    return sorted(root.rglob("*.png"), key=lambda path: (path.parent.name, path.name))


@pytest.mark.parametrize("pattern", ["(", "p", "(x?)"])
def test_a_pattern_that_tells_nobody_is_refused(pattern: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"subjects.*(regular expression|has a group|21 of 21 do not fit)"):
        load("folders", layouts.faces(tmp_path, ()), subjects=pattern)


def test_own_pictures_need_a_folder_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"got none\. Name it") as none:
        load("folders")
    with pytest.raises(ValueError, match="does not exist") as gone:
        load("folders", tmp_path / "x")
    assert not isinstance(none.value, FileNotFoundError) and not isinstance(gone.value, FileNotFoundError)


def test_photographs_are_turned_as_their_exif_says(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("up", "left"):
        exif = Image.Exif()
        exif[0x0112] = 1 if name == "up" else 6
        image = Image.fromarray(np.repeat(np.arange(48, dtype=np.uint8)[:, None] * 5, 48, 1))
        (tmp_path / name).mkdir()
        image.save(tmp_path / name / "a.jpg", exif=exif, quality=95)
    left, up = load("folders", tmp_path).images.astype(int)
    assert np.abs(left - np.rot90(up, -1)).max() < 8


@pytest.mark.parametrize("packing", ["folder", "zip"])
def test_images_without_an_ending_are_not_left_out(packing: str, tmp_path: Path) -> None:
    def make(root: Path) -> Path:
        layouts.faces(root)
        return (root / "train/sad/004.png").rename(root / "train/sad/004")

    root = layouts.packed(tmp_path, make, "zip") if packing == "zip" else make(tmp_path).parents[2]
    for name in ("fer2013", "folders"):
        with pytest.raises(ValueError, match=r"1 of another kind: .*004\. Convert.*\(or name them so"):
            load(name, root)


def test_a_link_to_nothing_among_own_pictures_is_named(tmp_path: Path) -> None:
    (layouts.faces(tmp_path) / "train/sad/link.png").symlink_to("nowhere")
    with pytest.raises(ValueError, match=r"link\.png must be a file; it is not there\. Put it back") as refused:
        load("folders", tmp_path)
    assert not isinstance(refused.value, FileNotFoundError)


def test_vertical_bars_separate_too_and_other_marks_are_named(tmp_path: Path) -> None:
    assert len(load("fer2013", layouts.table(tmp_path / "a.csv", separator="|"))) == N
    with pytest.raises(ValueError, match=r"begins with b'emotion~pixels~Usage'"):
        load("fer2013", layouts.table(tmp_path / "b.csv", separator="~"))


def test_pictures_of_ones_own_named_as_a_dataset_are_told_how_to_be_read(tmp_path: Path) -> None:
    text, code = fetch.report(layouts.faces(tmp_path, ()))
    assert code == 1 and "all, angry: 3 where 4,953 were published" in text and "data FOLDER --own" in text


@pytest.mark.parametrize("packing", ["folder", "zip"])
def test_images_and_folders_named_like_texts_are_not_passed_over(packing: str, tmp_path: Path) -> None:
    def make(root: Path) -> Path:
        layouts.faces(root)
        (root / "train/sad/004.png").rename(root / "train/sad/license plate.png")
        layouts.file(root / "train/sad", "LICENSE-old.txt", b"x")
        layouts.file(root / "train/sad", "Terms and conditions.pdf", b"x")
        return root

    root = layouts.packed(tmp_path, make, "zip") if packing == "zip" else make(tmp_path)
    assert len(load("fer2013", root)) == len(load("folders", root)) == N
    if packing == "folder":
        layouts.picture(tmp_path / "terms/1.png", FACES[0])
        with pytest.raises(ValueError, match=r"1 elsewhere: .*terms"):
            load("fer2013", tmp_path)


def test_a_copy_inside_the_dataset_is_a_copy(tmp_path: Path) -> None:
    layouts.faces(tmp_path / "images", ("train", "train", "validation"))
    layouts.faces(tmp_path / "images/images", ("train", "train", "validation"))
    assert len(load("fer2013", tmp_path)) == N
    layouts.ck(tmp_path / "CK+48")
    layouts.ck(tmp_path / "CK+48/CK+48")
    assert len(load("ckplus", tmp_path)) == N
    (tmp_path / "images/images/train/sad/004.png").unlink()
    layouts.picture(tmp_path / "images/images/train/sad/005.png", FACES[0])
    with pytest.raises(ValueError, match="Copies of fer2013 under one folder must hold the same"):
        load("fer2013", tmp_path)


def test_an_archive_inside_an_archive_is_named(tmp_path: Path) -> None:
    def make(root: Path) -> None:
        root.mkdir(parents=True)
        layouts.packed(root, layouts.faces, "tar.gz")

    path = layouts.packed(tmp_path, make, "zip")
    with pytest.raises(ValueError, match=r"directly inside; got data\.tar\.gz inside it"):
        load("fer2013", path)
    text, _ = fetch.report(tmp_path)
    assert "data.tar.gz: an archive inside an archive: unpack the outer one" in text


def test_deeper_images_of_a_class_are_not_left_out(tmp_path: Path) -> None:
    layouts.picture(layouts.faces(tmp_path) / "train/sad/more/1.png", FACES[0])
    with pytest.raises(ValueError, match=r"1 elsewhere: .*sad/more"):
        load("fer2013", tmp_path)
    with pytest.raises(ValueError, match="Class folders lie side by side"):
        load("folders", tmp_path)
