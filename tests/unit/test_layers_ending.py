"""A model that ends in probabilities, where the loss makes them itself."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import limen

X = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
CLASSES = np.arange(8) % 2
FROM_LOGITS = limen.BinaryCrossEntropy(from_logits=True)


def ending_in(function: Any) -> limen.Model:
    return limen.Model([limen.Linear(3, 2), limen.Activation(function)])


def targets(loss: limen.Loss) -> Any:
    return CLASSES if isinstance(loss, limen.CrossEntropy) else np.eye(2)[CLASSES]


@pytest.mark.parametrize(
    ("function", "loss", "said"),
    [
        (limen.softmax, limen.CrossEntropy(), r"layer 1, .*softmax.*Leave.*limen\.softmax\("),
        ("softmin", limen.CrossEntropy(), "softmin.*softmax inside"),
        ("sigmoid", FROM_LOGITS, r"logistic inside.*Leave.*BinaryCrossEntropy\(\), which"),
        ("1 / (1 + exp(-x))", FROM_LOGITS, "logistic inside"),
        ("softmax", FROM_LOGITS, "logistic inside"),
        ("sigmoid", limen.CrossEntropy(), "softmax inside"),
    ],
)
def test_a_second_squashing_is_said_once_of_a_model(
    function: Any, loss: limen.Loss, said: str
) -> None:
    model = ending_in(function)
    with pytest.warns(UserWarning, match=said) as warned:
        model.fit(X, targets(loss), loss=loss, epochs=3, batch_size=2, progress=False)
    assert len(warned) == 1
    assert warned[0].filename == __file__  # the line to mend
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, targets(loss), loss=loss, epochs=1, progress=False)
        model.training_step(loss, limen.SGD(0.1))(X, targets(loss))
    with pytest.warns(UserWarning, match=said) as warned:  # another model is another mistake
        ending_in(function).training_step(loss, limen.SGD(0.1))
    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    ("function", "loss"),
    [
        ("log_softmax", limen.CrossEntropy()),  # softmax of it is softmax
        ("relu", limen.CrossEntropy()),
        ("tanh", FROM_LOGITS),
        ("sigmoid", limen.BinaryCrossEntropy()),
        ("softmax", limen.HalfSquaredError()),
    ],
)
def test_nothing_is_said_where_nothing_is_wrong(function: str, loss: limen.Loss) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ending_in(function).fit(X, targets(loss), loss=loss, epochs=1, progress=False)


def test_a_gated_end_and_a_wrong_loss_are_no_matter() -> None:
    model = limen.Model([limen.Linear(3, 4), limen.Activation("glu")])
    model.training_step(limen.CrossEntropy(), limen.SGD(0.1))
    with pytest.raises(TypeError, match=r"limen\.CrossEntropy\(\)"):
        ending_in("softmax").fit(X, CLASSES, loss=limen.CrossEntropy, progress=False)  # type: ignore[arg-type]
