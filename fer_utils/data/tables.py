"""Tables of faces: the CSV files that FER2013, FER+ and CK+ come in, plain or compressed.

A table is known by its header, never by its name. Pixels are parsed by NumPy over whole batches of
rows, and any row that deviates is parsed again on its own, so that the message can name it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from fer_utils.data import packed
from fer_utils.data.dataset import SIZE, USAGES

PIXELS = SIZE * SIZE
LONGEST_LINE = 1 << 16
"""Bytes; a row of 2,304 pixels needs at most 9,240."""
LARGEST = 1 << 33
"""Bytes of a table when it is unpacked; FER2013's has 301 million."""
MOST_LINES = 1_000_000
"""Lines of a table, blank ones included; FER2013's has 35,888."""
SUFFIXES = (".png", ".jpg", ".jpeg")
"""Endings, in lower case, of the images that a dataset may consist of."""
BATCH = 64
"""Rows parsed at once: about half a megabyte, which stays in a core's cache."""
CONTEMPT = 7
"""Label of contempt in ckextended.csv; FER2013 ends at 6."""


@dataclass(frozen=True)
class Table:
    """One CSV file: where it is, and its columns (lower case, no spaces).

    Attributes:
        path: the file on the disk, possibly a `.zip`, `.gz` or `.xz`.
        member: the name inside a zip, else None.
        columns: the header.
    """

    path: Path
    member: str | None
    columns: tuple[str, ...]

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path} ({self.member} inside)"

    @property
    def kind(self) -> str:
        """`"faces"`, `"unlabelled"` (pixels only), `"votes"` (FER+) or `"other"`."""
        if "pixels" in self.columns:
            return "faces" if "emotion" in self.columns else "unlabelled"
        return "votes" if {"usage", "neutral", "contempt", "nf"} <= set(self.columns) else "other"

    def rows(self) -> Iterator[tuple[int, bytes]]:
        """Data rows with their number (the first is 1); blank lines are passed over.

        Raises:
            ValueError: the archive is damaged, a column is there twice, a line is longer than any row of pixels can
                be, or there are more lines than any of these tables has.
        """
        named = [name for name in self.columns if name]
        if len(set(named)) < len(named):
            raise self.error(0, "A header names each column once", shown(",".join(self.columns).encode()))
        with packed.opened(self.path, self.member) as file:
            size = len(file.readline(LONGEST_LINE))
            number = 0
            for lines in range(1, MOST_LINES + 2):
                line = file.readline(LONGEST_LINE)
                size += len(line)
                if not line:
                    return
                if len(line) == LONGEST_LINE:
                    raise self.error(number + 1, "A row is one line of 2,304 pixels", "a line over 65,535 bytes")
                if lines > MOST_LINES or size > LARGEST:
                    raise self.error(number + 1, f"A table has at most {MOST_LINES:,} lines and 8 GiB", "more")
                if not line.isspace():
                    number += 1
                    yield number, line

    def fields(self, number: int, line: bytes) -> dict[str, bytes]:
        """The fields of data row `number` by column, without quotes and spaces around them.

        Raises:
            ValueError: not as many fields as the header has.
        """
        values = line.split(b",")
        if len(values) != len(self.columns):
            raise self.error(number, f"A row has the header's {len(self.columns)} fields", f"{len(values)}")
        return {name: value.strip(b' "\r\n') for name, value in zip(self.columns, values, strict=True)}

    def contempt_row(self) -> int | None:
        """The first of the first 1,000 rows labelled 7: such a table is ckextended.csv, not FER2013."""
        column, mark = self.columns.index("emotion"), str(CONTEMPT).encode()
        for number, line in islice(self.rows(), 1000):
            fields = line.split(b",")
            if len(fields) > column and fields[column].strip(b' "\r\n') == mark:
                return number
        return None

    def has_contempt(self) -> bool:
        """Whether a label 7 tells that this is ckextended.csv (920 rows), not FER2013."""
        return self.contempt_row() is not None

    def error(self, number: int, rule: str, came: str, remedy: str = "") -> ValueError:
        """The error for data row `number`, naming file, row, rule, what came, and remedy."""
        remedy = remedy or "Fetch the file again; `make data` says from where."
        where = f"{self}, data row {number} (the first row below the header is 1)"
        return ValueError(f"{where}: {rule}; got {came}. {remedy}")


def sniff(path: Path) -> list[Table]:
    """The tables in a file: none, one, or for a zip one for each CSV inside.

    Raises:
        ValueError: the file is a damaged archive.
    """
    with packed.opened(path) as file:
        head = file.readline(4096)
    zipped = head[:4] == b"PK\x03\x04"
    heads: dict[str | None, bytes] = {**packed.first_lines(path, SUFFIXES, 4096)} if zipped else {None: head}
    tables = [Table(path, member, _columns(head)) for member, head in heads.items()]
    return [table for table in tables if table.kind != "other"]


def _columns(header: bytes) -> tuple[str, ...]:
    text = header.decode("utf-8-sig", errors="replace")
    return tuple(name.strip(' "\r\n\t').lower() for name in text.split(","))


def describe(path: Path) -> str:
    """What a file that is no table of faces seems to be, in words for an error message."""
    with packed.opened(path) as file:
        head = file.read(512)
    known = {
        b"\x89PNG": "a PNG image",
        b"\xff\xd8\xff": "a JPEG image",
        b"PK\x03\x04": "a zip file without such a table (unpack it if it holds images)",
        b"version https://git-lfs": "a Git LFS pointer, not the file itself",
    }
    for magic, words in known.items():
        if head.startswith(magic):
            return words
    if not head.strip():
        return "an empty file"
    if head[257:262] == b"ustar":
        return "a tar archive: unpack it first"
    if head.lstrip()[:1] == b"<":
        return "a web page (HTML or XML), often what a download without login leaves"
    return f"a file that begins with {head.splitlines()[0][:60]!r}"


def read_faces(table: Table, n_classes: int) -> dict[str, np.ndarray]:
    """Read every row of a table of faces.

    Args:
        table: a table of kind `"faces"`.
        n_classes: labels must lie in 0..n_classes - 1.

    Returns:
        `images` uint8 (n, 48, 48), `labels` int64 (n,), and `usage` str (n,), in the order of the file.
        A table without a Usage column (train.csv) is all `"Training"`.

    Raises:
        ValueError: a bad row; the message names file, row, rule and remedy.
    """
    pixels_so_far, labels, usage = bytearray(), [], []  # grows in place: one copy of the images, ever
    rows = table.rows()
    while batch := list(islice(rows, BATCH)):
        fields = [(number, table.fields(number, line)) for number, line in batch]
        labels += [_label(table, number, row["emotion"], n_classes) for number, row in fields]
        usage += [usage_of(table, number, row.get("usage", b"Training")) for number, row in fields]
        pixels = parse_pixels([row["pixels"] for _, row in fields])
        if pixels is None:
            pixels = np.stack([_pixels(table, number, row["pixels"]) for number, row in fields])
        pixels_so_far += pixels.data
    if not labels:
        raise ValueError(f"{table} must have rows below its header; got none. Fetch it again.")
    faces = np.frombuffer(pixels_so_far, np.uint8).reshape(-1, SIZE, SIZE)
    return {"images": faces, "labels": np.array(labels, np.int64), "usage": np.array(usage)}


def parse_pixels(fields: list[bytes]) -> np.ndarray | None:
    """Parse rows of decimal numbers between spaces, all at once.

    Three shifted views of the bytes give ones, tens and hundreds; the value stands where a number ends.

    Args:
        fields: for each of r rows its text of 2,304 numbers from 0 to 255.

    Returns:
        uint8 (r, 2304), or None if any row deviates (`read_faces` then finds which and why).
    """
    text = np.frombuffer(b"    " + b" ".join(fields) + b" ", np.uint8)
    digit = text - np.uint8(ord("0"))
    is_digit = digit < 10
    if not (is_digit | (text == ord(" "))).all():
        return None
    digit *= is_digit
    here, one_back, two_back, three_back = is_digit[3:-1], is_digit[2:-2], is_digit[1:-3], is_digit[:-4]
    low = digit[3:-1] + digit[2:-2] * np.uint8(10)
    hundreds = digit[1:-3] * (here & one_back)
    value = low + hundreds * np.uint8(100)  # wraps above 255, and is then smaller than `low`
    if hundreds.max() > 2 or (value < low).any() or (here & one_back & two_back & three_back).any():
        return None
    ends = here & ~is_digit[4:]
    first = 1
    for field in fields:
        if np.count_nonzero(ends[first : first + len(field)]) != PIXELS:
            return None
        first += len(field) + 1
    return value[ends].reshape(len(fields), PIXELS)


def _label(table: Table, number: int, field: bytes, n_classes: int) -> int:
    if len(field) == 1 and field.isdigit() and int(field) < n_classes:
        return int(field)
    remedy = "7 is contempt in ckextended.csv: read that with load('ckplus', ...)." if field == b"7" else ""
    rule = f"The emotion is a whole number from 0 to {n_classes - 1}"
    raise table.error(number, rule, shown(field), remedy)


def usage_of(table: Table, number: int, field: bytes) -> str:
    """The published part that a row's field names; ValueError if it names none."""
    name = field.decode("ascii", errors="replace")
    if name not in USAGES:
        raise table.error(number, f"Usage is one of {', '.join(USAGES)}", shown(field))
    return name


def _pixels(table: Table, number: int, field: bytes) -> np.ndarray:
    """One row, number by number: slow, and exact about what is wrong."""
    tokens = field.split()
    if len(tokens) != PIXELS:
        raise table.error(number, f"A face has {PIXELS:,} pixels (48 x 48)", f"{len(tokens):,}")
    for position, token in enumerate(tokens, 1):
        if not token.isdigit() or len(token) > 3 or int(token) > 255:
            came = f"{shown(token)} at pixel {position}"
            raise table.error(number, "A pixel is a whole number from 0 to 255", came)
    return np.array(tokens, dtype="S3").astype(np.uint8)


def shown(field: bytes) -> str:
    """A field as a message shows it."""
    text = field[:40].decode("utf-8", errors="replace")
    return repr(text) if len(field) <= 40 else f"{text!r}..."
