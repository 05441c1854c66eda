"""Which tier a kernel belongs to: the one place where the general tier hears of the tuned one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache

from limen.errors import LimenError
from limen.formula.expression import Expression
from limen.kernels.cache import Kernel, compile_around
from limen.kernels.plan import Plan
from limen.kernels.tuned.kernel import is_supported, to_source
from limen.kernels.tuned.powers import Tuned
from limen.kernels.tuned.store import find, formula_of

__all__ = ["TIERS", "tuned_kernel", "tuned_source", "tuned_table", "wanted_tier"]

TIERS = ("general", "tuned")
"""What the environment variable LIMEN_TIER may say; "tuned", where there is a table, if nothing."""


def wanted_tier() -> str:
    """The tier that the environment asks for.

    Raises:
        LimenError: when LIMEN_TIER names no tier.
    """
    tier = os.environ.get("LIMEN_TIER", TIERS[-1])
    if tier not in TIERS:
        raise LimenError(f"LIMEN_TIER={tier!r} names no tier: write {' or '.join(TIERS)}")
    return tier


def tuned_table(
    expression: Expression, parameters: Mapping[str, float], direction: str, dtype: str
) -> Tuned | None:
    """The table that serves a function in a direction; None where the general tier does.

    Args:
        expression: the function, or for "backward" the derivative that is multiplied with.
        parameters: the values of its parameters.
        direction: "forward" or "backward".
        dtype: the arrays' dtype; tables are for float32 alone.
    """
    if dtype != "float32" or wanted_tier() != "tuned" or not is_supported():
        return None
    entry = find(formula_of(expression, parameters))
    if entry is None or not entry.is_certified or direction not in entry.serves:
        return None
    return entry.table


def tuned_source(tables: tuple[Tuned, ...], plan: Plan, title: str) -> str:
    """The source of the tuned kernel, as it is compiled."""
    return to_source(tables, plan, _title(title))


@lru_cache(maxsize=256)
def tuned_kernel(tables: tuple[Tuned, ...], plan: Plan, general: Kernel, title: str) -> Kernel:
    """The native tuned kernel of a float32 plan.

    Args:
        tables: the tables of what the plan computes, or multiplies with.
        plan: the plan.
        general: its general kernel, which computes what the tables do not serve.
        title: the first line of the source.
    """
    source = tuned_source(tables, plan, title)
    return compile_around(general, source, plan, "float32", _title(title))


def _title(title: str) -> str:
    name, _, rest = title.partition(":")
    return f"{name}, tuned:{rest}"
