"""Damaged input made from sound input, and the rule for what a reader may do with it.

A reader either reads a damaged file or refuses it with an error of its own: a `ValueError` or `FileNotFoundError` that
a `raise` statement of the package makes (no library's error that passes through), and that is a sentence.
"""

from __future__ import annotations

import ast
import copy
import faulthandler
import io
import json
import random
import signal
import sys
import traceback
import types
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import fer_utils

PACKAGE = Path(fer_utils.__file__).parent
SECONDS = 10.0
"""How long a reader may take for one small damaged file on a busy machine."""

WORDS: tuple[bytes, ...] = (
    b"", b"\0", b"\0" * 64, b"\xff" * 16, b"-1", b"NaN", b"1e999", b"9" * 400, b"9" * 5000, b"99999999999", b"true",
    b"null", b'"', b"'", b",", b"\n", b"\r\n", b" ", b"[" * 2000, b"{", "é𝄞\u202e".encode(), b"\xed\xa0\x80",
    b"../../x", b"emotion,pixels,Usage\n", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff",
    b"\x80\x04cos\nsystem\n", (60_000).to_bytes(2, "big") * 2, (60_000).to_bytes(4, "little") * 2,
    (2**31 - 1).to_bytes(4, "big"),
)  # fmt: skip
"""What is written into files: signs of other types, huge numbers, markers, NUL bytes, odd Unicode."""

VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, float("nan"), float("inf"), 10**30, -(10**400), "", "x", "\0", "é𝄞", "\ud800", "../../x",
    "x" * 5000, [], {}, [[]], [1, "a", None], {"a": {"b": []}}, "9" * 5000,
)  # fmt: skip
"""What is put in the place of values of JSON."""


def damaged(content: bytes, rng: random.Random) -> bytes:
    """`content` with one to three random changes of its bytes."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content = rng.choice(_CHANGES)(content, rng)
    return content


def _place(content: bytes, rng: random.Random) -> int:
    """A place, every second time near the beginning or the end, where formats keep what matters."""
    n = len(content)
    return rng.choice((rng.randint(0, n), rng.randint(0, min(n, 200)), rng.randint(max(0, n - 200), n)))


def _slice(content: bytes, rng: random.Random) -> tuple[int, int]:
    start = _place(content, rng)
    return start, min(len(content), start + rng.choice((1, 2, 4, 16, 100, 3000)))


def _flip(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if changed:
            changed[min(_place(content, rng), len(changed) - 1)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(content: bytes, rng: random.Random) -> bytes:
    place = _place(content, rng)
    return rng.choice((content[:place], content[place:]))


def _delete(content: bytes, rng: random.Random) -> bytes:
    start, end = _slice(content, rng)
    return content[:start] + content[end:]


def _duplicate(content: bytes, rng: random.Random) -> bytes:
    start, end = _slice(content, rng)
    return content[:end] + content[start:end] * rng.choice((1, 1, 3, 50)) + content[end:]


def _insert(content: bytes, rng: random.Random) -> bytes:
    place, word = _place(content, rng), rng.choice((*WORDS, rng.randbytes(rng.choice((1, 7, 300)))))
    return content[:place] + word + content[place:]


def _overwrite(content: bytes, rng: random.Random) -> bytes:
    place, word = _place(content, rng), rng.choice(WORDS)
    return content[:place] + word + content[place + len(word) :]


def _exchange(content: bytes, rng: random.Random) -> bytes:
    (a, b), (c, d) = sorted((_slice(content, rng), _slice(content, rng)))
    c, d = max(b, c), max(b, d)
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def _replace(content: bytes, rng: random.Random) -> bytes:
    return rng.choice((b"", b"\0" * len(content), content[::-1], rng.choice(WORDS)))


_CHANGES = (
    *[_flip, _cut, _delete, _duplicate, _insert, _overwrite] * 4, _exchange, _exchange, _replace,
)  # fmt: skip


def damaged_table(content: bytes, rng: random.Random) -> bytes:
    """A CSV with fields exchanged, replaced, added or left out."""
    lines = [line.split(b",") for line in content.split(b"\n")]
    for _ in range(rng.choice((1, 1, 2, 4))):
        row = rng.choice(lines)
        field = rng.randrange(len(row))
        other = rng.randrange(len(row))
        change = rng.randrange(5)
        if change == 0:
            row[field], row[other] = row[other], row[field]
        elif change == 1:
            row[field] = rng.choice(WORDS)
        elif change == 2:
            row[field] = damaged(row[field], rng)
        elif change == 3:
            row.insert(field, rng.choice(WORDS))
        elif len(row) > 1:
            del row[field]
    return b"\n".join(map(b",".join, lines))


def damaged_json(content: bytes, rng: random.Random) -> bytes:
    """JSON with values replaced, taken out or put elsewhere."""
    root = {"": json.loads(content)}
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        holder, key = rng.choice(list(_nodes(root)))
        change = rng.randrange(6)
        if change < 3:
            holder[key] = copy.deepcopy(rng.choice(VALUES))
        elif change == 3:
            other, place = rng.choice(list(_nodes(root)))
            holder[key] = copy.deepcopy(other[place])
        elif change == 4 and isinstance(holder, dict) and holder is not root:
            holder[str(rng.choice(VALUES))] = holder.pop(key)
        elif holder is not root:
            del holder[key]
    return json.dumps(root[""]).encode()


def _nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every holder and key below a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in items:
        yield value, key
        yield from _nodes(inside)


def damaged_arrays(content: bytes, rng: random.Random) -> bytes:
    """An `.npz` whose checksums hold and whose members do not say what they should."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    for _ in range(rng.choice((1, 1, 2))):
        if not members:
            break
        place = rng.randrange(len(members))
        name, array = members[place]
        change = rng.randrange(6)
        if change == 0:
            members[place] = (name, damaged(array, rng))
        elif change == 1:
            members[place] = (name, _claims(array, rng))
        elif change == 2:
            members[place] = (rng.choice(("x.npy", "", "../../x.npy", "é.npy", "test_.npy", "a_b.txt", "state")), array)
        elif change == 3:
            members[place] = (name, members[rng.randrange(len(members))][1])
        elif change == 4:
            members.pop(place)
        else:
            members[place] = (name, _saved(rng.choice(_arrays())))
    return zipped(members, rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def zipped(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of members that may share a name."""
    import warnings

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, member in members:
            archive.writestr(zipfile.ZipInfo(name), member, method)
    return buffer.getvalue()


def _arrays() -> list[Any]:
    return [
        np.zeros(0), np.zeros((3, 0, 2), np.int8), np.array(["a", "é"]), np.array(3), np.full((40, 7), np.nan),
        np.full(40, -1), np.full(40, 99), np.arange(40) + 0.5, np.zeros((40, 1)), np.zeros(40, "datetime64[s]"),
        np.zeros(40, [("a", int), ("b", float)]), np.zeros((40, 7), complex), np.array([None, {}], object),
    ]  # fmt: skip


def _saved(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def _claims(array: bytes, rng: random.Random) -> bytes:
    """An `.npy` whose header claims another shape or type."""
    header = f"{{'descr': '{rng.choice(('<f8', '|O', '<U99999', '|V8', '>i2', 'x', '<M8[s]'))}', 'fortran_order': "
    header += f"{rng.choice(('False', 'True', '1', 'None'))}, 'shape': "
    header += rng.choice(("(60000, 60000)", "(99999999999999,)", "()", "(-1,)", "(3, 'a')", "[3]", "(" * 300, "(1e9,)"))
    text = (header + "}\n").encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + array[128:]


def many(content: bytes, n: int, seed: int, *structured: Callable[[bytes, random.Random], bytes]) -> Iterator[bytes]:
    """`n` damaged copies: by bytes and, in turn, by each of `structured`; the same for the same seed."""
    changes = (damaged, *structured)
    for number in range(n):
        rng = random.Random(f"{seed}-{number}")
        yield changes[number % len(changes)](content, rng)


def outcome(read: Callable[[], object]) -> str:
    """`"read"` or `"refused"`.

    Raises:
        AssertionError: the reader failed with an error that is not its own, or took too long.
    """
    try:
        with limited(SECONDS):
            read()
    except AssertionError:
        raise
    except Exception as error:
        if foreign := why_foreign(error):
            told = "".join(traceback.format_exception(error)[-6:])
            raise AssertionError(f"{foreign}\n{told[-3000:]}") from error
        return "refused"
    return "read"


def why_foreign(error: BaseException) -> str:
    """Why an error is not the package's own refusal; empty if it is."""
    if not isinstance(error, (ValueError, FileNotFoundError)) and type(error).__module__.split(".")[0] != "fer_utils":
        return f"{type(error).__name__} is neither ValueError nor FileNotFoundError"
    last = list(traceback.walk_tb(error.__traceback__))[-1]
    file, line = Path(last[0].f_code.co_filename), last[1]
    if not file.is_relative_to(PACKAGE) or not any(first <= line <= end for first, end in _raises(file)):
        return f"{type(error).__name__} comes from {file.name}, line {line}, and not from a `raise` of the package"
    text = str(error)
    if len(text) < 20 or not text.rstrip().endswith((".", ")", "?", "FILE")) or "\n" in text or "\0" in text:
        return f"the message is no sentence: {text!r}"
    return ""


@cache
def _raises(file: Path) -> list[tuple[int, int]]:
    """First and last line of every `raise` with an error of its own."""
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return [(node.lineno, node.end_lineno or 0) for node in nodes if isinstance(node, ast.Raise) and node.exc]


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Fail after so many seconds; code in a library that never returns ends the process, with its traceback."""

    def late(_: int, frame: types.FrameType | None) -> None:
        raise AssertionError(f"no answer after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(3 * seconds, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
