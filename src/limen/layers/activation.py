"""The Activation layer: one activation function on every neuron, the same structure out as in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from limen.errors import ShapeError, UnknownNameError
from limen.function import ActivationFunction
from limen.launchers import Launchers
from limen.layers.layer import Layer
from limen.layers.parameter import Parameter
from limen.registry import resolve
from limen.vector import VECTOR_FUNCTIONS, VectorFunction

if TYPE_CHECKING:
    from limen.kernels.routine import Call

__all__ = ["Activation"]

Array = NDArray[Any]
_LONGEST_SLOPE = 120  # characters of a derivative that still help to follow a trace


class Activation(Layer):
    """A layer that evaluates one activation function on every neuron.

    It has no weights, preserves the structure of the layer before it, and only hands the flow
    on: `y[j] = f(x[j])` and `grad_input[j] = grad_output[j] * f'(x[j])`.

    A gated function takes the two halves of the last axis, as `torch.nn.GLU` does: the FIRST half
    is `value`, the SECOND half is `gate`. Such a layer hands on half as many neurons.

    A vector function (`limen.softmax`) is evaluated along the last axis.

    Args:
        function: an `ActivationFunction`, the name of one ("relu"), the text of a formula
            ("x * tanh(softplus(x))"), a Python function to trace, or a vector function.
        learnable: names of parameters of the function that shall learn; none unless asked for.
            Each becomes a `Parameter`, one number for the whole layer, in `layer.learnable`.

    Attributes:
        function: the function, with the present values of its learnable parameters.
        learnable: the learnable `Parameter` objects by name.

    Raises:
        UnknownNameError: when there is no function, or no parameter, of that name.

    Example:
        >>> import limen
        >>> model = limen.Model([limen.Activation("relu")], dtype="float64")
        >>> model.forward([-1.0, 2.0])
        array([0., 2.])
    """

    def __init__(
        self,
        function: ActivationFunction | VectorFunction | str | Callable[..., Any],
        *,
        learnable: Iterable[str] = (),
    ) -> None:
        super().__init__()
        self._function = _resolved(function)
        self._is_gated = isinstance(self._function, ActivationFunction) and self._function.is_gated
        names = _names(learnable)
        defaults = getattr(self._function, "parameters", {})
        self._learnable: dict[str, Parameter] = {}
        for name in names:
            if name not in defaults:
                raise UnknownNameError(
                    f"{self._function.name} has no parameter {name!r}; "
                    f"it has {', '.join(defaults) or 'none'}"
                )
            self._learnable[name] = Parameter(name, ())
            self._learnable[name].value = defaults[name]
        # The values of the learnable parameters, and the function they give.
        self._current: tuple[tuple[float, ...], ActivationFunction | VectorFunction]
        self._current = ((), self._function)

    @property
    def learnable(self) -> Mapping[str, Parameter]:
        """The learnable parameters by name, to read and to give numbers to."""
        return MappingProxyType(self._learnable)

    @property
    def function(self) -> ActivationFunction | VectorFunction:
        """The function, with the present values of its learnable parameters."""
        if not self._learnable:
            return self._function
        values = tuple(float(parameter.value) for parameter in self._learnable.values())
        if self._current[0] != values:
            assert isinstance(self._function, ActivationFunction)
            given = dict(zip(self._learnable, values, strict=True))
            self._current = (values, self._function.with_parameters(**given))
        return self._current[1]

    @property
    def is_gated(self) -> bool:
        """Whether the function takes two halves of the last axis."""
        return self._is_gated

    @property
    def works_in_place(self) -> bool:  # type: ignore[override]
        """Whether the function may write over its input; it may not where it takes it in halves."""
        return not self.is_gated

    @property
    def formula(self) -> str:
        """The forward step in one line."""
        function = self.function
        name, text = function.name, function.formula
        if isinstance(function, VectorFunction):
            return f"y[j] = {text}"
        definition = "" if name == text else f",  {name} = {text}"
        definition += "".join(f",  {n} = {value:.6g}" for n, value in function.parameters.items())
        if self.is_gated:
            return f"y[j] = {name}(gate[j], value[j]){definition}"
        return f"y[j] = {name}(x[j]){definition}"

    @property
    def backward_formula(self) -> str:
        """The backward step in one line."""
        function = self._function
        if isinstance(function, VectorFunction):
            return f"grad_input[j] = {function.backward_formula}"
        if self.is_gated:
            slopes = "".join(_slope(function, name, f"df/d{name}") for name in ("value", "gate"))
            halves = "(grad_output df/dvalue, grad_output df/dgate), half by half"
            return f"grad_input = {halves}{slopes}"
        slope = _slope(function, "x", "f'")
        return f"grad_input[j] = grad_output[j] f'(x[j]){slope}"

    def parameters(self) -> tuple[Parameter, ...]:
        """The learnable parameters of the function; none unless asked for."""
        return tuple(self._learnable.values())

    def outputs_for(self, inputs: int) -> int:
        """As many as come in; half as many for a gated function."""
        if not self.is_gated:
            return inputs
        if inputs % 2:
            raise ShapeError(
                f"{self.place}: expected an even number of inputs (one half value, one half gate), "
                f"given {inputs}"
            )
        return inputs // 2

    def compute(self, x: Array, out: Array | None = None) -> Array:
        """The function on every neuron; `out` may be `x` itself unless the function is gated."""
        function: Any = self.function
        if not self._is_gated:
            return function(x, out=out)  # type: ignore[no-any-return]
        value, gate = _halves(x)
        return function(gate, value, out=out)  # type: ignore[no-any-return]

    def flow(self, x: Array, grad_output: Array, grad_input: Array) -> None:
        """The flow through the function, neuron by neuron."""
        function: Any = self.function
        if self._is_gated:
            function.backward(grad_output, *_halves(x)[::-1], out=_halves(grad_input)[::-1])
        else:
            function.backward(grad_output, x, out=grad_input)

    def teach(self, x: Array, grad_output: Array, grads: Sequence[Array]) -> None:
        """The gradients by the learnable parameters, summed over all neurons."""
        if not grads:
            return
        function: Any = self.function
        arguments = _halves(x)[::-1] if self.is_gated else (x,)
        _, slopes = function.backward(grad_output, *arguments, parameters=True)
        for name, grad in zip(self._learnable, grads, strict=True):
            grad[...] = slopes[name]

    def compute_calls(self, x: Array, out: Array) -> list[Call] | None:
        """The function's kernel."""
        return self._calls("forward", (x,), (out,))

    def flow_calls(self, x: Array, grad_output: Array, grad_input: Array) -> list[Call] | None:
        """The kernel of the function's backward pass."""
        return self._calls("backward", (grad_output, x), (grad_input,))

    def teach_calls(
        self, x: Array, grad_output: Array, grads: Sequence[Array]
    ) -> list[Call] | None:
        """None at all, unless there is something to learn."""
        return None if grads else []

    def _calls(
        self, direction: str, inputs: tuple[Array, ...], outputs: tuple[Array, ...]
    ) -> list[Call] | None:
        # The two halves of a gated function's input are no rows in memory.
        function = self._function
        if self._is_gated or self._learnable or not isinstance(function, ActivationFunction):
            return None
        call = Launchers.of(function).call(direction, inputs, outputs)
        return None if call is None else [call]

    def twin(self) -> Activation:
        """An Activation layer of the same function, outside of any model."""
        other = Activation(self._function, learnable=tuple(self.learnable))
        for name, parameter in self.learnable.items():
            other.learnable[name].value = parameter.value
        return other

    def __repr__(self) -> str:
        learnable = f", learnable: {', '.join(self.learnable)}" if self.learnable else ""
        halves = ", first half: value, second half: gate" if self.is_gated else ""
        return f"Activation({self._function.name}{learnable}{halves})"


def _slope(function: ActivationFunction, by: str, called: str) -> str:
    """A derivative written out, where a reader can take it in."""
    text = function.derivative(by).formula
    if len(text) > _LONGEST_SLOPE:
        return ""
    other = function.surrogate_function
    return f",  {called} = {text}" + (f" (that of {other.name})" if other is not None else "")


def _names(learnable: object) -> tuple[str, ...]:
    if not isinstance(learnable, Iterable):
        raise TypeError(
            'Activation: learnable takes names of parameters, such as "beta" or ["alpha", "beta"], '
            f"given {learnable!r}"
        )
    return (learnable,) if isinstance(learnable, str) else tuple(learnable)


def _halves(x: Array) -> tuple[Array, Array]:
    half = x.shape[-1] // 2
    return x[..., :half], x[..., half:]


def _resolved(function: Any) -> ActivationFunction | VectorFunction:
    if isinstance(function, VectorFunction):
        return function
    if function is None:  # to `limen.activation`, which is a decorator too, None means "not yet"
        raise TypeError("Activation: expected a function, its name or its formula, given None")
    if isinstance(function, str) and function in VECTOR_FUNCTIONS:
        return VECTOR_FUNCTIONS[function]
    return resolve(function)
