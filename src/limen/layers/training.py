"""Training: the loop over epochs and batches, and the history it leaves.

Everything of the size of a batch is made once: samples are gathered into two arrays, layers write
into buffers of their own, the optimizer works in place, and the smaller last batch of an epoch is
a view of the same memory.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.errors import ShapeError
from limen.layers.buffer import Buffers
from limen.layers.history import History
from limen.layers.loss import Loss
from limen.layers.optimizer import Adam, Optimizer
from limen.layers.step import TrainingStep, check_choices

if TYPE_CHECKING:
    from limen.layers.model import Model

__all__ = ["fit"]

Array = NDArray[Any]
_REDRAW_SECONDS = 0.1  # a step of a small model is faster than a redraw; the eye is slower


def fit(
    model: Model,
    x: ArrayLike,
    y: ArrayLike,
    *,
    loss: Loss,
    optimizer: Optimizer | None = None,
    epochs: int = 10,
    batch_size: int = 32,
    validation: tuple[ArrayLike, ArrayLike] | None = None,
    shuffle: bool = True,
    progress: bool = True,
) -> History:
    """Train a model.

    Loss and accuracy of an epoch are means over its batches while the model learns; those of the
    validation data are taken at its end. Ctrl-C stops after the batch at hand and returns the
    history so far, with `history.stopped` saying so (a second Ctrl-C interrupts at once, as
    ever). A loss that is no longer finite stops the training too.

    Args:
        model: learns in place.
        x: real array of shape `(samples, inputs)`; converted to the model's dtype once.
        y: targets, one row or label per sample, as `loss` takes them.
        loss: such as `limen.CrossEntropy()`.
        optimizer: such as `limen.SGD(0.1)`; `limen.Adam()` unless given.
        epochs: how often every sample is seen.
        batch_size: samples per step.
        validation: a pair `(x, y)` the model does not learn from.
        shuffle: whether every epoch has an order of its own, drawn with the model's seed.
        progress: whether to show a progress bar.

    Returns:
        The losses (and accuracies) epoch by epoch.
    """
    optimizer = Adam() if optimizer is None else optimizer
    _check_plan(loss, optimizer, epochs, batch_size)
    step = TrainingStep(model, loss, optimizer)
    training = _Data.of(model, loss, x, y, batch_size, "x")
    held_out = None
    if validation is not None:
        if not isinstance(validation, tuple | list) or len(validation) != 2:
            raise TypeError(f"fit: validation must be a pair (x, y), given {type(validation)}")
        held_out = _Data.of(model, loss, *validation, batch_size, "validation")
    history = History(loss_name=repr(loss), optimizer_name=repr(optimizer))
    shuffler = model.shuffler if shuffle else None
    started = perf_counter()
    with _progress(epochs, training.batches, progress) as advance, _interrupts() as interrupted:
        for epoch in range(1, epochs + 1):
            stop = _epoch(step, training, held_out, history, shuffler, advance, interrupted)
            if stop:
                history.stopped = f"{stop} in epoch {epoch} of {epochs}"
                break
    history.seconds = perf_counter() - started
    return history


@dataclass
class _Data:
    """Checked samples and targets, lent batch by batch in the same memory."""

    x: Array
    y: Array
    batch_size: int
    buffers: Buffers = field(default_factory=Buffers)

    @classmethod
    def of(
        cls, model: Model, loss: Loss, x: ArrayLike, y: ArrayLike, batch_size: int, what: str
    ) -> _Data:
        samples = np.ascontiguousarray(model.checked(x))
        if samples.ndim != 2 or len(samples) == 0:
            raise ShapeError(
                f"fit, {what}: expected samples of shape (samples, inputs), at least one, "
                f"given {samples.shape}"
            )
        shape = (len(samples), model.outputs_for(samples.shape[1]))
        targets = loss.prepare(y, shape)
        return cls(samples, np.ascontiguousarray(targets), batch_size)

    @property
    def batches(self) -> int:
        return -(-len(self.x) // self.batch_size)

    def lend(self, shuffler: np.random.Generator | None) -> Iterator[tuple[Array, Array]]:
        order = None if shuffler is None else shuffler.permutation(len(self.x))
        for start in range(0, len(self.x), self.batch_size):
            part = slice(start, start + self.batch_size)
            if order is None:
                yield self.x[part], self.y[part]
            else:
                yield self._gather("x", self.x, order[part]), self._gather("y", self.y, order[part])

    def _gather(self, role: str, array: Array, rows: Array) -> Array:
        batch = self.buffers.take(role, (len(rows), *array.shape[1:]), array.dtype)
        # mode="clip": the default one buffers `out`; the rows are in range by construction.
        return np.take(array, rows, axis=0, out=batch, mode="clip")


def _epoch(
    step: TrainingStep,
    training: _Data,
    held_out: _Data | None,
    history: History,
    shuffler: np.random.Generator | None,
    advance: Callable[[History], None],
    interrupted: Callable[[], bool],
) -> str:
    """One epoch, into the history; the reason to stop, or nothing."""
    seen, total, correct = 0, 0.0, 0
    for x, y in training.lend(shuffler):
        value, right = step.learn(x, y)
        seen, total, correct = seen + len(x), total + value * len(x), correct + right
        advance(history)
        if interrupted():
            return "interrupted (Ctrl-C)"
    classifies = step.loss.is_classification
    history.loss.append(total / seen)
    if classifies:
        history.accuracy.append(correct / seen)
    if held_out is not None:
        results = [(len(x), *step.judge(x, y)) for x, y in held_out.lend(None)]
        samples = len(held_out.x)
        history.validation_loss.append(sum(n * value for n, value, _ in results) / samples)
        if classifies:
            history.validation_accuracy.append(sum(right for *_, right in results) / samples)
    if not np.isfinite(history.loss[-1]):
        return f"the loss became {history.loss[-1]} ({_advice(training)})"
    return "interrupted (Ctrl-C)" if interrupted() else ""


def _advice(data: _Data) -> str:
    """What to do about a loss that is not finite: no learning rate makes up for such data."""
    for name, array in (("x", data.x), ("y", data.y)):
        if not np.isfinite(array).all():
            return f"{name}, as {array.dtype}, holds NaN or infinity: leave such samples out"
    return "try a smaller learning rate"


def _check_plan(loss: Loss, optimizer: Optimizer, epochs: int, batch_size: int) -> None:
    check_choices("fit", loss, optimizer)
    for count, what in ((epochs, "epochs"), (batch_size, "batch_size")):
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            raise ValueError(f"fit: {what} must be a whole number from 1, given {count!r}")


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a flag, so that no parameter is left halfway through a step."""
    pressed = threading.Event()
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if not ours:  # someone else's way of handling it stays
        yield pressed.is_set
        return

    def on_press(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        pressed.set()

    signal.signal(signal.SIGINT, on_press)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _figures(history: History) -> str:
    """The last epoch, short enough to stand beside the bar."""
    accuracy = f" {history.accuracy[-1]:.1%}" if history.accuracy else ""
    text = f"loss {history.loss[-1]:.3g}{accuracy}" if history.loss else ""
    if history.validation_loss:
        accuracy = f" {history.validation_accuracy[-1]:.1%}" if history.accuracy else ""
        text += f", held out {history.validation_loss[-1]:.3g}{accuracy}"
    return text


@contextmanager
def _progress(epochs: int, batches: int, show: bool) -> Iterator[Callable[[History], None]]:
    """A progress bar over all batches; yields what to call after each."""
    if not show:
        yield lambda history: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as bar:
        task = bar.add_task("fit", total=epochs * batches, epoch=1, epochs=epochs, figures="")

        done, shown_at = 0, perf_counter()

        def advance(history: History) -> None:
            nonlocal done, shown_at
            done += 1
            if done < epochs * batches and perf_counter() - shown_at < _REDRAW_SECONDS:
                return
            shown_at = perf_counter()
            epoch = min(len(history.loss) + 1, epochs)
            bar.update(task, completed=done, epoch=epoch, figures=_figures(history))

        yield advance
