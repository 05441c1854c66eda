"""Programs that leave: torch.export and ONNX, run where there is no limen."""

from __future__ import annotations

import runpy
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import limen

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")
lt = pytest.importorskip("limen.torch")

TOOL = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "export_errors.py"))
Each, programs, run_onnx = TOOL["Each"], TOOL["programs"], TOOL["run_onnx"]

GATED = [name for name in limen.names() if limen.get(name).is_gated]
SINGLE = [name for name in limen.names() if name not in GATED]
LEARNABLE = [name for name in SINGLE if limen.get(name).parameters]

# In units of 2**-23 * max(1, |value|), for PyTorch's program and for onnxruntime's: float32
# arithmetic of a few steps, each rounded. Measured: at most 2.2.
RELATIVE_TO_ONE = 2.5
# In ULP, for |x| <= 8. Measured: at most 5.9, but for these.
ULP = 6.5
MORE_ULP = {
    "gaussian": (35, "exp(-x**2): the rounding of a square of 60 is 30 ULP of the exponential"),
    "gelu": (80, "exp(-x**2 / 2), as for gaussian, beside an erfcx known to 1.2e-7"),
    "gelu_tanh": (80, "exp of a cubic that is rounded at 88"),
    "laplace": (400, "erfc(z) at z = -12, where a rounding of z is 290 ULP of the value"),
    "phish": (80, "gelu is in it"),
    "quick_gelu": (12, "exp(1.702 * x), rounded at 14"),
    "star_relu": (
        float("inf"),
        "its root, at which digits cancel: an ULP there is next to nothing",
    ),
    "tanhshrink": (16, "x - tanh(x), which cancels beyond 1/2 to a tenth of x"),
}
# alpha + tanh(beta * x), where alpha is not known to be 1: tanh cancels, and is multiplied by x.
LEARNABLE_RELATIVE = {"aptx": 10.0}
# erfc in operations of ONNX is good to 1.2e-7 (see the table of decompositions), in float64 too.
OF_ERFC = {"gelu", "geglu", "laplace", "phish"}

PLAIN = (
    "Abs", "Add", "Atan", "Cast", "Clip", "Div", "Equal", "Erf", "Exp", "Greater", "Identity",
    "Less", "LessOrEqual", "Log", "Mul", "Pow", "Reciprocal", "Sin", "Sqrt", "Tanh", "Where",
)  # fmt: skip

# The exporters', of their own code.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:torch.*"),
]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Any:
    """PyTorch's threads and onnxruntime's would get in each other's way."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def exported(model: Any, *examples: Any, strict: bool = False) -> Any:
    batch = tuple({0: torch.export.Dim("batch")} for _ in examples)
    return torch.export.export(model.eval(), examples, dynamic_shapes=batch, strict=strict)


def operations(program: Any) -> set[str]:
    return {str(node.target) for node in program.graph.nodes if node.op == "call_function"}


def is_standard(model: Any) -> bool:
    """Whether an ONNX model is made of ONNX's own operators."""
    domains = {node.domain for node in model.graph.node}
    return (
        domains <= {""} and not model.functions and {o.domain for o in model.opset_import} == {""}
    )


# --- What the programs compute -------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair() -> tuple[Any, Any]:
    """A program of all functions of one input, and the same for ONNX."""
    found: tuple[Any, Any] = programs(SINGLE)
    return found


@pytest.fixture(scope="module")
def figures(pair: tuple[Any, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (one, other) for name, one, other in TOOL["measured"](SINGLE, *pair)}


@pytest.mark.parametrize("name", SINGLE)
def test_values_in_float32(figures: dict[str, tuple[Any, Any]], name: str) -> None:
    most, _ = MORE_ULP.get(name, (ULP, ""))
    for errors in figures[name]:
        assert errors.relative_to_one <= RELATIVE_TO_ONE
        assert errors.ulp <= most


@pytest.mark.parametrize("name", GATED)
def test_gates(name: str) -> None:
    layer = lt.Activation(name)
    program = exported(layer, torch.zeros(3, 8))
    model = torch.onnx.export(program, dynamo=True, verbose=False).model_proto
    x = torch.linspace(-40, 40, 800).reshape(100, 8).flip(1)
    exact = layer(x.double()).numpy()
    for found in (program.module()(x).numpy(), run_onnx(model, x.numpy())[0]):
        errors = TOOL["errors"](found, exact, x[:, :4].numpy())
        assert errors.relative_to_one <= RELATIVE_TO_ONE
    assert is_standard(model)


def test_learnable_parameters() -> None:
    program, model = programs(LEARNABLE, learnable=True)
    assert is_standard(model)
    x = torch.from_numpy(TOOL["inputs"]())[:, None].expand(-1, 2).contiguous()
    x = x[x[:, 0].isfinite()]  # at infinity, learnable parameters have no limits
    eager = Each(LEARNABLE, learnable=True).double()
    with torch.no_grad():
        exact, ours = eager(x.double()), program.module()(x)
    for name, e, *both in zip(LEARNABLE, exact, ours, run_onnx(model, x.numpy()), strict=True):
        for found in both:
            errors = TOOL["errors"](np.asarray(found), e.numpy(), x.numpy())
            assert errors.relative_to_one <= LEARNABLE_RELATIVE.get(name, RELATIVE_TO_ONE), name


def test_learnable_parameters_are_those_of_the_model() -> None:
    layer = lt.Activation("prelu", learnable={"weight": 3})
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.1, -2.0, 7.0]))
    program = exported(layer, torch.zeros(2, 3))
    assert program.state_dict.keys() == {"weight"}
    x = torch.tensor([[-1.0, -2.0, -3.0], [1.0, 2.0, 3.0]])
    model = torch.onnx.export(program, dynamo=True, verbose=False).model_proto
    torch.testing.assert_close(program.module()(x), layer(x))
    np.testing.assert_allclose(run_onnx(model, x.numpy())[0], layer(x).detach(), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sixteen_bits_compute_in_float32(dtype: str) -> None:
    """Every number there is, up to 1e18: the nearest number, or one beside it."""
    like = getattr(torch, dtype)
    codes = torch.arange(-(1 << 15), 1 << 15, dtype=torch.int32).to(torch.int16)
    x = codes.view(like)
    x = x[x.float().abs() <= 1e18][:, None]
    layers = Each(SINGLE, learnable=False)
    program = exported(layers, torch.zeros(4, 1, dtype=like))
    for name, found, exact in zip(SINGLE, program.module()(x), layers(x), strict=True):
        assert found.dtype == like
        steps = (found.view(torch.int16).int() - exact.view(torch.int16).int()).abs()
        steps[found == exact] = 0  # zeros of either sign
        # At its root, where float32 digits cancel; beside underflow, where zeros differ in sign.
        is_next_to_nothing = exact.float().abs() < (1e-3 if name == "star_relu" else 1e-30)
        assert steps[~is_next_to_nothing].max() <= 1, name


@pytest.mark.parametrize(
    "name", ["mish", "elu", "log_sigmoid", "geglu", *sorted(OF_ERFC - {"geglu"})]
)
def test_values_in_float64(name: str) -> None:
    x = torch.linspace(-8, 8, 4000, dtype=torch.float64).reshape(-1, 4).flip(1)
    layer = lt.Activation(name)
    found, exact = exported(layer, x[:3]).module()(x), layer(x)
    tolerance = 5e-7 if name in OF_ERFC else 1e-14
    torch.testing.assert_close(found, exact, rtol=tolerance, atol=tolerance / 100)


def test_the_sign_of_zero(pair: tuple[Any, Any]) -> None:
    x = torch.tensor([[-0.0], [0.0]]).expand(-1, 2)
    exact = Each(SINGLE, learnable=False)(x)
    for name, found, expected in zip(SINGLE, pair[0].module()(x), exact, strict=True):
        if (expected == 0).all():
            assert torch.equal(found.signbit(), expected.signbit()), name


# --- How they are made ---------------------------------------------------------------------------


def test_graphs_hold_plain_operations(pair: tuple[Any, Any]) -> None:
    program, model = pair
    assert operations(program)
    assert all(operation.startswith("aten.") for operation in operations(program))
    assert is_standard(model)
    assert {node.op_type for node in model.graph.node} <= set(PLAIN)


def test_strict_exports_are_the_same() -> None:
    layers, example = Each(limen.names(), learnable=False), torch.zeros(4, 2)
    x = torch.linspace(-20, 20, 400).reshape(-1, 2)
    loose, strict = (exported(layers, example, strict=s) for s in (False, True))
    assert operations(loose) == operations(strict)
    for one, other in zip(loose.module()(x), strict.module()(x), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("size", [0, 1, 7])
def test_models(strict: bool, size: int) -> None:
    torch.manual_seed(0)
    model = lt.lean(
        torch.nn.Sequential(
            torch.nn.Linear(4, 8),
            lt.Activation("gelu"),
            torch.nn.Linear(8, 8),
            lt.Activation("x * tanh(a * x)", a=0.5, learnable={"a": 8}),
            lt.MLP(8, 6, 4, activation="swiglu"),
            lt.Activation(limen.get("heaviside").surrogate("arctan")),
            lt.Activation(limen.get("mish").derivative()),
            lt.Activation("hardtanh", compact=True),
        )
    )
    program = exported(model, torch.zeros(3, 4), strict=strict)
    assert not [o for o in operations(program) if "limen" in o]
    x = torch.randn(size, 4)
    torch.testing.assert_close(program.module()(x), model(x))


def test_evaluate() -> None:
    class Product(torch.nn.Module):
        def forward(self, gate: Any, value: Any) -> Any:
            return lt.evaluate("swiglu", gate, value)

    gate, value = torch.randn(2, 5, 3)
    program = exported(Product(), gate[:2], value[:2])
    torch.testing.assert_close(program.module()(gate, value), lt.evaluate("swiglu", gate, value))


ELSEWHERE = """
import sys
sys.modules["limen"] = None  # as where it is not installed
import torch
program = torch.export.load(sys.argv[1])
torch.save(program.module()(torch.load(sys.argv[2])), sys.argv[3])
"""


def test_a_saved_program_runs_where_there_is_no_limen(
    pair: tuple[Any, Any], tmp_path: Path
) -> None:
    x = torch.linspace(-20, 20, 400).reshape(-1, 2)
    paths = [str(tmp_path / name) for name in ("program.pt2", "x.pt", "y.pt")]
    torch.export.save(pair[0], paths[0])
    torch.save(x, paths[1])
    subprocess.run([sys.executable, "-c", ELSEWHERE, *paths], check=True, timeout=120)
    for found, here in zip(torch.load(paths[2]), pair[0].module()(x), strict=True):
        assert torch.equal(found, here)


def test_the_older_road_to_onnx(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), lt.Activation("mish"))
    path, x = str(tmp_path / "model.onnx"), torch.randn(3, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (x,), path, dynamo=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
    np.testing.assert_allclose(found, model(x).detach(), rtol=1e-5, atol=1e-6)
