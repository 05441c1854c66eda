"""What to say of a name that a formula does not know, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from keyword import iskeyword

from limen.formula.operations import OPERATIONS

__all__ = ["FUNCTIONS", "INFIX", "advise", "keyword_advice"]

INFIX = {row.symbol: row for row in OPERATIONS.values() if row.symbol and row.arity == 2}
"""The binary operators by symbol."""

FUNCTIONS = {row.name: row for row in OPERATIONS.values() if row.arity and not row.symbol}
"""The operations that are called by name."""

# Names from Python, NumPy and PyTorch, and what they are here.
_SYNONYMS = {
    "min": "minimum(a, b)",
    "fmin": "minimum(a, b)",
    "max": "maximum(a, b)",
    "fmax": "maximum(a, b)",
    "clamp": "clip(a, lowest, highest)",
    "absolute": "abs(a)",
    "fabs": "abs(a)",
    "sgn": "sign(a)",
    "signum": "sign(a)",
    "ln": "log(a)",
    "log2": "log(a) / log(2)",
    "log10": "log(a) / log(10)",
    "exp2": "exp(a * log(2))",
    "pow": "a ** 2",
    "power": "a ** 2",
    "square": "a ** 2",
    "cbrt": "sign(a) * abs(a) ** (1 / 3)",
    "rsqrt": "1 / sqrt(a)",
    "reciprocal": "1 / a",
    "add": "a + b",
    "subtract": "a - b",
    "sub": "a - b",
    "multiply": "a * b",
    "mul": "a * b",
    "divide": "a / b",
    "div": "a / b",
    "negate": "-a",
    "negative": "-a",
    "neg": "-a",
    "less": "a < b",
    "less_equal": "a <= b",
    "greater": "a > b",
    "greater_equal": "a >= b",
    "equal": "a == b",
    "not_equal": "a != b",
    "logical_and": "where(a < 0, where(b < 0, yes, no), no)",
    "logical_or": "where(a < 0, yes, where(b < 0, yes, no))",
    "arctan": "atan(a)",
    "expit": "sigmoid(a)",
    "logsigmoid": "-softplus(-a)",
    "tan": "sin(a) / cos(a)",
    "coth": "1 / tanh(a)",
    "inf": None,
    "nan": None,
    "True": "1",
    "False": "0",
}

# Names of functions over whole arrays: an activation function sees one number at a time.
_OVER_ARRAYS = {"sum", "mean", "std", "var", "norm", "softmax", "log_softmax", "softmin", "dot"}

_KEYWORDS = {
    "if": "a choice is written where(x < 0, a, b)",
    "else": "a choice is written where(x < 0, a, b)",
    "and": "write where(a, where(b, yes, no), no) for `a and b`",
    "or": "write where(a, yes, where(b, yes, no)) for `a or b`",
    "not": "swap the two choices of where",
    "is": "equality is written ==",
    "lambda": "a formula is written without its head: x * tanh(x)",
    "None": "a formula's values are numbers",
}


def keyword_advice(name: str) -> str | None:
    """What to say of a word of Python in a formula; None for a word that is not."""
    if not iskeyword(name) or name in _SYNONYMS:
        return None
    return f"`{name}` is no part of a formula: {_KEYWORDS.get(name, 'it is one expression')}"


def advise(name: str, known: Iterable[str], *, called: bool) -> str:
    """What to say of an unknown name.

    Args:
        name: the name.
        known: the names that are known at this place.
        called: whether it stands in front of a parenthesis.
    """
    what = (
        f"unknown {'function' if called else 'name'} {name!r}"
        if len(name) < 60
        else (f"unknown name of {len(name)} characters")
    )
    if name in _SYNONYMS:
        instead = _SYNONYMS[name]
        return f"{what}: " + (f"write {instead}" if instead else "a formula's numbers are finite")
    if name in _OVER_ARRAYS:
        return f"{what}: an activation function sees one number at a time"
    # Near names are found by comparing letters, which for a name of thousands would take long.
    near = get_close_matches(name[:60], set(known), n=2, cutoff=0.6)
    if near:
        return f"{what}: did you mean {' or '.join(near)}?"
    if called:
        return f"{what}: limen.names() lists the functions that formulas can call"
    return (
        f"{what}: a parameter needs a default, as in limen.activation(..., {name[:60]}=1.0), "
        "which commands call --param"
    )
