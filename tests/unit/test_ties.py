"""16-bit results that are ties, or lie next to nothing beside one, are rounded once."""

from __future__ import annotations

import math
from fractions import Fraction

import ml_dtypes
import mpmath
import numpy as np
import pytest

import limen
from limen.certify.measure import FORMATS
from limen.certify.reference import Reference
from limen.formula.expression import walk
from limen.formula.parse import parse
from limen.formula.show import to_text
from limen.kernels.plan import LIMIT_NAMES, forward_plan
from limen.kernels.ties import may_meet_ties, over_one_denominator

DTYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


def nearest(exact: Fraction, name: str) -> float:
    """The number of a format that is nearest to a fraction, the even one of two."""
    format_ = FORMATS[name]
    size = abs(exact)
    binade = format_.smallest_exponent
    while size >= Fraction(2) ** (binade + 1):
        binade += 1
    spacing = Fraction(2) ** format_.spacing_exponent(binade)
    rounded = float(round(exact / spacing) * spacing)  # Python rounds fractions to even
    return (
        rounded
        if abs(rounded) < 2.0 ** (format_.largest_exponent + 1)
        else math.copysign(math.inf, rounded)
    )


def pairs(name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gradients and inputs of every size, those of a few digits too: they make ties."""
    random = np.random.default_rng(7)
    bits = random.integers(0, 1 << 16, (2, count)).astype(np.uint16)
    short = random.integers(1, 1 << 8, (2, count)) * 2.0 ** random.integers(-12, 6, (2, count))
    g, x = np.concatenate([bits.view(DTYPES[name]), short.astype(DTYPES[name])], axis=1)
    x[::2] = -x[::2]
    with np.errstate(invalid="ignore"):
        is_number = np.isfinite(g.astype(float)) & np.isfinite(x.astype(float))
    return g[is_number], x[is_number]


def bent_slope(x: Fraction) -> Fraction:
    with mpmath.workprec(1500):
        t = mpmath.mpf(x.numerator) / x.denominator
        sign, mantissa, exponent, _ = (1 + t / mpmath.sqrt(t * t + 1) / 2)._mpf_
    return (-1) ** sign * int(mantissa) * Fraction(2) ** exponent


SLOPES = {
    "leaky_relu": lambda x: 1 if x > 0 else Fraction(0.01),
    "hardsigmoid": lambda x: Fraction(1, 6) if -3 <= x <= 3 else 0,
    "hardswish": lambda x: 0 if x < -3 else 1 if x > 3 else (2 * x + 3) / 6,
    "softsign": lambda x: 1 / (1 + abs(x)) ** 2,
    "bent_identity": bent_slope,
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SLOPES)
def test_backward_rounds_the_product_once(name, dtype):
    g, x = pairs(dtype, 1500)
    found = limen.get(name).backward(g, x).astype(float)
    for flow, at, result in zip(g.astype(float), x.astype(float), found, strict=True):
        if name == "hardswish" and abs(at) == 3:
            continue  # a kink
        assert result == nearest(Fraction(flow) * SLOPES[name](Fraction(at)), dtype), (flow, at)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("slope", [0.1, 0.2, 0.3])
def test_a_leak_of_few_decimals_rounds_once(slope, dtype):
    f = limen.get("leaky_relu").with_parameters(negative_slope=slope)
    x = np.arange(1 << 16, dtype=np.uint16).view(DTYPES[dtype])
    with np.errstate(invalid="ignore"):
        x = x[np.isfinite(x.astype(float)) & (x.astype(float) < 0)]
    for at, result in zip(x.astype(float)[::7], f(x).astype(float)[::7], strict=True):
        assert result == nearest(Fraction(slope) * Fraction(at), dtype), at


def test_alone_and_in_an_array():
    f = limen.get("hardswish")
    x = np.linspace(-4, 4, 1001).astype(np.float16)
    assert np.array_equal([f(one) for one in x], f(x))


def plan(formula: str):
    return forward_plan(parse(formula), ("x",), {})


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("0.01 * x", True),
        ("x * clip(x + 3, 0, 6) / 6", True),
        ("sqrt(x**2 + 1) - x", True),
        ("where(x < 0, 0, x)", False),  # exact
        ("x * abs(x)", False),  # exact too: 22 digits
        ("x * sigmoid(x)", False),
        ("0.01 * x + tanh(x)", False),
    ],
)
def test_pairs_are_for_what_may_be_a_tie(formula, expected):
    assert may_meet_ties(plan(formula), "float16") is expected
    assert not may_meet_ties(plan(formula), "float32")


@pytest.mark.parametrize(
    "formula", ["x / 6 + x**2 / 15", "x / 3 * (x / 5 + 1)", "abs(x / 3)", "x / 7 / (x / 3 + 1)"]
)
def test_one_denominator(formula):
    (output,) = over_one_denominator(plan(formula)).outputs
    for x in (0.5, -1.75, 3.0):
        computed = Reference(output, parameters=dict.fromkeys(LIMIT_NAMES, 0.0))
        assert computed.exactly(x) == Reference(parse(formula)).exactly(x)
    rest = output.arguments[1] if output.operation == "multiply" else output
    for node in walk(rest):
        if node.is_constant:
            assert node.payload.denominator & (node.payload.denominator - 1) == 0, to_text(output)
