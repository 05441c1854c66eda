"""What goes around the call of a module that is watched."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import nn

from limen.insight.observing.pytorch.calls import is_private

__all__ = ["Around"]

_PLACE = "_compiled_call_impl"


class _Observer(Protocol):
    def looks(self, args: Any, keywords: Any) -> bool:
        """A pass begins; whether to look at it."""

    def enter(self) -> None:
        """The look begins."""

    def leave(self) -> None:
        """It is over, also after an exception."""


class Around:
    """Tells a module's observers of its passes.

    It stands where PyTorch puts the code of a module compiled in place: `Module.__call__` takes
    that before anything else, copies and pickles leave it out, and it costs less than half of two
    hooks. All observers of a module share one, so that they may end in any order.

    Attributes:
        observers: those told; with none left it must go.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._before = module.__dict__.get(_PLACE)
        self._called = self._before or module._call_impl
        self.observers: list[_Observer] = []

    @classmethod
    def of(cls, module: nn.Module) -> Around:
        """The one around a module, put there if there is none."""
        found = module.__dict__.get(_PLACE)
        if not isinstance(found, cls):
            found = module.__dict__[_PLACE] = cls(module)
        return found

    def forget(self, observer: _Observer) -> None:
        """One observer goes; after the last, the module is as it was."""
        if observer in self.observers:
            self.observers.remove(observer)
        if self.observers:
            return
        if self._before is None:
            del self._module.__dict__[_PLACE]
        else:
            self._module.__dict__[_PLACE] = self._before

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """The module's call."""
        if torch.compiler.is_compiling() or is_private():
            return self._called(*args, **keywords)
        looking = [observer for observer in self.observers if observer.looks(args, keywords)]
        if not looking:
            return self._called(*args, **keywords)
        try:
            for observer in looking:
                observer.enter()
            return self._called(*args, **keywords)
        finally:
            for observer in reversed(looking):
                observer.leave()
