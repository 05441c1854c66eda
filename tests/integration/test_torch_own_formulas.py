"""Decompositions of people's own formulas: the forms for the tails, the series beside points."""

from __future__ import annotations

import numpy as np
import pytest
from tests.shared.own_formulas import OWN, POINTS, derivative, off

import limen
from limen.decomposition import Framework, decomposed

torch = pytest.importorskip("torch")

from limen.torch.native import decomposed_flows  # noqa: E402

FRAMEWORKS: list[Framework] = ["torch", "exported"]


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("text", OWN)
def test_float32_steps_neither_overflow_nor_cancel(
    text: str, order: int, framework: Framework
) -> None:
    program = decomposed(derivative(text, order), framework, dtype=torch.float32)
    assert not off(program(torch.from_numpy(POINTS)), text, order)


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("text", OWN)
def test_float64_steps_do_not_either(text: str, order: int) -> None:
    program = decomposed(derivative(text, order), "torch", dtype=torch.float64)
    found = program(torch.from_numpy(POINTS.astype(np.float64)))
    assert not off(found, text, order, 1e-12, 1e-14)


@pytest.mark.parametrize("text", ["log(cosh(x))", "log(2 + exp(x))", "log(1 + x**2)", "x - sin(x)"])
def test_what_is_differentiated_step_by_step_finds_numbers(text: str) -> None:
    """A form that is not taken, and overflows, would make 0 * inf of the gradient."""
    x = torch.from_numpy(POINTS).requires_grad_()
    value = decomposed(derivative(text, 0), "torch", dtype=torch.float32)(x)
    (slope,) = torch.autograd.grad(value.sum(), x)
    assert not off(slope, text, 1, relative=1e-3, absolute=1e-3)


def test_a_device_without_kernels_has_finite_flows_far_out() -> None:
    f, x = limen.activation("exp(x) / (2 + exp(x))"), torch.tensor([20.0, 45.0, 86.0])
    (flow,) = decomposed_flows(f, torch.ones(3), (x,))
    torch.testing.assert_close(flow, 2 * torch.exp(-x), rtol=1e-5, atol=0)
