"""Reading what a page prints, line by line, and holding it against what must stand there."""

from __future__ import annotations

import re
from collections.abc import Mapping

_WORDS = (
    "last epoch(?!s)", "epoch chosen on validation", "epoch CHOSEN ON TEST", "epoch chosen on training images",
    "not measured", "reduced budget", "mirror images", "one training serves both",
    "scored on its training images", "never above",
)  # fmt: skip
_NAME = r"[A-Za-z_][\w+]*\d\w*"
_NUMBER = r"[-+−]?\d+(?:,\d{3})*(?:\.\d+)?(?:e-\d+)?"
_TOKEN = re.compile("|".join((*_WORDS, _NAME, _NUMBER)))
Lines = dict[str, list[str]]


def tokens(text: str) -> list[str]:
    """All that has a digit, spelt as there and in order, and the words that say which number it is."""
    return _TOKEN.findall(text)


def block(page: str, name: str) -> str:
    """What stands between the markers of a written block."""
    return between(page, f"<!-- {name}: written by `make tables` -->", f"<!-- {name} end -->")


def between(page: str, opening: str, closing: str) -> str:
    """From behind the first `opening` to before the next `closing`."""
    _, begin, rest = page.partition(opening)
    inside, end, _ = rest.partition(closing)
    assert begin and end, f"the page lacks {opening!r} or {closing!r} behind it"
    return inside


def problems(text: str, expected: Mapping[str, list[str]], keys: int) -> list[str]:
    """What a text prints otherwise than it must; empty where all is right.

    Args:
        text: table rows, known by their first `keys` cells, and other lines, known by their order.
        expected: by the same names the cells behind, as texts of which `tokens` are compared.
    """
    printed = numbered(lines(text, keys))
    found = [f"is missing: {name}" for name in expected if name not in printed]
    for name, cells in printed.items():
        if name not in expected:
            found.append(f"nothing stored says: {name}")
        elif (said := [tokens(x) for x in cells]) != (must := [tokens(x) for x in expected[name]]):
            found.append(f"{name}: printed {said}, computed {must}")
    return found


def lines(text: str, keys: int) -> list[tuple[str, list[str]]]:
    """Name and cells of every line that has any."""
    found, other = [], 0
    for line in text.splitlines():
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip()[1:-1].split("|")]
            if set(line) - set("|-: "):
                found.append((" | ".join(cells[:keys]), cells[keys:]))
        elif line.strip():
            other += 1
            found.append((f"text {other}", [line]))
    return found


def numbered(rows: list[tuple[str, list[str]]]) -> Lines:
    """Rows by name; those of one name are told apart by a number, in the order of their tokens."""
    found: Lines = {}
    for name, cells in sorted(rows, key=lambda row: [tokens(cell) for cell in row[1]]):
        n = 1
        while (key := f"{name} #{n}" if n > 1 else name) in found:
            n += 1
        found[key] = cells
    return found


def unmarked(text: str) -> str:
    """Without the targets of links and what is set as code."""
    return re.sub(r"`[^`]*`|\]\([^)]*\)", "", text)
