"""Cross-entropies: what it costs to code targets by the probabilities a model predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.errors import DtypeError, ShapeError
from limen.kernels.arrays import unmasked
from limen.kernels.loss_loops import cross_entropy, logit_entropy
from limen.layers.arrays import real_array
from limen.layers.loss import Loss, Score, batch_size, give_flow

if TYPE_CHECKING:
    from limen.kernels.loops import Loop
    from limen.kernels.routine import Call

__all__ = ["BinaryCrossEntropy", "CrossEntropy"]

Array = NDArray[Any]


class BinaryCrossEntropy(Loss):
    """The cost of coding yes-or-no targets: `-sum_j [t log p + (1 - t) log(1 - p)]`.

    With `from_logits=True` the predictions are pre-activations z with p = logistic(z), and loss
    and flow are exact for every finite z: prefer it for training. (Exponentials below 2^-1022, the
    smallest normal float64, count as 0.)

    Without, they are probabilities, which round: a p that has rounded to 1 (to 0) is taken as 1
    minus half a unit in the last place (as the smallest positive number), and the flow through p
    is bounded by that of the smallest normal number, so that a saturated neuron gives a large
    loss and a finite flow instead of NaN. (PyTorch instead cuts the logarithms at -100.)

    Args:
        from_logits: whether predictions are pre-activations instead of probabilities.

    Targets are in [0, 1]; for a single output, shape `(batch,)` is welcome too.

    Example:
        >>> import limen
        >>> round(limen.BinaryCrossEntropy()([[0.5]], [1]), 6)
        0.693147
        >>> limen.BinaryCrossEntropy(from_logits=True)([[800.0]], [0])
        800.0
    """

    is_classification = True

    def __init__(self, from_logits: bool = False) -> None:
        self.from_logits = bool(from_logits)
        self.squashing = "logistic" if self.from_logits else ""
        if self.from_logits:
            self.formula = "sum_j [softplus(z[j]) - t[j] z[j]], averaged over the batch"
            self.backward_formula = "(logistic(z[j]) - t[j]) / batch"
        else:
            self.formula = (
                "-sum_j [t[j] log(p[j]) + (1 - t[j]) log(1 - p[j])], averaged over the batch"
            )
            self.backward_formula = "((1 - t[j]) / (1 - p[j]) - t[j] / p[j]) / batch"

    def prepare(self, target: ArrayLike, shape: tuple[int, ...]) -> Array:
        """Check `target` for predictions of `shape`; see `Loss.prepare`."""
        array = super().prepare(target, shape)
        _inside_unit(array, f"{self!r}: targets")
        return array

    def measure(
        self,
        prediction: Array,
        target: Array,
        *,
        work: Array,
        grad: Array | None = None,
        batch: int | None = None,
    ) -> float:
        """The loss, and the gradient into `grad`; see `Loss.measure`."""
        batch = batch or batch_size(prediction)
        if self.from_logits:
            return _measured(logit_entropy, prediction, target, work, grad, batch)
        _inside_unit(prediction, f"{self!r}: predictions", "; from_logits=True takes any number")
        limits = np.finfo(prediction.dtype)
        p = prediction.astype(np.float64)
        q = np.maximum(1.0 - p, float(limits.epsneg) / 2)
        np.log(np.maximum(p, limits.smallest_subnormal), out=work)
        work *= target
        # log(1 - p): above 1/2 the difference is exact, below log1p makes it so.
        work += (1.0 - target) * np.where(p > 0.5, np.log(q), np.log1p(-np.minimum(p, 0.5)))
        if grad is not None:
            flow = (1.0 - target) / q - target / np.maximum(p, limits.tiny)
            give_flow(flow, batch, grad)
        return float(-work.sum() / batch)

    def measure_calls(
        self,
        prediction: Array,
        target: Array,
        *,
        work: Array,
        grad: Array,
        batch: int,
        score: Score,
    ) -> list[Call] | None:
        """One loop, where predictions are logits."""
        is_own = type(self).count_correct is BinaryCrossEntropy.count_correct
        if not self.from_logits or not is_own:
            return None
        numbers = np.array(_numbers(prediction, batch, grad))
        return [logit_entropy.call((prediction, target, work, grad, *score), numbers)]

    def count_correct(self, prediction: Array, target: Array) -> int:
        """How many samples of a prepared target are classified rightly."""
        boundary = 0.0 if self.from_logits else 0.5
        agree = (prediction > boundary) == (target > 0.5)
        return int(np.count_nonzero(agree.all(axis=-1)))

    def __repr__(self) -> str:
        return f"BinaryCrossEntropy({'from_logits=True' if self.from_logits else ''})"


class CrossEntropy(Loss):
    """The cost of coding classes: `log(sum_k exp(z[k])) - z[label]`, averaged over the batch.

    Predictions are pre-activations (logits), as in PyTorch: the softmax is inside, so give the
    model none at its end. Loss and flow neither overflow nor cancel, also where the model is
    certain: the label's own exponential is kept apart from the sum of the others. (Exponentials
    below 2^-1022, the smallest normal float64, count as 0.)

    Targets are integer labels of shape `(batch,)` (a single integer for one sample), or
    one-hot rows or probabilities of shape `(batch, classes)`.

    Example:
        >>> import limen
        >>> loss = limen.CrossEntropy()
        >>> loss([[0.0, 0.0], [1000.0, 0.0]], [0, 1])
        500.34657359027995
    """

    is_classification = True
    squashing = "softmax"
    formula = "log(sum_k exp(z[k])) - z[label], averaged over the batch"
    backward_formula = "(softmax(z)[j] - (1 if j is the label else 0)) / batch"

    def prepare(self, target: ArrayLike, shape: tuple[int, ...]) -> Array:
        """Check `target` for predictions of `shape`; see `Loss.prepare`."""
        array = unmasked(target, "target")
        if array.shape == shape and array.ndim > 0:
            rows = real_array(array, lambda: f"{self!r}, target", np.dtype(float))
            return self._prepare_rows(rows)
        if array.shape != shape[:-1]:
            raise ShapeError(
                f"{self!r}: expected labels of shape {shape[:-1]} or rows of shape {shape}, "
                f"given {array.shape}"
            )
        if array.dtype.kind not in "iub":
            raise DtypeError(f"{self!r}: labels must be integers, given dtype {array.dtype}")
        labels = array.astype(np.intp).reshape(-1)
        if labels.size and (labels.min() < 0 or labels.max() >= shape[-1]):
            raise ShapeError(
                f"{self!r}: labels must be 0 to {shape[-1] - 1} for {shape[-1]} outputs, "
                f"given {labels.min()} to {labels.max()}"
            )
        return labels

    def _prepare_rows(self, rows: Array) -> Array:
        rows = np.atleast_2d(rows)
        _inside_unit(rows, f"{self!r}: target rows")
        sums = rows.sum(axis=-1)
        wrong = np.flatnonzero(np.abs(sums - 1.0) > 1e-3)
        if wrong.size:
            raise ValueError(
                f"{self!r}: target rows are probabilities and must sum to 1, "
                f"but row {wrong[0]} sums to {sums[wrong[0]]:.6g}"
            )
        one_hot = bool(((rows == 0.0) | (rows == 1.0)).all())
        return rows.argmax(axis=-1) if one_hot else rows

    def measure(
        self,
        prediction: Array,
        target: Array,
        *,
        work: Array,
        grad: Array | None = None,
        batch: int | None = None,
    ) -> float:
        """The loss, and the gradient into `grad`; see `Loss.measure`."""
        batch = batch or batch_size(prediction)
        if target.ndim == 1:
            return _measured(cross_entropy, prediction, target, work, grad, batch)
        logits = np.atleast_2d(prediction)
        rows = work.reshape(logits.shape)
        np.copyto(rows, logits)
        rows -= rows.max(axis=-1, keepdims=True)
        losses = _measure_probabilities(rows, target)
        if grad is not None:
            give_flow(work, batch, grad)
        return float(losses.sum()) / batch

    def measure_calls(
        self,
        prediction: Array,
        target: Array,
        *,
        work: Array,
        grad: Array,
        batch: int,
        score: Score,
    ) -> list[Call] | None:
        """One loop, where targets are labels."""
        if target.ndim > 1 or type(self).count_correct is not CrossEntropy.count_correct:
            return None
        numbers = np.array(_numbers(prediction, batch, grad))
        return [cross_entropy.call((prediction, target, work, grad, *score), numbers)]

    def count_correct(self, prediction: Array, target: Array) -> int:
        """How many samples of a prepared target are classified rightly."""
        labels = target if target.ndim == 1 else target.argmax(axis=-1)
        return int(np.count_nonzero(np.atleast_2d(prediction).argmax(axis=-1) == labels))


def _measured(
    loop: Loop, prediction: Array, target: Array, work: Array, grad: Array | None, batch: int
) -> float:
    """What a loop says of some samples."""
    mean, right = np.empty((2, 1))
    flow = np.empty(0, prediction.dtype) if grad is None else grad
    arrays = [a.reshape(-1) for a in (prediction, target, work, flow)]
    loop((*arrays, mean, right), *_numbers(prediction, batch, grad))
    return float(mean[0])


def _numbers(
    prediction: Array, batch: int, grad: Array | None
) -> tuple[float, float, float, float]:
    """What a loop is told besides: samples and outputs, those of the mean, and who wants a flow."""
    outputs = prediction.shape[-1]
    return float(prediction.size // outputs), float(outputs), float(batch), float(grad is not None)


def _measure_probabilities(rows: Array, target: Array) -> Array:
    """The losses of logits shifted by their peak; `rows` become the flow before averaging."""
    weights = target.sum(axis=-1)
    linear = np.einsum("ij,ij->i", rows, target)
    np.exp(rows, out=rows)
    total = rows.sum(axis=-1)
    rows *= (weights / total)[:, np.newaxis]
    rows -= target
    losses: Array = weights * np.log(total) - linear
    return losses


def _inside_unit(array: Array, what: str, advice: str = "") -> None:
    low, high = array.min(initial=1.0), array.max(initial=0.0)
    if low < 0.0 or high > 1.0:  # NaN passes, and shows in the loss
        raise ValueError(f"{what} must be between 0 and 1, given {low:.6g} to {high:.6g}{advice}")
