"""Make a primitive callable from Numba-compiled kernels.

The functions here turn a Python function over lanes (see `lanes`) into a Numba intrinsic, which
appends its instructions to the kernel at the place of the call.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from limen.kernels.primitives.lanes import Real, Truth

Pair = tuple[Real, Real]
Number = Real | Pair | Truth

PLAIN = types.float64
EXTENDED = types.UniTuple(types.float64, 2)  # type: ignore[no-untyped-call]
BOOLEAN = types.boolean


def bind(function: Callable[..., Any], result: types.Type, *arguments: types.Type) -> Any:
    """A Numba intrinsic of that signature which emits `function`."""
    emission = _emission(function, result(*arguments))
    # Numba reads an intrinsic's arity from its signature, hence one wrapper for each arity in use.
    match len(arguments):
        case 1:

            def one(typing_context: Any, a: Any) -> Any:
                return emission

            wrapper: Callable[..., Any] = one
        case 2:

            def two(typing_context: Any, a: Any, b: Any) -> Any:
                return emission

            wrapper = two
        case 3:

            def three(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
                return emission

            wrapper = three
        case arity:
            raise ValueError(f"{function.__name__} takes {arity} arguments, not 1 to 3")
    wrapper.__name__ = wrapper.__qualname__ = function.__name__
    wrapper.__doc__ = function.__doc__
    wrapper.__module__ = function.__module__
    return intrinsic(wrapper)


def bind_numbers(number: types.Type, function: Callable[..., Any]) -> Any:
    """A Numba intrinsic for a function whose arguments and result are all of one type."""
    return bind(function, number, *[number] * len(signature(function).parameters))


def _emission(function: Callable[..., Any], signature: Any) -> tuple[Any, Callable[..., ir.Value]]:
    def generate(
        context: Any, builder: ir.IRBuilder, signature: Any, values: list[ir.Value]
    ) -> ir.Value:
        numbers = [
            _unpack(builder, kind, value)
            for kind, value in zip(signature.args, values, strict=True)
        ]
        return _pack(context, builder, signature.return_type, function(*numbers))

    return signature, generate


def _unpack(builder: ir.IRBuilder, kind: types.Type, value: ir.Value) -> Number:
    if kind == EXTENDED:
        return Real(builder, builder.extract_value(value, 0)), Real(
            builder, builder.extract_value(value, 1)
        )
    return Truth(builder, value) if kind == BOOLEAN else Real(builder, value)


def _pack(context: Any, builder: ir.IRBuilder, kind: types.Type, number: Number) -> ir.Value:
    if isinstance(number, tuple):
        return context.make_tuple(builder, kind, [part.ir for part in number])
    return number.ir
