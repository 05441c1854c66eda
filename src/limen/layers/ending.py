"""How a model ends, and whether that is where its loss begins."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING
from weakref import WeakSet

from limen.formula.analysis.answers import Unknown
from limen.layers.activation import Activation
from limen.layers.loss import Loss
from limen.vector import VectorFunction, log_softmax

if TYPE_CHECKING:
    from limen.layers.layer import Layer
    from limen.layers.model import Model

__all__ = ["warn_of_second_squashing"]

_warned: WeakSet[Model] = WeakSet()
_OTHERWISE = {
    "softmax": "limen.softmax(prediction) makes probabilities of what it predicts then",
    "logistic": "or take limen.BinaryCrossEntropy(), which expects probabilities",
}


def warn_of_second_squashing(model: Model, loss: Loss) -> None:
    """Says once of a model that its last layer makes probabilities, where the loss does that too.

    Such a model learns, but it can never be sure: a softmax of numbers from 0 to 1 makes one class
    at most e times as probable as another.
    """
    if not isinstance(loss, Loss) or not loss.squashing or model in _warned:
        return
    last = model.layers[-1]
    if not _gives_probabilities(last):
        return
    _warned.add(model)
    warnings.warn(
        f"{last.place}, ends the model with numbers from 0 to 1, but {loss!r} expects "
        f"pre-activations (logits): it has a {loss.squashing} inside. Leave this last layer out; "
        f"{_OTHERWISE[loss.squashing]}",
        UserWarning,
        stacklevel=3,  # who asked the model to learn
    )


def _gives_probabilities(layer: Layer) -> bool:
    """Whether its values lie between 0 and 1, as far as that is known."""
    if not isinstance(layer, Activation):
        return False
    function = layer.function
    if isinstance(function, VectorFunction):
        return function is not log_softmax  # logits as good as any: softmax changes them no more
    values = function.range
    return not isinstance(values, Unknown) and values.low >= 0.0 and values.high <= 1.0
