"""Arithmetic and comparisons of pairs: a hundred bits, and at infinity what float64 does."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np
import pytest
from flint import arb, ctx
from primitive_loops import INF, LARGEST, NAN, compiled, same

from limen.kernels.primitives import extended, plain


def rounded(module: ModuleType, expression: str, *values: float) -> float:
    """A formula over `a`, `b`, ... in the module's arithmetic, narrowed to float64."""
    names = "ab"[: len(values)]
    body = "".join(f"{name} = m.widen({name}_in[i])\n" for name in names)
    kernel = compiled(
        module, f"{body}y[i] = m.narrow({expression})", *(f"{name}_in" for name in names), "y"
    )
    result = np.empty(1)
    kernel(*(np.array([float(value)]) for value in values), result)
    return float(result[0])


@pytest.mark.parametrize(
    ("expression", "values", "expected"),
    [
        ("m.mul(a, b)", (INF, 0.5), INF),
        ("m.mul(m.mul(a, b), b)", (-INF, 0.5), -INF),
        ("m.mul(a, b)", (INF, 0.0), NAN),
        ("m.mul(a, b)", (1e200, 1e200), INF),
        ("m.mul(m.mul(a, a), b)", (1e200, 0.5), INF),
        ("m.add(a, b)", (INF, 1.0), INF),
        ("m.add(m.add(a, b), b)", (LARGEST, LARGEST), INF),
        ("m.sub(a, b)", (INF, INF), NAN),
        ("m.sub(b, m.mul(a, b))", (INF, 1.0), -INF),
        ("m.div(a, b)", (1.0, INF), 0.0),
        ("m.div(a, b)", (-1.0, INF), -0.0),
        ("m.div(a, m.mul(a, b))", (INF, 1.0), NAN),
        ("m.div(a, b)", (1.0, 0.0), INF),
        ("m.div(a, b)", (0.0, 0.0), NAN),
        ("m.mul(a, m.sigmoid(a))", (-INF,), NAN),
        ("m.mul(m.exp(a), m.sigmoid(m.neg(a)))", (INF,), NAN),
        ("m.mul(a, b)", (-0.0, 5.0), -0.0),
        ("m.add(a, b)", (-0.0, -0.0), -0.0),
        ("m.sub(a, a)", (1.5,), 0.0),
        ("m.tanh(m.mul(a, a))", (INF,), 1.0),
        ("m.atan(m.mul(a, a))", (1e300,), math.pi / 2),
        ("m.softplus(m.mul(a, a))", (1e300,), INF),
        ("m.log(m.mul(a, a))", (1e300,), INF),
        ("m.cos(m.mul(a, a))", (1e300,), NAN),
        ("m.sqrt(m.mul(a, a))", (1e300,), INF),
        ("m.erfc(m.neg(m.mul(a, a)))", (1e300,), 2.0),
        ("m.square(m.reciprocal(a))", (-0.0,), INF),
        ("m.exp(a)", (800.0,), INF),
        ("m.mul(m.exp(a), b)", (800.0, 0.0), NAN),
        ("m.select(m.less(a, b), a, m.div(b, a))", (-0.0, 1.0), -0.0),
        ("m.power(a, b)", (0.0, 1.5), 0.0),
        ("m.power(a, b)", (0.0, -1.5), INF),
        ("m.power(a, b)", (INF, 0.5), INF),
        ("m.power(a, b)", (INF, -0.5), 0.0),
        ("m.power(a, b)", (-1.0, 0.5), NAN),
        ("m.power(a, b)", (NAN, 0.5), NAN),
        ("m.power(a, b)", (1e300, 1e300), INF),
        ("m.power(a, b)", (1e300, -1e300), 0.0),
    ],
)
def test_extended_formulas_meet_infinity_as_float64_does(
    expression: str, values: tuple[float, ...], expected: float
) -> None:
    assert same(rounded(extended, expression, *values), expected)
    assert same(rounded(plain, expression, *values), expected)


def test_extended_arithmetic_keeps_a_hundred_bits() -> None:
    draw = np.random.default_rng(7)
    x = np.ldexp(draw.uniform(1, 2, (2, 500)), draw.integers(-30, 30, (2, 500)))
    x *= draw.choice([-1.0, 1.0], (2, 500))
    low = draw.uniform(-0.49, 0.49, (2, 500)) * (x * 2.0**-53)
    operations = {
        "add": arb.__add__,
        "sub": arb.__sub__,
        "mul": arb.__mul__,
        "div": arb.__truediv__,
    }
    for name, operation in operations.items():
        body = f"y[i], z[i] = m.{name}((a[i], al[i]), (b[i], bl[i]))"
        y, z = np.empty(500), np.empty(500)
        compiled(extended, body, "a", "al", "b", "bl", "y", "z")(x[0], low[0], x[1], low[1], y, z)
        ctx.prec = 300
        for i in range(500):
            a, b = (arb(x[k, i]) + arb(low[k, i]) for k in (0, 1))
            scale = abs(a) + abs(b) if name in ("add", "sub") else abs(operation(a, b))
            assert abs(arb(y[i]) + arb(z[i]) - operation(a, b)) <= scale * 2.0**-100


@pytest.mark.parametrize(
    ("a", "b", "relation"),
    [
        ((1.0, 0.0), (1.0, 1e-20), "<"),
        ((1.0, -1e-20), (1.0, 0.0), "<"),
        ((2.0, 1e-17), (2.0, -1e-17), ">"),
        ((2.0, 1e-17), (2.0, 1e-17), "="),
        ((0.0, 0.0), (-0.0, -0.0), "="),
        ((-INF, NAN), (INF, 0.0), "<"),
        ((INF, NAN), (INF, 0.0), "="),
        ((NAN, 0.0), (1.0, 0.0), ""),
        ((NAN, 0.0), (NAN, 0.0), ""),
    ],
)
def test_extended_comparisons_look_at_both_parts(
    a: tuple[float, float], b: tuple[float, float], relation: str
) -> None:
    pair = "(x[0], x[1]), (x[2], x[3])"
    kernel = compiled(
        extended,
        f"y[0], y[1], y[2] = m.less({pair}), m.less_equal({pair}), m.equal({pair})",
        "x",
        "y",
    )
    y = np.empty(3)
    kernel(np.array([*a, *b]), y)
    assert y.tolist() == [relation == "<", relation in ("<", "="), relation == "="]
