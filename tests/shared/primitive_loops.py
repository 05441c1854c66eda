"""Loops over single primitives, the arguments they are tried at, and what they should give."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

import numba
import numpy as np
from flint import arb, ctx

from limen.kernels.pipeline import Inlined
from limen.kernels.primitives import extended, plain
from limen.kernels.primitives.lanes import HAS_FMA

LARGEST = float(np.finfo(np.float64).max)
SMALLEST_NORMAL, SPACING = 2.0**-1022, 2.0**-1074
INF, NAN = math.inf, math.nan
MODULES = [plain, extended]
FLOATS = numba.types.Array(numba.float64, 1, "C")

REFERENCES: dict[str, Callable[[arb], arb]] = {
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
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "softplus": lambda x: x.exp().log1p() if x < 800 else x,
    "tanhshrink": lambda x: x - x.tanh(),
    "atan": lambda x: x.atan(),
    "erf": lambda x: x.erf(),
    "erfc": lambda x: x.erfc(),
    "erfcx": lambda x: (x * x).exp() * x.erfc(),
    "sqrt": lambda x: x.sqrt(),
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "absolute": abs,
    "neg": lambda x: -x,
}
PHASES = {"sin": 0.0, "cos": 0.5, "sin_plus_cos": -0.25}

#: How many arguments of each kind are drawn.
COUNT = 250 if HAS_FMA else 40


def compiled(module: ModuleType, body: str, *arrays: str) -> Any:
    """A kernel that runs `body` for every i; `m` is the module of primitives."""
    source = f"def kernel({', '.join(arrays)}):\n    for i in range({arrays[0]}.size):\n"
    source += "".join(f"        {line}\n" for line in body.splitlines())
    namespace: dict[str, Any] = {"m": module}
    exec(source, namespace)
    signature = numba.void(*[FLOATS] * len(arrays))
    options = {"error_model": "numpy", "nogil": True, "pipeline_class": Inlined}
    return numba.njit([signature], **options)(namespace["kernel"])


@cache
def kernel_of(module: ModuleType, name: str) -> Any:
    if module is plain:
        return compiled(module, f"y[i] = m.{name}(x[i])\nz[i] = 0.0", "x", "low", "y", "z")
    return compiled(module, f"y[i], z[i] = m.{name}((x[i], low[i]))", "x", "low", "y", "z")


def evaluate(module: ModuleType, name: str, x: np.ndarray, low: np.ndarray) -> Any:
    """Both parts of the primitive's results (the second is 0 for the plain ones)."""
    y, z = np.empty_like(x), np.empty_like(x)
    kernel_of(module, name)(x, low, y, z)
    return y, z


def same(a: float, b: float) -> bool:
    """Equality that tells zeros apart and NaN not."""
    return (math.isnan(a) and math.isnan(b)) or (
        a == b and math.copysign(1, a) == math.copysign(1, b)
    )


def points(name: str, count: int = COUNT) -> np.ndarray:
    """Arguments of every size, and those beside the primitive's roots."""
    draw = np.random.default_rng(sum(name.encode()))
    sign = draw.choice([-1.0, 1.0], count)
    x = [
        draw.normal(0, 3, count),
        draw.uniform(-1, 1, count),
        draw.uniform(-40, 40, count),
        draw.uniform(-760, 760, count),
        sign * np.ldexp(draw.uniform(1, 2, count), draw.integers(-1074, 1024, count)),
        sign * np.ldexp(draw.uniform(1, 2, count), draw.integers(-70, 4, count)),
        np.array([LARGEST, -LARGEST, SPACING, -SPACING, SMALLEST_NORMAL, 1.0, -1.0, 0.625, -0.625]),
    ]
    if name in PHASES:
        ctx.prec = 200
        multiples = [*range(-count // 2, count // 2), *draw.integers(-(10**9), 10**9, count)]
        x.append(np.array([float(arb.pi() * (int(k) + arb(PHASES[name]))) for k in multiples]))
        # The float64 nearest to a multiple of pi/2 of all.
        x.append(np.array([6381956970095103.0 * 2.0**797, 1e22, 1e300]))
    if name in ("log", "log1p"):
        near = sign * np.ldexp(draw.uniform(1, 2, count), draw.integers(-53, -1, count))
        x.append(near + 1.0 if name == "log" else near)
    if name in ("erf", "erfc", "erfcx"):
        x.append(draw.uniform(-28, 28, 2 * count))
    if name in ("exp", "expm1", "sinh", "cosh"):
        x.append(draw.uniform(709, 711, count))
    values: np.ndarray = np.concatenate(x)
    if name in ("log", "sqrt"):
        values = np.abs(values)
    if name == "log1p":
        values = values[values > -1]
    return values
