"""The stages of a PyTorch model: found while the data go through it, by what is called.

An activation is a module of PyTorch's or limen's that is one, a module of one's own that has no
parts and no parameters and keeps the shape, or a call such as `torch.relu(x)` whose name the
catalogue knows. Hooks are taken off again whatever happens; the model runs as in evaluation,
without gradients, and is left in the mode it was in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from limen import catalog
from limen.insight.plot.stages import Stage
from limen.torch import Activation, equivalent

__all__ = ["of_module"]

Array = NDArray[Any]

_KEEP_SHAPE = (nn.Dropout, nn.Identity, nn.modules.batchnorm._NormBase, nn.LayerNorm)


class _Event(NamedTuple):
    """One call that was met: of a Linear layer (it has a weight) or of an activation.

    The arrays are copies, for a model may go on and write over its tensors; the tensors say which
    activation took the output of which Linear layer.
    """

    name: str
    function: str | None
    before: Array | None
    values: Array
    given: Tensor
    output: Tensor
    weight: Tensor | None


def of_module(model: nn.Module, x: Array) -> list[Stage]:
    """See `limen.insight.plot.stages.stages`."""
    model = getattr(model, "_orig_mod", model)  # a compiled model's own graph calls no hooks
    given = torch.as_tensor(x)
    first = next(model.parameters(), None)
    if first is not None:
        given = given.to(first.device, first.dtype if given.is_floating_point() else None)
    watch = _Watch()
    with _evaluating(model), torch.no_grad(), _hooked(model, watch), watch:
        model(given)
    return _stages(watch.events)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    model.train(False)
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _hooked(model: nn.Module, watch: _Watch) -> Iterator[None]:
    with ExitStack() as hooks:
        for name, module in model.named_modules():
            enter = module.register_forward_pre_hook(partial(watch.enter, name))
            hooks.callback(enter.remove)
            leave = module.register_forward_hook(watch.leave)
            hooks.callback(leave.remove)
        yield


class _Watch(TorchFunctionMode):
    """Notes Linear layers and activations as they are called."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[_Event] = []
        self.running: list[tuple[str, nn.Module]] = []
        self.kept: list[Array] = []  # inputs of activation modules that run, as they were
        self.times: Counter[str] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        here = self.running[-1][0] if self.running else ""
        if func is nn.functional.linear:
            output = func(*args, **kwargs)
            weight = args[1] if len(args) > 1 else kwargs["weight"]
            self._note(here, None, None, args[0], output, weight)
            return output
        name = getattr(func, "__name__", "").rstrip("_")
        if not (self._is_activation_here(name) and args and isinstance(args[0], Tensor)):
            return func(*args, **kwargs)
        before = _flat(args[0])
        output = func(*args, **kwargs)
        self._note(f"{here}.{name}".lstrip("."), name, before, args[0], output)
        return output

    def _is_activation_here(self, name: str) -> bool:
        """Whether a call of that name is an activation, and not a part of one that runs."""
        inside = any(_is_activation(module) for _, module in self.running)
        return not inside and hasattr(nn.functional, name) and catalog.find(name) is not None

    def enter(self, name: str, module: nn.Module, given: Any) -> None:
        """Called before a module runs."""
        self.running.append((name, module))
        if _is_activation(module):
            self.kept.append(_flat(given[0]))

    def leave(self, module: nn.Module, given: Any, output: Any) -> None:
        """Called after it ran."""
        name, _ = self.running.pop()
        if _is_activation(module):
            before = self.kept.pop()
            if isinstance(output, Tensor) and (_is_gated(module) or output.shape == given[0].shape):
                self._note(name, _function_name(module), before, given[0], output)

    def _note(
        self, name: str, function: str | None, before: Array | None, given: Tensor, output: Tensor,
        weight: Tensor | None = None,
    ) -> None:  # fmt: skip
        self.times[name] += 1
        if self.times[name] > 1:
            name = f"{name} ({self.times[name]})"
        self.events.append(_Event(name, function, before, _flat(output), given, output, weight))


def _is_activation(module: nn.Module) -> bool:
    if isinstance(module, Activation) or equivalent(module) is not None:
        return True
    parts = [*module.children(), *module.parameters()]
    if parts or isinstance(module, _KEEP_SHAPE):
        return False
    home = type(module).__module__
    return home == "torch.nn.modules.activation" or not home.startswith("torch.nn.")


def _is_gated(module: nn.Module) -> bool:
    if isinstance(module, Activation):
        return module.function.is_gated
    return isinstance(module, nn.GLU)


def _function_name(module: nn.Module) -> str:
    function = module.function if isinstance(module, Activation) else equivalent(module)
    return type(module).__name__ if function is None else function.name


def _stages(events: list[_Event]) -> list[Stage]:
    """Joins each Linear layer with the activation that took its output."""
    activations = [event for event in events if event.weight is None]
    taken = {id(event.given) for event in activations}
    linear = {id(event.output): event.weight for event in events if event.weight is not None}
    return [
        _stage(event, linear.get(id(event.given)) if event.weight is None else event.weight)
        for event in events
        if event.weight is None or id(event.output) not in taken
    ]


def _stage(event: _Event, weight: Tensor | None) -> Stage:
    before = event.before
    if before is not None and before.shape != event.values.shape:
        # A gated function of vectors: the gate is the second half, as in torch.nn.GLU.
        before = before[:, before.shape[1] // 2 :] if event.given.ndim == 2 else None
    kernel = None if weight is None else _flat(weight)
    if kernel is not None and before is not None:
        kernel = kernel[-before.shape[1] :]
    return Stage(event.name, event.function, before, event.values, kernel)


def _flat(values: Tensor) -> Array:
    """A copy with a row for each sample; 16-bit formats as float32."""
    values = values.float() if values.dtype.itemsize < 4 else values
    array = np.array(values.numpy(force=True))
    return array.reshape(len(array), -1)
