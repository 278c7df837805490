"""Which numbers of images can give a printed accuracy: the granularity test, in exact arithmetic.

An accuracy on n images is k / n for a whole k, so a printed percentage admits only certain n (Brown and Heathers,
"The GRIM test", Social Psychological and Personality Science, 2017). Printed numbers are text, because "67.60" has
two decimals and 67.6 has one.

`statement` says once what follows for the five reports, and how little: that no whole number of right answers gives a
number is a proof, that one does is not. Other pages refer to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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

    Example:
        98.48 % can be 194 of 197 images, and nothing of 200.

        >>> counts("98.48", 197), counts("98.48", 200)
        (range(194, 195), range(197, 197))
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


def as_batch_mean(printed: str, n: int, batch: int, rule: str = "either") -> bool:
    """Whether `printed` can be the plain mean of the accuracies of batches, the last of which is short.

    Such a mean gives the last batch too much weight, and takes many more values than an accuracy on n images. (Keras
    itself weighs by images; a loop written by hand often does not.)

    Args:
        printed, n, rule: as in `counts`.
        batch: images of a full batch, at least 1.
    """
    if batch < 1:
        raise ValueError(f"as_batch_mean() needs batches of at least 1 image; got {batch}.")
    steps = -(-n // batch)
    rest = n - (steps - 1) * batch
    # The mean is (full / batch + right / rest) / steps: shares of steps * batch * rest, some of which occur.
    shares = counts(printed, steps * batch * rest, rule)
    return any(
        0 <= share - right * batch <= (steps - 1) * batch * rest and (share - right * batch) % rest == 0
        for share in shares for right in range(rest + 1)
    )  # fmt: skip


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


@dataclass(frozen=True)
class Case:
    """Accuracies of one report that were printed together, and the numbers of images that come into question.

    Attributes:
        report, place: its key, and where they stand.
        printed: in percent.
        sizes: candidates by what they are.
        batch: size of the batches whose mean may have been printed instead; None where the log of Keras is quoted.
        together: numbers of images among which one is looked for that fits all of `printed` under one rule.
        near: of several such numbers, the one next to this is named.
        remark: what else one must know.
    """

    report: str
    place: str
    printed: tuple[str, ...]
    sizes: dict[str, int]
    batch: int | None = None
    together: range | None = None
    near: int = 0
    remark: str = ""


_PARTS = {"PublicTest or PrivateTest": 3_589, "both": 7_178}
CASES: dict[str, Case] = {
    "psg2025 on CK+48": Case("psg2025", "Table 5.9", ("98.48",), {"a fifth of CK+48": 197}),
    "psg2025 on FER2013": Case(
        "psg2025", "Table 5.8", ("68.20",), _PARTS, remark="The sizes of its parts are not stated.",
    ),
    "cutm2024": Case(
        "cutm2024", "Figure 9", ("65.053", "64.983"),
        {"its validation folder": 7_066, "its 13 full batches": 13 * 512,
         "56 full batches of its training folder": 56 * 512},
        remark="Its generators found 28,821 images twice (Figure 3).",
    ),
    "xavengers2025": Case("xavengers2025", "section 6.2", ("61.49",), {"either test part": 3_589}),
    "iitk2023 on FER2013": Case(
        "iitk2023", "Tables 4.3 to 4.5", ("67.60", "68.66", "63.59", "64.56", "65.64", "62.16"),
        _PARTS | {"full batches of 64 of one": 3_584, "full batches of 64 of both": 7_168},
        64, range(500, 7_179), 5_742,
        "The share split off for validation (section 4.3.1) is not stated; a fifth of Training would be 5,742 images.",
    ),
    "iitk2023 on CK+": Case(
        "iitk2023", "Tables 4.4, 4.5", ("97.97", "93.92", "93.55"),
        {"15 % of 981": 148, "20 % of 981": 197, "20 % of 930": 186, "10 % of 930": 93}, together=range(20, 400),
        remark="The share that it tested is not stated.",
    ),
    "colab2023, validation": Case(
        "colab2023", "Results", ("72.67",), _PARTS, remark="On which images it was computed is not stated.",
    ),
    "colab2023, test": Case(
        "colab2023", "Classification Report", ("67.11",), {"both test parts, as it states": 7_178},
    ),
}  # fmt: skip
"""The reports' accuracies whose number of images can be asked about."""


def statement() -> pd.DataFrame:
    """Case by case what was tested and what follows: the one place where this study says it."""
    rows = [(name, case.place, ", ".join(case.printed), tested(name), conclusion(name)) for name, case in CASES.items()]
    columns = ["numbers of", "place", "printed, in %", "tested", "what follows"]
    return pd.DataFrame(rows, columns=columns).set_index("numbers of")


def tested(name: str) -> str:
    """Which of the printed accuracies fit which number of images, and under which rule.

    Raises:
        ValueError: no such case.
    """
    case = _case(name)
    parts = [f"{what} (n = {n:,}): {_those(case.printed, n)}" for what, n in case.sizes.items()]
    if case.together:
        parts.append(_one_size(case)[0])
    if case.batch:
        short = [n for n in case.sizes.values() if n % case.batch]
        averaged = [p for p in case.printed if all(as_batch_mean(p, n, case.batch) for n in short)]
        parts.append(f"as a mean over batches of {case.batch} with a short last one: {_listed(averaged, case.printed)}")
    return "; ".join(parts)


def conclusion(name: str) -> str:
    """What the granularity of one of `CASES` proves, in words; "inconclusive" where some reading fits all numbers.

    Raises:
        ValueError: no such case.
    """
    case = _case(name)
    explained = case.together is not None and _one_size(case)[1]
    return _verdict(case, explained) + (f" {case.remark}" if case.remark else "")


def _case(name: str) -> Case:
    if name not in CASES:
        raise ValueError(f"The granularity of {', '.join(CASES)} was examined; got {name!r}. Name one of them.")
    return CASES[name]


def _those(printed: Sequence[str], n: int) -> str:
    rounded, cut = ([p for p in printed if reachable(p, n, rule)] for rule in ("rounded", "truncated"))
    if rounded == cut:
        return _listed(rounded, printed)
    text = f"rounded {_listed(rounded, printed)}, cut off {_listed(cut, printed)}"
    mixed = len(printed) not in (len(rounded), len(cut)) and set(printed) == {*rounded, *cut}
    return f"{text} (so each fits under one of the two)" if mixed else text


def _listed(those: Sequence[str], of: Sequence[str]) -> str:
    if len(those) == len(of):
        return "fits" if len(of) == 1 else "all fit"
    if not those:
        return "impossible" if len(of) == 1 else "none"
    return f"{', '.join(those)} fit{'s' if len(those) == 1 else ''}"


def _one_size(case: Case) -> tuple[str, bool]:
    """Whether one number of images gives all accuracies under one rule, in words and as an answer."""
    assert case.together is not None
    found = {rule: sizes(case.printed, case.together, rule) for rule in ("rounded", "truncated")}
    texts = []
    for name, those in zip(("rounded", "cut off"), found.values(), strict=True):
        nearest = min(those, key=lambda n: abs(n - case.near), default=None)
        texts.append(f"{name}, {len(those)} sizes fit all, such as {nearest:,}" if those else f"{name}, none fits all")
    where = f"all on one set of {case.together[0]:,} to {case.together[-1]:,} images"
    return f"{where}: {'; '.join(texts)}", any(found.values())


def _verdict(case: Case, explained: bool) -> str:
    """What is excluded under either rule, and whether some reading fits all numbers all the same."""
    out: dict[str, list[str]] = {}
    for printed in case.printed:
        if nowhere := [what for what, n in case.sizes.items() if not reachable(printed, n)]:
            out.setdefault(" or ".join(nowhere), []).append(printed)
    proved = "; ".join(f"no share of {what} gives {' or '.join(those)}" for what, those in out.items())
    texts = [f"Proved: {proved}."] if proved else ["Possible, which proves nothing."]
    if case.together:
        where = f"one test set of {case.together[0]} to {case.together[-1]:,} images under one rule"
        texts.append("Inconclusive: some reading fits all." if explained else f"Proved: they do not share {where}. "
                     "Inconclusive: test sets of their own would do.")  # fmt: skip
    return " ".join(texts)
