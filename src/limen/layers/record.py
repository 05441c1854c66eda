"""Reading JSON that someone else wrote: every entry is asked for by name, kind and range.

And what a model file says about an activation function: formula and settings, as text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from limen.errors import FileError, LimenError
from limen.function import ActivationFunction, activation

__all__ = ["Record", "describe_function", "restore_function"]

_LONGEST_TEXT = 100_000


class Record:
    """A JSON object of a file, with the place it stands in for errors."""

    def __init__(self, entries: Any, place: str) -> None:
        if not isinstance(entries, dict):
            raise FileError(f"{place}: expected an object, found {_short(entries)}")
        self._entries: dict[str, Any] = dict(entries)
        self._asked: set[str] = set()
        self.place = place

    @classmethod
    def parse(cls, text: str, place: str) -> Record:
        """The object that JSON text holds; NaN and Infinity are not JSON."""
        try:
            entries = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise FileError(f"{place}: not JSON: {error}") from error
        return cls(entries, place)

    def has(self, name: str) -> bool:
        return name in self._entries

    def text(self, name: str) -> str:
        value = self._get(name)
        if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
            raise self._wrong(name, f"text of at most {_LONGEST_TEXT:,} characters", value)
        return value

    def choice(self, name: str, among: Sequence[str]) -> str:
        value = self._get(name)
        if not isinstance(value, str) or value not in among:
            raise self._wrong(name, f"one of {', '.join(among)}", value)
        return value

    def integer(self, name: str, *, smallest: int, largest: int) -> int:
        value = self._get(name)
        if type(value) is not int or not smallest <= value <= largest:
            raise self._wrong(name, f"a whole number from {smallest} to {largest}", value)
        return value

    def boolean(self, name: str) -> bool:
        value = self._get(name)
        if type(value) is not bool:
            raise self._wrong(name, "true or false", value)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(name, "a list of texts", value)
        return tuple(value)

    def numbers(self, name: str) -> dict[str, float]:
        """An object of finite numbers."""
        value = self._get(name)
        if not isinstance(value, dict) or not all(map(_is_finite_number, value.values())):
            raise self._wrong(name, "an object of finite numbers", value)
        return {key: float(number) for key, number in value.items()}

    def record(self, name: str) -> Record:
        return Record(self._get(name), f"{self.place}, {name}")

    def records(self, name: str, *, most: int) -> list[Record]:
        value = self._get(name)
        if not isinstance(value, list) or len(value) > most:
            raise self._wrong(name, f"a list of at most {most:,} objects", value)
        singular = name.removesuffix("s")
        return [Record(item, f"{singular} {index}") for index, item in enumerate(value)]

    def finished(self) -> None:
        """Refuse entries that nobody asked for."""
        unknown = sorted(set(self._entries) - self._asked)
        if unknown:
            raise FileError(f"{self.place}: unknown entries {', '.join(map(_short, unknown[:8]))}")

    def _get(self, name: str) -> Any:
        if name not in self._entries:
            raise FileError(f"{self.place}: lacks {name!r}")
        self._asked.add(name)
        return self._entries[name]

    def _wrong(self, name: str, expected: str, value: Any) -> FileError:
        return FileError(f"{self.place}: {name!r} must be {expected}, found {_short(value)}")


def describe_function(function: ActivationFunction) -> dict[str, Any]:
    """An activation function as JSON: what `restore_function` makes the same function of."""
    description: dict[str, Any] = {
        "name": function.name,
        "formula": function.formula,
        "inputs": list(function.inputs),
        "parameters": dict(function.parameters),
    }
    return description


def restore_function(record: Record) -> ActivationFunction:
    """The activation function that a record describes, its formula parsed as any other text."""
    name, formula = record.text("name"), record.text("formula")
    inputs, parameters = record.texts("inputs"), record.numbers("parameters")
    record.finished()
    try:
        function = activation(formula, name=name, **parameters)
    except (LimenError, TypeError) as error:
        raise FileError(f"{record.place}: formula refused: {error}") from error
    if tuple(function.inputs) != inputs:
        raise FileError(
            f"{record.place}: formula has the inputs {', '.join(function.inputs)}, "
            f"the file says {', '.join(inputs)}"
        )
    return function


def _is_finite_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 2**1023 and math.isfinite(value)


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number of JSON")


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, dict | list) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."
