"""The catalogue's functions of one input, as expressions."""

from __future__ import annotations

import limen
from limen import catalog
from limen.formula.expression import Expression, constant, parameter, substitute


def catalogue() -> dict[str, Expression]:
    """Every function of one input with its default parameters."""
    found = {}
    for name in catalog.RECORDS:
        function = limen.get(name)
        if not function.is_gated:
            values = {parameter(n): constant(v) for n, v in function.parameters.items()}
            found[name] = substitute(function.expression, values)
    return found


CATALOGUE = catalogue()
