"""Products by one native call of BLAS: what NumPy would say, or a refusal that touches nothing."""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np
import pytest

import limen
from limen.kernels import builtin
from limen.kernels.products import product_call
from limen.layers import blas, products
from limen.layers.products import multiply

RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def native() -> Any:
    if not blas.products() or not builtin.is_open():
        pytest.skip("this BLAS, or this Python, is not reached natively")
    return products._native_product()


def matrix(rows: int, columns: int, dtype: Any, layout: str) -> np.ndarray:
    """Random numbers, lying in memory in one of several ways."""
    numbers = RANDOM.standard_normal((rows, columns)).astype(dtype)
    if layout == "transposed":
        return np.ascontiguousarray(numbers.T).T
    if layout == "inside":  # some rows and columns of a larger one
        larger = np.zeros((rows + 3, columns + 5), dtype)
        larger[2:-1, 4:-1] = numbers
        return larger[2:-1, 4:-1]
    return numbers


@pytest.mark.parametrize("with_row", [False, True])
@pytest.mark.parametrize("layouts", ["plain plain", "plain transposed", "transposed plain",
                                     "transposed transposed", "inside inside"])  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(2, 2, 2), (5, 7, 3), (32, 64, 64), (90, 410, 33)], ids=str)
def test_a_product_is_the_product(
    native: Any, shape: tuple[int, int, int], dtype: Any, layouts: str, with_row: bool
) -> None:
    rows, inner, columns = shape
    first, second = layouts.split()
    a, b = matrix(rows, inner, dtype, first), matrix(inner, columns, dtype, second)
    row = RANDOM.standard_normal(columns).astype(dtype) if with_row else None
    around = np.full((rows + 2, columns + 2), 7, dtype)
    out = around[1:-1, 1:-1]
    assert native(a, b, out, row) is True
    exact = a.astype(np.longdouble) @ b.astype(np.longdouble) + (0 if row is None else row)
    # Sums of inner + 1 terms (Higham, Accuracy and Stability, section 3.1).
    size = np.abs(a).astype(float) @ np.abs(b).astype(float)
    size += 0 if row is None else np.abs(row)
    assert (np.abs(out - exact) <= (inner + 1) * np.finfo(dtype).eps * size).all()
    around[1:-1, 1:-1] = 7
    assert (around == 7).all()  # nothing was written beside it


def refused() -> dict[str, tuple[Any, ...]]:
    a, b, out, row = (np.ones(s, np.float32) for s in ((4, 6), (6, 8), (4, 8), (8,)))
    frozen, own = out.copy(), np.ones((6, 6), np.float32)
    frozen.flags.writeable = False
    long = np.ones((4, 24), np.float32)
    return {
        "too few": (a, b, out),
        "a list": (a.tolist(), b, out, row),
        "no array": (a, b, None, row),
        "a subclass": (a.view(np.ma.MaskedArray), b, out, row),
        "a vector": (a[0], b, out[0], row),
        "one row": (a[:1], b, out[:1], row),
        "one column": (a, b[:, :1], out[:, :1], row[:1]),
        "three axes": (a[np.newaxis], b, out, row),
        "nothing": (a[:0], b, out[:0], row),
        "inner sizes": (a, b[:5], out, row),
        "rows": (a[:3], b, out, row),
        "columns": (a, b[:, :7], out, row),
        "another dtype": (a.astype(float), b, out, row),
        "unknown dtype": tuple(x.astype(np.float16) for x in (a, b, out, row)),
        "steps": (long[:, ::4], b, out, row),
        "backwards": (a[:, ::-1], b, out, row),
        "rows backwards": (a[::-1], b, out, row),
        "repeated": (np.broadcast_to(a[0], (4, 6)), b, out, row),
        "output in columns": (a, b, np.ones((8, 4), np.float32).T, row),
        "read-only": (a, b, frozen, row),
        "a short row": (a, b, out, row[:7]),
        "a strided row": (a, b, out, np.ones(16, np.float32)[::2]),
        "a row of another dtype": (a, b, out, row.astype(float)),
        "overlap": (own, np.ones((6, 6), np.float32), own, None),
        "overlap with the row": (a, b, out, out[1]),
        "overlap in part": (own[:4], np.ones((6, 6), np.float32), own[2:], None),
    }


@pytest.mark.parametrize("what", refused())
def test_what_is_not_plain_is_refused_and_left_alone(native: Any, what: str) -> None:
    arrays = refused()[what]
    before = [np.array(array, copy=True) for array in arrays if array is not None]
    assert native(*arrays) is None
    after = [array for array in arrays if array is not None]
    assert all(np.array_equal(x, y) for x, y in zip(before, after, strict=True))


def test_a_row_gives_the_place_to_what_is_not_finite(native: Any) -> None:
    a, out = np.full((3, 2), np.inf, np.float32), np.full((3, 2), np.nan, np.float32)
    b = np.array([[1, 0], [1, 2]], np.float32)
    assert native(a, b, out, np.array([1, np.inf], np.float32))
    assert np.isposinf(out[:, 0]).all()  # what was there before is not added to
    assert np.isnan(out[:, 1]).all()


def test_it_keeps_no_references(native: Any) -> None:
    a, b, out, row = (np.ones(s, np.float32) for s in ((4, 6), (6, 8), (4, 8), (8,)))
    counts = [sys.getrefcount(item) for item in (a, b, out, row)]
    for _ in range(1000):
        native(a, b, out, row)
        native(a, b, out, 1)
    assert [sys.getrefcount(item) for item in (a, b, out, row)] == counts


def test_threads_may_multiply_at_once() -> None:
    a, b = matrix(60, 70, np.float32, "plain"), matrix(70, 50, np.float32, "plain")
    expected = np.empty((60, 50), np.float32)
    multiply(a, b, expected)
    wrong: list[int] = []

    def work() -> None:
        out = np.empty_like(expected)
        for k in range(200):
            multiply(a, b, out)
            if not np.array_equal(out, expected):
                wrong.append(k)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not wrong


def test_it_is_closed_where_it_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert product_call({}) is None
    builtin.is_open.cache_clear()
    monkeypatch.setattr(builtin, "STRIDES", 4)
    try:
        assert product_call({np.dtype(np.float32): 1}) is None
    finally:
        builtin.is_open.cache_clear()


@pytest.mark.parametrize("rows", [1, 5, 40])
def test_layers_learn_the_same_without_it(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = RANDOM.standard_normal((rows, 6))
    parts = [limen.Linear(6, 9), limen.Activation("tanh"), limen.Linear(9, 6, bias=False)]
    model = limen.Model(parts, dtype="float64")
    other = model.copy()
    model.training_step(limen.HalfSquaredError(), limen.SGD(0.1))(x, x)
    monkeypatch.setattr(products, "_native_product", lambda: products._no_product)
    other.training_step(limen.HalfSquaredError(), limen.SGD(0.1))(x, x)
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(mine.value, theirs.value, rtol=0, atol=1e-14)


def test_a_sample_alone_and_in_a_batch() -> None:
    model = limen.Model([limen.Linear(6, 9)], dtype="float64")
    x = RANDOM.standard_normal((4, 6))
    together = model.forward(x)
    np.testing.assert_allclose([model.forward(row) for row in x], together, rtol=0, atol=1e-15)
