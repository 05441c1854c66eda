"""How fast a function runs here and now, against a plain copy of the same array."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from limen.function import ActivationFunction

__all__ = ["Speed", "measure_speed"]


@dataclass(frozen=True, slots=True)
class Speed:
    """Times of one function on one machine, in one run.

    Attributes:
        elements: how many elements each call worked on.
        first_call: seconds until the first value and gradient, kernels compiled or fetched from
            the cache on the way.
        copy: nanoseconds per element of `numpy.copyto`, measured in turn with the others.
        forward: nanoseconds per element of the function, into a given array.
        backward: nanoseconds per element of its backward pass, likewise.
    """

    elements: int
    first_call: float
    copy: float
    forward: float
    backward: float


def measure_speed(f: ActivationFunction, elements: int = 2**18, seconds: float = 0.3) -> Speed:
    """Times a function on normally distributed float32 numbers, all cores allowed.

    Each figure is the fastest of many calls; copy, forward and backward take turns, so that they
    meet the same machine.

    Args:
        f: the function, of one or two inputs.
        elements: the size of each array; 2**18 float32 numbers stay in a cache.
        seconds: how long to go on measuring.

    Returns:
        The `Speed`.
    """
    draw = np.random.default_rng(0).standard_normal
    inputs = [draw(elements, np.float32) for _ in f.inputs]
    grad_output = draw(elements, np.float32)
    out = np.empty(elements, np.float32)
    grads = [np.empty(elements, np.float32) for _ in f.inputs]
    grad_input = tuple(grads) if f.is_gated else grads[0]

    def forward() -> None:
        f(*inputs, out=out)

    def backward() -> None:
        f.backward(grad_output, *inputs, out=grad_input)

    first_call = _time(forward) + _time(backward)
    calls: list[Callable[[], None]] = [lambda: np.copyto(out, inputs[0]), forward, backward]
    best = [np.inf] * len(calls)
    stop = perf_counter() + seconds
    while perf_counter() < stop:
        best = [min(time, _time(call)) for time, call in zip(best, calls, strict=True)]
    copy, forth, back = (1e9 * time / elements for time in best)
    return Speed(elements, first_call, copy, forth, back)


def _time(call: Callable[[], None]) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start
