"""limen's functions in graphs: compiled, traced, with transforms inside, of any shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import limen
from limen.decomposition import only_chooses

torch = pytest.importorskip("torch")
lt = pytest.importorskip("limen.torch")
from functorch.compile import make_boxed_func  # noqa: E402 - with PyTorch
from torch._dynamo.backends.common import aot_autograd  # noqa: E402
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap  # noqa: E402 - with PyTorch
from torch.fx.experimental.proxy_tensor import make_fx  # noqa: E402

# PyTorch's own forward-mode derivatives of products use it.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")

CLOSE = {"rtol": 1e-13, "atol": 1e-15}
BACKEND = "aot_eager"  # everything that Inductor does but its own code, which is none of limen's
Function = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def fresh_graphs() -> Iterator[None]:
    """No graph of another test is found again."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def points() -> Any:
    return torch.linspace(-3, 3, 7, dtype=torch.float64)


def exact(name: str, order: int) -> Any:
    return torch.from_numpy(limen.get(name).derivative(order)(points().numpy()))


@pytest.mark.parametrize("name", ["gelu", "relu", "swiglu"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_compiled_is_bitwise_what_eager_is(name: str, dtype: Any) -> None:
    act = lt.Activation(name)
    compiled = torch.compile(act, fullgraph=True)
    x = torch.randn(6, 10).to(dtype)
    results = []
    for module in (act, compiled):
        leaf = x.clone().requires_grad_()
        y = module(leaf)
        y.backward(torch.ones_like(y))
        results.append((y.detach(), leaf.grad))
    for found, expected in zip(*results, strict=True):
        assert torch.equal(found, expected)


CHOICES = ["hardshrink", "hardtanh", "identity", "relu", "relu6", "threshold", "thresholded_relu"]


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_what_only_chooses_is_left_to_the_compiler(name: str, dtype: Any) -> None:
    """It fuses with its neighbours there, and has the same bits."""
    graphs: list[str] = []

    def look(graph: Any, inputs: Any) -> Any:
        graphs.append(str(graph.graph))
        return make_boxed_func(graph.forward)

    act = lt.Activation(name, at_kinks=0.0 if name == "relu" else None)
    kinks = act.function.kinks
    special = [0.0, -0.0, torch.nan, torch.inf, -torch.inf, *kinks]
    x = torch.tensor([*special, *torch.randn(100).tolist()], dtype=dtype)
    flow = torch.randn(x.shape).to(dtype)
    flow[0] = torch.inf
    compiled = torch.compile(act, fullgraph=True, backend=aot_autograd(fw_compiler=look))
    evaluated = lt.Activation(limen.get(name, at_kinks=act.function.at_kinks))
    results = []
    for module in (compiled, evaluated):
        leaf = x.clone().requires_grad_()
        y = module(leaf)
        y.backward(flow)
        results.append((y.detach(), leaf.grad))
    assert len(graphs) == 2
    assert all("limen" not in graph for graph in graphs)
    (found, slope), (expected, other) = results
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)
    is_number = ~x.isnan()  # the eager relu is PyTorch's, which hands the flow on at NaN
    torch.testing.assert_close(slope[is_number], other[is_number], rtol=0, atol=0)


def test_what_computes_stays_a_kernel() -> None:
    # 0.1 is no float32: where an input meets it, PyTorch would compare with another number.
    for formula in ("gelu(x)", "0.5 * x", "maximum(x, 0.1)", "x + 1", "clip(x, -1, 3.5e38)"):
        assert not only_chooses(limen.activation(formula)), formula
    chosen = {name for name in limen.names() if only_chooses(limen.get(name))}
    assert chosen == {*CHOICES, "heaviside"}


def test_one_graph_for_all_shapes() -> None:
    counter = torch._dynamo.testing.CompileCounterWithBackend(BACKEND)
    act = lt.Activation("swish", learnable={"beta": 3})
    compiled = torch.compile(act, fullgraph=True, dynamic=True, backend=counter)
    for rows in (2, 5, 9, 17):
        x = torch.randn(rows, 3, requires_grad=True)
        y = compiled(x)
        assert torch.equal(y, act(x))
        (found,) = torch.autograd.grad(y.sum(), x)
        (expected,) = torch.autograd.grad(act(x).sum(), x)
        assert torch.equal(found, expected)
    assert counter.frame_count == 1


def test_a_model_in_training() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(16, 4), torch.randn(16, 2)
    losses = []
    for compiles in (False, True):
        torch.manual_seed(1)
        model = lt.MLP(4, 8, 2, activation="mish")
        run = torch.compile(model, fullgraph=True, backend=BACKEND) if compiles else model
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            loss = (run(x) - y).pow(2).mean()
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


INSIDE: dict[str, tuple[int, Callable[[Function], Function]]] = {
    "vmap": (0, lambda f: vmap(f)),
    "grad": (1, lambda f: lambda x: grad(lambda x: f(x).sum())(x)),
    "vmap of grad": (1, lambda f: vmap(grad(f))),
    "jvp": (1, lambda f: lambda x: jvp(f, (x,), (torch.ones_like(x),))[1]),
    "vjp": (1, lambda f: lambda x: vjp(f, x)[1](torch.ones_like(x))[0]),
    "jacrev": (1, lambda f: lambda x: jacrev(f)(x).diagonal()),
    "jacfwd": (1, lambda f: lambda x: jacfwd(f)(x).diagonal()),
    "grad of grad": (2, lambda f: vmap(grad(grad(f)))),
    "jvp of jvp": (2, lambda f: INSIDE["jvp"][1](INSIDE["jvp"][1](f))),
    "hessian": (2, lambda f: lambda x: hessian(lambda x: f(x).sum())(x).diagonal()),
    "third": (3, lambda f: vmap(grad(grad(grad(f))))),
}


@pytest.mark.parametrize("transform", INSIDE)
def test_transforms_inside_a_compiled_function(transform: str) -> None:
    order, transformed = INSIDE[transform]
    compiled = torch.compile(transformed(lt.Activation("mish")), fullgraph=True, backend=BACKEND)
    torch.testing.assert_close(compiled(points()), exact("mish", order), **CLOSE)


@pytest.mark.parametrize("transform", ["grad", "jvp", "hessian"])
def test_the_same_on_devices_without_kernels(
    transform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("native", "autograd"):
        monkeypatch.setattr(f"limen.torch.{module}.have_kernels", lambda inputs: False)
    order, transformed = INSIDE[transform]
    compiled = torch.compile(transformed(lt.Activation("mish")), fullgraph=True, backend=BACKEND)
    # PyTorch's own operations in the stable form, a few roundings each.
    found, expected = compiled(points()), exact("mish", order)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-13)


def test_the_gradient_of_a_gradient_in_a_loss() -> None:
    """As physics-informed training has it: the loss holds a derivative by the input."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(1, 8), lt.Activation("tanh"), torch.nn.Linear(8, 1)
    ).double()
    t = points()

    def loss(t: Any) -> Any:
        slope = vmap(grad(lambda t: net(t[None])[0]))(t)
        return (slope - t).pow(2).mean()

    expected = torch.autograd.grad(loss(t), list(net.parameters())[:3])
    found = torch.compile(loss, fullgraph=True, backend=BACKEND)(t)
    grads = torch.autograd.grad(found, list(net.parameters())[:3])
    for one, other in zip(grads, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_make_fx(mode: str) -> None:
    act = lt.Activation("mish")
    traced = make_fx(act, tracing_mode=mode)(points())
    x = torch.randn(9 if mode == "symbolic" else 7, dtype=torch.float64)
    assert torch.equal(traced(x), act(x))
    assert "limen.value" in traced.code


@pytest.mark.parametrize("transform", INSIDE)
def test_make_fx_of_transforms(transform: str) -> None:
    order, transformed = INSIDE[transform]
    traced = make_fx(transformed(lt.Activation("mish")))(points() * 2)
    torch.testing.assert_close(traced(points()), exact("mish", order), **CLOSE)


def test_make_fx_of_backward_passes() -> None:
    act = lt.Activation("mish")

    def second(x: Any) -> Any:
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(act(x).sum(), x, create_graph=True)
        return torch.autograd.grad(slope.sum(), x)[0]

    traced = make_fx(second)(points() * 2)
    torch.testing.assert_close(traced(points()), exact("mish", 2), **CLOSE)
