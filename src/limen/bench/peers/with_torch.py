"""PyTorch, eager or compiled: its own functions, or the formula in its operations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray
from torch.nn import functional

from limen.bench.case import Case, Step, refuse_idleness
from limen.bench.training import LAYERS, RATE, data
from limen.decomposition import Program, written
from limen.errors import LimenError

__all__ = ["make"]


_SAME_NAME = (
    "relu", "relu6", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "softsign",
    "leaky_relu", "hardsigmoid", "hardswish", "hardtanh", "hardshrink", "softshrink",
    "tanhshrink",
)  # fmt: skip
NAMED: dict[str, Callable[..., Any]] = {
    **{name: getattr(functional, name) for name in _SAME_NAME},
    "logistic": torch.sigmoid,
    "log_sigmoid": functional.logsigmoid,
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),
}
"""limen's names for what PyTorch has as one function, at the same parameters."""


class WithTorch:
    """PyTorch on the CPU."""

    version: str = torch.__version__

    def __init__(self, threads: int, compiled: bool) -> None:
        torch.set_num_threads(threads)
        self._compiled = compiled

    def bind(self, case: Case) -> Callable[[], Any]:
        if isinstance(case, Step):
            return _step(case, self._compiled)
        f = case.function()
        refuse_idleness(f)
        named = NAMED.get(f.name) if case.is_standard() else None
        function = named or _typed_in(written(f, "torch"), f)
        *inputs, grad_output = map(torch.from_numpy, case.arrays(len(f.inputs)))
        if case.direction == "forward":
            return self._forward(function, inputs)
        backward = self._compiled_backward if self._compiled else self._backward
        return backward(function, inputs, grad_output)

    def spelling(self, case: Case) -> str:
        if isinstance(case, Step):
            return "torch.nn, torch.optim.SGD"
        return "torch.nn.functional" if case.name in NAMED and case.is_standard() else "formula"

    def fetch(self, result: Any) -> list[NDArray[Any]]:
        return [torch.as_tensor(tensor).detach().numpy() for tensor in result]

    def _forward(self, function: Callable[..., Any], inputs: list[Any]) -> Callable[[], Any]:
        if self._compiled:
            function = torch.compile(function)

        def forward() -> Any:
            with torch.inference_mode():
                return (function(*inputs),)

        return forward

    def _backward(
        self, function: Callable[..., Any], inputs: list[Any], grad_output: Any
    ) -> Callable[[], Any]:
        for tensor in inputs:
            tensor.requires_grad_()
        output = function(*inputs)
        if not output.requires_grad:
            raise LimenError("its value follows no input: there is no gradient to hand on")
        node = output.grad_fn
        if node is not None and all(map(_is_leaf, node.next_functions)):
            # One node: without autograd's engine, which is the shortest way there is.
            return lambda: _gradients(node(grad_output))
        return lambda: torch.autograd.grad(output, inputs, grad_output, retain_graph=True)

    def _compiled_backward(
        self, function: Callable[..., Any], inputs: list[Any], grad_output: Any
    ) -> Callable[[], Any]:
        backward = torch.compile(lambda g, *a: torch.func.vjp(function, *a)[1](g))

        def call() -> Any:
            with torch.no_grad():
                return backward(grad_output, *inputs)

        return call


def _is_leaf(edge: tuple[Any, int]) -> bool:
    node, _ = edge
    return node is None or node.name().endswith("AccumulateGrad")


def _gradients(result: Any) -> list[Any]:
    """Of the inputs: a node gives None for its constants."""
    return [g for g in (result if isinstance(result, tuple) else (result,)) if g is not None]


def _typed_in(program: Program, f: Any) -> Callable[..., Any]:
    """The program as Python code that calls PyTorch directly, as if it had been typed in."""
    traced: Callable[..., Any] = torch.fx.symbolic_trace(
        (lambda gate, value: program(gate, value)) if f.is_gated else (lambda x: program(x))
    )
    return traced


def _step(case: Step, compiled: bool) -> Callable[[], Any]:
    """A step of torch.nn.Sequential and torch.optim.SGD; forward and loss compiled together."""
    x, y, weights = data(case)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    parts = [[torch.nn.Linear(case.width, case.width), torch.nn.Mish()] for _ in range(LAYERS)]
    model = torch.nn.Sequential(*[layer for part in parts for layer in part][:-1])
    with torch.no_grad():
        for layer, weight in zip(model[::2], weights, strict=True):
            layer.weight.copy_(torch.from_numpy(weight))
            layer.bias.zero_()

    def loss(x: Any, y: Any) -> Any:
        return 0.5 * ((model(x) - y) ** 2).sum() / case.batch

    measure = torch.compile(loss) if compiled else loss
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)

    def step() -> Any:
        optimizer.zero_grad()
        value = measure(x, y)
        value.backward()
        optimizer.step()
        return [value.item()]

    return step


def make(threads: int, compiled: str = "no") -> WithTorch:
    """PyTorch with so many threads."""
    return WithTorch(threads, compiled == "yes")
