"""A training step: forward, loss, backward, update; in arrays that are made once."""

from __future__ import annotations

from functools import partial
from math import fsum, isfinite, prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.errors import ShapeError
from limen.layers.buffer import Buffers
from limen.layers.loss import Loss, Score, batch_size, check_loss
from limen.layers.moves import Move, native_calls
from limen.layers.optimizer import Optimizer
from limen.layers.passing import Pass, shapes_through
from limen.layers.round import Round
from limen.layers.slabs import share

if TYPE_CHECKING:
    from limen.layers.model import Model

__all__ = ["TrainingStep", "check_choices"]

Array = NDArray[Any]
_FLOAT64 = np.dtype(np.float64)
_MOST_SHAPES = 8  # whose views are kept; training needs two: the last batch may be smaller


class TrainingStep:
    """Forward, loss, backward, update: one step of learning, for loops of your own.

    Every array is made at the first step and used again: a later step overwrites what the layers
    keep. Batches of another size are welcome at any time.

    Args:
        model: learns in place.
        loss: such as `limen.HalfSquaredError()`.
        optimizer: such as `limen.SGD(0.1)`.

    Example:
        >>> import limen
        >>> model = limen.Model([limen.Linear(1, 1)], dtype="float64")
        >>> step = model.training_step(limen.HalfSquaredError(), limen.SGD(0.5))
        >>> losses = [step([[1.0], [-1.0]], [[2.0], [0.0]]) for _ in range(50)]
        >>> losses[-1] < 1e-12
        True
        >>> model.predict([3.0]).round(6)
        array([4.])
    """

    def __init__(self, model: Model, loss: Loss, optimizer: Optimizer) -> None:
        check_choices("training_step", loss, optimizer)
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self._buffers = Buffers()
        self._parameters = model.parameters()
        self._runs: dict[tuple[int, ...], _Run] = {}

    def __call__(self, x: ArrayLike, y: ArrayLike) -> float:
        """Learn from one batch.

        Args:
            x: real array of shape `(batch, inputs)`.
            y: its targets, as the loss takes them.

        Returns:
            The loss before the update.

        Raises:
            ShapeError, DtypeError: naming the place, the expected and the given.
        """
        x = self.model.checked(x)
        if not x.size:
            raise ShapeError(f"training_step: expected at least one sample, given {x.shape}")
        target = self.loss.prepare(y, (*x.shape[:-1], self.model.outputs_for(x.shape[-1])))
        return self.learn(x, target)[0]

    def __reduce__(self) -> tuple[type[TrainingStep], tuple[Model, Loss, Optimizer]]:
        """For pickle and copy: a copy works in arrays of its own."""
        return type(self), (self.model, self.loss, self.optimizer)

    def learn(self, x: Array, target: Array) -> tuple[float, int]:
        """One step on what is checked already; the loss, and how many were classified rightly."""
        run = self._run(x)
        score = run.learn(target)
        for watcher in self.model.watchers:
            watcher.passed(x)
            watcher.returned()
        self.optimizer.step(self._parameters)
        return score

    def judge(self, x: Array, target: Array) -> tuple[float, int]:
        """The loss on data that the model does not learn from, and how many were right."""
        score = self._run(x).judge(target)
        for watcher in self.model.watchers:
            watcher.passed(x)
        return score

    def _run(self, x: Array) -> _Run:
        run = self._runs.get(x.shape)
        if run is None or not run.way.is_current:
            # The runs of smaller batches hold on to memory that a larger one outgrows.
            is_largest = all(prod(x.shape) > prod(shape) for shape in self._runs)
            if is_largest or len(self._runs) == _MOST_SHAPES:
                self._runs.clear()
            run = self._runs[x.shape] = _Run(self.model, self.loss, x, self._buffers)
        run.way.take(x)
        return run


def check_choices(who: str, loss: object, optimizer: object) -> None:
    """Refuses what is no loss, or no optimizer."""
    check_loss(who, loss)
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"{who}: optimizer must be an optimizer such as limen.Adam(), given {optimizer!r}"
        )


class _Run:
    """The arrays of the batches of one shape: views of the buffers that all shapes share."""

    def __init__(self, model: Model, loss: Loss, x: Array, buffers: Buffers) -> None:
        def lend(role: str) -> list[Array]:
            return [buffers.take(f"{role} {k}", s, x.dtype) for k, s in enumerate(shapes)]

        shapes = shapes_through(model.layers, x.shape)
        self.way = Pass(model.layers, lend("output"))
        *self._flows, self._grad = lend("flow")
        self._flows_are_laid = False
        self._work = buffers.take("work", shapes[-1], _FLOAT64)
        self._loss, self._batch = loss, batch_size(self._grad)
        self._target = self._grad
        # Of each slab: its part of the loss, and how many samples were classified rightly.
        self._scores = [Score(*np.zeros((2, 1))) for _ in self.way.slabs]
        self._round: Round | None = None

    def learn(self, target: Array) -> tuple[float, int]:
        """The loss, with its flow back through the layers; and how many were right."""
        self._target = target
        if not self._flows_are_laid:
            # Nobody asks for the flow into the data.
            self.way.lay_back(self._grad, [None, *self._flows])
            self._flows_are_laid = True
        elif self._round is None and Round.is_worth_it(self.way):
            # Not for the first batch: of its shape it may be the only one.
            self._round = Round(self.way, target, self._scoring)
        if self._round is not None and self._round.fits(target):
            self._round(target)
        else:
            share(self._learn_slab, range(len(self._scores)), self.way.effort)
        self.way.end()
        return self._score()

    def judge(self, target: Array) -> tuple[float, int]:
        """The loss, and how many were right."""
        self._target = target
        share(self._judge_slab, range(len(self._scores)), self.way.effort)
        return self._score()

    def _score(self) -> tuple[float, int]:
        losses = [float(score.loss[0]) for score in self._scores]
        right = sum(int(score.right[0]) for score in self._scores)
        if len(losses) == 1:
            return losses[0], right
        # Slabs may differ in size by far: their exact sum has no order.
        return fsum(losses) if all(map(isfinite, losses)) else sum(losses), right

    def _learn_slab(self, k: int) -> None:
        slab = self.way.slabs[k]
        slab.forward()
        self._measure(k, slab.grad_output)
        slab.backward()

    def _judge_slab(self, k: int) -> None:
        self.way.slabs[k].forward()
        self._measure(k, None)

    def _measure(self, k: int, grad: Array | None) -> None:
        slab = self.way.slabs[k]
        arrays = slab.prediction, self._target[slab.rows]
        work = self._work[slab.rows]
        loss, right = self._scores[k]
        loss[0] = self._loss.measure(*arrays, work=work, grad=grad, batch=self._batch)
        if self._loss.is_classification:
            right[0] = self._loss.count_correct(*arrays)

    def _scoring(self, k: int, target: Array) -> Move:
        """The move that measures a slab."""
        slab = self.way.slabs[k]
        grad, work = slab.grad_output, self._work[slab.rows]
        options = {"work": work, "grad": grad, "batch": self._batch, "score": self._scores[k]}
        calls = native_calls(self._loss, "measure", slab.prediction, target, **options)
        return Move(partial(self._measure, k, grad), calls)
