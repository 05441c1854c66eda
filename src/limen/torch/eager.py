"""What is at work around a call: plain eager mode, or a transform, a trace, a compiler."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, is_grad_enabled, strided
from torch._C import _are_functorch_transforms_active, _is_tracing, _len_torch_dispatch_stack
from torch.autograd import forward_ad
from torch.compiler import is_compiling
from torch.nn import Parameter

from limen.torch.native import DTYPES

__all__ = ["is_eager", "is_plain", "is_transformed", "need_grad"]


def is_plain(x: Any) -> bool:
    """Whether what a user gives is an ordinary tensor of eager mode, which `plain_value` takes."""
    return (
        not is_compiling()
        and (type(x) is Tensor or type(x) is Parameter)
        and x.dtype in DTYPES
        and x.layout is strided
        and not (_len_torch_dispatch_stack() or _is_tracing() or is_transformed())
    )


def is_eager(tensors: Iterable[Tensor]) -> bool:
    """Whether kernels may have the tensors' memory, and plain autograd is all that there is."""
    if is_compiling():
        return False
    for x in tensors:  # a loop: `all` of a generator takes as long as a small kernel
        if type(x) is not Tensor and type(x) is not Parameter:
            return False
    return not (_len_torch_dispatch_stack() or _is_tracing() or is_transformed())


def is_transformed() -> bool:
    """Whether `torch.func` or a level of forward-mode derivatives is at work."""
    return forward_ad._current_level >= 0 or _are_functorch_transforms_active()


def need_grad(tensors: Iterable[Tensor]) -> bool:
    """Whether autograd shall follow what is made of tensors."""
    for x in tensors:
        if x.requires_grad:
            return is_grad_enabled()
    return False
