"""How a call reaches the kernels of a function: the quick way if it is plain, else the long one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from limen.binding import Binding
from limen.kernels.arrays import kernel_dtype, named_dtype
from limen.kernels.cache import compiling

if TYPE_CHECKING:
    from limen.function import ActivationFunction
    from limen.kernels.arrays import Array
    from limen.kernels.cpu import Launcher
    from limen.kernels.routine import Call
    from limen.kernels.team import Team

__all__ = ["Launchers"]


def _not_yet(*arrays: Any) -> None:
    """The quick way of a function that has not been called."""


class Launchers:
    """The kernels of one function, each made ready when it is first asked for.

    Args:
        binding: the function's.

    Attributes:
        quick_forward: runs the kernel on plain arrays, the outputs last, and returns True; None,
            with nothing written, for all that is not plain (see `kernels/quick.py`).
        quick_backward: the same for the backward pass.
    """

    def __init__(self, binding: Binding) -> None:
        self._binding = binding
        self._ready: dict[tuple[str, str], Launcher] = {}
        self._addressed: dict[tuple[str, str], Callable[..., Any] | None] = {}
        self._opened: set[tuple[str, str]] = set()
        self.quick_forward: Callable[..., bool | None] = _not_yet
        self.quick_backward: Callable[..., bool | None] = _not_yet

    def launcher(self, direction: str, dtype: str) -> Launcher:
        """The kernel of a direction (see `Binding.kernel`), ready to run on any arrays."""
        key = direction, dtype
        found = self._ready.get(key)
        if found is None:
            kernel, numbers = self._binding.kernel(direction, dtype)
            with compiling:  # what is imported here must not be half there in a forked child
                from limen.kernels.cpu import Launcher

                # Of two threads that come here at once, the first one's is everybody's.
                found = self._ready.setdefault(key, Launcher(kernel, numbers))
        elif direction in ("forward", "backward") and key not in self._opened:
            self._opened.add(key)
            self._open(direction)
        return found

    def addressed(self, direction: str, dtype: str, team: Team) -> Callable[..., Any] | None:
        """The kernel of a direction for arrays that are not NumPy's: see `addressed_call`."""
        key = direction, dtype
        if key not in self._addressed:
            launcher = self.launcher(direction, dtype)
            with compiling:
                from limen.kernels.quick import addressed_call

                self._addressed[key] = addressed_call(launcher, team)
        return self._addressed[key]

    def call(
        self, direction: str, inputs: Sequence[Array], outputs: Sequence[Array]
    ) -> Call | None:
        """The kernel of a direction as a native call on these arrays: see `Launcher.call`."""
        return self.launcher(direction, kernel_dtype(outputs[0])).call(inputs, outputs)

    @staticmethod
    def of(function: ActivationFunction) -> Launchers:
        """The launchers of a function."""
        return function._launchers

    def _open(self, direction: str) -> None:
        """Opens the quick way, which takes a function that is called more than once."""
        with compiling:
            from limen.kernels.quick import quick_call

            quick = quick_call(
                (named_dtype(dtype), self._ready[way, dtype])
                for way, dtype in self._opened
                if way == direction
            )
        if quick is not None:
            setattr(self, f"quick_{direction}", quick)
