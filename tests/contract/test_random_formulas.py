"""Random formulas: value and derivative against ball arithmetic, within what float64 can give.

The bound is honest about the formula's own conditioning. A running error analysis, itself in
balls, follows the formula as written and says how far rounding each intermediate to float64 can
carry its value: sum over nodes of |d root / d node| * 2**-53 * |node|. A result is right within
1 ULP of its format, or within a few times that bound. Nothing else is allowed for: a formula that
limen makes worse than it was written fails.
"""

from __future__ import annotations

import os
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, arb_series
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import limen
from limen.certify.balls import SERIES, working
from limen.certify.measure import FORMATS, Format, ulp_error
from limen.certify.reference import Reference
from limen.formula.derive import derivative
from limen.formula.expression import Expression, apply, constant, evaluate, input_
from limen.formula.real import value
from limen.formula.show import to_text
from limen.formula.stabilize import canonical, stable

X = input_("x")
EXAMPLES = int(os.environ.get("LIMEN_EXAMPLES", "0"))

# Primitives are good to a few ULP and a rewritten formula takes another road to the same value.
FACTOR = 8
POINTS = [0.0, 1.0, -1.0, 0.5, -3.0, 1e-3, -1e-8, 2.718, 9.3, -17.0, 40.0, -90.0]

FUNCTIONS = ("exp", "expm1", "sin", "cos", "tanh", "sech", "atan", "erf", "erfc", "sigmoid",
             "softplus", "tanhshrink", "abs", "sign")  # fmt: skip
constants = st.sampled_from([Fraction(n, d) for n in (-3, -2, -1, 1, 2, 3) for d in (1, 2)]).map(
    constant
)


def larger(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    """Formulas one step deeper, their domains kept to where they are defined."""
    return st.one_of(
        st.builds(apply, st.sampled_from(FUNCTIONS), inner),
        st.builds(apply, st.sampled_from(["add", "multiply", "minimum", "maximum"]), inner, inner),
        st.builds(lambda a, b: a / (1 + b * b), inner, inner),
        st.builds(lambda a: apply("sqrt", 1 + a * a), inner),
        st.builds(lambda a: apply("log1p", a * a), inner),
        st.builds(lambda a, n: a**n, inner, st.sampled_from([2, 3])),
        st.builds(
            lambda a, b, c: apply("where", apply("less", a, constant(1)), b, c), inner, inner, inner
        ),
    )


formulas = st.recursive(st.one_of(st.just(X), constants), larger, max_leaves=8).filter(
    lambda e: any(node is X for node in _nodes(e))
)


def _nodes(expression: Expression) -> list[Expression]:
    found: list[Expression] = []
    evaluate(expression, lambda node, *_: found.append(node))
    return found


class Running:
    """A node's value in balls, and how far rounding can have carried it in float64."""

    def __init__(self, value: arb, error: arb) -> None:
        self.value, self.error = value, error


class TooExtremeError(Exception):
    """An intermediate beyond float64, or a branch that rounding may take either way."""


def running_error(expression: Expression, x: float) -> arb:
    """A first-order bound on the error of computing a formula as written in float64."""
    unit = arb((1, -53))

    def visit(node: Expression, *arguments: Running | bool) -> Running | bool:
        if node.operation == "input":
            return Running(arb(x), arb(0))
        if node.operation == "constant":
            number = arb(node.payload.numerator) / node.payload.denominator
            return Running(number, abs(number) * unit if not number.is_exact() else arb(0))
        if node.operation in ("less", "not_equal"):
            a, b = arguments
            gap, doubt = a.value - b.value, 2 * FACTOR * (a.error + b.error)
            if abs(gap) > doubt or doubt.is_zero():
                return bool(gap < 0) if node.operation == "less" else bool(gap != 0)
            raise TooExtremeError
        if node.operation == "where":
            return arguments[1] if arguments[0] else arguments[2]
        if node.operation in ("minimum", "maximum", "abs", "sign"):
            return _choice(node.operation, *arguments)
        balls = [a.value for a in arguments]
        result = SERIES[node.operation](*(arb_series([ball]) for ball in balls))[0]
        error = abs(result) * unit
        for i, a in enumerate(arguments):
            if not a.error.is_zero():  # an exponent is exact
                along = [arb_series([b, 1] if i == j else [b]) for j, b in enumerate(balls)]
                error += abs(SERIES[node.operation](*along)[1]) * a.error
        if not result.is_finite() or abs(result) > 1e250 or (result != 0 and abs(result) < 1e-250):
            raise TooExtremeError
        return Running(result, error)

    with working(400, 2):
        return evaluate(expression, visit).error


def _choice(operation: str, *arguments: Running) -> Running:
    a, b = arguments if len(arguments) == 2 else (arguments[0], Running(arb(0), arb(0)))
    gap, doubt = a.value - b.value, 2 * FACTOR * (a.error + b.error)
    if not (abs(gap) > doubt or (doubt.is_zero() and gap.is_exact())):
        raise TooExtremeError
    below = bool(gap < 0)
    match operation:
        case "abs":
            return Running(abs(a.value), a.error)
        case "sign":
            return Running(arb(-1 if below else int(bool(gap > 0))), arb(0))
        case "minimum":
            return a if below else b
    return b if below else a


def check(expression: Expression, compute, format_: Format, dtype: type) -> None:
    """`compute(order)` gives the function of a float that is tried."""
    reference = Reference(expression, order=1)
    raws = (expression, derivative(expression, X))
    for x in map(float, np.array(POINTS, dtype)):
        for order, ball in enumerate(reference.enclose(x, format_=format_)):
            try:
                slack = FACTOR * running_error(raws[order], x)
            except TooExtremeError:
                continue
            computed = compute(order)(x)
            error = ulp_error(computed, ball, format_)
            assert error <= 1 or abs(computed - ball) <= slack, (
                f"{to_text(expression)}: derivative {order} at {x!r} is {computed!r}, "
                f"{error:.4g} ULP from {ball}; rounding explains {slack}"
            )


@settings(max_examples=EXAMPLES or 150, deadline=None, derandomize=not EXAMPLES,
          suppress_health_check=list(HealthCheck))  # fmt: skip
@given(formulas)
def test_the_stable_form_in_plain_doubles(expression):
    normal = canonical(expression)
    forms = [stable(normal), stable(canonical(derivative(normal, X)))]
    check(
        expression,
        lambda order: lambda x: float(value(forms[order], {"x": x})),
        FORMATS["float64"],
        np.float64,
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=EXAMPLES or 12, deadline=None, derandomize=not EXAMPLES,
          suppress_health_check=list(HealthCheck))  # fmt: skip
@given(expression=formulas)
def test_the_kernels(expression, dtype):
    function = limen.activation(to_text(expression))
    functions = [function, function.derivative()]
    check(
        expression,
        lambda order: lambda x: float(functions[order](np.array([x], dtype))[0]),
        FORMATS[np.dtype(dtype).name],
        dtype,
    )
