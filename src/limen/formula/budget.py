"""How much work rewriting may take before a formula is refused.

Derivatives of high order grow, and so does the work of simplifying them: by a third from order to
order, or threefold. Work is counted in products that are multiplied, which takes the same time
whatever the formula is; so the refusal does not depend on the machine or on what else it does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from limen.errors import TooLongError

__all__ = ["MOST_WORK", "spend", "within_budget"]

MOST_WORK = 400_000
"""Products multiplied on behalf of one call: some 15 seconds."""

_local = threading.local()


@contextmanager
def within_budget() -> Iterator[None]:
    """What is done within has one budget; within another budget, that one."""
    if getattr(_local, "left", None) is not None:
        yield
        return
    _local.left = MOST_WORK
    try:
        yield
    finally:
        _local.left = None


def spend() -> None:
    """Takes a product from the budget, if there is one.

    Raises:
        TooLongError: when it is used up.
    """
    left = getattr(_local, "left", None)
    if left is None:
        return
    if left == 0:
        raise TooLongError(
            f"rewriting this formula into a stable form takes more than {MOST_WORK:,} steps: "
            "a shorter formula, or a derivative of lower order, works"
        )
    _local.left = left - 1
