"""A whole training step, side by side: limen, its bare matrix products, PyTorch, JAX.

    python benchmarks/training.py [rounds]

The model is Linear - mish - Linear - mish - Linear, every layer as wide as its input; the step is
float32, half the squared error averaged over the batch, SGD, update included, and it hands the loss
back as a number. The bare products are the eight matrix products it cannot do without (three
forward, three for the weights, two for the flow), by NumPy into arrays that exist.

Each framework lives in a process of its own, since thread pools disturb each other, and works while
the others wait. What is not installed is left out.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from time import perf_counter, sleep
from typing import Any

import numpy as np

ROWS = ((32, 64), (128, 256), (1024, 256), (4096, 1024))
RATE = 1e-3
SECONDS = 0.3  # of measuring, for each framework, row and round
Step = Callable[[], Any]


def data(batch: int, width: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Inputs, targets and the three weights."""
    random = np.random.default_rng(0)
    x, y = (random.standard_normal((batch, width), np.float32) for _ in range(2))
    bound = width**-0.5
    weights = [random.uniform(-bound, bound, (width, width)).astype(np.float32) for _ in range(3)]
    return x, y, weights


def limen_step(batch: int, width: int) -> Step:
    import limen

    x, y, weights = data(batch, width)
    linears = [limen.Linear(width, width) for _ in weights]
    first, second, third = linears
    model = limen.Model([first, limen.Activation("mish"), second, limen.Activation("mish"), third])
    for linear, weight in zip(linears, weights, strict=True):
        linear.weight.value = weight
    step = model.training_step(limen.HalfSquaredError(), limen.SGD(RATE))
    return lambda: step(x, y)


def products_step(batch: int, width: int) -> Step:
    x, grad, (weight, *_) = data(batch, width)
    y, flow, slope = np.empty_like(x), np.empty_like(x), np.empty_like(weight)

    def step() -> None:
        for _ in range(3):
            np.matmul(x, weight.T, out=y)
            np.matmul(grad.T, x, out=slope)
        for _ in range(2):
            np.matmul(grad, weight, out=flow)

    return step


def torch_step(batch: int, width: int, compiled: bool = False) -> Step:
    import torch

    x, y, weights = data(batch, width)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    linears = [torch.nn.Linear(width, width) for _ in weights]
    with torch.no_grad():
        for linear, weight in zip(linears, weights, strict=True):
            linear.weight.copy_(torch.from_numpy(weight))
    mish = torch.nn.Mish()
    model = torch.nn.Sequential(linears[0], mish, linears[1], mish, linears[2])
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)

    def loss_of(x: Any, y: Any) -> Any:
        return 0.5 * ((model(x) - y) ** 2).sum() / batch

    measured = torch.compile(loss_of) if compiled else loss_of

    def step() -> float:
        optimizer.zero_grad()
        loss = measured(inputs, targets)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def compiled_step(batch: int, width: int) -> Step:
    return torch_step(batch, width, compiled=True)


def jax_step(batch: int, width: int) -> Step:
    import jax
    import jax.numpy as jnp

    x, y, weights = data(batch, width)
    inputs, targets = jnp.asarray(x), jnp.asarray(y)
    parameters = [(jnp.asarray(weight), jnp.zeros(width)) for weight in weights]

    def loss_of(parameters: Any, x: Any, y: Any) -> Any:
        for k, (weight, bias) in enumerate(parameters):
            x = x @ weight.T + bias
            x = jax.nn.mish(x) if k < 2 else x
        return 0.5 * ((x - y) ** 2).sum() / batch

    def moved(parameters: Any, x: Any, y: Any) -> Any:
        loss, grads = jax.value_and_grad(loss_of)(parameters, x, y)
        return loss, jax.tree_util.tree_map(lambda p, g: p - RATE * g, parameters, grads)

    compiled = jax.jit(moved, donate_argnums=0)

    def step() -> float:
        nonlocal parameters
        loss, parameters = compiled(parameters, inputs, targets)
        return float(loss)

    return step


# What is measured, and the package it needs.
FRAMEWORKS: dict[str, tuple[Callable[[int, int], Step], str]] = {
    "bare products": (products_step, "numpy"),
    "limen": (limen_step, "limen"),
    "PyTorch": (torch_step, "torch"),
    "torch.compile": (compiled_step, "torch"),
    "JAX jit": (jax_step, "jax"),
}


def serve(name: str) -> None:
    """The process of one framework: reads a row, measures, prints the times of its steps."""
    steps: dict[tuple[int, int], Step] = {}
    for line in sys.stdin:
        row = tuple(json.loads(line))
        if row not in steps:
            steps[row] = FRAMEWORKS[name][0](*row)
            steps[row]()
        step = steps[row]
        sleep(0.05)  # until the threads of the framework before have stopped spinning
        step()
        times = []
        end = perf_counter() + SECONDS
        while perf_counter() < end or len(times) < 3:
            start = perf_counter()
            step()
            times.append(perf_counter() - start)
        print(json.dumps(times), flush=True)


def started(name: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--serve", name]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def asked(process: subprocess.Popen[str], row: tuple[int, int]) -> list[float]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(row) + "\n")
    process.stdin.flush()
    times: list[float] = json.loads(process.stdout.readline())
    return times


def main(rounds: int = 5) -> None:
    """Prints the median of every row, and the middle half of the steps."""
    names = [n for n, (_, needs) in FRAMEWORKS.items() if importlib.util.find_spec(needs)]
    processes = {name: started(name) for name in names}
    print("milliseconds a step: median (quartiles); float32, mish, squared error, SGD")
    print(f"{'batch, width':>14}", *(f"{name:>26}" for name in names))
    for row in ROWS:
        times: dict[str, list[float]] = {name: [] for name in names}
        for round_ in range(rounds + 1):
            for name, process in processes.items():
                found = asked(process, row)
                if round_:  # the first one warms up
                    times[name] += found
        cells = []
        for name in names:
            low, middle, high = (1e3 * q for q in statistics.quantiles(times[name], n=4))
            cells.append(f"{middle:8.3f} ({low:7.3f}-{high:7.3f})")
        print(f"{row!s:>14}", *(f"{cell:>26}" for cell in cells), flush=True)
    for process in processes.values():
        process.kill()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    else:
        main(*map(int, sys.argv[1:]))
