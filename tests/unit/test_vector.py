"""Vector functions against 60-digit arithmetic, at their limits, in every dtype and structure."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import limen
from limen.vector import VECTOR_FUNCTIONS, VectorFunction

FUNCTIONS = list(VECTOR_FUNCTIONS.values())
by_function = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.name)
INF, NAN = np.inf, np.nan


def exact(name: str, row: list[float]) -> list[Any]:
    """The values of one row in 60 digits, or more where exp(-800) has to be seen beside 1."""
    with mpmath.workdps(800):
        signed = [mpmath.mpf(-x if name == "softmin" else x) for x in row]
        exponentials = [mpmath.exp(x) for x in signed]
        total = mpmath.fsum(exponentials)
        shares = [e / total for e in exponentials]
        return [mpmath.log(s) for s in shares] if name == "log_softmax" else shares


def exact_flow(name: str, grad: list[float], row: list[float]) -> list[Any]:
    """The product of `grad` with the Jacobian matrix, entry by entry from its definition."""
    with mpmath.workdps(800):
        shares = exact("softmin" if name == "softmin" else "softmax", row)
        places = range(len(row))

        def slope(j: int, i: int) -> Any:  # of output j by input i
            same = mpmath.mpf(int(i == j))
            if name == "log_softmax":
                return same - shares[i]
            return (-1 if name == "softmin" else 1) * shares[j] * (same - shares[i])

        return [mpmath.fsum(grad[j] * slope(j, i) for j in places) for i in places]


def relative_error(computed: float, true: Any) -> float:
    return float(abs((mpmath.mpf(float(computed)) - true) / true)) if true else abs(computed)


ROWS = [
    [0.0, 0.0],
    [1.0, 2.0, 3.0],
    [50.0, 0.0, -50.0],
    [700.0, -20.0, 3.25],
    [1e4, 1e4 - 1.0],
    [-1e4, -1e4 - 700.0],
    [0.1, 1e-300, -1e-300],
    [123.456, 0.001, -333.3],
]


@by_function
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_float64_values_are_right_to_a_few_units(
    function: VectorFunction, row: list[float]
) -> None:
    for computed, true in zip(function(row), exact(function.name, row), strict=True):
        if abs(true) > np.finfo(float).tiny:
            assert relative_error(computed, true) < 8 * 2**-53


@by_function
@pytest.mark.parametrize("row", [[40.0, 0.0], [700.0, -1.0], [0.5, 0.25], [-3.0, 300.0]], ids=str)
@pytest.mark.parametrize("grad", [[1.0, -0.5], [1.0, 0.0], [0.0, 1.0]], ids=str)
def test_float64_flow_does_not_cancel_where_one_entry_dominates(
    function: VectorFunction, row: list[float], grad: list[float]
) -> None:
    flow = function.backward(grad, row)
    for computed, true in zip(flow, exact_flow(function.name, grad, row), strict=True):
        assert relative_error(computed, true) < 16 * 2**-53


rows = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=6)


@by_function
@settings(deadline=None, max_examples=60)
@given(row=rows, data=st.data())
def test_float32_is_rounded_once(function: VectorFunction, row: list[float], data: Any) -> None:
    x = np.array(row, np.float32)
    for computed, true in zip(function(x), exact(function.name, row), strict=True):
        spacing = float(np.spacing(np.abs(np.float32(float(true)))))
        assert abs(mpmath.mpf(float(computed)) - true) <= 0.5001 * spacing
    grad = data.draw(
        st.lists(st.floats(-8, 8, width=16), min_size=len(row), max_size=len(row)), label="grad"
    )
    flow = function.backward(np.array(grad, np.float32), x)
    largest = max(map(abs, grad))
    for computed, true in zip(flow, exact_flow(function.name, grad, row), strict=True):
        assert abs(float(computed) - float(true)) <= 2**-24 * abs(true) + 1e-14 * largest + 1e-45


@by_function
def test_no_overflow_and_no_warning(function: VectorFunction) -> None:
    for dtype in (np.float64, np.float32):
        top = np.finfo(dtype).max
        x = np.array([[top, -top, 0.0], [top, top, top], [-top, -top, 0.0]], dtype)
        value = function(x)
        assert not np.isnan(value).any()
        assert np.isfinite(function.backward(np.ones_like(x), x)).all()
    assert limen.softmax([1000.0, 0.0]).tolist() == [1.0, 0.0]
    assert limen.log_softmax([1000.0, 0.0]).tolist() == [0.0, -1000.0]


def test_limits_at_infinity() -> None:
    assert limen.softmax([INF, 0.0]).tolist() == [1.0, 0.0]
    assert limen.softmax([-INF, 0.0, 0.0]).tolist() == [0.0, 0.5, 0.5]
    assert limen.softmin([INF, 0.0]).tolist() == [0.0, 1.0]
    assert limen.log_softmax([INF, 0.0]).tolist() == [0.0, -INF]
    assert limen.log_softmax([-INF, 0.0]).tolist() == [-INF, 0.0]
    assert limen.softmax([-INF]).tolist() == [1.0]
    assert limen.softmax.backward([1.0, 2.0], [INF, 0.0]).tolist() == [0.0, 0.0]


@by_function
@pytest.mark.parametrize("row", [[INF, INF, 0.0], [-INF, -INF], [NAN, 0.0], [INF, NAN]], ids=str)
def test_no_limit_is_nan_for_the_whole_row_and_no_other(
    function: VectorFunction, row: list[float]
) -> None:
    if function.name == "softmin":
        row = [-x for x in row]
    x = np.zeros((2, len(row)))
    x[0] = row
    for result in (function(x), function.backward(np.ones_like(x), x)):
        assert np.isnan(result[0]).all()
        assert np.isfinite(result[1]).all()


@by_function
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
def test_structure_is_kept(function: VectorFunction, dtype: Any) -> None:
    x = np.asfortranarray(np.random.default_rng(1).normal(size=(3, 4, 5)).astype(dtype))
    for axis in (-1, 0, 1):
        y = function(x, axis=axis)
        assert (y.shape, y.dtype, y.flags.f_contiguous) == (x.shape, x.dtype, True)
        moved = np.moveaxis(function(np.moveaxis(x, axis, -1)), -1, axis)
        np.testing.assert_array_equal(y, moved)
        flow = function.backward(np.ones_like(x), x, axis=axis)
        assert (flow.shape, flow.dtype) == (x.shape, x.dtype)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_16_bit_results_are_the_float64_ones_rounded_once(dtype: Any) -> None:
    x = np.random.default_rng(2).normal(0, 3, (400, 5)).astype(dtype)
    given_back, wide = limen.softmax(x), limen.softmax(x.astype(np.float64))
    # Nearest: no neighbour of the result is nearer to the float64 value.
    for neighbour in (np.nextafter(given_back, dtype(0)), np.nextafter(given_back, dtype(2))):
        nearer = np.abs(neighbour.astype(float) - wide) < np.abs(given_back.astype(float) - wide)
        assert not nearer.any()


def test_bfloat16_does_not_round_twice() -> None:
    just_above_a_tie = 256 * (1 + 2.0**-8 + 2.0**-40)  # a tie, once rounded to float32
    out = np.empty(2, ml_dtypes.bfloat16)
    limen.log_softmax([-just_above_a_tie, 0.0], out=out)
    assert float(out[0]) == -256 * (1 + 2.0**-7)


def test_rounding_to_odd() -> None:
    from limen.vector import _rounded_to_odd

    x = np.array([1 + 2.0**-8 + 2.0**-40, -(1 + 2.0**-8 + 2.0**-40), 1 + 2.0**-8, INF, 1e300])
    with np.errstate(over="ignore"):
        rounded = _rounded_to_odd(x).astype(ml_dtypes.bfloat16).astype(float)
    assert rounded.tolist() == [1 + 2.0**-7, -(1 + 2.0**-7), 1.0, INF, INF]


@by_function
def test_out_may_be_the_input(function: VectorFunction) -> None:
    x = np.random.default_rng(3).normal(size=(4, 6)).astype(np.float32)
    expected = function(x)
    given_back = function(x.copy(), out=(out := np.empty_like(x)))
    assert given_back is out
    np.testing.assert_array_equal(out, expected)
    inplace = x.copy()
    function(inplace, out=inplace)
    np.testing.assert_array_equal(inplace, expected)
    grad = np.random.default_rng(4).normal(size=x.shape).astype(np.float32)
    flow = function.backward(grad, x)
    function.backward(grad, x, out=grad)
    np.testing.assert_array_equal(grad, flow)


@by_function
def test_what_comes_in_is_left_alone(function: VectorFunction) -> None:
    x, grad = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    function(x)
    function.backward(grad, x)
    assert (x.tolist(), grad.tolist()) == ([1.0, 2.0], [3.0, 4.0])


@by_function
def test_empty_arrays(function: VectorFunction) -> None:
    for shape in ((0,), (0, 3), (3, 0)):
        assert function(np.empty(shape)).shape == shape
        assert function.backward(np.empty(shape), np.empty(shape)).shape == shape
    assert function([]).dtype == np.float64


@by_function
def test_errors_say_what_and_where(function: VectorFunction) -> None:
    with pytest.raises(limen.DtypeError, match=f"{function.name}: x has dtype complex128"):
        function(np.array([1j]))
    with pytest.raises(limen.DtypeError, match="object"):
        function(np.array([None]))
    with pytest.raises(limen.ShapeError, match="axis"):
        function(1.0)
    with pytest.raises(limen.ShapeError, match=r"axis 2 .* \(3,\)"):
        function([1, 2, 3], axis=2)
    with pytest.raises(limen.ShapeError, match=r"out must have shape \(3,\)"):
        function([1, 2, 3], out=np.empty(2))
    with pytest.raises(limen.ShapeError, match="out is read-only"):
        function([1, 2, 3], out=np.broadcast_to(0.0, 3))
    with pytest.raises(limen.ShapeError, match=r"grad_output"):
        function.backward([1.0], [1.0, 2.0])


@by_function
def test_there_is_one_object_of_each(function: VectorFunction) -> None:
    assert pickle.loads(pickle.dumps(function)) is function
    assert copy.deepcopy(function) is function
    assert function.name in repr(function)
    assert "vector function" in repr(function)
    assert f"limen.{function.name}(" in (function.__doc__ or "")  # what help and the reference show


@pytest.mark.parametrize("axis", [None, (0, 1), "rows", 0.5])
def test_it_looks_along_one_axis(axis: Any) -> None:
    with pytest.raises(TypeError, match="one axis, a whole number"):
        limen.softmax([[1.0, 2.0]], axis=axis)
