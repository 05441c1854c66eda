"""What `limen.observe` costs, what it keeps, and what its diagnosis finds.

    python benchmarks/observe.py [--quick]
    python benchmarks/observe.py --memory
    python benchmarks/observe.py --diagnosis [--seeds 5] [--quick]

Overhead: a network that is watched and its twin that is not take turns in one process, at the
default sampling; the median over rounds of the ratio of their times, and how often it was looked
at. Memory: what an observation holds after so many looks. Diagnosis: the networks of
`sick_networks.py`, with the share that got the right finding, and of healthy ones that got any.
"""

from __future__ import annotations

import argparse
import statistics
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from sick_networks import CASES, Case, observed

import limen

Step = Callable[[], object]


class Watched(NamedTuple):
    """A network, what a step of it is, and data for a probe."""

    model: Any
    step: Step
    probe: tuple[Any, Any]


# --- Overhead --------------------------------------------------------------------------------


def own(width: int, batch: int, trains: bool = True) -> Watched:
    """A `limen.Model` of two hidden layers."""
    layers: list[Any] = []
    for inputs in (64, width):
        layers += [limen.Linear(inputs, width), limen.Activation("gelu")]
    model = limen.Model([*layers, limen.Linear(width, 10)], seed=0)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(batch, 64)).astype(np.float32), random.integers(0, 10, batch)
    train = model.training_step(limen.CrossEntropy(), limen.SGD(1e-3))
    return Watched(model, lambda: train(x, y) if trains else model.predict(x), (x, y))


def torch_network(kind: str, batch: int, trains: bool = True) -> Watched:
    """A PyTorch network."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    x = torch.randn(batch, 64)
    if kind == "convolution":
        x = torch.randn(batch, 3, 16, 16)
        network: nn.Module = nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1),
            nn.ReLU(), nn.Flatten(), nn.Linear(32 * 256, 10),
        )  # fmt: skip
    elif kind == "transformer":
        x = torch.randn(batch, 32, 64)
        layer = nn.TransformerEncoderLayer(64, 4, 256, activation="gelu", batch_first=True)
        network = nn.Sequential(layer, nn.Flatten(), nn.Linear(32 * 64, 10))
    else:
        width = int(kind)
        network = nn.Sequential(
            nn.Linear(64, width), nn.GELU(), nn.Linear(width, width), nn.GELU(),
            nn.Linear(width, 10),
        )  # fmt: skip
    y = torch.randint(0, 10, (batch,))
    optimizer = torch.optim.SGD(network.parameters(), 1e-3)

    def train() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()

    def predict() -> None:
        with torch.no_grad():
            network(x)

    return Watched(network, train if trains else predict, (x, y))


NETWORKS: dict[str, Callable[[], Watched]] = {
    "limen, 64 wide, batch 32": lambda: own(64, 32),
    "limen, 256 wide, batch 128": lambda: own(256, 128),
    "limen, 1024 wide, batch 256": lambda: own(1024, 256),
    "limen, 256 wide, batch 128, inference": lambda: own(256, 128, trains=False),
    "PyTorch, 64 wide, batch 32": lambda: torch_network("64", 32),
    "PyTorch, 256 wide, batch 128": lambda: torch_network("256", 128),
    "PyTorch, 1024 wide, batch 256": lambda: torch_network("1024", 256),
    "PyTorch, 256 wide, batch 128, inference": lambda: torch_network("256", 128, trains=False),
    "PyTorch, convolution, batch 32": lambda: torch_network("convolution", 32),
    "PyTorch, transformer, batch 16": lambda: torch_network("transformer", 16),
}


def overhead(rounds: int, seconds: float, with_probe: bool) -> Iterator[tuple[str, ...]]:
    """A row for each network: its time watched by its twin's, and how many steps were looked at."""
    for name, make in NETWORKS.items():
        try:
            plain, watched = make(), make()
        except ImportError:
            continue
        probe = watched.probe if with_probe else None
        with limen.observe(watched.model, probe=probe) as seen:
            for step in (plain.step, watched.step):
                turn(step, seconds)
            before = seen.steps, seen.layers[0].looked_steps
            times = [
                (turn(plain.step, seconds), turn(watched.step, seconds)) for _ in range(rounds)
            ]
            steps, looks = seen.steps - before[0], seen.layers[0].looked_steps - before[1]
        ratios = sorted(b / a for a, b in times)
        low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
        yield (
            name,
            f"{1e3 * statistics.median(a for a, _ in times):.3g} ms",
            f"{statistics.median(ratios):.3f}",
            f"{low:.3f} to {high:.3f}",
            f"{looks} of {steps:,}",
        )


def turn(step: Step, seconds: float) -> float:
    """The mean time of a step in a stretch of so many seconds."""
    began, steps = perf_counter(), 0
    while perf_counter() - began < seconds:
        step()
        steps += 1
    return (perf_counter() - began) / steps


# --- Memory ----------------------------------------------------------------------------------


def memory(looks: tuple[int, ...]) -> Iterator[tuple[str, ...]]:
    """A row for each width: what an observation of two layers holds after so many looks."""
    for width in (64, 1024, 8192):
        layers = [limen.Linear(8, width), limen.Activation("relu")]
        model = limen.Model([*layers, limen.Linear(width, 1), limen.Activation("tanh")], seed=0)
        x = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
        model.predict(x)
        held, done = [], 0
        tracemalloc.start()
        with ExitStack() as stack:
            seen = stack.enter_context(limen.observe(model, every=1))
            for count in looks:
                for _ in range(count - done):
                    model.predict(x)
                done = count
                held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert seen.layers[0].looked_steps == looks[-1]
        yield (f"{width:,}", *(f"{size / 1024:,.0f} KiB" for size in held))


# --- Diagnosis -------------------------------------------------------------------------------


def diagnosis(seeds: int) -> Iterator[tuple[str, ...]]:
    """A row for each kind of network: how many were found sick, and how of what else."""
    for name, case in CASES.items():
        found = [kinds(case, f, seed) for f in case.functions for seed in range(seeds)]
        right = sum(case.sickness in row if case.sickness else not row for row in found)
        others: dict[str, int] = {}
        for kind in (kind for row in found for kind in row if kind != case.sickness):
            others[kind] = others.get(kind, 0) + 1
        beside = ", ".join(f"{kind} {count}" for kind, count in sorted(others.items()))
        yield (
            name,
            ", ".join(case.functions),
            case.sickness or "nothing",
            f"{right} of {len(found)}",
            beside or "nothing",
        )


def kinds(case: Case, function: str, seed: int) -> set[str]:
    """The kinds of findings that a network gets."""
    return {finding.kind for finding in observed(case, function, seed).diagnosis()}


def show(title: str, columns: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> None:
    """Prints a table when it is complete, and its rows as they come."""
    table = Table(*columns, title=title)
    console = Console(width=150)
    with console.status("measuring") as status:
        for row in rows:
            status.update(f"measured {row[0]}")
            table.add_row(*row)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--diagnosis", action="store_true")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    if given.memory:
        looks = (30, 300, 1000)
        columns = ("neurons", *(f"after {count:,} looks" for count in looks))
        show("Memory held by an observation", columns, memory(looks))
    if given.diagnosis:
        columns = ("networks", "functions", "to be found", "right", "found beside")
        show("Diagnosis", columns, diagnosis(1 if given.quick else given.seeds))
    if given.memory or given.diagnosis:
        return
    rounds, seconds = (5, 0.5) if given.quick else (15, 1.0)
    columns = ("network", "a step", "watched", "quartiles", "steps looked at")
    for with_probe in (False, True):
        title = f"Time of a watched network by its twin's, {'with a' if with_probe else 'no'} probe"
        show(title, columns, overhead(rounds, seconds, with_probe))


if __name__ == "__main__":
    main()
