"""From the text of a formula to tokens: numbers, names, operators, each with its column.

Only ASCII is read. Whatever else stands in the text gets an error that says what would work.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

from limen.errors import FormulaError

__all__ = ["MOST_CHARACTERS", "Token", "number", "tokenize"]

MOST_CHARACTERS = 10_000
"""A longer text is refused before it is looked at."""

Kind = Literal["number", "name", "operator", "end"]


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a formula: its kind, its text, and its column counted from 0."""

    kind: Kind
    text: str
    column: int


_TOKEN = re.compile(
    r"""
      (?P<number>   (?: [0-9]+ \.? [0-9]* | \.[0-9]+ ) (?: [eE] [+-]? [0-9]+ )? )
    | (?P<name>     [A-Za-z] [A-Za-z0-9_]* )
    | (?P<operator> \*\* | [<>=!]= | [-+*<>(),=] | /(?!/) )
    | (?P<space>    [ \t\r\n]+ )
    """,
    re.VERBOSE,
)

# What people write and what a formula says instead.
_INSTEAD = {
    "^": "a power is written **",
    "//": "there is no floor division: / divides",
    "%": "there is no remainder",
    "&": "there is no `and`: write where(a, where(b, yes, no), no)",
    "|": "there is no `or`: write where(a, yes, where(b, yes, no))",
    "~": "there is no `not`: swap the two choices of where",
    "!": "there is no `not`: swap the two choices of where; unequal is written !=",
    ".": "a formula has no attributes: call a function by its name, as in tanh(x)",
    "_": "a name begins with a letter",
    "[": "a formula has no indexing: it describes what happens to one number",
    "]": "a formula has no indexing: it describes what happens to one number",
    "{": "grouping is written ( )",
    "}": "grouping is written ( )",
    "'": "a formula has no strings",
    '"': "a formula has no strings",
    "`": "a formula has no strings",
    ":": "a formula has no `:`; a choice is written where(x < 0, a, b)",
    ";": "a formula is one expression",
    "@": "a product is written *",
    "#": "a formula has no comments",
    "\\": "a formula is not LaTeX: write tanh(x), (a) / (b)",
    "?": "a choice is written where(x < 0, a, b)",
    "$": "a formula is written without $",
    "−": "write the minus sign of the keyboard, -",
    "–": "write the minus sign of the keyboard, -",
    "×": "a product is written *",
    "·": "a product is written *",
    "⋅": "a product is written *",
    "÷": "a quotient is written /",
    "²": "a square is written **2",
    "³": "a cube is written **3",
    "≤": "write <=",
    "≥": "write >=",
    "≠": "write !=",
    "√": "write sqrt(x)",
    "π": "write pi",
    "∞": "a formula has no infinity; limits are found by themselves",
}


def tokenize(text: str) -> Iterator[Token]:
    """The tokens of a formula one by one, with an "end" after the last.

    Raises:
        FormulaError: for what is no word of a formula, with its column, once it is reached.
    """
    if not isinstance(text, str):
        raise FormulaError(f"a formula is text, such as 'x * tanh(x)'; got {type(text).__name__}")
    if len(text) > MOST_CHARACTERS:
        raise FormulaError(
            f"a formula of {len(text):,} characters is too long: the limit is "
            f"{MOST_CHARACTERS:,}; name its parts with limen.register and call them",
            text,
            MOST_CHARACTERS,
        )
    column = 0
    while column < len(text):
        match = _TOKEN.match(text, column)
        if match is None:
            raise FormulaError(_stranger(text, column), text, column)
        if match.lastgroup == "number":
            _check_number_ends(text, match.end())
        if match.lastgroup != "space":
            yield Token(cast(Kind, match.lastgroup), match[0], column)
        column = match.end()
    yield Token("end", "", column)


def number(text: str, token: Token) -> float:
    """The binary64 value of a number token; an integer up to 2**53 is exact.

    Raises:
        FormulaError: for one that binary64 cannot hold, being too large or too near to 0.
    """
    value = float(token.text)
    if math.isinf(value):
        raise FormulaError("this number is too large for binary64", text, token.column)
    if value == 0 and re.search("[1-9]", re.split("[eE]", token.text)[0]):
        raise FormulaError(
            "this number is too small for binary64, which would take it for 0", text, token.column
        )
    return value


def _check_number_ends(text: str, end: int) -> None:
    """Refuses what Python, but no formula, allows right behind a digit: `1j`, `0x1F`, `1_000`."""
    follower = text[end : end + 1]
    if follower in ("j", "J") and not text[end + 1 : end + 2].isalnum():
        raise FormulaError("formulas are real: there is no imaginary unit", text, end)
    if follower == "_":
        raise FormulaError("a number is written without underscores", text, end)
    if follower in ("x", "X", "b", "B", "o", "O") and text[end + 1 : end + 2].isdigit():
        raise FormulaError("numbers are decimal; a product is written with *", text, end)


def _stranger(text: str, column: int) -> str:
    """What to say of text that begins no token."""
    pair, character = text[column : column + 2], text[column]
    for found in (pair, character):
        if found in _INSTEAD:
            return f"{found!r} is no part of a formula: {_INSTEAD[found]}"
    name = unicodedata.name(character, "a control character")
    return (
        f"{character!r} (U+{ord(character):04X}, {name}) is no part of a formula: "
        "use the letters, digits and signs of the keyboard (ASCII)"
    )
