"""One lane of a vector loop: the numbers in which the primitives are written.

A primitive is an ordinary Python function over `Real` (float64), `Word` (64 bits as an integer) and
`Truth` values. Calling it does not compute: every operator appends one LLVM instruction to the
kernel that is being compiled, so the function reads as its formula and costs Numba a millisecond
or two. (Under `numba.njit`, type inference and lowering made the same function cost 30 to 80.)

Nothing here carries a fast-math flag: each instruction means exactly what IEEE 754 says, and a
multiply-add is fused only where `fma` says so.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from typing import Self

import llvmlite.binding
import numba
from llvmlite import ir

#: 1.5 2^52: adding it rounds to an integer, which is then in the low bits of the sum.
ROUNDER = 6755399441055744.0

FLOAT = ir.DoubleType()
WORD = ir.IntType(64)


def target_has(feature: str) -> bool:
    """Whether the CPU that Numba compiles for has a feature, by LLVM's name of it for x86."""
    chosen_features: str | None = getattr(numba.config, "CPU_FEATURES", None)
    if chosen_features is not None:
        return f"+{feature}" in chosen_features.split(",")
    if getattr(numba.config, "CPU_NAME", None) not in (None, "host"):
        return False
    return bool(llvmlite.binding.get_host_cpu_features().get(feature, False))


#: Where it is false, `fma` rounds twice and `exact.two_product` splits its factors instead.
HAS_FMA = target_has("fma") or platform.machine().lower() in ("arm64", "aarch64")


class Truth:
    """A comparison's outcome."""

    __slots__ = ("builder", "ir")

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder = builder
        self.ir = value

    def __and__(self, other: Truth) -> Truth:
        return Truth(self.builder, self.builder.and_(self.ir, other.ir))

    def __or__(self, other: Truth) -> Truth:
        return Truth(self.builder, self.builder.or_(self.ir, other.ir))


class Word:
    """Sixty-four bits, as an integer that wraps round."""

    __slots__ = ("builder", "ir")

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder = builder
        self.ir = value

    def _apply(self, operation: Callable[..., ir.Value], other: Word | int) -> Self:
        right = other.ir if isinstance(other, Word) else ir.Constant(WORD, other)
        return type(self)(self.builder, operation(self.ir, right))

    def __add__(self, other: Word | int) -> Self:
        return self._apply(self.builder.add, other)

    def __sub__(self, other: Word | int) -> Self:
        return self._apply(self.builder.sub, other)

    def __rsub__(self, other: int) -> Self:
        return type(self)(self.builder, self.builder.sub(ir.Constant(WORD, other), self.ir))

    def __mul__(self, other: Word | int) -> Self:
        return self._apply(self.builder.mul, other)

    def __and__(self, other: Word | int) -> Self:
        return self._apply(self.builder.and_, other)

    def __or__(self, other: Word | int) -> Self:
        return self._apply(self.builder.or_, other)

    def __xor__(self, other: Word | int) -> Self:
        return self._apply(self.builder.xor, other)

    def __lshift__(self, other: int) -> Self:
        return self._apply(self.builder.shl, other)

    def __rshift__(self, other: int) -> Self:
        """Shift right; zeros come in (AVX2 has no arithmetic shift of 64-bit lanes)."""
        return self._apply(self.builder.lshr, other)

    def as_real(self) -> Real:
        """The float64 with these bits."""
        return Real(self.builder, self.builder.bitcast(self.ir, FLOAT))


class Real:
    """A float64. Arithmetic with Python floats is allowed; they become constants."""

    __slots__ = ("builder", "ir")

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder = builder
        self.ir = value

    def lift(self, other: Real | float) -> Real:
        """The constant `other`, in the kernel this number belongs to."""
        return other if isinstance(other, Real) else Real(self.builder, ir.Constant(FLOAT, other))

    def _apply(self, operation: Callable[..., ir.Value], *others: Real | float) -> Real:
        return Real(self.builder, operation(self.ir, *(self.lift(other).ir for other in others)))

    def _compare(self, relation: str, other: Real | float, unordered: bool = False) -> Truth:
        compare = self.builder.fcmp_unordered if unordered else self.builder.fcmp_ordered
        return Truth(self.builder, compare(relation, self.ir, self.lift(other).ir))

    def __add__(self, other: Real | float) -> Real:
        return self._apply(self.builder.fadd, other)

    def __radd__(self, other: float) -> Real:
        return self.lift(other) + self

    def __sub__(self, other: Real | float) -> Real:
        return self._apply(self.builder.fsub, other)

    def __rsub__(self, other: float) -> Real:
        return self.lift(other) - self

    def __mul__(self, other: Real | float) -> Real:
        return self._apply(self.builder.fmul, other)

    def __rmul__(self, other: float) -> Real:
        return self.lift(other) * self

    def __truediv__(self, other: Real | float) -> Real:
        return self._apply(self.builder.fdiv, other)

    def __rtruediv__(self, other: float) -> Real:
        return self.lift(other) / self

    def __neg__(self) -> Real:
        return self._apply(self.builder.fneg)

    def __lt__(self, other: Real | float) -> Truth:
        return self._compare("<", other)

    def __le__(self, other: Real | float) -> Truth:
        return self._compare("<=", other)

    def __gt__(self, other: Real | float) -> Truth:
        return self._compare(">", other)

    def __ge__(self, other: Real | float) -> Truth:
        return self._compare(">=", other)

    def differs(self, other: Real | float) -> Truth:
        """Whether they are different numbers; false for NaN."""
        return self._compare("!=", other)

    def equals(self, other: Real | float) -> Truth:
        """Whether both are the same number; false for NaN."""
        return self._compare("==", other)

    def equals_or_unordered(self, other: Real | float) -> Truth:
        """Whether both are the same number or either is NaN."""
        return self._compare("==", other, unordered=True)

    def less_or_unordered(self, other: Real | float) -> Truth:
        """Whether this is below or equal to the other, or either is NaN."""
        return self._compare("<=", other, unordered=True)

    def bits(self) -> Word:
        """The bits of this float64."""
        return Word(self.builder, self.builder.bitcast(self.ir, WORD))

    def intrinsic(self, name: str, *others: Real | float) -> Real:
        """LLVM's floating point intrinsic of that name, applied to this number and `others`."""
        kind = ir.FunctionType(FLOAT, [FLOAT] * (1 + len(others)))
        function = self.builder.module.declare_intrinsic(name, [FLOAT], kind)
        return self._apply(lambda *values: self.builder.call(function, values), *others)


def fma(a: Real | float, b: Real | float, c: Real | float) -> Real:
    """a b + c, rounded once where the CPU can do so in one instruction, else twice.

    Without the instruction LLVM would call a library function, thirty times slower and not
    vectorised. At least one operand is a `Real`.
    """
    anchor = next(operand for operand in (a, b, c) if isinstance(operand, Real))
    if HAS_FMA:
        return anchor.lift(a)._apply(anchor.builder.fma, b, c)
    return anchor.lift(a) * b + c


def select(condition: Truth, chosen: Real | float, otherwise: Real | float) -> Real:
    """`chosen` where the condition holds, else `otherwise`; neither affects the other."""
    builder = condition.builder
    pair = [
        value.ir if isinstance(value, Real) else ir.Constant(FLOAT, value)
        for value in (chosen, otherwise)
    ]
    return Real(builder, builder.select(condition.ir, *pair))


def at_most(x: Real, bound: float) -> Real:
    """The smaller of x and a constant; NaN stays NaN."""
    return select(x > bound, bound, x)


def at_least(x: Real, bound: float) -> Real:
    """The larger of x and a constant; NaN stays NaN."""
    return select(x < bound, bound, x)


def absolute(x: Real) -> Real:
    """|x|."""
    return x.intrinsic("llvm.fabs")


def copysign(magnitude: Real | float, sign: Real) -> Real:
    """`magnitude`, which is not negative, with the sign of `sign`."""
    return sign.lift(magnitude).intrinsic("llvm.copysign", sign)


def sqrt(x: Real) -> Real:
    """The correctly rounded square root."""
    return x.intrinsic("llvm.sqrt")


def rint(x: Real) -> Real:
    """The nearest integer, the even one of two."""
    return x.intrinsic("llvm.rint")


def horner(variable: Real, coefficients: Sequence[Real | float]) -> Real:
    """The polynomial with these coefficients, the constant term first."""
    *lower, value = coefficients
    for coefficient in reversed(lower):
        value = fma(value, variable, coefficient)
    return variable.lift(value)


def two_horners(variable: Real, coefficients: Sequence[Real | float]) -> Real:
    """The same polynomial, its even and odd powers side by side: half the wait."""
    square = variable * variable
    odd = horner(square, coefficients[1::2])
    return fma(odd, variable, horner(square, coefficients[::2]))


def four_horners(variable: Real, coefficients: Sequence[Real | float]) -> Real:
    """The same once more: a quarter of the wait, which long polynomials need."""
    square = variable * variable
    odd = two_horners(square, coefficients[1::2])
    return fma(odd, variable, two_horners(square, coefficients[::2]))


def estrin(variable: Real, coefficients: Sequence[Real | float]) -> Real:
    """The same polynomial with half the terms waiting for one another, for two more products."""
    terms, step = list(coefficients), variable
    while len(terms) > 1:
        paired = zip(terms[::2], terms[1::2], strict=False)
        odd_one_out = terms[-1:] if len(terms) % 2 else []
        terms = [*(fma(upper, step, lower) for lower, upper in paired), *odd_one_out]
        step = step * step
    return variable.lift(terms[0])
