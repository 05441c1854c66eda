"""Normal forms: a product as coefficient and powers, a sum as coefficients of monomials.

Two spellings of one formula (`x / (1 + x)` and `(1 / (x + 1)) * x`) get one normal form, which is
what lets terms of a derivative meet and cancel exactly instead of in floating point. Nothing is
multiplied out here: a factored form is kept, because it is exact beside its roots.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache, reduce
from hashlib import blake2b
from math import gcd, isqrt
from weakref import WeakKeyDictionary

from limen.formula.budget import spend
from limen.formula.expression import (
    ONE,
    ZERO,
    Expression,
    add,
    apply,
    constant,
    divide,
    multiply,
    power,
    walk,
)

__all__ = ["Monomial", "Product", "Sum", "as_product", "as_sum", "expand", "order"]

Monomial = frozenset[tuple[Expression, Fraction]]
_Key = tuple[int, int, str]
_keys: WeakKeyDictionary[Expression, _Key] = WeakKeyDictionary()

# Operations whose value is never negative: their powers combine freely.
_POSITIVE = {"exp", "cosh", "sech", "sigmoid", "softplus", "erfc", "erfcx", "abs", "pi", "e"}

# Multiplying out is tried only where it can pay; beyond this it cannot.
_MOST_TERMS = 48
_MOST_STEPS = 400
_MOST_POWER = 4


def order(node: Expression) -> _Key:
    """A sort key that is the same in every process: depth first, then what the node is."""
    known = _keys.get(node)
    if known is not None:
        return known
    for below in walk(node):
        if below not in _keys:
            arguments = [_keys[a] for a in below.arguments]
            depth = 1 + max((a[0] for a in arguments), default=0)
            text = f"{below.operation}:{below.payload}:{'|'.join(a[2] for a in arguments)}"
            kind = 0 if below.is_constant else 1
            _keys[below] = (depth, kind, blake2b(text.encode(), digest_size=12).hexdigest())
    return _keys[node]


@dataclass(slots=True)
class Product:
    """coefficient * product of base ** exponent."""

    coefficient: Fraction = Fraction(1)
    powers: dict[Expression, Fraction] = field(default_factory=dict)

    def times(self, base: Expression, exponent: Fraction | int = 1) -> Product:
        """Multiplies in place by base ** exponent, where base is no product."""
        total = self.powers.pop(base, Fraction(0)) + exponent
        if base.is_constant and total.denominator == 1:
            self.coefficient *= base.payload ** int(total)
        elif total:
            self.powers[base] = total
        return self

    def multiply(self, other: Product, exponent: Fraction | int = 1) -> Product:
        """Multiplies in place by other ** exponent (a whole number)."""
        spend()
        self.coefficient *= other.coefficient ** int(exponent)
        for base, n in other.powers.items():
            self.times(base, n * exponent)
        return self

    def scaled(self, factor: Fraction | int) -> Product:
        """The product times a number."""
        return Product(self.coefficient * factor, dict(self.powers))

    def copy(self) -> Product:
        """An independent copy."""
        return Product(self.coefficient, dict(self.powers))

    @property
    def monomial(self) -> Monomial:
        """The powers alone, as a key."""
        return frozenset(self.powers.items())

    def build(self) -> Expression:
        """The expression: its number, then numerator over denominator, in a fixed order."""
        if self.coefficient == 0:
            return ZERO
        numbers = {b: n for b, n in self.powers.items() if _is_number(b)}
        others = {b: n for b, n in self.powers.items() if b not in numbers}
        number = multiply(constant(self.coefficient), _quotient(ONE, numbers))
        if any(n > 0 for n in others.values()):
            return multiply(number, _quotient(ONE, others))
        return _quotient(number, others)


@lru_cache(maxsize=1 << 14)
def _is_number(base: Expression) -> bool:
    return not any(leaf.operation in ("input", "parameter") for leaf in walk(base))


def _quotient(start: Expression, powers: Mapping[Expression, Fraction]) -> Expression:
    factors = sorted(powers.items(), key=lambda item: order(item[0]))
    over = reduce(multiply, (_build_power(b, n) for b, n in factors if n > 0), start)
    under = reduce(multiply, (_build_power(b, -n) for b, n in factors if n < 0), ONE)
    return over if under is ONE else divide(over, under)


def _build_power(base: Expression, exponent: Fraction) -> Expression:
    if exponent == Fraction(1, 2):
        return apply("sqrt", base)
    return power(base, constant(exponent))


@dataclass(slots=True)
class Sum:
    """A sum of coefficient * monomial."""

    terms: dict[Monomial, Fraction] = field(default_factory=dict)

    def plus(self, product: Product) -> Sum:
        """Adds a product in place; equal terms meet, and cancel."""
        key = product.monomial
        total = self.terms.pop(key, Fraction(0)) + product.coefficient
        if total:
            self.terms[key] = total
        return self

    def minus(self, product: Product) -> Sum:
        """Subtracts a product in place."""
        return self.plus(Product(-product.coefficient, product.powers))

    def products(self) -> list[Product]:
        """The terms in a fixed order."""
        return [Product(self.terms[m], dict(m)) for m in sorted(self.terms, key=_monomial_order)]

    def build(self) -> Expression:
        """The expression; a sum that starts with a minus is turned where it can be."""
        built = [p.build() for p in self.products()]
        built.sort(
            key=lambda e: (
                e.operation == "multiply"
                and e.arguments[0].is_constant
                and e.arguments[0].payload < 0
            )
        )
        return reduce(add, built, ZERO)

    def content(self) -> Fraction:
        """The factor to take out so that equal sums look equal: their sign, and what is common.

        Only a common magnitude or a common integer is taken out: dividing 3x + 1 by 3 would
        make the exact constant 1 an inexact 1/3.
        """
        products = self.products()
        sign = 1 if products[0].coefficient > 0 else -1
        sizes = {abs(p.coefficient) for p in products}
        if len(sizes) == 1:
            return sign * sizes.pop()
        if all(s.denominator == 1 for s in sizes):
            return Fraction(sign * reduce(gcd, (s.numerator for s in sizes)))
        return Fraction(sign)

    def scaled(self, factor: Fraction) -> Sum:
        """The sum times a number."""
        return Sum({m: c * factor for m, c in self.terms.items()})


@lru_cache(maxsize=1 << 14)
def _monomial_order(monomial: Monomial) -> tuple[int, list[tuple[_Key, Fraction]]]:
    return len(monomial), sorted((order(b), n) for b, n in monomial)


@lru_cache(maxsize=1 << 14)
def as_product(node: Expression) -> Product:
    """Reads an expression as a product. Sums, functions and leaves are its bases.

    The product is kept for the next reader: copy it before changing it.
    """
    result = Product()
    stack = [(node, 1)]
    while stack:
        item, sign = stack.pop()
        if item.operation in ("multiply", "divide"):
            first, second = item.arguments
            stack += [(second, -sign if item.operation == "divide" else sign), (first, sign)]
        elif item.is_constant:
            result.coefficient *= item.payload**sign
        elif item.operation == "add":
            result.multiply(_sum_as_product(item), sign)
        elif item.operation == "sqrt":
            result.multiply(_raised(item.arguments[0], Fraction(1, 2), item), sign)
        elif item.operation == "power" and item.arguments[1].is_constant:
            result.multiply(_raised(item.arguments[0], item.arguments[1].payload, item), sign)
        else:
            result.times(item, sign)
    return result


def _sum_as_product(node: Expression) -> Product:
    total = as_sum(node)
    if len(total.terms) <= 1:
        return total.products()[0] if total.terms else Product(Fraction(0))
    content = total.content()
    base = node if content == 1 else total.scaled(1 / content).build()
    return Product(content).times(base)


def _raised(base: Expression, exponent: Fraction, node: Expression) -> Product:
    inner = as_product(base)
    if exponent.denominator == 1:
        if inner.coefficient == 0:
            return Product().times(node)
        return Product().multiply(inner, exponent)
    if inner.coefficient <= 0:
        return Product().times(node)
    result = _root_of_number(inner.coefficient, exponent)
    if len(inner.powers) == 1:
        ((only, n),) = inner.powers.items()
        if only.operation in _POSITIVE or n == 1 or n.denominator != 1:
            return result.times(only, n * exponent)
        if n % 2 == 0:
            return result.times(apply("abs", only), n * exponent)  # (b**2)**(1/2) is |b|
    rest = Product(Fraction(1), inner.powers).build()
    return result if rest is ONE else result.times(rest, exponent)


def _root_of_number(value: Fraction, exponent: Fraction) -> Product:
    """sqrt(4) is 2, and 1 is 1; sqrt(2) stays a power of the base 2."""
    if value == 1:
        return Product()
    over, under = isqrt(value.numerator), isqrt(value.denominator)
    if exponent.denominator == 2 and over**2 == value.numerator and under**2 == value.denominator:
        return Product(Fraction(over, under) ** exponent.numerator)
    return Product().times(constant(value), exponent)


def as_sum(node: Expression) -> Sum:
    """Reads an expression as a sum; a rational multiple of a sum is spread over its terms."""
    total = Sum()
    stack: list[tuple[Expression, Fraction]] = [(node, Fraction(1))]
    while stack:
        item, factor = stack.pop()
        if item.operation == "add":
            stack.extend((a, factor) for a in reversed(item.arguments))
            continue
        if item.operation == "multiply" and item.arguments[0].is_constant:
            inner = item.arguments[1]
            if inner.operation == "add":
                stack.append((inner, factor * item.arguments[0].payload))
                continue
        product = as_product(item).copy()
        product.coefficient *= factor
        total.plus(product)
    return total


def expand(products: Iterable[Product]) -> Sum | None:
    """Multiplies out every whole positive power of a sum; None when that grows too large."""
    total = Sum()
    pending = list(products)
    if sum(map(_count_of_terms, pending)) > _MOST_STEPS:
        return None
    for _ in range(_MOST_STEPS):
        if not pending:
            return total
        product = pending.pop()
        base = next((b for b, n in product.powers.items() if _is_expandable(b, n)), None)
        if base is None:
            total.plus(product)
            continue
        rest = product.copy().times(base, -1)
        pending.extend(rest.copy().multiply(term) for term in as_sum(base).products())
        if len(pending) + len(total.terms) > _MOST_TERMS:
            return None
    return None


def _count_of_terms(product: Product) -> int:
    """How many terms a product has when it is multiplied out, as far as that matters."""
    count = 1
    for base, exponent in product.powers.items():
        if _is_expandable(base, exponent):
            count *= _length(base) ** int(exponent)
            if count > _MOST_STEPS:
                break
    return count


@lru_cache(maxsize=1 << 14)
def _length(base: Expression) -> int:
    return len(as_sum(base).terms)


def _is_expandable(base: Expression, exponent: Fraction) -> bool:
    return base.operation == "add" and exponent.denominator == 1 and 0 < exponent <= _MOST_POWER
