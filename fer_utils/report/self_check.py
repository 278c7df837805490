"""Self-checks of the exercises: whether a reader's number is right, without showing the right one.

In a notebook, the reader's cell assigns a number, and the hidden cell below it says what to think of it:

>>> check("Exercise 2", given=12.0, expected=15.2, within=0.1)
'**Exercise 2: not yet.** 12 is too low.'
"""

from __future__ import annotations

import math
import numbers
from types import EllipsisType


def solved(given: object, expected: float, within: float) -> bool:
    """Whether `given` is a number no further than `within` from `expected`.

    Raises:
        ValueError: `expected` is not finite, or `within` is negative.
    """
    if not math.isfinite(expected) or not within >= 0:
        raise ValueError(
            "A self-check needs a finite number to expect and a distance of 0 or more; got "
            f"expected={expected}, within={within}. Run the cells above it first."
        )
    return _is_number(given) and abs(given - expected) <= within


def check(exercise: str, given: float | EllipsisType, expected: float, within: float) -> str:
    """What to tell the reader about an answer, as Markdown: right, too low, too high, or not a number yet.

    Args:
        exercise: its name, such as "Exercise 2".
        given: the reader's number; `...` where there is none yet.
        expected: the right one, computed from what the notebook has measured.
        within: how far off an answer may be.

    Raises:
        ValueError: see `solved`.
    """
    right = solved(given, expected, within)
    if given is Ellipsis:
        return f"**{exercise}: not answered yet.** Put your number in place of the dots above, and run both cells."
    if not _is_number(given):
        return f"**{exercise}: not yet.** The answer is one number; got `{given!r}`."
    if right:
        return f"**{exercise}: right.**"
    return f"**{exercise}: not yet.** {given:g} is too {'low' if given < expected else 'high'}."


def _is_number(given: object) -> bool:
    return isinstance(given, numbers.Real) and not isinstance(given, bool) and math.isfinite(given)
