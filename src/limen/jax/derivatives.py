"""A JAX function whose derivatives are limen's own: each is a function made in the same way."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from functools import lru_cache, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from limen.decomposition import Program, decomposed
from limen.function import ActivationFunction

__all__ = ["differentiable"]

_KEPT = 4096  # functions, their derivatives included

Function = Callable[..., Any]


@lru_cache(_KEPT)
def differentiable(f: ActivationFunction, learnable: tuple[str, ...] = ()) -> Function:
    """The function's value, to be differentiated by whatever it takes, in either mode.

    Args:
        f: the function.
        learnable: its parameters that are arrays, and not numbers.

    Returns:
        A function of the inputs and then the learnable parameters: arrays of floating-point dtype
        that broadcast together. Its result has the inputs' dtype.
    """
    value = jax.custom_jvp(_value(f, learnable))
    names = (*f.inputs, *learnable)

    def push_forward(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        out = value(*primals)
        # A bare product: to skip blocked neurons would hide their second derivative.
        flows = [
            jnp.asarray(tangent * _slope(f, learnable, name)(*primals), out.dtype)
            for name, tangent in zip(names, tangents, strict=True)
            if type(tangent) is not SymbolicZero
        ]
        return out, reduce(operator.add, flows) if flows else jnp.zeros_like(out)

    value.defjvp(push_forward, symbolic_zeros=True)
    return jax.jit(value)


@lru_cache(_KEPT)
def _slope(f: ActivationFunction, learnable: tuple[str, ...], name: str) -> Function:
    """The derivative by an input or a learnable parameter."""
    slope = f.derivative(name)
    if f.surrogate_function is None or name not in f.inputs:
        return differentiable(slope, learnable)
    other = differentiable(slope)  # another function's, with parameters of its own
    return lambda *arguments: other(*arguments[: len(f.inputs)])


def _value(f: ActivationFunction, learnable: tuple[str, ...]) -> Function:
    """What is computed: in float32 at least, and rounded once."""
    count = len(f.inputs)

    def value(*arguments: Any) -> Any:
        dtype = jnp.result_type(*arguments[:count])
        wide = jnp.promote_types(dtype, jnp.float32)
        program = _program(f, learnable, float(np.finfo(wide).max))
        found = program(*(_cast(argument, wide) for argument in arguments))
        shape = jnp.broadcast_shapes(*(argument.shape for argument in arguments))
        return jnp.broadcast_to(_cast(jnp.asarray(found), dtype), shape)

    value.__name__ = re.sub(r"\W+", "_", f.name)  # in traces and profiles
    return value


@lru_cache(_KEPT)
def _program(f: ActivationFunction, learnable: tuple[str, ...], largest: float) -> Program:
    """The decomposition in numbers of a format: what is beyond its largest is infinite."""

    def number(value: float) -> float:
        return math.copysign(math.inf, value) if abs(value) > largest else float(value)

    return decomposed(f, "jax", learnable, number)


def _cast(array: Any, dtype: Any) -> Any:
    """The array in a dtype; a cast that changes nothing would make a weak type strong."""
    return array if array.dtype == dtype else array.astype(dtype)
