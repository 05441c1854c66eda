"""The primitives against ball arithmetic, at random and at awkward points, in both precisions.

Arguments of the extended primitives carry a second part that matters: f(hi + lo) is what is checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from types import ModuleType

import numba
import numpy as np
import pytest
from flint import arb, ctx

from limen.kernels.primitives import extended, plain

LARGEST = math.ulp(0.0) * 0 + np.finfo(np.float64).max
SUBNORMAL = 2.0**-1074
#: relative error, and below which magnitude of the result it is not asked for
BOUNDS = {plain: (2.0**-50, 1e-300), extended: (2.0**-60, 1e-290)}
FLOATS = numba.types.Array(numba.float64, 1, "C")

Reference = Callable[[arb], arb]
one = arb(1)

REFERENCES: dict[str, Reference] = {
    "exp": lambda x: x.exp(),
    "expm1": lambda x: x.expm1(),
    "log": lambda x: x.log(),
    "log1p": lambda x: x.log1p(),
    "sin": lambda x: x.sin(),
    "cos": lambda x: x.cos(),
    "sin_plus_cos": lambda x: x.sin() + x.cos(),
    "sinh": lambda x: x.sinh(),
    "cosh": lambda x: x.cosh(),
    "tanh": lambda x: x.tanh(),
    "sech": lambda x: x.sech(),
    "sigmoid": lambda x: one / (one + (-x).exp()),
    "softplus": lambda x: x.exp().log1p(),
    "tanhshrink": lambda x: x - x.tanh(),
    "atan": lambda x: x.atan(),
    "erf": lambda x: x.erf(),
    "erfc": lambda x: x.erfc(),
    "square": lambda x: x * x,
    "sqrt": lambda x: x.sqrt(),
    "reciprocal": lambda x: one / x,
}
POSITIVE = {"log", "sqrt"}
ODD = ["expm1", "log1p", "sin", "sinh", "tanh", "tanhshrink", "atan", "erf", "neg"]
