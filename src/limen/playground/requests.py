"""What a page asks: text from a WebSocket becomes a request with checked values, or is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from limen.errors import LimenError
from limen.playground import limits

__all__ = ["DATA", "LOSSES", "OPTIMIZERS", "RefusedError", "Request", "read"]

Request = dict[str, Any]
"""`do` says what; the rest is what `read` let through: JSON, every value checked."""

DATA = ("moons", "circles", "spirals", "xor", "blobs", "digits")
LOSSES = ("cross_entropy", "half_squared_error")
OPTIMIZERS = ("adam", "adamw", "sgd", "momentum")
_LARGEST_SEED = 2**32 - 1
_LONGEST_NAME = 40
_MOST_SAMPLES = 100_000


class RefusedError(LimenError, ValueError):
    """A message that is no request; says what would be one."""


def read(text: str) -> Request:
    """The request that a message is.

    Args:
        text: JSON, an object with `do` and what belongs to it.

    Raises:
        RefusedError: for anything else, and for more than the limits allow.

    Example:
        >>> read('{"do": "sample", "index": 3}')
        {'do': 'sample', 'index': 3}
    """
    if len(text) > limits.MESSAGE:
        raise RefusedError(
            f"a message of {len(text):,} characters: {limits.MESSAGE:,} are the most"
        )
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise RefusedError("a message has to be JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("do"), str):
        raise RefusedError('a message has to be an object with "do"')
    fields = _REQUESTS.get(message["do"])
    if fields is None:
        raise RefusedError(f"nothing is called {message['do'][:_LONGEST_NAME]!r} here")
    checked = {name: check(message.get(name), name) for name, check in fields.items()}
    return {"do": message["do"], **checked}


# A check takes a value and the name of its field; it returns the value or refuses it.
Check = Callable[[Any, str], Any]


def _text(longest: int) -> Check:
    def check(value: Any, name: str) -> str:
        if not isinstance(value, str):
            raise RefusedError(f"{name}: write text")
        if len(value) > longest:
            raise RefusedError(f"{name}: {len(value):,} characters; {longest} are the most here")
        if not value.strip():
            raise RefusedError(f"{name}: write something, such as x * tanh(softplus(x))")
        return value

    return check


def _whole(low: int, high: int) -> Check:
    def check(value: Any, name: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise RefusedError(f"{name}: a whole number from {low:,} to {high:,}")
        return value

    return check


def _real(low: float, high: float) -> Check:
    def check(value: Any, name: str) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:  # NaN is refused, too
            raise RefusedError(f"{name}: a number from {low:g} to {high:g}")
        return float(value)

    return check


def _choice(*choices: str) -> Check:
    def check(value: Any, name: str) -> str:
        if value not in choices:
            raise RefusedError(f"{name}: one of {', '.join(choices)}")
        return str(value)

    return check


def _widths(value: Any, name: str) -> list[int]:
    if not isinstance(value, list) or len(value) > limits.LAYERS:
        raise RefusedError(f"{name}: the neurons of each hidden layer, {limits.LAYERS} at most")
    return [_whole(1, limits.NEURONS)(width, name) for width in value]


def _parameters(value: Any, name: str) -> dict[str, float]:
    """`beta=1.5, a=2` as a dictionary."""
    if not isinstance(value, str):
        raise RefusedError(f"{name}: write text")
    found: dict[str, float] = {}
    for setting in filter(str.strip, value.split(",")):
        word, equals, number = (part.strip() for part in setting.partition("="))
        try:
            found[word] = float(number)
        except ValueError:
            equals = ""
        if not equals or not word.isidentifier() or not math.isfinite(found[word]):
            raise RefusedError(f"{name}: write names and numbers, such as beta=1.5, a=2")
    if len(found) > limits.PARAMETERS or any(len(word) > _LONGEST_NAME for word in found):
        raise RefusedError(f"{name}: {limits.PARAMETERS} short names are the most here")
    return found


_FUNCTION = {"formula": _text(limits.FORMULA), "parameters": _parameters}
_REQUESTS: dict[str, dict[str, Check]] = {
    "explore": _FUNCTION | {"number": _whole(0, 2**31)},
    "build": _FUNCTION
    | {
        "data": _choice(*DATA),
        "widths": _widths,
        "seed": _whole(0, _LARGEST_SEED),
        "loss": _choice(*LOSSES),
        "optimizer": _choice(*OPTIMIZERS),
        "rate": _real(1e-6, 1e4),
        "batch": _whole(1, limits.BATCH),
        "pace": _real(0.5, 1e6),
    },
    "tune": {"rate": _real(1e-6, 1e4), "pace": _real(0.5, 1e6)},
    "train": {},
    "pause": {},
    "step": {},
    "seen": {},
    "neuron": {"layer": _whole(-1, 2 * limits.LAYERS), "neuron": _whole(0, limits.NEURONS - 1)},
    "sample": {"index": _whole(0, _MOST_SAMPLES)},
}
