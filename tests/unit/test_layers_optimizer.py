"""Optimizers against their published recurrences in plain Python, and their promises on memory."""

from __future__ import annotations

import copy
import pickle
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


@pytest.mark.parametrize("value", [True, np.True_, "0.1", b"1", None, 1j, [0.1]])
def test_what_is_no_number_or_only_looks_like_one_is_refused(value: Any) -> None:
    for make in (limen.SGD, limen.Adam, limen.AdamW):
        with pytest.raises(TypeError, match="learning_rate must be a number"):
            make(value)
    with pytest.raises(TypeError, match="momentum must be a number"):
        limen.SGD(0.1, momentum=value)
    with pytest.raises(TypeError, match=r"Adam: betas\[0\] must be a number"):
        limen.Adam(betas=(value, 0.9))
    assert limen.SGD(np.float32(0.5)).learning_rate == limen.SGD(np.array(0.5)).learning_rate == 0.5


@pytest.mark.parametrize("make", [lambda: limen.SGD(0.1, momentum=0.9), lambda: limen.Adam(0.1)])
@pytest.mark.parametrize(
    "again", [lambda pair: pickle.loads(pickle.dumps(pair)), copy.deepcopy], ids=["pickle", "copy"]
)
def test_a_model_goes_on_with_its_optimizer_elsewhere(make: Any, again: Any) -> None:
    model = limen.Model([limen.Linear(3, 4), limen.Activation("tanh"), limen.Linear(4, 1)])
    optimizer = make()
    x, y = np.eye(3, dtype=np.float32), np.ones((3, 1), np.float32)

    def learn(model: limen.Model, optimizer: Optimizer) -> list[float]:
        step = model.training_step(limen.HalfSquaredError(), optimizer)
        return [step(x, y) for _ in range(5)]

    learn(model, optimizer)
    other = again((model, optimizer))
    assert repr(other[1]) == repr(optimizer)
    expected = learn(model, optimizer)  # the other pair is not touched by that
    assert learn(*other) == expected


def test_a_fresh_optimizer_can_be_pickled() -> None:
    assert repr(pickle.loads(pickle.dumps(limen.AdamW(0.25)))) == repr(limen.AdamW(0.25))
