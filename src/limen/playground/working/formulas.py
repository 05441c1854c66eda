"""Everything that is said of a formula, piece by piece, the quick pieces first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import limen
from limen import ActivationFunction, catalog, picture
from limen.display import PROPERTIES
from limen.errors import FormulaError, LimenError
from limen.insight.words import said
from limen.playground.requests import Request
from limen.playground.working.numbers import plain

__all__ = ["explore", "function_of"]

Message = dict[str, Any]
_LONGEST = 600  # characters of a derivative that a reader may still take in
_CURVE = 401  # points


def function_of(request: Request) -> ActivationFunction:
    """The function that a request names or writes down.

    Raises:
        LimenError: when there is none, or it is one of a whole row of neurons.
    """
    text = request["formula"].strip()
    found: Any
    if text.isidentifier() and text != "x":
        found = limen.Activation(text).function
    else:
        return limen.activation(text, **request["parameters"])
    if not isinstance(found, ActivationFunction):
        raise LimenError(
            f"{found.name} is a function of a whole row of neurons, not of each one: it belongs "
            "to the loss here, and cross-entropy has it already"
        )
    return found.with_parameters(**request["parameters"])


def explore(request: Request) -> Iterator[Message]:
    """What is known of a formula, for the page to show as it comes.

    Args:
        request: `formula`, `parameters`, and a `number` that comes back with every answer.

    Yields:
        A `formula` (or what is wrong with it), a `curve`, a `property` each, and `explored`, when
        the kernels that a model needs are compiled and kept, too.
    """
    number = request["number"]
    try:
        for message in _explored(function_of(request)):
            yield {**message, "number": number}
    except FormulaError as error:
        yield {**_wrong(error.message, error.text, error.column), "number": number}
    except LimenError as error:
        yield {**_wrong(str(error)), "number": number}


def _wrong(message: str, text: str | None = None, column: int | None = None) -> Message:
    return {"kind": "formula", "wrong": message, "text": text, "column": column}


def _explored(f: ActivationFunction) -> Iterator[Message]:
    yield _formula(f)
    yield _curve(f)
    for name in () if f.is_gated else PROPERTIES:
        answer = getattr(f, name)
        label = name.removeprefix("is_")
        points = [x for x in picture.points(answer) if np.isfinite(x)]
        yield {"kind": "property", "name": label, "text": said(answer), "points": points}
    _compile(f)
    yield {"kind": "explored"}


def _formula(f: ActivationFunction) -> Message:
    by = f.inputs[0]
    record = catalog.find(f.name)
    return {
        "kind": "formula",
        "wrong": None,
        "label": picture.label(f),
        "formula": _short(f.formula),
        "by": by,
        "derivative": _short(f.derivative(by).formula),
        "gated": f.is_gated,
        "parameters": f.parameters,
        "about": f"{record.description} ({record.source})" if record else "",
    }


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"


def _curve(f: ActivationFunction) -> Message:
    c = picture.curve(f, *picture.window(f), count=_CURVE)
    low, high = picture.frame(c)
    curves = {"x": plain(c.x, 8), "y": plain(c.y), "dy": plain(c.dy)}
    return {"kind": "curve", **curves, "low": low, "high": high}


def _compile(f: ActivationFunction) -> None:
    """Compiles what a model needs, into the cache: the model's process finds it there."""
    x = [np.zeros(8, np.float32)] * len(f.inputs)
    f(*x)
    f.backward(x[0], *x)
