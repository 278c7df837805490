"""Every reader of the package with sound input for it: what the tests of bad input damage."""

from __future__ import annotations

import gzip
import io
import lzma
import random
import shutil
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import made_records
import mutations
import numpy as np
from PIL import Image

from fer_utils import records
from fer_utils.data import EXPRESSIONS, FERPLUS_EXPRESSIONS, FaceDataset, load
from fer_utils.data.readers import cache
from fer_utils.live import read_image
from fer_utils.live.interface.webcam import decode_jpeg
from fer_utils.live.network.description import Description

FACES = np.random.default_rng(0).integers(0, 256, (4, 48, 48), dtype=np.uint8)
USAGES = ("Training", "Training", "PublicTest", "PrivateTest")
VOTES = (*FERPLUS_EXPRESSIONS, "unknown", "NF")
Structured = tuple[Callable[[bytes, random.Random], bytes], ...]


@dataclass(frozen=True)
class Case:
    """One reader and one sound file.

    Attributes:
        content: the sound file.
        read: given a folder and damaged content, writes the file, reads it, and checks what came.
        structured: how to damage it besides by bytes.
    """

    content: bytes
    read: Callable[[Path, bytes], object]
    structured: Structured = ()

    def damaged(self, n: int, seed: int) -> Iterator[bytes]:
        """See `mutations.many`."""
        return mutations.many(self.content, n, seed, *self.structured)


# Tables


def table(header: str = "emotion,pixels,Usage", labels: tuple[int, ...] = (0, 3, 6, 2)) -> bytes:
    """A CSV of four faces with the columns that `header` names."""
    columns = {
        "emotion": labels, "pixels": (" ".join(map(str, face.ravel())) for face in FACES), "Usage": USAGES,
    }  # fmt: skip
    rows = zip(*(columns[name.strip()] for name in header.split(",")), strict=True)
    return "\n".join([header, *(",".join(map(str, row)) for row in rows), ""]).encode()


def votes() -> bytes:
    """fer2013new.csv for these faces."""
    rows = [[usage, f"fer{i:07}.png", *(10 * (k == i) for k in range(10))] for i, usage in enumerate(USAGES)]
    return "\n".join([f"Usage,Image name,{','.join(VOTES)}", *(",".join(map(str, row)) for row in rows), ""]).encode()


def tables_zipped(*names: str) -> bytes:
    """A zip with the CSVs of FER2013 and FER+."""
    contents = {"fer2013.csv": table(), "fer2013new.csv": votes()}
    return mutations.zipped([(name, contents[name]) for name in names])


def _inside_zip(content: bytes, rng: random.Random) -> bytes:
    """A sound zip of damaged files, with damaged names."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [[info.filename, archive.read(info)] for info in archive.infolist()]
    member = rng.choice(members)
    if rng.random() < 0.2:
        member[0] = rng.choice(("../../x.csv", "/x.csv", "é.csv", "a/" * 200, ".hidden.csv", "x\0.csv"))
    member[1] = rng.choice((mutations.damaged, mutations.damaged_table))(member[1], rng)
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    return mutations.zipped([tuple(m) for m in members], rng.choice(methods))


def tarred(*names: str) -> bytes:
    """A tar with the CSVs of FER2013 and FER+, not compressed: damage then reaches its headers."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            content = {"fer2013.csv": table(), "fer2013new.csv": votes()}[name]
            info = tarfile.TarInfo(f"fer2013/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _header(content: bytes, rng: random.Random) -> bytes:
    """A tar with a damaged header whose checksum holds."""
    header = bytearray(mutations.damaged(content[:512], rng)[:512].ljust(512, b"\0"))
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + content[512:]


def _inside(pack: Callable[[bytes], bytes], unpack: Callable[[bytes], bytes]) -> Structured:
    return (lambda content, rng: pack(mutations.damaged_table(unpack(content), rng)),)


def read_table(name: str, folder: Path, content: bytes, file: str = "table.csv", **options: Any) -> None:
    """Read it by its name, and again from the cache."""
    (folder / file).write_bytes(content)
    for _ in range(2):
        checked(load(name, folder / file, **options))


def read_votes(labels: str, folder: Path, content: bytes) -> None:
    """FER+ beside a sound FER2013."""
    (folder / "fer2013.csv").write_bytes(table())
    (folder / "fer2013new.csv").write_bytes(content)
    checked(load("ferplus", folder, labels=labels))


def checked(dataset: FaceDataset) -> None:
    """What was read is a dataset that can be worked with."""
    assert isinstance(dataset, FaceDataset) and dataset.images.shape == (len(dataset), 48, 48)
    assert dataset.usage is None or set(dataset.usage) <= {*USAGES, "train", "validation", "test"}
    assert len(dataset.fingerprint) == 16 and dataset.class_counts().sum() == len(dataset)


def table_cases() -> dict[str, Case]:
    """Every layout of a CSV."""
    plain = (mutations.damaged_table,)
    read, icml = partial(read_table, "fer2013"), table("emotion, Usage, pixels")
    return {
        "fer2013.csv": Case(table(), read, plain),
        "icml_face_data.csv": Case(icml, read, plain),
        "train.csv": Case(table("emotion,pixels"), read, plain),
        "ckextended.csv": Case(table(labels=(7, 0, 1, 2)), partial(read_table, "ckplus"), plain),
        "fer2013.csv.gz": Case(gzip.compress(table(), 1, mtime=0), read, _inside(gzip.compress, gzip.decompress)),
        "fer2013.csv.xz": Case(lzma.compress(table(), preset=0), read, _inside(lzma.compress, lzma.decompress)),
        "fer2013.zip": Case(tables_zipped("fer2013.csv"), read, (_inside_zip,)),
        "fer2013.tar": Case(tarred("fer2013.csv"), read, (_header,)),
        "fer2013.tar.gz": Case(
            gzip.compress(tarred("fer2013.csv"), 1, mtime=0), read,
            (lambda content, rng: gzip.compress(_header(gzip.decompress(content), rng), 1, mtime=0),),
        ),
        "both.zip": Case(
            tables_zipped("fer2013.csv", "fer2013new.csv"), partial(read_table, "ferplus", labels="majority"),
            (_inside_zip,),
        ),
        "fer2013new.csv, majority": Case(votes(), partial(read_votes, "majority"), plain),
        "fer2013new.csv, distribution": Case(votes(), partial(read_votes, "distribution"), plain),
    }  # fmt: skip


# Folders


def image(suffix: str, face: np.ndarray = FACES[0]) -> bytes:
    """An image file's content."""
    return cv2.imencode(suffix, face)[1].tobytes()


def read_folder(name: str, file: str, folder: Path, content: bytes) -> None:
    """A class folder with a sound image and a damaged one."""
    classes = folder / ("happy" if name == "ckplus" else "train/happy")
    classes.mkdir(parents=True, exist_ok=True)
    (classes / file.replace("001", "002")).write_bytes(image(".png"))
    (classes / file).write_bytes(content)
    checked(load(name, folder))


def read_own(file: str, folder: Path, content: bytes) -> None:
    """Pictures of one's own, one of them damaged."""
    for name in ("a/1.png", "b/2.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(image(".png"))
    (folder / "a" / file).write_bytes(content)
    checked(load("folders", folder))


def folder_cases() -> dict[str, Case]:
    """Class folders of FER2013 and CK+48, and pictures of one's own."""
    own = {
        f"a/3{suffix}": Case(image(suffix), partial(read_own, f"3{suffix}"))
        for suffix in (".png", ".jpg", ".bmp", ".webp", ".tif", ".pgm")
    }
    return own | {
        "fer2013/train/happy/001.png": Case(image(".png"), partial(read_folder, "fer2013", "001.png"), (_rechecked,)),
        "fer2013/train/happy/001.jpg": Case(image(".jpg"), partial(read_folder, "fer2013", "001.jpg")),
        "CK+48/happy/S010_001_00000001.png": Case(
            image(".png"), partial(read_folder, "ckplus", "S010_001_00000001.png"), (_rechecked,)
        ),
    }


def _rechecked(content: bytes, rng: random.Random) -> bytes:
    """A damaged PNG whose checksums hold."""
    out, place = content[:8], 8
    victim = rng.randrange(3)
    while place + 12 <= len(content):
        length = int.from_bytes(content[place : place + 4])
        kind, data = content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        if victim == 0 or rng.random() < 0.2:
            data = mutations.damaged(data, rng)
        victim -= 1
        out += len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)
        place += 12 + length
    return out


# Pictures


def picture(form: str, **options: Any) -> bytes:
    """A small colour picture in a format of Pillow's."""
    buffer = io.BytesIO()
    colours = np.random.default_rng(1).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(colours).save(buffer, form, **options)
    return buffer.getvalue()


def read_picture(suffix: str, folder: Path, content: bytes) -> None:
    """Read by `read_image`, as `python -m fer_utils predict` does."""
    (folder / f"picture{suffix}").write_bytes(content)
    found = read_image(folder / f"picture{suffix}")
    assert found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] == 3 and found.flags.c_contiguous


def read_frame(_: Path, content: bytes) -> None:
    """What the widget does with a frame that a browser sends."""
    assert decode_jpeg(content).shape[2] == 3


def picture_cases() -> dict[str, Case]:
    """Every format that is read."""
    exif = Image.Exif()
    exif[0x0112] = 6
    contents = {
        ".jpg": picture("JPEG", exif=exif), ".png": picture("PNG", exif=exif), ".webp": picture("WEBP"),
        ".bmp": picture("BMP"), ".tif": picture("TIFF"), ".ppm": picture("PPM"), ".gif": picture("GIF"),
        ".lzw.tif": picture("TIFF", compression="tiff_lzw"), ".jpeg.tif": picture("TIFF", compression="jpeg"),
        ".p.png": picture("PNG", bits=4),
    }  # fmt: skip
    structured: dict[str, Structured] = {".png": (_rechecked,)}
    return {"a frame of the browser's": Case(contents[".jpg"], read_frame)} | {
        f"picture{suffix}": Case(content, partial(read_picture, suffix), structured.get(suffix, ()))
        for suffix, content in contents.items()
    }


# Records and caches


def read_record(file: str, folder: Path, content: bytes) -> None:
    """A record with one damaged file: `verify` says what is wrong, every view reads or refuses."""
    sound = folder / "sound"
    if not sound.is_dir():
        made_records.written(sound)
    (source,) = sound.iterdir()
    place = folder / source.name
    shutil.copytree(source, place, dirs_exist_ok=True)
    (place / file).write_bytes(content)
    problems = records.verify(records.Record(place))
    assert all(isinstance(problem, str) and problem for problem in problems)
    looks: list[Callable[[records.Record], object]] = [
        lambda r: (r.config, r.class_names, r.kept), lambda r: r.history, lambda r: r.metric(),
        lambda r: r.predictions("test"), lambda r: r.predictions("validation", "last"),
        lambda r: r.context("test", "seen"), lambda r: r.context("test", "subjects"), lambda r: weights_of(r),
    ]  # fmt: skip
    refusals, record = [], records.Record(place)
    for look in looks:
        try:
            look(record)
        except Exception as error:
            if foreign := mutations.why_foreign(error):
                raise AssertionError(foreign) from error
            refusals.append(error)
    if refusals:
        raise refusals[0]


def weights_of(record: records.Record) -> None:
    """No weights lie there, which is said."""
    try:
        record.weights()
    except FileNotFoundError:
        return


def read_measurement(file: str, folder: Path, content: bytes) -> None:
    """A measurement with one damaged file."""
    place = folder / "measured"
    if not place.is_dir():
        records.measure("measured", folder, measured)
    (place / file).write_bytes(content)
    found = records.Measurement(place)
    assert isinstance(found.values, dict) and all(isinstance(a, np.ndarray) for a in found.arrays.values())


def measured() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What a measurement record may hold."""
    return {"seconds": 1.5, "by": [1, {"a": None}]}, {"mean": np.arange(40.0), "names": np.array(["a", "é"])}


def read_cache(folder: Path, content: bytes) -> None:
    """A damaged cache is written anew: the answer is always the source's."""
    arrays = {"images": FACES, "labels": np.arange(4), "usage": np.array(USAGES)}
    (folder / "cache").mkdir(exist_ok=True)
    file = cached_file(folder)
    file.write_bytes(content)
    found = cache.through("faces", "source", "key", lambda: arrays)
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape


def cached_file(folder: Path) -> Path:
    """Where `read_cache` has its file; `$FER_CACHE` is that folder."""
    cache.through("faces", "source", "key", lambda: {"labels": np.arange(4)})
    return next(cache.folder().glob("faces-*.npz"))


def cache_content() -> bytes:
    """A cache file of these faces, in the folder that `$FER_CACHE` names."""
    arrays = {"images": FACES, "labels": np.arange(4), "usage": np.array(USAGES)}
    file = cached_file(Path())
    file.unlink()
    cache.through("faces", "source", "key", lambda: arrays)
    return file.read_bytes()


def cache_cases() -> dict[str, Case]:
    """A cached dataset; `$FER_CACHE` must name a scratch folder."""
    return {"cache": Case(cache_content(), read_cache, (mutations.damaged_arrays,) * 2)}


def record_cases(folder: Path) -> dict[str, Case]:
    """Every file of a run record and of a measurement record; `folder` is scratch."""
    record = made_records.written(folder / "run").path
    measurement = records.measure("m", folder, measured).path
    kinds: dict[str, Structured] = {
        "run.json": (mutations.damaged_json,) * 3, "history.csv": (mutations.damaged_table,),
        "predictions.npz": (mutations.damaged_arrays,) * 2, "measurement.json": (mutations.damaged_json,),
        "arrays.npz": (mutations.damaged_arrays,) * 2,
    }  # fmt: skip
    return {
        file: Case(
            (place / file).read_bytes(), partial(read_record if place == record else read_measurement, file), structured
        )
        for file, structured in kinds.items()
        for place in [record if (record / file).exists() else measurement]
    }


def description_cases() -> dict[str, Case]:
    """What a model file says about itself."""
    content = Description(EXPRESSIONS, 1.5, model="tiny", model_options={"dropout": 0.1}).to_text().encode()

    def read(_: Path, content: bytes) -> None:
        found = Description.from_text(content.decode("utf-8", errors="replace"))
        assert all(isinstance(name, str) for name in found.class_names) and 0 < found.temperature < 1e6

    return {"description": Case(content, read, (mutations.damaged_json,) * 2)}


KINDS: dict[str, Callable[[Path], dict[str, Case]]] = {
    "tables": lambda _: table_cases(), "folders": lambda _: folder_cases(), "pictures": lambda _: picture_cases(),
    "records": record_cases, "caches": lambda _: cache_cases(), "descriptions": lambda _: description_cases(),
}  # fmt: skip


def hold(kind: str, n: int, seed: int, scratch: Path) -> Counter[str]:
    """Read the sound file and `n` damaged copies of every case of a kind.

    Returns:
        How many were read and how many refused.

    Raises:
        AssertionError: a reader failed with an error that is not its own, took too long, or refused the sound file.
    """
    found: Counter[str] = Counter()
    for name, case in KINDS[kind](scratch / "sound").items():
        folder = scratch / "damaged"
        folder.mkdir()
        case.read(folder, case.content)
        for number, content in enumerate(case.damaged(n, seed)):
            try:
                found[mutations.outcome(partial(case.read, folder, content))] += 1
            except AssertionError as fault:
                raise AssertionError(f"{name}, number {number} of seed {seed}: {fault}") from fault
        shutil.rmtree(folder)
    return found
