"""Cheaper forms of the plain primitives: for arguments in a range, and for products of two."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from flint import arb, ctx
from primitive_loops import COUNT, INF, NAN, REFERENCES, compiled, evaluate, points

from limen.kernels.primitives import extended, plain

#: Forms of the plain primitives that serve arguments in a range, and that range.
CHEAPER: dict[str, tuple[Callable[[arb], arb], float, float]] = {
    "decay": (lambda x: (-x).exp(), 0.0, 690.0),
    "gaussian": (lambda x: (-x * x).exp(), -26.2, 26.2),
    "inverse": (lambda x: 1 / x, 2.0**-1000, 2.0**1000),
    "inverse_root": (lambda x: 1 / x.sqrt(), 2.0**-1000, 2.0**1000),
    "log1p_of_fraction": (lambda x: x.log1p(), 0.0, 1.0),
    "root": (lambda x: x.sqrt(), 2.0**-1000, 2.0**1000),
}


WAVES = ("sin", "cos", "sin_plus_cos")


def test_both_modules_have_the_same_names() -> None:
    waves = {f"{m}{w}{p}" for m in ("", "moderate_") for w in WAVES for p in ("", "_of_product")}
    shared = set(plain.__all__) - {*CHEAPER, "fma"} - (waves - {*WAVES})
    assert shared == set(extended.__all__) >= {*REFERENCES, "power", "widen", "narrow"}


@pytest.mark.parametrize("name", WAVES)
def test_moderate_arguments_have_the_same_sine(name: str) -> None:
    x = points(name)
    x = x[np.abs(x) <= 2.0**19]
    some = np.ldexp(x, 500)  # so that the loop has lanes of both kinds
    y, _ = evaluate(plain, name, np.stack([x, some]).T.ravel(), np.zeros(2 * x.size))
    moderate, _ = evaluate(plain, f"moderate_{name}", x, np.zeros_like(x))
    np.testing.assert_array_equal(moderate.view(np.int64), y[::2].view(np.int64))


@pytest.mark.parametrize("name", WAVES)
def test_sines_of_products_that_are_not_rounded(name: str) -> None:
    draw = np.random.default_rng(3)
    b = draw.uniform(0.1, 30.0, 8 * COUNT)
    a = np.ldexp(draw.uniform(1, 2, b.size), draw.integers(-10, 128, b.size))
    a[::2] = np.pi * draw.integers(1, 10**5, b.size // 2) / b[::2] / 4  # beside roots
    a = a.astype(np.float32).astype(np.float64)
    y = np.empty_like(a)
    compiled(plain, f"y[i] = m.{name}_of_product(a[i], b[i])", "a", "b", "y")(a, b, y)
    ctx.prec = 700
    for p, q, computed in zip(a.tolist(), b.tolist(), y.tolist(), strict=True):
        exact = REFERENCES[name](arb(p) * arb(q))
        assert abs(arb(computed) - exact) <= 2.0**-50 * abs(exact), (p, q, computed)
    near = np.abs(a * b) <= 2.0**19
    moderate = np.empty(int(near.sum()))
    compiled(plain, f"y[i] = m.moderate_{name}_of_product(a[i], b[i])", "a", "b", "y")(
        a[near], b[near], moderate
    )
    np.testing.assert_array_equal(moderate.view(np.int64), y[near].view(np.int64))


@pytest.mark.parametrize("name", CHEAPER)
def test_cheaper_forms(name: str) -> None:
    function, low, high = CHEAPER[name]
    draw = np.random.default_rng(sum(name.encode()))
    x = np.concatenate([[low, high], draw.uniform(low, min(high, 1e3), 2 * COUNT)])
    sizes = np.ldexp(draw.uniform(1, 2, COUNT), draw.integers(-999, min(9, int(high)), COUNT))
    x = np.concatenate([x, sizes[sizes <= high], -sizes[-sizes >= low]])
    computed, _ = evaluate(plain, name, x, np.zeros_like(x))
    ctx.prec = 300
    for argument, value in zip(x.tolist(), computed.tolist(), strict=True):
        exact = function(arb(argument))
        assert abs(arb(value) - exact) <= 2.0**-50 * abs(exact), (argument, value)
    ends, _ = evaluate(plain, name, np.array([NAN, INF]), np.zeros(2))
    assert math.isnan(ends[0])
    assert name not in ("decay", "gaussian") or ends[1] == 0.0
