"""What a model file says about the network in it; plain text that needs no library to be read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fer_utils.files.reading import one_line

FOLDER = Path(__file__).parent / "models"
"""The networks that ship with the package."""

KEY = "fer_study"
"""Name of the description among an ONNX file's metadata."""

LARGEST_FILE = 200_000_000
"""Bytes of a model file that is read, and of what it unpacks to."""


@dataclass(frozen=True)
class Description:
    """What a network says about itself.

    Attributes:
        class_names: the k classes, in the order of its scores.
        temperature: probabilities are softmax(scores / temperature).
        size: side of its input in pixels.
        model, model_options: arguments of `models.build`; an empty name for a network from elsewhere.
        record: id of the run that trained it, if one did.
        dataset: what it was trained on, `"synthetic"` for drawn faces; empty where not known.
        calibration: how the temperature was found.
        licence: what it may be used for.
    """

    class_names: tuple[str, ...]
    temperature: float = 1.0
    size: int = 48
    model: str = ""
    model_options: Mapping[str, Any] = field(default_factory=dict)
    record: str = ""
    dataset: str = ""
    calibration: str = "none"
    licence: str = ""

    def to_text(self) -> str:
        """As JSON."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Description:
        """The inverse of `to_text`.

        Raises:
            ValueError: not such a text.
        """
        try:
            values = json.loads(text, parse_constant=_no_number)
            found = cls(**{**values, "class_names": tuple(values["class_names"])})
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ValueError(f"A description must hold what its format says; got {one_line(error)}.") from None
        for name, holds in found._rules().items():
            if not holds:
                came = one_line(repr(getattr(found, name)), 60)
                raise ValueError(f"A description must hold what its format says; got {name}: {came}. Export it again.")
        return found

    def _rules(self) -> dict[str, bool]:
        """Whether each entry is what it must be; numbers within what a network here can have."""
        names, texts = self.class_names, ("model", "record", "dataset", "calibration", "licence")
        return {
            "class_names": 2 <= len(names) <= 1000 and all(map(_is_text, names)) and len(set(names)) == len(names),
            "temperature": _is_number(self.temperature) and 0 < self.temperature <= 1e6,
            "size": type(self.size) is int and 1 <= self.size <= 1024,
            "model_options": isinstance(self.model_options, dict),
            **{name: _is_text(getattr(self, name)) for name in texts},
        }


def described(metadata: dict[str, Any]) -> Description:
    """The description among an ONNX file's metadata.

    Raises:
        ValueError: there is none.
    """
    if KEY not in metadata:
        raise ValueError(
            "A model file carries its classes and temperature; this ONNX file was not written by this study. "
            "Write one with: python -m fer_utils export ID --out FILE."
        )
    text = metadata[KEY]
    return Description.from_text(text if isinstance(text, str) else repr(text))  # bytes, where they are not UTF-8


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 2000 and (value.isprintable() or not value)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")
