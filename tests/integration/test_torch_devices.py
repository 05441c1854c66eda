"""Devices that limen has no kernels for: a function in PyTorch's own operations."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import limen
from limen.decomposition.source import flow_source, value_source

torch = pytest.importorskip("torch")
lt = pytest.importorskip("limen.torch")

from limen.torch.jitted import Jitted  # noqa: E402 - needs PyTorch
from limen.torch.native import decomposed_flows, decomposed_value  # noqa: E402

NAMES = ["relu", "gelu", "mish", "hardswish", "swiglu", "tanh", "softplus"]


@pytest.fixture(autouse=True)
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a device that is not the CPU, which this machine may not have."""
    for module in ("native", "autograd"):
        monkeypatch.setattr(f"limen.torch.{module}.have_kernels", lambda inputs: False)
    torch._dynamo.reset()


def tensors(name: str, dtype: Any = None) -> list[Any]:
    count = len(limen.get(name).inputs)
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(8, 6, generator=generator, dtype=dtype) * 3 for _ in range(count)]


def exact(name: str, inputs: list[Any]) -> list[Any]:
    """Value and gradients by limen's kernels."""
    f = limen.get(name)
    arrays = [x.numpy() for x in inputs]
    flows = f.backward(1.0, *arrays)
    return [f(*arrays), *(flows if f.is_gated else [flows])]


def computed(function: Any, inputs: list[Any]) -> list[Any]:
    leaves = [x.clone().requires_grad_() for x in inputs]
    y = function(*leaves)
    return [t.detach().numpy() for t in (y, *torch.autograd.grad(y.sum(), leaves))]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", ["eager", "compiled"])
def test_values_and_gradients(name: str, way: str) -> None:
    def function(*inputs: Any) -> Any:
        return lt.evaluate(limen.get(name), *inputs)

    if way == "compiled":
        act = lt.Activation(name)

        def function(*inputs: Any) -> Any:
            return act(torch.cat(inputs[::-1], -1))  # a gated one takes the value first

        function = torch.compile(function, fullgraph=True, dynamic=False)
    inputs = tensors(name)
    for expected, found in zip(exact(name, inputs), computed(function, inputs), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", limen.names())
def test_numbers_to_choose_from_have_the_digits_of_the_input(name: str) -> None:
    inputs = tensors(name, torch.float64)
    for expected, found in zip(
        exact(name, inputs),
        computed(lambda *xs: lt.evaluate(limen.get(name), *xs), inputs),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", limen.names())
def test_pytorch_reads_the_sources_of_kernels(name: str) -> None:
    from torch.cuda.jiterator import _CodeParser

    f = limen.get(name)
    assert _CodeParser(value_source(f)).function_name == "limen_value"
    assert _CodeParser(flow_source(f)).function_name == "limen_flows"


def test_inputs_on_two_devices_are_refused() -> None:
    act = lt.Activation("swish", learnable="beta")
    with pytest.raises(limen.DeviceError, match="the input is on meta, and a parameter or"):
        act(torch.ones(2, device="meta"))


def test_a_compiled_graph_holds_no_operator_of_ours() -> None:
    graphs: list[str] = []

    from functorch.compile import make_boxed_func
    from torch._dynamo.backends.common import aot_autograd

    def look(graph: Any, inputs: Any) -> Any:
        graphs.append(str(graph.graph))
        return make_boxed_func(graph.forward)

    act = lt.Activation("mish")
    compiled = torch.compile(act, backend=aot_autograd(fw_compiler=look), fullgraph=True)
    compiled(torch.randn(4, requires_grad=True)).sum().backward()
    assert len(graphs) == 2
    assert all("limen" not in graph for graph in graphs)
    assert "aten.tanh" in graphs[0]


def test_second_derivatives() -> None:
    x = torch.randn(5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lt.Activation("mish"), x)


def test_sixteen_bits_are_computed_in_thirty_two() -> None:
    (x,) = tensors("gelu", torch.bfloat16)
    y = lt.Activation("gelu")(x)
    expected = limen.get("gelu")(x.float().numpy())
    assert y.dtype == torch.bfloat16
    np.testing.assert_allclose(y.float().numpy(), expected, rtol=2**-8)


def test_a_square_that_is_scaled_down_does_not_overflow_alone() -> None:
    f = limen.get("star_relu")
    x = torch.tensor([1.84e19, 1.9e19, 1.95e19, 1.96e19])
    y = lt.evaluate(f, x)
    assert y.isfinite().tolist() == [True, True, True, False]
    np.testing.assert_allclose(y.numpy(), f(x.numpy()), rtol=3e-7)


def test_a_blocked_neuron_hands_nothing_on() -> None:
    x = torch.tensor([-1.0, 1.0], requires_grad=True)
    (grad,) = torch.autograd.grad(lt.Activation("relu")(x), x, torch.tensor([torch.inf, 2.0]))
    assert grad.tolist() == [0.0, 2.0]


@pytest.mark.parametrize("error", [0.0, 1e-3])
def test_a_kernel_of_a_gpu_is_used_where_it_agrees_with_its_steps(
    monkeypatch: pytest.MonkeyPatch, error: float
) -> None:
    def made(source: str) -> Any:
        return lambda x: torch.nn.functional.mish(x) + error

    monkeypatch.setattr("torch.cuda.jiterator._create_jit_fn", made)
    kernels = Jitted(limen.get("mish"), decomposed_value, decomposed_flows)
    x = torch.randn(10)
    if error:
        with pytest.warns(RuntimeWarning, match="step by step, .* computes something else"):
            assert kernels.value([x]) is None
        assert kernels.value([x]) is None  # said once
    else:
        assert kernels.value([x]) is not None


def test_flows_are_compared_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def flows(grad: torch.Tensor, gate: torch.Tensor, value: torch.Tensor) -> Any:
        return grad * value * torch.sigmoid(gate) * torch.sigmoid(-gate), grad * torch.sigmoid(gate)

    def swapped(*given: torch.Tensor) -> Any:
        return flows(*given)[::-1]

    x = torch.randn(3, 10)
    for program in (flows, swapped):
        monkeypatch.setattr(
            "torch.cuda.jiterator._create_multi_output_jit_fn", lambda *_, p=program: p
        )
        kernels = Jitted(limen.get("glu"), decomposed_value, decomposed_flows)
        with pytest.warns(RuntimeWarning) if program is swapped else nullcontext():
            assert (kernels.flows(x[0], list(x[1:])) is None) == (program is swapped)
