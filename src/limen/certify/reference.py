"""The rigorous reference: the user's formula, and its derivatives, in ball arithmetic.

It takes the formula as it was written, never its stable form, and computes it with as many bits
as the answer needs: precision doubles until the ball is narrow enough to measure errors in the
target format. Where the formula branches, the branch is decided for certain: by balls that do not
overlap, or exactly, in fractions, where a comparison is between rational expressions. At a kink
the branch that the formula takes gives the derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from limen.certify.balls import SERIES, arb, arb_series, fmpq, length, undefined, working
from limen.certify.choices import choices_spelled_out
from limen.certify.measure import Format, is_tight
from limen.certify.rational import exact_value
from limen.certify.wide import NOTHING, WIDE, difference
from limen.formula.expression import Expression, walk
from limen.formula.operations import COMPARISONS

__all__ = ["MOST_BITS", "Reference"]

FEWEST_BITS = 64
MOST_BITS = 8192

# Where a limit at infinity is looked for: far beyond the range of every format, at unrelated
# mantissas, so many that an oscillation shows, and, to see growth, at twice the exponent.
_FAR = 1200
_PROBES = (*(arb((k, _FAR)) for k in (3, 5, 11, 13, 19, 29, 37, 53)), arb((3, 2 * _FAR)))
_SAME_LIMIT = arb((1, -48))

# The signs of a difference for which a comparison holds.
_SIGN_MEETS = {
    name: {sign for sign in (-1, 0, 1) if holds(sign, 0)} for name, holds in COMPARISONS.items()
}


class Reference:
    """A formula, ready to be enclosed at one point after another.

    Args:
        expression: the formula as written.
        inputs: the names of its inputs, in the order in which `enclose` takes them.
        parameters: a binary64 value for each parameter.
        by: the input or parameter by which to derive; the first input when left out.
        order: how many derivatives are wanted beside the value.

    Attributes:
        nodes: every node of the formula, arguments first, its choices spelled out.
        arguments: for each node, where its arguments stand among the nodes.

    Example:
        >>> from limen.formula.parse import parse
        >>> from limen.certify.measure import FORMATS
        >>> logistic = Reference(parse("1 / (1 + exp(-x))"), order=1)
        >>> value, slope = logistic.enclose(-90.0, format_=FORMATS["float32"])
        >>> float(value) == float(slope) == 8.194012623990515e-40
        True
    """

    def __init__(
        self,
        expression: Expression,
        *,
        inputs: Sequence[str] = ("x",),
        parameters: Mapping[str, float] | None = None,
        by: str | None = None,
        order: int = 0,
    ) -> None:
        self.inputs = tuple(inputs)
        self.by = by or self.inputs[0]
        self.order = order
        self._parameters = dict(parameters or {})
        self.nodes = list(walk(choices_spelled_out(expression)))
        self._places = {node: place for place, node in enumerate(self.nodes)}
        self.arguments = [[self._places[a] for a in node.arguments] for node in self.nodes]
        self._constants: dict[tuple[int, int], list[arb_series | None]] = {}

    def enclose(self, *point: float, format_: Format) -> list[arb]:
        """Balls that hold the value and its derivatives, narrow enough for a format.

        Args:
            point: the inputs, exact.
            format_: the format in which errors will be measured.

        Returns:
            `order + 1` balls: f, f', f'', ... A ball that is NaN says that nothing is defined
            there, or that 8,192 bits did not decide. At an infinite input it is the limit as far
            as the formula's values far beyond the range of float64 show it: evidence, not proof.
        """
        if any(math.isnan(x) for x in point):
            return [arb("nan")] * (self.order + 1)
        if any(math.isinf(x) for x in point):
            return self._far_away(point, format_)
        return self._narrow([arb(x) for x in point], format_)

    def _narrow(self, point: Sequence[arb], format_: Format) -> list[arb]:
        precision = FEWEST_BITS if format_.precision < 40 else 2 * FEWEST_BITS
        while True:
            with working(precision, self.order + 1):
                series = self._values(point, precision)[-1]
                factorials = [math.factorial(n) for n in range(self.order + 1)]
                balls = [series[n] * factorials[n] for n in range(self.order + 1)]
            if precision >= MOST_BITS or all(is_tight(ball, format_) for ball in balls):
                return balls
            precision *= 2

    def series(self, ball: arb | Sequence[arb], precision: int, length: int) -> Any:
        """The power series, about every number of a ball at once.

        Args:
            ball: the numbers; one alone, or a stretch of them as wide as one likes. For a formula
                of several inputs, a ball for each.
            precision: in bits.
            length: how many coefficients.

        Returns:
            A series whose coefficients hold f(x), f'(x), f''(x)/2, ... for every x of the ball, as
            a `Scaled` one where they range too far for balls, and `NOTHING` where the ball lies off
            the formula's domain. NaN coefficients say that the formula
            branches within the ball, or that the precision does not do.
        """
        return self.everything(ball, precision, length)[-1]

    def everything(self, ball: arb | Sequence[arb], precision: int, length: int) -> list[Any]:
        """The same for every node; for a comparison whether it holds, None where it may or not."""
        with working(precision, length):
            point = [ball] if isinstance(ball, arb) else ball
            return self._values(point, precision, WIDE)

    def exactly(self, *point: float) -> Fraction | None:
        """The derivative of the reference's order as a fraction, where the formula is rational."""
        leaves = dict(zip(self.inputs, point, strict=True)) | self._parameters
        return exact_value(self.nodes[-1], leaves, self.by, self.order)

    def signs(self, *point: float) -> list[int | None]:
        """The signs of the value, of each derivative, and of what each comparison compares.

        Where one of them changes lies a root, an extremum, or a kink. None: 128 bits do not tell.
        """
        with working(2 * FEWEST_BITS, self.order + 1):
            values = self._values([arb(x) for x in point], 2 * FEWEST_BITS)
            balls = [values[-1][n] for n in range(self.order + 1)]
            for node, arguments in zip(self.nodes, self.arguments, strict=True):
                if node.operation in _SIGN_MEETS:
                    a, b = arguments
                    balls.append(values[a][0] - values[b][0])
        return [_sign(ball) for ball in balls]

    def _values(
        self,
        point: Sequence[arb],
        precision: int,
        operations: Mapping[str, Callable[..., Any]] = SERIES,
    ) -> list[Any]:
        """The series (or, for a comparison, the truth) of every node, arguments first."""
        values: list[Any] = list(self._constants_at(precision))
        for name, x in zip(self.inputs, point, strict=True):
            self._place_leaf(values, "input", name, x)
        for place, node in enumerate(self.nodes):
            if values[place] is None:
                arguments = self.arguments[place]
                if node.operation in _SIGN_MEETS:
                    values[place] = self._compare(place, values, point)
                elif node.operation != "where" and any(values[a] is NOTHING for a in arguments):
                    values[place] = NOTHING
                elif node.operation == "where":
                    values[place] = _choose(*[values[a] for a in arguments])
                else:
                    values[place] = operations[node.operation](*[values[a] for a in arguments])
        return values

    def _constants_at(self, precision: int) -> list[arb_series | None]:
        """The leaves that no input changes, as series of the working precision."""
        key = (precision, length())  # a series remembers to how many powers it is known
        found = self._constants.get(key)
        if found is None:
            found = [None] * len(self.nodes)
            for place, node in enumerate(self.nodes):
                if node.operation == "constant":
                    found[place] = arb_series([_ball_of(node.payload)])
            for name, value in self._parameters.items():
                self._place_leaf(found, "parameter", name, arb(value))
            self._constants[key] = found
        return found

    def _place_leaf(self, values: list[Any], kind: str, name: str, value: arb) -> None:
        for place, node in enumerate(self.nodes):
            if node.operation == kind and node.payload == name:
                values[place] = arb_series([value, 1] if name == self.by else [value])

    def _compare(self, place: int, values: list[Any], point: Sequence[arb]) -> bool | None:
        """Whether a comparison holds; None where this precision cannot tell."""
        a, b = self.arguments[place]
        if values[a] is NOTHING or values[b] is NOTHING:
            return None
        meets = _SIGN_MEETS[self.nodes[place].operation]
        signs = {0} if a == b else _signs(difference(values[a], values[b]))
        if len(signs) > 1 and all(x.is_exact() for x in point):
            exact = self._exact_sign(a, b, values, point)
            signs = signs if exact is None else {exact}
        if signs <= meets:
            return True
        return None if signs & meets else False

    def _exact_sign(self, a: int, b: int, values: list[Any], point: Sequence[arb]) -> int | None:
        """The sign of the difference of two rational expressions, in fractions."""
        exact: list[Fraction | bool | None] = []
        leaves = dict(zip(self.inputs, map(_fraction_of, point), strict=True))
        leaves |= {name: Fraction(value) for name, value in self._parameters.items()}
        for place, node in enumerate(self.nodes[: max(a, b) + 1]):
            if node.operation == "constant":
                exact.append(node.payload)
            elif node.operation in ("input", "parameter"):
                exact.append(leaves[node.payload])
            elif node.operation in _SIGN_MEETS:
                exact.append(values[place])
            else:
                exact.append(_rational(node.operation, [exact[i] for i in self.arguments[place]]))
        left, right = exact[a], exact[b]
        if left is None or right is None:
            return None
        return (left > right) - (left < right)

    def _far_away(self, point: Sequence[float], format_: Format) -> list[arb]:
        """The limits at infinity, where the values at far points agree or grow."""
        probes = [
            self._narrow(
                [arb(x) if math.isfinite(x) else math.copysign(1.0, x) * far for x in point],
                format_,
            )
            for far in _PROBES
        ]
        return [_limit([probe[n] for probe in probes]) for n in range(self.order + 1)]


def _sign(ball: arb) -> int | None:
    """The sign of every number in a ball; None when they have several."""
    if ball.is_zero():
        return 0
    return 1 if ball > 0 else -1 if ball < 0 else None


def _signs(ball: arb) -> set[int]:
    """The signs of the numbers in a ball, all three where it is not known what it holds."""
    return {-1, 0, 1} - {
        sign
        for sign, is_excluded in ((-1, ball >= 0), (0, ball != 0), (1, ball <= 0))
        if is_excluded
    }


def _limit(values: Sequence[arb]) -> arb:
    near, *_, further = values
    if all(abs(value - near) < _SAME_LIMIT for value in values):
        return near
    if abs(further) > abs(near) * 3 / 2 and abs(near) > 64:
        if all(value > 0 for value in values):
            return arb.pos_inf()
        if all(value < 0 for value in values):
            return arb.neg_inf()
    return arb("nan")


def _choose(condition: bool | None, yes: arb_series, no: arb_series) -> arb_series:
    if condition is None:
        return undefined()
    return yes if condition else no


def _ball_of(number: Fraction) -> arb:
    return arb(fmpq(number.numerator, number.denominator))


def _fraction_of(exact: arb) -> Fraction:
    mantissa, exponent = exact.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def _rational(operation: str, arguments: Sequence[Any]) -> Any:
    """The operation on fractions; None where it leaves them, or an argument is None already."""
    match operation, arguments:
        case "where", (bool(condition), yes, no):
            return yes if condition else no
        case "add", (Fraction() as a, Fraction() as b):
            return a + b
        case "multiply", (Fraction() as a, Fraction() as b):
            return a * b
        case "divide", (Fraction() as a, Fraction() as b) if b:
            return a / b
        case "power", (Fraction() as a, Fraction() as b) if b.denominator == 1 and (a or b > 0):
            return a ** int(b)
    return None
