"""What the bench's entrants compute: the same function, however it is spelled."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

import limen
from limen.bench.case import Elementwise, Step
from limen.bench.child import check
from limen.bench.peers import with_numpy
from limen.bench.peers.baseline import copied_elements
from limen.bench.training import products
from limen.decomposition.program import Program
from limen.errors import LimenError
from limen.formula.operations import OPERATIONS

# --- Formulas in other people's operations -------------------------------------------------------


def numpy_program(f: limen.ActivationFunction) -> Program:
    return Program(f.expression, f.inputs, f.parameters, with_numpy.OPERATIONS, np.float32)


@pytest.mark.parametrize("name", ["mish", "swish", "softshrink", "selu", "glu", "isru"])
def test_a_program_computes_the_formula(name: str) -> None:
    f = limen.get(name)
    x = np.linspace(-3, 3, 50, dtype=np.float32)
    inputs = [x, x[::-1].copy()][: len(f.inputs)]
    found = numpy_program(f)(*inputs)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, f(*inputs), rtol=1e-4, atol=1e-5)


def test_what_no_input_changes_is_worked_out_once() -> None:
    calls: list[str] = []
    table = {
        "multiply": lambda a, b: calls.append("multiply") or a * b,
        "exp": lambda a: calls.append("exp") or np.exp(a),
    }
    f = limen.activation("exp(sqrt(a) * 2) * x", a=4.0)
    program = Program(f.expression, f.inputs, f.parameters, table)
    assert program(1.0) == pytest.approx(np.exp(4.0))
    assert calls == ["multiply"]


def test_a_common_part_is_called_once_and_let_go() -> None:
    held: list[weakref.ref[Any]] = []
    alive: list[int] = []

    class Value:
        pass

    def exp(a: Any) -> Value:
        alive.append(sum(r() is not None for r in held))
        held.append(weakref.ref(result := Value()))
        return result

    f = limen.activation("exp(exp(exp(exp(x))))")
    Program(f.expression, f.inputs, {}, {"exp": exp})(None)
    assert alive == [0, 1, 1, 1]  # only what is the argument of the call


def test_numpy_has_every_operation_that_a_formula_can_hold() -> None:
    spellings = {"subtract", "negate"}  # a - b is built as a + (-1)*b
    assert set(with_numpy.OPERATIONS) == set(OPERATIONS) - spellings - {"pi", "e"}


def test_every_function_of_the_catalogue_can_be_measured_with_numpy() -> None:
    peer = with_numpy.make(1)
    for name in limen.names():
        for direction in ("forward", "backward"):
            if name == "identity":
                continue  # the next test
            case = Elementwise.of(limen.get(name), direction, 64)
            call = peer.bind(case)
            check(case, peer.fetch(call()))


def test_giving_the_input_back_is_no_work() -> None:
    with pytest.raises(LimenError, match="nothing to measure"):
        with_numpy.make(1).bind(Elementwise.of(limen.get("identity"), "forward", 64))


def test_a_few_cancelling_results_are_no_other_function() -> None:
    f = limen.activation("(1 - cos(x)) / x**2")
    case = Elementwise.of(f, "backward", 4096)
    peer = with_numpy.make(1)
    result = peer.fetch(peer.bind(case)())
    check(case, result)
    few, many = result[0].copy(), result[0].copy()
    few[:10] += 1
    many[:20] += 1
    check(case, [few])
    with pytest.raises(ArithmeticError, match="another function"):
        check(case, [many])


def test_overflow_is_no_other_function() -> None:
    case = Elementwise.of(limen.activation("exp(x * 100)"), "forward", 64)
    peer = with_numpy.make(1)
    check(case, peer.fetch(peer.bind(case)()))


def test_the_copy_moves_the_bytes_of_the_case() -> None:
    mish, glu = limen.get("mish"), limen.get("glu")
    sizes = {
        (f.name, direction): copied_elements(Elementwise.of(f, direction, 1000))
        for f in (mish, glu)
        for direction in ("forward", "backward")
    }
    # x in, y out; x and grad_output in, grad_input out; two inputs: 2 + 1, and 3 + 2.
    assert sizes == {
        ("mish", "forward"): 1000,
        ("mish", "backward"): 1500,
        ("glu", "forward"): 1500,
        ("glu", "backward"): 2500,
    }


def test_the_bare_products_are_those_of_the_step() -> None:
    shapes: list[tuple[int, ...]] = []
    multiply = np.matmul

    def count(a: Any, b: Any, out: Any) -> None:
        shapes.append((*a.shape, b.shape[1]))
        multiply(a, b, out=out)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "matmul", count)
        products(Step(8, 4))()
    assert sorted(shapes) == [(4, 8, 4)] * 3 + [(8, 4, 4)] * 5
