"""torch.func, forward mode and compiled functions, composed: every way to a derivative is right.

A tangent that PyTorch leaves out is zero without a word, so everything is compared in numbers, with
the kernels of limen's own derivatives. The tolerance, 1e-12 of the value, is that of a few products
in float64.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

import limen

torch = pytest.importorskip("torch")
lt = pytest.importorskip("limen.torch")
from torch.autograd import forward_ad  # noqa: E402
from torch.func import (  # noqa: E402
    functional_call,
    functionalize,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    vjp,
    vmap,
)

from limen.torch.key import key_of  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")

F = limen.get("mish")
X = torch.linspace(-3, 3, 6, dtype=torch.float64)
Function = Callable[[Any], Any]


def operator(x: Any) -> Any:
    """The operator itself, as graphs call it."""
    return torch.ops.limen.value([x], key_of(F), [0])


ROADS = {"evaluate": lambda x: lt.evaluate(F, x), "operator": operator}

# Each makes of an elementwise function its derivative, an elementwise function again.
WAYS: dict[str, Callable[[Function], Function]] = {
    "grad": lambda f: grad(lambda x: f(x).sum()),
    "vjp": lambda f: lambda x: vjp(f, x)[1](torch.ones_like(x))[0],
    "jvp": lambda f: lambda x: jvp(f, (x,), (torch.ones_like(x),))[1],
    "jacrev": lambda f: lambda x: jacrev(f)(x).diagonal(),
    "jacfwd": lambda f: lambda x: jacfwd(f)(x).diagonal(),
    "vmap": lambda f: vmap(grad(lambda x: f(x[None])[0])),
}


def derivative(order: int, x: Any = X) -> Any:
    return torch.from_numpy(F.derivative(order)(x.detach().numpy()))


def same(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("road", ROADS)
def test_every_way_after_every_other(road: str, order: int) -> None:
    for names in itertools.product(WAYS, repeat=order):
        f = ROADS[road]
        for name in names:
            f = WAYS[name](f)
        torch.testing.assert_close(
            f(X), derivative(order), rtol=1e-12, atol=1e-14, msg=lambda m, n=names: f"{n}: {m}"
        )


@pytest.mark.parametrize("road", ROADS)
def test_tangents_of_tangents_of_any_order(road: str) -> None:
    f, tangent = ROADS[road], torch.linspace(-1, 2, 6, dtype=torch.float64)
    for order in range(1, 6):
        f = (lambda g: lambda x: jvp(g, (x,), (tangent,))[1])(f)
        same(f(X), derivative(order) * tangent**order)


@pytest.mark.parametrize("road", ROADS)
def test_levels_of_dual_numbers(road: str) -> None:
    f, tangent = ROADS[road], torch.linspace(-1, 2, 6, dtype=torch.float64)
    leaf = X.clone().requires_grad_()
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(leaf, tangent)
        value, flow = forward_ad.unpack_dual(f(dual))
        same(value.detach(), derivative(0))
        same(flow.detach(), derivative(1) * tangent)
        same(torch.autograd.grad(flow.sum(), leaf)[0], derivative(2) * tangent)
        (slope,) = torch.autograd.grad(f(dual).sum(), dual, create_graph=True)
        same(forward_ad.unpack_dual(slope).tangent.detach(), derivative(2) * tangent)
        slope = grad(lambda x: f(x).sum())(forward_ad.make_dual(X, tangent))
        same(forward_ad.unpack_dual(slope).tangent, derivative(2) * tangent)
        assert forward_ad.unpack_dual(f(X)).tangent is None


@pytest.mark.parametrize("road", ROADS)
def test_functionalize(road: str) -> None:
    same(functionalize(ROADS[road])(X), derivative(0))
    same(functionalize(WAYS["grad"](ROADS[road]))(X), derivative(1))


def test_a_gate_and_a_value_have_mixed_derivatives() -> None:
    f = limen.get("swiglu")
    gate, value = torch.tensor([0.3, -1.7]).double()

    def exact(*names: str) -> Any:
        found = f
        for name in names:
            found = found.derivative(name)
        return float(found(gate.numpy(), value.numpy()))

    expected = [[exact(a, b) for b in f.inputs] for a in f.inputs]
    for outer, inner in itertools.product((jacfwd, jacrev), repeat=2):
        second = outer(inner(lambda g, v: lt.evaluate(f, g, v), argnums=(0, 1)), argnums=(0, 1))
        found = [[float(entry) for entry in row] for row in second(gate, value)]
        same(torch.tensor(found).double(), torch.tensor(expected).double())


def test_gradients_of_single_samples() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(3, 4),
        lt.Activation("swish", learnable={"beta": 4}),
        torch.nn.Linear(4, 1),
    ).double()
    x, y = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 1, dtype=torch.float64)
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        return (functional_call(model, parameters, (x[None],)) - y).square().sum()

    at_once = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, x, y)
    for k in range(5):
        (model(x[k : k + 1]) - y[k]).square().sum().backward()
        for name, parameter in model.named_parameters():
            same(at_once[name][k], parameter.grad)
            parameter.grad = None
    tangents = {name: torch.ones_like(p) for name, p in parameters.items()}
    _, change = jvp(lambda p: loss(p, x[0], y[0]), (parameters,), (tangents,))
    same(change, sum(at_once[name][0].sum() for name in parameters))


def test_batches_in_any_dimension() -> None:
    x = torch.randn(2, 3, 4, dtype=torch.float64)
    expected = derivative(0, x)
    f = ROADS["evaluate"]
    for inner, outer in itertools.product((0, 1, -1), (0, 2)):
        same(vmap(vmap(f, inner, inner), outer, outer)(x), expected)
    gate, value = x[..., 0], x[0, :, 1]
    pairs = vmap(lambda g, v: lt.evaluate("swiglu", g, v), in_dims=(1, None), out_dims=1)
    same(pairs(gate, value[:2]), lt.evaluate("swiglu", gate, value[:2, None].expand(2, 3)))


# --- Compiled ------------------------------------------------------------------------------------


def compiled(f: Function) -> Function:
    torch.compiler.reset()
    found: Function = torch.compile(f, fullgraph=True, backend="aot_eager")
    return found


@pytest.mark.parametrize("way", [*WAYS, "hessian", "jvp of jvp", "jvp of grad"])
def test_transforms_inside_a_compiled_function(way: str) -> None:
    f = ROADS["evaluate"]
    if way == "hessian":
        same(compiled(hessian(lambda x: f(x).sum()))(X), derivative(2).diag())
    elif " of " in way:
        outer, _, inner = way.partition(" of ")
        same(compiled(WAYS[outer](WAYS[inner](f)))(X), derivative(2))
    else:
        same(compiled(WAYS[way](f))(X), derivative(1))


@pytest.mark.parametrize(
    "function",
    ["mish", "x * tanh(softplus(x))", F, lambda x: x * limen.tanh(limen.softplus(x))],
    ids=["name", "formula", "object", "lambda"],
)
def test_a_compiler_takes_whatever_names_a_function(function: Any) -> None:
    leaf = X.clone().requires_grad_()
    y = compiled(lambda x: lt.evaluate(function, x))(leaf)
    same(y.detach(), derivative(0))
    same(torch.autograd.grad(y.sum(), leaf)[0], derivative(1))


def test_a_compiled_function_of_names_tells_them_apart() -> None:
    f = compiled(lambda x, name: lt.evaluate(name, x))
    assert not torch.equal(f(X, "mish"), f(X, "tanh"))
    same(f(X, "mish"), derivative(0))
    same(f(X, "tanh"), X.tanh())
