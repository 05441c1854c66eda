"""How gradients find their way: autograd, forward mode, `torch.func`, and compiled graphs.

What is differentiated is always one of two: a value, whose derivative is a flow, and the flows,
whose derivatives are flows again. Two doors lead there. In eager mode it is a bare autograd
function, the shortest way that PyTorch has. Everything else (`torch.func`, forward mode, graphs
that are compiled, fake tensors) goes through the operators, whose derivatives stand where PyTorch's
dispatcher looks for them, for one level of transforms at a time. A graph that is exported holds
plain operations of PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, is_grad_enabled
from torch._C._functorch import is_legacy_batchedtensor
from torch._functorch.utils import enable_single_level_autograd_function
from torch.autograd import forward_ad
from torch.autograd.function import _SingleLevelFunction
from torch.compiler import is_compiling
from torch.library import impl

from limen.torch import operators
from limen.torch.eager import is_eager, is_transformed, need_grad
from limen.torch.exported import Lowered, exported_value, is_exporting, is_fused
from limen.torch.key import native_of, up
from limen.torch.native import (
    POOLED,
    Native,
    flows_through,
    handed_on,
    have_kernels,
    value_of,
)

__all__ = ["flows", "keeps_output", "plain_value", "value", "value_again"]

Orders = Sequence[int]


def value(inputs: Sequence[Tensor], key: str, orders: Orders) -> Tensor:
    """A function's value, which can be differentiated in every way.

    Args:
        inputs: tensors of one shape, floating-point dtype and device.
        key: the function, as `key_of` writes it.
        orders: for each input, how often the function is differentiated by it.
    """
    if not is_eager(inputs):
        if is_exporting():
            return exported_value(inputs, key, orders)
        is_lowered = not have_kernels(inputs) or is_fused(key)
        if is_lowered and is_compiling() and not is_transformed():
            return Lowered.apply(key, orders, *inputs)
        return operators.value(inputs, key, orders)
    native = native_of(key, tuple(orders))
    if native.same is not None and (inputs[0].nbytes < POOLED or not inputs[0].is_cpu):
        return native.same(*inputs)
    return _Value.apply(native, *inputs) if need_grad(inputs) else value_of(native, inputs)


def plain_value(x: Tensor, key: str) -> Tensor:
    """`value` of an ordinary tensor, in as few steps of Python: a small kernel costs no more."""
    native = native_of(key, (0,))
    if native.same is not None and (x.nbytes < POOLED or not x.is_cpu):
        return native.same(x)
    if x.requires_grad and is_grad_enabled():
        return _Value.apply(native, x)
    return value_of(native, (x,))


def value_again(inputs: Sequence[Tensor], key: str, orders: Orders, after: Tensor) -> Tensor:
    """The value once more, in a backward pass that kept its inputs and not the value.

    Args:
        inputs: as for `value`.
        key: as for `value`.
        orders: as for `value`.
        after: a gradient, which must be known before: it keeps a graph's partitioner from keeping
            the value of the forward pass after all.
    """
    if not is_eager(inputs):
        return operators.value_again(inputs, key, orders, after)
    return value(inputs, key, orders)


def keeps_output(activated: Tensor) -> bool:
    """Whether a value of eager mode keeps itself for the backward pass, as PyTorch's relu does."""
    return not hasattr(activated.grad_fn, "native")


def flows(
    grad_output: Tensor, inputs: Sequence[Tensor], key: str, orders: Orders
) -> Sequence[Tensor]:
    """The flow by each input, which can be differentiated as well."""
    if is_compiling():
        return operators.flows(grad_output, inputs, key, orders)
    if is_legacy_batchedtensor(grad_output):  # of `torch.autograd.grad(is_grads_batched=True)`
        slopes = [value(inputs, key, up(orders, k)) for k in range(len(inputs))]
        return [handed_on(grad_output, slope) for slope in slopes]
    tensors = (grad_output, *inputs)
    if not is_eager(tensors):
        return operators.flows(grad_output, inputs, key, orders)
    native = native_of(key, tuple(orders))
    if need_grad(tensors):
        return _Flows.apply(native, *tensors)
    return flows_through(native, grad_output, inputs)


# --- The derivatives ---------------------------------------------------------------------------


def _flows_by(
    grads: Sequence[Tensor], tensors: Sequence[Tensor], key: str, orders: Orders
) -> tuple[Tensor, ...]:
    """Of flows, whose gradients these are: what reaches grad_output and each input."""
    grad_output, *inputs = tensors
    by_flow = _total(flows(grad, inputs, key, orders)[k] for k, grad in enumerate(grads))
    by_inputs = [
        flows(grad * grad_output, inputs, key, up(orders, k)) for k, grad in enumerate(grads)
    ]
    return by_flow, *map(_total, zip(*by_inputs, strict=True))


def _total(terms: Iterable[Tensor]) -> Tensor:
    first, *rest = terms
    for term in rest:
        first = first + term
    return first


# --- Eager mode ----------------------------------------------------------------------------------


class _Value(torch.autograd.Function):
    """A value: saves its inputs and nothing else."""

    @staticmethod
    def forward(ctx: Any, native: Native, *inputs: Tensor) -> Tensor:
        ctx.native = native
        ctx.save_for_backward(*inputs)
        return value_of(native, inputs)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Any, ...]:
        native, inputs = ctx.native, ctx.saved_tensors
        is_last = not (is_grad_enabled() or is_legacy_batchedtensor(grad_output))
        if is_last and is_eager((grad_output,)):  # most backward passes: the kernel is all
            return None, *flows_through(native, grad_output, inputs)
        return None, *flows(grad_output, inputs, native.key, native.orders)


class _Flows(torch.autograd.Function):
    """Flows, where they are differentiated once more."""

    @staticmethod
    def forward(ctx: Any, native: Native, grad_output: Tensor, *inputs: Tensor) -> tuple[Any, ...]:
        ctx.native = native
        ctx.save_for_backward(grad_output, *inputs)
        return tuple(flows_through(native, grad_output, inputs))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        native = ctx.native
        return None, *_flows_by(grads, ctx.saved_tensors, native.key, native.orders)


# --- Operators ---------------------------------------------------------------------------------
#
# Under `torch.func` the dispatcher comes by once for each level of transforms, and what is called
# inside belongs to the levels below. `torch.library.register_autograd` has nothing for that: it
# refuses to be differentiated, and leaves a tangent out without a word. The autograd functions here
# are of the kind that PyTorch itself makes for one level of an ordinary one.


class _ValueAtLevel(_SingleLevelFunction):
    """A value, to one level of transforms."""

    @staticmethod
    def forward(ctx: Any, records: bool, key: str, orders: Orders, *inputs: Tensor) -> Tensor:
        _keep(ctx, key, orders, *inputs)
        with _levels_below(records):
            return operators.value(inputs, key, orders)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Any, ...]:
        return None, None, None, *flows(grad_output, ctx.saved_tensors, ctx.key, ctx.orders)

    @staticmethod
    def jvp(ctx: Any, records: bool, key: str, orders: Orders, *tangents: Tensor | None) -> Tensor:
        with _outer_tangents(ctx) as inputs:
            return _total(
                flows(tangent, inputs, ctx.key, ctx.orders)[k]
                for k, tangent in enumerate(tangents)
                if tangent is not None
            )


class _FlowsAtLevel(_SingleLevelFunction):
    """Flows, to one level of transforms."""

    @staticmethod
    def forward(
        ctx: Any, records: bool, key: str, orders: Orders, grad_output: Tensor, *inputs: Tensor
    ) -> tuple[Tensor, ...]:
        _keep(ctx, key, orders, grad_output, *inputs)
        with _levels_below(records):
            return tuple(operators.flows(grad_output, inputs, key, orders))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        return None, None, None, *_flows_by(grads, ctx.saved_tensors, ctx.key, ctx.orders)

    @staticmethod
    def jvp(
        ctx: Any,
        records: bool,
        key: str,
        orders: Orders,
        flow: Tensor | None,
        *tangents: Tensor | None,
    ) -> tuple[Tensor, ...]:
        with _outer_tangents(ctx) as (grad_output, *inputs):
            terms: list[list[Tensor]] = [[] for _ in inputs]
            for k in range(len(inputs)):
                if flow is not None:
                    terms[k].append(flows(flow, inputs, ctx.key, ctx.orders)[k])
                for j, tangent in enumerate(tangents):
                    if tangent is not None:
                        steep = flows(tangent * grad_output, inputs, ctx.key, up(ctx.orders, k))
                        terms[k].append(steep[j])
            return tuple(map(_total, terms))


def _keep(ctx: Any, key: str, orders: Orders, *tensors: Tensor) -> None:
    ctx.key, ctx.orders = key, orders
    ctx.save_for_backward(*tensors)
    ctx.save_for_forward(*tensors)


@contextmanager
def _levels_below(records: bool) -> Iterator[None]:
    """The levels below are differentiated too, which a function's forward turns off.

    Unless the caller had turned that off: what `torch.no_grad` hides is a constant to every level.
    """
    with (
        torch.set_grad_enabled(records),
        forward_ad._set_fwd_grad_enabled(True),
        torch._C._AutoDispatchBelowAutograd(),
    ):
        yield


@contextmanager
def _outer_tangents(ctx: Any) -> Iterator[list[Tensor]]:
    """What was saved, without this level's tangents and with those of all others.

    PyTorch turns off tangents of every level in a `jvp`, and a derivative of it would be zero.
    """
    with forward_ad._set_fwd_grad_enabled(True):
        yield [forward_ad.unpack_dual(x, level=0).primal for x in ctx.saved_tensors]


def _at_level(function: Any, key: str, orders: Orders, *tensors: Tensor) -> Any:
    with enable_single_level_autograd_function():
        return function.apply(torch.is_grad_enabled(), key, orders, *tensors)


@impl("limen::value", "Autograd")
def _(inputs: Sequence[Tensor], key: str, orders: Orders) -> Tensor:
    if is_eager(inputs) and not need_grad(inputs):  # a compiled graph that runs
        return operators.computed_value(inputs, key, orders)
    return _at_level(_ValueAtLevel, key, orders, *inputs)


@impl("limen::value_again", "Autograd")
def _(inputs: Sequence[Tensor], key: str, orders: Orders, after: Tensor) -> Tensor:
    if is_eager(inputs) and not need_grad(inputs):
        return operators.computed_value(inputs, key, orders)
    if is_transformed() or need_grad(inputs):
        return _at_level(_ValueAtLevel, key, orders, *inputs)
    with torch._C._AutoDispatchBelowAutograd():
        return operators.value_again(inputs, key, orders, after)


@impl("limen::flows", "Autograd")
def _(grad_output: Tensor, inputs: Sequence[Tensor], key: str, orders: Orders) -> list[Tensor]:
    tensors = (grad_output, *inputs)
    if is_eager(tensors) and not need_grad(tensors):
        return operators.computed_flows(grad_output, inputs, key, orders)
    return list(_at_level(_FlowsAtLevel, key, orders, *tensors))
