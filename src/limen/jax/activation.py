"""An activation function of JAX arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from limen.errors import DtypeError, ShapeError
from limen.function import ActivationFunction, AtKinks
from limen.jax.derivatives import differentiable
from limen.kernels.arrays import FLOATS
from limen.registry import resolve

__all__ = ["Activation", "activation"]

_DTYPES = frozenset(map(jnp.dtype, FLOATS))


@jax.tree_util.register_static
@dataclass(frozen=True, repr=False)
class Activation:
    """An activation function of JAX arrays: a pure function for every transformation of JAX.

    It holds no arrays. As a pytree it has no leaves, so that modules may hold it as it is; two of
    them are equal when their functions are. All of its derivatives are limen's own, with the
    function's choices at kinks and its surrogate.

    Args:
        function: the function; `limen.jax.activation` takes names and formulas as well.

    Example:
        >>> import jax, limen
        >>> relu = Activation(limen.get("relu", at_kinks=0.0))
        >>> jax.vmap(jax.grad(relu))(jax.numpy.array([-1.0, 0.0, 1.0]))
        Array([0., 0., 1.], dtype=float32)
        >>> relu
        limen.jax.Activation(<relu(x) = where(x < 0, 0, x); derivative at kinks: 0.0>)
    """

    function: ActivationFunction

    def __call__(self, *inputs: Any, **parameters: Any) -> jax.Array:
        """The function's value, element by element.

        Args:
            *inputs: one array (a gate and a value, which broadcast, for a gated function) of
                float64, float32, float16 or bfloat16; integers become JAX's default. The two
                16-bit formats are computed in float32 and rounded once.
            **parameters: other values of parameters. A Python number makes another function. An
                array, whatever traces it, is differentiated by like an input; it broadcasts to the
                input's shape. The choices at kinks stay where the function's own values put them.

        Returns:
            An array of the input's shape and dtype.

        Raises:
            DtypeError: for complex arrays, and dtypes limen does not compute with.
            ShapeError: for shapes that do not go together.
            UnknownNameError: for a parameter that the function has not.
        """
        f = self.function
        if len(inputs) != len(f.inputs):
            raise TypeError(f"{f.name} takes {' and '.join(f.inputs)}, got {len(inputs)} arrays")
        numbers = {n: v for n, v in parameters.items() if isinstance(v, int | float)}
        learnable = tuple(sorted(parameters.keys() - numbers.keys()))
        function = differentiable(f.with_parameters(**numbers) if numbers else f, learnable)
        arrays = [_floating(x, n) for x, n in zip(inputs, f.inputs, strict=True)]
        arrays += [_floating(parameters[n], n) for n in learnable]
        if len(arrays) > 1:
            _check_shapes(dict(zip((*f.inputs, *learnable), arrays, strict=True)), f.inputs)
        return function(*arrays)

    def derivative(self, by: int | str = 1) -> Activation:
        """The derivative, as `limen.ActivationFunction.derivative` gives it.

        Args:
            by: the order of the derivative by `x`, or the name of an input or parameter.
        """
        return Activation(self.function.derivative(by))

    def __repr__(self) -> str:
        return f"limen.jax.Activation({self.function!r})"


def activation(
    function: ActivationFunction | str | Callable[..., Any],
    *,
    at_kinks: AtKinks = None,
    **parameters: float,
) -> Activation:
    """Makes an activation function of JAX arrays from whatever names it.

    Args:
        function: an `ActivationFunction`, the name of one ("gelu"), the text of a formula
            ("x * tanh(softplus(x))"), or a Python function to trace.
        at_kinks: the derivative at kinks: a number for all, or a mapping {point: derivative}; None
            is the formula's own. JAX's relu has 0.
        **parameters: values of the function's parameters; the defaults of those in a text.

    Returns:
        The activation function.

    Raises:
        FormulaError: for a formula that cannot be one.
        UnknownNameError: when there is no function, or no parameter, of that name.

    Example:
        >>> import jax
        >>> swish = activation("swish", beta=1.5)
        >>> swish(jax.numpy.array([-1.0, 0.0, 1.0]))
        Array([-0.182...,  0.   ,  0.817...], dtype=float32)
        >>> jax.grad(lambda beta: swish(1.0, beta=beta))(1.5)
        Array(0.149..., dtype=float32, weak_type=True)
    """
    found = resolve(function, **parameters)
    return Activation(found if at_kinks is None else found.with_kinks(at_kinks))


def _floating(value: Any, what: str) -> jax.Array:
    """A JAX array of a dtype that is computed with."""
    array = value if isinstance(value, jax.Array) else jnp.asarray(value)
    if array.dtype in _DTYPES:
        return array
    if jnp.issubdtype(array.dtype, jnp.integer) or array.dtype == bool:
        return array.astype(jnp.result_type(float))
    raise DtypeError(
        f"{what} has dtype {array.dtype}; limen computes with float64, float32, float16 and "
        "bfloat16 (integers become JAX's default)"
    )


def _check_shapes(arrays: dict[str, jax.Array], inputs: tuple[str, ...]) -> None:
    """Inputs broadcast together, and parameters to what they give."""
    shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    try:
        given = jnp.broadcast_shapes(*(arrays[name].shape for name in inputs))
        together = jnp.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        raise ShapeError(f"the shapes do not go together: {shapes}") from None
    if together != given:
        raise ShapeError(f"a parameter must broadcast to the input's shape, given {shapes}")
