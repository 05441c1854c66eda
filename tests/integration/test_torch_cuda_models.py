"""limen.torch in models on a GPU: training, graphs, streams, memory, moving to and fro.

Skipped where PyTorch sees no GPU; LIMEN_TEST_DEVICE=cpu runs what needs none, as
tests/integration/test_torch_cuda.py does.
"""

from __future__ import annotations

import copy
import io
import os
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import limen
from limen.errors import DeviceError

torch = pytest.importorskip("torch")
lt = pytest.importorskip("limen.torch")
nn = torch.nn

DEVICE = os.environ.get("LIMEN_TEST_DEVICE", "cuda")
pytestmark = pytest.mark.skipif(
    DEVICE == "cuda" and not torch.cuda.is_available(), reason="needs a GPU"
)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(autouse=True)
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    if DEVICE == "cpu":
        for module in ("native", "autograd", "activation"):
            monkeypatch.setattr(f"limen.torch.{module}.have_kernels", lambda inputs: False)
    torch.compiler.reset()
    torch.manual_seed(0)


def data(*shape: int, dtype: Any = None) -> Any:
    return torch.randn(*shape, device=DEVICE, dtype=dtype)


def both(function: Callable[[Any], Any], x: Any) -> tuple[Any, Any]:
    """The value, and the gradient of its sum."""
    leaf = x.clone().requires_grad_()
    y = function(leaf)
    y.backward(torch.ones_like(y))
    return y.detach(), leaf.grad


def gradients(model: Any, x: Any) -> list[Any]:
    model.zero_grad()
    leaf = x.clone().requires_grad_()
    model(leaf).square().mean().backward()
    return [leaf.grad, *(p.grad for p in model.parameters())]


# --- What a call costs ---------------------------------------------------------------------------


def launched(call: Callable[[], Any]) -> list[str]:
    """The kernels that a call has the GPU run."""
    from torch.profiler import ProfilerActivity, profile

    call()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        call()
        torch.cuda.synchronize()
    events = [e for e in seen.events() if e.device_type == torch.autograd.DeviceType.CUDA]
    names = [e.name for e in events if not e.name.startswith(("Mem", "aten::", "Activity"))]
    if not names:
        pytest.skip("the profiler sees no kernels here")
    return names


@needs_gpu
@pytest.mark.parametrize("name", ["mish", "gelu", "x * sin(x)", "swiglu"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_call_is_one_kernel(name: str, dtype: Any) -> None:
    act, x = lt.Activation(name), data(64, 64, dtype=dtype)
    with torch.no_grad():
        names = launched(lambda: act(x))
    assert len(names) == 1, names
    assert "limen_value" in names[0]
    leaf = x.requires_grad_()
    flow = torch.ones_like(act(x))
    names = [
        n for n in launched(lambda: torch.autograd.grad(act(leaf), leaf, flow)) if "limen" in n
    ]
    assert len(names) == 2, names


@needs_gpu
def test_nothing_waits_for_the_gpu() -> None:
    act, learnt = lt.Activation("gelu"), lt.Activation("swish", learnable={"beta": 8}).to(DEVICE)
    block = lt.MLP(8, 16, 8, activation="mish", device=DEVICE)
    x = data(4, 8)
    for model in (act, learnt, block):
        both(model, x)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for model in (act, learnt, block):
            both(model, x)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@needs_gpu
def test_where_nothing_can_be_compiled_it_runs_step_by_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError("no compiler")

    x = data(100)
    expected = both(lt.Activation("mish"), x)
    monkeypatch.setattr("torch.cuda.jiterator._create_jit_fn", lambda source: fails)
    act = lt.Activation("x * tanh(softplus(1.0 * x))")
    with pytest.warns(RuntimeWarning, match="step by step, which is slower: no compiler"):
        found = both(act, x)
    torch.testing.assert_close(found, expected, rtol=2e-6, atol=1e-6)
    both(act, x)  # said once


# --- Compiled ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mish", "gelu", "relu", "swiglu"])
def test_a_compiled_activation_is_fused_with_its_neighbours(name: str) -> None:
    from torch._inductor import metrics

    act = lt.Activation(name)
    compiled = torch.compile(lambda x: act(x * 2 + 1) * 3, fullgraph=True)
    metrics.reset()
    x = data(64, 256)
    with (
        torch._inductor.config.patch(fx_graph_cache=False),
        torch._functorch.config.patch(enable_autograd_cache=False),
    ):
        found = both(compiled, x)
    halves = 1 + act.function.is_gated
    assert metrics.generated_kernel_count <= 1 + halves
    torch.testing.assert_close(found, both(lambda x: act(x * 2 + 1) * 3, x), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_block_keeps_its_gradients_and_not_the_activation(is_compiled: bool) -> None:
    block = lt.MLP(32, 64, 16, activation="gelu", device=DEVICE)
    plain = nn.Sequential(block.up, block.activation, block.down)
    x = data(128, 32)
    run = torch.compile(block, fullgraph=True) if is_compiled else block
    for found, expected in zip(gradients(run, x), gradients(plain, x), strict=True):
        if is_compiled:
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
        else:
            assert torch.equal(found, expected)
    hidden = 128 * 64 * 4
    assert lt.memory_report(block, x).saved == hidden
    assert lt.memory_report(block, x).replaced == 2 * hidden


def test_lean_models_have_the_same_gradients() -> None:
    model = nn.Sequential(nn.Linear(8, 32), lt.Activation("mish"), nn.Linear(32, 4)).to(DEVICE)
    x = data(16, 8)
    expected = gradients(model, x)
    for found, wanted in zip(gradients(lt.lean(model), x), expected, strict=True):
        assert torch.equal(found, wanted)


@needs_gpu
def test_reduced_overhead() -> None:
    model = lt.MLP(16, 32, 16, activation="gelu", device=DEVICE)
    compiled = torch.compile(model, mode="reduce-overhead", fullgraph=True)
    x = data(8, 16)
    for _ in range(4):
        torch.compiler.cudagraph_mark_step_begin()
        found = [g.clone() for g in gradients(compiled, x)]
    for one, other in zip(found, gradients(model, x), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@needs_gpu
@pytest.mark.parametrize("name", ["mish", "relu", "swiglu"])
def test_a_training_step_in_a_cuda_graph(name: str) -> None:
    model = lt.MLP(16, 32, 16, activation=name, device=DEVICE)
    x, other = data(8, 16), data(8, 16)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            model.zero_grad(set_to_none=True)
            model(x).square().mean().backward()
    torch.cuda.current_stream().wait_stream(side)
    model.zero_grad(set_to_none=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        model(x).square().mean().backward()
    x.copy_(other)
    graph.replay()
    found = [p.grad.clone() for p in model.parameters()]
    for one, wanted in zip(found, gradients(model, other)[1:], strict=True):
        torch.testing.assert_close(one, wanted)


@needs_gpu
def test_work_goes_to_the_current_stream() -> None:
    act, x = lt.Activation("x * tanh(softplus(x))"), data(1 << 22)
    expected, _ = both(act, x)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        torch.cuda._sleep(50_000_000)
        late = x * 1.0
        found, _ = both(act, late)
        assert not side.query()
    side.synchronize()
    assert torch.equal(found, expected)


# --- Precision -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast(dtype: Any) -> None:
    if DEVICE == "cpu" and dtype is torch.float16:
        pytest.skip("for GPUs")
    model = lt.MLP(16, 32, 16, activation="mish", device=DEVICE)
    plain = nn.Sequential(model.up, model.activation, model.down)
    x = data(8, 16)
    with torch.autocast(DEVICE, dtype):
        assert model.activation(model.up(x)).dtype == dtype
        assert model(x).dtype == dtype
        found, expected = gradients(model, x), gradients(plain, x)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bits_are_rounded_once(dtype: Any) -> None:
    x = data(5000).mul(3).to(dtype)
    for name in ("mish", "gelu", "tanh"):
        act = lt.Activation(name)
        for found, wide in zip(both(act, x), both(act, x.float()), strict=True):
            assert torch.equal(found, wide.to(dtype))


# --- Modules -------------------------------------------------------------------------------------


@needs_gpu
def test_a_model_travels() -> None:
    model = nn.Sequential(nn.Linear(4, 8), lt.Activation("swish", learnable={"beta": 8}))
    x = torch.randn(3, 4)
    expected = gradients(model, x)
    there = copy.deepcopy(model).to(DEVICE)
    for found, wanted in zip(gradients(there, x.to(DEVICE)), expected, strict=True):
        torch.testing.assert_close(found.cpu(), wanted, rtol=1e-5, atol=1e-6)
    assert {p.device.type for p in there.parameters()} == {"cuda"}
    buffer = io.BytesIO()
    torch.save(there.state_dict(), buffer)
    buffer.seek(0)
    model.load_state_dict(torch.load(buffer, map_location="cpu", weights_only=True))
    again = pickle.loads(pickle.dumps(there))
    assert torch.equal(again(x.to(DEVICE)), there(x.to(DEVICE)))
    for found, wanted in zip(gradients(there.to("cpu"), x), expected, strict=True):
        assert torch.equal(found, wanted)


def test_parameters_learn_per_channel() -> None:
    act = lt.Activation("swish", learnable={"beta": 3}).to(DEVICE)
    x = data(6, 3, 4)
    (found,) = torch.autograd.grad(act(x).sum(), act.beta)
    slopes = limen.get("swish").derivative("beta")(x.double().cpu().numpy())
    np.testing.assert_allclose(found.cpu(), slopes.sum((0, 2)), rtol=1e-5)
    assert found.device.type == DEVICE


@needs_gpu
def test_what_lies_on_two_devices_is_refused() -> None:
    act = lt.Activation("swish", learnable="beta")
    with pytest.raises(DeviceError, match=r"the input is on cuda:0, and .* on cpu: move"):
        act(data(3))
    with pytest.raises(DeviceError, match="cpu"):
        lt.evaluate("swiglu", data(3), torch.ones(3))


def test_replacing_in_a_model_that_is_there() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.PReLU(8), nn.GELU())
    model = model.to(DEVICE)
    x = data(5, 4)
    expected = gradients(model, x)
    replaced = lt.replace(copy.deepcopy(model))
    for found, wanted in zip(gradients(replaced, x), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
    zero = torch.zeros(2, 8, device=DEVICE)
    for k in (1, 3):
        assert torch.equal(both(replaced[k], zero)[1], both(model[k], zero)[1])


@pytest.mark.parametrize("name", ["relu", "gelu"])
def test_compact_modes_keep_the_input_there(name: str) -> None:
    compact, plain = lt.Activation(name, compact=True), lt.Activation(name)
    x = data(100)
    for found, wanted in zip(both(compact, x), both(plain, x), strict=True):
        assert torch.equal(found, wanted)


@needs_gpu
def test_pinned_memory_and_copies_that_overlap() -> None:
    act = lt.Activation("mish")
    x = torch.randn(1 << 16).pin_memory()
    expected = act(x)
    found = act(x.to(DEVICE, non_blocking=True)).cpu()
    torch.testing.assert_close(found, expected, rtol=2e-6, atol=1e-6)


def test_training_goes_the_same_way() -> None:
    x, y = data(64, 4), data(64, 2)
    losses = []
    for way in ("torch", "limen", "compiled"):
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2)).to(DEVICE)
        model = model if way == "torch" else lt.replace(model)
        run = torch.compile(model) if way == "compiled" else model
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        for _ in range(20):
            optimizer.zero_grad()
            loss = (run(x) - y).pow(2).mean()
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-4)


def test_observing_a_model() -> None:
    model = nn.Sequential(nn.Linear(6, 8), lt.Activation("gelu"), nn.Linear(8, 8), nn.ReLU())
    model = model.to(DEVICE)
    x = data(200, 6)
    with limen.observe(model, every=1, rows=10_000) as seen:
        model(x).sum().backward()
    first, second = seen.layers
    assert (first.name, second.name) == ("1", "3")
    assert first.activation.mean == pytest.approx(model[:2](x).mean().item(), abs=1e-5)
    assert second.inputs == 200
