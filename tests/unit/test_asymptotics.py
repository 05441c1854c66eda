"""Limits, and the starts from which an expansion promises a sign."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from limen.formula.analysis import digits
from limen.formula.analysis.answers import UNKNOWN
from limen.formula.analysis.asymptotics import limit, sign_from
from limen.formula.analysis.tails import expand
from limen.formula.parse import parse

INF = math.inf

LIMITS = [
    ("x / (1 + exp(-x))", -0.0, INF),
    ("x / 2 * (1 + erf(x / sqrt(2)))", -0.0, INF),
    ("0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))", -0.0, INF),
    ("x * tanh(log(1 + exp(x)))", -0.0, INF),
    ("x * tanh(exp(x))", -0.0, INF),
    ("log(1 + exp(x))", 0.0, INF),
    ("-log(1 + exp(-x))", -INF, -0.0),
    ("x / (1 + abs(x))", -1.0, 1.0),
    ("atan(x)", -math.pi / 2, math.pi / 2),
    ("atan(exp(x) - 1)", -math.pi / 4, math.pi / 2),
    ("(x + sqrt(x**2 + 4)) / 2", 0.0, INF),
    ("sqrt(x**2 + 1) - x", INF, 0.0),
    ("sqrt(x**2 + x) - x", INF, 0.5),
    ("x * (exp(1 / x) - 1)", 1.0, 1.0),
    ("x**2 * (1 - cos(1 / x))", 0.5, 0.5),
    ("(1 + 3 * x**2) / (2 * x**2 - x)", 1.5, 1.5),
    ("x**20 * exp(-x)", INF, 0.0),
    ("log(1 + x**2) / sqrt(abs(x))", 0.0, 0.0),
    ("exp(-exp(-x))", 0.0, 1.0),
    ("exp(exp(x))", 1.0, INF),
    ("x + sin(x)**2", -INF, INF),
    ("x * (2 + sin(x))", -INF, INF),
    ("sin(x) / x", 0.0, 0.0),
    ("sin(x)", None, None),
    ("3 + cos(2 * x) * tanh(x)", None, None),
    ("x * sin(x)", None, None),
    ("log(x)", None, INF),
    ("where(x < 0, 0, x)", 0.0, INF),
    ("where(x < 100, sin(x), 7)", None, 7.0),
    ("clip(x, -1, 6)", -1.0, 6.0),
    ("erf(x) - sign(x)", 0.0, -0.0),
    ("2**0.5 * x - sqrt(2 * x**2)", -INF, 0.0),
    ("sqrt(3) * sqrt(5) * x - sqrt(15 * x**2 + x)", -INF, -0.12909944487358058),
    ("exp(-(x * sqrt(3) / sqrt(7))**2) * exp(3 * x**2 / 7)", 1.0, 1.0),
]


@pytest.mark.parametrize(("text", "left", "right"), LIMITS)
def test_limits_at_infinity(text: str, left: float | None, right: float | None) -> None:
    e = parse(text)
    for end, expected in ((-INF, left), (INF, right)):
        found = limit(e, end)
        assert repr(found) == repr(expected), end


@pytest.mark.parametrize(
    ("text", "place", "side", "expected"),
    [
        ("sin(x) / x", 0, 1, 1.0),
        ("1 / x", 0, -1, -INF),
        ("x * log(x)", 0, 1, -0.0),
        ("exp(-1 / x)", 0, 1, 0.0),
        ("exp(-1 / x)", 0, -1, INF),
        ("atan(1 / x)", 0, -1, -math.pi / 2),
        ("(exp(x) - 1 - x) / x**2", 0, 1, 0.5),
        ("(x**3 - 1) / (x - 1)", 1, -1, 3.0),
        ("sqrt(x)", 0, -1, None),
        ("log(3 * x - 1)", Fraction(1, 3), 1, -INF),
    ],
)
def test_limits_from_one_side(
    text: str, place: int | Fraction, side: int, expected: float | None
) -> None:
    assert repr(limit(parse(text), Fraction(place), side)) == repr(expected)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["sin(x) + sin(sqrt(2) * x)", "x**pi", "log(log(x))"])
def test_what_is_not_decided_is_unknown(text: str) -> None:
    assert limit(parse(text), INF) is UNKNOWN


@pytest.mark.parametrize("text", [text for text, *_ in LIMITS])
@pytest.mark.parametrize("end", [-INF, INF])
def test_the_promised_sign_holds_from_the_start_on(text: str, end: float) -> None:
    e = parse(text)
    found = sign_from(e, end)
    if found is None:
        pytest.skip("no sign to promise")
    start, sign = found
    mp = digits.context()
    # 1 + erf(-20) has no digit among the first 170: the plain formula needs many.
    with mp.workdps(800):
        for far in (1.0, 1.0001, 1.1, 2.0, 3.0):
            value = digits.value(e, mp.mpf(math.copysign(min(start * far, 40.0), end)))
            if sign:
                assert start > 40 or mp.sign(value) == sign
            else:
                assert abs(value) < mp.mpf(10) ** -750


@pytest.mark.parametrize(
    "text",
    [
        "tanh(x)",
        "log(1 + exp(x))",
        "x / (1 + exp(-x))",
        "erfc(x)",
        "sqrt(x**2 + x)",
        "atan(x)**2",
        "exp(1 / x) * x",
        "log(x + 3)",
        "x - tanh(x)",
        "1 / cosh(x)",
        "erf(1 / (1 + x))",
    ],
)
@pytest.mark.parametrize("start", [5.0, 16.0])
def test_an_expansion_holds_the_value(text: str, start: float) -> None:
    e = parse(text)
    found = expand(e, start)
    mp = digits.context()
    for t in (start, start * 1.3, start * 4, start * 100):
        scales = [*found.terms, *([found.rest.scale] if found.rest else [])]
        sizes = [
            mp.mpf(t) ** digits.number(Fraction(s.power))
            * mp.log(t) ** digits.number(Fraction(s.logs))
            * mp.exp(mp.fsum(p * mp.mpf(t) ** digits.number(Fraction(q)) for q, p in s.exponent))
            for s in scales
        ]
        total = mp.fsum(c * size for c, size in zip(found.terms.values(), sizes, strict=False))
        left = digits.value(e, t) - total
        slack = abs(total) * mp.mpf(10) ** -50
        low, high = (found.rest.low, found.rest.high) if found.rest else (0.0, 0.0)
        size = sizes[-1] if found.rest else mp.mpf(1)
        assert low * size - slack <= left <= high * size + slack
