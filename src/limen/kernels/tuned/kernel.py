"""The kernel of a table: a fitted sweep over each tile, and the general kernel for what is left."""

from __future__ import annotations

import platform
import pprint
from collections.abc import Sequence
from functools import cache

from limen.kernels.plan import GRAD_OUTPUT, Plan
from limen.kernels.statements import outputs
from limen.kernels.tuned.powers import Powers, Tuned

__all__ = ["is_supported", "to_source"]

_NEEDED = ("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vbmi")


@cache
def is_supported() -> bool:
    """Whether the CPU that Numba compiles for has the instructions."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    import llvmlite.binding
    import numba

    chosen: str | None = getattr(numba.config, "CPU_FEATURES", None)
    if chosen is not None:
        return all(f"+{feature}" in chosen.split(",") for feature in _NEEDED)
    if getattr(numba.config, "CPU_NAME", None) not in (None, "host"):
        return False
    features = llvmlite.binding.get_host_cpu_features()
    return all(features.get(feature, False) for feature in _NEEDED)


def to_source(tables: Sequence[Tuned], plan: Plan, title: str) -> str:
    """The source of the tuned kernel; it calls a `general` kernel that its module is given.

    Args:
        tables: the table of the function, or of the derivative in a backward plan; for two
            gradients both, the derivative's first.
        plan: the plan of the general kernel.
        title: what the docstring of the source says first.

    Returns:
        A Python module that defines `kernel(*inputs, *outputs, *parameters)`.
    """
    formula = _formula(plan)
    arrays = [f"{name}_array" for name in plan.inputs]
    written = outputs(plan)
    numbers = [f"number_{k + 1}" for k in range(len(plan.parameters))]
    left = [f"left_{name}" for name in plan.inputs]
    left_out = [f"left_{name}" for name in written]
    rooms = [f"    {name} = carray(on_stack(float32(0)), TILE)" for name in (*left, *left_out)]
    remaining = ", ".join([*(f"{name}[:full]" for name in (*left, *left_out)), *numbers])
    data = [table.to_data() for table in tables]
    lines = [
        f'"""{title}"""',
        "",
        "from numba import carray, float32, int32",
        "",
        f"from limen.kernels.tuned.{_formulas(tables)} import {formula}",
        "from limen.kernels.tuned.powers import table_from_data",
        "from limen.kernels.tuned.sweep import GROUP, TILE, on_stack, sweep_of",
        "",
        f"tables = {pprint.pformat(data, width=100, compact=True, sort_dicts=False)}",
        f"sweep = sweep_of({formula}, *map(table_from_data, tables))",
        "",
        "",
        f"def kernel({', '.join([*arrays, *written, *numbers])}):",
        *rooms,
        "    left_at = carray(on_stack(int32(0)), TILE)",
        f"    inputs, outputs, left = {_tuple(arrays)}, {_tuple(written)}, {_tuple(left)}",
        f"    for start in range(0, {arrays[0]}.size, TILE):",
        f"        stop = min(start + TILE, {arrays[0]}.size)",
        "        count = sweep(inputs, outputs, start, stop, left, left_at)",
        "        if count:",
        "            full = (count + GROUP - 1) // GROUP * GROUP",
        *(f"            {name}[count:full] = {name}[0]" for name in left),
        f"            general({remaining})",
        "            for k in range(count):",
        *(f"                {name}[start + left_at[k]] = left_{name}[k]" for name in written),
        "",
    ]
    return "\n".join(lines)


def _formulas(tables: Sequence[Tuned]) -> str:
    """The module of the formulas that tables are for."""
    return "exponential" if isinstance(tables[0], Powers) else "fitted"


def _formula(plan: Plan) -> str:
    """The name of the formula that computes what a plan does."""
    is_backward = plan.inputs[0] == GRAD_OUTPUT
    if len(plan.inputs) - is_backward == 1:
        return "flow" if is_backward else "value"
    return "flows" if is_backward else "product"


def _tuple(names: Sequence[str]) -> str:
    return f"({', '.join(names)},)" if len(names) == 1 else f"({', '.join(names)})"
