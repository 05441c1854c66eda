"""The primitives in float64: relative error below 2^-50, for float32, float16 and bfloat16 arrays.

Every name here is callable from Numba-compiled code and takes and returns float64 (comparisons
return a Boolean, `select` takes one first). `limen.kernels.primitives.extended` has the same names.
"""

from __future__ import annotations

from functools import partial

from limen.kernels.primitives import plain_arithmetic as arithmetic
from limen.kernels.primitives import plain_error as error
from limen.kernels.primitives import plain_exponential as exponential
from limen.kernels.primitives import plain_logarithm as logarithm
from limen.kernels.primitives import plain_trigonometric as trigonometric
from limen.kernels.primitives.binding import BOOLEAN, PLAIN, bind, bind_numbers

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

_function = partial(bind_numbers, PLAIN)

widen = _function(arithmetic.widen)
narrow = _function(arithmetic.narrow)
less = bind(arithmetic.less, BOOLEAN, PLAIN, PLAIN)
less_equal = bind(arithmetic.less_equal, BOOLEAN, PLAIN, PLAIN)
equal = bind(arithmetic.equal, BOOLEAN, PLAIN, PLAIN)
select = bind(arithmetic.select, PLAIN, BOOLEAN, PLAIN, PLAIN)

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
softplus = _function(exponential.softplus)
tanhshrink = _function(exponential.tanhshrink)

log = _function(logarithm.log)
log1p = _function(logarithm.log1p)
power = _function(logarithm.power)

sin = _function(trigonometric.sin)
cos = _function(trigonometric.cos)
sin_plus_cos = _function(trigonometric.sin_plus_cos)
atan = _function(trigonometric.atan)

erf = _function(error.erf)
erfc = _function(error.erfc)
