"""What happens within one pass of a PyTorch network: its calls of activations, by name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.overrides import TorchFunctionMode

from limen.function import ActivationFunction
from limen.insight.observing.pytorch.tensors import is_elementwise, is_readable
from limen.torch import Activation, evaluate
from limen.torch.functional import meant
from limen.torch.replace import NAMES, called

__all__ = ["Call", "Calls", "alone", "is_private"]

_MOST_PLACES = 8  # of one module or function in a pass: a recurrent network calls it without end
# Layers that say in which axis neurons stand in what follows: counted from the end.
_LAST = ("linear", "layer_norm", "rms_norm")
_CONVOLUTIONS = {f"conv{way}{n}d": -n - 1 for n in (1, 2, 3) for way in ("", "_transpose")}


@dataclass
class Call:
    """A call of an activation.

    Attributes:
        name: where: the path of its module, and which call of that it is.
        label: what it is called where limen does not know it.
        function: limen's function, or None.
        evaluate: the same function on tensors.
        x: what goes in; before the call, since it may be written over.
        axis: that of the neurons, counted from the end.
        weight: of the Linear layer whose output `x` is, or None.
        bias: the same.
    """

    name: str
    label: str
    function: ActivationFunction | None
    evaluate: Callable[[Tensor], Tensor] | None
    x: Tensor
    axis: int
    weight: Tensor | None = None
    bias: Tensor | None = None


Begin = Callable[[Call], Callable[[Tensor], None]]
"""Told of a call before it happens; gives what is told its output."""


_ALONE: ContextVar[object | None] = ContextVar("alone", default=None)


@contextmanager
def alone(listener: object) -> Iterator[None]:
    """Meanwhile, calls are reported to nobody else: they are made by an observer."""
    token = _ALONE.set(listener)
    try:
        yield
    finally:
        _ALONE.reset(token)


def is_private() -> bool:
    """Whether calls are an observer's own at the moment."""
    return _ALONE.get() is not None


class Calls(TorchFunctionMode):
    """Reports the activations called between `open` and `close`, in this thread.

    Functions are caught as PyTorch's own protocol for that provides, whoever calls them; modules
    of limen, and foreign ones that turn out to be activations, are met in hooks on all modules,
    which are there for the time of a pass only.

    Args:
        names: the paths of the network's modules, by identity.
        verdicts: which foreign modules are activations, as far as known.
    """

    def __init__(self, names: dict[int, str], verdicts: dict[int, bool], begin: Begin) -> None:
        super().__init__()
        self._names, self._verdicts, self._begin = names, verdicts, begin
        self._thread = threading.get_ident()
        self._is_open = False
        self._path: list[nn.Module] = []
        self._places: dict[str, int] = {}
        # The activation module that runs now: functions it calls are its own business.
        self._whole: nn.Module | None = None
        self._finish: Callable[[Tensor], None] | None = None
        self._axis: int | None = None
        self._linear: tuple[Tensor, Tensor, Tensor | None] | None = None
        self._stack = ExitStack()

    def open(self) -> None:
        """Begins to report."""
        enter = hooks.register_module_forward_pre_hook(self._enter_module)
        leave = hooks.register_module_forward_hook(self._leave_module, always_call=True)
        self._stack.callback(enter.remove)
        self._stack.callback(leave.remove)
        self._stack.enter_context(self)
        self._is_open = True

    def close(self) -> None:
        """Leaves nothing behind."""
        self._is_open = False  # modes are a stack: another observer's may go in place of this one
        self._stack.close()
        self._linear = None

    @property
    def _listens(self) -> bool:
        if not self._is_open or threading.get_ident() != self._thread:
            return False
        return _ALONE.get() in (None, self)

    # --- Functions -----------------------------------------------------------------------

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        keywords = kwargs or {}
        name = getattr(func, "__name__", "").strip("_")
        if self._whole is not None or name == "get" or not args or not self._listens:
            return func(*args, **keywords)
        if func is evaluate:
            call = self._call_of_ours(*args)
        else:
            call = self._call_of(func, name, args, keywords)
        finish = None if call is None else self._begin(call)
        output = func(*args, **keywords)
        if finish is not None and isinstance(output, Tensor):
            finish(output)
        else:
            self._note(name, args, keywords, output)
        return output

    def _call_of(self, func: Any, name: str, args: Any, keywords: Any) -> Call | None:
        x = args[0]
        if not is_readable(x):
            return None
        function = called(name, *_numbers(args[1:]), **keywords)
        if function is None and name != "prelu":  # which may have a weight for each channel
            return None
        place = self._place(self._path[-1] if self._path else None, name)
        axis = keywords.get("dim", args[1] if len(args) > 1 else -1) if name == "glu" else None
        return self._call(place, name, function, _again(func, args, keywords), x, axis)

    def _call_of_ours(self, named: Any, *inputs: Tensor) -> Call | None:
        """A call of `limen.torch.evaluate`."""
        if not all(map(is_readable, inputs)):
            return None
        function = meant(named)
        place = self._place(self._path[-1] if self._path else None, function.name)
        # As a layer has them: the value first.
        x = torch.cat(inputs[::-1], dim=-1) if function.is_gated else inputs[0]
        return self._call(place, function.name, function, None, x, -1 if len(inputs) > 1 else None)

    def _note(self, name: str, args: Any, keywords: Any, output: Any) -> None:
        """What an activation that follows wants to know of the layer before it."""
        axis = -1 if name in _LAST else _CONVOLUTIONS.get(name)
        if name == "batch_norm" and isinstance(output, Tensor):
            axis = 1 - output.ndim
        if axis is None:
            return
        self._axis, self._linear = axis, None
        if name == "linear":
            weight, bias = (
                args[k] if len(args) > k else keywords.get(key)
                for k, key in ((1, "weight"), (2, "bias"))
            )
            self._linear = output, weight, bias

    # --- Modules -------------------------------------------------------------------------

    def _enter_module(self, module: nn.Module, args: Any) -> None:
        if self._whole is not None or not self._listens:
            return
        self._path.append(module)
        x = args[0] if args else None
        if id(module) not in self._names or not is_readable(x):
            return
        if not (isinstance(module, Activation) or self._is_activation(module, x)):
            return
        self._whole = module
        function, label = None, type(module).__name__
        if isinstance(module, Activation):
            label, function = module.function.name, _present(module)
        place = self._place(module, None)
        axis = getattr(module, "dim", None) if function and function.is_gated else None
        call = self._call(place, label, function, module.forward, x, axis)
        self._finish = None if call is None else self._begin(call)

    def _leave_module(self, module: nn.Module, args: Any, output: Any) -> None:
        if not self._listens:
            return
        if self._whole is module:
            if self._finish is not None and isinstance(output, Tensor):
                self._finish(output)
            self._whole = self._finish = None
        if self._path and self._path[-1] is module:
            self._path.pop()

    def _is_activation(self, module: nn.Module, x: Tensor) -> bool:
        """Whether a module that is neither PyTorch's nor made of others is an activation."""
        known = self._verdicts.get(id(module))
        if known is None:
            foreign = not type(module).__module__.startswith("torch.")
            known = foreign and not any(module.children())
            if known:
                with alone(is_elementwise):
                    known = is_elementwise(module, x)
            self._verdicts[id(module)] = known
        return known

    # --- Both ----------------------------------------------------------------------------

    def _place(self, module: nn.Module | None, function: str | None) -> str:
        path = self._names.get(id(module), "") if module is not None else ""
        if function is not None and type(module) not in NAMES:
            path = f"{path}.{function}".strip(".")
        name = path or "(model)"
        count = self._places[name] = self._places.get(name, 0) + 1
        return name if count == 1 else f"{name} #{count}"

    def _call(
        self, name: str, label: str, function: Any, evaluate: Any, x: Tensor, axis: int | None
    ) -> Call | None:
        if self._places[name.partition(" #")[0]] > _MOST_PLACES:
            return None
        if axis is None:
            axis = self._axis
        elif axis >= 0:
            axis -= x.ndim
        if axis is None or axis < -x.ndim:
            axis = 1 - x.ndim if x.ndim >= 4 else -1
        call = Call(name, label, function, evaluate, x, axis)
        if self._linear is not None and self._linear[0] is x:
            _, call.weight, call.bias = self._linear
        return call


def _numbers(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments, tensors of one number as that."""
    return tuple(a.item() if isinstance(a, Tensor) and a.numel() == 1 else a for a in arguments)


def _present(module: Activation) -> ActivationFunction | None:
    """A module's function with the present values of what it learns; None with one a channel."""
    values = {}
    for name in module.learnable:
        tensor = getattr(module, name)
        if tensor.numel() != 1:
            return None
        values[name] = float(tensor.detach())
    return module.function.with_parameters(**values) if values else module.function


def _again(func: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """The same call on another tensor, which it leaves as it is."""

    def evaluate(x: Tensor) -> Tensor:
        output: Tensor = func(x.clone(), *args[1:], **keywords)
        return output

    return evaluate
