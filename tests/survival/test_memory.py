"""Files that claim more than they hold, and large ones: no reader takes more than twice what the file needs."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

import h5py
import mutations
import numpy as np
import pytest
from PIL import Image

from fer_utils import models

CHILD = Path(__file__).parent / "reading_child.py"
SLACK = 48
"""MiB that libraries take of their own: buffers, tables, pools."""

SIDE = 60_000
Cases = dict[str, tuple[bytes, int]]
"""File name to content and how many MiB its content needs; 0 for a file that must be refused."""


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(30_000_000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body


def saved(form: str, side: int = 64, mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (side, side)).save(buffer, form, **options)
    return buffer.getvalue()


def claims(form: str, mode: str = "RGB", **options: object) -> bytes:
    """A picture of 64 x 64 pixels whose header claims `SIDE` (WebP: 16,383, the most it can) instead."""
    content = saved(form, mode=mode, **options)
    if form == "JPEG":
        place = content.index(b"\xff\xc0") + 5
        return content[:place] + struct.pack(">HH", SIDE, SIDE) + content[place + 4 :]
    if form == "BMP":
        return content[:18] + struct.pack("<ii", SIDE, SIDE) + content[26:]
    if form == "GIF":
        return content[:6] + struct.pack("<HH", SIDE, SIDE) + content[10:]
    if form == "PPM":
        return content.replace(b"64 64", b"%d %d" % (SIDE, SIDE))
    if form == "TIFF":
        for tag in (256, 257):
            place = content.index(struct.pack("<H", tag), 4)
            content = content[: place + 8] + struct.pack("<I", SIDE) + content[place + 12 :]
        return content
    place = content.index(b"\x9d\x01\x2a") + 3
    return content[:place] + struct.pack("<HH", 16_383, 16_383) + content[place + 4 :]


def pictures() -> Cases:
    """Headers that claim 60,000 x 60,000 pixels, and pictures of 36 million that are there."""
    found = {f"claims.{f.lower()}": (claims(f), 0) for f in ("JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")}
    found["claims.png"] = (png(SIDE, SIDE), 0)
    need = 4 * 6000 * 6000 >> 20  # Pillow holds four bytes a pixel
    return found | {
        "large.jpg": (saved("JPEG", 6000), need), "large.png": (saved("PNG", 6000), need),
        "palette.png": (saved("PNG", 6000, "P"), need), "deep.tif": (saved("TIFF", 6000, "I;16"), need),
        "clear.webp": (saved("WEBP", 6000, "RGBA", method=0), 2 * need),  # libwebp holds two pictures of an animation
    }  # fmt: skip


def tables() -> Cases:
    """Tables that unpack to far more than any dataset has, and a large one that is sound."""
    header, row = b"emotion,pixels,Usage\n", b"0," + b" ".join([b"7"] * 2304) + b",Training\n"
    long, rows = b"0," + b"7 " * 80_000_000, 20_000
    return {
        "blank.csv.gz": (gzip.compress(header + b"\n" * 80_000_000, 1), 0),
        "line.csv.gz": (gzip.compress(header + long, 1), 0),
        "line.csv.xz": (lzma.compress(header + long, preset=0), 0),
        "line.zip": (zip_of(header + long), 0),
        "line-bz2.zip": (zip_of(header + long, zipfile.ZIP_BZIP2), 0),
        "row.csv": (header + row.replace(b"7 7", b"7" * 60_000 + b" 7"), 0),
        "sound.csv.gz": (gzip.compress(header + row * rows, 1), rows * 2304 >> 20),
        "sound.zip": (zip_of(header + row * rows), rows * 2304 >> 20),
    }


def zip_of(content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    return mutations.zipped([("fer2013.csv", content)], method)


def arrays() -> Cases:
    """Arrays whose headers claim what is not there, and zips that unpack to a thousand times their size."""
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({SIDE}, {SIDE})}}\n".encode()
    header = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(300_000_000, np.uint8))
    lies = mutations.zipped([("a.npy", header)]).replace(struct.pack("<I", len(header)), struct.pack("<I", 2**31))
    sound = io.BytesIO()
    np.savez_compressed(sound, a=np.zeros(15_000_000, np.uint8))
    return {
        "claims.npz": (mutations.zipped([("a.npy", header)]), 0),
        "lies.npz": (lies, 0),
        "bomb.npz": (mutations.zipped([("a.npy", buffer.getvalue())]), 0),
        "sound.npz": (sound.getvalue(), 15),
    }


def networks() -> Cases:
    """Networks that claim layers of gigabytes, and archives that unpack to them."""
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file.create_dataset("a", (SIDE, SIDE), "f4", chunks=(100, 100), compression="gzip")
    with tempfile.TemporaryDirectory() as folder:
        models.build("tiny").save(Path(folder) / "a.keras")
        with zipfile.ZipFile(Path(folder) / "a.keras") as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    config["config"]["layers"][1]["config"]["filters"] = 100_000_000
    changes = {
        "claims.keras": {"config.json": json.dumps(config).encode()},
        "weights.keras": {"model.weights.h5": weights.getvalue()},
        "bomb.keras": {"config.json": b" " * 250_000_000 + members["config.json"]},
    }
    return {name: (mutations.zipped(list({**members, **change}.items())), 0) for name, change in changes.items()}


def cases_of(kind: str, folder: Path) -> Cases:
    """Write the files of a kind; a measurement's arrays lie in a folder of their own."""
    cases = {"picture": pictures, "table": tables, "arrays": arrays, "model": networks}[kind]()
    for name, (content, _) in cases.items():
        path = folder / name / "arrays.npz" if kind == "arrays" else folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return cases


@pytest.mark.parametrize("kind", ["picture", "table", "arrays", "model"])
def test_no_reader_takes_more_than_twice_what_a_file_needs(kind: str, tmp_path: Path) -> None:
    cases = cases_of(kind, tmp_path / kind)
    call = [sys.executable, str(CHILD), str(tmp_path), kind]
    done = subprocess.run(call, capture_output=True, text=True, errors="replace", timeout=400)
    answers = [json.loads(line) for line in done.stdout.splitlines() if '"outcome"' in line]
    assert done.returncode == 0 and len(answers) == len(cases), done.stderr[-2000:]
    for answer in answers:
        need = cases[answer["file"]][1]
        size = len(cases[answer["file"]][0]) >> 20
        print(
            f"{answer['file']:16} {answer['outcome']:8} {answer['seconds']:6.2f} s {answer['mib']:5} MiB, needs {need}"
        )
        assert answer["outcome"] == ("read" if need else "refused"), answer
        assert answer["mib"] <= 2 * max(need, size) + SLACK, answer
