"""From a Python function to a definition: the function is called once, with formulas as arguments.

The function's own operators and calls build the expression. Its text is never read or evaluated,
and what a formula cannot hold, such as an `if` on a traced value, is an error that names what can.
"""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar, NoReturn

from limen.errors import FormulaError
from limen.formula.advice import FUNCTIONS, advise
from limen.formula.definition import (
    GATED,
    MOST_NODES,
    PLAIN,
    Definition,
    check_default,
    check_parameters,
)
from limen.formula.expression import (
    Expression,
    apply,
    as_number,
    constant,
    input_,
    names,
    parameter,
    size,
)

__all__ = ["Traced", "compose", "operation_functions", "trace"]

# NumPy's (and scipy.special's) names where they differ from the table's.
_UFUNCS = {
    "absolute": "abs",
    "arctan": "atan",
    "expit": "sigmoid",
    "fabs": "abs",
    "negative": "negate",
    "true_divide": "divide",
}
_ARITHMETIC = {"add", "subtract", "multiply", "divide", "negate", "power"}
_COMPARISONS = {"less", "less_equal", "greater", "greater_equal", "equal", "not_equal"}


class Traced:
    """A value inside a Python function that is being traced: a formula that grows as it is used.

    It has Python's operators, NumPy's elementwise functions, and limen's own. It compares to a
    condition, for `where`; so it has no truth value, and no hash.
    """

    __slots__ = ("expression",)
    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __init__(self, expression: Expression) -> None:
        self.expression = expression

    def __repr__(self) -> str:
        from limen.formula.show import to_text

        return f"Traced({to_text(self.expression, shorten=60)})"
