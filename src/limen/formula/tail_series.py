"""The form of a formula for one tail as a short sum, in which what vanishes there is expanded.

Far to the left softplus(x) exp(-x) - sigmoid(-x) has no digit left: both terms are 1 - exp(x)/2
+ ... With each function written as the sum of the exponentials that it is there, the terms cancel
exactly, and exp(x)/2 - 2 exp(2x)/3 + ... is left. Unlike the forms of `saturate` this is no
identity: it holds from some |x| on, where the terms that are left out are too small to matter.

Source: Gruntz, On computing limits in a symbolic manipulation system (1996), for the scales.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from limen.formula.expression import (
    HALF,
    ONE,
    TWO,
    Expression,
    apply,
    constant,
    evaluate,
    names,
    negate,
    power,
)
from limen.formula.normal import Product, Sum, as_product, as_sum
from limen.formula.saturate import Tail, factored
from limen.formula.tail_forms import one_exponential

__all__ = ["expanded"]

# From where on it may hold: the nearest of these at which it is short.
_BEGINNINGS = tuple(2.0 ** (k / 2) for k in (12, 10, 8, 7, 6, 5, 4, 2))
_MOST_TERMS, _MOST_KEPT, _MOST_STEPS = 40, 9, 1500
# What is left out on the way: at least so many orders of exp(x) are kept.
_DEPTH, _ORDERS = 110.0, 4
_EXACT = 46.0  # and of the result by exp of this, which is 2**-66
_SMALL = -2.0  # the logarithm of what a series is taken of, at most


class _NoSumError(Exception):
    """The formula has no short sum of that kind."""


def expanded(expression: Expression, side: int) -> tuple[Expression, float] | None:
    """The formula for x far out on one side, and the |x| from which on it holds.

    Args:
        expression: the stable form, of one input and no parameters.
        side: 1 or -1.
    """
    (x,) = names(expression, "input") or ("x",)
    found = None
    for begin in _BEGINNINGS:
        try:
            found = _Expansion(Tail(x, side), begin).form(expression), begin
        except (_NoSumError, OverflowError, ZeroDivisionError):
            if found:
                break
    return found


@dataclass
class _Expansion:
    """Sums of products, each with one exponential, for |x| from `begin` on."""

    tail: Tail
    begin: float
    sizes: dict[Expression, float] = field(default_factory=dict)
    merged: dict[tuple[Expression, Expression], Product] = field(default_factory=dict)
    steps: int = 0

    def form(self, root: Expression) -> Expression:
        """The formula as a short sum."""
        total: Sum = evaluate(root, self._visit)
        kept = self._cut(total, _EXACT)
        if not 0 < len(kept.terms) <= _MOST_KEPT:
            raise _NoSumError
        return factored(kept)

    def _visit(self, node: Expression, *arguments: Sum) -> Sum:
        write = _SUMS.get(node.operation) if node.varies else None
        found = write(self, *arguments) if write else None
        return as_sum(node) if found is None else found

    @property
    def depth(self) -> float:
        """Terms that are smaller than the largest by exp of this are left out on the way."""
        return max(_DEPTH, _ORDERS * self.begin)

    # --- Sizes ---------------------------------------------------------------------------

    def size(self, product: Product) -> float:
        """The logarithm of a product's size where the form begins to hold."""
        total = math.log(abs(product.coefficient))
        for base, n in product.powers.items():
            if base not in self.sizes:
                self.sizes[base] = self.tail.log_size(Product().times(base), self.begin)
            total += float(n) * self.sizes[base]
        return total

    def _cut(self, total: Sum, depth: float) -> Sum:
        """The sum without the terms that are smaller than the largest by so much."""
        sizes = {monomial: self.size(Product(c, dict(monomial))) for monomial, c in total.terms.items()}
        least = max(sizes.values(), default=0.0) - depth
        result = Sum({m: c for m, c in total.terms.items() if not sizes[m] < least})
        if len(result.terms) > _MOST_TERMS:
            raise _NoSumError
        return result

    # --- Arithmetic ----------------------------------------------------------------------

    def product(self, a: Sum, b: Sum) -> Sum:
        """a b."""
        total = Sum()
        self.steps += len(a.terms) * len(b.terms)
        if self.steps > _MOST_STEPS:
            raise _NoSumError
        least = self.largest(a) + self.largest(b) - self.depth
        for p in a.products():
            for q in b.products():
                if self.size(p) + self.size(q) >= least:
                    total.plus(self.times(p, q))
        return self._cut(total, self.depth)

    def times(self, p: Product, q: Product) -> Product:
        """The product of two terms, with one exponential."""
        a, b = _exponential(p), _exponential(q)
        product = p.copy().multiply(q)
        if a is ONE or b is ONE:
            return product
        if (a, b) not in self.merged:
            self.merged[a, b] = one_exponential(Product().times(a).times(b))
        return product.times(a, -1).times(b, -1).multiply(self.merged[a, b])

    def largest(self, total: Sum) -> float:
        """The size of the largest term."""
        return max(map(self.size, total.products()), default=-math.inf)

    def sum(self, a: Sum, b: Sum) -> Sum:
        """a + b."""
        total = Sum(dict(a.terms))
        for product in b.products():
            total.plus(product)
        return self._cut(total, self.depth)

    def series(self, coefficients: Iterator[Fraction], small: Sum) -> Sum:
        """c0 + c1 u + c2 u**2 + ... of what is small."""
        total, term = Sum(), Sum().plus(Product())
        for coefficient in coefficients:
            for product in term.products():
                total.plus(product.scaled(coefficient))
            term = self.product(term, small)
            if self.largest(term) < -self.depth:
                break
        return self._cut(total, self.depth)

    def split(self, total: Sum) -> tuple[Product, Sum]:
        """D and r of D (1 + r), where D is all of the largest exponential order."""
        products = total.products()
        if not products:
            raise _NoSumError
        order = _exponential(max(products, key=self.size))
        leading = Sum()
        for product in products:
            if _exponential(product) is order:
                leading.plus(product)
        largest = as_product(leading.build()).copy() if order is ONE else _one(leading, order)
        rest = Sum()
        for product in products:
            if _exponential(product) is not order:
                rest.plus(one_exponential(product.copy().multiply(largest, -1)))
        if any(not self.size(product) < _SMALL for product in rest.products()):
            raise _NoSumError
        return largest, rest

    def to(self, total: Sum, exponent: Fraction) -> Sum:
        """A power of a sum, by the binomial series."""
        largest, rest = self.split(total)
        front = as_product(power(largest.build(), constant(exponent))).copy()
        series = self.series(_binomials(exponent), rest)
        return self.product(Sum().plus(one_exponential(front)), series)

    def exp(self, u: Sum) -> Sum:
        """exp(u), where what vanishes in u is expanded."""
        large, small = Sum(), Sum()
        for product in u.products():
            (small if self.vanishes(product) else large).plus(product)
        series = self.series(_factorials(), small)
        if not large.terms:
            return series
        front = one_exponential(Product().times(apply("exp", large.build())))
        return self.product(Sum().plus(front), series)

    def log(self, u: Sum) -> Sum:
        """log(u)."""
        largest, rest = self.split(u)
        order = _exponential(largest)
        total = Sum() if order is ONE else as_sum(order.arguments[0])
        other = largest.copy().times(order, -1).build()
        if other is not ONE:
            total = self.sum(total, as_sum(apply("log", other)))
        return self.sum(total, self.series(_logarithms(), rest))

    def side(self, u: Sum) -> int:
        """1 or -1 where a sum goes to infinity or minus infinity, 1 if it vanishes, else 0."""
        if all(map(self.vanishes, u.products())):
            return 1
        return self.tail.heading(u.build())

    def vanishes(self, product: Product) -> bool:
        """Whether a term vanishes like an exponential."""
        return _exponential(product) is not ONE and self.size(product) < _SMALL


def _exponential(product: Product) -> Expression:
    """The one exponential in a product, or 1."""
    return next((base for base in product.powers if base.operation == "exp" and base.varies), ONE)


def _one(leading: Sum, order: Expression) -> Product:
    """A sum of terms with the same exponential as that, times one factor."""
    inner = Sum()
    for product in leading.products():
        inner.plus(product.copy().times(order, -1))
    return as_product(inner.build()).copy().times(order)


def _binomials(exponent: Fraction) -> Iterator[Fraction]:
    k, coefficient = 0, Fraction(1)
    while True:
        yield coefficient
        coefficient *= (exponent - k) / Fraction(k + 1)
        k += 1


def _factorials() -> Iterator[Fraction]:
    k, coefficient = 1, Fraction(1)
    while True:
        yield coefficient
        coefficient /= k
        k += 1


def _logarithms() -> Iterator[Fraction]:
    yield Fraction(0)
    k = 1
    while True:
        yield Fraction((-1) ** (k + 1), k)
        k += 1


# --- Functions -------------------------------------------------------------------------------

_ONE = as_sum(ONE)


def _scaled(total: Sum, factor: Expression | int) -> Sum:
    number = factor if isinstance(factor, int) else factor.payload
    return total.scaled(Fraction(number))


def _add(e: _Expansion, a: Sum, b: Sum) -> Sum:
    return e.sum(a, b)


def _multiply(e: _Expansion, a: Sum, b: Sum) -> Sum:
    return e.product(a, b)


def _divide(e: _Expansion, a: Sum, b: Sum) -> Sum:
    return e.product(a, e.to(b, Fraction(-1)))


def _power(e: _Expansion, a: Sum, n: Sum) -> Sum | None:
    exponent = n.build()
    if not exponent.is_constant:
        return None
    return e.to(a, exponent.payload)


def _sqrt(e: _Expansion, a: Sum) -> Sum:
    return e.to(a, Fraction(1, 2))


def _exp(e: _Expansion, a: Sum) -> Sum:
    return e.exp(a)


def _expm1(e: _Expansion, a: Sum) -> Sum:
    return e.sum(e.exp(a), _scaled(_ONE, -1))


def _log(e: _Expansion, a: Sum) -> Sum:
    return e.log(a)


def _log1p(e: _Expansion, a: Sum) -> Sum:
    return e.log(e.sum(_ONE, a))


def _sigmoid(e: _Expansion, a: Sum) -> Sum | None:
    """1 / (1 + exp(-a)) on the right, exp(a) / (1 + exp(a)) on the left."""
    side = e.side(a)
    if not side:
        return None
    small = e.exp(_scaled(a, -side))
    gate = e.to(e.sum(_ONE, small), Fraction(-1))
    return gate if side > 0 else e.product(small, gate)


def _softplus(e: _Expansion, a: Sum) -> Sum | None:
    """log(1 + exp(a)), and a more on the right."""
    side = e.side(a)
    if not side:
        return None
    rest = _log1p(e, e.exp(_scaled(a, -side)))
    return e.sum(a, rest) if side > 0 else rest


def _tanh(e: _Expansion, a: Sum) -> Sum | None:
    """s (1 - 2 sigmoid(-2 s a))."""
    side = e.side(a)
    gate = _sigmoid(e, _scaled(a, -2 * side)) if side else None
    return None if gate is None else _scaled(e.sum(_ONE, _scaled(gate, -2)), side)


def _sech(e: _Expansion, a: Sum) -> Sum | None:
    """2 exp(-s a) / (1 + exp(-2 s a))."""
    side = e.side(a)
    if not side:
        return None
    under = e.sum(_ONE, e.exp(_scaled(a, -2 * side)))
    return e.product(_scaled(e.exp(_scaled(a, -side)), 2), e.to(under, Fraction(-1)))


def _cosh(e: _Expansion, a: Sum) -> Sum:
    return _scaled(e.sum(e.exp(a), e.exp(_scaled(a, -1))), HALF)


def _sinh(e: _Expansion, a: Sum) -> Sum:
    return _scaled(e.sum(e.exp(a), _scaled(e.exp(_scaled(a, -1)), -1)), HALF)


def _erfc(e: _Expansion, a: Sum) -> Sum | None:
    """exp(-a**2) erfcx(a) on the right, 2 - erfc(-a) on the left."""
    side = e.tail.heading(a.build())
    if not side:
        return None
    u = _scaled(a, side).build()
    decay = e.product(e.exp(as_sum(negate(u**2))), as_sum(apply("erfcx", u)))
    return decay if side > 0 else e.sum(as_sum(TWO), _scaled(decay, -1))


def _erf(e: _Expansion, a: Sum) -> Sum | None:
    found = _erfc(e, a)
    return None if found is None else e.sum(_ONE, _scaled(found, -1))


def _abs(e: _Expansion, a: Sum) -> Sum | None:
    u = a.build()
    side = e.tail.heading(u) or e.tail.sign_of_limit(u)
    return _scaled(a, side) if side and math.copysign(1, e.tail.value(u, e.begin)) == side else None


_SUMS: dict[str, Callable[..., Sum | None]] = {
    "add": _add,
    "multiply": _multiply,
    "divide": _divide,
    "power": _power,
    "sqrt": _sqrt,
    "exp": _exp,
    "expm1": _expm1,
    "log": _log,
    "log1p": _log1p,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "tanh": _tanh,
    "sech": _sech,
    "cosh": _cosh,
    "sinh": _sinh,
    "erf": _erf,
    "erfc": _erfc,
    "abs": _abs,
}
