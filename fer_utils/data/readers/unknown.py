"""What a file that is no dataset seems to be, in words for an error message."""

from __future__ import annotations

import re
from pathlib import Path

from fer_utils.data.readers import packed
from fer_utils.data.readers.tables import shown

_MAGIC = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself",
    b"Rar!": "a RAR archive: unpack it first",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"\x28\xb5\x2f\xfd": "a file packed by zstd: unpack it first",
    b"\x89HDF": "an HDF5 file: write its faces as images or as a CSV",
    b"\x93NUMPY": "a NumPy file: write its faces as images or as a CSV",
    b"PAR1": "a Parquet file: write it as a CSV",
    b"\x80": "a file like pickle's, which is never read: write its faces as images or as a CSV",
    b"\xff\xfe": "a text in UTF-16: save it as UTF-8",
    b"\xfe\xff": "a text in UTF-16: save it as UTF-8",
}


_PAGE = "a web page (HTML or XML), often what a download without login leaves"
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*")
_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis")


def is_picture(head: bytes) -> bool:
    """Whether a file begins as a picture does, whatever its name is."""
    container = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return head.startswith(_PICTURES) or container or (head[4:8] == b"ftyp" and head[8:12] in _BRANDS)


def in_place_of_an_image(head: bytes) -> str:
    """What the first bytes of a file that is no whole image say that it is."""
    if head[4:8] == b"ftyp":
        return "a HEIC or AVIF picture or a video under another name"
    if head.lstrip()[:1] == b"<":
        return _PAGE
    known = [words for magic, words in _MAGIC.items() if head.startswith(magic) and not is_picture(head)]
    return known[0] if known else "an empty file" if not head else "a truncated or damaged file, or no image"


def describe(path: Path) -> str:
    """What a file seems to be.

    Raises:
        ValueError: it is no file, or damaged.
    """
    with packed.opened(path) as file:
        head = file.read(4096)
    for magic, words in _MAGIC.items():
        if head.startswith(magic):
            return words
    if head[:4] == b"PK\x03\x04":
        office = any(part in head for part in (b"[Content_Types].xml", b"xl/", b"mimetypeapplication/vnd"))
        return "a workbook: save it as CSV" if office else "an archive without a dataset inside"
    if head[257:262] == b"ustar":
        return "an archive without a dataset inside"
    if not head.strip():
        return "an empty file"
    if head.lstrip()[:1] == b"<":
        return _PAGE
    return _text(head.splitlines()[0])


def _text(line: bytes) -> str:
    if re.match(rb'"?[0-9](\.0)?"?[,;\t]"?[0-9. ]{9}', line):
        return "rows without a header: write emotion,pixels,Usage (in their order) into a first line"
    if re.search(rb"[,;\t]\s*\"?pixel[_ ]?[01]\"?\s*[,;\t]", line, re.IGNORECASE):
        return "a table with a column for each pixel: write them into one, with spaces between them"
    if re.search(rb"(^|[,;\t])\s*\"?(emotion|label)s?\"?\s*([,;\t]|$)", line, re.IGNORECASE):
        return f"a table without pixels, {shown(line)}: faces stand in a column named pixels, or in image files"
    return f"a file that begins with {line[:60]!r}"
