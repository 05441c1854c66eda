"""Watching a PyTorch network."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock, get_ident
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from limen.insight.observing.network import Audience, Network, Represented, look_at
from limen.insight.observing.pytorch.around import Around
from limen.insight.observing.pytorch.calls import Call, Calls, alone
from limen.insight.observing.pytorch.tensors import Rows, array, features, slope_by_autograd
from limen.insight.observing.tally import Look, Tally

__all__ = ["TorchNetwork"]

Array = NDArray[Any]


class TorchNetwork(Network):
    """A `torch.nn.Module`. Between looks, what goes around its call is all there is.

    During a look, a network that is compiled runs as it was written, so that its calls can be seen.
    """

    def __init__(self, module: nn.Module, audience: Audience) -> None:
        self._module, self._audience = module, audience
        self._inner = _unwrapped(module)
        self._names = {id(m): name for name, m in self._inner.named_modules()}
        self._verdicts: dict[int, bool] = {}
        self._pass: ExitStack | None = None  # what is undone when the present pass ends
        self._thread = 0  # whose pass that is
        self._turn = Lock()  # of several threads' passes at a time, one is looked at
        self._own = 0.0

    def start(self) -> None:
        """Goes around the module's call."""
        Around.of(self._module).observers.append(self)

    def stop(self) -> None:
        """Leaves; after a Ctrl-C, the look that it broke off too."""
        self.leave()
        Around.of(self._module).forget(self)

    def represent(self, x: Any) -> Iterator[Represented]:
        """What each activation makes of some data, in evaluation mode, its state as it was."""
        found: list[Represented] = []

        def begin(call: Call) -> Callable[[Tensor], None]:
            account = self._account(call, self._audience.probe_rows)

            def finish(output: Tensor) -> None:
                if len(output) == samples:
                    look = account.look(output)
                    found.append(Represented(account.tally, look, features(output)))

            return finish

        x = _on_device_of(self._inner, x)
        samples = len(x)
        with _asked(self._inner), self._watched(begin) as calls, alone(calls):
            self._inner(x)
        yield from found

    # --- A pass --------------------------------------------------------------------------

    def looks(self, args: Any, keywords: Any) -> bool:
        """A pass begins; whether to look at it."""
        return self._audience.begins(_samples(args, keywords)) and not _is_recorded()

    def enter(self) -> None:
        """The look begins."""
        self.leave()  # an earlier one that a Ctrl-C broke off
        if not self._turn.acquire(blocking=False):
            return
        began = perf_counter()
        self._pass, self._thread = ExitStack(), get_ident()
        self._pass.callback(lambda: self._audience.ends(self._own))
        self._pass.enter_context(self._watched(self._begin))
        self._own = perf_counter() - began

    def leave(self) -> None:
        """It is over; what PyTorch keeps for each thread is undone in the look's own."""
        if self._pass is not None and self._thread == get_ident():
            stack, self._pass = self._pass, None
            try:
                stack.close()
            finally:
                self._turn.release()

    @contextmanager
    def _watched(self, begin: Any) -> Iterator[Calls]:
        """Reports calls; compiled code, and the fused one of attention, stand back meanwhile."""
        calls = Calls(self._names, self._verdicts, begin)
        fused = torch.backends.mha.get_fastpath_enabled()
        with ExitStack() as stack:
            if "torch._dynamo" in sys.modules:
                stack.enter_context(torch.compiler.set_stance("force_eager"))
                # Compiled parts of the network warn of hooks on all modules.
                stack.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore", UserWarning)
            torch.backends.mha.set_fastpath_enabled(False)
            stack.callback(torch.backends.mha.set_fastpath_enabled, fused)
            stack.callback(calls.close)
            calls.open()
            yield calls

    # --- A call in it --------------------------------------------------------------------

    def _begin(self, call: Call) -> Callable[[Tensor], None]:
        began = perf_counter()
        account, step = self._account(call, self._audience.rows), self._audience.step
        self._own += perf_counter() - began

        def finish(output: Tensor) -> None:
            began = perf_counter()
            look = account.look(output)
            account.tally.add(step, look)
            if output.requires_grad:
                account.follow(output, look, step, self._audience)
            self._own += perf_counter() - began

        return finish

    def _account(self, call: Call, choose: Callable[[int, int], Array | slice]) -> _Account:
        function = call.function
        rows = Rows(call.x.shape, call.axis, choose)
        halves = 2 if function is not None and function.is_gated else 1
        width = rows.width // halves
        tally = self._audience.tally(call.name, call.name, function or call.label, width)
        if call.weight is not None:
            tally.draw(array(call.weight), None if call.bias is None else array(call.bias))
        return _Account(call, rows, tally)


class _Account:
    """One call of an activation at a look, from before it to the flow that comes back."""

    def __init__(self, call: Call, rows: Rows, tally: Tally) -> None:
        self._call, self._rows, self.tally = call, rows, tally
        self._x = rows.of(call.x)  # now: the call may write over it
        self._like = call.x.detach()

    def look(self, output: Tensor) -> Look:
        """The rows with what the call made of them."""
        call, post = self._call, self._rows.of(output)
        if call.function is not None:
            return look_at(call.function, self._x, post)
        assert call.evaluate is not None
        with alone(self):
            slope = slope_by_autograd(call.evaluate, self._x, self._like, call.axis)
        return Look(self._x, post, (slope,))

    def follow(self, output: Tensor, look: Look, step: int, audience: Audience) -> None:
        """Waits for the flow that comes back: the first, where several do."""
        tally, rows = self.tally, self._rows
        is_first = True

        def come(flow: Tensor) -> None:
            nonlocal is_first
            if is_first and type(flow) is Tensor:
                is_first = False
                began = perf_counter()
                tally.add_flow(step, rows.of(flow), look.slopes)
                audience.costs(perf_counter() - began)

        output.register_hook(come)


def _unwrapped(module: nn.Module) -> nn.Module:
    """The network itself, without what compiles or distributes it."""
    while True:
        if isinstance(module, nn.parallel.DistributedDataParallel | nn.DataParallel):
            module = module.module
        elif isinstance(getattr(module, "_orig_mod", None), nn.Module):
            module = module.get_submodule("_orig_mod")
        else:
            return module


def _is_recorded() -> bool:
    """Whether the pass is one of an exporter or a CUDA graph, in which nothing can be read."""
    return torch.jit.is_tracing() or (
        torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()
    )


def _samples(args: Any, keywords: Any) -> int:
    """How many samples a network is called with: the first axis of the first tensor."""
    first = args[0] if args else None
    if not isinstance(first, Tensor):
        leaves = tree_leaves((args, keywords))
        first = next((leaf for leaf in leaves if isinstance(leaf, Tensor)), None)
    return first.size(0) if first is not None and first.ndim > 1 else 1


def _on_device_of(network: nn.Module, x: Any) -> Tensor:
    """The probe as a tensor where the network is; NumPy's float64 in the network's dtype."""
    like = next((p for p in network.parameters() if p.is_floating_point()), torch.zeros(()))
    given = x if isinstance(x, Tensor) else torch.from_numpy(np.asarray(x))
    return given.to(like.device, like.dtype if given.is_floating_point() else given.dtype)


@contextmanager
def _asked(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, without gradients, and random numbers as they were afterwards."""
    modes = {module: module.training for module in network.modules()}
    devices = [p.device for p in network.parameters() if p.device.type == "cuda"][:1]
    try:
        with torch.random.fork_rng(devices), torch.no_grad():
            network.train(False)
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode
