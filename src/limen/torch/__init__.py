"""limen's functions as PyTorch's own: modules, operators, autograd of any order."""

from limen.torch.activation import Activation
from limen.torch.functional import evaluate
from limen.torch.mlp import MLP
from limen.torch.recomputed import lean

__all__ = ["MLP", "Activation", "evaluate", "lean"]
