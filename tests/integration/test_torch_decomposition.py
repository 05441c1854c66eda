"""Decompositions over the whole range of float32: no step overflows before its result does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import limen
from limen.decomposition import Framework, decomposed

torch = pytest.importorskip("torch")

GROSS = 3e-2  # relative: a few steps of float32 are far below, infinity, NaN and 0 far beyond
SMALL = 100 * float(np.finfo(np.float32).tiny)  # less may be made of subnormal numbers
BEYOND = 2.0**128
LARGEST = float(np.finfo(np.float32).max)


def numbers(start: int, step: int) -> Any:
    """Numbers of both signs, four to every so many powers of two."""
    sizes = np.ldexp(np.array([[1.0], [1.25], [1.5], [1.99]]), np.arange(start, 128, step)).ravel()
    return np.array([*-sizes, -LARGEST, *sizes, LARGEST], np.float32)


def grossly_off(f: Any, framework: Framework) -> list[Any]:
    """Where a function's program is not about what its kernel gives."""
    # A subnormal gate has lost its digits where a large value asks for them.
    few = numbers(-124, 9)
    rows = [numbers(-148, 1)] if len(f.inputs) == 1 else list(np.meshgrid(few, few))
    exact = f(*rows)
    found = decomposed(f, framework)(*map(torch.from_numpy, rows))
    found = found.numpy() if isinstance(found, torch.Tensor) else np.full_like(exact, found)
    # A result beside the largest number may be rounded to infinity by one of the two.
    ends = {"nan": np.nan, "posinf": BEYOND, "neginf": -BEYOND}
    wanted, given = (np.nan_to_num(y.astype(float), **ends) for y in (exact, found))
    is_close = abs(given - wanted) <= GROSS * np.maximum(abs(wanted), SMALL)
    is_off = ~(is_close | (np.isnan(wanted) & np.isnan(given)))
    return [tuple(float(row[at]) for row in rows) for at in zip(*np.nonzero(is_off), strict=True)]


@pytest.mark.parametrize("framework", ["torch", "exported"])
@pytest.mark.parametrize("name", limen.names())
def test_values_and_derivatives(name: str, framework: Framework) -> None:
    f = limen.get(name)
    for g in (f, *map(f.derivative, f.inputs)):
        assert not grossly_off(g, framework), g.name


UNDEFINED = [
    ("x**p", {"p": 2.0}),
    ("x**p", {"p": 3.0}),
    ("x**p", {"p": 2.5}),
    ("(x - 500)**p", {"p": 3.0}),
    ("x**0.3", {}),
    ("sqrt(x - 1000)", {}),
    ("where(x > 300, 1 / log(x - 400), x)", {}),
    ("sqrt(x - c) + sqrt(c)", {"c": 290.0}),
    ("exp(-x) * sqrt(sin(x))", {}),
]
PLACES = [-np.inf, -1000.0, -300.0, -40.0, -2.0, -0.0, 0.0, 0.5, 3.0, 40.0, 257.0, 300.5, 401.0]
PLACES += [999.0, 1001.0, 3e4, np.inf, np.nan]


@pytest.mark.parametrize(("formula", "parameters"), UNDEFINED)
@pytest.mark.parametrize("order", [0, 1, 2])
def test_what_has_no_value_has_none_far_out(
    formula: str, parameters: dict[str, float], order: int
) -> None:
    f = limen.activation(formula, **parameters).derivative(order)
    x = np.array(PLACES)
    found = decomposed(f, "torch")(torch.from_numpy(x))
    np.testing.assert_allclose(found, f(x), rtol=1e-9, atol=1e-12)


def test_a_condition_of_parameters_alone() -> None:
    x = torch.tensor([0.5, -1.0])
    for p, expected in ((2.0, x), (0.0, torch.full_like(x, 3.0))):
        f = limen.activation("where(p > 1, x, 3) + 0 * tanh(x)", p=p)
        assert torch.equal(decomposed(f, "torch")(x), expected)
