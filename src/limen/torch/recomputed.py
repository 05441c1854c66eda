"""A Linear layer after an activation, which keeps the pre-activation and not the activation.

PyTorch keeps both: the activation layer its input, the Linear layer after it its own, which is the
activation's output. It is a cheap function of the first, so the backward pass computes it again:
the same bits, half the memory.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import has_torch_function_unary

from limen.torch.activation import ORIGIN, Activation, refuse_scripting
from limen.torch.autograd import flows, value, value_again
from limen.torch.eager import is_eager
from limen.torch.exported import is_exporting
from limen.torch.functional import check_module

__all__ = ["LinearAfter", "lean", "linear_after"]


class _LinearAfter(torch.autograd.Function):
    """`linear(f(inputs), weight, bias)`: saves the inputs and the weight."""

    @staticmethod
    def forward(
        ctx: Any, key: str, activated: Tensor | None, weight: Tensor, bias: Any, *inputs: Tensor
    ) -> Tensor:
        ctx.key, ctx.orders = key, (0,) * len(inputs)
        ctx.save_for_backward(weight, *inputs)
        if activated is None:
            activated = value(inputs, key, ctx.orders)
        return functional.linear(activated.to(weight.dtype), weight, bias)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Any, ...]:
        weight, *inputs = ctx.saved_tensors
        _, _, by_weight, by_bias, *by_inputs = ctx.needs_input_grad
        rows = grad_output.reshape(grad_output.shape[:-1].numel(), grad_output.shape[-1])
        grad_weight = None
        if by_weight:  # first, so that the activation is gone before the flow needs as much memory
            again = value_again(inputs, ctx.key, ctx.orders, after=grad_output)
            grad_weight = rows.t() @ again.to(weight.dtype).reshape(-1, again.shape[-1])
            del again
        grads: list[Tensor | None] = [None] * len(inputs)
        if any(by_inputs):
            flow = (rows @ weight).view(inputs[0].shape).to(inputs[0].dtype)
            grads = list(flows(flow, inputs, ctx.key, ctx.orders))
        return None, None, grad_weight, rows.sum(0) if by_bias else None, *grads


def linear_after(
    activation: Activation, x: Tensor, linear: nn.Linear, activated: Tensor | None = None
) -> Tensor:
    """`linear(activation(x))`, which saves `x` alone for the backward pass.

    Args:
        activation: an Activation module.
        x: the pre-activations, of shape (..., neurons).
        linear: the Linear module after it.
        activated: `activation(x)`, where it is known already.

    Returns:
        What the two modules give, with the same gradients, bit for bit.
    """
    if not _saves_its_input(linear, x):
        return linear(activation(x) if activated is None else activated)
    key, inputs = activation.call(x)
    weight, bias = linear.weight, linear.bias
    device = x.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        weight, bias = weight.to(dtype), None if bias is None else bias.to(dtype)
    if activated is not None:
        activated = activated.detach()
    with torch.autocast(device, enabled=False):
        return _LinearAfter.apply(key, activated, weight, bias, *inputs)


def _saves_its_input(linear: nn.Linear, x: Tensor) -> bool:
    """Whether PyTorch would keep the activation, and plain autograd is what differentiates."""
    is_compiling = torch.compiler.is_compiling()
    # Whoever overrides or watches calls wants to meet the two as they are.
    if not is_compiling and has_torch_function_unary(x):
        return False
    if not torch.is_grad_enabled() or not linear.weight.requires_grad or x.ndim == 0:
        return False
    if is_exporting():
        return False
    return is_compiling or is_eager((x, linear.weight))


class LinearAfter(nn.Linear):
    """A Linear module that takes over from the Activation before it what is saved for backward.

    Attributes:
        predecessor: the Activation whose output it is given with nothing in between, where that is
            certain: a graph cannot ask whether a tensor has been written to.
    """

    predecessor: Activation | None = None

    def __prepare_scriptable__(self) -> nn.Module:
        return refuse_scripting(self)

    def forward(self, x: Tensor) -> Tensor:
        """As `torch.nn.Linear`."""
        origin = getattr(x, ORIGIN, None)
        if origin is None or not _saves_its_input(self, x):
            return super().forward(x)
        activation, pre_activation, version = origin
        if torch.compiler.is_compiling():
            is_current = activation is self.predecessor
        else:
            is_current = version == x._version
        if not is_current:
            return super().forward(x)
        return linear_after(activation, pre_activation, self, x)


def lean(model: nn.Module) -> nn.Module:
    """Has the Linear layers after limen's activations save the pre-activation only.

    In place: names, parameters and state dict stay. Wherever the output of an `Activation` module
    goes straight into a `torch.nn.Linear`, in whatever code, the activation is computed again in
    the backward pass instead of being kept; the gradients are the same, bit for bit. In compiled
    graphs, this is so for neighbours in a `torch.nn.Sequential`, and in `MLP`.

    Args:
        model: any module.

    Returns:
        The model.

    Example:
        >>> import torch, limen.torch as lt
        >>> model = torch.nn.Sequential(
        ...     torch.nn.Linear(2, 8), lt.Activation("gelu"), torch.nn.Linear(8, 1))
        >>> lt.lean(model)[2]
        LinearAfter(in_features=8, out_features=1, bias=True)
    """
    check_module("lean", model)
    for module in model.modules():
        if isinstance(module, Activation):
            module.marks_output = True
        elif type(module) is nn.Linear:
            module.__class__ = LinearAfter
        elif isinstance(module, nn.Sequential):
            for one, other in pairwise(module):
                if isinstance(one, Activation) and isinstance(other, nn.Linear):
                    other.__dict__["predecessor"] = one  # known, not owned: no submodule
    return model
