"""Vector functions: softmax, log_softmax and softmin, which look at a whole axis at once.

They are no activation functions: an output depends on every entry of its axis, so the backward
pass is a product with a Jacobian matrix, not with a derivative per element. What they share with
activation functions is the promise: the mathematical function, without overflow, rounded once to
the array's dtype.

Two habits make them exact:

- Every row is shifted by its peak m = max(x), which changes nothing mathematically
  (Blanchard, Higham and Higham, "Accurately computing the log-sum-exp and softmax functions",
  IMA Journal of Numerical Analysis 41(4), 2021).
- The peak's own term, exp(0) = 1, is kept apart from the sum `rest` of the others, so that what
  hangs on 1 - softmax(peak) = rest / (1 + rest) does not cancel when the peak dominates.

An infinite peak that is attained once is the limit (softmax([inf, 0]) is [1, 0]); attained twice,
there is no limit and the row is NaN.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen import memory
from limen.errors import DtypeError, ShapeError
from limen.kernels.arrays import check_array, unmasked

__all__ = ["VECTOR_FUNCTIONS", "VectorFunction", "log_softmax", "softmax", "softmin"]

Array = NDArray[Any]
_FLOATS = ("float64", "float32", "float16", "bfloat16")


class VectorFunction(ABC):
    """A function of a whole axis, with its exact backward pass.

    `limen.softmax`, `limen.log_softmax` and `limen.softmin` are its three instances; each can be
    called on arrays, or given to a layer: `limen.Activation(limen.softmax)`.
    """

    name: str
    formula: str
    backward_formula: str

    def __call__(self, x: ArrayLike, axis: int = -1, out: Array | None = None) -> Array:
        """Evaluate the function along `axis`.

        Args:
            x: array of any shape with at least one axis; float64, float32, float16 or bfloat16
                (computed in float64, rounded once). Lists, integers and booleans become float64.
            axis: the axis the function looks along.
            out: array of the same shape for the result, may be `x` itself.

        Returns:
            An array with the shape and dtype of `x`.

        Raises:
            DtypeError: for complex, object or text arrays.
            ShapeError: when `x` has no such axis, or `out` another shape.
        """
        x = self._array(x, "x")
        axis = self._axis(axis, x)
        with np.errstate(all="ignore"):  # inf and NaN are results like any other
            return self._give(self._value(x.astype(np.float64), axis), x, out)

    def backward(
        self, grad_output: ArrayLike, x: ArrayLike, axis: int = -1, *, out: Array | None = None
    ) -> Array:
        """Multiply `grad_output` with the Jacobian matrix at `x`: the flow to the input.

        Args:
            grad_output: the flow that comes in, of the shape of `x`.
            x: the input of the forward pass.
            axis: the axis of the forward pass.
            out: array of the same shape for the result, may be `grad_output` itself.

        Returns:
            The gradient with respect to `x`, with its shape and dtype.
        """
        x = self._array(x, "x")
        axis = self._axis(axis, x)
        grad = self._array(grad_output, "grad_output")
        if grad.shape != x.shape:
            raise ShapeError(
                f"{self.name}.backward: grad_output must have the shape of x, {x.shape}, "
                f"but has {grad.shape}"
            )
        with np.errstate(all="ignore"):
            result = self._flow(grad.astype(np.float64), x.astype(np.float64), axis)
            return self._give(result, x, out)

    @abstractmethod
    def _value(self, x: Array, axis: int) -> Array:
        """The value for a float64 array that may be overwritten."""

    @abstractmethod
    def _flow(self, grad: Array, x: Array, axis: int) -> Array:
        """The gradient with respect to `x`, for float64 arrays that may be overwritten."""

    def _array(self, x: ArrayLike, what: str) -> Array:
        array = unmasked(x, what)
        if array.dtype.kind in "iub" or (array.size == 0 and not hasattr(x, "dtype")):
            array = array.astype(np.float64)
        if array.dtype.name not in _FLOATS:
            raise DtypeError(
                f"{self.name}: {what} has dtype {array.dtype}; expected one of {', '.join(_FLOATS)}"
            )
        return array

    def _axis(self, axis: int, x: Array) -> int:
        try:
            axis = operator.index(axis)
        except TypeError:
            raise TypeError(
                f"{self.name} looks along one axis, a whole number, given {axis!r}"
            ) from None
        if not -x.ndim <= axis < x.ndim:
            raise ShapeError(
                f"{self.name} looks along an axis: axis {axis} does not exist in shape {x.shape}"
            )
        return axis % x.ndim

    def _give(self, result: Array, x: Array, out: Array | None) -> Array:
        if out is None:
            out = memory.empty_like(x)
        check_array(out)
        if out.shape != x.shape:
            raise ShapeError(f"{self.name}: out must have shape {x.shape}, but has {out.shape}")
        if out.dtype.name not in _FLOATS:
            raise DtypeError(f"{self.name}: out has dtype {out.dtype}; expected {x.dtype}")
        out[...] = _rounded_to_odd(result) if out.dtype.name == "bfloat16" else result
        return out

    def __repr__(self) -> str:
        return f"<vector function {self.name}: {self.formula}, along an axis>"

    def __reduce__(self) -> str:
        return self.name  # each is the one object of its name in this module


class _Terms(NamedTuple):
    """A row's exponentials, with the peak apart: softmax is `exp / (1 + rest)`."""

    exp: Array  # exp(x - m), 1 at the peak
    shifted: Array  # x - m
    rest: Array  # the sum of exp without the peak's own 1
    at_peak: Array  # index of one peak per row, for take_along_axis
    undefined: Array  # rows whose infinite peak is attained twice: no limit


def _terms(x: Array, axis: int) -> _Terms:
    at_peak = np.expand_dims(np.argmax(x, axis=axis), axis)  # of a NaN, where there is one
    peak = np.take_along_axis(x, at_peak, axis)
    shifted = x - peak
    lost = _subtraction_error(x, peak, shifted)
    shifted[(x == peak) & np.isinf(peak)] = 0.0
    exp = np.exp(shifted)
    # exp(shifted + lost) to first order: |lost| is at most half a unit of the shift.
    exp += exp * np.where(np.isfinite(lost), lost, 0.0)
    np.put_along_axis(exp, at_peak, 0.0, axis)
    rest = exp.sum(axis=axis, keepdims=True)
    # A NaN peak is everybody's NaN: put back, it must not become 1.
    np.put_along_axis(exp, at_peak, np.where(np.isnan(peak), np.nan, 1.0), axis)
    undefined = np.isinf(peak) & (np.sum(x == peak, axis=axis, keepdims=True) > 1)
    return _Terms(exp, shifted, rest, at_peak, undefined)


def _subtraction_error(a: Array, b: Array, difference: Array) -> Array:
    """What rounding took from `a - b`: TwoSum (Knuth, TAOCP volume 2, section 4.2.2)."""
    minus_b = difference - a
    lost: Array = (a - (difference - minus_b)) - (b + minus_b)
    return lost


def _probabilities(terms: _Terms) -> Array:
    return np.where(terms.undefined, np.nan, terms.exp / (1.0 + terms.rest))


class _Softmax(VectorFunction):
    """Makes probabilities of numbers along an axis: `exp(x[j]) / sum(exp(x))`.

    Called with `(x, axis=-1, out=None)`; `backward` takes `(grad_output, x, axis=-1)`. See
    `type(limen.softmax).__call__` for arrays, dtypes and errors.

    Example:
        >>> import limen
        >>> limen.softmax([0.0, 0.0, 1000.0])
        array([0., 0., 1.])
        >>> limen.softmax.backward([1.0, 0.0], [0.0, 0.0])
        array([ 0.25, -0.25])
    """

    name = "softmax"
    formula = "exp(x[j]) / sum(exp(x))"
    backward_formula = "y[j] * (grad_output[j] - sum(grad_output * y))"

    def _value(self, x: Array, axis: int) -> Array:
        return x if x.size == 0 else _probabilities(_terms(x, axis))

    def _flow(self, grad: Array, x: Array, axis: int) -> Array:
        if x.size == 0:
            return x
        terms = _terms(x, axis)
        y = _probabilities(terms)
        # A constant added to the flow changes nothing (the rows of y sum to 1): taking away the
        # peak's keeps the dominant entry out of the sum, where it would cancel.
        grad -= np.take_along_axis(grad, terms.at_peak, axis)
        grad -= np.sum(grad * y, axis=axis, keepdims=True)
        flow: Array = grad * y
        return flow


class _LogSoftmax(VectorFunction):
    """The logarithms of softmax's probabilities: `x[j] - log(sum(exp(x)))`.

    Called as `limen.softmax` is.

    Example:
        >>> import limen
        >>> limen.log_softmax([0.0, 1000.0])
        array([-1000.,     0.])
    """

    name = "log_softmax"
    formula = "x[j] - log(sum(exp(x)))"
    backward_formula = "grad_output[j] - softmax(x)[j] * sum(grad_output)"

    def _value(self, x: Array, axis: int) -> Array:
        if x.size == 0:
            return x
        terms = _terms(x, axis)
        return np.where(terms.undefined, np.nan, terms.shifted - np.log1p(terms.rest))

    def _flow(self, grad: Array, x: Array, axis: int) -> Array:
        if x.size == 0:
            return x
        terms = _terms(x, axis)
        own = np.take_along_axis(grad, terms.at_peak, axis)
        flow: Array = grad - _probabilities(terms) * grad.sum(axis=axis, keepdims=True)
        # At the peak: g (1 - y) - y * others, with 1 - y = rest / (1 + rest).
        np.put_along_axis(grad, terms.at_peak, 0.0, axis)
        others = grad.sum(axis=axis, keepdims=True)
        at_peak = (own * terms.rest - others) / (1.0 + terms.rest)
        at_peak[terms.undefined] = np.nan
        np.put_along_axis(flow, terms.at_peak, at_peak, axis)
        return flow


class _Softmin(VectorFunction):
    """Softmax of the negated numbers: `exp(-x[j]) / sum(exp(-x))`.

    Called as `limen.softmax` is.

    Example:
        >>> import limen
        >>> limen.softmin([0.0, 0.0, 1000.0])
        array([0.5, 0.5, 0. ])
    """

    name = "softmin"
    formula = "exp(-x[j]) / sum(exp(-x))"
    backward_formula = "-y[j] * (grad_output[j] - sum(grad_output * y))"

    def _value(self, x: Array, axis: int) -> Array:
        return softmax._value(np.negative(x, out=x), axis)

    def _flow(self, grad: Array, x: Array, axis: int) -> Array:
        return -softmax._flow(grad, np.negative(x, out=x), axis)


def _rounded_to_odd(x: Array) -> Array:
    """float64 to float32, rounded to odd, so that rounding once more to bfloat16 is exact.

    Rounding to nearest twice is not rounding once; through odd it is (Boldo and Melquiond,
    "Emulation of FMA and correctly rounded sums", IEEE Transactions on Computers 57(4), 2008).
    """
    nearest = x.astype(np.float32)
    inexact = (nearest != x) & np.isfinite(nearest)
    too_far = inexact & (np.abs(nearest) > np.abs(x))
    bits = np.where(too_far, np.nextafter(nearest, np.float32(0)), nearest).view(np.uint32)
    rounded: Array = (bits | inexact).view(np.float32)
    return rounded


softmax = _Softmax()
log_softmax = _LogSoftmax()
softmin = _Softmin()

VECTOR_FUNCTIONS: dict[str, VectorFunction] = {f.name: f for f in (softmax, log_softmax, softmin)}
