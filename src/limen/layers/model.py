"""The model: layers in a row, with everything that flows through them left open to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.errors import OrderError, ShapeError
from limen.layers.arrays import model_dtype, real_array
from limen.layers.ending import warn_of_second_squashing
from limen.layers.layer import Layer
from limen.layers.linear import Linear
from limen.layers.loss import Loss, check_loss
from limen.layers.optimizer import Optimizer
from limen.layers.parameter import Parameter, side_by_side
from limen.layers.passing import Pass, predict, shapes_through
from limen.layers.widths import check_widths

if TYPE_CHECKING:
    from os import PathLike

    import torch

    from limen.layers.gradients import GradientReport
    from limen.layers.history import History
    from limen.layers.step import TrainingStep
    from limen.layers.summary import Summary
    from limen.layers.trace import Trace
    from limen.layers.watching import Watcher

__all__ = ["Evaluation", "Model"]

Array = NDArray[Any]


class Evaluation(NamedTuple):
    """How a model does on some data; `accuracy` is None unless the loss is a classification."""

    loss: float
    accuracy: float | None


class Model:
    """Layers in a row: a white box.

    `forward` keeps every representation (`layer.input`, `layer.output`), `backward` every
    learning flow (`layer.grad_output`, `layer.grad_input`) and fills `parameter.grad`. A model
    with Linear layers alone is one linear function: `summary` says so.

    Args:
        layers: the layers, in order; each belongs to one place in one model.
        seed: draws the weights (a weight depends on the seed and on how many Linear layers come
            before it, so that another activation function starts from the same weights) and the
            order of the samples in `fit`: a whole number from 0, below 2**64. None draws a fresh
            one.
        dtype: "float32" or "float64": of every parameter, representation and flow.

    Raises:
        ShapeError: when neighbouring layers do not fit; names both.

    Example:
        >>> import limen
        >>> model = limen.Model([limen.Linear(2, 3), limen.Activation("relu"), limen.Linear(3, 1)])
        >>> model.forward([[0.5, -1.0], [2.0, 0.0]]).shape
        (2, 1)
        >>> model.layers[1].output.shape
        (2, 3)
    """

    def __init__(
        self, layers: Sequence[Layer], *, seed: int | None = 0, dtype: Any = "float32"
    ) -> None:
        if not isinstance(layers, Iterable):
            raise TypeError(
                f"Model: layers come in a list, such as [limen.Linear(2, 1)], given {layers!r}"
            )
        self.layers = tuple(layers)
        self.dtype = model_dtype(dtype)
        if seed is None:
            seed = int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
        self.seed = _checked_seed(seed)
        self._check_layers()
        linear_layers = 0
        for index, layer in enumerate(self.layers):
            layer.enter(index)
            layer.initialise(np.random.default_rng([self.seed, linear_layers]), self.dtype)
            linear_layers += isinstance(layer, Linear)
        side_by_side(self.parameters(), self.dtype)
        self.watchers: tuple[Watcher, ...] = ()  # told after every pass; see `limen.observe`
        # Lasts from fit to fit, so that going on training does not repeat the same orders.
        self.shuffler = np.random.default_rng([self.seed, linear_layers])

    def forward(self, x: ArrayLike) -> Array:
        """Send data through the layers, keeping every representation.

        Args:
            x: real array of shape `(batch, inputs)`, or `(inputs,)` for one sample; converted
                to the model's dtype.

        Returns:
            The output of the last layer, `(batch, outputs)` or `(outputs,)`. It and the arrays
            the layers keep are new ones: no later pass overwrites them.

        Raises:
            ShapeError, DtypeError: naming the layer, the expected and the given.
        """
        x = self.checked(x)
        shapes = shapes_through(self.layers, x.shape)
        output = Pass(self.layers, [np.empty(shape, self.dtype) for shape in shapes]).forward(x)
        for watcher in self.watchers:
            watcher.passed(x)
        return output

    __call__ = forward

    def backward(self, grad_output: ArrayLike) -> Array:
        """Send a learning flow back, keeping it at every layer, and fill `parameter.grad`.

        Args:
            grad_output: gradient of the loss with respect to the model's output, of its shape.

        Returns:
            The gradient with respect to the model's input, of its shape.

        Raises:
            OrderError: before `forward`.
        """
        if not self.has_run:
            raise OrderError(f"{self!r}: call model.forward before model.backward")
        inputs = [layer.input for layer in self.layers]
        outputs = [layer.output for layer in self.layers]
        grad_output = real_array(grad_output, lambda: f"{self!r}, grad_output", self.dtype)
        if grad_output.shape != outputs[-1].shape:
            raise ShapeError(
                f"{self.layers[-1].place}: grad_output must have the shape of the output, "
                f"{outputs[-1].shape}, given {grad_output.shape}"
            )
        way = Pass(self.layers, outputs)
        way.take(inputs[0])
        way.lay_back(grad_output, [np.empty_like(x) for x in inputs])
        way.backward()
        for watcher in self.watchers:
            watcher.returned()
        return self.layers[0].grad_input  # type: ignore[no-any-return]

    def predict(self, x: ArrayLike) -> Array:
        """The output for `x`, and nothing else: keeps no representation, touches no layer.

        Activation layers work in place on what the layer before them made.
        """
        x = self.checked(x)
        out = np.empty((*x.shape[:-1], self.outputs_for(x.shape[-1])), self.dtype)
        predict(self.layers, x, out)
        for watcher in self.watchers:
            watcher.predicted(x)
        return out

    def evaluate(self, x: ArrayLike, y: ArrayLike, loss: Loss) -> Evaluation:
        """The loss on some data, and the share of samples classified rightly."""
        check_loss("evaluate", loss)
        prediction = self.predict(x)
        value = loss(prediction, y)
        if not loss.is_classification:
            return Evaluation(value, None)
        target = loss.prepare(y, prediction.shape)
        samples = 1 if prediction.ndim == 1 else len(prediction)
        return Evaluation(value, loss.count_correct(prediction, target) / samples)

    def fit(
        self,
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
        """Train on `x` and `y`; see `limen.layers.training.fit`."""
        from limen.layers.training import fit

        warn_of_second_squashing(self, loss)
        return fit(
            self,
            x,
            y,
            loss=loss,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=batch_size,
            validation=validation,
            shuffle=shuffle,
            progress=progress,
        )

    def training_step(self, loss: Loss, optimizer: Optimizer) -> TrainingStep:
        """What learns from one batch at a time; see `limen.layers.step.TrainingStep`."""
        from limen.layers.step import TrainingStep

        warn_of_second_squashing(self, loss)
        return TrainingStep(self, loss, optimizer)

    def check_gradients(
        self, x: ArrayLike, y: ArrayLike, loss: Loss, *, entries: int = 50
    ) -> GradientReport:
        """Compare every gradient with finite differences; see `limen.layers.gradients`."""
        from limen.layers.gradients import check_gradients

        return check_gradients(self, x, y, loss, entries=entries)

    def summary(self) -> Summary:
        """Layers, shapes, parameter counts, and which Linear layers are one linear function."""
        from limen.layers.summary import Summary

        return Summary(self)

    def merged(self, index: int) -> Linear:
        """The one Linear layer that the run of Linear layers around layer `index` amounts to.

        Raises:
            ShapeError: when layer `index` is in no such run.
        """
        from limen.layers.merging import merged

        return merged(self, index)

    def trace(
        self,
        x: ArrayLike,
        y: ArrayLike,
        loss: Loss,
        *,
        neurons: int = 4,
        samples: int = 1,
        show: bool = True,
    ) -> Trace:
        """Print one pass forward and back, neuron by neuron; see `limen.layers.trace`."""
        from limen.layers.trace import Trace

        trace = Trace(self, x, y, loss, neurons=neurons, samples=samples)
        if show:
            print(trace)
        return trace

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to a safetensors file; see `limen.layers.storage`."""
        from limen.layers.storage import save

        save(self, path)

    def to_torch(self) -> torch.nn.Sequential:
        """A `torch.nn.Sequential` of the same layers, with copies of the parameters."""
        import limen.torch  # noqa: F401 - says what to install where PyTorch is missing
        from limen.layers.conversion import to_torch

        return to_torch(self)

    def parameters(self) -> tuple[Parameter, ...]:
        """Every parameter that learns, in the order of the layers."""
        return tuple(parameter for layer in self.layers for parameter in layer.parameters())

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and copy: nobody looks on at another model."""
        return vars(self) | {"watchers": ()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """For copy: its layers, which are copies themselves, have their places in it."""
        vars(self).update(state)
        for index, layer in enumerate(self.layers):
            if layer.index is None:  # not so those that a shallow copy shares
                layer.enter(index)

    def copy(self, dtype: Any = None) -> Model:
        """A model of its own with the same layers and values, in `dtype` if given."""
        twins = [layer.twin() for layer in self.layers]
        return Model(twins, seed=self.seed, dtype=self.dtype if dtype is None else dtype)

    def outputs_for(self, inputs: int) -> int:
        """The width of the output for a width of the input; ShapeError where it cannot be."""
        for layer in self.layers:
            inputs = layer.outputs_for(inputs)
        return inputs

    def checked(self, x: ArrayLike) -> Array:
        """`x` as an array of the model's dtype that its first layer takes."""
        return self.layers[0].checked(real_array(x, lambda: f"{self!r}, input", self.dtype))

    @property
    def has_run(self) -> bool:
        """Whether there are representations to go back through."""
        return all(layer.has_run for layer in self.layers)

    def _check_layers(self) -> None:
        if not self.layers:
            raise ShapeError("Model: expected at least one layer, given none")
        for index, layer in enumerate(self.layers):
            if not isinstance(layer, Layer):
                raise TypeError(
                    f"Model: expected layers such as limen.Linear or limen.Activation, "
                    f"given {layer!r} at position {index}"
                )
            if layer.index is not None or layer in self.layers[:index]:
                raise OrderError(
                    f"Model: {layer!r} at position {index} is in use already; a layer keeps what "
                    "flowed through it, so it belongs to one place in one model: "
                    "layer.twin() is another with the same values"
                )
        check_widths(self.layers)

    def __repr__(self) -> str:
        return f"Model({list(self.layers)!r}, dtype={self.dtype.name!r})"


def _checked_seed(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"Model: seed must be a whole number, given {seed!r}")
    if not 0 <= seed < 2**64:  # what a model file holds
        raise ValueError(f"Model: seed must be from 0 to 2**64 - 1, given {seed}")
    return int(seed)
