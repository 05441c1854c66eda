"""The kernel of a table: a fitted sweep over each tile, and the general kernel for what is left."""

from __future__ import annotations

import platform
import pprint
from functools import cache

from limen.kernels.plan import GRAD_OUTPUT, Plan
from limen.kernels.tuned.table import Table

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


def to_source(table: Table, plan: Plan, title: str) -> str:
    """The source of the tuned kernel; it calls a `general` kernel that its module is given.

    Args:
        table: the fitted table of the function, or of the derivative in a backward plan.
        plan: the plan of the general kernel.
        title: what the docstring of the source says first.

    Returns:
        A Python module that defines `kernel(*inputs, *outputs, *parameters)`.
    """
    is_backward = plan.inputs[0] == GRAD_OUTPUT
    sweep = "flow_sweep" if is_backward else "value_sweep"
    arrays = [f"{name}_array" for name in plan.inputs]
    numbers = [f"number_{k + 1}" for k in range(len(plan.parameters))]
    left = [f"left_{name}" for name in plan.inputs]
    rooms = [f"    {name} = carray(on_stack(float32(0)), TILE)" for name in (*left, "left_out")]
    remaining = ", ".join([*(f"{name}[:full]" for name in (*left, "left_out")), *numbers])
    lines = [
        f'"""{title}"""',
        "",
        "from numba import carray, float32, int32",
        "",
        f"from limen.kernels.tuned.sweep import GROUP, TILE, on_stack, {sweep}",
        "from limen.kernels.tuned.table import Table",
        "",
        f"table = {pprint.pformat(table.to_data(), width=100, compact=True, sort_dicts=False)}",
        f"sweep = {sweep}(Table.from_data(table))",
        "",
        "",
        f"def kernel({', '.join([*arrays, 'out', *numbers])}):",
        *rooms,
        "    left_at = carray(on_stack(int32(0)), TILE)",
        f"    for start in range(0, {arrays[0]}.size, TILE):",
        f"        stop = min(start + TILE, {arrays[0]}.size)",
        f"        count = sweep({', '.join(arrays)}, out, start, stop, {', '.join(left)}, left_at)",
        "        if count:",
        "            full = (count + GROUP - 1) // GROUP * GROUP",
        *(f"            {name}[count:full] = {name}[0]" for name in left),
        f"            general({remaining})",
        "            for k in range(count):",
        "                out[start + left_at[k]] = left_out[k]",
        "",
    ]
    return "\n".join(lines)
