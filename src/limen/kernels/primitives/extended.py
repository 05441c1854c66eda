"""The primitives in pairs of float64: relative error below 2^-60, for float64 arrays.

Every name here is callable from Numba-compiled code and takes and returns tuples (high, low) that
stand for high + low; `widen` makes one, `narrow` rounds it, comparisons return a Boolean.
`limen.kernels.primitives.plain` has the same names.
"""

from __future__ import annotations

from functools import partial

from limen.kernels.primitives import extended_arithmetic as arithmetic
from limen.kernels.primitives import extended_error as error
from limen.kernels.primitives import extended_exponential as exponential
from limen.kernels.primitives import extended_logarithm as logarithm
from limen.kernels.primitives import extended_scaled_error as scaled_error
from limen.kernels.primitives import extended_trigonometric as trigonometric
from limen.kernels.primitives.binding import BOOLEAN, EXTENDED, PLAIN, bind, bind_numbers

__all__ = [
    "absolute",
    "add",
    "atan",
    "cos",
    "cosh",
    "div",
    "equal",
    "erf",
    "erfc",
    "erfcx",
    "exp",
    "expm1",
    "less",
    "less_equal",
    "log",
    "log1p",
    "mul",
    "narrow",
    "neg",
    "power",
    "reciprocal",
    "sech",
    "select",
    "sigmoid",
    "sin",
    "sin_plus_cos",
    "sinh",
    "softplus",
    "sqrt",
    "square",
    "sub",
    "tanh",
    "tanhshrink",
    "widen",
]

_function = partial(bind_numbers, EXTENDED)

widen = bind(arithmetic.widen, EXTENDED, PLAIN)
narrow = bind(arithmetic.narrow, PLAIN, EXTENDED)
less = bind(arithmetic.less, BOOLEAN, EXTENDED, EXTENDED)
less_equal = bind(arithmetic.less_equal, BOOLEAN, EXTENDED, EXTENDED)
equal = bind(arithmetic.equal, BOOLEAN, EXTENDED, EXTENDED)
select = bind(arithmetic.select, EXTENDED, BOOLEAN, EXTENDED, EXTENDED)

add = _function(arithmetic.add)
sub = _function(arithmetic.sub)
mul = _function(arithmetic.mul)
div = _function(arithmetic.div)
neg = _function(arithmetic.neg)
absolute = _function(arithmetic.absolute)
square = _function(arithmetic.square)
reciprocal = _function(arithmetic.reciprocal)
sqrt = _function(arithmetic.sqrt)

exp = _function(exponential.exp)
expm1 = _function(exponential.expm1)
sinh = _function(exponential.sinh)
cosh = _function(exponential.cosh)
tanh = _function(exponential.tanh)
sech = _function(exponential.sech)
sigmoid = _function(exponential.sigmoid)

log = _function(logarithm.log)
log1p = _function(logarithm.log1p)
power = _function(logarithm.power)
softplus = _function(logarithm.softplus)

sin = _function(trigonometric.sin)
cos = _function(trigonometric.cos)
sin_plus_cos = _function(trigonometric.sin_plus_cos)
atan = _function(trigonometric.atan)

erf = _function(error.erf)
erfc = _function(error.erfc)
erfcx = _function(scaled_error.erfcx)
tanhshrink = _function(error.tanhshrink)
