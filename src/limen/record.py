"""Reading JSON that someone else wrote: every entry is asked for by name, kind and range.

And what a model file says about an activation function: formula and settings, as text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from limen.errors import FileError, FormulaError
from limen.formula.definition import Definition, check_constants, inputs_of
from limen.formula.parse import parse
from limen.function import ActivationFunction
from limen.registry import is_of_catalog

__all__ = ["Record", "describe_function", "restore_function"]

_LONGEST_TEXT = 100_000
_MOST_SURROGATES = 4
_MOST_KINKS = 1_000


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
        """Whether there is an entry of that name."""
        return name in self._entries

    def text(self, name: str) -> str:
        """Text of a bounded length."""
        value = self.value(name)
        if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
            raise self._wrong(name, f"text of at most {_LONGEST_TEXT:,} characters", value)
        return value

    def choice(self, name: str, among: Sequence[str]) -> str:
        """One of a few texts."""
        value = self.value(name)
        if not isinstance(value, str) or value not in among:
            raise self._wrong(name, f"one of {', '.join(among)}", value)
        return value

    def integer(self, name: str, *, smallest: int, largest: int) -> int:
        """A whole number in a range; true and false are none."""
        value = self.value(name)
        if type(value) is not int or not smallest <= value <= largest:
            raise self._wrong(name, f"a whole number from {smallest} to {largest}", value)
        return value

    def boolean(self, name: str) -> bool:
        """True or false."""
        value = self.value(name)
        if type(value) is not bool:
            raise self._wrong(name, "true or false", value)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self.value(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(name, "a list of texts", value)
        return tuple(value)

    def numbers(self, name: str) -> dict[str, float]:
        """An object of finite numbers."""
        value = self.value(name)
        if not isinstance(value, dict) or not all(map(_is_finite_number, value.values())):
            raise self._wrong(name, "an object of finite numbers", value)
        return {key: float(number) for key, number in value.items()}

    def record(self, name: str) -> Record:
        """An object inside this one."""
        return Record(self.value(name), f"{self.place}, {name}")

    def records(self, name: str, *, most: int) -> list[Record]:
        """A list of at most `most` objects."""
        value = self.value(name)
        if not isinstance(value, list) or len(value) > most:
            raise self._wrong(name, f"a list of at most {most:,} objects", value)
        singular = name.removesuffix("s")
        return [Record(item, f"{singular} {index}") for index, item in enumerate(value)]

    def optional(self, name: str) -> Record | None:
        """An object inside this one, or null."""
        return None if self.value(name) is None else self.record(name)

    def finished(self) -> None:
        """Refuse entries that nobody asked for."""
        unknown = sorted(set(self._entries) - self._asked)
        if unknown:
            raise FileError(f"{self.place}: unknown entries {', '.join(map(_short, unknown[:8]))}")

    def value(self, name: str) -> Any:
        """Whatever stands there, unchecked."""
        if name not in self._entries:
            raise FileError(f"{self.place}: lacks {name!r}")
        self._asked.add(name)
        return self._entries[name]

    def _wrong(self, name: str, expected: str, value: Any) -> FileError:
        return FileError(f"{self.place}: {name!r} must be {expected}, found {_short(value)}")


def describe_function(function: ActivationFunction) -> dict[str, Any]:
    """An activation function as JSON: what `restore_function` makes the same function of."""
    kinks, surrogate = function.at_kinks, function.surrogate_function
    return {
        "name": function.name,
        "formula": function.formula,
        "inputs": list(function.inputs),
        "parameters": function.parameters,
        "at_kinks": [list(pair) for pair in kinks.items()] if isinstance(kinks, dict) else kinks,
        "surrogate": surrogate and describe_function(surrogate),
    }


def restore_function(record: Record, *, depth: int = 0) -> ActivationFunction:
    """The activation function that a record describes, its formula parsed as any other text.

    The formula stands in elementary operations, so that it means the same on every machine,
    whatever has been registered there.
    """
    if depth > _MOST_SURROGATES:
        raise FileError(
            f"{record.place}: more than {_MOST_SURROGATES} surrogates inside each other"
        )
    name, formula = record.text("name"), record.text("formula")
    if not all(c.isprintable() or c.isspace() for c in name):  # what a terminal would obey
        raise FileError(f"{record.place}: 'name' holds control characters")
    inputs, parameters = record.texts("inputs"), record.numbers("parameters")
    at_kinks = _kinks(record)
    surrogate = record.optional("surrogate")
    other = None if surrogate is None else restore_function(surrogate, depth=depth + 1)
    record.finished()
    try:
        expression = parse(formula, parameters)
        check_constants(expression)
        definition = Definition(name, inputs_of(expression), parameters, expression)
    except FormulaError as error:
        raise FileError(f"{record.place}: formula refused: {error}") from error
    for given in (inputs, other and other.inputs):
        if given and given != definition.inputs:
            raise FileError(
                f"{record.place}: its formula has the inputs {', '.join(definition.inputs)}, "
                f"not {', '.join(given)}"
            )
    is_own = at_kinks is None and other is None and is_of_catalog(definition)
    return ActivationFunction(definition, at_kinks=at_kinks, surrogate=other, is_closed=is_own)


def _kinks(record: Record) -> float | dict[float, float] | None:
    value = record.value("at_kinks")
    if value is None:
        return None
    if _is_finite_number(value):
        return float(value)
    pairs: list[Any] = value if isinstance(value, list) and len(value) <= _MOST_KINKS else [None]
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2 and all(map(_is_finite_number, pair))):
            raise FileError(
                f"{record.place}: 'at_kinks' must be null, a number, or at most {_MOST_KINKS} "
                f"pairs of numbers, found {_short(value)}"
            )
    return {float(point): float(slope) for point, slope in pairs}


def _is_finite_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max  # false of NaN


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number of JSON")


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, dict | list) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."
