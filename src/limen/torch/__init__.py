"""limen's functions as PyTorch's own: modules, operators, autograd of any order."""

from limen.torch.activation import Activation
from limen.torch.functional import evaluate

__all__ = ["Activation", "evaluate"]
