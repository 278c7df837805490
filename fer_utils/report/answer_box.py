"""The answer box of a notebook: sentences whose direction and verb follow from an estimate and its interval.

>>> for low, high in ((0.011, 0.073), (-0.019, 0.043)):
...     print(compared("A", "B", Interval((low + high) / 2, low, high, level=0.95, n=500, method="bootstrap")))
Accuracy is **better** with A than with B, by 4.2 points (95 % interval 1.1 to 7.3).
Accuracy is **not shown to differ** between A and B: the difference is +1.2 points (95 % interval −1.9 to 4.3).

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
    sign, shown = direction(gap), _size(gap)
    if not sign:
        return f"{quantity} is **not shown to differ** between {one} and {other}: the difference is {shown}."
    return f"{quantity} is **{words[0] if sign > 0 else words[1]}** with {one} than with {other}, by {shown}."


def moved(what: str, gap: Interval, *, quantity: str = "an accuracy") -> str:
    """One sentence on what a deed does to a quantity, as Markdown.

    Args:
        what: the deed, as the subject of the sentence: "Choosing the epoch on test images".
        gap: the quantity with the deed minus that without it, as fractions of 1, with its interval.
        quantity: what was measured.

    Returns:
        Such as "Choosing the epoch on test images **raises** an accuracy by 2.2 points (95 % interval 0.4 to 4.1).";
        where the interval holds 0, "… is **not shown to move** an accuracy: …".

    Raises:
        ValueError: see `direction`.
    """
    sign, shown = direction(gap), _size(gap)
    if not sign:
        return f"{what} is **not shown to move** {quantity}: the difference is {shown}."
    return f"{what} **{'raises' if sign > 0 else 'lowers'}** {quantity} by {shown}."


def agreement(who: str, correlation: Interval) -> str:
    """One sentence on how far two rankings agree, as Markdown.

    Args:
        who: what agrees, in the plural: the sentence begins with it.
        correlation: a rank correlation in [-1, 1] with its interval.

    Returns:
        Such as "The two maps **agree little**: their rank correlation is 0.11 (95 % interval 0.08 to 0.14)." The verb
        follows the interval: "agree well" where it lies above 0.5, "agree little" where it lies between 0 and 0.5,
        "agree in part" where it holds 0.5, "contradict each other" below 0, and "are not shown to agree" where it
        holds 0.

    Raises:
        ValueError: see `direction`.
    """
    above = direction(correlation)
    half = (correlation.low > 0.5) - (correlation.high < 0.5)
    verb = {1: {1: "agree well", 0: "agree in part", -1: "agree little"}[half], -1: "contradict each other"}.get(
        above, "are not shown to agree"
    )
    middle, low, high = (_number(value) for value in (correlation.estimate, correlation.low, correlation.high))
    shown = f"{middle} ({100 * correlation.level:g} % interval {low} to {high})"
    return f"{who} **{verb}**: their rank correlation is {shown}."


def promised(when: str, gap: Interval) -> str:
    """One sentence on whether a network is as sure as it is right, as Markdown.

    Args:
        when: the network and the images; the sentence begins with it and goes on with "is".
        gap: mean confidence minus accuracy, as fractions of 1, with its interval.

    Returns:
        Such as "On clean images, the network is **too sure**: its mean confidence lies 8.0 points above its accuracy
        (95 % interval 5.0 to 11.0)."; "**not sure enough**" where it lies below, and "**not shown to be too sure or too
        unsure**" where the interval holds 0.

    Raises:
        ValueError: see `direction`.
    """
    sign, shown = direction(gap), _size(gap)
    if not sign:
        return f"{when} is **not shown to be too sure or too unsure**: confidence minus accuracy is {shown}."
    words, side = ("too sure", "above") if sign > 0 else ("not sure enough", "below")
    shown = shown.replace(" points", f" points {side} its accuracy")
    return f"{when} is **{words}**: its mean confidence lies {shown}."


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


def _size(gap: Interval) -> str:
    """A difference with its interval in points: without its sign where it has one for sure, else with it."""
    if sign := direction(gap):
        low, high = sorted((sign * gap.low, sign * gap.high))
        return f"{_points(abs(gap.estimate))} points ({_interval(gap.level, low, high)})"
    return f"{_points(gap.estimate, '+')} points ({_interval(gap.level, gap.low, gap.high)})"


def _points(share: float, sign: str = "") -> str:
    """A share in points, with a true minus; what rounds to nothing has no sign."""
    value = round(100 * share, 1) or 0.0
    return f"{value:{sign if value else ''}.1f}".replace("-", "−")


def _number(value: float) -> str:
    """Two decimals, with a true minus; what rounds to nothing has no sign."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def _interval(level: float, low: float, high: float) -> str:
    return f"{100 * level:g} % interval {_points(low)} to {_points(high)}"
