"""The primitives against ball arithmetic, at random and at awkward points, in both precisions.

Arguments of the extended primitives have a second part that matters: f(high + low) is checked.
"""

from __future__ import annotations

import math
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import llvmlite.binding
import numba
import numpy as np
import pytest
from flint import arb, ctx

from limen.kernels.pipeline import Inlined
from limen.kernels.primitives import extended, extended_error, plain
from limen.kernels.primitives.binding import EXTENDED, bind
from limen.kernels.primitives.lanes import HAS_FMA

ROOT = Path(__file__).resolve().parents[2]
LARGEST = float(np.finfo(np.float64).max)
SMALLEST_NORMAL, SPACING = 2.0**-1022, 2.0**-1074
INF, NAN = math.inf, math.nan
MODULES = [plain, extended]
FLOATS = numba.types.Array(numba.float64, 1, "C")
#: Relative error, and the magnitude of results down to which it is promised.
BOUNDS = {plain: (2.0**-50 if HAS_FMA else 2.0**-49, 1e-300), extended: (2.0**-60, 1e-290)}

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
SUBNORMAL_RESULTS = ["exp", "sigmoid", "softplus", "sech", "erfc"]

#: A whole vector is stored, and not on the stack.
VECTOR_STORE = re.compile(r"mov(u|a|dq)\w+\s+%[xyz]mm\d+, -?\w*\(%(?!rsp|rbp)")

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


def rounded(module: ModuleType, expression: str, *values: float) -> float:
    """A formula over `a`, `b`, ... in the module's arithmetic, narrowed to float64."""
    names = "ab"[: len(values)]
    body = "".join(f"{name} = m.widen({name}_in[i])\n" for name in names)
    kernel = compiled(
        module, f"{body}y[i] = m.narrow({expression})", *(f"{name}_in" for name in names), "y"
    )
    result = np.empty(1)
    kernel(*(np.array([float(value)]) for value in values), result)
    return float(result[0])


def reference(name: str, x: float, low: float) -> arb:
    """f(x + low), to at least 150 bits."""
    for precision in (300, 1400, 5200):
        ctx.prec = precision
        value = REFERENCES[name](arb(x) + arb(low))
        if value.rel_accuracy_bits() > 150:
            break
    return value


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


def second_parts(module: ModuleType, x: np.ndarray) -> np.ndarray:
    """For three arguments in four a random low; plain primitives have none."""
    draw = np.random.default_rng(x.size)
    low = draw.uniform(-0.49, 0.49, x.size) * (x * 2.0**-53)
    extra = (module is extended) & (draw.random(x.size) < 0.75) & (np.abs(x) < 1e308)
    return np.where(extra, low, 0.0)


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("module", MODULES, ids=["plain", "extended"])
def test_accuracy(module: ModuleType, name: str) -> None:
    bound, smallest = BOUNDS[module]
    x = points(name)
    low = second_parts(module, x)
    for argument, *computed in zip(
        zip(x.tolist(), low.tolist(), strict=True),
        *(part.tolist() for part in evaluate(module, name, x, low)),
        strict=True,
    ):
        exact = reference(name, *argument)
        size = abs(float(exact))
        if size >= LARGEST:
            assert abs(computed[0]) >= LARGEST, argument
            continue
        error = abs(arb(computed[0]) + arb(computed[1]) - exact)
        if size >= smallest:
            assert error <= bound * abs(exact), (argument, computed, float(error / abs(exact)))
        elif name in SUBNORMAL_RESULTS and size < SMALLEST_NORMAL:
            # No format that the plain primitives serve can tell such numbers from 0.
            allowed = 1.5 * SPACING if module is extended else SMALLEST_NORMAL
            assert error <= allowed, (argument, computed, float(error) / SPACING)


def test_what_is_computed_and_not_taken_is_in_the_table() -> None:
    """For a small x, erfcx looks a value up only to drop it: from a row that there is."""
    module = ModuleType("primitives")
    module.tail = bind(extended_error.erfc_over_decay, EXTENDED, EXTENDED)  # type: ignore[attr-defined]
    kernel = compiled(module, "y[i], z[i] = m.tail((x[i], 0.0))", "x", "y", "z")
    x = np.array([0.625, 0.0, 1e-300, 0.3, 0.6, 27.3, 28.0, 1e300])
    y, z = np.empty_like(x), np.empty_like(x)
    kernel(x, y, z)
    assert y[0] == pytest.approx(float(REFERENCES["erfcx"](arb(0.625))), rel=1e-15)
    assert len(set(zip(y[:5], z[:5], strict=True))) == len(set(zip(y[5:], z[5:], strict=True))) == 1


@pytest.mark.parametrize("exponent", [0.5, 1.5, -0.3, 3.7, 12.0, -1 / 3])
@pytest.mark.parametrize("module", MODULES, ids=["plain", "extended"])
def test_power(module: ModuleType, exponent: float) -> None:
    x = points("log")
    kernel = compiled(
        module, f"y[i] = m.narrow(m.power(m.widen(x[i]), m.widen({exponent!r})))", "x", "y"
    )
    y = np.empty_like(x)
    kernel(x, y)
    bound = 2.0**-45 if module is plain else 2.0**-52
    for argument, computed in zip(x.tolist(), y.tolist(), strict=True):
        ctx.prec = 300
        exact = arb(argument) ** arb(exponent)
        if 1e-290 < float(exact) < LARGEST / 2:
            assert abs(arb(computed) - exact) <= bound * exact, (argument, computed)


#: Arguments and exactly their results, signs of zeros included.
SPECIAL_VALUES = {
    "exp": [(-INF, 0.0), (INF, INF), (0.0, 1.0), (1000.0, INF), (-1000.0, 0.0)],
    "expm1": [(-INF, -1.0), (INF, INF), (1000.0, INF), (-1000.0, -1.0)],
    "log": [(0.0, -INF), (-0.0, -INF), (-1.0, NAN), (-INF, NAN), (INF, INF), (1.0, 0.0)],
    "log1p": [(-1.0, -INF), (-1.5, NAN), (-INF, NAN), (INF, INF)],
    "sin": [(INF, NAN), (-INF, NAN)],
    "cos": [(INF, NAN), (-INF, NAN), (0.0, 1.0), (SPACING, 1.0)],
    "sin_plus_cos": [(INF, NAN), (-INF, NAN), (0.0, 1.0)],
    "sinh": [(INF, INF), (800.0, INF)],
    "cosh": [(INF, INF), (-INF, INF), (0.0, 1.0), (-800.0, INF)],
    "tanh": [(INF, 1.0), (-INF, -1.0), (1e300, 1.0)],
    "sech": [(INF, 0.0), (-INF, 0.0), (0.0, 1.0)],
    "sigmoid": [(INF, 1.0), (-INF, 0.0), (0.0, 0.5)],
    "softplus": [(INF, INF), (-INF, 0.0), (LARGEST, LARGEST)],
    "tanhshrink": [(INF, INF), (-INF, -INF), (1e300, 1e300)],
    "atan": [(INF, math.pi / 2), (-INF, -math.pi / 2)],
    "erf": [(INF, 1.0), (-INF, -1.0), (1e300, 1.0)],
    "erfc": [(INF, 0.0), (-INF, 2.0), (0.0, 1.0), (1e300, 0.0)],
    "erfcx": [(INF, 0.0), (-INF, INF), (0.0, 1.0), (-27.0, INF)],
    "sqrt": [(INF, INF), (0.0, 0.0), (-0.0, -0.0), (-1.0, NAN)],
    "square": [(INF, INF), (-INF, INF), (-0.0, 0.0), (1e200, INF)],
    "reciprocal": [(INF, 0.0), (-INF, -0.0), (0.0, INF), (-0.0, -INF)],
    "absolute": [(-INF, INF), (-0.0, 0.0)],
    "neg": [(INF, -INF), (0.0, -0.0)],
}
ROUNDED_WITHOUT_FMA = {("erfc", 0.0), ("erfcx", 0.0)}
#: f(x) = x + o(x): zeros keep their signs, and the smallest numbers are themselves.
LIKE_IDENTITY = ["expm1", "log1p", "sin", "sinh", "tanh", "atan"]
for _name in LIKE_IDENTITY:
    SPECIAL_VALUES[_name] += [(x, x) for x in (0.0, -0.0, SPACING, -SPACING, SMALLEST_NORMAL)]
for _name in ("erf", "tanhshrink"):
    SPECIAL_VALUES[_name] += [(0.0, 0.0), (-0.0, -0.0)]


@pytest.mark.parametrize("name", SPECIAL_VALUES)
@pytest.mark.parametrize("module", MODULES, ids=["plain", "extended"])
@pytest.mark.parametrize("meaningless", [0.0, NAN], ids=["", "low is NaN"])
def test_special_values(module: ModuleType, name: str, meaningless: float) -> None:
    """Beside an infinite or NaN first part, the second may be anything."""
    cases = [(NAN, NAN), *SPECIAL_VALUES[name]]
    x = np.array([argument for argument, _ in cases])
    y, z = evaluate(module, name, x, np.where(np.isfinite(x), 0.0, meaningless))
    for (argument, expected), value, low in zip(cases, y.tolist(), z.tolist(), strict=True):
        result = value + low if math.isfinite(value) and low != 0 else value
        if not HAS_FMA and module is plain and (name, argument) in ROUNDED_WITHOUT_FMA:
            assert abs(result - expected) <= 2.0**-49 * expected
            continue
        assert same(result, expected), (argument, value, low)


@pytest.mark.parametrize(
    ("expression", "values", "expected"),
    [
        ("m.mul(a, b)", (INF, 0.5), INF),
        ("m.mul(m.mul(a, b), b)", (-INF, 0.5), -INF),
        ("m.mul(a, b)", (INF, 0.0), NAN),
        ("m.mul(a, b)", (1e200, 1e200), INF),
        ("m.mul(m.mul(a, a), b)", (1e200, 0.5), INF),
        ("m.add(a, b)", (INF, 1.0), INF),
        ("m.add(m.add(a, b), b)", (LARGEST, LARGEST), INF),
        ("m.sub(a, b)", (INF, INF), NAN),
        ("m.sub(b, m.mul(a, b))", (INF, 1.0), -INF),
        ("m.div(a, b)", (1.0, INF), 0.0),
        ("m.div(a, b)", (-1.0, INF), -0.0),
        ("m.div(a, m.mul(a, b))", (INF, 1.0), NAN),
        ("m.div(a, b)", (1.0, 0.0), INF),
        ("m.div(a, b)", (0.0, 0.0), NAN),
        ("m.mul(a, m.sigmoid(a))", (-INF,), NAN),
        ("m.mul(m.exp(a), m.sigmoid(m.neg(a)))", (INF,), NAN),
        ("m.mul(a, b)", (-0.0, 5.0), -0.0),
        ("m.add(a, b)", (-0.0, -0.0), -0.0),
        ("m.sub(a, a)", (1.5,), 0.0),
        ("m.tanh(m.mul(a, a))", (INF,), 1.0),
        ("m.atan(m.mul(a, a))", (1e300,), math.pi / 2),
        ("m.softplus(m.mul(a, a))", (1e300,), INF),
        ("m.log(m.mul(a, a))", (1e300,), INF),
        ("m.cos(m.mul(a, a))", (1e300,), NAN),
        ("m.sqrt(m.mul(a, a))", (1e300,), INF),
        ("m.erfc(m.neg(m.mul(a, a)))", (1e300,), 2.0),
        ("m.square(m.reciprocal(a))", (-0.0,), INF),
        ("m.exp(a)", (800.0,), INF),
        ("m.mul(m.exp(a), b)", (800.0, 0.0), NAN),
        ("m.select(m.less(a, b), a, m.div(b, a))", (-0.0, 1.0), -0.0),
        ("m.power(a, b)", (0.0, 1.5), 0.0),
        ("m.power(a, b)", (0.0, -1.5), INF),
        ("m.power(a, b)", (INF, 0.5), INF),
        ("m.power(a, b)", (INF, -0.5), 0.0),
        ("m.power(a, b)", (-1.0, 0.5), NAN),
        ("m.power(a, b)", (NAN, 0.5), NAN),
        ("m.power(a, b)", (1e300, 1e300), INF),
        ("m.power(a, b)", (1e300, -1e300), 0.0),
    ],
)
def test_extended_formulas_meet_infinity_as_float64_does(
    expression: str, values: tuple[float, ...], expected: float
) -> None:
    assert same(rounded(extended, expression, *values), expected)
    assert same(rounded(plain, expression, *values), expected)


def test_extended_arithmetic_keeps_a_hundred_bits() -> None:
    draw = np.random.default_rng(7)
    x = np.ldexp(draw.uniform(1, 2, (2, 500)), draw.integers(-30, 30, (2, 500)))
    x *= draw.choice([-1.0, 1.0], (2, 500))
    low = draw.uniform(-0.49, 0.49, (2, 500)) * (x * 2.0**-53)
    operations = {
        "add": arb.__add__,
        "sub": arb.__sub__,
        "mul": arb.__mul__,
        "div": arb.__truediv__,
    }
    for name, operation in operations.items():
        body = f"y[i], z[i] = m.{name}((a[i], al[i]), (b[i], bl[i]))"
        y, z = np.empty(500), np.empty(500)
        compiled(extended, body, "a", "al", "b", "bl", "y", "z")(x[0], low[0], x[1], low[1], y, z)
        ctx.prec = 300
        for i in range(500):
            a, b = (arb(x[k, i]) + arb(low[k, i]) for k in (0, 1))
            scale = abs(a) + abs(b) if name in ("add", "sub") else abs(operation(a, b))
            assert abs(arb(y[i]) + arb(z[i]) - operation(a, b)) <= scale * 2.0**-100


@pytest.mark.parametrize(
    ("a", "b", "relation"),
    [
        ((1.0, 0.0), (1.0, 1e-20), "<"),
        ((1.0, -1e-20), (1.0, 0.0), "<"),
        ((2.0, 1e-17), (2.0, -1e-17), ">"),
        ((2.0, 1e-17), (2.0, 1e-17), "="),
        ((0.0, 0.0), (-0.0, -0.0), "="),
        ((-INF, NAN), (INF, 0.0), "<"),
        ((INF, NAN), (INF, 0.0), "="),
        ((NAN, 0.0), (1.0, 0.0), ""),
        ((NAN, 0.0), (NAN, 0.0), ""),
    ],
)
def test_extended_comparisons_look_at_both_parts(
    a: tuple[float, float], b: tuple[float, float], relation: str
) -> None:
    pair = "(x[0], x[1]), (x[2], x[3])"
    kernel = compiled(
        extended,
        f"y[0], y[1], y[2] = m.less({pair}), m.less_equal({pair}), m.equal({pair})",
        "x",
        "y",
    )
    y = np.empty(3)
    kernel(np.array([*a, *b]), y)
    assert y.tolist() == [relation == "<", relation in ("<", "="), relation == "="]


#: Forms of the plain primitives that serve arguments in a range, and that range.
CHEAPER: dict[str, tuple[Callable[[arb], arb], float, float]] = {
    "decay": (lambda x: (-x).exp(), 0.0, 690.0),
    "gaussian": (lambda x: (-x * x).exp(), -26.2, 26.2),
    "inverse": (lambda x: 1 / x, 2.0**-1000, 2.0**1000),
    "inverse_root": (lambda x: 1 / x.sqrt(), 2.0**-1000, 2.0**1000),
    "log1p_of_fraction": (lambda x: x.log1p(), 0.0, 1.0),
    "root": (lambda x: x.sqrt(), 2.0**-1000, 2.0**1000),
}


WAVES = ("sin", "cos", "sin_plus_cos")


def test_both_modules_have_the_same_names() -> None:
    waves = {f"{m}{w}{p}" for m in ("", "moderate_") for w in WAVES for p in ("", "_of_product")}
    shared = set(plain.__all__) - {*CHEAPER, "fma"} - (waves - {*WAVES})
    assert shared == set(extended.__all__) >= {*REFERENCES, "power", "widen", "narrow"}


@pytest.mark.parametrize("name", WAVES)
def test_moderate_arguments_have_the_same_sine(name: str) -> None:
    x = points(name)
    x = x[np.abs(x) <= 2.0**19]
    some = np.ldexp(x, 500)  # so that the loop has lanes of both kinds
    y, _ = evaluate(plain, name, np.stack([x, some]).T.ravel(), np.zeros(2 * x.size))
    moderate, _ = evaluate(plain, f"moderate_{name}", x, np.zeros_like(x))
    np.testing.assert_array_equal(moderate.view(np.int64), y[::2].view(np.int64))


@pytest.mark.parametrize("name", WAVES)
def test_sines_of_products_that_are_not_rounded(name: str) -> None:
    draw = np.random.default_rng(3)
    b = draw.uniform(0.1, 30.0, 8 * COUNT)
    a = np.ldexp(draw.uniform(1, 2, b.size), draw.integers(-10, 128, b.size))
    a[::2] = np.pi * draw.integers(1, 10**5, b.size // 2) / b[::2] / 4  # beside roots
    a = a.astype(np.float32).astype(np.float64)
    y = np.empty_like(a)
    compiled(plain, f"y[i] = m.{name}_of_product(a[i], b[i])", "a", "b", "y")(a, b, y)
    ctx.prec = 700
    for p, q, computed in zip(a.tolist(), b.tolist(), y.tolist(), strict=True):
        exact = REFERENCES[name](arb(p) * arb(q))
        assert abs(arb(computed) - exact) <= 2.0**-50 * abs(exact), (p, q, computed)
    near = np.abs(a * b) <= 2.0**19
    moderate = np.empty(int(near.sum()))
    compiled(plain, f"y[i] = m.moderate_{name}_of_product(a[i], b[i])", "a", "b", "y")(
        a[near], b[near], moderate
    )
    np.testing.assert_array_equal(moderate.view(np.int64), y[near].view(np.int64))


@pytest.mark.parametrize("name", CHEAPER)
def test_cheaper_forms(name: str) -> None:
    function, low, high = CHEAPER[name]
    draw = np.random.default_rng(sum(name.encode()))
    x = np.concatenate([[low, high], draw.uniform(low, min(high, 1e3), 2 * COUNT)])
    sizes = np.ldexp(draw.uniform(1, 2, COUNT), draw.integers(-999, min(9, int(high)), COUNT))
    x = np.concatenate([x, sizes[sizes <= high], -sizes[-sizes >= low]])
    computed, _ = evaluate(plain, name, x, np.zeros_like(x))
    ctx.prec = 300
    for argument, value in zip(x.tolist(), computed.tolist(), strict=True):
        exact = function(arb(argument))
        assert abs(arb(value) - exact) <= 2.0**-50 * abs(exact), (argument, value)
    ends, _ = evaluate(plain, name, np.array([NAN, INF]), np.zeros(2))
    assert math.isnan(ends[0])
    assert name not in ("decay", "gaussian") or ends[1] == 0.0


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("module", MODULES, ids=["plain", "extended"])
def test_a_lane_does_not_know_its_neighbours(module: ModuleType, name: str) -> None:
    x = np.concatenate([points(name, 9), [NAN, INF, 0.0]])
    low = np.zeros_like(x)
    together = np.array(evaluate(module, name, x, low))
    for i in range(x.size):
        alone = np.array(evaluate(module, name, x[i : i + 1], low[i : i + 1]))
        np.testing.assert_array_equal(alone.view(np.int64)[:, 0], together[:, i].view(np.int64))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="reads x86-64 assembly")
@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("module", MODULES, ids=["plain", "extended"])
def test_loops_are_vectorized(module: ModuleType, name: str) -> None:
    kernel = kernel_of(module, name)
    (assembly,) = kernel.inspect_asm().values()
    # How often a loop is unrolled differs between CPUs; that it stores whole vectors does not.
    loops = [part for part in assembly.split(".LBB") if VECTOR_STORE.search(part)]
    assert loops, "no loop stores whole vectors"
    assert not any("call" in loop for loop in loops)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="switches an x86-64 feature off")
def test_without_fused_multiply_add() -> None:
    """The accuracy and the special values once more, on a CPU that has no FMA."""
    features = dict(llvmlite.binding.get_host_cpu_features())
    for feature in features:
        if "fma" in feature or "avx512" in feature or "avx10" in feature:
            features[feature] = False
    flags = ",".join(("+" if present else "-") + name for name, present in features.items())
    here = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        __file__,
    ]
    result = subprocess.run(
        [*here, "-k", "accuracy or special or bits"],
        env={**os.environ, "NUMBA_CPU_FEATURES": flags},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:]
    assert "passed" in result.stdout


def test_fitted_constants_are_what_the_tool_writes() -> None:
    tool = ROOT / "tools" / "fit_primitives.py"
    result = subprocess.run(
        [sys.executable, str(tool), "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
