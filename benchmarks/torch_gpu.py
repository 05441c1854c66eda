"""limen inside PyTorch on a GPU, beside PyTorch eager and torch.compile, in one run.

    python benchmarks/torch_gpu.py [--quick] [--seconds 120] [--markdown FILE]

Activation modules forward, and with backward, as multiples of the time in which the GPU copies the
tensor; training steps of MLP blocks: time, the bytes kept for the backward pass, and by how much
the GPU's memory grows at most in a step. Times are CUDA events around calls in a row: small tensors
show what a call costs the CPU, which the GPU waits for, and up to some 2**22 numbers stay in its
cache. With each median over rounds goes its spread, half the distance between the quartiles.
"""

from __future__ import annotations

import argparse
import gc
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from rich.console import Console
from torch import nn
from torch.nn import functional
from torch_layers import (
    FORMULA,
    MODULES,
    WAYS,
    Call,
    kept,
    models,
    rounds_of,
    show,
    step_of,
    training_step,
    variants_of,
)

import limen.torch as lt

OTHER = "x * erf(softplus(x))"
SIZES = (1 << 16, 1 << 20, 1 << 24, 1 << 26)
DTYPES = (torch.float32, torch.bfloat16)
BLOCKS = ((1024, 1024), (8192, 1024), (8192, 4096))  # batch, width


class Other(nn.Module):
    """The other formula as PyTorch's users write it."""

    def forward(self, x: Any) -> Any:
        """Three operations."""
        return x * torch.erf(functional.softplus(x))


NAMES = (FORMULA, OTHER, "gelu", "relu", "silu", "tanh", "mish")
MADE: dict[str, Callable[[], nn.Module]] = {**MODULES, OTHER: Other}


def seconds(call: Call, times: int) -> float:
    """How long the GPU takes for one of several calls, with what it waits for the CPU."""
    begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begun.record()
    for _ in range(times):
        call()
    ended.record()
    ended.synchronize()
    return begun.elapsed_time(ended) / 1e3 / times


def cells(calls: dict[str, Call], unit: float, digits: int) -> list[str]:
    """The first call's time, and each other's as a multiple of it, with their spreads."""
    rounds = rounds_of(calls, seconds)
    first, *others = calls
    found = [(first, [r[first] * unit for r in rounds], digits)]
    found += [(name, [r[name] / r[first] for r in rounds], 2) for name in others]
    return [f"{statistics.median(ratios):.{n}f} ±{spread(ratios):.{n}f}" for _, ratios, n in found]


def spread(numbers: list[float]) -> float:
    """Half the distance between the quartiles."""
    low, _, high = statistics.quantiles(numbers, n=4)
    return (high - low) / 2


def functions(sizes: tuple[int, ...], until: float) -> Iterator[list[str]]:
    """Each function alone, forward and with backward; the names of the columns first."""
    yield ["function", "dtype", "elements", "direction", "copy, µs", *WAYS]
    for dtype in DTYPES:
        for name in NAMES:
            if perf_counter() > until:
                return
            torch._dynamo.reset()
            theirs = MADE[name]()
            ours = lt.Activation(name, at_kinks=0.0 if name == "relu" else None)
            compiled = [torch.compile(f, dynamic=True) for f in (theirs, ours)]
            ways = dict(zip(WAYS, (theirs, compiled[0], ours, compiled[1]), strict=True))
            for size in sizes:
                x, flow, out = (torch.randn(size, device="cuda", dtype=dtype) for _ in range(3))
                leaf, copied = x.clone().requires_grad_(), partial(out.copy_, x)
                forward = {"copy": copied} | {way: partial(f, x) for way, f in ways.items()}
                both = {"copy": copied} | {
                    way: partial(step_of, f, leaf, flow) for way, f in ways.items()
                }
                kind = [name, str(dtype).removeprefix("torch."), f"{size:,}"]
                with torch.no_grad():
                    found = cells(forward, 1e6, 1)
                yield [*kind, "forward", *found]
                yield [*kind, "with backward", *cells(both, 1e6, 1)]


def training(blocks: tuple[tuple[int, int], ...], until: float) -> Iterator[list[str]]:
    """Whole steps of an MLP; the names of the columns first."""
    heads = [f"{way}: {head}" for way in WAYS for head in ("time", "kept", "peak")]
    yield ["activation", "dtype", "batch", "width", *heads]
    for batch, width in blocks:
        for name, dtype in ((FORMULA, torch.bfloat16), ("gelu", torch.bfloat16),
                            ("gelu", torch.float32)):  # fmt: skip
            if perf_counter() > until:
                return
            torch._dynamo.reset()
            theirs, ours = (block.to("cuda", dtype) for block in models(width, name))
            x = torch.randn(batch, width, device="cuda", dtype=dtype)
            variants = variants_of(theirs, ours)
            steps = {way: training_step(model, x) for way, model in variants.items()}
            row = [name, str(dtype).removeprefix("torch."), f"{batch:,}", str(width)]
            for time, way in zip(cells(steps, 1e3, 2), WAYS, strict=True):
                unit = " ms" if way == "eager" else ""
                row += [time + unit, f"{kept(variants[way], x) / 1e6:.1f} MB"]
                row += [f"{peak(steps[way]) / 1e6:.1f} MB"]
            yield row


def peak(call: Call) -> int:
    """By how many bytes the GPU's memory grows at most while it runs."""
    gc.collect()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def main() -> None:
    """Prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few rows")
    parser.add_argument("--seconds", type=float, default=120, help="then no row is begun")
    parser.add_argument("--markdown", type=Path, help="a file to append the tables to")
    given = parser.parse_args()
    console, begun = Console(width=220), perf_counter()
    console.print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}")
    blocks, sizes = (BLOCKS[1:2], SIZES[2:3]) if given.quick else (BLOCKS, SIZES)
    show(console, training(blocks, begun + given.seconds / 3), given.markdown)
    if given.markdown:
        with given.markdown.open("a") as page:
            page.write("\n")
    show(console, functions(sizes, begun + given.seconds), given.markdown)


if __name__ == "__main__":
    main()
