"""How gradients find their way: autograd, forward mode, `torch.func`, and compiled graphs.

What is differentiated is always one of two: a value, whose derivative is a flow, and the flows,
whose derivatives are flows again. PyTorch has no one door for them. In eager mode the shortest is a
bare autograd function; `torch.func` and forward-mode derivatives ask for one with `jvp` and `vmap`,
which costs three times as much; a graph that is compiled holds operators, and one that is exported
plain operations of PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import is_legacy_batchedtensor, peek_interpreter_stack
from torch.autograd import forward_ad

from limen.torch import operators
from limen.torch.exported import exported_value, is_exporting, lowered_value
from limen.torch.key import partial_of, up
from limen.torch.native import flows_through, handed_on, have_kernels, value_of
from limen.torch.operators import batched

__all__ = ["are_plain", "flows", "is_eager", "is_transformed", "value", "value_again"]

_PLAIN = (Tensor, torch.nn.Parameter)
Orders = Sequence[int]


def value(inputs: Sequence[Tensor], key: str, orders: Orders) -> Tensor:
    """A function's value, which can be differentiated in every way.

    Args:
        inputs: tensors of one shape, floating-point dtype and device.
        key: the function, as `key_of` writes it.
        orders: for each input, how often the function is differentiated by it.
    """
    if torch.compiler.is_compiling() or not are_plain(inputs):
        if is_exporting():
            return exported_value(inputs, key, orders)
        if torch.compiler.is_compiling() and not have_kernels(inputs):
            return _Lowered.apply(key, orders, *inputs)
        return operators.value(inputs, key, orders)
    if is_transformed():
        return _TransformedValue.apply(key, orders, *inputs)
    if not torch.is_grad_enabled() or not _need_grad(inputs):
        return value_of(partial_of(key, tuple(orders)), inputs)
    return _Value.apply(key, orders, *inputs)


def value_again(inputs: Sequence[Tensor], key: str, orders: Orders, after: Tensor) -> Tensor:
    """The value once more, in a backward pass that kept its inputs and not the value.

    Args:
        inputs: as for `value`.
        key: as for `value`.
        orders: as for `value`.
        after: a gradient, which must be known before: it keeps a graph's partitioner from keeping
            the value of the forward pass after all.
    """
    if torch.compiler.is_compiling() or not are_plain(inputs):
        return operators.value_again(inputs, key, orders, after)
    return value(inputs, key, orders)


def flows(grad_output: Tensor, inputs: Sequence[Tensor], key: str, orders: Orders) -> list[Tensor]:
    """The flow by each input, which can be differentiated as well."""
    if torch.compiler.is_compiling():
        return operators.flows(grad_output, inputs, key, orders)
    if is_legacy_batchedtensor(grad_output):  # of `torch.autograd.grad(is_grads_batched=True)`
        slopes = [value(inputs, key, up(orders, k)) for k in range(len(inputs))]
        return [grad_output * slope for slope in slopes]
    if not are_plain([grad_output, *inputs]):
        return operators.flows(grad_output, inputs, key, orders)
    if is_transformed():
        return list(_TransformedFlows.apply(key, orders, grad_output, *inputs))
    if not torch.is_grad_enabled() or not _need_grad([grad_output, *inputs]):
        return flows_through(partial_of(key, tuple(orders)), grad_output, inputs)
    return list(_Flows.apply(key, orders, grad_output, *inputs))


def _need_grad(tensors: Sequence[Tensor]) -> bool:
    for x in tensors:  # noqa: SIM110 - `any` of a generator takes as long as a small kernel
        if x.requires_grad:
            return True
    return False


def are_plain(tensors: Sequence[Tensor]) -> bool:
    """Whether kernels may have the tensors' memory, and nobody listens to what is called."""
    if torch._C._len_torch_dispatch_stack() or torch.jit.is_tracing():
        return False
    for x in tensors:  # noqa: SIM110
        if type(x) not in _PLAIN:
            return False
    return True


def is_eager(tensors: Sequence[Tensor]) -> bool:
    """Whether plain autograd is all that there is."""
    return not torch.compiler.is_compiling() and are_plain(tensors) and not is_transformed()


def is_transformed() -> bool:
    """Whether `torch.func` or a level of forward-mode derivatives is at work."""
    return forward_ad._current_level >= 0 or peek_interpreter_stack() is not None


# --- The derivatives ---------------------------------------------------------------------------


def _value_backward(ctx: Any, grad_output: Tensor) -> tuple[Any, ...]:
    """Of a value: (key, orders, *inputs)."""
    return None, None, *flows(grad_output, ctx.saved_tensors, ctx.key, ctx.orders)


def _flows_backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
    """Of flows: (key, orders, grad_output, *inputs)."""
    grad_output, *inputs = ctx.saved_tensors
    by_flow = _total(flows(grad, inputs, ctx.key, ctx.orders)[k] for k, grad in enumerate(grads))
    by_inputs = [
        flows(grad * grad_output, inputs, ctx.key, up(ctx.orders, k))
        for k, grad in enumerate(grads)
    ]
    return None, None, by_flow, *map(_total, zip(*by_inputs, strict=True))


def _value_tangent(ctx: Any, key: Any, orders: Any, *tangents: Tensor | None) -> Tensor:
    return _total(
        flows(tangent, ctx.saved_tensors, ctx.key, ctx.orders)[k]
        for k, tangent in enumerate(tangents)
        if tangent is not None
    )


def _flows_tangent(
    ctx: Any, key: Any, orders: Any, flow: Tensor | None, *tangents: Tensor | None
) -> tuple[Tensor, ...]:
    grad_output, *inputs = ctx.saved_tensors
    terms: list[list[Tensor]] = [[] for _ in inputs]
    for k in range(len(inputs)):
        if flow is not None:
            terms[k].append(flows(flow, inputs, ctx.key, ctx.orders)[k])
        for j, tangent in enumerate(tangents):
            if tangent is not None:
                steep = flows(tangent * grad_output, inputs, ctx.key, up(ctx.orders, k))
                terms[k].append(steep[j])
    return tuple(map(_total, terms))


def _total(terms: Any) -> Tensor:
    first, *rest = terms
    for term in rest:
        first = first + term
    return first


def _keep(ctx: Any, key: str, orders: Orders, *tensors: Tensor) -> None:
    ctx.key, ctx.orders = key, orders
    ctx.save_for_backward(*tensors)


# --- Eager mode ----------------------------------------------------------------------------------


class _Value(torch.autograd.Function):
    """A value: saves its inputs and nothing else."""

    @staticmethod
    def forward(ctx: Any, key: str, orders: Orders, *inputs: Tensor) -> Tensor:
        _keep(ctx, key, orders, *inputs)
        return value_of(partial_of(key, tuple(orders)), inputs)

    backward = staticmethod(_value_backward)


class _Flows(torch.autograd.Function):
    """Flows, where they are differentiated once more."""

    @staticmethod
    def forward(
        ctx: Any, key: str, orders: Orders, grad_output: Tensor, *inputs: Tensor
    ) -> tuple[Tensor, ...]:
        _keep(ctx, key, orders, grad_output, *inputs)
        return tuple(flows_through(partial_of(key, tuple(orders)), grad_output, inputs))

    backward = staticmethod(_flows_backward)


# --- torch.func and forward mode ---------------------------------------------------------------


def _keep_both(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    _keep(ctx, *inputs)
    ctx.save_for_forward(*inputs[2:])


class _TransformedValue(torch.autograd.Function):
    """A value under transforms."""

    @staticmethod
    def forward(key: str, orders: Orders, *inputs: Tensor) -> Tensor:
        return value_of(partial_of(key, tuple(orders)), inputs)

    setup_context = staticmethod(_keep_both)
    backward = staticmethod(_value_backward)
    jvp = staticmethod(_value_tangent)

    @staticmethod
    def vmap(
        info: Any, in_dims: Any, key: str, orders: Orders, *inputs: Tensor
    ) -> tuple[Tensor, int]:
        return value(batched(inputs, in_dims[2:], info.batch_size), key, orders), 0


class _TransformedFlows(torch.autograd.Function):
    """Flows under transforms."""

    @staticmethod
    def forward(
        key: str, orders: Orders, grad_output: Tensor, *inputs: Tensor
    ) -> tuple[Tensor, ...]:
        return tuple(flows_through(partial_of(key, tuple(orders)), grad_output, inputs))

    setup_context = staticmethod(_keep_both)
    backward = staticmethod(_flows_backward)
    jvp = staticmethod(_flows_tangent)

    @staticmethod
    def vmap(
        info: Any, in_dims: Any, key: str, orders: Orders, *tensors: Tensor
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        flow, *inputs = batched(tensors, in_dims[2:], info.batch_size)
        found = flows(flow, inputs, key, orders)
        return tuple(found), (0,) * len(found)


# --- Graphs ------------------------------------------------------------------------------------


class _Lowered(torch.autograd.Function):
    """A value in PyTorch's own operations, which a compiler fuses with what is around it.

    For devices without kernels. On the CPU the operators are faster: compiled there, forward and
    backward of gelu on 2^18 numbers took 1.6 ms as operators and 4.4 ms fused with their
    neighbours, those of mish 1.9 and 9.1.
    """

    @staticmethod
    def forward(ctx: Any, key: str, orders: Orders, *inputs: Tensor) -> Tensor:
        _keep(ctx, key, orders, *inputs)
        return lowered_value(inputs, key, orders)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Any, ...]:
        inputs = ctx.saved_tensors
        slopes = [lowered_value(inputs, ctx.key, up(ctx.orders, k)) for k in range(len(inputs))]
        return None, None, *[handed_on(grad_output, slope) for slope in slopes]


def _keep_operands(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    *tensors, key, orders = inputs
    flat = [t for given in tensors for t in (given if isinstance(given, list | tuple) else [given])]
    _keep(ctx, key, orders, *flat)


def _graph_value_backward(ctx: Any, grad_output: Tensor) -> tuple[Any, ...]:
    _, _, *grads = _value_backward(ctx, grad_output)
    return grads, None, None


def _graph_flows_backward(ctx: Any, grads: Sequence[Tensor]) -> tuple[Any, ...]:
    _, _, by_flow, *by_inputs = _flows_backward(ctx, *grads)
    return by_flow, by_inputs, None, None


torch.library.register_autograd("limen::value", _graph_value_backward, setup_context=_keep_operands)
torch.library.register_autograd("limen::flows", _graph_flows_backward, setup_context=_keep_operands)
