"""Checks a kernel on a dense, adversarial sample, where there are too many inputs to check all.

That is so for float64, and for pairs of inputs. The sample holds the neighbourhoods of kinks,
roots, extrema and range ends, every binade, and both zeros; the slow tier judges each result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.certify.certificate import Certificate, machine, promised
from limen.certify.exhaustive import order_of
from limen.certify.judge import Verdict, judge
from limen.certify.kernel_hash import source_hash
from limen.certify.landmarks import landmarks
from limen.certify.measure import Format, format_of, ulp_error
from limen.certify.profile import Profile
from limen.certify.reference import Reference
from limen.certify.sample import dtype_of, sample
from limen.errors import UnknownNameError
from limen.function import ActivationFunction

__all__ = ["check"]

_COUNT = 12_000  # random inputs beside those that are chosen
_GATES = 3_000
_VALUES = (-1.0, 1.0, 0.0, -2.5e-3, 3.7, 512.0)
_LISTED = 32  # outliers and undecided inputs that a certificate lists
_EVERY = 256  # inputs between two reports of progress


def check(
    function: ActivationFunction,
    derivative: int | str = 0,
    dtype: object = "float64",
    kernel: Callable[..., object] | None = None,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> Certificate:
    """Checks a function's kernel, or another one in its place, on a dense sample.

    Args:
        function: a function of one input or two.
        derivative: the order; for two inputs the name of one, or 0.
        dtype: the format.
        kernel: what to check, called with the inputs and an array to write; the function's own
            when left out.
        progress: is told now and then how many inputs are done.

    Returns:
        The certificate, with the inputs beyond the promise of the format as its outliers.
    """
    start = time.perf_counter()
    format_ = format_of(dtype)
    reference, derived = _derived(function, derivative)
    inputs = _inputs(function, reference, format_)
    results = np.empty_like(inputs[0])
    if kernel is None:
        derived(*inputs, out=results)
    else:
        kernel(*inputs, results)
    points = list(zip(*(x.astype(np.float64).tolist() for x in inputs), strict=True))
    verdicts = []
    for done, (point, result) in enumerate(
        zip(points, results.astype(np.float64).tolist(), strict=True)
    ):
        verdicts.append(_verdict(reference, format_, point, result))
        if progress is not None and done % _EVERY == 0:
            progress(done, len(points))
    hash_ = source_hash(derived, format_.name) if kernel is None else ""
    seconds = round(time.perf_counter() - start, 2)
    named: dict[str, Any] = {
        "derivative": derivative,
        "dtype": format_.name,
        "kernel": hash_,
        "seconds": seconds,
    }
    return _certificate(function, points, results, verdicts, named)


def _derived(
    function: ActivationFunction, derivative: int | str
) -> tuple[Reference, ActivationFunction]:
    source = (function.surrogate_function if derivative else None) or function
    by, order = source.inputs[0], 0
    if function.is_gated and derivative:
        if derivative not in source.inputs:
            raise UnknownNameError(
                f"{function.name} has two inputs: write the derivative as "
                f"{' or '.join(source.inputs)}"
            )
        by, order = str(derivative), 1
    elif derivative:
        order = order_of(function, derivative)
    reference = Reference(
        source.expression, inputs=source.inputs, parameters=source.parameters, by=by, order=order
    )
    return reference, function.derivative(derivative) if derivative else function


def _inputs(
    function: ActivationFunction, reference: Reference, format_: Format
) -> tuple[npt.NDArray, ...]:
    if not function.is_gated:
        wider = Reference(
            function.expression,
            inputs=function.inputs,
            parameters=function.parameters,
            order=reference.order + 1,
        )
        return (sample(format_.name, landmarks(wider), count=_COUNT),)
    gates = sample(format_.name, [0.0], count=_GATES)
    gates = gates[np.isfinite(gates.astype(np.float64))]
    random = np.random.default_rng(2)
    chosen = random.choice(_VALUES, len(gates))
    values = np.concatenate([chosen, random.standard_normal(len(gates)) * 3])
    return np.concatenate([gates, gates]), values.astype(dtype_of(format_))


def _verdict(
    reference: Reference, format_: Format, point: tuple[float, ...], result: float
) -> Verdict:
    if all(map(math.isfinite, point)):
        return judge(reference, format_, point, result)
    ball = reference.enclose(*point, format_=format_)[reference.order]
    if ball.is_nan() and not any(map(math.isnan, point)):
        return Verdict(math.inf, None, False)  # no limit that the reference could see
    error = ulp_error(result, ball, format_)
    return Verdict(error, error <= 0.5, True)


def _profile(points: list[tuple[float, ...]], verdicts: list[Verdict]) -> list[tuple[float, float]]:
    """Along the first input."""
    profile = Profile()
    for point, verdict in zip(points, verdicts, strict=True):
        if verdict.is_known and math.isfinite(point[0]):
            profile.take(point[0], verdict.error)
    return profile.points()


def _certificate(
    function: ActivationFunction,
    points: list[tuple[float, ...]],
    results: npt.NDArray,
    verdicts: list[Verdict],
    named: dict[str, Any],
) -> Certificate:
    known = [i for i, v in enumerate(verdicts) if v.is_known]
    worst = max(known, key=lambda i: verdicts[i].error)
    correct = sum(v.is_correct is True for v in verdicts)
    undecided = [i for i, v in enumerate(verdicts) if v.is_correct is None]
    promise = promised(named["dtype"], named["derivative"])
    beyond = sorted(
        (i for i in known if verdicts[i].error > promise), key=lambda i: -verdicts[i].error
    )

    def at(i: int) -> float | list[float]:
        return points[i][0] if len(points[i]) == 1 else list(points[i])

    return Certificate(
        name=function.name,
        formula=function.formula,
        parameters=function.parameters,
        inputs=len(points),
        of=0,
        method="dense sample" if len(points[0]) == 1 else "dense sample of pairs",
        max_ulp=verdicts[worst].error,
        worst_input=at(worst),
        worst_result=float(results[worst]),
        correctly_rounded=correct / len(points),
        not_nearest=len(points) - correct - len(undecided),
        wrong=sum(math.isinf(verdicts[i].error) for i in known),
        undecided=len(undecided),
        unbounded=len(points) - len(known),
        undecided_inputs=[at(i) for i in undecided[:_LISTED]],
        outliers=[[at(i), verdicts[i].error] for i in beyond[:_LISTED]],
        machine=machine(),
        profile=_profile(points, verdicts),
        **named,
    )
