"""The value of a constant expression, such as sqrt(2 / pi), to as many digits as a kernel needs."""

from __future__ import annotations

from fractions import Fraction

from limen.errors import FormulaError
from limen.formula.analysis import digits
from limen.formula.expression import Expression
from limen.formula.show import to_text

__all__ = ["as_pair"]


def as_pair(expression: Expression) -> tuple[float, float]:
    """A leaf-free expression as the unevaluated sum of two floats, correct to about 106 bits."""
    if expression.is_constant:
        exact: Fraction = expression.payload
        try:
            return float(exact), float(exact - Fraction(float(exact)))
        except OverflowError:
            raise FormulaError(
                "this formula, or its derivative, has a constant that binary64 cannot hold, about "
                f"{digits.context().nstr(digits.number(exact), 6)}"
            ) from None
    value = digits.value(expression, 0)
    if not digits.context().isfinite(value):
        raise FormulaError(
            "this formula, or its derivative, has a part that is always the same and no finite "
            f"real number: {to_text(expression, shorten=60)}"
        )
    return digits.halves(value)
