"""NumPy: the formula, operation by operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.bench.case import Case, Elementwise, Step, refuse_idleness
from limen.bench.training import ACTIVATION, RATE, data
from limen.decomposition.program import Program
from limen.registry import get

__all__ = ["make"]


def _special(name: str) -> Callable[[Any], Any]:
    """A function that NumPy has not, and SciPy has."""

    def call(a: Any) -> Any:
        from scipy import special

        return getattr(special, name)(a)

    return call


OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "multiply": np.multiply,
    "divide": np.divide,
    "power": np.power,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "where": np.where,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "clip": np.clip,
    "abs": np.abs,
    "sign": np.sign,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sin": np.sin,
    "cos": np.cos,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "sech": lambda a: 1 / np.cosh(a),
    "atan": np.arctan,
    "erf": _special("erf"),
    "erfc": _special("erfc"),
    "erfcx": _special("erfcx"),
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "softplus": lambda a: np.log1p(np.exp(a)),
    "tanhshrink": lambda a: a - np.tanh(a),
    "sin_plus_cos": lambda a: np.sin(a) + np.cos(a),
}
"""As NumPy's users write them."""


class WithNumpy:
    """NumPy, one thread, new arrays all the way."""

    version = np.__version__

    def __init__(self) -> None:
        np.seterr(all="ignore")

    def bind(self, case: Case) -> Callable[[], Any]:
        if isinstance(case, Step):
            return _step(case)
        f = case.function()
        refuse_idleness(f)
        *inputs, grad_output = case.arrays(len(f.inputs))
        if case.direction == "forward":
            program = self._program(case, f.expression)
            return lambda: [program(*inputs)]
        slopes = [self._program(case, f.derivative(name).expression) for name in f.inputs]
        return lambda: [grad_output * slope(*inputs) for slope in slopes]

    def spelling(self, case: Case) -> str:
        return "formula"

    def fetch(self, result: Any) -> list[NDArray[Any]]:
        return [np.asarray(array) for array in result]

    def _program(self, case: Elementwise, expression: Any) -> Program:
        f = case.function()
        return Program(expression, f.inputs, f.parameters, OPERATIONS, np.float32)


def _step(case: Step) -> Callable[[], Any]:
    """The step as a page of a textbook has it."""
    x, y, weights = data(case)
    biases = [np.zeros(case.width, np.float32) for _ in weights]
    mish = get(ACTIVATION)
    value = Program(mish.expression, mish.inputs, {}, OPERATIONS, np.float32)
    slope = Program(mish.derivative().expression, mish.inputs, {}, OPERATIONS, np.float32)

    def step() -> Any:
        inputs, sums = [x], []
        for weight, bias in zip(weights, biases, strict=True):
            sums.append(inputs[-1] @ weight.T + bias)
            inputs.append(value(sums[-1]))
        error = sums[-1] - y  # the last layer has no activation
        flow = error / np.float32(case.batch)
        for at in reversed(range(len(weights))):
            grad_weight, grad_bias = flow.T @ inputs[at], flow.sum(axis=0)
            if at:
                flow = (flow @ weights[at]) * slope(sums[at - 1])
            weights[at] -= np.float32(RATE) * grad_weight
            biases[at] -= np.float32(RATE) * grad_bias
        return [0.5 * np.vdot(error, error) / case.batch]

    return step


def make(threads: int) -> WithNumpy:
    """NumPy; its elementwise functions use one thread."""
    return WithNumpy()
