"""The answer box of a notebook: sentences whose direction and verb follow from an estimate and its interval.

>>> gap = statistics.paired_bootstrap_difference(right_a, right_b, clusters=subjects)
>>> display(Markdown(box(compared("A", "B", gap), drawn=profile == "quick")))

Comes in: intervals of differences. Goes out: Markdown. No sentence says more than its interval shows.
"""

from __future__ import annotations

import math

from fer_utils.evaluation.statistics import Interval

DRAWN = (
    "*Computed on drawn faces, which prove nothing about people: what they show is how the method works. "
    "Claims about people need photographs of people.*"
)


def direction(gap: Interval) -> int:
    """1 where the whole interval of a difference lies above 0, -1 where it lies below, 0 where 0 is left plausible.

    Raises:
        ValueError: an end is not a number, or the ends are in the wrong order.
    """
    if not (math.isfinite(gap.estimate) and -math.inf < gap.low <= gap.high < math.inf):
        raise ValueError(
            "An answer needs an estimate and an interval from low to high, all of them finite; got "
            f"{gap.estimate} [{gap.low}, {gap.high}]. Measure the difference first."
        )
    return (gap.low > 0) - (gap.high < 0)


def compared(
    one: str, other: str, gap: Interval, *, words: tuple[str, str] = ("better", "worse"), quantity: str = "Accuracy"
) -> str:
    """One sentence on the difference between two things, as Markdown.

    Args:
        one, other: what is compared, as noun phrases that can follow "with".
        gap: the quantity of `one` minus that of `other`, as fractions of 1, with its interval.
        words: what to call a quantity that is larger, and one that is smaller.
        quantity: what was measured; the sentence begins with it.

    Returns:
        Such as "Accuracy is **better** with A than with B, by 4.0 points (95 % interval 1.0 to 7.0)."; where the
        interval holds 0, "Accuracy is **not shown to differ** between A and B: …".

    Raises:
        ValueError: see `direction`.
    """
    sign = direction(gap)
    if not sign:
        shown = f"{_points(gap.estimate, '+')} points ({_interval(gap.level, gap.low, gap.high)})"
        return f"{quantity} is **not shown to differ** between {one} and {other}: the difference is {shown}."
    low, high = sorted((sign * gap.low, sign * gap.high))
    shown = f"by {_points(abs(gap.estimate))} points ({_interval(gap.level, low, high)})"
    return f"{quantity} is **{words[0] if sign > 0 else words[1]}** with {one} than with {other}, {shown}."


def placed(found: Interval, low: float, high: float) -> str:
    """Where a quantity lies beside a range of the literature, as words that follow "is" in a sentence.

    Args:
        found: the quantity with its interval.
        low, high: the range, in the quantity's unit.

    Returns:
        "**below**", "**above**" or "**inside**" where the whole interval lies there, else "**not shown to lie
        outside**".

    Raises:
        ValueError: see `direction`.
    """
    direction(found)
    if found.low >= low and found.high <= high:
        return "**inside**"
    return "**below**" if found.high < low else "**above**" if found.low > high else "**not shown to lie outside**"


def box(*sentences: str, drawn: bool) -> str:
    """The box, as a Markdown quotation.

    Args:
        sentences: two or three of them.
        drawn: whether they were computed on drawn faces, as everything is in the quick profile; the box then says that
            this proves nothing about people.

    Raises:
        ValueError: no sentence.
    """
    if not any(sentence.strip() for sentence in sentences):
        raise ValueError("An answer box holds at least one sentence; got none. Pass what compared() returns.")
    paragraphs = ["**Answer.** " + " ".join(sentences), *([DRAWN] if drawn else [])]
    return "\n>\n".join(f"> {paragraph}" for paragraph in paragraphs)


def _points(share: float, sign: str = "") -> str:
    """A share in points, with a true minus; what rounds to nothing has no sign."""
    value = round(100 * share, 1) or 0.0
    return f"{value:{sign if value else ''}.1f}".replace("-", "−")


def _interval(level: float, low: float, high: float) -> str:
    return f"{100 * level:g} % interval {_points(low)} to {_points(high)}"
