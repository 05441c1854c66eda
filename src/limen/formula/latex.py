"""An expression as LaTeX: fractions, roots, powers, cases, Greek letters."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal
from fractions import Fraction

from limen.formula.expression import (
    HALF,
    ONE,
    Expression,
    apply,
    constant,
    divide,
    multiply,
    negate,
    power,
)
from limen.formula.layout import Layout, Part, Style, write
from limen.formula.operations import OPERATIONS

__all__ = ["to_latex"]

# How tightly forms bind on paper; a leading minus binds looser than a product.
_CASES, _COMPARISON, _SUM, _SIGN, _PRODUCT, _FRACTION, _POWER, _ATOM = (
    5,
    10,
    20,
    25,
    30,
    40,
    50,
    100,
)

_GREEK = {
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "mu"),
    *("nu", "xi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
}
_PLACES = "abc"
_DIGITS = Context(prec=6)
_LARGEST_FRACTION = 1000

# Operations that exist for their numerics, as the mathematics they stand for.
_SPELLED: dict[str, Callable[[Expression], Expression]] = {
    "expm1": lambda a: apply("exp", a) - 1,
    "log1p": lambda a: apply("log", 1 + a),
    "sin_plus_cos": lambda a: apply("sin", a) + apply("cos", a),
    "tanhshrink": lambda a: a - apply("tanh", a),
}


def to_latex(root: Expression, shorten: int | None = None) -> str:
    r"""The formula as LaTeX, for reading: constants are rounded to six digits.

    Args:
        root: the expression.
        shorten: the most characters; what nests too deeply is left out, as dots. None: the whole.

    Returns:
        The LaTeX, without dollar signs.

    Raises:
        FormulaError: when the whole is wanted and passes a million characters.

    Example:
        >>> from limen.formula.parse import parse
        >>> print(to_latex(parse("x / (1 + exp(-x**2))")))
        \frac{x}{1 + e^{-x^{2}}}
    """
    return write(root, _STYLE, shorten)


def _layout(node: Expression) -> Layout:
    positive = _without_minus(node)
    if positive is not None:
        return _set("negate", _SIGN, (positive, _PRODUCT))
    operation = node.operation
    if operation == "constant":
        return _constant(node.payload)
    if operation in ("input", "parameter"):
        return _ATOM, (_name(node.payload),)
    if operation in _SPELLED:
        return _layout(_SPELLED[operation](*node.arguments))
    if operation in _FORMS:
        return _FORMS[operation](*node.arguments)
    if OPERATIONS[operation].is_comparison:
        return _set(operation, _COMPARISON, *((a, _SUM) for a in node.arguments))
    return _set(operation, _ATOM, *((a, 0) for a in node.arguments))


def _set(operation: str, precedence: int, *arguments: Part) -> Layout:
    """An operation as the table of operations sets it."""
    marked = OPERATIONS[operation].latex.format(a="\0a\0", b="\0b\0", c="\0c\0")
    pieces = marked.split("\0")  # text and places take turns
    return precedence, tuple(
        arguments["abc".index(piece)] if turn % 2 else piece for turn, piece in enumerate(pieces)
    )


def _sum(a: Expression, b: Expression) -> Layout:
    positive = _without_minus(b)
    if positive is None:
        return _set("add", _SUM, (a, _SUM), (b, _SUM))
    return _set("subtract", _SUM, (a, _SUM), (positive, _SIGN + 1))


def _product(a: Expression, b: Expression) -> Layout:
    if a.is_constant and a.payload.numerator == 1 and a.payload.denominator <= _LARGEST_FRACTION:
        return _fraction(b, constant(a.payload.denominator))
    if _starts_with_number(b):
        return _PRODUCT, ((a, _PRODUCT), r" \cdot ", (b, _PRODUCT))
    return _set("multiply", _PRODUCT, (a, _PRODUCT), (b, _PRODUCT))


def _starts_with_number(node: Expression) -> bool:
    while node.operation in ("multiply", "power"):
        node = node.arguments[0]
    return node.is_constant


def _fraction(a: Expression, b: Expression) -> Layout:
    return _set("divide", _FRACTION, (a, 0), (b, 0))


def _power(a: Expression, b: Expression) -> Layout:
    if b is HALF:
        return _set("sqrt", _ATOM, (a, 0))
    if b.is_constant and b.payload < 0:
        return _fraction(ONE, power(a, negate(b)))
    if b.is_constant and b.payload.denominator == 1 and a.operation in OPERATIONS:
        # sin(x) to the power 2 is written as sin^2(x).
        _, parts = _layout(a)
        name, bracket, rest = str(parts[0]).partition(r"\left(")
        if name and bracket and not rest and len(a.arguments) == 1 and len(parts) == 3:
            return _POWER, (rf"{name}^{{{b.payload}}}\left(", *parts[1:])
    return _set("power", _POWER, (a, _POWER + 1), (b, 0))


def _exponential(a: Expression) -> Layout:
    return _set("exp", _POWER, (a, 0))


def _cases(condition: Expression, yes: Expression, no: Expression) -> Layout:
    """One line for each condition: a choice within the last line goes on below it."""
    lines: list[Part] = [(yes, 0), r" & \text{if } ", (condition, 0), r" \\ "]
    while no.operation == "where":
        condition, yes, no = no.arguments
        lines += [(yes, 0), r" & \text{if } ", (condition, 0), r" \\ "]
    return _CASES, (r"\begin{cases} ", *lines, (no, 0), r" & \text{otherwise} \end{cases}")


_FORMS: dict[str, Callable[..., Layout]] = {
    "add": _sum,
    "multiply": _product,
    "divide": _fraction,
    "power": _power,
    "exp": _exponential,
    "where": _cases,
}


def _without_minus(node: Expression) -> Expression | None:
    """The node without the minus in front of it; None where it has none.

    The minus may stand at the first factor of a product of many, or in a fraction's numerator.
    """
    outer = []
    while node.operation in ("multiply", "divide") and not node.arguments[0].is_constant:
        outer.append((node.operation, node.arguments[1]))
        node = node.arguments[0]
    leading = node.arguments[0] if node.operation in ("multiply", "divide") else node
    if not leading.is_constant or leading.payload >= 0:
        return None
    if node.operation == "divide":
        node = divide(negate(leading), node.arguments[1])
    else:
        node = negate(node)
    for operation, other in reversed(outer):
        node = multiply(node, other) if operation == "multiply" else divide(node, other)
    return node


def _constant(value: Fraction) -> Layout:
    if value.denominator == 1 and value.numerator < 10**6:
        return _ATOM, (str(value.numerator),)
    if max(value.numerator, value.denominator) <= _LARGEST_FRACTION:
        return _FRACTION, (rf"\frac{{{value.numerator}}}{{{value.denominator}}}",)
    rounded = _DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))
    exponent = rounded.adjusted()
    if -5 < exponent < 6:
        text = f"{rounded:f}"
        return _ATOM, (text.rstrip("0").rstrip(".") if "." in text else text,)
    mantissa = rounded.scaleb(-exponent).normalize()
    ten = f"10^{{{exponent}}}"
    return _PRODUCT, (ten if mantissa == 1 else rf"{mantissa} \cdot {ten}",)


def _name(name: str) -> str:
    if len(name) == 1:
        return name
    if name in _GREEK:
        return rf"\{name}"
    return rf"\mathrm{{{name}}}".replace("_", r"\_")


_STYLE = Style(_layout, (r"\left(", r"\right)"), r"\dots")
