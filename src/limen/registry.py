"""Making, finding and registering activation functions by name."""

from __future__ import annotations

import difflib
import math
import threading
from collections.abc import Callable, Mapping
from functools import cache
from keyword import iskeyword
from numbers import Real
from typing import Any, overload

from limen import catalog
from limen.errors import FormulaError, UnknownNameError
from limen.formula.definition import (
    INPUTS,
    Definition,
    check_constants,
    check_default,
    inputs_of,
)
from limen.formula.operations import OPERATIONS
from limen.formula.parse import parse
from limen.formula.trace import trace
from limen.function import ActivationFunction, AtKinks

__all__ = [
    "activation", "find_definition", "get", "is_of_catalog", "names", "register", "resolve",
]  # fmt: skip

_registered: dict[str, ActivationFunction] = {}
_lock = threading.Lock()
_SHOWN = 60  # characters of an unknown name in an error


@overload
def activation(
    formula: str | Callable[..., Any], name: str | None = None, **parameters: float
) -> ActivationFunction: ...
@overload
def activation(
    formula: None = None, name: str | None = None, **parameters: float
) -> Callable[[Callable[..., Any]], ActivationFunction]: ...
def activation(
    formula: str | Callable[..., Any] | None = None, name: str | None = None, **parameters: float
) -> ActivationFunction | Callable[[Callable[..., Any]], ActivationFunction]:
    """Makes an activation function from one formula.

    Args:
        formula: text, such as `"x * sigmoid(beta * x)"`, or a Python function, which is traced
            (usable as a decorator, with or without arguments). Inputs are `x`, or `gate` and
            `value`.
        name: what to call it; a Python function's own name, or the text, if left out.
        **parameters: the default of every other name in a text.

    Returns:
        The activation function.

    Raises:
        FormulaError: says what is wrong, in which column, and what would work.

    Example:
        >>> import limen
        >>> quick = limen.activation("x * sigmoid(a * x)", a=1.702)
        >>> quick.parameters
        {'a': 1.702}
        >>> @limen.activation
        ... def swish(x, beta=1.0):
        ...     return x * limen.sigmoid(beta * x)
        >>> swish.formula
        'x * (1 / (1 + exp(-(beta * x))))'
    """
    if not isinstance(name, str | None):
        raise TypeError(f"a function's name is text, given {name!r}")
    if isinstance(formula, ActivationFunction):
        raise FormulaError(f"{formula.name} is an activation function already: take it as it is")
    if formula is None:
        return lambda function: activation(function, name, **parameters)
    if callable(formula):
        definition = trace(formula, name)
        function = ActivationFunction(definition)
        return function.with_parameters(**parameters) if parameters else function
    if not isinstance(formula, str):
        raise FormulaError(f"a formula is text or a Python function, got {type(formula).__name__}")
    expression = parse(formula, parameters, find_definition, names())
    check_constants(expression)
    defaults = {n: check_default(n, v) for n, v in parameters.items()}
    label = name or " ".join(formula.split())
    return ActivationFunction(Definition(label, inputs_of(expression), defaults, expression))


def get(name: str, *, at_kinks: AtKinks = None, **parameters: float) -> ActivationFunction:
    """The activation function of a name or alias, the user's own ones first.

    Args:
        name: such as "gelu"; `limen.names()` lists them.
        at_kinks: the derivative at kinks: a number for all, or a mapping {point: derivative}.
        **parameters: other values than the defaults.

    Raises:
        UnknownNameError: lists names that are near; for a parameter that the function has not, too.

    Example:
        >>> import limen
        >>> limen.get("relu", at_kinks=0.0).derivative()(0.0)
        np.float64(0.0)
    """
    if not isinstance(name, str):
        raise TypeError(f"get: expected a name such as 'gelu', given {name!r}")
    found = _registered.get(name)
    if found is None:
        record = catalog.find(name)
        if record is None:
            raise UnknownNameError(_unknown(name))
        found = _from_catalog(record.name if record.name != name else name)
    if at_kinks is not None:
        found = found.with_kinks(at_kinks)
    return found if _are_own(parameters, found) else found.with_parameters(**parameters)


def names(pattern: str | None = None) -> list[str]:
    """The names of all activation functions, sorted.

    Args:
        pattern: keep the names, and those with an alias or a description, that contain this.

    Raises:
        TypeError: for a pattern that is no text.

    Example:
        >>> import limen
        >>> limen.names("leaky")
        ['leaky_relu', 'prelu']
    """
    if not isinstance(pattern, str | None):
        raise TypeError(f"names: expected part of a name, such as 'relu', given {pattern!r}")
    found = dict.fromkeys(_registered, "")
    for record in catalog.RECORDS.values():
        found[record.name] = " ".join((*record.aliases, record.description)).lower()
    wanted = (pattern or "").lower()
    return sorted(n for n, more in found.items() if wanted in n.lower() or wanted in more)


def register(function: ActivationFunction, name: str | None = None) -> ActivationFunction:
    """Adds a function of one's own, to be found by `get` and used in formulas by its name.

    Args:
        function: the activation function.
        name: the name, if not the function's own; an identifier.

    Raises:
        FormulaError: when the name is no identifier, or another function's in the catalogue.
        TypeError: for what is no activation function.

    Returns:
        The function, so that it can be used as a decorator above `limen.activation`.
    """
    if not isinstance(function, ActivationFunction):
        raise TypeError(
            f"register: expected an activation function, such as limen.activation('x * tanh(x)', "
            f"name='tanh_gate'), given {function!r}"
        )
    label = name or function.name
    is_taken = label in OPERATIONS or label in INPUTS or iskeyword(label)
    if is_taken or not (label.isidentifier() and label.isascii()):
        raise FormulaError(f"{label!r} cannot be called in a formula: register(f, name='my_name')")
    record = catalog.find(label)
    if record is not None and _from_catalog(record.name).expression is not function.expression:
        raise FormulaError(f"{label!r} is taken by the catalogue: choose another name")
    with _lock:
        _registered[label] = function
    return function


def resolve(
    function: ActivationFunction | str | Callable[..., Any], **parameters: float
) -> ActivationFunction:
    """What a caller means by a function, a name, the text of a formula, or a Python function.

    Args:
        function: any of these.
        **parameters: values of its parameters; a text has those that are given.
    """
    if isinstance(function, ActivationFunction):
        return function.with_parameters(**parameters) if parameters else function
    if isinstance(function, str) and function.isidentifier() and function != "x":
        return get(function, **parameters)
    if function is None:  # which would make a decorator
        raise FormulaError("expected a function, its name or its formula, got None")
    return activation(function, None, **parameters)


def find_definition(name: str) -> Definition | None:
    """What a name called in a formula stands for, or None."""
    if name in _registered:
        return _registered[name].definition
    record = catalog.find(name)
    return None if record is None else _from_catalog(record.name).definition


@cache
def _from_catalog(name: str) -> ActivationFunction:
    record = catalog.RECORDS[name]
    expression = parse(record.formula, record.parameters, find_definition, catalog.RECORDS)
    definition = Definition(record.name, record.inputs, dict(record.parameters), expression)
    return ActivationFunction(definition, is_closed=True)


def _are_own(parameters: Mapping[str, object], function: ActivationFunction) -> bool:
    """Whether a function has these parameters already; -0.0 is another number than 0.0."""
    own = function.parameters
    return all(name in own and _is_same(own[name], given) for name, given in parameters.items())


def _is_same(own: float, given: object) -> bool:
    is_number = isinstance(given, Real) and not isinstance(given, bool)
    return is_number and own == given and math.copysign(1, own) == math.copysign(1, given)


def is_of_catalog(definition: Definition) -> bool:
    """Whether it is a function of the catalogue, at the catalogue's own numbers."""
    if definition.name not in catalog.RECORDS:
        return False
    own = _from_catalog(definition.name)
    return own.expression is definition.expression and _are_own(definition.parameters, own)


def _unknown(name: str) -> str:
    from limen.vector import VECTOR_FUNCTIONS

    what = f"there is no activation function {name[:_SHOWN]!r}: "
    if name in VECTOR_FUNCTIONS:
        return what + f"{name} is one of a whole row of neurons, and stands in limen.{name}"
    if not name.isidentifier() and name.strip():
        return what + "a formula becomes one by limen.activation"
    known = [n for r in catalog.RECORDS.values() for n in (r.name, *r.aliases)]
    # As PyTorch's classes are written: ReLU, GELU. The letters' case is no reason to find nothing.
    spelled = {each.lower(): each for each in (*known, *_registered)}
    near = difflib.get_close_matches(name[:_SHOWN].lower(), spelled, n=3)
    if near:
        return what + f"did you mean {' or '.join(repr(spelled[each]) for each in near)}?"
    if name in OPERATIONS:
        return what + f"{name} is an operation, which formulas call"
    return what + "limen.names() lists them"
