"""Tables of faces: the CSV files that FER2013, FER+ and CK+ come in, plain or compressed.

A table is known by its header, never by its name. Pixels are parsed by NumPy over whole batches of
rows, and any row that deviates is parsed again on its own, so that the message can name it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from math import isqrt
from pathlib import Path

import numpy as np

from fer_utils.data.dataset import EXPRESSIONS, SIZE, USAGES
from fer_utils.data.readers import naming, packed

PIXELS = SIZE * SIZE
LONGEST_LINE = 1 << 16
"""Bytes; a row of 2,304 pixels needs at most 9,240."""
LARGEST = 1 << 33
"""Bytes of a table when it is unpacked; FER2013's has 301 million."""
MOST_LINES = 1_000_000
"""Lines of a table, blank ones included; FER2013's has 35,888."""
BATCH = 64
"""Rows parsed at once: about half a megabyte, which stays in a core's cache."""
CONTEMPT = 7
"""Label of contempt in ckextended.csv; FER2013 ends at 6."""

REFETCH = "Fetch the file again (`make data` says from where), or mend that row."

_SYNONYMS = {
    "emotion": ("label", "labels", "emotions", "expression", "class", "target"), "pixels": ("pixel",),
    "usage": ("split", "subset", "partition"),
}  # fmt: skip
_ZERO_FRACTION = re.compile(rb"(?<=\d)\.0*(?=\s|$)")


@dataclass(frozen=True)
class Table:
    """One CSV file: where it is, and its columns (lower case, no spaces).

    Attributes:
        path: the file on the disk, possibly an archive or compressed.
        member: the name inside an archive, else None.
        columns: the header; other usual names for emotion, pixels and usage stand as these.
        separator: between the fields of a row.
    """

    path: Path
    member: str | None
    columns: tuple[str, ...]
    separator: bytes = b","

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path} ({self.member} inside)"

    @property
    def place(self) -> Path:
        """The file, or its name behind its archive's path."""
        return self.path if self.member is None else self.path / self.member

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
        values = line.split(self.separator)
        if len(values) != len(self.columns):
            quoted = b'"' in line and self.separator == b"," and len(values) > len(self.columns)
            came = f"{len(values)}{', with commas between quotes' * quoted}"
            remedy = f"Write pixels with spaces between them. {REFETCH}" if quoted else ""
            raise self.error(number, f"A row has the header's {len(self.columns)} fields", came, remedy)
        return {name: value.strip(b' "\r\n') for name, value in zip(self.columns, values, strict=True)}

    def contempt_row(self) -> int | None:
        """The first of the first 1,000 rows of contempt: such a table is ckextended.csv, not FER2013."""
        column = self.columns.index("emotion")
        for number, line in islice(self.rows(), 1000):
            fields = line.split(self.separator, column + 1)
            if len(fields) > column and label_code(fields[column].strip(b' "\r\n')) == CONTEMPT:
                return number
        return None

    def has_contempt(self) -> bool:
        """Whether a label 7 tells that this is ckextended.csv (920 rows), not FER2013."""
        return self.contempt_row() is not None

    def error(self, number: int, rule: str, came: str, remedy: str = "") -> ValueError:
        """The error for data row `number`, naming file, row, rule, what came, and remedy."""
        remedy = remedy or REFETCH
        where = f"{self}, data row {number} (the first row below the header is 1)"
        return ValueError(f"{where}: {rule}; got {came}. {remedy}")


def sniff(path: Path) -> list[Table]:
    """The table in a file that is no archive: one or none.

    Raises:
        ValueError: the file is damaged.
    """
    with packed.opened(path) as file:
        found = table(path, None, file.readline(4096))
    return [found] if found else []


def table(path: Path, member: str | None, header: bytes) -> Table | None:
    """The table that begins with a header, or None if that is no header of such a table."""
    text = header.decode("utf-8-sig", errors="replace")
    separator = max(",;\t|", key=text.count)
    columns = [name.strip(' "\r\n\t').lower() for name in text.split(separator)]
    for name, others in _SYNONYMS.items():
        if name not in columns and (same := [other for other in others if other in columns]):
            columns[columns.index(same[0])] = name
    found = Table(path, member, tuple(columns), separator.encode())
    return None if found.kind == "other" else found


def read_faces(table: Table, n_classes: int, part: str = USAGES[0]) -> dict[str, np.ndarray]:
    """Read every row of a table of faces.

    Args:
        table: a table of kind `"faces"`.
        n_classes: labels must lie in 0..n_classes - 1, or be names of expressions.
        part: the usage of rows where the table has no Usage column (as train.csv).

    Returns:
        `images` uint8 (n, 48, 48), `labels` int64 (n,), and `usage` str (n,), in the order of the file.

    Raises:
        ValueError: a bad row; the message names file, row, rule and remedy.
    """
    pixels_so_far, labels, usage = bytearray(), [], []  # grows in place: one copy of the images, ever
    rows = table.rows()
    words = None
    while batch := list(islice(rows, BATCH)):
        fields = [(number, table.fields(number, line)) for number, line in batch]
        words = fields[0][1]["emotion"][:1].isalpha() if words is None else words
        labels += [_label(table, number, row["emotion"], n_classes, words) for number, row in fields]
        usage += [usage_of(table, number, row) if "usage" in row else part for number, row in fields]
        pixels_so_far += _parsed(table, fields).data
    if not labels:
        raise ValueError(f"{table} must have rows below its header; got none. Fetch it again.")
    faces = np.frombuffer(pixels_so_far, np.uint8).reshape(-1, SIZE, SIZE)
    parts = named_usages(usage) if "usage" in table.columns else np.array(usage)
    return {"images": faces, "labels": np.array(labels, np.int64), "usage": parts}


def _parsed(table: Table, rows: list[tuple[int, dict[str, bytes]]]) -> np.ndarray:
    """uint8 (r, 2304): the pixels of rows, whole numbers with or without a zero fraction."""
    texts = [row["pixels"] for _, row in rows]
    texts = [_ZERO_FRACTION.sub(b"", text) if b"." in text else text for text in texts]
    pixels = parse_pixels(texts)
    if pixels is None:
        return np.stack([_pixels(table, number, text) for (number, _), text in zip(rows, texts, strict=True)])
    return pixels


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


def label_code(field: bytes) -> int | None:
    """FER2013's code (7 for contempt) that a label means, a whole number or the name of an expression."""
    if len(field) == 1 and field.isdigit():
        return int(field)
    text = _ZERO_FRACTION.sub(b"", field[:40]).decode("ascii", errors="replace")
    if len(text) == 1 and text.isdigit():
        return int(text)
    name = None if text[:1].isdigit() else naming.expression(text)
    return (*EXPRESSIONS, "contempt").index(name) if name else None


def _label(table: Table, number: int, field: bytes, n_classes: int, words: bool) -> int:
    code = label_code(field)
    if code is not None and code < n_classes and words == field[:1].isalpha():
        return code
    remedy = "7 is contempt in ckextended.csv: read that with load('ckplus', ...)." if field == b"7" else ""
    rule = f"The emotion is a whole number from 0 to {n_classes - 1}"
    rule = "The emotion is the name of one in every row, as in the first" if words else rule
    raise table.error(number, rule, shown(field), remedy)


def usage_of(table: Table, number: int, row: Mapping[str, bytes]) -> str:
    """The name of a part in a row's usage, as it is written; ValueError if it names none."""
    name = row["usage"][:40].decode("ascii", errors="replace")
    if len(row["usage"]) > 40 or naming.part(name) is None:
        rule = f"Usage is one of {', '.join(naming.GENERIC)} or {', '.join(USAGES)}"
        raise table.error(number, rule, shown(row["usage"]))
    return name


def named_usages(written: Iterable[str]) -> np.ndarray:
    """Array str (n,): the usages that names of parts mean beside one another; see `naming.usages`."""
    names, rows = np.unique(np.array(list(written)), return_inverse=True)
    meant = naming.usages(names.tolist())
    return np.array([meant[name] for name in names.tolist()])[rows]


def _pixels(table: Table, number: int, field: bytes) -> np.ndarray:
    """One row, number by number: slow, and exact about what is wrong."""
    tokens = field.split()
    if len(tokens) != PIXELS:
        side = isqrt(len(tokens))
        size = f" ({side} x {side})" if side > 1 and side * side == len(tokens) else ""
        remedy = f"Resize its faces to 48 x 48 pixels. {REFETCH}" if size else ""
        raise table.error(number, f"A face has {PIXELS:,} pixels (48 x 48)", f"{len(tokens):,}{size}", remedy)
    for position, token in enumerate(tokens, 1):
        if not token.isdigit() or len(token) > 3 or int(token) > 255:
            came = f"{shown(token)} at pixel {position}"
            remedy = f"Write grey values as whole numbers, 0 black to 255 white. {REFETCH}" if b"." in token else ""
            raise table.error(number, "A pixel is a whole number from 0 to 255", came, remedy)
    return np.array(tokens, dtype="S3").astype(np.uint8)


def shown(field: bytes) -> str:
    """A field as a message shows it."""
    text = field[:40].decode("utf-8", errors="replace")
    return repr(text) if len(field) <= 40 else f"{text!r}..."
