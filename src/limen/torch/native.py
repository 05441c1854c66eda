"""What a function makes of tensors, and nothing of autograd: kernels where there are any.

On the CPU limen's kernels work on the tensors' own memory. On any other device the function is
PyTorch's own operations, of the stable form (see `decomposition`); on GPUs of CUDA, fused into one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, empty_like, get_num_threads

from limen import memory
from limen.decomposition import Framework, decomposed
from limen.errors import DtypeError
from limen.function import ActivationFunction
from limen.kernels import threads
from limen.kernels.arrays import FLOATS
from limen.launchers import Launchers
from limen.registry import get
from limen.torch.jitted import Jitted

if TYPE_CHECKING:
    from limen.kernels.team import Team

__all__ = [
    "DTYPES",
    "POOLED",
    "WIDER",
    "Native",
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

DTYPES = {torch.float32: "f4", torch.float64: "f8", torch.float16: "f2", torch.bfloat16: "i2"}
"""What limen computes with, and NumPy's names for them. bfloat16 has none; its bits have."""

_FEW_STRIDED = 1 << 16  # elements, which are copied into a row sooner than read with strides
POOLED = 1 << 25
"""Bytes from which a tensor comes from limen's pool: glibc gives such blocks back to the system
each time (its M_MMAP_THRESHOLD_MAX), so that every page of the next one is cleared anew. relu on
2^23 numbers took 12.3 ms in PyTorch, 12.6 in memory of PyTorch's and 4.5 in the pool's; on 2^20,
which glibc keeps, 0.35, 0.45 and 0.51."""


class Native:
    """A derivative of a function, and the ways to its kernels.

    Args:
        function: the derivative.
        key: the function that it is a derivative of, as text.
        orders: how often by each input.

    Attributes:
        function: the derivative.
        key: the function as text.
        orders: how often by each input.
        forward: for each dtype, its kernel as a call of addresses; None where there is no such way.
        backward: the same for the backward pass.
        jitted: its kernels on GPUs.
        same: PyTorch's operator, derivatives included, where it is as exact and there is nothing
            to win; but for large tensors, which it allocates afresh.
    """

    __slots__ = ("backward", "forward", "function", "jitted", "key", "orders", "same")

    def __init__(self, function: ActivationFunction, key: str, orders: tuple[int, ...]) -> None:
        self.function, self.key, self.orders = function, key, orders
        self.forward = _Addressed(function, "forward")
        self.backward = _Addressed(function, "backward")
        self.jitted = Jitted(function, decomposed_value, decomposed_flows)
        self.same = torch.relu if _is_relu(function) else None


def _is_relu(f: ActivationFunction) -> bool:
    """Whether a function is relu, with the derivative at 0 that it has in PyTorch."""
    is_it = f.expression is get("relu").expression and f.surrogate_function is None
    return is_it and float(f.derivative()(0.0)) == 0.0


class _Addressed(dict[torch.dtype, Callable[..., Any] | None]):
    """The kernels of a direction, each made ready when it is first asked for."""

    def __init__(self, function: ActivationFunction, direction: str) -> None:
        super().__init__()
        self._function, self._direction = function, direction

    def __missing__(self, dtype: torch.dtype) -> Callable[..., Any] | None:
        name = str(dtype).removeprefix("torch.")
        if name not in FLOATS:
            raise DtypeError(f"limen computes with {', '.join(sorted(FLOATS))}, got {dtype}")
        launchers = Launchers.of(self._function)
        self[dtype] = found = launchers.addressed(self._direction, name, _team())
        return found


@cache
def _team() -> Team:
    """The threads of PyTorch's own kernels, where they are OpenMP's."""
    from limen.kernels.team import Team

    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    return Team(str(library) if torch.backends.openmp.is_available() else "")


def value_of(native: Native, inputs: Sequence[Tensor]) -> Tensor:
    """The function's value; inputs of one shape and one dtype."""
    x = inputs[0]
    if not have_kernels(inputs):
        found = native.jitted.value(inputs) if x.is_cuda else None
        return decomposed_value(native.function, inputs) if found is None else found
    if len(inputs) == 1 and (found := _value_of_row(native, x)) is not None:
        return found
    out, call = fresh_like(x), native.forward[x.dtype]
    if call is not None and _are_rows(inputs):
        addresses = [tensor.data_ptr() for tensor in (*inputs, out)]
        if call(*addresses, x.numel(), get_num_threads()):
            return out
    with threads.at_most(get_num_threads()):
        native.function(*map(as_array, _in_rows(inputs, out)), out=as_array(out))
    return out


def flows_through(
    native: Native, grad_output: Tensor, inputs: Sequence[Tensor]
) -> Sequence[Tensor]:
    """The flow by each input, in one pass over memory."""
    if not have_kernels(inputs):
        found = native.jitted.flows(grad_output, inputs) if grad_output.is_cuda else None
        return decomposed_flows(native.function, grad_output, inputs) if found is None else found
    x, given = inputs[0], (grad_output, *inputs)
    if len(inputs) == 1 and (flow := _flow_of_row(native, grad_output, x)) is not None:
        return (flow,)
    outs, call = tuple(map(fresh_like, inputs)), native.backward[x.dtype]
    if call is not None and _are_rows(given):
        addresses = [tensor.data_ptr() for tensor in given + outs]
        if call(*addresses, x.numel(), get_num_threads()):
            return outs
    with threads.at_most(get_num_threads()):
        rows, arrays = map(as_array, _in_rows(given, outs[0])), list(map(as_array, outs))
        native.function.backward(*rows, out=arrays if len(inputs) > 1 else arrays[0])
    return outs


# Most calls are of one small tensor, for which a list of addresses, or a loop over inputs, takes as
# long as the kernel. What is not settled here goes the long way.


def _value_of_row(native: Native, x: Tensor) -> Tensor | None:
    call = native.forward[x.dtype]
    if call is None or x.nbytes >= POOLED or not _is_row(x):
        return None
    out = empty_like(x)
    is_done = call(x.data_ptr(), out.data_ptr(), x.numel(), get_num_threads())
    return out if is_done else None


def _flow_of_row(native: Native, flow: Tensor, x: Tensor) -> Tensor | None:
    call = native.backward[x.dtype]
    if call is None or x.nbytes >= POOLED or not (_is_row(x) and _is_row(flow)):
        return None
    out = empty_like(x)
    is_done = call(flow.data_ptr(), x.data_ptr(), out.data_ptr(), x.numel(), get_num_threads())
    return out if is_done else None


def handed_on(grad_output: Tensor, slope: Tensor) -> Tensor:
    """grad_output * slope; a blocked neuron hands nothing on, whatever comes in."""
    return torch.where(slope == 0, 0, grad_output * slope)


def _are_rows(tensors: Sequence[Tensor]) -> bool:
    """Whether a kernel may be called on the addresses of tensors.

    NumPy's views of them take longer to make than the arithmetic on a few thousand numbers. Fresh
    outputs lie as the first input does.
    """
    for x in tensors:  # noqa: SIM110 - a loop, as in `have_kernels`
        if not _is_row(x):
            return False
    return True


def _is_row(x: Tensor) -> bool:
    return x.is_contiguous() and not x.is_neg()


def _in_rows(tensors: Sequence[Tensor], out: Tensor) -> Sequence[Tensor]:
    """What to read for an output: expanded parameters, halves of a gate, in one row each."""
    if out.numel() > _FEW_STRIDED or not out.is_contiguous():
        return tensors
    return [x.contiguous() for x in tensors]


def fresh_like(x: Tensor) -> Tensor:
    """A new tensor of the shape and memory format of another; a large one on reused pages."""
    if x.nbytes < POOLED or not x.is_cpu:
        return torch.empty_like(x)
    pages = torch.from_numpy(memory.empty((x.nbytes,), np.uint8)).view(x.dtype)
    if x.is_contiguous():
        return pages.view(x.shape)
    return pages.as_strided(x.shape, torch.empty_like(x, device="meta").stride())


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
            "typestr": DTYPES[x.dtype],
            "data": (x.data_ptr(), False),
        }


_program = lru_cache(4096)(decomposed)
"""Programs that are made once: it takes longer than to run them."""


def decomposed_value(
    f: ActivationFunction, inputs: Sequence[Tensor], framework: Framework = "torch"
) -> Tensor:
    """The function's value, made of PyTorch's own operations."""
    first = inputs[0]
    wide = WIDER.get(first.dtype, first.dtype)
    value = _program(f, framework, dtype=wide)(*[x.to(wide) for x in inputs])
    if not isinstance(value, Tensor):  # a constant
        return torch.full_like(first, value)
    if any(value is x for x in inputs):
        return value.clone()  # the identity: an operator must not return what it is given
    return value if value.dtype == first.dtype else value.to(first.dtype)


def decomposed_flows(
    f: ActivationFunction, grad_output: Tensor, inputs: Sequence[Tensor]
) -> Sequence[Tensor]:
    """The flow by each input, made of PyTorch's own operations."""
    slopes = [decomposed_value(f.derivative(name), inputs) for name in f.inputs]
    return [handed_on(grad_output, slope) for slope in slopes]
