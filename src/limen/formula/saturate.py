"""The form of a formula for one tail: every function that saturates by its distance to its limit.

Far to the right tanh(x)**4 - 1 has no digit left, but with tanh(x) = 1 - 2s and s = sigmoid(-2x) it
is -8s + 24s**2 - ..., from which the constants have cancelled exactly. So each such function is
written as its limit and a small remainder, the remainder is taken for an unknown, and the sums are
multiplied out. What decays or grows exponentially is written with its exponential apart, so that
an overflow meets the underflow that outweighs it: sigmoid(-x) exp(2x) is exp(x) sigmoid(x).

All of it is identities, true on both sides; they serve their purpose on one. Which remainder is
small there is looked up far out, in floats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from limen.formula import real
from limen.formula.expression import (
    ZERO,
    Expression,
    apply,
    evaluate,
    names,
    negate,
    parameter,
    rebuild,
    substitute,
)
from limen.formula.normal import Product, Sum, as_product, as_sum, expand
from limen.formula.stabilize import stable
from limen.formula.tail_forms import FORMS, MODERATE, is_simple, one_exponential

__all__ = ["Tail", "factored", "saturated"]

_FAR = (2.0**10, 2.0**20, 2.0**40)
_LARGE = 8.0
_VANISHED = -700.0  # at least the logarithm of what float64 has as 0


def saturated(expression: Expression, side: int) -> Expression | None:
    """The formula for x far out on one side; None where that is no other form.

    Args:
        expression: the stable form, of one input and no parameters.
        side: 1 or -1.
    """
    (x,) = names(expression, "input") or ("x",)
    form = Tail(x, side).rewritten(expression)
    return None if form is expression else form


@dataclass
class Tail:
    """One tail of a formula.

    Attributes:
        x: the name of the input.
        side: 1 or -1.
        remainders: the unknowns so far, and what they stand for.
    """

    x: str
    side: int
    remainders: dict[Expression, Expression] = field(default_factory=dict)

    def rewritten(self, root: Expression) -> Expression:
        """The formula in the form for this tail."""

        def visit(node: Expression, *arguments: Expression) -> Expression:
            if node.operation in ("add", "multiply", "divide", "power"):
                return rebuild(node, arguments)
            if node.operation == "where" and self.decides(node.arguments[0]):
                holds = self.value(node.arguments[0], _FAR[0])
                return arguments[1] if holds else arguments[2]
            settled = tuple(map(self._settled, node.arguments, arguments))
            built = rebuild(node, settled)
            write = FORMS.get(node.operation)
            found = write(self, *settled) if write and node.varies else None
            return built if found is None else found

        return self._multiplied_out(root, evaluate(root, visit), is_whole=True)

    # --- What goes where -----------------------------------------------------------------

    def value(self, expression: Expression, size: float) -> float:
        """What an expression is so far out, with the remainders in their places."""
        return real.value(self.known(expression), {self.x: self.side * size})

    def known(self, expression: Expression) -> Expression:
        """The expression with what the unknowns stand for."""
        return substitute(expression, self.remainders) if self.remainders else expression

    def decides(self, condition: Expression) -> bool:
        """Whether a comparison is settled in the tail, which begins at 1 or later."""
        left, right = condition.arguments
        return left.operation == "input" and right.is_constant and abs(right.payload) < 1

    def heading(self, u: Expression) -> int:
        """1 or -1 where an expression goes to infinity or minus infinity, else 0."""
        near, middle, far = (self.value(u, size) for size in _FAR)
        if near == middle == far and math.isinf(far):
            return 1 if far > 0 else -1
        if abs(near) > _LARGE and (abs(near) < abs(middle) <= abs(far)):
            return 1 if far > 0 else -1
        return 0

    def sign_of_limit(self, u: Expression) -> int:
        """1 or -1 where an expression has reached a limit of that sign, else 0."""
        near, *rest = (self.value(u, size) for size in _FAR)
        if not math.isfinite(near) or any(at != near for at in rest):
            return 0
        return (near > 0) - (near < 0)

    def remainder(self, expression: Expression) -> Expression:
        """An unknown for a small expression, so that no rule takes it back."""
        expression = stable(self.known(expression))
        for unknown, known in self.remainders.items():
            if known is expression:
                return unknown
        unknown = parameter(f"_remainder_{len(self.remainders)}")
        self.remainders[unknown] = expression
        return unknown

    # --- Sums of known and unknown -------------------------------------------------------

    def _settled(self, original: Expression, changed: Expression) -> Expression:
        return original if changed is original else self._multiplied_out(original, changed)

    def _multiplied_out(
        self, original: Expression, changed: Expression, *, is_whole: bool = False
    ) -> Expression:
        """The changed form multiplied out, with the remainders in their places.

        Within a formula a limit stays apart, for functions that need it: log(1 + small) does.
        """
        found = _one_fraction(as_sum(changed))
        if found is None:
            return original
        total = self._without_gates(found[0]) if is_whole else found[0]
        under = self._unmixed(found[1])
        over = Sum()
        for product in total.products():
            known = as_product(self.known(product.multiply(under).build()))
            over.plus(one_exponential(known))
        return factored(over)

    def _without_gates(self, total: Sum) -> Sum:
        """Gates that go to 1 over one denominator, where terms cancel by that.

        With s = sigmoid(u), 1 - s and s exp(-u) are the same: 1 is s (1 + exp(-u)).
        """
        for unknown, known in self.remainders.items():
            if known.operation == "sigmoid" and self.heading(known.arguments[0]) > 0:
                spread = _over_gate(total, unknown, known.arguments[0])
                if spread and len(spread.terms) < len(total.terms):
                    total = spread
        return total

    def _unmixed(self, under: Product) -> Product:
        """Sums in a denominator as their largest exponential, times 1 + something small."""
        result = Product(under.coefficient)
        for base, n in under.powers.items():
            total = expand([Product().times(base)]) if base.operation == "add" else None
            top = self.top(total) if total else None
            if total is None or top is None:
                result.times(base, n)
                continue
            rest = Sum()
            for product in total.products():
                rest.plus(one_exponential(product.multiply(top, -1)))
            result.multiply(top, n).times(self.remainder(rest.build()), n)
        return result

    def top(self, total: Sum) -> Product | None:
        """The term that outgrows the others, where it is one exponential, or a power, or both."""
        products = total.products()
        for size in MODERATE:
            sizes = [self.log_size(product, size) for product in products]
            if products and all(map(math.isfinite, sizes)):
                top = products[max(range(len(products)), key=lambda k: sizes[k])]
                return top if is_simple(top) and self._is_moderate(top, size) else None
        return None

    def _is_moderate(self, product: Product, size: float) -> bool:
        """Whether the unknowns in a product are about 1: what is divided by must not vanish."""
        unknown = [base for base in product.powers if base in self.remainders]
        return all(abs(self.log_size(Product().times(base), size)) < 1 for base in unknown)

    def log_size(self, product: Product, size: float) -> float:
        """The logarithm of a product's size so far out: exp(3000) is no float64, but 3000 is.

        Infinite or NaN where that of a factor is. A factor that float64 has as 0 is taken for
        larger than it is: a term that outgrows it even so does outgrow it.
        """
        factor = abs(product.coefficient)
        total = math.log(factor.numerator) - math.log(factor.denominator)
        for base, n in product.powers.items():
            if base.operation == "exp":
                total += float(n) * self.value(base.arguments[0], size)
                continue
            at = abs(self.value(base, size))
            vanished = _VANISHED if n > 0 else -math.inf
            total += float(n) * (vanished if at == 0 else math.log(at))
        return total


def _one_fraction(total: Sum) -> tuple[Sum, Product] | None:
    """A sum multiplied out, and its denominator; None where it grows too long.

    What was multiplied out may have sums in denominators of its own, which go the same way: the
    terms of exp(x) - exp(2x) / (2 + exp(x)) cancel but for 2 exp(x).
    """
    found, layer = None, _denominator(total)
    under = Product()
    while layer.powers or found is None:
        expanded = expand(p.copy().multiply(layer, -1) for p in total.products())
        if expanded is None:
            return found
        total, under = Sum(), under.multiply(layer)
        for product in expanded.products():
            total.plus(one_exponential(product))
        found = total, under.copy()
        nested = {b: n for b, n in _denominator(total).powers.items() if _is_sum(b, n)}
        layer = Product(Fraction(1), nested)
    return found


def _over_gate(total: Sum, gate: Expression, u: Expression) -> Sum | None:
    """A sum of powers of s = sigmoid(u) as a power of s times a sum of exponentials."""
    powers = [product.powers.get(gate, Fraction(0)) for product in total.products()]
    most = max(powers, default=Fraction(0))
    if most <= 0 or any(n.denominator > 1 for n in powers):
        return None
    reciprocal = Product().times(1 + apply("exp", as_sum(negate(u)).build()))
    expanded = expand(
        product.copy().times(gate, -n).multiply(reciprocal, most - n)
        for product, n in zip(total.products(), powers, strict=True)
    )
    result = Sum()
    for product in expanded.products() if expanded else ():
        result.plus(one_exponential(product).times(gate, most))
    return result if expanded else None


def _denominator(total: Sum) -> Product:
    """What all terms can be multiplied with for none to have a denominator, as a reciprocal."""
    lowest: dict[Expression, Fraction] = {}
    for product in total.products():
        for base, n in product.powers.items():
            lowest[base] = min(n, lowest.get(base, Fraction(0)))
    return Product(Fraction(1), {b: n for b, n in lowest.items() if n < 0})


def _is_sum(base: Expression, n: Fraction) -> bool:
    return base.operation == "add" and n.denominator == 1


def factored(total: Sum) -> Expression:
    """The sum with what all its terms share in front."""
    products = total.products()
    if len(products) < 2:
        return products[0].build() if products else ZERO
    shared = Product()
    for base, n in products[0].powers.items():
        found = [n, *(p.powers.get(base, Fraction(0)) for p in products[1:])]
        if min(found) > 0 or max(found) < 0:
            shared.times(base, min(found) if min(found) > 0 else max(found))
    inner = Sum()
    for product in products:
        inner.plus(product.multiply(shared, -1))
    return shared.multiply(as_product(inner.build())).build()
