"""The largest error of a function's kernels, found on a dense sample: evidence, no certificate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limen.certify.landmarks import landmarks
from limen.certify.measure import format_of, ulp_error
from limen.certify.reference import Reference
from limen.certify.sample import sample
from limen.function import ActivationFunction

__all__ = ["Accuracy", "measure_accuracy"]

_VALUES_PER_GATE = 4


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The largest error seen.

    Attributes:
        by: the input of the derivative; None for the value.
        dtype: the dtype's name.
        checked: at how many points.
        largest: the largest error in ULP; infinite where a result is plainly wrong.
        at: the inputs where it is.
        within_half: the share of points whose error is proven to be at most half an ULP.
    """

    by: str | None
    dtype: str
    checked: int
    largest: float
    at: tuple[float, ...]
    within_half: float


def measure_accuracy(f: ActivationFunction, dtype: object = "float32") -> Iterator[Accuracy]:
    """Measures the value and the first derivative by each input, against ball arithmetic.

    The reference is the formula as the user wrote it. Where a derivative was set by hand at a
    kink, or replaced by a surrogate, it is not the formula's: such points show as errors.

    Args:
        f: an activation function.
        dtype: the format to compute in, a dtype or its name.

    Yields:
        An `Accuracy` for the value, and one for the derivative by each input.

    Raises:
        LimenError: if python-flint, of the extra `certify`, is not installed.

    Example:
        >>> import limen
        >>> value, slope = measure_accuracy(limen.get("tanh"))
        >>> value.largest < 1, slope.largest < 1
        (True, True)
    """
    inputs = _inputs(f, dtype)
    yield _largest(f, None, inputs, dtype)
    for name in f.inputs:
        yield _largest(f, name, inputs, dtype)


def _inputs(f: ActivationFunction, dtype: object) -> tuple[npt.NDArray, ...]:
    if not f.is_gated:
        return (sample(dtype, landmarks(_reference(f, f.inputs[0]))),)
    gates = sample(dtype, [0.0], count=80)
    gates = np.tile(gates[np.isfinite(gates.astype(np.float64))], _VALUES_PER_GATE)
    values = np.random.default_rng(0).standard_normal(len(gates)).astype(gates.dtype)
    return gates, values


def _reference(f: ActivationFunction, by: str) -> Reference:
    return Reference(f.expression, inputs=f.inputs, parameters=f.parameters, by=by, order=1)


def _largest(
    f: ActivationFunction, by: str | None, inputs: tuple[npt.NDArray, ...], dtype: object
) -> Accuracy:
    format_ = format_of(dtype)
    reference = _reference(f, by or f.inputs[0])
    computed = (f if by is None else f.derivative(by))(*inputs).astype(np.float64).tolist()
    points = list(zip(*(x.astype(np.float64).tolist() for x in inputs), strict=True))
    balls = (reference.enclose(*point, format_=format_)[by is not None] for point in points)
    errors = np.array(
        [ulp_error(c, ball, format_) for c, ball in zip(computed, balls, strict=True)]
    )
    worst = int(np.argmax(errors))
    within_half = float(np.mean(errors <= 0.5))
    return Accuracy(by, format_.name, len(points), float(errors[worst]), points[worst], within_half)
