"""PyTorch's functions for what formulas mix: tensors and numbers."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["maximum", "minimum", "where"]


def where(condition: Any, yes: Any, no: Any) -> Any:
    """`torch.where`, and of two numbers one as float64: PyTorch would round them to float32."""
    if isinstance(yes, float) and isinstance(no, float):
        yes = torch.full((), yes, dtype=torch.float64, device=condition.device)
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
