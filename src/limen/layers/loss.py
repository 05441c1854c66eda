"""Losses: how far predictions are from their targets, and the learning flow that starts there.

Every loss is summed over the outputs of a sample and averaged over the batch. Everything inside
is float64, in forms that neither overflow nor cancel; the gradient is rounded once, to the dtype
of the prediction.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.errors import ShapeError
from limen.kernels.arrays import check_array, kernel_dtype
from limen.kernels.loss_loops import half_squares, half_squares_and_flow
from limen.layers.arrays import MODEL_DTYPES, real_array

if TYPE_CHECKING:
    from limen.kernels.routine import Call

__all__ = ["HalfSquaredError", "Loss", "Score", "batch_size", "check_loss", "give_flow"]

Array = NDArray[Any]


class Score(NamedTuple):
    """Float64 arrays whose first numbers become those of some samples.

    Attributes:
        loss: their part of the batch's.
        right: how many are classified rightly; nobody writes to it where there are no classes.
    """

    loss: Array
    right: Array


class Loss(ABC):
    """A number that a model learns to make small.

    `loss(prediction, target)` is the number, `loss.backward(prediction, target)` its gradient
    with respect to the prediction, the flow to hand to `model.backward`.
    """

    formula: str
    backward_formula: str
    is_classification = False
    squashing = ""
    """"softmax" or "logistic", where the loss makes probabilities of predictions itself."""
    _target_dtypes: tuple[str, ...] = ("float64",)  # that `measure` takes; others become float64

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> float:
        """The loss of a batch, or of one sample.

        Args:
            prediction: shape `(batch, outputs)`, or `(outputs,)` for one sample.
            target: of the same shape, or what the loss names besides.
        """
        prediction = self._prediction(self._real(prediction))
        target = self.prepare(target, prediction.shape)
        return self.measure(prediction, target, work=np.empty(prediction.shape))

    def backward(
        self, prediction: ArrayLike, target: ArrayLike, *, out: Array | None = None
    ) -> Array:
        """The gradient with respect to the prediction, in its shape and dtype."""
        given = self._real(prediction)
        prediction = self._prediction(given)
        target = self.prepare(target, prediction.shape)
        if out is not None:
            check_array(out)
        if out is not None and out.shape != prediction.shape:
            raise ShapeError(f"{self!r}: out must have shape {prediction.shape}, has {out.shape}")
        grad = np.empty_like(prediction)
        self.measure(prediction, target, work=np.empty(prediction.shape), grad=grad)
        if out is None:
            return grad.astype(given.dtype, copy=False)
        np.copyto(out, grad, casting="same_kind")
        return out

    def prepare(self, target: ArrayLike, shape: tuple[int, ...]) -> Array:
        """Check `target` for predictions of `shape`, once, and give it the form `measure` takes."""
        array = real_array(target, lambda: f"{self!r}, target")
        # A target per sample for a single output would broadcast to (batch, batch): make it fit.
        if shape[-1] == 1 and array.shape == shape[:-1]:
            array = array[..., np.newaxis]
        if array.shape != shape:
            raise ShapeError(f"{self!r}: expected a target of shape {shape}, given {array.shape}")
        dtype = array.dtype if kernel_dtype(array) in self._target_dtypes else np.float64
        return np.ascontiguousarray(array, dtype)

    @abstractmethod
    def measure(
        self,
        prediction: Array,
        target: Array,
        *,
        work: Array,
        grad: Array | None = None,
        batch: int | None = None,
    ) -> float:
        """The loss, and the gradient into `grad`: both at once, for a training loop.

        Args:
            prediction: checked predictions, float32 or float64, contiguous.
            target: what `prepare` made of the target.
            work: float64 array of the prediction's shape to compute in, contiguous.
            grad: array of the prediction's shape for the gradient; may be None.
            batch: how many samples the mean is over, where these are only some of a batch.
        """

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
        """The native calls that `measure` comes to, for arrays that stay where they are.

        Args:
            prediction: this and the next are what `measure` takes.
            target: one of them.
            work: another.
            grad: another.
            batch: the last.
            score: where the loss goes, and how many samples are classified rightly.

        Returns:
            The calls; None where there are none.
        """
        return None

    def count_correct(self, prediction: Array, target: Array) -> int:
        """How many samples of a prepared target are classified rightly."""
        raise TypeError(f"{self!r} is no classification: it has no accuracy")

    def _real(self, prediction: ArrayLike) -> Array:
        array = real_array(prediction, lambda: f"{self!r}, prediction")
        if array.ndim not in (1, 2) or array.size == 0:
            raise ShapeError(
                f"{self!r}: expected predictions of shape (batch, outputs), or (outputs,) for one "
                f"sample, and at least one of them; given {array.shape}"
            )
        return array.astype(np.float32) if array.dtype.name == "bfloat16" else array

    def _prediction(self, array: Array) -> Array:
        """As `measure` takes it."""
        dtype = array.dtype if kernel_dtype(array) in MODEL_DTYPES else np.float64
        return np.ascontiguousarray(array, dtype)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class HalfSquaredError(Loss):
    """Half the squared distance: `1/2 sum_j (p[j] - t[j])^2`, averaged over the batch.

    With p the prediction and t the target. The half makes the flow the plain difference.

    Example:
        >>> import limen
        >>> limen.HalfSquaredError()([[1.0, 2.0]], [[0.0, 4.0]])
        2.5
    """

    formula = "1/2 sum_j (p[j] - t[j])^2, averaged over the batch"
    backward_formula = "(p[j] - t[j]) / batch"
    _target_dtypes = MODEL_DTYPES

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
        batch, mean = batch or batch_size(prediction), np.empty(1)
        arrays = prediction.reshape(-1), target.reshape(-1)
        if grad is None:
            half_squares((*arrays, mean), batch)
        else:
            half_squares_and_flow((*arrays, grad.reshape(-1), mean), batch)
        return float(mean[0])

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
        """One loop."""
        arrays = (prediction, target, grad, score.loss)
        return [half_squares_and_flow.call(arrays, np.array([batch], np.float64))]


def check_loss(who: str, loss: object) -> None:
    """Refuses what is no loss, such as the class of one."""
    if not isinstance(loss, Loss):
        raise TypeError(f"{who}: loss must be a loss such as limen.CrossEntropy(), given {loss!r}")


def batch_size(prediction: Array) -> int:
    """How many samples a prediction holds; a single one has no batch axis."""
    return 1 if prediction.ndim == 1 else len(prediction)


def give_flow(flow: Array, batch: int, grad: Array) -> None:
    """Average a float64 `flow` over the batch, in place, and round it once, into `grad`."""
    # Two steps: a product from one dtype into another would make buffers of its own.
    np.multiply(flow, 1.0 / batch, out=flow)
    np.copyto(grad, flow, casting="same_kind")
