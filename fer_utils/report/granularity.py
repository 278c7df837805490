"""Which numbers of images can give a printed accuracy: the granularity test, in exact arithmetic.

An accuracy on n images is k / n for a whole k, so a printed percentage admits only certain n (Brown and Heathers,
"The GRIM test", Social Psychological and Personality Science, 2017). Printed numbers are text, because "67.60" has
two decimals and 67.6 has one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from fractions import Fraction

import pandas as pd

RULES = ("rounded", "truncated", "either")
"""How the last printed digit came about; `"either"` gives the report the benefit of the doubt."""


def decimals(printed: str) -> int:
    """Digits after the point: 2 for "67.60".

    Raises:
        ValueError: not a percentage in plain digits.
    """
    try:
        value = Decimal(printed)
    except (InvalidOperation, TypeError) as error:
        raise ValueError(_rule(printed)) from error
    if not (value.is_finite() and 0 <= value <= 100) or "e" in printed.lower():
        raise ValueError(_rule(printed))
    return max(0, -int(value.as_tuple().exponent))


def counts(printed: str, n: int, rule: str = "either") -> range:
    """The numbers k of right answers out of n that print as `printed`; empty where there are none.

    Rounding may take an exact half up or down; truncation cuts the digits that follow.

    Args:
        printed: an accuracy in percent as it is printed, such as "67.60".
        n: images, at least 1.
        rule: one of `RULES`.

    Raises:
        ValueError: see `decimals`; n below 1; another rule.
    """
    if n < 1 or rule not in RULES:
        raise ValueError(f"counts() needs n >= 1 images and a rule among {', '.join(RULES)}; got {n} and {rule!r}.")
    step = Fraction(1, 10 ** decimals(printed))
    value = Fraction(Decimal(printed))
    low, high = math.ceil((value - step / 2) * n / 100), math.floor((value + step / 2) * n / 100)
    if rule != "rounded":
        first, last = math.ceil(value * n / 100), math.ceil((value + step) * n / 100) - 1
        low, high = (first, last) if rule == "truncated" else (min(low, first), max(high, last))
    return range(max(low, 0), min(high, n) + 1)


def reachable(printed: str, n: int, rule: str = "either") -> bool:
    """Whether `printed` can be an accuracy on n images; arguments as in `counts`."""
    return len(counts(printed, n, rule)) > 0


def sizes(printed: Iterable[str], among: Iterable[int], rule: str = "either") -> list[int]:
    """Those numbers of images on which *all* of some printed accuracies can be reached.

    `"either"` judges each by itself; ask for `"rounded"` and `"truncated"` to hold all to one rule.
    """
    printed = list(printed)
    return [n for n in among if all(reachable(value, n, rule) for value in printed)]


def table(printed: Iterable[str], among: Iterable[int]) -> pd.DataFrame:
    """For readers: each printed accuracy against each number of images, with the k that give it.

    A cell holds "k = 2,426", or the nearest accuracies that exist; "truncated only" marks one that rounding
    alone cannot reach.
    """
    among = list(among)
    rows = {value: {f"n = {n:,}": cell(value, n) for n in among} for value in printed}
    return pd.DataFrame.from_dict(rows, orient="index")


def cell(printed: str, n: int) -> str:
    """One cell of `table`."""
    for rule, remark in (("rounded", ""), ("truncated", ", truncated only")):
        if found := counts(printed, n, rule):
            last = f" to {found[-1]:,}" if len(found) > 1 else ""
            return f"k = {found[0]:,}{last}{remark}"
    below, above = neighbours(printed, n)
    return f"impossible: {below} or {above}"


def neighbours(printed: str, n: int) -> tuple[str, str]:
    """The two accuracies on n images next to a printed one, in percent with one digit more than it."""
    below = math.floor(Fraction(Decimal(printed)) * n / 100)
    digits = decimals(printed) + 1
    return tuple(f"{100 * k / n:.{digits}f}" for k in (below, min(below + 1, n)))


def _rule(printed: object) -> str:
    return (
        "A printed accuracy is text in plain digits from 0 to 100, in percent, such as '67.60'; "
        f"got {printed!r}. Keep trailing zeros: they tell the decimals."
    )
