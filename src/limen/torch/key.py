"""A function as text, which operators, graphs and files can carry, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache

from limen.errors import FormulaError, UnknownNameError
from limen.formula.definition import Definition
from limen.formula.expression import input_, parameter, substitute, walk
from limen.function import ActivationFunction
from limen.record import Record, describe_function, restore_function
from limen.torch.native import Native

__all__ = ["function_of", "key_of", "native_of", "original_of", "partial_of", "up"]

_KEPT = 4096  # functions, their derivatives included


@lru_cache(_KEPT)
def key_of(f: ActivationFunction, learnable: tuple[str, ...] = ()) -> str:
    """The text of a function, some of whose parameters are tensors.

    Raises:
        UnknownNameError: for a learnable parameter that the function has not.
        FormulaError: for one that cannot be a tensor.
    """
    for name in learnable:
        if name not in f.parameters:
            known = ", ".join(f.parameters) or "none"
            raise UnknownNameError(f"{f.name} has no parameter {name!r}; it has: {known}")
        _check_learnable(f, name)
    entries = {"function": describe_function(f), "learnable": list(learnable)}
    return json.dumps(entries, separators=(",", ":"))


def original_of(key: str) -> ActivationFunction:
    """The function that a text was made of."""
    return _read(key)[0]


@lru_cache(_KEPT)
def function_of(key: str) -> ActivationFunction:
    """The function of a text, its learnable parameters as further inputs."""
    f, learnable = _read(key)
    return _taught(f, learnable) if learnable else f


@lru_cache(_KEPT)
def partial_of(key: str, orders: tuple[int, ...]) -> ActivationFunction:
    """A derivative: so many times by each input."""
    f = function_of(key)
    for name, order in zip(f.inputs, orders, strict=True):
        for _ in range(order):
            f = f.derivative(name)
    return f


@lru_cache(_KEPT)
def native_of(key: str, orders: tuple[int, ...]) -> Native:
    """The kernels of a derivative."""
    return Native(partial_of(key, orders), key, orders)


@lru_cache(_KEPT)
def _read(key: str) -> tuple[ActivationFunction, tuple[str, ...]]:
    record = Record.parse(key, "a function's text")
    return restore_function(record.record("function")), record.texts("learnable")


def _taught(f: ActivationFunction, learnable: Iterable[str]) -> ActivationFunction:
    """The function with parameters as inputs: a tensor of them has a value for each element."""
    names = tuple(learnable)
    for name in names:
        _check_learnable(f, name)
    leaves = {parameter(name): input_(name) for name in names}
    rest = {name: value for name, value in f.parameters.items() if name not in names}
    expression = substitute(f.expression, leaves)
    return ActivationFunction(Definition(f.name, (*f.inputs, *names), rest, expression))


def _check_learnable(f: ActivationFunction, name: str) -> None:
    """Says of a parameter that cannot be an input why, and what works."""
    if f.surrogate_function is not None:
        raise FormulaError(
            f"{name!r} of {f.name} cannot learn: the derivative is another function's, "
            f"{f.surrogate_function.name}; leave out learnable or the surrogate"
        )
    if f.at_kinks is not None:
        raise FormulaError(
            f"{name!r} of {f.name} cannot learn beside at_kinks, which is for fixed kinks: leave "
            "it out, and let the formula say which branch a kink belongs to (where(x <= 0, a * x, "
            "x) has the derivative a at 0)"
        )
    leaf = parameter(name)
    exponents = (n.arguments[1] for n in walk(f.expression) if n.operation == "power")
    if any(leaf in walk(exponent) for exponent in exponents):
        raise FormulaError(
            f"{name!r} of {f.name} cannot learn as a tensor, being an exponent: leave it a number, "
            f"or write exp({name} * log(u)) for u**{name} with a positive u, such as abs(x) + 1e-6"
        )


def up(orders: Sequence[int], at: int) -> tuple[int, ...]:
    """Once more by the input at a place."""
    return tuple(order + (place == at) for place, order in enumerate(orders))
