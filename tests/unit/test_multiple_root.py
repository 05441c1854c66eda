"""Double and triple roots at 0 in the tuned tier: tanhshrink, its derivative, lisht."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from tuned_tiers import needs_avx512

import limen
from limen.binding import Binding
from limen.kernels.tuned.store import Entry, find, formula_of
from limen.kernels.tuned.table import Root, Table
from limen.tuning.root import fit_multiple_root
from limen.tuning.target import Target

ROOT = Root(2, 0.25, 1e-9, (1.0, -0.5, 0.125))
FUNCTIONS = [("tanhshrink", 0), ("tanhshrink", 1), ("lisht", 0)]


def function_of(name: str, order: int) -> limen.ActivationFunction:
    f = limen.get(name)
    return f.derivative(order) if order else f


def entry_of(f: limen.ActivationFunction) -> Entry:
    found = find(formula_of(f.expression, f.parameters))
    assert found is not None and isinstance(found.table, Table) and found.table.root is not None
    return found


@pytest.mark.parametrize(
    ("formula", "order", "first"),
    [
        ("x - tanh(x)", 3, 1 / 3),
        ("x * tanh(x)", 2, 1),
        ("tanh(x)**2", 2, 1),
        ("x - sin(x)", 3, 1 / 6),
        ("log(cosh(x))", 2, 1 / 2),
    ],
)
def test_a_multiple_root_is_fitted(formula: str, order: int, first: float) -> None:
    target = Target(limen.activation(formula))
    root = fit_multiple_root(target, 0.2)
    assert root is not None and root.order == order
    assert abs(root.coefficients[0] + root.rest - first) < 1e-9
    x = np.linspace(0.001, 0.2, 1000)
    g = np.polynomial.Polynomial([root.coefficients[0] + root.rest, *root.coefficients[1:]])
    assert np.max(np.abs(x**order * g(x**2) / target(x) - 1)) < 2.0**-28


@pytest.mark.parametrize("formula", ["tanh(x)", "exp(x)", "x**4", "cos(x)", "0 * x"])
def test_other_functions_have_none(formula: str) -> None:
    assert fit_multiple_root(Target(limen.activation(formula)), 0.2) is None


def test_a_polynomial_that_is_not_close_is_none() -> None:
    assert fit_multiple_root(Target(limen.activation("x - tanh(x)")), 1.5) is None


def test_a_root_comes_back_from_json() -> None:
    table = entry_of(limen.get("lisht")).table
    assert isinstance(table, Table)
    for made in (table, replace(table, root=ROOT), replace(table, root=None)):
        again = Table.from_data(json.loads(json.dumps(made.to_data())))
        assert again == made and again.root == made.root
    assert len({replace(table, root=root).digest for root in (None, ROOT, table.root)}) == 3


@pytest.mark.parametrize(
    "change", [{"order": 1}, {"order": 4}, {"reach": 0.0}, {"coefficients": (1.0, 2.0)}]
)
def test_what_is_no_root_is_refused(change: dict) -> None:
    with pytest.raises(ValueError, match="no multiple root"):
        replace(ROOT, **change)


def test_a_function_without_symmetry_has_no_root() -> None:
    f = limen.get("silu")
    entry = find(formula_of(f.expression, f.parameters))
    assert entry is not None
    with pytest.raises(ValueError, match="even and odd"):
        replace(entry.table, root=ROOT)


@needs_avx512
@pytest.mark.parametrize(("name", "order"), FUNCTIONS)
def test_values_beside_a_root_are_near_half_an_ulp(name: str, order: int) -> None:
    f = function_of(name, order)
    table = entry_of(f).table
    assert isinstance(table, Table) and table.root is not None
    x = np.geomspace(1e-20, table.root.reach, 100_001, dtype=np.float32)[:-1]
    x = np.concatenate([-x, x])
    kernel, numbers = Binding.of(f).kernel("forward", "float32")
    found = np.empty_like(x)
    kernel(x, found, *numbers)
    exact = f(x.astype(np.float64))
    normal = np.abs(exact) > 2.0**-126
    errors = np.abs(found - exact)[normal] / np.spacing(np.abs(found[normal]))
    assert np.max(errors) < 0.65


@needs_avx512
def test_a_large_gradient_does_not_show_what_small_squares_have_lost() -> None:
    x = np.geomspace(1e-25, 1e-9, 20_000, dtype=np.float32)
    grad = np.full_like(x, 3e38)
    exact = 3e38 * np.tanh(x.astype(np.float64)) ** 2
    exact *= np.float64(grad[0]) / 3e38
    found = limen.get("tanhshrink").backward(grad, x)
    normal = exact > 2.0**-126
    errors = np.abs(found - exact)[normal] / np.spacing(found[normal])
    assert np.max(errors) < 1
