"""PyTorch's tensors, as rows of neurons in NumPy."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["Rows", "array", "features", "is_elementwise", "is_readable", "slope_by_autograd"]

Array = NDArray[Any]
_FEATURES = 8192  # of a sample, at most: what is beyond is thinned evenly


class Rows:
    """Some rows of tensors of one shape: all but the axis of the neurons is a row's place.

    Args:
        shape: of the tensors.
        axis: that of the neurons, counted from the end.
        choose: which of so many rows, `width` wide, to take.
    """

    def __init__(
        self,
        shape: torch.Size,
        axis: int,
        choose: Callable[[int, int], Array | slice],
    ) -> None:
        self.axis = axis
        self.width = shape[axis]
        places = list(shape)
        del places[axis]
        self.count = int(np.prod(places))
        chosen = choose(self.count, self.width)
        self._at: tuple[Array, ...] | None = None
        if not isinstance(chosen, slice):
            self._at = np.unravel_index(chosen, places)

    def of(self, tensor: Tensor) -> Array:
        """A copy of a tensor's rows, `(rows, neurons)`; half precision becomes float32."""
        moved = tensor.detach().movedim(self.axis, -1)
        if self._at is None:
            rows = moved.reshape(-1, moved.shape[-1])
        else:
            rows = moved[tuple(torch.from_numpy(k).to(tensor.device) for k in self._at)]
        found: Array = rows.to("cpu", _wide(tensor.dtype), copy=True).numpy()
        return found


def array(tensor: Tensor) -> Array:
    """A tensor as an array, of its own memory where it can be; half precision becomes float32."""
    found: Array = tensor.detach().to("cpu", _wide(tensor.dtype)).numpy()
    return found


def _wide(dtype: torch.dtype) -> torch.dtype:
    """One that NumPy has."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def features(tensor: Tensor) -> Array:
    """A sample's representation as one row; thinned evenly where it is very long."""
    flat = tensor.detach().reshape(len(tensor), -1)
    if flat.shape[1] > _FEATURES:
        kept = np.linspace(0, flat.shape[1] - 1, _FEATURES).astype(np.int64)
        flat = flat[:, torch.from_numpy(kept).to(flat.device)]
    found: Array = flat.to("cpu", torch.float32).numpy()
    return found


def is_readable(x: Any) -> bool:
    """Whether a tensor holds real numbers in memory: not while it is traced or transformed."""
    return (
        isinstance(x, Tensor)
        and x.is_floating_point()
        and x.layout == torch.strided
        and x.ndim > 0
        and x.device.type != "meta"
        and not torch._C._functorch.is_functorch_wrapped_tensor(x)
    )


def slope_by_autograd(
    function: Callable[[Tensor], Tensor], x: Array, like: Tensor, axis: int
) -> Array:
    """The derivative at rows of a function of single neurons that only PyTorch can compute.

    Args:
        function: from a tensor to one of its shape.
        x: `(rows, neurons)`.
        like: gives device and dtype.
        axis: of the neurons, where the function looks for them, counted from the end.
    """
    rows = torch.from_numpy(x).to(like.device, like.dtype)
    rows = rows.reshape(*x.shape, *(1,) * (-axis - 1)).requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(function(rows).sum(), rows)
    return (
        slope.reshape(x.shape)
        .to("cpu", torch.float64 if x.dtype == np.float64 else torch.float32)
        .numpy()
    )


def is_elementwise(module: nn.Module, x: Tensor) -> bool:
    """Whether a module is an activation: maps each number by itself, and not along a line.

    A copy in evaluation mode is asked, so that the module never notices; what cannot be copied, or
    fails on random numbers, is taken for none.
    """
    try:
        asked = copy.deepcopy(module).train(False)
        random = torch.Generator().manual_seed(0)
        shape = (min(len(x), 2), *x.shape[1:])
        one, other = (torch.randn(shape, generator=random) * 3.0 for _ in range(2))
        same = torch.rand(shape, generator=random) < 0.5
        points = [one, torch.where(same, one, other), (one + other) / 2.0, other]
        with torch.no_grad():
            values = [asked.forward(p.to(x.device, x.dtype)).double().cpu() for p in points]
    except Exception:  # whatever a foreign module does with random numbers
        return False
    if any(value.shape != one.shape for value in values):
        return False
    line = (values[0] + values[3]) / 2.0
    bends = not torch.allclose(values[2], line, rtol=1e-2, atol=1e-3, equal_nan=True)
    return bends and torch.equal(values[0][same], values[1][same])
