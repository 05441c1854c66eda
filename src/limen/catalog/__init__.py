"""The catalogue: the named activation functions, one record each, no code.

Formulas are written as their papers give them, not as they are best computed: the stable form is
derived from them. They may use one another (`swiglu` is `silu(gate) * value`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from limen.catalog.gated import GATED
from limen.catalog.piecewise import PIECEWISE
from limen.catalog.record import Kinks, Record
from limen.catalog.self_gated import SELF_GATED
from limen.catalog.smooth import SMOOTH

__all__ = ["RECORDS", "Kinks", "Record", "find"]

RECORDS: Mapping[str, Record] = MappingProxyType(
    {record.name: record for record in (*PIECEWISE, *SMOOTH, *SELF_GATED, *GATED)}
)
"""Every record by its name; aliases are found with `find`."""

_ALIASES = {alias: record for record in RECORDS.values() for alias in record.aliases}


def find(name: str) -> Record | None:
    """The record of that name or alias, or None.

    >>> find("sigmoid").name
    'logistic'
    """
    return RECORDS.get(name) or _ALIASES.get(name)
