"""Which cases a run of the bench has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from limen.bench.case import Case, Elementwise, Step
from limen.bench.machine import cores
from limen.bench.measure import Settings
from limen.function import ActivationFunction

__all__ = ["SIZES", "STEPS", "settings"]

SIZES = (2**12, 2**18, 2**25)
"""In the first-level cache, in the second, in memory."""

STEPS = (Step(32, 64), Step(128, 256), Step(1024, 256), Step(4096, 1024))
"""From a step that is all overhead to one that is all matrix products."""

_QUICK_SIZES = (2**12, 2**18, 2**23)
_QUICK_STEPS = STEPS[:3]
_QUICK_ROUNDS = 5


def settings(
    functions: Sequence[ActivationFunction],
    *,
    quick: bool = False,
    sizes: Sequence[int] = (),
    threads: Sequence[int] = (),
    training: bool = True,
    latency: bool = True,
    deviation: float = 1.0,
) -> Settings:
    """The cases: every function, both directions, every size; and the training steps.

    Args:
        functions: what to measure.
        quick: smaller sizes, one number of threads, fewer rounds.
        sizes: how many elements, where it is not to be the usual sizes.
        threads: how many, where it is not to be one and all cores.
        training: whether to measure training steps.
        latency: whether to measure the first call, of the first function.
        deviation: the standard deviation of the inputs.
    """
    cases: list[Case] = [
        Elementwise.of(f, direction, size, deviation)
        for size in sizes or (_QUICK_SIZES if quick else SIZES)
        for f in functions
        for direction in ("forward", "backward")
    ]
    if training:
        cases += _QUICK_STEPS if quick else STEPS
    first = Elementwise.of(functions[0], "forward", SIZES[0]) if latency and functions else None
    counts = tuple(threads) or ((1,) if quick else tuple(sorted({1, cores()})))
    plan = Settings(tuple(cases), counts, latency=first)
    return replace(plan, rounds=_QUICK_ROUNDS, seconds=1.0, starts=1) if quick else plan
