"""limen inside PyTorch beside PyTorch eager and torch.compile, in one run.

    python benchmarks/torch_layers.py [--threads 1] [--quick] [--markdown FILE]

Activation modules forward, and with backward; training steps of MLP blocks, and of a small
transformer block: time as a ratio to PyTorch eager's in the same rounds, the bytes kept for the
backward pass, and by how much memory grows at most in a step. And how much longer functions take
that keep less.
"""

from __future__ import annotations

import argparse
import copy
import ctypes
import gc
import random
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.nn import functional

import limen
import limen.torch as lt

FORMULA = "x * tanh(softplus(x))"  # as somebody's new function: eager PyTorch has no kernel for it
SIZES = (1 << 10, 1 << 14, 1 << 18, 1 << 22)
BATCHES, WIDTHS = (32, 256, 1024, 4096), (64, 256, 1024)
ROUNDS, FEW_ROUNDS = 15, 5
LONG = 0.5  # seconds that all calls of a round take together, from which on the rounds are few
LEAST = 2e-3  # seconds that one timing takes at least
WAYS = ("eager", "compile", "limen", "compile(limen)")

Call = Callable[[], Any]


class Formula(nn.Module):
    """The formula as PyTorch's users write it."""

    def forward(self, x: Any) -> Any:
        """Three operations, two of which keep a tensor each, and the product two."""
        return x * torch.tanh(functional.softplus(x))


MODULES: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "silu": nn.SiLU, "mish": nn.Mish,
    "softplus": nn.Softplus, FORMULA: Formula,
}  # fmt: skip
"""Each against limen's module of the name, with PyTorch's derivative at kinks."""


def timed(calls: dict[str, Call]) -> dict[str, float]:
    """The median over rounds of each call's time by the first one's."""
    rounds = rounds_of(calls, seconds)
    first = next(iter(calls))
    return {n: statistics.median(r[n] / r[first] for r in rounds) for n in calls} | {
        "seconds": statistics.median(r[first] for r in rounds)
    }


def rounds_of(
    calls: dict[str, Call], seconds: Callable[[Call, int], float]
) -> list[dict[str, float]]:
    """The seconds that each call takes, in rounds in which all take turns.

    Every round has an order of its own: who comes after whom changes what the caches and the
    system's allocator have in store.
    """
    lasts = {}
    for name, call in calls.items():
        call()
        call()
        lasts[name] = seconds(call, 1)
    often = {name: max(1, int(LEAST / max(last, 1e-7))) for name, last in lasts.items()}
    count = ROUNDS if sum(lasts.values()) < LONG else FEW_ROUNDS
    names = list(calls)
    return [
        {name: seconds(calls[name], often[name]) for name in random.sample(names, len(names))}
        for _ in range(count)
    ]


def seconds(call: Call, times: int) -> float:
    """How long one of several calls takes."""
    begun = perf_counter()
    for _ in range(times):
        call()
    return (perf_counter() - begun) / times


def kept(model: Any, x: Any) -> int:
    """The bytes kept for the backward pass, every storage once, without the parameters."""
    found: dict[int, Any] = {}

    def keep(tensor: Any) -> Any:
        found[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(x)
    for parameter in model.parameters():
        found.pop(parameter.untyped_storage().data_ptr(), None)
    return sum(storage.nbytes() for storage in found.values())


def peak(call: Call) -> int:
    """By how many bytes the process grows at most while it runs."""
    limen.memory.release()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    call()
    return status("VmHWM") - before


def status(name: str) -> int:
    """A figure of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


def ratio(value: float) -> str:
    """A ratio to PyTorch eager."""
    return f"{value:.2f}"


def functions(sizes: tuple[int, ...]) -> Iterator[list[str]]:
    """Each function alone, forward and with backward; the names of the columns first."""
    yield ["function", "elements", "direction", "eager", *WAYS[1:]]
    for name, made in MODULES.items():
        theirs = made()
        ours = lt.Activation(name, at_kinks=0.0 if name == "relu" else None)
        torch._dynamo.reset()
        ways = {
            "eager": theirs,
            "compile": torch.compile(theirs, dynamic=False),
            "limen": ours,
            "compile(limen)": torch.compile(ours, dynamic=False),
        }
        for size in sizes:
            x, flow = torch.randn(size), torch.randn(size)
            leaf = x.clone().requires_grad_()
            with torch.no_grad():
                forward = timed({way: partial(f, x) for way, f in ways.items()})
            both = timed({way: partial(step_of, f, leaf, flow) for way, f in ways.items()})
            for direction, found in (("forward", forward), ("with backward", both)):
                eager = f"{found['seconds'] * 1e6:,.0f} µs"
                row = [eager, *[ratio(found[way]) for way in WAYS[1:]]]
                yield [name, f"{size:,}", direction, *row]


def step_of(f: Any, leaf: Any, flow: Any) -> None:
    """Forward and backward."""
    leaf.grad = None
    f(leaf).backward(flow)


def compacts(sizes: tuple[int, ...]) -> Iterator[list[str]]:
    """What compact mode keeps, with a Linear layer behind, and how much longer it takes."""
    yield ["function", "elements", "kept", "kept compact", "forward", "backward"]
    for name in ("relu", "hardtanh", "gelu", "tanh"):
        ways = {"exact": lt.Activation(name), "compact": lt.Activation(name, compact=True)}
        for size in sizes:
            x = torch.randn(size // 64, 64, requires_grad=True)
            flow = torch.randn_like(x)
            models = [nn.Sequential(act, nn.Linear(64, 1)) for act in ways.values()]
            amounts = [f"{kept(model, x * 1) / 1e6:.1f} MB" for model in models]
            forward = timed({way: partial(act, x) for way, act in ways.items()})
            flows = {
                way: partial(torch.autograd.grad, act(x), x, flow, retain_graph=True)
                for way, act in ways.items()
            }
            times = [ratio(found["compact"]) for found in (forward, timed(flows))]
            yield [name, f"{size:,}", *amounts, *times]


class Transformer(nn.Module):
    """One block: attention and a block of Linear layers, each with a norm in front."""

    def __init__(self, width: int, block: nn.Module) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.one, self.other, self.block = nn.LayerNorm(width), nn.LayerNorm(width), block

    def forward(self, x: Any) -> Any:
        """The block's output."""
        normed = self.one(x)
        x = x + self.attention(normed, normed, normed, need_weights=False)[0]
        return x + self.block(self.other(x))


def models(width: int, name: str) -> tuple[nn.Module, nn.Module]:
    """The same block of PyTorch's layers, and with limen's."""
    act = MODULES[name]()
    theirs = nn.Sequential(nn.Linear(width, 4 * width), act, nn.Linear(4 * width, width))
    ours = lt.MLP(width, 4 * width, width, activation=name)
    ours.up.load_state_dict(theirs[0].state_dict())
    ours.down.load_state_dict(theirs[2].state_dict())
    return theirs, ours


def variants_of(theirs: nn.Module, ours: nn.Module) -> dict[str, Any]:
    """Both models as they are, and copies of them compiled, whose parameters are their own."""
    compiled = [torch.compile(copy.deepcopy(model), dynamic=False) for model in (theirs, ours)]
    return dict(zip(WAYS, (theirs, compiled[0], ours, compiled[1]), strict=True))


def training(cases: list[tuple[str, str, int, int]]) -> Iterator[list[str]]:
    """Whole steps: forward, squared error, backward, update; the names of the columns first."""
    heads = [f"{way}: {head}" for way in WAYS for head in ("time", "kept", "peak")]
    yield ["model", "activation", "batch", "width", *heads]
    for kind, name, batch, width in cases:
        torch._dynamo.reset()
        torch.manual_seed(0)
        theirs, ours = models(width, name)
        x = torch.randn(batch, width)
        if kind == "transformer":
            theirs, ours = Transformer(width, theirs), Transformer(width, ours)
            x = torch.randn(max(1, batch // 64), 64, width)
        variants = variants_of(theirs, ours)
        steps = {way: training_step(model, x) for way, model in variants.items()}
        times = timed(steps)
        cells = []
        for way, model in variants.items():
            time = f"{times['seconds'] * 1e3:.2f} ms" if way == "eager" else ratio(times[way])
            cells += [time, f"{kept(model, x) / 1e6:.1f} MB", f"{peak(steps[way]) / 1e6:.1f} MB"]
        yield [kind, name, f"{batch:,}", str(width), *cells]


def training_step(model: Any, x: Any) -> Call:
    """A step of SGD towards a fixed target."""
    target = torch.zeros_like(x)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        functional.mse_loss(model(x), target).backward()
        optimizer.step()

    return step


def show(console: Console, rows: Iterator[list[str]], file: Path | None) -> None:
    """Prints a table, and appends its rows to a page as they are found."""
    head = next(rows)
    table = Table(*head)
    write(file, head, ["---" if k < 3 else "---:" for k in range(len(head))])
    for row in rows:
        table.add_row(*row)
        write(file, row)
    console.print(table)


def write(file: Path | None, *rows: list[str]) -> None:
    """Appends rows of a table in Markdown."""
    if file is not None:
        with file.open("a") as page:
            page.writelines(f"| {' | '.join(row)} |\n" for row in rows)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a few rows")
    parser.add_argument("--only", choices=("functions", "compact", "training"))
    parser.add_argument("--widths", type=int, nargs="*", help="of the models; all if left out")
    parser.add_argument("--markdown", type=Path, help="a file to append the tables to")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    console = Console(width=200)
    quick = given.quick
    if given.only in (None, "functions"):
        show(console, functions(SIZES[1:3] if quick else SIZES), given.markdown)
    if given.only in (None, "compact"):
        show(console, compacts(SIZES[2:3] if quick else SIZES[2:]), given.markdown)
    batches, widths = (BATCHES[1:3], WIDTHS[1:2]) if quick else (BATCHES, WIDTHS)
    names = (FORMULA, "gelu")
    cases = [("transformer", name, 256, 256) for name in names[:2]]
    cases += [("MLP", name, b, w) for w in widths for b in batches for name in names]
    if given.only in (None, "training"):
        wanted = [case for case in cases if not given.widths or case[3] in given.widths]
        show(console, training(wanted), given.markdown)


if __name__ == "__main__":
    main()
