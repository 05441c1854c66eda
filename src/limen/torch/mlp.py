"""The block that most models are made of: Linear, Activation, Linear."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from limen.torch.activation import Activation
from limen.torch.functional import Named
from limen.torch.recomputed import linear_after

__all__ = ["MLP"]


class MLP(nn.Module):
    """Linear, Activation, Linear, which keeps one tensor of the hidden layer for backward.

    `down(activation(up(x)))`: PyTorch keeps the pre-activation and the activation; this block keeps
    the pre-activation, and computes the activation again in the backward pass: the same gradients,
    bit for bit. A gated activation has the first Linear layer make both halves.

    Args:
        in_features: neurons that come in.
        hidden_features: neurons of the hidden layer, after the gate if there is one.
        out_features: neurons that go out.
        activation: an `Activation` module, or what one is made of.
        bias: whether the Linear layers have one.
        **factory: `device` and `dtype` of the Linear layers.

    Attributes:
        up: the first Linear module.
        activation: the Activation module.
        down: the second Linear module.

    Example:
        >>> import torch, limen.torch as lt
        >>> block = lt.MLP(512, 2048, 512, activation="swiglu")
        >>> block.up.weight.shape, block(torch.ones(3, 512)).shape
        (torch.Size([4096, 512]), torch.Size([3, 512]))
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        out_features: int,
        *,
        activation: Activation | Named = "gelu",
        bias: bool = True,
        **factory: Any,
    ) -> None:
        super().__init__()
        self.activation = (
            activation if isinstance(activation, Activation) else Activation(activation)
        )
        halves = 2 if self.activation.function.is_gated else 1
        self.up = nn.Linear(in_features, halves * hidden_features, bias, **factory)
        self.down = nn.Linear(hidden_features, out_features, bias, **factory)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, of shape (..., out_features)."""
        return linear_after(self.activation, self.up(x), self.down)
