"""Small copies of the datasets in every layout that people have: what the table of layouts is held against."""

from __future__ import annotations

import gzip
import io
import lzma
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_utils.data import CKPLUS_EXPRESSIONS, EXPRESSIONS, FERPLUS_EXPRESSIONS, USAGES

N = 21
"""Faces: one of each of seven classes in each of three parts."""
LABELS = np.arange(N) % 7
USAGE = np.array([USAGES[i // 7] for i in range(N)])
FACES = np.random.default_rng(0).integers(0, 256, (N, 48, 48), dtype=np.uint8)
PARTS = ("train", "val", "test")
NUMBERS = tuple("0123456")
ALPHABETICAL = tuple(f"{sorted(EXPRESSIONS).index(name)}_{name}" for name in EXPRESSIONS)
SYNONYMS = ("Anger", "disgusted", "FEAR", "joy", "Sadness", "suprise", "Neutral")
Face = Callable[[int], np.ndarray]


def text(face: np.ndarray, end: str = "") -> str:
    """A face as a table holds it."""
    return " ".join(f"{value}{end}" for value in face.ravel().tolist())


def table(
    path: Path, header: str = "emotion,pixels,Usage", rows: Sequence[int] = range(N), *, separator: str = ",",
    end: str = "", labels: Sequence[Any] = tuple(LABELS), usage: Sequence[str] = tuple(USAGE), head: bool = True,
    face: Face = FACES.__getitem__,
) -> Path:  # fmt: skip
    """A table of faces with the columns that `header` names; one without a name holds the number of the row."""
    lines = [header.replace(",", separator)] if head else []
    for i in rows:
        values = {"pixels": text(face(i), end), "usage": usage[i], "emotion": labels[i], "label": labels[i], "": i}
        lines.append(separator.join(str(values[name.strip().lower()]) for name in header.split(",")))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, ""]))
    return path


def picture(path: Path, image: np.ndarray) -> None:
    """An image file; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def faces(
    root: Path, parts: Sequence[str] = PARTS, classes: Sequence[str] = EXPRESSIONS, name: str = "{i:03}.png",
    face: Face = FACES.__getitem__, order: str = "{part}/{cls}",
) -> Path:  # fmt: skip
    """Class folders, in a folder for each part unless `parts` is empty."""
    for i in range(N):
        part, cls = parts[i // 7] if parts else "", classes[LABELS[i]]
        place = order.format(part=part, cls=cls, person=f"p{i // 7}").strip("/")
        picture(root / place / name.format(i=i, usage=USAGE[i], person=f"p{i // 7}"), face(i))
    return root


def enlarged(side: int, colour: bool = False, height: int = 0) -> Face:
    """Faces as somebody enlarged or coloured them."""

    def face(i: int) -> np.ndarray:
        large = cv2.resize(FACES[i], (side, height or side), interpolation=cv2.INTER_NEAREST)
        return cv2.applyColorMap(large, cv2.COLORMAP_JET) if colour else large

    return face


def ck(
    root: Path, name: str = "S{subject:03}_{sequence:03}_{frame:08}.png", part: str = "", face: Face = FACES.__getitem__
) -> Path:
    """CK+48's class folders; `part` may hold {part}."""
    for i in range(N):
        file = name.format(subject=10 + i // 6, sequence=1 + i // 3 % 2, frame=i % 3 + 5, i=i)
        picture(root / part.format(part=PARTS[i % 3]) / CKPLUS_EXPRESSIONS[i // 3] / file, face(i))
    return root


def original(root: Path, face: Face = FACES.__getitem__, labels: bool = True) -> Path:
    """CK+ as it is given out: seven sequences of three frames, whose last is labelled."""
    for i in range(N):
        subject, stem = f"S{10 + i // 3:03}", f"S{10 + i // 3:03}_001_{i % 3 + 1:08}"
        picture(root / "cohn-kanade-images" / subject / "001" / f"{stem}.png", face(i))
        if labels and i % 3 == 2:
            place = root / "Emotion" / subject / "001"
            place.mkdir(parents=True)
            (place / f"{stem}_emotion.txt").write_text(f"   {i // 3 + 1}.0000000e+00\n")
    return root


def votes(path: Path, separator: str = ",") -> Path:
    """fer2013new.csv, of which every row has ten votes for FER2013's class."""
    names = [*FERPLUS_EXPRESSIONS, "unknown", "NF"]
    meant = dict(zip(EXPRESSIONS, (4, 5, 6, 1, 3, 2, 0), strict=True))
    lines = [separator.join(["Usage", "Image name", *names])]
    for i in range(N):
        counts = [10 * (k == meant[EXPRESSIONS[LABELS[i]]]) for k in range(len(names))]
        lines.append(separator.join([USAGE[i], f"fer{i:07}.png", *map(str, counts)]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, ""]))
    return path


def packed(root: Path, make: Callable[[Path], Any], kind: str, top: str = "archive") -> Path:
    """What `make` writes into a folder, as one archive beside nothing else."""
    inner = root / "inner"
    make(inner / top)
    out = root / f"data.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(p for p in inner.rglob("*") if p.is_file()):
                archive.write(file, file.relative_to(inner))
            archive.writestr("__MACOSX/._x.png", b"x")
    else:
        mode = {"tar": "w", "tar.gz": "w:gz", "tgz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}[kind]
        with tarfile.open(out, mode) as archive:
            archive.add(inner / top, top)
    shutil.rmtree(inner)
    return out


def compressed(root: Path, kind: str) -> Path:
    """fer2013.csv, compressed as it is."""
    plain = table(root / "fer2013.csv")
    pack = {"gz": gzip.compress, "xz": partial(lzma.compress, preset=0)}[kind]
    (root / f"fer2013.csv.{kind}").write_bytes(pack(plain.read_bytes()))
    plain.unlink()
    return root


def competition(root: Path) -> Path:
    """The competition's download: a zip with tables and a tar.gz inside."""

    def write(folder: Path) -> None:
        table(folder / "icml_face_data.csv", "emotion, Usage, pixels")
        table(folder / "train.csv", "emotion,pixels", range(7))
        table(folder / "test.csv", "pixels", range(7, N))
        (folder / "example_submission.csv").write_text("emotion\n0\n")
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            archive.add(table(folder / "fer2013.csv"), "fer2013/fer2013.csv")
        (folder / "fer2013.csv").unlink()
        (folder / "fer2013.tar.gz").write_bytes(buffer.getvalue())

    return packed(root, write, "zip", ".")


def tables(root: Path, names: Sequence[str], header: str = "emotion,pixels") -> Path:
    """A table for each part."""
    for number, name in enumerate(names):
        table(root / name, header, range(7 * number, 7 * number + 7))
    return root


def file(root: Path, name: str, content: bytes) -> Path:
    """Any file."""
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(content)
    return root / name


def then(make: Callable[[Path], Path], more: Callable[[Path], Any]) -> Callable[[Path], Path]:
    """A layout with something more in it."""

    def both(root: Path) -> Path:
        made = make(root)
        more(root)
        return made

    return both


@dataclass(frozen=True)
class Sample:
    """A layout: for which dataset, how to write it, how many faces are to be read, options, and whether it warns."""

    dataset: str
    make: Callable[[Path], Path]
    n: int = N
    options: dict[str, Any] = field(default_factory=dict)
    warns: bool = False


def _fer(make: Callable[..., Path], *args: Any, n: int = N, warns: bool = False, **named: Any) -> Sample:
    return Sample("fer2013", partial(_at, make, args, named), n, warns=warns)


def _at(make: Callable[..., Path], args: Sequence[Any], named: dict[str, Any], root: Path) -> Path:
    return make(root, *args, **named)


def _csv(root: Path, **named: Any) -> Path:
    return table(root / "fer2013.csv", **named)


def _first(i: int) -> np.ndarray:
    return FACES[i] / 255


TABLES: dict[str, Sample] = {
    "`fer2013.csv`: `emotion,pixels,Usage`": _fer(_csv),
    "`icml_face_data.csv`: `emotion, Usage, pixels`": _fer(_csv, header="emotion, Usage, pixels"),
    "`fer2013.csv` in `.gz` or `.xz`": _fer(compressed, "xz"),
    "`fer2013.csv` in `.zip`": _fer(packed, lambda p: table(p / "fer2013.csv"), "zip"),
    "`fer2013.tar.gz` of the competition": _fer(packed, lambda p: table(p / "fer2013.csv"), "tar.gz", "fer2013"),
    "`fer2013.csv` in `.tar`, `.tar.bz2` or `.tar.xz`": _fer(packed, lambda p: table(p / "fer2013.csv"), "tar.xz"),
    "the competition's whole `.zip`": _fer(competition),
    "`train.csv`: `emotion,pixels`, with `test.csv`: `pixels`": _fer(
        then(lambda p: tables(p, ["train.csv"]), lambda p: table(p / "test.csv", "pixels", range(7, N))), n=7
    ),
    "`test.csv`: `pixels` alone": _fer(lambda p: table(p / "test.csv", "pixels")),
    "`train.csv`, `val.csv`, `test.csv`, each `emotion,pixels`": _fer(tables, ["train.csv", "val.csv", "test.csv"]),
    "semicolons between fields": _fer(_csv, separator=";"),
    "tabs between fields": _fer(_csv, separator="\t"),
    "`label` for `emotion`": _fer(_csv, header="label,pixels,Usage"),
    "labels as words": _fer(_csv, labels=[SYNONYMS[label] for label in LABELS]),
    "labels and pixels with a decimal point: `3.0`, `70.0`": _fer(_csv, end=".0", labels=[f"{x}.0" for x in LABELS]),
    "Usage in lower case": _fer(_csv, usage=[name.lower() for name in USAGE]),
    "Usage `train`, `val`, `test`": _fer(_csv, usage=[PARTS[i // 7] for i in range(N)]),
    "a first column of row numbers": _fer(_csv, header=",emotion,pixels,Usage"),
    "no header": _fer(_csv, head=False),
    "a column for each pixel": _fer(
        lambda p: file(p, "a.csv", b"emotion,pixel0,pixel1\n" + b"3,4,5\n")
    ),
    "pixels between 0 and 1": _fer(_csv, face=_first),
    "faces of 64 x 64 pixels in a table": _fer(_csv, face=enlarged(64)),
    "names of files and labels, without pixels": _fer(lambda p: file(p, "labels.csv", b"image,label\n1.png,3\n")),
    "a workbook (`.xlsx`)": _fer(
        packed, lambda p: file(p, "[Content_Types].xml", b"<xml>"), "zip", "."
    ),
    "a text in UTF-16": _fer(lambda p: file(p, "a.csv", "emotion,pixels,Usage\n".encode("utf-16"))),
}  # fmt: skip

IMAGES: dict[str, Sample] = {
    "`train/`, `test/` with names like `PublicTest_1.jpg`": _fer(
        faces, ("train", "test", "test"), name="{usage}_{i}.png"
    ),
    "`train/`, `test/` with other names": _fer(faces, ("train", "train", "test")),
    "`images/train/`, `images/validation/`": _fer(faces, ("images/train", "images/train", "images/validation")),
    "`train/`, `valid/`, `test/`": _fer(faces, ("train", "valid", "test")),
    "`Training/`, `Validation/`, `Testing/`": _fer(faces, ("Training", "Validation", "Testing")),
    "`train/`, `dev/`, `eval/`": _fer(faces, ("train", "dev", "eval")),
    "`Training/`, `PublicTest/`, `PrivateTest/`": _fer(faces, USAGES),
    "`train/images/angry/` and so on": _fer(faces, order="{part}/images/{cls}"),
    "class folders without parts": _fer(faces, ()),
    "class folders `0` to `6`": _fer(faces, classes=NUMBERS),
    "class folders with a number before the name: `3_happy`": _fer(faces, classes=ALPHABETICAL),
    "class folders by other names: `Anger`, `joy`, `suprise`": _fer(faces, classes=SYNONYMS),
    "class folders `1` to `7`": _fer(faces, classes=tuple("1234567")),
    "class folders in a `.zip`": _fer(packed, faces, "zip"),
    "class folders in a `.tgz`": _fer(packed, faces, "tgz"),
    "faces enlarged to 96, 112 or 224 pixels": _fer(faces, face=enlarged(96), warns=True),
    "faces in colour": _fer(faces, face=enlarged(48, colour=True), warns=True),
    "faces as `.bmp`, `.webp`, `.tif` or `.pgm`": _fer(faces, name="{i}.bmp"),
    "faces of 96 x 112 pixels": _fer(faces, face=enlarged(96, height=112)),
    "faces of 32 x 32 pixels": _fer(faces, face=enlarged(32)),
    "hidden files, `Thumbs.db`, READMEs between": _fer(
        then(faces, lambda p: [file(p / "train/sad", n, b"x") for n in (".a.png", "Thumbs.db", "README.md")])
    ),
    "a part without class folders: `test/1.png`": _fer(then(faces, lambda p: picture(p / "test/1.png", FACES[0]))),
    "a folder that is no part: `holdout/happy/`": _fer(
        then(faces, lambda p: picture(p / "holdout/happy/1.png", FACES[0]))
    ),
    "a class that FER2013 has not: `contempt/`": _fer(
        then(faces, lambda p: picture(p / "train/contempt/1.png", FACES[0]))
    ),
    "a class folder of another name: `bored/`": _fer(then(faces, lambda p: picture(p / "train/bored/1.png", FACES[0]))),
    "an empty class folder": _fer(then(faces, lambda p: [f.unlink() for f in (p / "test/sad").iterdir()])),
    "parts below classes: `angry/train/`": _fer(faces, order="{cls}/{part}"),
    "HEIC pictures in a class folder": _fer(then(faces, lambda p: file(p / "train/sad", "a.heic", b"x"))),
    "images in one folder, without classes": _fer(faces, order="images"),
}  # fmt: skip

OTHERS: dict[str, Sample] = {
    "`fer2013.csv` and `fer2013new.csv`": Sample(
        "ferplus", lambda p: votes(table(p / "fer2013.csv").parent / "fer2013new.csv").parent
    ),
    "both in one `.zip` or `.tar.gz`": Sample(
        "ferplus", lambda p: packed(p, lambda q: votes(table(q / "fer2013.csv").parent / "new.csv"), "tar.gz")
    ),
    "`fer2013new.csv` with semicolons": Sample(
        "ferplus", lambda p: votes(table(p / "fer2013.csv").parent / "fer2013new.csv", ";").parent
    ),
    "`fer2013new.csv` alone": Sample("ferplus", lambda p: votes(p / "fer2013new.csv")),
    "`fer2013new.csv` and FER2013's images": Sample("ferplus", lambda p: votes(faces(p) / "fer2013new.csv").parent),
    "`CK+48/anger/S010_004_00000017.png`": Sample("ckplus", lambda p: ck(p / "CK+48")),
    "`CK+48` in a `.zip`": Sample("ckplus", lambda p: packed(p, ck, "zip", "CK+48")),
    "`CK+48` divided into `train/`, `val/`, `test/`": Sample("ckplus", lambda p: ck(p, part="{part}")),
    "`CK+48` with other names of files": Sample("ckplus", lambda p: ck(p, name="{i}.png")),
    "`ckextended.csv`": Sample("ckplus", lambda p: table(p / "ckextended.csv", labels=[i % 8 for i in range(N)])),
    "`cohn-kanade-images/` and `Emotion/`, cropped": Sample(
        "ckplus", lambda p: original(p, enlarged(160)), 7, warns=True
    ),
    "`cohn-kanade-images/` and `Emotion/`, whole scenes": Sample(
        "ckplus", lambda p: original(p, enlarged(640, height=490))
    ),
    "`cohn-kanade-images/` alone": Sample("ckplus", lambda p: original(p, labels=False)),
}  # fmt: skip

PERSON = {"subjects": r"^(p\d)_"}
OWN: dict[str, Sample] = {
    "one folder for each class": Sample("folders", lambda p: faces(p, ())),
    "classes in `train/`, `val/`, `test/`": Sample("folders", faces),
    "persons in the names of files": Sample("folders", lambda p: faces(p, (), name="{person}_{i}.png"), options=PERSON),
    "persons as folders: `anna/happy/`": Sample(
        "folders", lambda p: faces(p, (), order="{person}/{cls}"), options={"subjects": "^(p.)/"}
    ),
    "classes of any names": Sample("folders", lambda p: faces(p, (), tuple("abcdefg"))),
    "a `.zip` or `.tar.gz` of such a tree": Sample("folders", lambda p: packed(p, faces, "zip")),
    "faces of any size, nearly square, in colour": Sample("folders", lambda p: faces(p, face=enlarged(180, True, 200))),
    "JPEG, WebP, BMP, TIFF, PPM or GIF": Sample("folders", lambda p: faces(p, name="{i}.webp")),
    "names that tell no person, where they should": Sample("folders", lambda p: faces(p, ()), options=PERSON),
    "photographs with a face somewhere": Sample("folders", lambda p: faces(p, face=enlarged(640, height=480))),
    "pictures beside the class folders": Sample("folders", then(faces, lambda p: picture(p / "1.png", FACES[0]))),
    "persons as folders, not said so": Sample("folders", lambda p: faces(p, (), order="{person}/{cls}")),
    "HEIC or raw pictures": Sample("folders", then(faces, lambda p: file(p / "train/sad", "a.heic", b"x"))),
    "an empty folder beside the class folders": Sample("folders", then(faces, lambda p: (p / "train/bored").mkdir())),
    "a class that is not in `train/`": Sample(
        "folders", then(faces, lambda p: picture(p / "test/odd/1.png", FACES[0]))
    ),
    "a single class": Sample("folders", lambda p: faces(p, (), order="happy")),
}  # fmt: skip

SAMPLES = TABLES | IMAGES | OTHERS | OWN
"""By what the table of layouts calls them."""
