"""Expressions as text and LaTeX: exact to read back, short to read."""

from __future__ import annotations

import string
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from limen.errors import FormulaError
from limen.formula.derive import derivative
from limen.formula.expression import (
    COMPARISONS,
    Expression,
    apply,
    as_number,
    constant,
    input_,
    parameter,
    walk,
)
from limen.formula.numerals import numeral
from limen.formula.operations import OPERATIONS
from limen.formula.parse import parse
from limen.formula.show import to_latex, to_text
from limen.formula.tokens import MOST_CHARACTERS

X = input_("x")
PARAMETERS = ("a", "beta", "long_name_2")

_floats = st.floats(allow_nan=False, allow_infinity=False)
_fractions = st.one_of(
    st.integers(-10, 10).map(Fraction),
    st.sampled_from([0.1, 0.5, 1.702, 0.044715, 1e-5, 1e22, -0.25]).map(Fraction),
    _floats.map(Fraction),
    st.fractions(max_denominator=5000),
    st.builds(lambda a, b: Fraction(a) * Fraction(b), _floats, _floats),
    st.builds(lambda a, b, n: Fraction(a) + Fraction(b, n), _floats, _floats.map(Fraction),
              st.integers(1, 10**20)),
    st.builds(lambda n, k: Fraction(n) * Fraction(2) ** k,
              st.integers(-(10**40), 10**40), st.integers(-3000, 3000)),
)  # fmt: skip

_leaves = st.one_of(
    st.just(X),
    st.sampled_from([parameter(name) for name in PARAMETERS]),
    st.sampled_from([apply("pi"), apply("e")]),
    _fractions.map(constant),
)


def _applied(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    def try_apply(name: str, *arguments: Expression) -> Expression:
        try:
            return apply(name, *arguments[: OPERATIONS[name].arity])
        except FormulaError:  # a constant 0 below a fraction, an exponent with an input
            return arguments[0]

    functions = [name for name, row in OPERATIONS.items() if row.arity]
    arithmetic = ["add", "subtract", "multiply", "divide", "negate", "power"]
    return st.one_of(
        st.builds(try_apply, st.sampled_from(names), inner, inner, inner)
        for names in (arithmetic, functions)
    )


expressions = st.recursive(_leaves, _applied, max_leaves=25).map(as_number)


def again(text: str) -> Expression:
    return parse(text, PARAMETERS)


@settings(deadline=None)
@given(expressions)
def test_the_text_parses_back_to_the_same_expression(expression: Expression) -> None:
    text = to_text(expression)
    assume(len(text) <= MOST_CHARACTERS)
    assert again(text) is expression


@settings(deadline=None)
@given(_fractions)
def test_constants_parse_back_exactly(value: Fraction) -> None:
    assert again(to_text(constant(value))) is constant(value)
    assert again(to_text(constant(value) * X)) is constant(value) * X


@pytest.mark.parametrize("operation", [name for name, row in OPERATIONS.items() if row.arity])
def test_every_operation_stands_inside_every_other(operation: str) -> None:
    """All pairs of operations, in each place: the brackets of the one around the other."""
    a, beta = parameter("a"), parameter("beta")
    outside = OPERATIONS[operation]
    for inside in OPERATIONS.values():
        free = apply(inside.name, *[beta, a, X][: inside.arity])
        if operation == "power" and inside.arity == 3:
            free = apply(inside.name, beta, a, beta)
        for place in range(outside.arity):
            arguments = [a, beta, constant(2)][: outside.arity]
            arguments[place] = free
            expression = as_number(apply(operation, *arguments))
            assert again(to_text(expression)) is expression


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "x - a",
        "x - (a - 1)",
        "x - (a + 1)",
        "x + a - 1",
        "-x",
        "-x**2",
        "(-x)**2",
        "-(x * a)",
        "-x * a",
        "x * -a",
        "x / 3",
        "-x / 3",
        "2 * x / 3",
        "-2 * x / 3",
        "2 * (x * a) / 3",
        "-2 * (x / a) / 3",
        "x * a / 3",
        "-(x * a) / 3",
        "x - x / 3",
        "x - 2 * a",
        "0.1 * x",
        "1.5 * x",
        "(x + a) / 2",
        "x * (1 + erf(x / sqrt(2))) / 2",
        "a / x / beta",
        "a / (x / beta)",
        "a / (x * beta)",
        "a * x / beta",
        "x**a**beta",
        "(x**a)**beta",
        "x**-a",
        "x**-0.5",
        "x**(1 / 3)",
        "(1 / 3)**a",
        "1 / 3",
        "-1 / 3",
        "1 / x",
        "-1 / x",
        "3 * 0.044715 * x**2",
        "1.702**2 * x",
        "0.1 / 3 * x",
        "1e-05",
        "1e+22 * x",
        "where(x < 0, 0, where(x > a, 1, x))",
        "(where(x < 0, 1, 0) < a) * x",
        "maximum(x, -1)",
        "sin_plus_cos(x)",
        "sqrt(2 / pi) * x + e",
    ],
)
def test_texts_that_read_well_stay_as_they_are(text: str) -> None:
    expected = {"(where(x < 0, 1, 0) < a) * x": "where(where(x < 0, 1, 0) < a, 1, 0) * x"}
    assert to_text(again(text)) == expected.get(text, text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x+(-1)*a", "x - a"),
        ("0.5*x", "x / 2"),
        ("((x))*((a))", "x * a"),
        ("x*2", "2 * x"),
        ("2*(3*x)", "6 * x"),
        ("x--a", "x + a"),
        ("x > 0", "where(x > 0, 1, 0)"),
        ("where(a, x, 0)", "where(a != 0, x, 0)"),
        ("1.5e1", "15"),
        ("123456789012345678", "1.2345678901234568e+17"),
    ],
)
def test_other_spellings_get_the_usual_one(text: str, shown: str) -> None:
    assert to_text(again(text)) == shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3 * Fraction(0.044715), "3 * 0.044715"),
        (6 * Fraction(1.702) ** 3, "6 * 1.702**3"),
        (Fraction(0.1) / 7, "0.1 / 7"),
        (-(Fraction(0.1) ** 2), "-0.1**2"),
        (Fraction(2**61 - 1), "2.305843009213694e+18 - 1"),
        (Fraction(22, 7), "22 / 7"),
    ],
)
def test_constants_that_no_literal_has(value: Fraction, text: str) -> None:
    assert numeral(value)[1] == text
    assert again(text) is constant(value)


# Long and deep formulas


def test_a_deep_formula_needs_no_recursion() -> None:
    deep = X
    for _ in range(100_000):
        deep = apply("sin", deep)
    assert to_text(deep) == "sin(" * 100_000 + "x" + ")" * 100_000
    assert to_text(deep, shorten=20) == "sin(sin(sin(…)))"
    assert to_latex(deep, shorten=60).count("sin") == to_latex(deep, shorten=60).count("right")


def test_what_is_long_on_paper_alone_is_refused_or_shortened() -> None:
    doubling = X
    for _ in range(200):
        doubling = doubling * doubling + 1
    with pytest.raises(FormulaError, match="shorten=200"):
        to_text(doubling)
    short = to_text(doubling, shorten=100)
    assert "…" in short
    assert len(short) <= 100
    assert len(repr(doubling)) < 250


@settings(deadline=None)
@given(expressions, st.integers(1, 120))
def test_shortened_texts_fit(expression: Expression, shorten: int) -> None:
    assert len(to_text(expression, shorten=shorten)) <= shorten
    latex = to_latex(expression, shorten=shorten)
    assert len(latex) <= max(shorten, len(r"\dots"))
    assert latex.count("{") == latex.count("}")
    assert latex.count(r"\left") == latex.count(r"\right")


def test_a_text_that_fits_is_not_shortened() -> None:
    text = "x * tanh(softplus(x))"
    assert to_text(again(text), shorten=len(text)) == text
    assert to_text(again(text), shorten=len(text) - 1) == "x * tanh(…)"


def test_reading_rounds_what_would_distract() -> None:
    value = constant(Fraction(1.702) * Fraction(0.044715)) * X
    assert to_text(value) == "(0.07610493 - 6.832929777544905e-18) * x"
    assert to_text(value, shorten=100) == f"{1.702 * 0.044715!r} * x"


# LaTeX


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("x / (1 + exp(-x))", r"\frac{x}{1 + e^{-x}}"),
        ("x * sigmoid(beta * x)", r"x \, \sigma\left(\beta \, x\right)"),
        ("x**0.5 + x**-1 + x**-2", r"\sqrt{x} + \frac{1}{x} + \frac{1}{x^{2}}"),
        ("exp(x)**2", r"\left(e^{x}\right)^{2}"),
        ("(x + 1)**a", r"\left(x + 1\right)^{a}"),
        ("tanh(x)**2", r"\tanh^{2}\left(x\right)"),
        ("sech(x)**2", r"\operatorname{sech}^{2}\left(x\right)"),
        ("abs(x)**2", r"\left|x\right|^{2}"),
        ("-x * a + -x / a", r"-x \, a - \frac{x}{a}"),
        ("a - (x + 1)", r"a - \left(x + 1\right)"),
        ("x * (a * beta)", r"x \, a \, \beta"),
        ("x * (2 * a)", r"x \cdot 2 \, a"),
        ("x / 2 + 2 * x / 3", r"\frac{x}{2} + \frac{2}{3} \, x"),
        ("0.044715 * x", r"0.044715 \, x"),
        ("1e-9 * x", r"10^{-9} \, x"),
        ("2.5e12 * x", r"2.5 \cdot 10^{12} \, x"),
        ("long_name_2", r"\mathrm{long\_name\_2}"),
        ("log1p(x) * expm1(x)", r"\ln\left(1 + x\right) \, \left(e^{x} - 1\right)"),
        ("sqrt(2 / pi)", r"\sqrt{\frac{2}{\pi}}"),
        ("where(x < 0, 0, x)",
         r"\begin{cases} 0 & \text{if } x < 0 \\ x & \text{otherwise} \end{cases}"),
        ("where(x < 0, 0, where(x <= 1, x, 1))",
         r"\begin{cases} 0 & \text{if } x < 0 \\ x & \text{if } x \le 1 \\ "
         r"1 & \text{otherwise} \end{cases}"),
    ],
)  # fmt: skip
def test_latex(text: str, latex: str) -> None:
    assert to_latex(again(text)) == latex


@settings(deadline=None)
@given(expressions)
def test_latex_is_balanced_and_names_every_leaf(expression: Expression) -> None:
    latex = to_latex(expression)
    depth = 0
    for character in latex:
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0
    assert latex.count(r"\left") == latex.count(r"\right")
    assert set(latex) <= set(string.printable)
    names = {n.payload for n in walk(expression) if n.operation in ("input", "parameter")}
    assert all(name.split("_")[0] in latex for name in names)


def test_every_operation_has_latex() -> None:
    for name, row in OPERATIONS.items():
        node = as_number(apply(name, *[X, parameter("a"), parameter("beta")][: row.arity]))
        if name == "power":
            node = apply(name, X, parameter("a"))
        latex = to_latex(node)
        assert latex
        if row.arity and name not in COMPARISONS:
            assert "x" in latex


def test_derivatives_are_shown() -> None:
    slope = derivative(parse("x * (1 + tanh(0.044715 * x**3))"), X)
    assert "3 * 0.044715 * x**2" in to_text(slope)
    assert r"0.134145 \, x^{2}" in to_latex(slope)
