"""Expressions: interned nodes, exact constants, folds without recursion."""

from __future__ import annotations

import gc
import operator
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limen.errors import FormulaError
from limen.formula import expression as room
from limen.formula.expression import (
    COMPARISONS,
    MINUS_ONE,
    MOST_BITS,
    ONE,
    ZERO,
    Expression,
    add,
    apply,
    as_number,
    constant,
    divide,
    evaluate,
    input_,
    multiply,
    names,
    negate,
    parameter,
    power,
    size,
    substitute,
    walk,
)
from limen.formula.operations import OPERATIONS

X, A = input_("x"), parameter("a")


# Interning


def test_equal_nodes_are_the_same_object() -> None:
    assert input_("x") is X
    assert parameter("x") is not X
    assert X * A + 1 is input_("x") * parameter("a") + Fraction(1)
    assert X * A is not A * X
    assert constant(0.5) is constant(Fraction(1, 2))
    assert constant(True) is ONE
    assert apply("sin", X) is not apply("cos", X)


def test_nodes_are_immutable() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        X.operation = "parameter"
    with pytest.raises(AttributeError):
        X.other = 1  # type: ignore[attr-defined]


def test_pickle_gives_the_same_object() -> None:
    node = apply("tanh", X * A + 0.1)
    assert pickle.loads(pickle.dumps(node)) is node


def test_unused_nodes_are_freed() -> None:
    gc.collect()
    before = len(room._table)
    node = X
    for n in range(1000):
        node = apply("sin", node + n + 12345)
    assert len(room._table) >= before + 1000
    del node
    gc.collect()
    assert len(room._table) <= before + 10


def test_threads_build_the_same_objects() -> None:
    barrier = threading.Barrier(8)

    def build(_: int) -> list[Expression]:
        barrier.wait()
        node, built = X, []
        for n in range(300):
            node = apply("tanh", node * (n + 0.125) + A)
            built.append(node)
        return built

    with ThreadPoolExecutor(8) as pool:
        first, *others = pool.map(build, range(8))
    for other in others:
        assert all(map(operator.is_, first, other))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_forked_while_a_thread_builds_can_build() -> None:
    with room._lock:  # as another thread would hold it at the moment of the fork
        child = os.fork()
        if child == 0:  # pragma: no cover
            os._exit(0 if (X * 98765).arguments else 1)
    deadline = threading.Timer(10, os.kill, (child, 9))
    deadline.start()
    _, status = os.waitpid(child, 0)
    deadline.cancel()
    assert status == 0


# Constants and folding


@settings(deadline=None)
@given(st.fractions(), st.fractions())
def test_constants_fold_exactly(a: Fraction, b: Fraction) -> None:
    assert constant(a) + constant(b) is constant(a + b)
    assert constant(a) - constant(b) is constant(a - b)
    assert constant(a) * constant(b) is constant(a * b)
    if b:
        assert constant(a) / constant(b) is constant(a / b)


@settings(deadline=None)
@given(st.fractions(max_denominator=100), st.integers(-5, 5))
def test_integer_powers_of_constants_fold(base: Fraction, exponent: int) -> None:
    if base or exponent >= 0:
        assert constant(base) ** exponent is constant(base**exponent)


def test_neutral_elements_vanish() -> None:
    assert X + 0 is X
    assert 0 + X is X
    assert X - 0 is X
    assert X * 1 is X
    assert X / 1 is X
    assert X * 0 is ZERO
    assert 0 / X is ZERO
    assert X**1 is X
    assert X**0 is ONE
    assert negate(negate(X)) is X


def test_constant_factors_meet_in_front() -> None:
    assert X * 2 is multiply(constant(2), X)
    assert 3 * (X * 2) is 6 * X
    assert X / 4 is constant(Fraction(1, 4)) * X
    assert -(X / 4) is constant(Fraction(-1, 4)) * X
    assert X - A is add(X, multiply(MINUS_ONE, A))
    assert 2 - X is add(constant(2), negate(X))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: X / 0, "division by the constant 0"),
        (lambda: ZERO**-1, "division by the constant 0"),
        (lambda: constant(float("inf")), "finite"),
        (lambda: constant(float("nan")), "finite"),
        (lambda: X**X, "exponent"),
        (lambda: 2 ** (A * apply("exp", X)), "exponent"),
        (lambda: constant(9) ** 9**9, "power this large"),
        (lambda: constant(2**MOST_BITS), "too|large|long"),
        (lambda: constant(Fraction(1, 3**MOST_BITS)), "large|long"),
        (lambda: apply("nonsense", X), "unknown operation"),
        (lambda: apply("exp", X, X), "takes 1 argument, got 2"),
        (lambda: apply("where", X), "takes 3 arguments, got 1"),
    ],
)
def test_refusals(build, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        build()


def test_powers_of_small_constants_may_be_large() -> None:
    assert constant(2) ** (MOST_BITS - 1) is constant(2 ** (MOST_BITS - 1))
    assert constant(Fraction(5e-324)) ** 2 is constant(Fraction(5e-324) ** 2)
    assert constant(1) ** 10**9 is ONE


def test_other_types_are_a_type_error() -> None:
    for other in ("1", None, 1j, [X]):
        with pytest.raises(TypeError, match="cannot use"):
            X + other
        with pytest.raises(TypeError, match="cannot use"):
            power(X, A) * other


# Comparisons


@pytest.mark.parametrize("name", sorted(COMPARISONS))
def test_a_comparison_is_a_condition_for_where_and_a_number_elsewhere(name: str) -> None:
    condition = apply(name, X, A)
    as_one_or_zero = apply("where", condition, ONE, ZERO)
    assert as_one_or_zero.arguments[0] is condition
    assert as_number(condition) is as_one_or_zero
    assert condition + 1 is as_one_or_zero + 1
    assert condition * X is as_one_or_zero * X
    assert apply("exp", condition) is apply("exp", as_one_or_zero)
    assert apply("where", X, condition, ZERO) is apply("where", X, as_one_or_zero, ZERO)


def test_a_number_as_a_condition_is_compared_with_zero() -> None:
    assert apply("where", X, ONE, A).arguments[0] is apply("not_equal", X, ZERO)


# Walking


def test_walk_visits_each_node_once_and_arguments_first() -> None:
    shared = apply("exp", X)
    root = shared * shared + shared / A
    order = list(walk(root))
    assert len(order) == len(set(order)) == size(root) == 6
    for place, node in enumerate(order):
        assert all(order.index(argument) < place for argument in node.arguments)
    assert size(root, shared) == 6
    assert size(shared, A) == 3


def test_evaluate_folds_bottom_up() -> None:
    root = (X + 1) * (X + 1)
    calls = []

    def visit(node: Expression, *values: int) -> int:
        calls.append(node)
        leaf = {"input": 5, "constant": 1}.get(node.operation)
        if leaf is not None:
            return leaf
        return values[0] + values[1] if node.operation == "add" else values[0] * values[1]

    assert evaluate(root, visit) == 36
    assert len(calls) == 4


def test_nothing_recurses() -> None:
    node = X
    for _ in range(50_000):
        node = apply("sin", node)
    assert size(node) == 50_001
    assert substitute(node, {X: A}) is not node
    assert evaluate(node, lambda n, *depth: depth[0] + 1 if depth else 0) == 50_000


def test_substitute_replaces_at_once_and_folds() -> None:
    gate, value = input_("gate"), input_("value")
    assert substitute(gate - value, {gate: value, value: gate}) is value - gate
    assert substitute(X * A + 1, {X: constant(3), A: constant(2)}) is constant(7)
    assert substitute(apply("exp", X), {apply("exp", X): A}) is A
    assert substitute(X, {A: ONE}) is X
    assert substitute(apply("where", apply("less", X, ONE), X, A), {X: A}) is apply(
        "where", apply("less", A, ONE), A, A
    )
    with pytest.raises(FormulaError, match="division by the constant 0"):
        substitute(divide(A, X), {X: ZERO})


def test_names_and_varies() -> None:
    root = A * apply("exp", parameter("b") * X) + A
    assert names(root, "parameter") == ("a", "b")
    assert names(root, "input") == ("x",)
    assert root.varies
    assert not (A + apply("exp", parameter("b"))).varies
    assert not apply("pi").varies


def test_an_exponent_is_not_searched_for_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    # A tower of powers would search each exponent again at every level.
    monkeypatch.delattr(room, "walk")
    assert power(A, power(A, parameter("b"))).operation == "power"


# The table


def test_the_table_is_consistent() -> None:
    for name, row in OPERATIONS.items():
        assert row.name == name
        assert len(row.derivative) in (0, row.arity)
        assert all(0 <= place < row.arity for place in row.conditions)
        assert row.is_comparison == (name in COMPARISONS)
