"""Prints a plan as the source of a kernel: one readable loop over the elements.

Two dialects print the same plan. In the plain one a number is a float64, and arithmetic is
written infix; it serves float32 and the 16-bit formats. In the extended one a number is a pair of
float64 (a double-double), and arithmetic is a call; it serves float64, and in a variant 16 bits
where results may lie beside a tie (`ties`). Either way a kernel computes at twice the precision of
what it stores and rounds once.

A kernel with sines has three loops over blocks of elements: the first finds out whether the block
has an argument that is not moderate, and so which of the others computes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from limen.kernels.algebraic_statements import AlgebraicStatements
from limen.kernels.overflow import shrunk_first
from limen.kernels.plain_statements import PlainStatements, relaxed_plan, waves
from limen.kernels.plan import Plan
from limen.kernels.statements import DTYPES, Statements, array, outputs, scalar
from limen.kernels.ties import may_meet_ties, over_one_denominator

__all__ = ["DTYPES", "to_source"]

_BLOCK = 1 << 12


def to_source(plan: Plan, dtype: str, title: str) -> str:
    """The source of the kernel that a plan describes, for one dtype.

    Args:
        plan: what to compute.
        dtype: a name of `DTYPES`.
        title: what the docstring of the source says first.

    Returns:
        A Python module that defines `kernel(*inputs, *outputs, *parameters)`.
    """
    used: set[str] = set()
    # Inputs of 32 bits are far from overflow in float64.
    if dtype == "float64":
        plan = replace(plan, outputs=tuple(map(shrunk_first, plan.outputs)))
    else:
        plan = relaxed_plan(plan)
    if dtype == "float64":
        module, loops = "extended", _widened(plan, Statements(plan, dtype, used))
    elif may_meet_ties(plan, dtype):
        plan = over_one_denominator(plan)
        module, loops = "algebraic", _loop(plan, AlgebraicStatements(plan, dtype, used))
    elif waves(plan):
        module, loops = "plain", _loops_over_blocks(plan, dtype, used)
    else:
        module, loops = "plain", _loop(plan, PlainStatements(plan, dtype, used))
    arguments = ", ".join([*_arrays(plan), *map(scalar, plan.parameters)])
    imports = _imports(used, module)
    lines = [f'"""{title}"""', "", *imports, "", "", f"def kernel({arguments}):", *loops, ""]
    return "\n".join(lines)


def _loop(plan: Plan, statements: Statements) -> list[str]:
    return [f"    for i in range({_arrays(plan)[0]}.size):", *statements.body()]


def _loops_over_blocks(plan: Plan, dtype: str, used: set[str]) -> list[str]:
    arrays = _arrays(plan)
    head = f"for i in range({arrays[0]}_block.size):"
    far = PlainStatements(plan, dtype, used, "_block").far()
    anything = PlainStatements(plan, dtype, used, "_block").body()
    moderate = PlainStatements(plan, dtype, used, "_block", is_calm=True).body()
    return [
        f"    for start in range(0, {arrays[0]}.size, {_BLOCK}):",
        *(f"        {name}_block = {name}[start : start + {_BLOCK}]" for name in arrays),
        "        far = 0",
        f"        {head}",
        *(f"    {line}" for line in far),
        "        if far:",
        f"            {head}",
        *(f"        {line}" for line in anything),
        "        else:",
        f"            {head}",
        *(f"        {line}" for line in moderate),
    ]


def _widened(plan: Plan, statements: Statements) -> list[str]:
    """The loop, after the parameters have become numbers of the extended dialect."""
    numbers = map(scalar, plan.parameters)
    widened = [f"    {name} = {statements.call('widen', name)}" for name in numbers]
    return [*widened, *_loop(plan, statements)]


def _arrays(plan: Plan) -> list[str]:
    return [*map(array, plan.inputs), *outputs(plan)]


def _imports(used: set[str], module: str) -> Iterable[str]:
    formats = sorted(name for name in used if "16" in name)
    numbers = sorted(name for name in used if name in ("float64", "float32"))
    primitives = sorted(used - {*formats, *numbers})
    if numbers:
        yield f"from numba import {', '.join(numbers)}"
        yield ""
    if formats:
        yield f"from limen.kernels.primitives.formats import {', '.join(formats)}"
    if primitives:
        yield f"from limen.kernels.primitives.{module} import {', '.join(primitives)}"
