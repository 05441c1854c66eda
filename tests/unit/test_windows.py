"""The windows of a kernel: where they are put, what they hold, and what becomes of the results."""

from __future__ import annotations

import math

import numpy as np
import pytest

import limen
from limen.certify.measure import FORMATS, ulp_error
from limen.certify.reference import Reference
from limen.formula.parse import parse
from limen.formula.stabilize import stable
from limen.kernels.patches import Window, as_numbers, windows_of
from limen.kernels.windows import MOST_WINDOWS, find_windows


def windows(formula: str, **parameters: float) -> list[Window]:
    return find_windows(stable(parse(formula, parameters=parameters)), "x", parameters)


@pytest.mark.parametrize(
    ("formula", "centres"),
    [
        ("x * exp(-x) - 0.25", [0.3574029561813889, 2.153292364110349]),
        ("x * sigmoid(x)", []),  # a factor x is exact
        ("x**2 - 2", []),  # no transcendental function, nothing to lose
        ("sin(x)", []),  # the primitive is exact beside its roots
        ("cos(4 * x) * exp(-x**2)", []),  # as are products of it
        ("where(x < 1, exp(x), -exp(x))", []),  # a jump is no root
        ("sqrt(abs(x - 2)) - 1", [1.0, 3.0]),
        ("x - sin(x)", [0.0]),
        ("exp(x) - e * x", [1.0]),  # touches 0 without crossing it
    ],
)
def test_windows_are_put_where_terms_cancel(formula: str, centres: list[float]) -> None:
    found = sorted(w.centre[0] for w in windows(formula))
    assert found == pytest.approx(centres, rel=1e-15)


def test_a_window_is_as_wide_as_the_loss() -> None:
    (third,) = windows("x - sin(x)")
    (fourth,) = windows("cos(x) - 1 + x**2 / 2")
    assert (third.start, fourth.start) == (3, 4)
    assert 2.0**-11 < third.reach < fourth.reach < 1
    assert third.coefficients[0][0] == pytest.approx(1 / 6)
    assert third.coefficients[1] == (0.0, 0.0)  # odd


def test_a_kink_has_a_window_on_each_side() -> None:
    left, right = windows("where(x < 0, exp(x) - 1 - x, x - sin(x))")
    assert {left.side, right.side} == {-1, 1}
    assert {left.start, right.start} == {2, 3}


def test_windows_far_out() -> None:
    (series,) = windows("sqrt(x**4 + x**2 + 1) - x**2 - 1 / 2 + 0 * sin(1 / (1 + x**2))")[:1]
    assert math.isinf(series.centre[0]) and series.start == 2
    (left, right) = windows("1 - tanh(x)**4")
    assert (left.coefficients, right.coefficients) == ((), ())  # another form, no series
    assert (left.side, right.side) == (-1, 1)


def test_there_is_an_end_to_windows() -> None:
    assert len(windows("x * log(2 + cos(3 * x)) - tanh(x) / 2")) == MOST_WINDOWS


def test_windows_survive_as_numbers() -> None:
    found = windows("(x - sin(x)) * (1 - tanh(x)**4)")
    assert found and list(windows_of(as_numbers(found))) == found


SMALL = [1e-300, 1e-150, 1e-44, 3e-39, 1e-30, 1e-12, 1e-7, 2e-4, 0.003, 0.02, 0.06, 0.13, 0.3, 0.9]
FORMULAS = [
    "x - sin(x)",
    "sinh(x) - x",
    "exp(x) - 1 - x",
    "exp(x) - 1 - x - x**2 / 2",
    "cos(x) - 1 + x**2 / 2",
    "tanh(x) / x",
    "sin(x) / x",
    "log(1 + x) / x",
    "(exp(x) - 1) / x",
    "(1 - cos(x)) / x**2",
    "where(x < 0, exp(x) - 1 - x, x - sin(x))",
    "log(cosh(x))",
    "atan(x) - tanh(x)",
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("formula", FORMULAS)
def test_digits_are_kept_where_terms_cancel(formula: str, dtype: type) -> None:
    f = limen.activation(formula)
    form = FORMATS[np.dtype(dtype).name]
    x = np.array([s * v for v in SMALL for s in (1, -1)], dtype)
    x = x[(x != 0) & (x > -1)]
    reference = Reference(parse(formula), order=1)
    exact = [reference.enclose(point, format_=form) for point in x.astype(np.float64).tolist()]
    for order, computed in enumerate((f(x), f.derivative()(x), f.backward(np.ones_like(x), x))):
        balls = [ball[min(order, 1)] for ball in exact]
        errors = [
            ulp_error(float(c), ball, form)
            for c, ball, p in zip(computed, balls, x, strict=True)
            if dtype is np.float32 or not (0 < abs(ball) < 1e-290 or abs(p) < 1e-100)
        ]
        assert max(errors) <= 1


def test_what_is_undefined_stays_undefined() -> None:
    f = limen.activation("tanh(x) / x")
    assert np.isnan(f(0.0)) and np.isnan(f.derivative()(0.0))
    filled = limen.activation("where(x == 0, 1, tanh(x) / x)")
    assert filled(0.0) == 1 and filled.derivative()(0.0) == 0


def test_windows_do_not_hide_each_other() -> None:
    # Two roots closer together than a window is wide, and a tail form that begins before a root.
    for formula in ("(exp(x) - 1.5) * (exp(x) - 1.5001) + 0 * x", "tanh(x) - erf(x / 1.2)"):
        f = limen.activation(formula)
        reference = Reference(parse(formula), order=0)
        x = np.concatenate([np.linspace(-3, 3, 4001), np.linspace(0.4, 0.411, 1001)]).astype("f4")
        errors = [
            ulp_error(float(c), reference.enclose(float(p), format_=FORMATS["float32"])[0],
                      FORMATS["float32"])
            for c, p in zip(f(x), x, strict=True)
        ]  # fmt: skip
        assert max(errors) <= 1
