"""JSON of records: what `run.json` must hold before anything is done with it."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema

from fer_utils.files.reading import one_line
from fer_utils.records.config import RunConfig

_SAFE = 2**53
_NAMES = {"type": "string", "pattern": r"^[\w .:+-]{1,200}$"}
_TEXT = {"type": "string", "maxLength": 2000, "pattern": r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]*$"}
_COUNT = {"type": "integer", "minimum": 0, "maximum": _SAFE}
_NUMBER = {"type": "number", "minimum": -1e300, "maximum": 1e300}
_PLAIN: dict[Any, dict[str, Any]] = {
    int: {"type": "integer", "minimum": -_SAFE, "maximum": _SAFE}, float: _NUMBER, str: _TEXT,
    bool: {"type": "boolean"}, types.NoneType: {"type": "null"},
}  # fmt: skip


def json_object(text: bytes, where: object, schema: Any = None, finite: bool = False) -> dict[str, Any]:
    """A JSON object that follows a schema.

    Args:
        text: UTF-8.
        where: what the message names, a file for example.
        schema: a validator, as `run_schema()` is; None for any object.
        finite: whether NaN and infinity, which are no JSON, are refused.

    Raises:
        ValueError: no JSON, or not what the schema says.
    """
    constant = _no_number if finite else None
    try:
        values = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=constant)
        problem = jsonschema.exceptions.best_match((schema or _any_object()).iter_errors(values))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where} must hold JSON; got {one_line(error)}. Fetch it again.") from None
    if problem:
        name = ".".join(str(key)[:40] for key in problem.absolute_path) or "the whole"
        came = f"{one_line(name)}: {one_line(problem.message)}"
        raise ValueError(f"{where} must hold what its format says; got {came}. Fetch it again.")
    return values


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _is_whole(_: Any, value: Any) -> bool:
    """JSON Schema counts 2.0 among the integers; `range` does not."""
    return isinstance(value, int) and not isinstance(value, bool)


_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_whole),
)


@cache
def _any_object() -> Any:
    return _Validator({"type": "object"})


@cache
def run_schema() -> Any:
    """The validator of `run.json`; unknown entries are passed over, unknown settings are not."""
    kept = {"type": "string", "pattern": r"^(last|best_(train|validation|test)|block_[1-9][0-9]{0,3})$"}
    known = {
        "id": _NAMES, "parent": _NAMES, "recipe_version": _COUNT, "config": _of(RunConfig),
        "dataset": _object({"name": _NAMES, "n": _COUNT, "fingerprint": _NAMES}, ["fingerprint"]),
        "class_names": {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 1000, "uniqueItems": True},
        "split": _object({"hash": _NAMES, "train": _COUNT, "validation": _COUNT, "test": _COUNT}),
        "kept_epochs": {
            "type": "object", "minProperties": 1, "propertyNames": kept,
            "additionalProperties": {"type": "integer", "minimum": 1, "maximum": 1_000_000},
        },
        "chosen_on_test": {"type": "array", "items": kept}, "epochs": _COUNT, "stopped_early": {"type": "boolean"},
        "parameters": _COUNT, "graph": _NAMES, "backend": _TEXT, "device": _TEXT, "commit": _of(str | None),
        "seconds": _NUMBER, "images_per_second": _NUMBER, "peak_memory_mib": _NUMBER, "versions": _values(_TEXT),
        "metrics": _values(_values(_values(_NUMBER))),
    }  # fmt: skip
    optional = {"id", "parent", "stopped_early", "parameters", "graph", "commit", "images_per_second", "versions"}
    return _Validator(_object(known, sorted(known.keys() - optional)))


def _object(properties: Mapping[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required or []}


def _values(schema: dict[str, Any]) -> dict[str, Any]:
    """An object of any names."""
    return {"type": "object", "propertyNames": _NAMES, "additionalProperties": schema}


def _of(kind: Any) -> dict[str, Any]:
    """The schema of a type, of a dataclass with its fields."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_of(other) for other in inside]}
    if origin is tuple:
        return {"type": "array", "items": _of(inside[0]), "maxItems": 1000}
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        missing = dataclasses.MISSING
        required = [f.name for f in dataclasses.fields(kind) if f.default is missing and f.default_factory is missing]
        fields = _object({name: _of(hint) for name, hint in hints.items()}, required)
        return {**fields, "additionalProperties": False}
    return {"type": "object", "propertyNames": _NAMES}
