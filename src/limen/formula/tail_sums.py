"""Sums of products with one exponential in each, for one tail of a formula: see `tail_series`.

What vanishes beside the largest terms is expanded, and left out where it is too small to matter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from limen.formula.expression import ONE, Expression, apply, constant, power
from limen.formula.normal import Product, Sum, as_product, as_sum
from limen.formula.saturate import Tail
from limen.formula.tail_forms import one_exponential

__all__ = ["Expansion", "NoSumError"]

_MOST_TERMS, _MOST_STEPS = 40, 1500
# What is left out on the way: at least so many orders of exp(x) are kept.
_DEPTH, _ORDERS = 110.0, 4
_SMALL = -2.0  # the logarithm of what a series is taken of, at most


class NoSumError(Exception):
    """The formula has no short sum of that kind."""


@dataclass
class Expansion:
    """The arithmetic of such sums.

    Attributes:
        tail: of which formula, on which side.
        begin: the |x| from which on they hold.
        sizes: the logarithms of the sizes that factors have there, so far.
        merged: the products of two exponentials as one, so far.
        steps: how many products were made.
    """

    tail: Tail
    begin: float
    sizes: dict[Expression, float] = field(default_factory=dict)
    merged: dict[tuple[Expression, Expression], Product] = field(default_factory=dict)
    steps: int = 0

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

    def cut(self, total: Sum, depth: float) -> Sum:
        """The sum without the terms that are smaller than the largest by so much."""
        sizes = {
            monomial: self.size(Product(c, dict(monomial))) for monomial, c in total.terms.items()
        }
        least = max(sizes.values(), default=0.0) - depth
        result = Sum({m: c for m, c in total.terms.items() if not sizes[m] < least})
        if len(result.terms) > _MOST_TERMS:
            raise NoSumError
        return result

    # --- Arithmetic ----------------------------------------------------------------------

    def product(self, a: Sum, b: Sum) -> Sum:
        """a b."""
        total = Sum()
        self.steps += len(a.terms) * len(b.terms)
        if self.steps > _MOST_STEPS:
            raise NoSumError
        least = self.largest(a) + self.largest(b) - self.depth
        for p in a.products():
            for q in b.products():
                if self.size(p) + self.size(q) >= least:
                    total.plus(self.times(p, q))
        return self.cut(total, self.depth)

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
        return self.cut(total, self.depth)

    def series(self, coefficients: Iterator[Fraction], small: Sum) -> Sum:
        """c0 + c1 u + c2 u**2 + ... of what is small."""
        total, term = Sum(), Sum().plus(Product())
        for coefficient in coefficients:
            for product in term.products():
                total.plus(product.scaled(coefficient))
            term = self.product(term, small)
            if self.largest(term) < -self.depth:
                break
        return self.cut(total, self.depth)

    def split(self, total: Sum) -> tuple[Product, Sum]:
        """D and r of D (1 + r), where D is all of the largest exponential order."""
        products = total.products()
        if not products:
            raise NoSumError
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
            raise NoSumError
        return largest, rest

    def to(self, total: Sum, exponent: Fraction) -> Sum:
        """A power of a sum, by the binomial series."""
        largest, rest = self.split(total)
        front = as_product(power(largest.build(), constant(exponent))).copy()
        series = self.series(_binomials(exponent), rest)
        return self.product(Sum().plus(one_exponential(front)), series)

    def exp(self, u: Sum) -> Sum:
        """The exponential of a sum, with what vanishes in it expanded."""
        large, small = Sum(), Sum()
        for product in u.products():
            (small if self.vanishes(product) else large).plus(product)
        series = self.series(_factorials(), small)
        if not large.terms:
            return series
        front = one_exponential(Product().times(apply("exp", large.build())))
        return self.product(Sum().plus(front), series)

    def log(self, u: Sum) -> Sum:
        """The logarithm of a positive sum."""
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
