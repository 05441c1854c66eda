"""The source of a GPU's kernels, as any C++ compiler reads it: the values are the kernels'."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import limen
from limen.decomposition.source import flow_source, value_source

COMPILER = shutil.which("g++") or shutil.which("clang++")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C++ compiler")

# CUDA has these as functions of any floating-point type; erfcx, which C++ lacks, by its continued
# fraction (Lentz), or by its definition where that is exact.
HEAD = """
#include <cmath>
using namespace std;
template <typename T> T erfcx(T a) {
    long double x = a, f = 0;
    if (x < 2) return T(expl(x * x) * erfcl(x));
    for (int k = 200; k > 0; --k) f = k / 2.0L / (x + f);
    return T(1 / (x + f) / sqrtl(3.14159265358979323846264338327950288L));
}
"""
NAMES = limen.names()
random = np.random.default_rng(0)
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e30, 17.0, -17.0, 100.0, -100.0, 1e-30]
POINTS = np.concatenate([SPECIAL, random.normal(0, 3, 500), random.normal(0, 30, 200)])


def wrapped(name: str) -> str:
    """Loops over arrays of float64 around a function's sources."""
    f = limen.get(name)
    count = len(f.inputs)
    given = ", ".join(f"x[{k} * n + i]" for k in range(count))
    flows = f"y[i] = limen_flows<double>(flow[i], {given})"
    if count > 1:
        outs = ", ".join(f"y[{k} * n + i]" for k in range(count))
        flows = f"limen_flows<double>(flow[i], {given}, {outs})"
    return f"""
namespace limen_{name} {{
{value_source(f)}
{flow_source(f)}
extern "C" void {name}_value(int n, double* x, double* y) {{
    for (int i = 0; i < n; ++i) y[i] = limen_value<double>({given});
}}
extern "C" void {name}_flows(int n, double* flow, double* x, double* y) {{
    for (int i = 0; i < n; ++i) {flows};
}}
}}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("cuda")
    (folder / "all.cpp").write_text(HEAD + "".join(map(wrapped, NAMES)))
    command = [COMPILER, "-std=c++17", "-O1", "-shared", "-fPIC", "all.cpp", "-o", "all.so"]
    subprocess.run(command, cwd=folder, check=True)
    return ctypes.CDLL(str(Path(folder / "all.so")))


def run(function: Any, *arrays: Any) -> Any:
    out = np.empty_like(arrays[-1])
    count = arrays[-1].shape[-1]
    function(count, *(ctypes.c_void_p(np.ascontiguousarray(a).ctypes.data) for a in (*arrays, out)))
    return out


@pytest.mark.parametrize("name", NAMES)
def test_values_and_flows_are_those_of_the_kernels(name: str, library: Any) -> None:
    f = limen.get(name)
    x = np.stack([np.roll(POINTS, 7 * k) for k in range(len(f.inputs))])
    flow = np.ones_like(POINTS)
    found = run(getattr(library, f"{name}_value"), x)[0]
    np.testing.assert_allclose(found, f(*x), rtol=1e-12, atol=1e-14)
    flows = f.backward(flow, *x)
    expected = np.stack(flows if f.is_gated else [flows])
    found = run(getattr(library, f"{name}_flows"), flow, x)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_a_blocked_neuron_hands_nothing_on(library: Any) -> None:
    found = run(library.relu_flows, np.array([np.inf, 2.0]), np.array([[-1.0, 1.0]]))
    assert found.tolist() == [[0.0, 2.0]]
