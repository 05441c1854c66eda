"""The parser: Python's grammar for what it reads, kind errors for what it does not."""

from __future__ import annotations

import ast
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limen.errors import FormulaError
from limen.formula.advice import advise
from limen.formula.definition import Definition, check_parameters, inputs_of
from limen.formula.expression import Expression, apply, constant, input_, parameter, size
from limen.formula.parse import MOST_NESTING, parse
from limen.formula.tokens import MOST_CHARACTERS

X = input_("x")
A, B = parameter("a"), parameter("b")

SWISH = Definition("swish", ("x",), {"beta": 1.5}, X * apply("sigmoid", parameter("beta") * X))
TANH = Definition("tanh", ("x",), {"scale": 2.0}, parameter("scale") * apply("tanh", X))
GLU = Definition("glu", ("gate", "value"), {}, apply("sigmoid", input_("gate")) * input_("value"))
SQUARE = Definition("square_plus_one", ("x",), {}, X * X + 1)
FUNCTIONS = {d.name: d for d in (SWISH, TANH, GLU, SQUARE)}


def read(text: str, parameters: tuple[str, ...] = ("a", "b")) -> Expression:
    return parse(text, parameters, FUNCTIONS.get, FUNCTIONS)


def refusal(text: str) -> FormulaError:
    with pytest.raises(FormulaError) as caught:
        read(text)
    return caught.value


# What formulas mean


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x", X),
        ("a", A),
        ("pi", apply("pi")),
        ("e * x", apply("multiply", apply("e"), X)),
        ("+x", X),
        ("--x", X),
        ("-x**2", apply("negate", apply("power", X, constant(2)))),
        ("2**-a", apply("power", constant(2), apply("negate", A))),
        ("2**a**b", apply("power", constant(2), apply("power", A, B))),
        ("x - a - b", apply("subtract", apply("subtract", X, A), B)),
        ("x / a / b", apply("divide", apply("divide", X, A), B)),
        ("x / a * b", apply("multiply", apply("divide", X, A), B)),
        ("-x * a", apply("multiply", apply("negate", X), A)),
        ("x + a * b", apply("add", X, apply("multiply", A, B))),
        ("(x + a) * b", apply("multiply", apply("add", X, A), B)),
        ("where(x < a, -x, x)", apply("where", apply("less", X, A), apply("negate", X), X)),
        ("where(x, 1, 2)", apply("where", X, constant(1), constant(2))),
        ("clip(\n\tx, 0,\r\n 1)", apply("clip", X, constant(0), constant(1))),
        ("x + 1 <= a", apply("multiply", constant(1), apply("less_equal", X + 1, A))),
        ("x * (x > 0)", apply("multiply", X, apply("greater", X, constant(0)))),
    ],
)
def test_grammar(text: str, expected: Expression) -> None:
    assert read(text) is expected


def test_a_comparison_is_one_or_zero() -> None:
    condition = apply("greater_equal", X, constant(0))
    assert read("x >= 0") is apply("where", condition, constant(1), constant(0))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", Fraction(7)),
        ("007", Fraction(7)),
        (str(2**53), Fraction(2**53)),
        (str(2**53 + 1), Fraction(2**53)),
        ("0.1", Fraction(0.1)),
        (".5", Fraction(1, 2)),
        ("2.", Fraction(2)),
        ("1e-3", Fraction(1e-3)),
        ("2.5E+2", Fraction(250)),
        ("5e-324", Fraction(5e-324)),
        ("0e-999", Fraction(0)),
        ("1/3", Fraction(1, 3)),
        ("3 * 0.1", 3 * Fraction(0.1)),
        ("2**-3", Fraction(1, 8)),
        ("-2**2", Fraction(-4)),
        ("(-2)**3", Fraction(-8)),
    ],
)
def test_literals_are_binary64_and_constants_exact(text: str, value: Fraction) -> None:
    assert read(text) is constant(value)


_OPERATORS = ["+", "-", "*", "/", "**", "<", ">="]
_ATOMS = st.sampled_from(["x", "a", "b", "2", "3", "0.5", "pi"])


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({})".format, inner),
        st.builds("{}{}".format, st.sampled_from("+-"), inner),
        st.builds("{} {} {}".format, inner, st.sampled_from(_OPERATORS), inner),
        st.builds("maximum({}, {})".format, inner, inner),
    )


_AST_NAMES = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
    ast.Lt: "less",
    ast.GtE: "greater_equal",
    ast.USub: "negate",
}


def _by_python(node: ast.expr) -> Expression:
    """The expression of a Python syntax tree; a chain of comparisons is a FormulaError."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return constant(value)
        case ast.Name(id=name):
            return {"x": X, "a": A, "b": B, "pi": apply("pi")}[name]
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _by_python(operand)
        case ast.UnaryOp(op=operator, operand=operand):
            return apply(_AST_NAMES[type(operator)], _by_python(operand))
        case ast.BinOp(left=left, op=operator, right=right):
            return apply(_AST_NAMES[type(operator)], _by_python(left), _by_python(right))
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            return apply(_AST_NAMES[type(operator)], _by_python(left), _by_python(right))
        case ast.Call(args=arguments):
            return apply("maximum", *map(_by_python, arguments))
    raise FormulaError("no formula")


@settings(deadline=None)
@given(st.recursive(_ATOMS, _compound, max_leaves=12))
def test_operators_bind_as_in_python(text: str) -> None:
    try:
        expected = _by_python(ast.parse(text, mode="eval").body)
    except FormulaError:
        refusal(text)
    else:
        assert read(text) is apply("multiply", constant(1), expected)


# Calls


def test_functions_take_inputs_and_parameters() -> None:
    sigmoid_of = lambda b, u: u * apply("sigmoid", b * u)  # noqa: E731
    assert read("swish(x)") is sigmoid_of(constant(1.5), X)
    assert read("swish(x, 2)") is sigmoid_of(constant(2), X)
    assert read("swish(x, beta=2)") is sigmoid_of(constant(2), X)
    assert read("swish(beta=a, x=x + 1)") is sigmoid_of(A, X + 1)
    assert read("swish(swish(x), beta=a + b)") is sigmoid_of(A + B, sigmoid_of(constant(1.5), X))
    assert read("glu(x, a)") is apply("sigmoid", X) * A
    assert read("glu(value, gate)") is apply("sigmoid", input_("value")) * input_("gate")


def test_arguments_are_substituted_at_once() -> None:
    # Substituting one after the other would turn glu(value, gate) into a function of one name.
    assert inputs_of(read("glu(value, gate)")) == ("gate", "value")


def test_an_operation_goes_before_a_function_of_its_name() -> None:
    assert read("tanh(x)") is apply("tanh", X)
    assert read("tanh(x, scale=3)") is 3 * apply("tanh", X)
    assert read("tanh(x, 3)") is 3 * apply("tanh", X)


def test_a_parameter_may_be_called_like_a_function() -> None:
    assert parse("swish(x) + swish", ["swish"], FUNCTIONS.get) is read("swish(x)") + parameter(
        "swish"
    )


def test_a_comparison_is_an_argument_like_any_other() -> None:
    assert read("swish(x > 0)") is read("swish(where(x > 0, 1, 0))")


def test_nested_doubling_stays_small() -> None:
    text = "x"
    for _ in range(40):
        text = f"square_plus_one({text})"
    assert size(read(text)) == 82  # x, 1, and a product and a sum for each call


# What is refused: column, reason and what would work


@pytest.mark.parametrize(
    ("text", "column", "advice"),
    [
        ("", 0, "empty"),
        (" \n\t ", 4, "empty"),
        ("((", 2, "value is wanted"),
        ("(x", 0, "never closed"),
        ("1 + exp(x", 7, "never closed"),
        ("x)", 1, "closes none"),
        ("()", 1, "nothing in these parentheses"),
        ("exp()", 0, "takes 1 argument, got 0"),
        ("exp(x,)", 6, "value is wanted"),
        ("x +", 3, "value is wanted"),
        ("* x", 0, "value is wanted"),
        ("x y", 2, "product is written *"),
        ("2x", 1, "product is written *"),
        ("x(2)", 0, "x * (...)"),
        ("(x)(x)", 3, "product is written *"),
        ("x, a", 1, "comma"),
        ("a = 3", 2, "=="),
        ("exp(x = 3)", 0, "by position"),
        ("swish(x, beta=1, beta=2)", 17, "twice"),
        ("swish(x, 1, beta=2)", 0, "twice"),
        ("swish(beta=2, x)", 0, "by name come after"),
        ("swish(x, gamma=2)", 0, "swish(x, beta=1.5)"),
        ("swish(x, 1, 2)", 0, "swish(x, beta=1.5)"),
        ("swish()", 0, "needs its 'x'"),
        ("exp(x, 2)", 0, "takes 1 argument, got 2"),
        ("where(x, 1)", 0, "takes 3 arguments, got 2"),
        ("x * exp", 4, "exp(x)"),
        ("0 < x < 1", 6, "clip"),
        ("x == a != b", 7, "where"),
        ("x if x > 0 else 0", 2, "where(x < 0, a, b)"),
        ("x > 0 and x < 1", 6, "where(a, where(b, yes, no), no)"),
        ("not x", 0, "where"),
        ("lambda x: x", 0, "without its head"),
        ("x^2", 1, "**"),
        ("x // 2", 2, "/ divides"),
        ("x % 2", 2, "remainder"),
        ("x & a", 2, "where"),
        ("x.__class__", 1, "no attributes"),
        ("__import__('os')", 0, "begins with a letter"),
        ("x[0]", 1, "indexing"),
        ("'x'", 0, "strings"),
        ("x\0", 1, "U+0000"),
        ("2 × x", 2, "written *"),
        ("х + 1", 0, "CYRILLIC SMALL LETTER HA"),
        ("x\u00a0+ 1", 1, "NO-BREAK SPACE"),
        ("1j", 1, "imaginary"),
        ("0x10", 1, "decimal"),
        ("1_000", 1, "underscores"),
        ("1e999", 0, "too large"),
        ("9" * 400, 0, "too large"),
        ("1e-999", 0, "too small"),
        ("2**9**9**9", 4, "power this large"),
        ("x / 0", 2, "division by the constant 0"),
        ("x**x", 1, "exponent"),
        ("x * gate", 4, "not of both"),
        ("min(x, 0)", 0, "minimum"),
        ("ln(x)", 0, "log"),
        ("softmax(x)", 0, "one number at a time"),
        ("tahn(x)", 0, "did you mean tanh"),
        ("swich(x)", 0, "did you mean swish"),
        ("frobnicate(x)", 0, "limen.names()"),
        ("gamma * x", 0, "gamma=1.0"),
        ("True", 0, "write 1"),
        ("inf", 0, "finite"),
        ("power(x, 2)", 0, "a ** 2"),
    ],
)
def test_errors_say_where_and_what_would_work(text: str, column: int, advice: str) -> None:
    error = refusal(text)
    assert error.column == column
    assert error.text == text
    assert advice in error.message
    *_, caret = str(error).split("\n")
    assert caret.strip() == "^"


_HOSTILE = {
    "10 MB": "x" * 10_000_000,
    "parentheses": "(" * 100_000 + "x" + ")" * 100_000,
    "open parentheses": "(" * MOST_CHARACTERS,
    "minuses": "-" * 100_000 + "x",
    "fewer minuses": "-" * (MOST_CHARACTERS - 1) + "x",
    "tower": "**".join(["2"] * 3000),
    "calls": "exp(" * 2000 + "x" + ")" * 2000,
    "import": "__import__('os')",
    "class": "x.__class__",
    "growing constant": "*".join(["1.1e-300"] * 1100),
    "growing fraction": "+".join(f"1/{n}" for n in range(1001, 2600)),
    "long name": "a" * MOST_CHARACTERS,
    "long number": "1" * MOST_CHARACTERS,
    "unfolding": "+".join(["large(x)"] * 1000),
}


@pytest.mark.parametrize("text", _HOSTILE.values(), ids=_HOSTILE)
def test_hostile_text_is_refused_at_once(text: str) -> None:
    large = sum((apply("sin", X * n) for n in range(1, 300)), constant(0))
    functions = {"large": Definition("large", ("x",), {}, large)}
    start = time.perf_counter()
    with pytest.raises(FormulaError) as caught:
        parse(text, (), functions.get)
    # The promise is 0.1 s; the bound leaves room for a busy machine.
    assert time.perf_counter() - start < 0.5
    assert caught.value.column is not None
    assert "^" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_nesting_has_a_limit_and_length_does_not_nest() -> None:
    assert size(read("x" + "+x" * 4000)) == 4001
    assert read("(" * MOST_NESTING + "x" + ")" * MOST_NESTING) is X
    assert "nests deeper" in refusal("(" * (MOST_NESTING + 1) + "x").message


def test_the_number_of_nodes_has_a_limit() -> None:
    text = "+".join(f"sin({n}*x)" for n in range(900))
    assert size(read(text)) < 5000
    big = sum((apply("sin", X * n) for n in range(1, 1500)), constant(0))
    functions = {"big": Definition("big", ("x",), {}, big)}
    with pytest.raises(FormulaError, match="more than 5,000 nodes"):
        parse("big(x) + big(x + 1)", (), functions.get)


def parses_or_points(text: str) -> bool:
    """Whether the text gives an expression, or an error whose column is in the text."""
    try:
        return isinstance(read(text), Expression)
    except FormulaError as error:
        return error.column is not None and 0 <= error.column <= len(text)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_parses_or_is_refused_with_its_column(text: str) -> None:
    assert parses_or_points(text)


_WORDS = ["x", "a", "(", ")", ",", "=", "+", "-", "*", "**", "<", "1", "exp(", "swish(", "beta="]


@settings(deadline=None)
@given(st.lists(st.sampled_from(_WORDS), max_size=12))
def test_any_words_parse_or_are_refused_with_their_column(words: list[str]) -> None:
    text = " ".join(words)
    assert parses_or_points(text)


def test_a_formula_is_text() -> None:
    with pytest.raises(FormulaError, match="a formula is text"):
        parse(3)  # type: ignore[arg-type]


# Names of parameters and inputs


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("x", "input"),
        ("gate", "input"),
        ("exp", "operation"),
        ("e", "constant"),
        ("pi", "constant"),
        ("lambda", "word of Python"),
        ("_a", "letter in front"),
        ("2a", "letter in front"),
        ("β", "ASCII"),
        ("a b", "ASCII"),
        ("", "ASCII"),
    ],
)
def test_names_that_cannot_be_parameters(name: str, reason: str) -> None:
    with pytest.raises(FormulaError, match=reason):
        check_parameters([name])
    with pytest.raises(FormulaError, match=reason):
        parse("x", [name])


def test_inputs() -> None:
    assert inputs_of(read("a")) == ("x",)
    assert inputs_of(read("x * a")) == ("x",)
    assert inputs_of(read("value")) == ("gate", "value")
    with pytest.raises(FormulaError, match="x, or of gate and value"):
        inputs_of(X + input_("gate"))


def test_a_near_name_is_proposed_once() -> None:
    """A function of the catalogue may also be an operation of the parser."""
    advice = advise("softplsu", ["softplus", "softplus"], called=True)
    assert advice.endswith("did you mean softplus?")
