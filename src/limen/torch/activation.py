"""The Activation layer as a PyTorch module."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Proxy

from limen.errors import LimenError, ShapeError
from limen.function import ActivationFunction, AtKinks
from limen.torch.autograd import keeps_output, plain_value, value
from limen.torch.compact import compact_value, mode_of
from limen.torch.eager import is_eager, is_plain
from limen.torch.functional import Named, admitted, meant
from limen.torch.key import function_of, key_of, original_of
from limen.torch.native import have_kernels

__all__ = ["ORIGIN", "Activation", "refuse_scripting"]

ORIGIN = "_limen_origin"
"""What a marked output has: the module, the pre-activation, and the version of the output."""


class Activation(nn.Module):
    """A module that evaluates one activation function on every neuron.

    The output has the input's shape, dtype, device and memory format. Backward saves the input and
    nothing else; gradients are exact, of any order.

    A gated function takes the two halves of a dimension, as `torch.nn.GLU` does: the FIRST half is
    `value`, the SECOND half is `gate`.

    Args:
        function: an `ActivationFunction`, the name of one ("gelu"), the text of a formula
            ("x * tanh(softplus(x))"), or a Python function to trace.
        learnable: names of parameters that shall learn; a mapping gives each its number of
            channels, as `num_parameters` of `torch.nn.PReLU` does.
        dim: the dimension that a gated function halves (the last one if left out), and the one
            that channels stand in (1 if left out, as for PReLU; the last for fewer dimensions).
        compact: whether to keep less than the input for backward: two bits an element for functions
            made of straight lines, with the same gradients; the output, which the next layer keeps
            as well, for smooth ones, with an error that the repr states. (In graphs, and on
            devices without kernels, the input.)
        at_kinks: the derivative at kinks; 0.0 is PyTorch's choice for relu. None is the formula's.
        **parameters: values of the function's parameters; a text has those that are given.

    Attributes:
        function: the function, its learnable parameters at their defaults.
        learnable: the names of the parameters that learn, each a tensor of this module.
        marks_output: whether outputs know where they come from (see `lean`).
        replaced: the module whose place it took (see `replace`).

    Raises:
        UnknownNameError: when there is no function, or no parameter, of that name.
        FormulaError: for a compact mode where there is none.

    Example:
        >>> import torch
        >>> import limen.torch as lt
        >>> lt.Activation("x * tanh(softplus(x))")
        Activation(x * tanh(softplus(x)))
        >>> swish = lt.Activation("swish", learnable="beta")
        >>> swish(torch.tensor([1.0])), swish.beta
        (tensor([0.7311], grad_fn=<_ValueBackward>), Parameter containing:
        tensor(1., requires_grad=True))
    """

    replaced: nn.Module | None = None

    def __init__(
        self,
        function: Named,
        *,
        learnable: str | Iterable[str] | Mapping[str, int] = (),
        dim: int | None = None,
        compact: bool = False,
        at_kinks: AtKinks = None,
        **parameters: float,
    ) -> None:
        super().__init__()
        if "inplace" in parameters:
            raise TypeError(
                "Activation has no inplace: the backward pass needs the input (limen.torch.layer "
                "is for code that asks for it all the same)"
            )
        found = meant(function, **parameters)
        if at_kinks is not None:
            found = found.with_kinks(at_kinks)
        names = _names(learnable)
        self._key = key_of(found, names)
        self.learnable = names
        self._is_gated = found.is_gated
        self._orders = (0,) * (len(found.inputs) + len(names))
        self.dim = None if dim is None else operator.index(dim)
        self.compact = compact
        self._is_short = self._orders == (0,) and not compact  # nothing to ask but the tensor
        self.marks_output = False
        if compact:
            mode_of(self._key)
        for name in names:
            shape = (_channels(name, learnable[name]),) if isinstance(learnable, Mapping) else ()
            self.register_parameter(name, nn.Parameter(torch.full(shape, found.parameters[name])))

    @property
    def called(self) -> ActivationFunction:
        """The function with its learnable parameters as further inputs."""
        return function_of(self._key)

    @property
    def function(self) -> ActivationFunction:
        """The function, its learnable parameters at their defaults."""
        return original_of(self._key)

    def forward(self, x: Tensor) -> Tensor:
        """The function on every neuron."""
        if self._is_short and is_plain(x):
            activated = plain_value(x, self._key)
        elif isinstance(x, Proxy):  # of `torch.fx`, to which this is one step, as nn.GELU is
            return x.tracer.create_proxy("call_module", self._place_in(x.tracer), (x,), {})
        else:
            key, inputs = self.call(x)
            if self.compact and is_eager(inputs) and have_kernels(inputs):
                return compact_value(key, inputs[0])
            activated = value(inputs, key, self._orders)
        if self.marks_output and activated.requires_grad:
            if torch.compiler.is_compiling():
                setattr(activated, ORIGIN, (self, x, None))
            elif not keeps_output(activated):  # then the Linear layer's keeping it costs nothing
                setattr(activated, ORIGIN, (self, x, activated._version))
        return activated

    def call(self, x: Tensor) -> tuple[str, Sequence[Tensor]]:
        """What is evaluated: the function as text, and the tensors it is given."""
        if len(self._orders) == 1:
            return self._key, admitted((x,))
        inputs = self._halves(x) if self._is_gated else (x,)
        learnt = [self._spread(name, inputs[0]) for name in self.learnable]
        return self._key, admitted((*inputs, *learnt))

    def _place_in(self, tracer: Any) -> str:
        place: str = tracer.path_of_module(self)
        if not place:
            raise LimenError(
                "torch.fx takes this module for one step of the model that holds it: trace the "
                "model, or torch.nn.Sequential(activation)"
            )
        return place

    def __prepare_scriptable__(self) -> nn.Module:
        """What `torch.jit.script` asks first."""
        return refuse_scripting(self)

    def _halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        dim = -1 if self.dim is None else self.dim
        if not -x.ndim <= dim < x.ndim or x.shape[dim] % 2:
            raise ShapeError(
                f"expected an even number of neurons in dimension {dim} (one half value, one half "
                f"gate), given shape {tuple(x.shape)}"
            )
        value, gate = x.chunk(2, dim)
        return gate, value

    def _spread(self, name: str, x: Tensor) -> Tensor:
        """A learnable parameter in the dtype of an input, and a shape that goes with it."""
        tensor: Tensor = getattr(self, name)
        if x.is_floating_point():
            tensor = tensor.to(x.dtype)
        if tensor.numel() == 1:
            return tensor.reshape(())
        dim = min(1, x.ndim - 1) if self.dim is None else self.dim
        channels = x.shape[dim] if -x.ndim <= dim < x.ndim else None
        if tensor.numel() != channels:
            raise ShapeError(
                f"expected {tensor.numel()} channels of {name} in dimension {dim}, given shape "
                f"{tuple(x.shape)}"
            )
        return tensor.reshape(-1, *(1,) * (x.ndim - 1 - dim % x.ndim))

    @torch.compiler.assume_constant_result  # a compiled `vmap` asks for the repr
    def extra_repr(self) -> str:
        """What stands between the parentheses of the repr."""
        f = self.function
        parts = [f.name if f.name == f.formula else f"{f.name}: {f.formula}"]
        parts += [f"{n}={v:g}" for n, v in f.parameters.items() if n not in self.learnable]
        if self.learnable:
            parts.append(f"learnable={', '.join(self.learnable)}")
        if f.at_kinks is not None:
            parts.append(f"at_kinks={f.at_kinks}")
        if f.surrogate_function is not None:
            parts.append(f"backward of {f.surrogate_function.name}")
        if self.compact:
            parts.append(mode_of(self._key).describes)
        if self._is_gated:
            parts.append(f"first half: value, second half: gate, dim={self.dim or -1}")
        return ", ".join(parts)


def refuse_scripting(module: nn.Module) -> nn.Module:
    """Says what works in the place of `torch.jit.script`, which reads a module's Python.

    Raises:
        LimenError: always.
    """
    raise LimenError(
        f"torch.jit.script cannot read limen's {type(module).__name__}: take torch.compile(model), "
        "torch.export.export(model, (x,)) or torch.jit.trace(model, x)"
    )


def _names(learnable: object) -> tuple[str, ...]:
    names = (learnable,) if isinstance(learnable, str) else learnable
    if not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"learnable takes names of parameters, such as 'beta', given {learnable!r}")
    return tuple(dict.fromkeys(names))  # each once


def _channels(name: str, count: Any) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"learnable: expected the number of channels of {name}, given {count!r}")
    return count
