"""PyTorch's functions for what formulas mix: tensors and numbers."""

from __future__ import annotations

from typing import Any

import torch

from limen.decomposition.lower import is_single

__all__ = ["clip", "maximum", "minimum", "where"]


def where(condition: Any, yes: Any, no: Any, dtype: Any = None) -> Any:
    """`torch.where`, and of two numbers in a dtype; in float64 where float32 would round them.

    A condition that depends on no tensor is a number.
    """
    if isinstance(condition, float):
        chosen, other = (yes, no) if condition else (no, yes)
        return torch.full_like(other, chosen) if isinstance(chosen, float) else chosen
    if isinstance(yes, float) and isinstance(no, float):
        if dtype is None:
            dtype = torch.float32 if is_single(yes) and is_single(no) else torch.float64
        yes = torch.full((), yes, dtype=dtype, device=condition.device)
    return torch.where(condition, yes, no)


def minimum(a: Any, b: Any) -> Any:
    """The smaller of two tensors, or of a tensor and a number."""
    if isinstance(a, float):
        a, b = b, a
    return torch.clamp(a, max=b) if isinstance(b, float) else torch.minimum(a, b)


def maximum(a: Any, b: Any) -> Any:
    """The larger of two tensors, or of a tensor and a number."""
    if isinstance(a, float):
        a, b = b, a
    return torch.clamp(a, min=b) if isinstance(b, float) else torch.maximum(a, b)


def clip(a: Any, low: Any, high: Any) -> Any:
    """`minimum(maximum(a, low), high)`; between two numbers in one step."""
    if isinstance(low, float) and isinstance(high, float):
        return torch.clamp(a, low, high)
    return minimum(maximum(a, low), high)
