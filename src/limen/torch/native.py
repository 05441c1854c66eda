"""What a function makes of tensors, and nothing of autograd: kernels where there are any.

On the CPU limen's kernels work on the tensors' own memory. On any other device the function is
PyTorch's own operations, of the stable form (see `decomposition`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from limen import memory
from limen.decomposition import Framework, decomposed
from limen.function import ActivationFunction
from limen.launchers import Launchers

__all__ = [
    "WIDER",
    "as_array",
    "decomposed_value",
    "flows_through",
    "fresh_like",
    "handed_on",
    "have_kernels",
    "value_of",
]

WIDER = {torch.float16: torch.float32, torch.bfloat16: torch.float32}
"""What a decomposition computes in, for formats that are rounded to."""

# bfloat16 has no letter in NumPy; the bits of its numbers have.
_TYPES = {torch.float32: "f4", torch.float64: "f8", torch.float16: "f2", torch.bfloat16: "i2"}
_FEW = 1 << 20  # elements, from which on a microsecond is nothing
_FEW_STRIDED = 1 << 16  # elements, which are copied into a row sooner than read with strides


def value_of(f: ActivationFunction, inputs: Sequence[Tensor]) -> Tensor:
    """The function's value; inputs of one shape and one dtype."""
    if not have_kernels(inputs):
        return decomposed_value(f, inputs)
    out = fresh_like(inputs[0])
    if not _quickly(f, "forward", inputs, (out,)):
        f(*map(as_array, _in_rows(inputs, out)), out=as_array(out))
    return out


def flows_through(
    f: ActivationFunction, grad_output: Tensor, inputs: Sequence[Tensor]
) -> list[Tensor]:
    """The flow by each input, in one pass over memory."""
    if not have_kernels(inputs):
        slopes = [decomposed_value(f.derivative(name), inputs) for name in f.inputs]
        return [handed_on(grad_output, slope) for slope in slopes]
    outs = [fresh_like(x) for x in inputs]
    if not _quickly(f, "backward", (grad_output, *inputs), outs):
        arrays = list(map(as_array, outs))
        out = arrays if f.is_gated else arrays[0]
        f.backward(*map(as_array, _in_rows((grad_output, *inputs), outs[0])), out=out)
    return outs


def handed_on(grad_output: Tensor, slope: Tensor) -> Tensor:
    """grad_output * slope; a blocked neuron hands nothing on, whatever comes in."""
    return torch.where(slope == 0, 0, grad_output * slope)


def _quickly(
    f: ActivationFunction, direction: str, inputs: Sequence[Tensor], outs: Sequence[Tensor]
) -> bool:
    """Runs the kernel on the addresses of tensors that are few numbers in a row.

    For these, NumPy's views of the tensors take longer to make than the arithmetic; so would
    generators, and tests of the fresh outputs, which lie as the first input does.
    """
    first = inputs[0]
    count = first.numel()
    if count > _FEW:
        return False
    for x in inputs:
        if not x.is_contiguous() or x.is_neg():
            return False
    kernels = Launchers.of(f).kept
    key = direction, first.dtype
    if key not in kernels:
        name = str(first.dtype).removeprefix("torch.")
        kernels[key] = Launchers.of(f).addressed(direction, name)
    call = kernels[key]
    if call is None:
        return False
    return bool(call(*[x.data_ptr() for x in (*inputs, *outs)], count))


def _in_rows(tensors: Sequence[Tensor], out: Tensor) -> Sequence[Tensor]:
    """What to read for an output: expanded parameters, halves of a gate, in one row each."""
    if out.numel() > _FEW_STRIDED or not out.is_contiguous():
        return tensors
    return [x.contiguous() for x in tensors]


def fresh_like(x: Tensor) -> Tensor:
    """A new tensor of the shape and memory format of another; a large one on reused pages."""
    if x.nbytes < memory.LARGE or not x.is_cpu:
        return torch.empty_like(x)
    strides = torch.empty_like(x, device="meta").stride()
    pages = torch.from_numpy(memory.empty((x.nbytes,), np.uint8))
    return pages.view(x.dtype).as_strided(x.shape, strides)


def have_kernels(inputs: Sequence[Tensor]) -> bool:
    """Whether limen has kernels for the device of tensors."""
    for x in inputs:  # noqa: SIM110 - `all` of a generator takes as long as a small kernel
        if not x.is_cpu:
            return False
    return True


def as_array(x: Tensor) -> NDArray[np.generic]:
    """The tensor's memory as an array."""
    x = x.detach()
    if x.is_neg():
        x = x.resolve_neg()
    array: NDArray[np.generic] = np.asarray(_Memory(x))
    return array.view(ml_dtypes.bfloat16) if x.dtype == torch.bfloat16 else array


class _Memory:
    """A tensor by NumPy's array interface.

    `Tensor.numpy` forbids the storage to be resized from then on, which is how FSDP lets go of the
    parameters that it has gathered.
    """

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor

    @property
    def __array_interface__(self) -> dict[str, Any]:
        x = self._tensor
        size = x.element_size()
        return {
            "version": 3,
            "shape": tuple(x.shape),
            "strides": tuple(step * size for step in x.stride()),
            "typestr": _TYPES[x.dtype],
            "data": (x.data_ptr(), False),
        }


def decomposed_value(
    f: ActivationFunction, inputs: Sequence[Tensor], framework: Framework = "torch"
) -> Tensor:
    """The function's value, made of PyTorch's own operations."""
    first = inputs[0]
    wide = WIDER.get(first.dtype)
    value = decomposed(f, framework)(*(inputs if wide is None else [x.to(wide) for x in inputs]))
    if not isinstance(value, Tensor):  # a constant
        return torch.full_like(first, value)
    if any(value is x for x in inputs):
        return value.clone()  # the identity: an operator must not return what it is given
    return value if value.dtype == first.dtype else value.to(first.dtype)
