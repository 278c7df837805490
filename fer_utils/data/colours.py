"""The colour of each expression, in every figure and on every picture."""

from __future__ import annotations

# Okabe and Ito's colours, told apart by colour-blind readers, without their yellow, which paper swallows.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#7F7F7F"
INK, MUTED, PALE = "#333333", "#6B6B6B", "#E6E6E6"

_BASIC = {
    "angry": VERMILLION,
    "disgust": GREEN,
    "fear": PURPLE,
    "happy": ORANGE,
    "sad": BLUE,
    "surprise": SKY,
    "neutral": GREY,
    "contempt": BLACK,
}
_SYNONYMS = {"anger": "angry", "happiness": "happy", "sadness": "sad"}
EXPRESSION_COLOURS: dict[str, str] = _BASIC | {other: _BASIC[name] for other, name in _SYNONYMS.items()}
"""Colour of each expression in every figure, under FER2013's names and those of CK+ and FER+."""
