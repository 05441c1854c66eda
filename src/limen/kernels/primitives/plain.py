"""The primitives in float64, for float32, float16 and bfloat16 arrays: relative error below 2^-50.

(Below 2^-49 where the CPU has no fused multiply-add.) Every name here is callable from
Numba-compiled code and takes and returns float64 (comparisons return a Boolean, `select` takes one
first). `limen.kernels.primitives.extended` has the same names, but for the cheaper forms.
"""

from __future__ import annotations

from functools import partial

from limen.kernels.primitives import newton
from limen.kernels.primitives import plain_arithmetic as arithmetic
from limen.kernels.primitives import plain_error as error
from limen.kernels.primitives import plain_exponential as exponential
from limen.kernels.primitives import plain_logarithm as logarithm
from limen.kernels.primitives import plain_scaled_error as scaled_error
from limen.kernels.primitives import plain_trigonometric as trigonometric
from limen.kernels.primitives.binding import BOOLEAN, PLAIN, bind, bind_numbers

__all__ = [
    "absolute",
    "add",
    "atan",
    "cos",
    "cos_of_product",
    "cosh",
    "decay",
    "div",
    "equal",
    "erf",
    "erfc",
    "erfcx",
    "exp",
    "expm1",
    "fma",
    "gaussian",
    "inverse",
    "inverse_root",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log1p_of_fraction",
    "moderate_cos",
    "moderate_cos_of_product",
    "moderate_sin",
    "moderate_sin_of_product",
    "moderate_sin_plus_cos",
    "moderate_sin_plus_cos_of_product",
    "mul",
    "narrow",
    "neg",
    "power",
    "reciprocal",
    "root",
    "sech",
    "select",
    "sigmoid",
    "sin",
    "sin_of_product",
    "sin_plus_cos",
    "sin_plus_cos_of_product",
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
fma = _function(arithmetic.fma)
neg = _function(arithmetic.neg)
absolute = _function(arithmetic.absolute)
square = _function(arithmetic.square)
reciprocal = _function(arithmetic.reciprocal)
sqrt = _function(arithmetic.sqrt)

# Cheaper forms for arguments in a range
inverse = _function(newton.inverse)
inverse_root = _function(newton.inverse_root)
root = _function(newton.root)
decay = bind(exponential.decay, PLAIN, PLAIN)
gaussian = _function(error.gaussian)
log1p_of_fraction = _function(exponential.log1p_of_fraction)

moderate_sin = _function(trigonometric.moderate_sin)
moderate_cos = _function(trigonometric.moderate_cos)
moderate_sin_plus_cos = _function(trigonometric.moderate_sin_plus_cos)
moderate_sin_of_product = _function(trigonometric.moderate_sin_of_product)
moderate_cos_of_product = _function(trigonometric.moderate_cos_of_product)
moderate_sin_plus_cos_of_product = _function(trigonometric.moderate_sin_plus_cos_of_product)
sin_of_product = _function(trigonometric.sin_of_product)
cos_of_product = _function(trigonometric.cos_of_product)
sin_plus_cos_of_product = _function(trigonometric.sin_plus_cos_of_product)

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
erfcx = _function(scaled_error.erfcx)
