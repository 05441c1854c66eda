"""A model as PyTorch's modules, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from limen.errors import LimenError
from limen.layers.activation import Activation
from limen.layers.layer import Layer
from limen.layers.linear import Linear
from limen.vector import VECTOR_FUNCTIONS, VectorFunction

if TYPE_CHECKING:
    import torch

    from limen.layers.model import Model

__all__ = ["from_torch", "to_torch"]

_VECTOR_MODULES = {"softmax": "Softmax", "log_softmax": "LogSoftmax", "softmin": "Softmin"}


def to_torch(model: Model) -> torch.nn.Sequential:
    """The model as a `torch.nn.Sequential` of its own, with copies of the parameters."""
    import torch

    return torch.nn.Sequential(*map(_module, model.layers))


def _module(layer: Layer) -> Any:
    import torch

    import limen.torch as adapter

    if isinstance(layer, Linear):
        has_bias = layer.bias is not None
        module = torch.nn.Linear(layer.inputs, layer.outputs, has_bias, device="meta")
    elif isinstance(layer, Activation):
        function = layer.function
        if isinstance(function, VectorFunction):
            return getattr(torch.nn, _VECTOR_MODULES[function.name])(dim=-1)
        module = adapter.Activation(function, learnable=tuple(layer.learnable))
    else:
        raise LimenError(f"{layer.place}: {type(layer).__name__} is no layer that PyTorch gets")
    for parameter in layer.parameters():
        name = parameter.name.rpartition(".")[2]
        copied = torch.from_numpy(np.array(parameter.value))
        module.register_parameter(name, torch.nn.Parameter(copied))
    return module


def from_torch(net: torch.nn.Module, *, seed: int | None = 0) -> Model:
    """A model of the same layers as a PyTorch module, with copies of its parameters.

    Args:
        net: a `torch.nn.Sequential` (others within it are unfolded) of Linear layers, limen's
            activations, PyTorch's activation modules that limen has, softmax over the last
            dimension; Identity, and Dropout as in evaluation, are left out. Or one such module.
        seed: of the model, for the order of samples in `fit`.

    Returns:
        A `limen.Model` of the dtype of the parameters. PyTorch's activations keep its derivatives
        at kinks.

    Raises:
        LimenError: for any other module, and for dtypes that models do not have; it says which.

    Example:
        >>> import limen
        >>> net = limen.Model([limen.Linear(2, 3), limen.Activation("mish")]).to_torch()
        >>> limen.from_torch(net).layers[1]
        Activation(mish)
    """
    import torch

    from limen.layers.model import Model

    if not isinstance(net, torch.nn.Module):
        raise TypeError(f"from_torch: expected a torch.nn.Module, given {net!r}")
    dtypes = {str(p.dtype).removeprefix("torch.") for p in net.parameters()}
    if len(dtypes) > 1 or not dtypes <= {"float32", "float64"}:
        raise LimenError(
            f"a model has one dtype, float32 or float64; these parameters have {sorted(dtypes)}"
        )
    layers = [layer for name, module in _unfolded("", net) for layer in _layers(name, module)]
    return Model(layers, seed=seed, dtype=(dtypes or {"float32"}).pop())


def _unfolded(name: str, module: Any) -> Iterator[tuple[str, Any]]:
    import torch

    from limen.torch.replace import parts

    if not isinstance(module, torch.nn.Sequential):
        yield name, module
        return
    for part, child in parts(module):
        yield from _unfolded(f"{name}.{part}".lstrip("."), child)


def _layers(name: str, module: Any) -> list[Layer]:
    """The layer that a module is; none for one that does nothing."""
    import torch

    if isinstance(module, torch.nn.Identity | torch.nn.Dropout):
        return []
    if isinstance(module, torch.nn.Linear):
        layer: Layer = Linear(module.in_features, module.out_features, module.bias is not None)
    else:
        vector = _vector_function(module)
        if vector is not None:
            return [Activation(vector)]
        module = _activation(name, module)
        layer = Activation(module.function, learnable=module.learnable)
    for parameter in layer.parameters():
        given = module.get_parameter(parameter.name).numpy(force=True)
        if given.size != parameter.size:
            raise LimenError(
                f"module {name}: {parameter.name} has {given.size} channels; a parameter that "
                "learns is one number here"
            )
        parameter.value = given.reshape(parameter.shape)
    return [layer]


def _vector_function(module: Any) -> VectorFunction | None:
    names = {kind: name for name, kind in _VECTOR_MODULES.items()}
    found = VECTOR_FUNCTIONS.get(names.get(type(module).__name__, ""))
    return found if getattr(module, "dim", None) in (-1, 1) else None


def _activation(name: str, module: Any) -> Any:
    """limen's module for an activation."""
    import limen.torch as adapter

    if isinstance(module, adapter.Activation):
        return module
    if adapter.equivalent(module) is None:
        raise LimenError(
            f"module {name or 'given'}: {type(module).__name__} is neither a Linear layer nor an "
            "activation that limen has; models are torch.nn.Sequential of these"
        )
    return adapter.replace(module)
