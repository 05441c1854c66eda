"""Derivatives in PyTorch, by every road there is, against those that limen derives."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

import limen

torch = pytest.importorskip("torch")
lt = pytest.importorskip("limen.torch")
from torch.autograd import forward_ad, functional  # noqa: E402
from torch.func import (  # noqa: E402
    functional_call,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    vjp,
    vmap,
)

from limen.torch.key import key_of  # noqa: E402 - where there is PyTorch

# PyTorch's own forward-mode derivatives of products use the first, `linearize` has the second.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node:UserWarning"),
]

SMOOTH = ["mish", "gelu", "tanh", "softplus"]
# Away from every kink of the catalogue, by more than what `gradcheck` steps.
POINTS = [-4.6, -2.71, -0.83, 0.37, 1.19, 2.6]
# float64 kernels and float64 products of them: some roundings, no more.
CLOSE = {"rtol": 1e-13, "atol": 1e-15}

Function = Callable[[Any], Any]


def points() -> Any:
    return torch.tensor(POINTS, dtype=torch.float64)


def exact(name: str, order: int) -> Any:
    """A derivative as limen computes it on an array."""
    return torch.from_numpy(limen.get(name).derivative(order)(points().numpy()))


# --- Numerically, all functions ------------------------------------------------------------------


@pytest.mark.parametrize("name", limen.names())
def test_gradcheck(name: str) -> None:
    f = limen.get(name)
    inputs = [points().roll(k).requires_grad_() for k in range(len(f.inputs))]

    def evaluated(*tensors: Any) -> Any:
        return lt.evaluate(f, *tensors)

    assert torch.autograd.gradcheck(
        evaluated, inputs, check_forward_ad=True, check_batched_grad=True,
        check_batched_forward_grad=True,
    )  # fmt: skip
    assert torch.autograd.gradgradcheck(
        evaluated, inputs, check_fwd_over_rev=True, check_batched_grad=True
    )


def test_gradcheck_of_what_learns() -> None:
    act = lt.Activation("a * tanh(b * x)", a=1.5, b=0.75, learnable=["a", "b"]).double()

    def evaluated(x: Any, a: Any, b: Any) -> Any:
        return functional_call(act, {"a": a, "b": b}, (x,))

    inputs = [points(), torch.tensor(1.5), torch.tensor(0.75)]
    inputs = [x.double().requires_grad_() for x in inputs]
    assert torch.autograd.gradcheck(evaluated, inputs, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(evaluated, inputs, check_fwd_over_rev=True)


# `opcheck` asks for the gradient of its own copies in a list.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.parametrize("name", ["gelu", "relu", "swiglu", "hardtanh"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_operators_are_as_pytorch_wants_them(name: str, dtype: Any) -> None:
    f = limen.get(name)
    orders = [0] * len(f.inputs)
    inputs = [points().to(dtype).roll(k).requires_grad_() for k in orders]
    flow = torch.ones(len(POINTS), dtype=dtype, requires_grad=True)
    operators = torch.ops.limen
    torch.library.opcheck(operators.value.default, (inputs, key_of(f), orders))
    torch.library.opcheck(operators.flows.default, (flow, inputs, key_of(f), orders))
    torch.library.opcheck(operators.value_again.default, (inputs, key_of(f), orders, flow))


# --- torch.func ----------------------------------------------------------------------------------


def ones(x: Any) -> Any:
    return torch.ones_like(x)


TRANSFORMS: dict[str, Callable[[Function], Function]] = {
    "grad": lambda f: lambda x: grad(lambda x: f(x).sum())(x),
    "jvp": lambda f: lambda x: jvp(f, (x,), (ones(x),))[1],
    "vjp": lambda f: lambda x: vjp(f, x)[1](ones(x))[0],
    "jacrev": lambda f: lambda x: jacrev(f)(x).diagonal(),
    "jacfwd": lambda f: lambda x: jacfwd(f)(x).diagonal(),
    "vmap of jvp": lambda f: lambda x: vmap(TRANSFORMS["jvp"](f))(x[None])[0],
}


def check_compositions(name: str, order: int, function: Function) -> None:
    """Every sequence of so many transforms gives the derivative of that order."""
    for sequence in product(TRANSFORMS, repeat=order):
        f = function
        for transform in sequence:
            f = TRANSFORMS[transform](f)
        try:
            torch.testing.assert_close(f(points()), exact(name, order), **CLOSE)
        except AssertionError as error:
            raise AssertionError(" of ".join(reversed(sequence))) from error


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("order", [1, 2])
def test_transforms_of_transforms(name: str, order: int) -> None:
    check_compositions(name, order, lt.Activation(name))


def test_three_transforms() -> None:
    check_compositions("mish", 3, lt.Activation("mish"))


@pytest.mark.parametrize("order", [1, 2])
def test_operators_called_by_hand(order: int) -> None:
    key = key_of(limen.get("mish"))
    check_compositions("mish", order, lambda x: torch.ops.limen.value([x], key, [0]))


def test_operators_at_the_value_again() -> None:
    key = key_of(limen.get("mish"))
    x = points()
    _, tangent = jvp(
        lambda x: torch.ops.limen.value_again([x], key, [0], x.detach()), (x,), (ones(x),)
    )
    torch.testing.assert_close(tangent, exact("mish", 1), **CLOSE)


@pytest.mark.parametrize("name", SMOOTH)
def test_single_neurons_to_the_fourth_derivative(name: str) -> None:
    f: Function = lt.Activation(name)
    for order in range(1, 5):
        f = grad(f)
        torch.testing.assert_close(vmap(f)(points()), exact(name, order), **CLOSE)


@pytest.mark.parametrize("name", SMOOTH)
def test_linearize_and_hessian(name: str) -> None:
    act, x = lt.Activation(name), points()
    value, derivative = linearize(act, x)
    torch.testing.assert_close(value, act(x), rtol=0, atol=0)
    torch.testing.assert_close(derivative(ones(x)), exact(name, 1), **CLOSE)
    torch.testing.assert_close(derivative(2 * ones(x)), 2 * exact(name, 1), **CLOSE)
    found = hessian(lambda x: act(x).sum())(x)
    torch.testing.assert_close(found, torch.diag(exact(name, 2)), **CLOSE)


@pytest.mark.parametrize("by", [0, 1])
def test_two_inputs(by: int) -> None:
    f = limen.get("swiglu")
    gate, value = points(), points().flip(0)
    slope = f.derivative(f.inputs[by])
    expected = torch.from_numpy(slope(gate.numpy(), value.numpy()))
    for jacobian in (jacrev, jacfwd):
        found = jacobian(lambda *a: lt.evaluate(f, *a), argnums=by)(gate, value).diagonal()
        torch.testing.assert_close(found, expected, **CLOSE)
    mixed = jacfwd(jacrev(lambda *a: lt.evaluate(f, *a).sum(), argnums=0), argnums=1)(gate, value)
    found = torch.from_numpy(f.derivative("gate").derivative("value")(gate.numpy(), value.numpy()))
    torch.testing.assert_close(mixed.diagonal(), found, **CLOSE)


def test_vmap_over_any_dimensions() -> None:
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    act = lt.Activation("mish")
    found = vmap(vmap(act, in_dims=2, out_dims=1), in_dims=1, out_dims=2)(x)
    expected = torch.stack(
        [torch.stack([act(x[:, k, :, j]) for j in range(5)], 1) for k in range(3)], 2
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_vmap_over_one_input_of_two() -> None:
    gate, value = torch.randn(7, 3), torch.randn(3)
    found = vmap(lambda g, v: lt.evaluate("swiglu", g, v), in_dims=(0, None))(gate, value)
    assert torch.equal(found, lt.evaluate("swiglu", gate, value))
    by_value = grad(lambda v: vmap(lambda g: lt.evaluate("swiglu", g, v))(gate).sum())(value)
    leaf = value.clone().requires_grad_()
    (expected,) = torch.autograd.grad(lt.evaluate("swiglu", gate, leaf).sum(), leaf)
    torch.testing.assert_close(by_value, expected)


def test_what_is_not_recorded_is_a_constant() -> None:
    act, x = lt.Activation("mish"), points()

    def half_recorded(x: Any) -> Any:
        with torch.no_grad():
            constant = act(x)
        return (x * constant).sum()

    assert torch.equal(grad(half_recorded)(x), act(x))


def test_what_is_not_recorded_is_a_constant_to_outer_levels_too() -> None:
    act, x = lt.Activation("mish"), points()

    def half_recorded(x: Any) -> Any:
        with torch.no_grad():
            constant = act(x)
        return (x * constant).sum()

    assert torch.equal(grad(lambda x: grad(half_recorded)(x).sum())(x), torch.zeros_like(x))


# --- Forward mode and autograd -------------------------------------------------------------------


def test_dual_numbers() -> None:
    act, x = lt.Activation("gelu"), points()
    with forward_ad.dual_level():
        y = act(forward_ad.make_dual(x, 3 * ones(x)))
        value, tangent = forward_ad.unpack_dual(y)
        assert forward_ad.unpack_dual(act(x)).tangent is None
    torch.testing.assert_close(value, act(x), rtol=0, atol=0)
    torch.testing.assert_close(tangent, 3 * exact("gelu", 1), **CLOSE)


def test_dual_numbers_over_a_backward_pass() -> None:
    act = lt.Activation("gelu")
    with forward_ad.dual_level():
        x = forward_ad.make_dual(points().requires_grad_(), ones(points()))
        (slope,) = torch.autograd.grad(act(x).sum(), x, create_graph=True)
        tangent = forward_ad.unpack_dual(slope).tangent
    torch.testing.assert_close(tangent, exact("gelu", 2), **CLOSE)


@pytest.mark.parametrize("model", ["activation", "lean"])
def test_batches_of_gradients(model: str) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(lt.Activation("mish"), torch.nn.Linear(6, 4)).double()
    function = net[0] if model == "activation" else lt.lean(net)
    x = points().expand(3, 6).clone().requires_grad_()
    y = function(x)
    flows = torch.randn(5, *y.shape, dtype=torch.float64)
    leaves = [x, *function.parameters()]
    found = torch.autograd.grad(y, leaves, flows, is_grads_batched=True, retain_graph=True)
    each = [torch.autograd.grad(y, leaves, flow, retain_graph=True) for flow in flows]
    for batch, single in zip(found, zip(*each, strict=True), strict=True):
        torch.testing.assert_close(batch, torch.stack(single), **CLOSE)


def test_a_blocked_neuron_hands_nothing_on_in_batches_either() -> None:
    x = torch.tensor([-1.0, 1.0], requires_grad=True)
    flows = torch.tensor([[torch.inf, 2.0], [1.0, 3.0]])
    y = lt.Activation("relu")(x)
    (found,) = torch.autograd.grad(y, x, flows, is_grads_batched=True)
    assert found.tolist() == [[0.0, 2.0], [0.0, 3.0]]


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
def test_autograd_functional(strategy: str) -> None:
    act, x, v = lt.Activation("mish"), points(), points().flip(0)
    first, second = exact("mish", 1), exact("mish", 2)
    options = {"vectorize": True, "strategy": strategy}
    torch.testing.assert_close(functional.jacobian(act, x, **options), torch.diag(first), **CLOSE)

    def total(x: Any) -> Any:
        return act(x).sum()

    found = functional.hessian(total, x, vectorize=True, outer_jacobian_strategy=strategy)
    torch.testing.assert_close(found, torch.diag(second), **CLOSE)
    for product_of, expected in (
        (functional.vjp(act, x, v), v * first),
        (functional.jvp(act, x, v), v * first),
        (functional.hvp(total, x, v), v * second),
        (functional.vhp(total, x, v), v * second),
    ):
        torch.testing.assert_close(product_of[1], expected, **CLOSE)


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_checkpoints(use_reentrant: bool) -> None:
    from torch.utils.checkpoint import checkpoint

    x = points().requires_grad_()
    checkpoint(lt.Activation("mish"), x, use_reentrant=use_reentrant).sum().backward()
    torch.testing.assert_close(x.grad, exact("mish", 1), **CLOSE)
