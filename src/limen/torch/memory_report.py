"""What the layers of a model keep for the backward pass."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from limen.decomposition import written
from limen.torch.activation import Activation
from limen.torch.functional import check_module
from limen.torch.mlp import MLP
from limen.torch.recomputed import LinearAfter
from limen.torch.replace import parts, twin

__all__ = ["LayerMemory", "MemoryReport", "memory_report"]


@dataclass(frozen=True)
class LayerMemory:
    """What one layer keeps.

    Attributes:
        name: its name in the model.
        kind: what it is.
        saved: bytes that it keeps for the backward pass, and that no layer before it keeps.
        replaced: the same for what stood there before limen.
    """

    name: str
    kind: str
    saved: int
    replaced: int


@dataclass(frozen=True)
class MemoryReport:
    """Bytes kept for the backward pass, layer by layer, with limen and with what it replaced.

    Parameters are not counted, nor the model's input: they are there anyway.

    Attributes:
        layers: those that keep something, in the order of the model.
    """

    layers: tuple[LayerMemory, ...]

    @property
    def saved(self) -> int:
        """All bytes kept with limen."""
        return sum(layer.saved for layer in self.layers)

    @property
    def replaced(self) -> int:
        """All bytes kept with what limen replaced."""
        return sum(layer.replaced for layer in self.layers)

    def _rows(self) -> list[tuple[str, str, str, str]]:
        rows = [(x.name, x.kind, f"{x.saved:,}", f"{x.replaced:,}") for x in self.layers]
        return [*rows, ("all", "", f"{self.saved:,}", f"{self.replaced:,}")]

    def __repr__(self) -> str:
        rows = [("layer", "kind", "bytes saved", "before limen"), *self._rows()]
        widths = [max(len(row[k]) for row in rows) for k in range(4)]
        return "\n".join(
            f"{a:{widths[0]}}  {b:{widths[1]}}  {c:>{widths[2]}}  {d:>{widths[3]}}"
            for a, b, c, d in rows
        )

    def _repr_html_(self) -> str:
        head = "<tr><th>layer<th>kind<th>bytes saved<th>before limen"
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in self._rows()
        )
        return f"<table>{head}{body}</table>"


def memory_report(model: nn.Module, *inputs: Any, **keywords: Any) -> MemoryReport:
    """What each layer of a model keeps for the backward pass, with limen and without.

    The model runs twice, forward only, on copies that leave its state as it is: as it is, and with
    what limen replaced: the module that `replace` took away, else PyTorch's of that name, else the
    formula in PyTorch's operations; and with Linear layers that keep their input.

    Args:
        model: any module with limen's activations in it.
        *inputs: what it is called with.
        **keywords: what it is called with.

    Returns:
        The report; it prints as a table.

    Example:
        >>> import torch, limen.torch as lt
        >>> model = torch.nn.Sequential(
        ...     torch.nn.Linear(8, 32), lt.Activation("gelu"), torch.nn.Linear(32, 8))
        >>> lt.memory_report(lt.lean(model), torch.ones(16, 8))
        layer  kind         bytes saved  before limen
        1      Activation         2,048         2,048
        2      LinearAfter            0         2,048
        all                       2,048         4,096
    """
    check_module("memory_report", model)
    ours = _kept(copy.deepcopy(model), inputs, keywords)
    theirs = _kept(_as_before(copy.deepcopy(model)), inputs, keywords)
    kinds = {name: type(module).__name__ for name, module in model.named_modules()}
    layers = [
        LayerMemory(name or "(model)", kind, ours.get(name, 0), theirs.get(name, 0))
        for name, kind in kinds.items()
        if ours.get(name) or theirs.get(name)
    ]
    return MemoryReport(tuple(layers))


def _kept(model: nn.Module, inputs: Any, keywords: Any) -> dict[str, int]:
    """Bytes kept by each module, by name; every storage counts once, for the first to keep it."""
    there = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    there |= {t.untyped_storage().data_ptr() for t in _tensors((inputs, keywords))}
    found: dict[str, int] = {}
    running: list[str] = []
    alive: list[Tensor] = []  # or another tensor might take the place of one that went

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in there:
            there.add(storage.data_ptr())
            alive.append(tensor.detach())
            name = running[-1] if running else ""
            found[name] = found.get(name, 0) + storage.nbytes()
        return tensor

    with _watched(model, running), torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        model(*inputs, **keywords)
    return found


@contextmanager
def _watched(model: nn.Module, running: list[str]) -> Iterator[None]:
    """Keeps the names of the modules that run, the innermost last."""

    def leave(*_: Any) -> None:
        running.pop()

    handles = []
    for name, module in model.named_modules():
        enter = partial(_enter, running, name)
        handles.append(module.register_forward_pre_hook(enter))
        handles.append(module.register_forward_hook(leave, always_call=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _enter(running: list[str], name: str, *_: Any) -> None:
    running.append(name)


def _tensors(value: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor))


class _Spelled(nn.Module):
    """A limen activation in PyTorch's own operations, as one would type it."""

    def __init__(self, activation: Activation) -> None:
        super().__init__()
        self.activation = activation
        self._program = written(activation.called, "torch")

    def forward(self, x: Tensor) -> Any:
        return self._program(*self.activation.call(x)[1])


def _as_before(model: nn.Module) -> nn.Module:
    """The model without limen."""
    if isinstance(model, Activation):
        return model.replaced or twin(model.function) or _Spelled(model)
    for name, child in parts(model):
        setattr(model, name, _as_before(child))
    if isinstance(model, LinearAfter):
        model.__class__ = nn.Linear
    elif isinstance(model, MLP):
        model.__class__ = _Kept
    return model


class _Kept(MLP):
    """The block as three layers, each of which keeps its input."""

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.activation(self.up(x)))
