"""A batch on its way through the layers and back, slab by slab of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from numpy.typing import NDArray

from limen.layers.layer import Layer
from limen.layers.moves import Move, native_calls
from limen.layers.parameter import Parameter
from limen.layers.slabs import Rows, cut, share
from limen.layers.sums import SlabGradients

__all__ = ["Pass", "Slab", "predict", "shapes_through"]

Array = NDArray[Any]
Shape = tuple[int, ...]


class Slab:
    """Rows of a batch that go all the way on one thread."""

    def __init__(self, rows: Rows, layers: Sequence[Layer], outputs: Sequence[Array]) -> None:
        self.rows = rows
        self._layers = layers
        self._outputs = [output[rows] for output in outputs]
        # What goes into the first layer comes with `take`.
        self._inputs = [self._outputs[0], *self._outputs[:-1]]
        self.prediction = self.grad_output = self._outputs[-1]
        self._grad_inputs: list[Array | None] = []
        self._grad_outputs: list[Array] = []
        self._grads: Sequence[Sequence[Array]] = ()

    def take(self, x: Array) -> None:
        """Its rows of the batch."""
        self._inputs[0] = x[self.rows]

    def lay_back(
        self,
        grad_output: Array,
        grad_inputs: Sequence[Array | None],
        grads: Sequence[Sequence[Array]],
    ) -> None:
        """Its rows of the flows, and where the gradients of its rows go, layer by layer."""
        self.grad_output = grad_output[self.rows]
        self._grad_inputs = [None if a is None else a[self.rows] for a in grad_inputs]
        flows = (a for a in self._grad_inputs[1:] if a is not None)
        self._grad_outputs = [*flows, self.grad_output]
        self._grads = grads

    def forward(self) -> None:
        """Through all layers, to the prediction."""
        for k in range(len(self._layers)):
            self._compute(k)

    def backward(self) -> None:
        """Back from `grad_output` through all layers, teaching each.

        A layer that nobody asks for a flow learns all the same.
        """
        for k in reversed(range(len(self._layers))):
            self._teach(k)
            self._flow(k)

    def _compute(self, k: int) -> None:
        self._layers[k].compute(self._inputs[k], self._outputs[k])

    def _teach(self, k: int) -> None:
        self._layers[k].teach(self._inputs[k], self._grad_outputs[k], self._grads[k])

    def _flow(self, k: int) -> None:
        grad_input = self._grad_inputs[k]
        if grad_input is not None:
            self._layers[k].flow(self._inputs[k], self._grad_outputs[k], grad_input)

    @property
    def start(self) -> Array:
        """What goes into the first layer."""
        return self._inputs[0]

    def moves_forward(self) -> Iterator[Move]:
        """The moves of `forward`, for arrays that stay where they are."""
        for k, layer in enumerate(self._layers):
            calls = native_calls(layer, "compute", self._inputs[k], self._outputs[k])
            yield Move(partial(self._compute, k), calls)

    def moves_back(self) -> Iterator[Move]:
        """The moves of `backward`."""
        for k in reversed(range(len(self._layers))):
            layer, x, grad_output = self._layers[k], self._inputs[k], self._grad_outputs[k]
            calls = native_calls(layer, "teach", x, grad_output, self._grads[k])
            yield Move(partial(self._teach, k), calls)
            grad_input = self._grad_inputs[k]
            if grad_input is not None:
                calls = native_calls(layer, "flow", x, grad_output, grad_input)
                yield Move(partial(self._flow, k), calls)


class Pass:
    """A batch on its way through the layers and back, in arrays that the layers keep.

    Args:
        layers: the layers of a model.
        outputs: an array for every layer's representation.

    Attributes:
        slabs: the rows that go together.
        effort: what the way forward costs, in multiplications of a matrix product.
    """

    def __init__(self, layers: Sequence[Layer], outputs: Sequence[Array]) -> None:
        self._layers, self._outputs = layers, outputs
        self._inputs = [outputs[0], *outputs[:-1]]
        self._grad_inputs: Sequence[Array | None] = ()
        self._grad_outputs: list[Any] = []
        rows, widths = _rows(outputs[-1]), [output.shape[-1] for output in outputs]
        self.effort = _effort(layers, rows, widths)
        self.slabs = [Slab(part, layers, outputs) for part in cut(rows, self.effort)]
        self._homes: list[tuple[Parameter, Array, Array]] = []

    @property
    def is_current(self) -> bool:
        """Whether the parameters are still where they were when the way back was laid."""
        return all(p.lies_at(value, grad) for p, value, grad in self._homes)

    def take(self, x: Array) -> None:
        """Begin with a batch; the layers forget the flow of the one before."""
        self._inputs[0] = x
        for slab in self.slabs:
            slab.take(x)
        for layer, given, output in zip(self._layers, self._inputs, self._outputs, strict=True):
            layer.keep(given, output)

    def forward(self, x: Array) -> Array:
        """Send a batch through all layers."""
        self.take(x)
        share(Slab.forward, self.slabs, self.effort)
        return self._outputs[-1]

    def lay_back(self, grad_output: Array, grad_inputs: Sequence[Array | None]) -> None:
        """Say where the flow comes from, and for every layer where it goes.

        A first layer that nobody asks for a flow has None.
        """
        self._grad_inputs = grad_inputs
        self._grad_outputs = [*grad_inputs[1:], grad_output]
        parameters = [layer.parameters() for layer in self._layers]
        self._gradients = SlabGradients(parameters, len(self.slabs))
        self._homes = [(p, p.value, p.grad) for own in parameters for p in own]
        for slab, grads in zip(self.slabs, self._gradients.of, strict=True):
            slab.lay_back(grad_output, grad_inputs, grads)

    def backward(self) -> None:
        """Hand the flow back through all layers, and fill the gradients of the parameters."""
        share(Slab.backward, self.slabs, self.effort)
        self.end()

    def end(self) -> None:
        """What is left when every slab has been back: to add up, and to keep."""
        self._gradients.add_up()
        flows = zip(self._layers, self._grad_outputs, self._grad_inputs, strict=True)
        for layer, grad_output, grad_input in flows:
            layer.keep_flow(grad_output, grad_input)


def predict(layers: Sequence[Layer], x: Array, out: Array) -> None:
    """Send `x` through the layers without a trace: no layer keeps anything."""

    def through(rows: Rows) -> None:
        flow = x[rows]
        for k, layer in enumerate(layers):
            spare = flow if k and layer.works_in_place else None
            flow = layer.compute(flow, out[rows] if k == len(layers) - 1 else spare)

    widths = [shape[-1] for shape in shapes_through(layers, x.shape)]
    effort = _effort(layers, _rows(x), widths)
    share(through, cut(_rows(x), effort), effort)


def shapes_through(layers: Sequence[Layer], shape: Shape) -> list[Shape]:
    """The shape of every layer's representation, for a batch of some shape."""
    shapes = []
    for layer in layers:
        shape = (*shape[:-1], layer.outputs_for(shape[-1]))
        shapes.append(shape)
    return shapes


def _effort(layers: Sequence[Layer], rows: int, widths: Sequence[int]) -> int:
    """What a batch costs on its way forward, in multiplications of a matrix product."""
    costs = (layer.multiplications(width) for layer, width in zip(layers, widths, strict=True))
    return rows * sum(costs)


def _rows(array: Array) -> int:
    """How many samples an array holds; a single one has no batch axis."""
    return 1 if array.ndim == 1 else len(array)
