"""NaN and signed zeros, for value and derivatives. The sample of `test_accuracy` has the rest."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest


def derivative_of(found, order):
    return found.function.derivative(order) if order else found.function


@pytest.mark.parametrize("order", [0, 1, 2])
def test_nan_in_nan_out_quietly(case, plain, order):
    found = case(plain, "float32")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(derivative_of(found, order)(np.array([np.nan, -np.nan], "f4"))).all()


@pytest.mark.parametrize("order", [0, 1, 2])
def test_an_odd_function_keeps_the_sign_of_zero(case, plain, order):
    found = case(plain, "float32")
    exact = {float(x): ball[order] for x, ball in zip(found.inputs[0], found.balls, strict=True)}
    pairs = [(exact[x], exact[-x]) for x in exact if math.isfinite(x) and -x in exact]
    is_odd = all((right + left).contains(0) for right, left in pairs)
    right = exact[float(found.format.smallest_normal)]
    if not is_odd or right.is_zero():
        pytest.skip("not odd, or 0 on both sides of 0")
    zeros = derivative_of(found, order)(np.array([0.0, -0.0], "f4"))
    assert zeros.tolist() == [0, 0]
    # As in -2 * x: where an odd function falls, f(0.0) is -0.0.
    assert np.signbit(zeros).tolist() == ([False, True] if right > 0 else [True, False])


@pytest.mark.parametrize("x", [-math.inf, math.inf])
def test_a_limit_of_zero_keeps_the_side_it_comes_from(case, plain, x):
    found = case(plain, "float64")
    place = int(np.nonzero(found.inputs[0] == x)[0][0])
    ball = found.balls[place][0]
    if not (ball != 0 and abs(ball) < 1e-300):
        pytest.skip("no limit of 0, or 0 itself")
    computed = float(found.function(x))
    assert computed == 0
    assert math.copysign(1, computed) == (1 if ball > 0 else -1)


def test_heaviside_is_one_at_either_zero(case):
    heaviside = case("heaviside", "float32").function
    assert heaviside(np.array([-0.0, 0.0], "f4")).tolist() == [1, 1]
