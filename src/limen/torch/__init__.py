"""limen's functions as PyTorch's own: modules, operators, autograd of any order."""

from limen.errors import MissingPackageError

try:
    from limen.torch.activation import Activation
    from limen.torch.functional import evaluate
    from limen.torch.memory_report import memory_report
    from limen.torch.mlp import MLP
    from limen.torch.recomputed import lean
    from limen.torch.registration import layer, register
    from limen.torch.replace import equivalent, replace
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("torch"):
        raise
    raise MissingPackageError('limen.torch needs PyTorch: pip install "limen[torch]"') from error

__all__ = [
    "MLP",
    "Activation",
    "equivalent",
    "evaluate",
    "layer",
    "lean",
    "memory_report",
    "register",
    "replace",
]
