"""Tracing: a Python function becomes the expression it computes, or an error that helps."""

from __future__ import annotations

import builtins
import inspect
import math
import pickle
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from scipy import special

import limen
from limen.errors import FormulaError
from limen.formula.definition import Definition
from limen.formula.expression import Expression, apply, constant, input_, parameter
from limen.formula.operations import OPERATIONS
from limen.formula.parse import parse
from limen.formula.trace import compose, trace
from limen.formula.traced import Traced, operation_functions

FUNCTIONS = operation_functions()
exp, where, clip, sigmoid = (FUNCTIONS[name] for name in ("exp", "where", "clip", "sigmoid"))
X = input_("x")


def traced(function: Callable[..., object]) -> Expression:
    return trace(function).expression


# What becomes of functions


def test_inputs_and_parameters() -> None:
    def swish(u, beta=1.5, *, shift=2):
        return u * sigmoid(beta * u) + shift

    definition = trace(swish)
    assert definition.name == "swish"
    assert definition.inputs == ("x",)
    assert definition.parameters == {"beta": 1.5, "shift": 2.0}
    assert [type(v) for v in definition.parameters.values()] == [float, float]
    assert definition.expression is parse("x * sigmoid(beta * x) + shift", ("beta", "shift"))


def test_two_inputs_are_gate_and_value() -> None:
    definition = trace(lambda left, right, /, slope=1.0: sigmoid(slope * left) * right, "glu")
    assert definition.name == "glu"
    assert definition.inputs == ("gate", "value")
    assert definition.expression is parse("sigmoid(slope * gate) * value", ["slope"])


def test_the_function_runs_once_and_its_loops_unroll() -> None:
    calls = []

    def horner(x):
        calls.append(x)
        total = 0
        for coefficient in (3, 2, 1):
            total = total * x + coefficient
        return total

    assert traced(horner) is parse("(3 * x + 2) * x + 1")
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x: x + 1, "x + 1"),
        (lambda x: 1 + x, "1 + x"),
        (lambda x: x - 1, "x - 1"),
        (lambda x: 1 - x, "1 - x"),
        (lambda x: x * 2, "x * 2"),
        (lambda x: 2 / x, "2 / x"),
        (lambda x: x / 2, "x / 2"),
        (lambda x: x**2, "x**2"),
        (lambda x: -x, "-x"),
        (lambda x: +x, "x"),
        (lambda x: abs(x), "abs(x)"),
        (lambda x: x > 0, "x > 0"),
        (lambda x: np.pi > x, f"x < {np.pi!r}"),
        (lambda x: x <= 1, "x <= 1"),
        (lambda x: x >= 1, "x >= 1"),
        (lambda x: x == 1, "x == 1"),
        (lambda x: x != 1, "x != 1"),
        (lambda x: x * (x > 0), "x * (x > 0)"),
        (lambda x: where(x < 0, 0.1 * x, x), "where(x < 0, 0.1 * x, x)"),
        (lambda x: clip(x, -1, 1), "clip(x, -1, 1)"),
        (lambda x: 3, "3"),
        (lambda x: np.float32(0.1) * x, f"{float(np.float32(0.1))} * x"),
        (lambda x: np.int64(3) * x, "3 * x"),
        (lambda x: x * True, "x"),
        (lambda x: x * math.pi, f"x * {math.pi!r}"),
    ],
)
def test_operators(function: Callable[[Traced], object], text: str) -> None:
    assert traced(function) is parse(text)


def test_numbers_are_binary64_and_fractions_exact() -> None:
    assert traced(lambda x: x * (2**53 + 1)) is constant(2**53) * X
    assert traced(lambda x: x * Fraction(1, 3)) is constant(Fraction(1, 3)) * X
    with pytest.raises(FormulaError, match="too large"):
        traced(lambda x: x * 10**400)
    with pytest.raises(FormulaError, match="finite"):
        traced(lambda x: x * math.nan)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_of_the_table_can_be_called(name: str) -> None:
    arity = OPERATIONS[name].arity
    numbers = [0.5, 2, 3][: arity - 1]
    expected = apply(name, X, *map(constant, numbers))
    assert traced(lambda x: FUNCTIONS[name](x, *numbers)) is expected
    assert FUNCTIONS[name].__name__ == name
    assert len(inspect.signature(FUNCTIONS[name]).parameters) == arity
    with pytest.raises(FormulaError, match=rf"{name} takes {arity} argument"):
        FUNCTIONS[name](*[1.0] * (arity + 1))


def test_functions_of_numbers_alone_are_constants_of_the_formula() -> None:
    sqrt = FUNCTIONS["sqrt"]
    assert traced(lambda x: x / sqrt(2)) is parse("x / sqrt(2)")


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (np.exp, "exp(x)"),
        (np.tanh, "tanh(x)"),
        (np.abs, "abs(x)"),
        (np.fabs, "abs(x)"),
        (np.arctan, "atan(x)"),
        (np.negative, "-x"),
        (np.positive, "x"),
        (np.square, "x**2"),
        (np.reciprocal, "1 / x"),
        (np.sign, "sign(x)"),
        (special.erf, "erf(x)"),
        (special.expit, "sigmoid(x)"),
        (lambda x: np.maximum(x, 0), "maximum(x, 0)"),
        (lambda x: np.minimum(0.5, x), "minimum(0.5, x)"),
        (lambda x: np.power(x, 3), "x**3"),
        (lambda x: np.true_divide(x, 3), "x / 3"),
        (lambda x: np.where(np.less(x, 0), -x, x), "where(x < 0, -x, x)"),
        (lambda x: np.clip(x, 0, 6), "clip(x, 0, 6)"),
        (lambda x: np.float64(2) * x, "2 * x"),
        (lambda x: np.float64(2) < x, "2 < x"),
        (lambda x: x * np.array(2.0), "2 * x"),
        (lambda x: np.float64(2) - x, "2 - x"),
    ],
)
def test_numpy_functions_of_the_same_meaning(function: Callable, text: str) -> None:
    assert traced(lambda x: function(x)) is parse(text)


def test_a_definition_is_called_inside_another() -> None:
    swish = trace(lambda x, beta=1.5: x * sigmoid(beta * x), "swish")
    inner = {"swish": swish}.get

    def twice(x, a=2.0):
        return compose(swish, (compose(swish, (x,), {"beta": a}),), {})

    assert traced(twice) is parse("swish(swish(x, beta=a))", ["a"], inner)
    with pytest.raises(FormulaError, match="swish has no 'gamma'"):
        traced(lambda x: compose(swish, (x,), {"gamma": 1}))
    with pytest.raises(FormulaError, match=r"swish .*takes no arrays"):
        traced(lambda x: compose(swish, (np.zeros(3),), {}))


# What is refused


@pytest.mark.parametrize(
    ("function", "advice"),
    [
        (lambda x: x if x > 0 else 0, r"limen\.where"),
        (lambda x: 0 < x < 1, r"limen\.clip"),
        (lambda x: x > 0 and x, "one where inside another"),
        (lambda x: builtins.max(x, 0), r"limen\.maximum"),
        (lambda x: builtins.min(x, 0), r"limen\.minimum"),
        (lambda x: not x, r"limen\.where"),
        (lambda x: math.exp(x), r"limen\.exp"),
        (lambda x: float(x), "no number yet"),
        (lambda x: int(x), "no number yet"),
        (lambda x: complex(x), "no number yet"),
        (lambda x: [1, 2][x], "no number yet"),
        (lambda x: x[0], "not an array"),
        (lambda x: sum(x), "not an array"),
        (lambda x: len(x), "not an array"),
        (lambda x: 1 in x, "not an array"),
        (lambda x: x @ x, "not an array"),
        (lambda x: np.asarray(x), "not an array"),
        (lambda x: np.array([x, x]), "not an array"),
        (lambda x: (x > 0) & (x < 1), "conditions are not combined"),
        (lambda x: (x > 0) | (x < 1), "conditions are not combined"),
        (lambda x: ~(x > 0), "conditions are not combined"),
        (lambda x: x // 2, "no rounding"),
        (lambda x: 7 % x, "no rounding"),
        (lambda x: round(x), "no rounding"),
        (lambda x: math.floor(x), "no rounding"),
        (lambda x: x**x, "exponent"),
        (lambda x: 2**x, "exponent"),
        (lambda x: x / 0, "division by the constant 0"),
        (lambda x: x + "1", "real numbers, got str"),
        (lambda x: x * 1j, "real numbers, got complex"),
        (lambda x: x == None, "real numbers, got NoneType"),  # noqa: E711
        (lambda x: x * np.ones(3), "takes no arrays"),
        (lambda x: np.ones(3) * x, "takes no arrays"),
        (lambda x: exp(np.ones(3)), "exp builds a formula"),
        (lambda x: np.exp(x, out=np.ones(3)), "plain call"),
        (lambda x: np.add.reduce(x), "plain call"),
        (lambda x: np.clip(x, a_min=0, a_max=1), "positional"),
        (lambda x: np.sum(x), "one number at a time"),
        (lambda x: np.tan(x), "sin.a. / cos.a."),
        (lambda x: np.logaddexp(x, 0), "unknown function"),
        (lambda x: None, "return"),
        (lambda x: (x, x), "got tuple"),
        (lambda x: np.ones(3), "takes no arrays"),
        (lambda x: "x", "got str"),
    ],
)
def test_what_no_formula_holds_is_an_error_that_helps(function: Callable, advice: str) -> None:
    with pytest.raises(FormulaError, match=advice):
        trace(function)


@pytest.mark.parametrize(
    ("function", "advice"),
    [
        (lambda: 1, "0 arguments without a default"),
        (lambda x, y, z: x, "3 arguments without a default"),
        (lambda *x: x, r"takes \*x"),
        (lambda x, **more: x, "takes .*more"),
        (lambda x, a=None: x, "takes a number"),
        (lambda x, a="1": x, "takes a number"),
        (lambda x, a=True: x, "takes a number"),
        (lambda x, a=math.inf: x, "finite"),
        (lambda x, a=10**400: x, "finite"),
        (lambda x, e=1.0: x, "limen's constant"),
        (lambda x, tanh=1.0: x, "limen's operation"),
        (lambda u, value=1.0: u, "'value' is an input"),
        (lambda x, β=1.0: x, "ASCII"),
        (3, "text or a Python function, got int"),
        (map, "is a class"),
        (np.tanh, r"wrap it, as in lambda x: tanh\(x\)"),
    ],
)
def test_signatures_that_are_no_activation_function(function: Callable, advice: str) -> None:
    with pytest.raises(FormulaError, match=advice):
        trace(function)


def test_methods_of_arrays_are_no_part_of_a_formula() -> None:
    with pytest.raises(AttributeError, match=r"write limen.tanh\(x\)"):
        trace(lambda x: x * x.tanh())
    with pytest.raises(AttributeError, match="one number of a formula"):
        trace(lambda x: x.sum())


def test_errors_of_the_function_itself_pass_through() -> None:
    class MineError(Exception):
        pass

    def broken(x):
        raise MineError

    with pytest.raises(MineError):
        trace(broken)


def test_a_value_kept_from_another_trace_is_found() -> None:
    kept = []
    trace(lambda gate, value, a=1.0: kept.extend([gate, a]) or gate)
    with pytest.raises(FormulaError, match="a and gate, traced for another function"):
        trace(lambda x: x + kept[0] + kept[1])


def test_a_traced_value_has_no_hash() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Traced(X))


def test_too_large_a_formula_is_refused() -> None:
    def long(x):
        total = x
        for n in range(3000):
            total = total + exp(x * n)
        return total

    with pytest.raises(FormulaError, match="more than 5,000 nodes"):
        trace(long)


def test_the_error_shows_the_condition() -> None:
    with pytest.raises(FormulaError, match=r"Traced\(x > 0\) is neither true nor false"):
        trace(lambda x: 1 if x > 0 else 0)


def test_definitions_bind_like_calls() -> None:
    scaled = Definition("scaled", ("x",), {"a": 2.0}, parameter("a") * X)
    assert scaled([X], {}) is 2 * X
    assert scaled([X + 1, constant(3)], {}) is 3 * (X + 1)
    assert scaled([], {"x": constant(5)}) is constant(10)
    assert scaled.signature == "scaled(x, a=2.0)"


def test_operations_can_be_pickled() -> None:
    for operation in (limen.exp, limen.where, limen.clip):
        assert pickle.loads(pickle.dumps(operation)) is operation
