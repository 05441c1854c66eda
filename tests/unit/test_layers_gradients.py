"""The gradient check: every function passes it, and it catches what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import limen
from limen.catalog import RECORDS

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(4, 3))
LABELS = np.array([0, 1, 1, 0])


def model_with(function: Any, **options: Any) -> limen.Model:
    activation = limen.Activation(function, **options)
    width = activation.outputs_for(8)
    return limen.Model([limen.Linear(3, 8), activation, limen.Linear(width, 2)], seed=3)


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_every_function_of_the_catalogue_inside_a_model(name: str) -> None:
    learnable = tuple(RECORDS[name].parameters) if name in ("prelu", "snake", "swish") else ()
    report = model_with(name, learnable=learnable).check_gradients(X, LABELS, limen.CrossEntropy())
    assert report.ok, report
    assert report.max_error < 1e-6
    assert sum(row.checked for row in report.rows) > 40, report
    assert len(report.rows) == 5 + len(learnable)


@pytest.mark.parametrize("function", [limen.softmax, limen.log_softmax, limen.softmin], ids=repr)
def test_vector_functions_inside_a_model(function: Any) -> None:
    report = model_with(function).check_gradients(X, LABELS, limen.CrossEntropy())
    assert report.ok, report


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        (limen.HalfSquaredError(), RANDOM.normal(size=(4, 2))),
        (limen.BinaryCrossEntropy(from_logits=True), RANDOM.integers(0, 2, (4, 2))),
        (limen.CrossEntropy(), RANDOM.dirichlet([1, 1], 4)),
    ],
    ids=["squared", "binary", "soft labels"],
)
def test_every_loss(loss: Any, target: Any) -> None:
    report = model_with("tanh").check_gradients(X, target, loss)
    assert report.ok, report


def test_probabilities_and_their_loss() -> None:
    layers = [limen.Linear(3, 2), limen.Activation("logistic")]
    report = limen.Model(layers).check_gradients(X, np.eye(2)[LABELS], limen.BinaryCrossEntropy())
    assert report.ok, report


def test_one_sample() -> None:
    report = model_with("gelu").check_gradients(X[0], 1, limen.CrossEntropy())
    assert report.ok, report


def test_the_model_stays_as_it_is() -> None:
    model = model_with("silu")
    before = [parameter.value.copy() for parameter in model.parameters()]
    model.check_gradients(X, LABELS, limen.CrossEntropy())
    assert not model.has_run
    for parameter, value in zip(model.parameters(), before, strict=True):
        np.testing.assert_array_equal(parameter.value, value)


class Doubled(limen.HalfSquaredError):
    """A loss whose backward pass is wrong."""

    def measure(self, *args: Any, grad: Any = None, **options: Any) -> float:
        value = super().measure(*args, grad=grad, **options)
        if grad is not None:
            grad[..., 0] *= 1.001
        return value


def test_a_wrong_backward_pass_is_caught() -> None:
    target = RANDOM.normal(size=(4, 2))
    report = model_with("tanh").check_gradients(X, target, Doubled())
    assert not report.ok
    assert report.max_error > 1e-4
    assert "DISAGREES" in repr(report)
    assert "backward" in repr(report)
    assert "2.bias" in repr(report)


def test_kinks_are_skipped_and_counted() -> None:
    layer = limen.Linear(1, 1, bias=False)
    layer.weight.value = [[1.0]]
    model = limen.Model([layer, limen.Activation("relu")])
    # The second input sits on the kink; the flow there is a choice, not a derivative.
    report = model.check_gradients([[2.0], [0.0]], [[0.5], [0.5]], limen.HalfSquaredError())
    by_name = {row.name: row for row in report.rows}
    assert (by_name["input"].checked, by_name["input"].at_kinks) == (1, 1)
    assert report.ok, report
    only_kinks = model.check_gradients([[0.0]], [[0.5]], limen.HalfSquaredError())
    assert not only_kinks.ok  # the input could not be checked at all


def test_a_surrogate_is_no_error_but_said() -> None:
    steps = limen.get("heaviside").surrogate("arctan")
    layers = [limen.Linear(3, 4), limen.Activation(steps), limen.Linear(4, 2)]
    report = limen.Model(layers).check_gradients(X, LABELS, limen.CrossEntropy())
    assert report.ok, report
    notes = {row.name: row.note for row in report.rows}
    assert "surrogate derivative in layer 1" in notes["0.weight"]
    assert notes["2.weight"] == ""
    assert "surrogate" in repr(report)


def test_entries_bounds_the_work() -> None:
    report = model_with("tanh").check_gradients(X, LABELS, limen.CrossEntropy(), entries=3)
    assert max(row.checked for row in report.rows) == 3


def test_the_class_of_a_loss_is_no_loss() -> None:
    for call in (model_with("relu").check_gradients, model_with("relu").trace):
        with pytest.raises(TypeError, match=r"loss must be a loss such as limen.CrossEntropy\(\)"):
            call(X, LABELS, limen.CrossEntropy)


def test_at_least_one_entry_is_compared() -> None:
    for entries in (0, -1):
        with pytest.raises(ValueError, match="entries must be a whole number from 1"):
            model_with("relu").check_gradients(X, LABELS, limen.CrossEntropy(), entries=entries)
