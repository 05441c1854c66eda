"""Optimizers against their published recurrences in plain Python, and their promises on memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np
import pytest

import limen
from limen.layers import Optimizer, Parameter

GRADS = [0.5, -1.0, 0.25, 0.0, 2.0, -0.125]
START = 0.75


def made(shape: tuple[int, ...] = (), dtype: str = "float64", value: float = START) -> Parameter:
    parameter = Parameter("w", shape)
    parameter.value = np.full(shape, value, dtype)
    return parameter


def walked(optimizer: Optimizer) -> list[float]:
    parameter, path = made(), []
    for grad in GRADS:
        parameter.grad = grad
        optimizer.step([parameter])
        path.append(float(parameter.value))
    return path


def sgd(rate: float, momentum: float, decay: float) -> Iterator[float]:
    """As torch.optim.SGD documents it."""
    w, b = START, None
    for g in GRADS:
        g = g + decay * w
        b = g if b is None else momentum * b + g
        w = w - rate * b
        yield w


def adam(
    rate: float, b1: float, b2: float, eps: float, decay: float, w_decay: float
) -> Iterator[float]:
    """As torch.optim.Adam (decay) and torch.optim.AdamW (w_decay) document them."""
    w, m, v = START, 0.0, 0.0
    for t, g in enumerate(GRADS, start=1):
        w = w - rate * w_decay * w
        g = g + decay * w
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        w = w - rate * m_hat / (sqrt(v_hat) + eps)
        yield w


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (limen.SGD(0.1), sgd(0.1, 0, 0)),
        (limen.SGD(0.1, momentum=0.9), sgd(0.1, 0.9, 0)),
        (limen.SGD(0.1, weight_decay=0.2), sgd(0.1, 0, 0.2)),
        (limen.SGD(0.1, momentum=0.5, weight_decay=0.2), sgd(0.1, 0.5, 0.2)),
        (limen.Adam(), adam(1e-3, 0.9, 0.999, 1e-8, 0, 0)),
        (limen.Adam(0.1, betas=(0.5, 0.9), epsilon=0.01), adam(0.1, 0.5, 0.9, 0.01, 0, 0)),
        (limen.Adam(0.1, weight_decay=0.3), adam(0.1, 0.9, 0.999, 1e-8, 0.3, 0)),
        (limen.AdamW(), adam(1e-3, 0.9, 0.999, 1e-8, 0, 0.01)),
        (limen.AdamW(0.1, weight_decay=0.3), adam(0.1, 0.9, 0.999, 1e-8, 0, 0.3)),
    ],
    ids=lambda value: repr(value) if isinstance(value, Optimizer) else "",
)
def test_recurrence(optimizer: Optimizer, expected: Iterator[float]) -> None:
    np.testing.assert_allclose(walked(optimizer), list(expected), rtol=1e-13)


ALL = [
    limen.SGD(0.1, momentum=0.9, weight_decay=0.1),
    limen.Adam(0.1, weight_decay=0.1),
    limen.AdamW(),
]


@pytest.mark.parametrize("optimizer", ALL, ids=repr)
def test_steps_are_in_place_and_allocate_nothing(optimizer: Optimizer) -> None:
    parameter = made((300, 300), "float32")
    value = parameter.value
    parameter.grad = np.ones((300, 300))
    grad = parameter.grad
    optimizer.step([parameter])
    tracemalloc.start()
    for _ in range(3):
        optimizer.step([parameter])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < value.nbytes / 20
    assert parameter.value is value
    assert value.dtype == np.float32
    assert (grad == 1).all()


def test_parameters_have_states_of_their_own() -> None:
    optimizer = limen.Adam(0.1)
    old, new = made(), made()
    old.grad = 1.0
    for _ in range(5):
        optimizer.step([old])
    new.grad = 1.0
    optimizer.step([new])
    assert float(new.value) == pytest.approx(START - 0.1, rel=1e-6)  # a first step, uncorrected


def test_learning_rate_may_change() -> None:
    optimizer, parameter = limen.SGD(0.1), made()
    parameter.grad = 1.0
    optimizer.learning_rate = 0.5
    optimizer.step([parameter])
    assert float(parameter.value) == START - 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: limen.SGD(-1.0), "SGD: learning_rate must be 0 or more, given -1.0"),
        (lambda: limen.SGD(float("nan")), "learning_rate"),
        (lambda: limen.SGD(0.1, momentum=1.0), "momentum must be below 1"),
        (lambda: limen.Adam(betas=(0.9, 1.5)), r"betas\[1\] must be below 1"),
        (lambda: limen.AdamW(weight_decay=-0.1), "AdamW: weight_decay"),
    ],
)
def test_wrong_arguments(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
