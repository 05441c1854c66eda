"""An expression as people read it: text that parses back to it, and LaTeX."""

from __future__ import annotations

from fractions import Fraction

from limen.formula.expression import MINUS_ONE, Expression, constant, negate
from limen.formula.latex import to_latex
from limen.formula.layout import Layout, Style, write
from limen.formula.numerals import literal, numeral
from limen.formula.operations import OPERATIONS

__all__ = ["to_latex", "to_text"]

_SUM = OPERATIONS["add"].precedence
_PRODUCT = OPERATIONS["multiply"].precedence
_SIGN = OPERATIONS["negate"].precedence
_POWER = OPERATIONS["power"].precedence
_ATOM = 100

_LONGEST_EXACT = len("-1.2345678901234567e-300")
_LARGEST_DIVISOR = 1000  # a constant 1 / 1000 is written as a division, a smaller one is not


def to_text(root: Expression, shorten: int | None = None) -> str:
    """The formula as text, with as few brackets as Python's precedences need.

    Args:
        root: the expression.
        shorten: the most characters, for reading: what nests too deeply is left out, as an
            ellipsis, and a constant whose exact form is long is rounded to binary64.
            None, the default: the whole, which `parse` turns into the same expression again.

    Returns:
        The text. A comparison as a whole parses back as the number it stands for, 1 or 0.

    Raises:
        FormulaError: when the whole is wanted and passes a million characters.

    Example:
        >>> from limen.formula.parse import parse
        >>> to_text(parse("(x+(-1)*(x*x))/3"))
        '(x - x * x) / 3'
    """
    return write(root, _EXACT if shorten is None else _ROUNDED, shorten)


def _exact(node: Expression) -> Layout:
    if node.is_constant:
        precedence, text = numeral(node.payload)
        return precedence, (text,)
    if not node.arguments:
        return _ATOM, (node.payload or node.operation,)
    row = OPERATIONS[node.operation]
    if not row.symbol:
        inside = [part for argument in node.arguments for part in (", ", (argument, 0))][1:]
        return _ATOM, (f"{row.name}(", *inside, ")")
    a, b = node.arguments
    if row.name == "add" and _is_negative(b):
        return _SUM, ((a, _SUM), " - ", (negate(b), _SUM + 1))
    if row.name == "multiply" and a.is_constant:
        return _multiple(a, b)
    if row.name == "power":
        # -x may stand bare behind **, and so may another power, which groups to the right.
        return _POWER, ((a, _POWER + 1), "**", (b, _SIGN))
    left = row.precedence + row.is_comparison  # comparisons do not chain
    return row.precedence, ((a, left), f" {row.symbol} ", (b, row.precedence + 1))


def _multiple(factor: Expression, node: Expression) -> Layout:
    """A constant times a node: `-x`, `x / 3`, `-2 * x / 3`, `0.1 * x`."""
    value: Fraction = factor.payload
    top, bottom = value.numerator, value.denominator
    if factor is MINUS_ONE:
        return _SIGN, ("-", (node, _SIGN))
    if top == 1 and bottom <= _LARGEST_DIVISOR:
        return _PRODUCT, ((node, _PRODUCT), f" / {bottom}")
    if top == -1 and bottom <= _LARGEST_DIVISOR:
        return _PRODUCT, ("-", (node, _SIGN), f" / {bottom}")
    if literal(abs(value)) is not None or max(abs(top), bottom) > _LARGEST_DIVISOR:
        return _PRODUCT, ((factor, _PRODUCT), " * ", (node, _PRODUCT + 1))
    return _PRODUCT, ((constant(top), _PRODUCT), " * ", (node, _PRODUCT + 1), f" / {bottom}")


def _is_negative(node: Expression) -> bool:
    """Whether it is written with a minus in front that a sum can take over."""
    leading = node.arguments[0] if node.operation == "multiply" else node
    return leading.is_constant and leading.payload < 0


def _rounded(node: Expression) -> Layout:
    if node.is_constant and len(numeral(node.payload)[1]) > _LONGEST_EXACT:
        try:
            return _exact(constant(float(node.payload)))
        except OverflowError:
            pass
    return _exact(node)


_EXACT = Style(_exact, ("(", ")"), "…")
_ROUNDED = Style(_rounded, ("(", ")"), "…")
