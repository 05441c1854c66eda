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
from pathlib import Path
from types import ModuleType

import llvmlite.binding
import numpy as np
import pytest
from flint import arb, ctx
from primitive_loops import (
    INF,
    LARGEST,
    MODULES,
    NAN,
    REFERENCES,
    SMALLEST_NORMAL,
    SPACING,
    compiled,
    evaluate,
    kernel_of,
    points,
    same,
)

from limen.kernels.primitives import extended, extended_error, plain
from limen.kernels.primitives.binding import EXTENDED, bind
from limen.kernels.primitives.lanes import HAS_FMA

ROOT = Path(__file__).resolve().parents[2]
#: Relative error, and the magnitude of results down to which it is promised.
BOUNDS = {plain: (2.0**-50 if HAS_FMA else 2.0**-49, 1e-300), extended: (2.0**-60, 1e-290)}
SUBNORMAL_RESULTS = ["exp", "sigmoid", "softplus", "sech", "erfc"]

#: A whole vector is stored, and not on the stack.
VECTOR_STORE = re.compile(r"mov(u|a|dq)\w+\s+%[xyz]mm\d+, -?\w*\(%(?!rsp|rbp)")


def reference(name: str, x: float, low: float) -> arb:
    """f(x + low), to at least 150 bits."""
    for precision in (300, 1400, 5200):
        ctx.prec = precision
        value = REFERENCES[name](arb(x) + arb(low))
        if value.rel_accuracy_bits() > 150:
            break
    return value


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
        str(Path(__file__).with_name("test_primitives_extended.py")),
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
