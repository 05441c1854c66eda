"""The properties of functions: closed forms, and honest refusals."""

from __future__ import annotations

import copy
import math
import pickle
import threading
import time
from collections.abc import Callable
from typing import Any

import mpmath
import pytest
from plain_catalogue import CATALOGUE

from limen.formula.analysis import analyze, digits
from limen.formula.analysis.answers import ENDLESS, UNKNOWN, Extremum, Range, Stretch
from limen.formula.parse import parse

INF = math.inf

# --- Closed forms -----------------------------------------------------------------------------


def test_silu_by_lamberts_function() -> None:
    e = CATALOGUE["silu"]
    with mpmath.workdps(40):
        w = mpmath.lambertw(mpmath.exp(-1)).real
        place, value = float(-1 - w), float(-w)
    assert analyze.extrema(e) == (Extremum("minimum", place, value),)
    assert analyze.range(e) == Range(value, INF, True, False)
    assert repr(analyze.range(e)) == "[-0.2784645427610738, inf)"
    assert repr(analyze.limits(e)) == "(-0.0, inf)"
    assert analyze.roots(e) == (0.0,)
    assert analyze.kinks(e) == ()
    assert analyze.is_monotonic(e) is False
    assert analyze.direction(e) is None
    assert analyze.is_bounded(e) is False


@pytest.mark.parametrize(
    ("name", "function", "near"),
    [
        ("mish", lambda x: x * mpmath.tanh(mpmath.log(1 + mpmath.exp(x))), -1.2),
        ("gelu", lambda x: x / 2 * (1 + mpmath.erf(x / mpmath.sqrt(2))), -0.75),
        ("tanhexp", lambda x: x * mpmath.tanh(mpmath.exp(x)), -1.1),
        ("serf", lambda x: x * mpmath.erf(mpmath.log(1 + mpmath.exp(x))), -1.2),
        ("logish", lambda x: x * mpmath.log(1 + 1 / (1 + mpmath.exp(-x))), -1.4),
    ],
)
def test_minima_against_mpmath(name: str, function: Callable[[Any], Any], near: float) -> None:
    with mpmath.workdps(50):
        place = mpmath.findroot(lambda x: mpmath.diff(function, x), near)
        expected = Extremum("minimum", float(place), float(function(place)))
    assert analyze.extrema(CATALOGUE[name]) == (expected,)


@pytest.mark.parametrize(
    ("text", "second", "near"),
    [
        ("x / (1 + exp(-x))", lambda x: x / (1 + mpmath.exp(-x)), 2.4),
        ("x / 2 * (1 + erf(x / sqrt(2)))", lambda x: x * mpmath.ncdf(x), 1.4),
        ("exp(-x**2)", lambda x: mpmath.exp(-(x**2)), 0.7),
    ],
)
def test_lipschitz_constants_against_mpmath(
    text: str, second: Callable[[Any], Any], near: float
) -> None:
    with mpmath.workdps(50):
        place = mpmath.findroot(lambda x: mpmath.diff(second, x, 2), near)
        expected = abs(float(mpmath.diff(second, place)))
    assert analyze.lipschitz(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "kinks"),
    [
        ("where(x < 0, 0, x)", (0.0,)),
        ("abs(x)", (0.0,)),
        ("x * abs(x)", ()),
        ("x / (1 + abs(x))", ()),
        ("x * clip(x + 3, 0, 6) / 6", (-3.0, 3.0)),
        ("where(x > 0, x, expm1(x))", ()),
        ("where(x > 0, x, 2 * expm1(x))", (0.0,)),
        ("maximum(x, 0) + minimum(0, 2 * expm1(x / 2))", ()),
        ("where(abs(x) <= 0.5, 0, x)", (-0.5, 0.5)),
        ("where(x == 0, 1, sin(x) / x)", ()),
        ("where(x == 0, 2, sin(x) / x)", (0.0,)),
        ("sin(x) / x", (0.0,)),
        ("1 / x", (0.0,)),
        ("sqrt(x)", (0.0,)),
        ("log(x**2 - 2)", (-math.sqrt(2), math.sqrt(2))),
        ("maximum(x, x**3)", (-1.0, 0.0, 1.0)),
        ("clip(exp(x) - 2, -1, 1)", (0.0, math.log(3))),
        ("abs(sin(x))", ENDLESS),
        ("sin(abs(x))", (0.0,)),
        ("cos(abs(x))", ()),
        ("where(x > 0, exp(-1 / x), 0)", ()),
    ],
)
def test_kinks(text: str, kinks: object) -> None:
    assert analyze.kinks(parse(text)) == kinks


@pytest.mark.parametrize(
    ("text", "roots"),
    [
        ("where(x < 0, 0, x)", "((-inf, 0.0],)"),
        ("where(x < 0, 0, 1)", "((-inf, 0.0),)"),
        ("where(x <= 0, 0, 1)", "((-inf, 0.0],)"),
        ("x * clip(x + 3, 0, 6) / 6", "((-inf, -3.0], 0.0)"),
        ("where(abs(x) < 1, 0, x)", "((-1.0, 1.0),)"),
        ("maximum(0, 1 - abs(x))", "((-inf, -1.0], [1.0, inf))"),
        ("sin(x)", "infinitely many"),
        ("2 + sin(x)", "()"),
        ("exp(x) - x - 1", "(0.0,)"),
        ("x - sin(x)", "(0.0,)"),
        ("x**3 - 3 * x + 2", "(-2.0, 1.0)"),
        ("x**2 - 2", "(-1.4142135623730951, 1.4142135623730951)"),
        ("sqrt(x**2 - 2)", "(-1.4142135623730951, 1.4142135623730951)"),
        ("sqrt(x**2 - 3)", "(-1.7320508075688772, 1.7320508075688772)"),
        ("where(x * x < 5, 0, x)", "((-2.23606797749979, 2.23606797749979),)"),
        ("where(x * x <= 5, 0, x)", "([-2.23606797749979, 2.23606797749979],)"),
        ("3 * x - 1", "(0.3333333333333333,)"),
        ("cos(x) - x", "(0.7390851332151607,)"),
        ("exp(x)", "()"),
        ("x - x", "((-inf, inf),)"),
        ("where(x < -5, sin(x), 1)", "infinitely many"),
    ],
)
def test_roots(text: str, roots: str) -> None:
    assert repr(analyze.roots(parse(text))) == roots


@pytest.mark.parametrize(
    ("text", "extrema"),
    [
        ("where(x < 0, 0, x)", "(minimum 0.0 on (-inf, 0.0],)"),
        ("where(x < 0, 0, 1)", "(minimum 0.0 on (-inf, 0.0), maximum 1.0 on [0.0, inf))"),
        ("clip(x, -1, 1)", "(minimum -1.0 on (-inf, -1.0], maximum 1.0 on [1.0, inf))"),
        ("x * clip(x + 3, 0, 6) / 6", "(maximum 0.0 on (-inf, -3.0], minimum -0.375 at -1.5)"),
        ("where(abs(x) <= 0.5, 0, x)", "()"),
        ("x**3", "()"),
        ("abs(x)", "(minimum 0.0 at 0.0,)"),
        ("where(x == 0, 5, x)", "(maximum 5.0 at 0.0,)"),
        ("where(x < 1, x, 3 - x)", "(maximum 2.0 at 1.0,)"),
        ("sqrt(1 - x**2)", "(minimum 0.0 at -1.0, maximum 1.0 at 0.0, minimum 0.0 at 1.0)"),
        ("sin(x)", "infinitely many"),
        ("x + sin(x)**2", "()"),
        ("x / 2 + sin(x)", "infinitely many"),
        ("7 + 0 * x", "()"),
    ],
)
def test_extrema(text: str, extrema: str) -> None:
    assert repr(analyze.extrema(parse(text))) == extrema


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("where(x < 0, 0, 1)", "[0.0, 1.0]"),
        ("1 / (1 + exp(-x))", "(0.0, 1.0)"),
        ("sin(x)", "[-1.0, 1.0]"),
        ("exp(sin(x))", f"[{math.exp(-1)}, {math.e}]"),
        ("x + sin(x)**2", "(-inf, inf)"),
        ("x**2 / (1 + x**2)", "[0.0, 1.0)"),
        ("where(x > 0, exp(-1 / x), 0)", "[0.0, 1.0)"),
        ("atan(1 / x)", f"({-math.pi / 2}, {math.pi / 2})"),
        ("minimum(x, 3)", "(-inf, 3.0]"),
        ("where(x == 0, 5, tanh(x))", "(-1.0, 5.0]"),
        ("log(x)", "(-inf, inf)"),
        ("abs(sin(x))", "[0.0, 1.0]"),
    ],
)
def test_range(text: str, expected: str) -> None:
    assert repr(analyze.range(parse(text))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sin(3 * x)", 3.0),
        ("x + sin(x)**2", 2.0),
        ("where(x < 0, 0, 1)", INF),
        ("where(x == 0, 1, x)", INF),
        ("x**2", INF),
        ("minimum(x**2, 1)", 2.0),
        ("tanh(1000 * x)", 1000.0),
        ("x * 1e-300", 1e-300),
        ("log(1 + exp(x) + exp(-x))", 1.0),
        ("7 + 0 * x", 0.0),
        ("sqrt(abs(x))", INF),
    ],
)
def test_lipschitz(text: str, expected: float) -> None:
    assert analyze.lipschitz(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("where(x < 0, 0, x)", "increasing"),
        ("where(x < 0, 0, 1)", "increasing"),
        ("where(x < 0, 1, 0)", "decreasing"),
        ("where(x < 0, x, x - 1)", None),
        ("-tanh(x)", "decreasing"),
        ("x + sin(x)", "increasing"),
        ("x + 1.01 * sin(x)", None),
        ("1 / x", None),
        ("3 + 0 * x", "constant"),
        ("x * 1e-300", "increasing"),
    ],
)
def test_direction(text: str, expected: str | None) -> None:
    assert analyze.direction(parse(text)) == expected
    assert analyze.is_monotonic(parse(text)) is (expected is not None)


def test_functions_of_the_largest_numbers_have_values() -> None:
    for text, x, expected in (
        ("erfc(x)", 1e256, 0.0),
        ("erfc(x)", -1e256, 2.0),
        ("erfcx(x)", 1e256, 1e-256 / math.sqrt(math.pi)),
        ("erfcx(x)", 30.0, 0.018795888861416751),
    ):
        assert float(digits.value(parse(text), x)) == pytest.approx(expected, rel=1e-15)
    assert analyze.limits(parse("x + erfc(-1e256 * x)")) == (-math.inf, math.inf)


# --- Honesty ----------------------------------------------------------------------------------


def test_what_is_not_decided_is_unknown_and_soon() -> None:
    hard = (
        "sin(x**2)",
        "sin(x) + sin(sqrt(2) * x)",
        "where(sin(x) < 0, 0, x)",
        "minimum(expm1(x) / (1 + x**4), cos(expm1(x)))",
        "sin(exp(x)) * x",
    )
    start = time.process_time()
    for text in hard:
        assert analyze.extrema(parse(text)) is UNKNOWN
        assert analyze.lipschitz(parse(text)) is UNKNOWN
    assert time.process_time() - start < 20  # at most about a second each


def test_unknown_and_endless_are_single_objects() -> None:
    assert repr(UNKNOWN) == "unknown"
    assert repr(ENDLESS) == "infinitely many"
    assert not UNKNOWN
    assert ENDLESS
    for answer in (UNKNOWN, ENDLESS):
        assert copy.deepcopy(answer) is answer
        assert pickle.loads(pickle.dumps(answer)) is answer


def test_stretches_and_ranges_know_what_they_hold() -> None:
    assert -1e308 in Stretch(-INF, 0.0)
    assert 0.0 not in Stretch(-INF, 0.0, high_included=False)
    assert 0.0 in Range(0.0, INF, True, False)
    assert 1.0 not in Range(0.0, 1.0, True, False)


def test_analysis_leaves_mpmath_as_it_was_and_works_in_threads() -> None:
    before = mpmath.mp.prec
    answers: list[object] = []
    threads = [
        threading.Thread(target=lambda: answers.append(analyze.extrema(CATALOGUE["mish"])))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == 1
    assert len(answers) == 3
    assert mpmath.mp.prec == before
    assert digits.context() is digits.context()


@pytest.mark.parametrize("text", ["sin(1e50 * x)", "x**1e60", "cos(1e300 * x) + 1", "x**-1e50"])
def test_nothing_is_claimed_of_what_is_too_steep_to_be_told(text: str) -> None:
    e = parse(text)
    assert analyze.range(e) is UNKNOWN
    assert analyze.limits(e) in ((None, None), (UNKNOWN, UNKNOWN))
    assert analyze.roots(e) != ()
