"""limen's layers in models that exist: replaced, lean, compact, reported, taken over and back."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import limen
from limen.errors import FormulaError, LimenError

torch = pytest.importorskip("torch")
lt = pytest.importorskip("limen.torch")
nn = torch.nn

# PyTorch's own forward-mode derivatives of products use it.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")

OWN = [
    nn.ReLU(), nn.ReLU6(), nn.ELU(0.7), nn.SELU(), nn.CELU(1.3), nn.GELU(), nn.GELU("tanh"),
    nn.SiLU(), nn.Mish(), nn.Sigmoid(), nn.LogSigmoid(), nn.Softplus(2.0), nn.Softsign(), nn.Tanh(),
    nn.Tanhshrink(), nn.LeakyReLU(0.2), nn.PReLU(), nn.Hardsigmoid(), nn.Hardswish(),
    nn.Hardtanh(-2.0, 1.5), nn.Hardshrink(0.3), nn.Softshrink(0.4), nn.Threshold(0.1, 20.0),
    nn.GLU(),
]  # fmt: skip


def saved(call: Callable[[], Any]) -> int:
    """The bytes that are kept for the backward pass, every storage once."""
    kept: dict[int, Any] = {}

    def keep(tensor: Any) -> Any:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        call()
    return sum(storage.nbytes() for storage in kept.values())


def gradients(model: Any, x: Any, seed: int = 1) -> list[Any]:
    """The output, the gradient by the input, and those by all parameters."""
    model.zero_grad()
    x = x.clone().requires_grad_()
    y = model(x)
    y.backward(torch.randn(y.shape, generator=torch.Generator().manual_seed(seed)).to(y.dtype))
    return [y.detach(), x.grad, *(p.grad.clone() for p in model.parameters())]


# --- replace -------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", OWN, ids=repr)
def test_what_is_replaced_stays_what_it_was(module: Any) -> None:
    module = copy.deepcopy(module).double()
    ours = lt.replace(copy.deepcopy(module))
    kinks = ours.function.kinks
    points = [*np.linspace(-4, 4, 41), *(kinks if isinstance(kinks, tuple) else ()), 0.0]
    x = torch.tensor(points + points[:1] * (len(points) % 2), dtype=torch.float64)
    for expected, found in zip(gradients(module, x), gradients(ours, x), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)


def test_training_goes_the_same_way() -> None:
    torch.manual_seed(0)
    x = torch.randint(-2, 3, (64, 6)).double()  # whole numbers: the kink of relu is met often
    y = x.prod(1, keepdim=True).sign()
    theirs = nn.Sequential(
        nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1)
    )
    theirs = theirs.double()
    with torch.no_grad():
        theirs[0].weight.copy_(theirs[0].weight.mul(4).round())
        theirs[0].bias.zero_()
    ours = lt.replace(copy.deepcopy(theirs), nn.ReLU, "relu")
    assert (theirs[0](x) == 0).any(), "no kink is met"
    for model in (theirs, ours):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
        for _ in range(20):
            optimizer.zero_grad()
            (0.5 * (model(x) - y) ** 2).mean().backward()
            optimizer.step()
    for expected, found in zip(theirs.parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_another_function_keeps_its_own_convention() -> None:
    model = lt.replace(nn.Sequential(nn.GELU()), nn.GELU, "relu")
    assert model[0].function.at_kinks is None


def test_a_module_in_two_places_is_replaced_by_one() -> None:
    act = nn.Tanh()
    model = nn.Sequential(act, nn.Sequential(act, nn.Linear(2, 2)))
    lt.replace(model, nn.Tanh, "tanh")
    assert model[0] is model[1][0]


def test_a_module_that_stands_twice_in_one_is_replaced_twice() -> None:
    act = nn.Tanh()
    model = lt.replace(nn.Sequential(nn.Linear(2, 3), act, nn.Linear(3, 3), act))
    assert isinstance(model[1], lt.Activation)
    assert model[3] is model[1]
    report = lt.memory_report(model, torch.ones(4, 2))
    assert report.saved == 3 * 48  # two inputs, and the output that the Linear layer keeps
    assert report.replaced == 2 * 48  # two outputs, of which the Linear layer keeps the first


INPLACE = [
    nn.ReLU, nn.ReLU6, nn.ELU, nn.CELU, nn.SELU, nn.LeakyReLU, nn.Hardtanh, nn.Hardsigmoid,
    nn.Hardswish, nn.SiLU, nn.Mish,
]  # fmt: skip


@pytest.mark.parametrize("kind", INPLACE, ids=lambda kind: kind.__name__)
def test_a_module_that_works_in_place_keeps_its_convention(kind: Any) -> None:
    assert lt.replace(kind(inplace=True)).function == lt.replace(kind()).function


def test_prelu_keeps_its_parameter() -> None:
    model = nn.Sequential(nn.PReLU(3))
    weight = model[0].weight
    lt.replace(model)
    assert model[0].weight is weight
    assert list(model.state_dict()) == ["0.weight"]


def test_nothing_to_replace_is_said() -> None:
    with pytest.raises(LimenError, match=r"no GELU in this model; activations it has: ReLU \(2\)"):
        lt.replace(nn.Sequential(nn.ReLU(), nn.ReLU()), nn.GELU, "gelu")
    with pytest.raises(LimenError, match="no function for Linear"):
        lt.replace(nn.Sequential(nn.Linear(1, 1)), nn.Linear)


# --- What is kept --------------------------------------------------------------------------------


def unchanged(x: Any) -> Any:
    return x


class Block(nn.Module):  # type: ignore[misc]
    """A block with code of its own around the same three layers."""

    def __init__(self, between: Callable[[Any], Any] = unchanged) -> None:
        super().__init__()
        self.up, self.act, self.down = nn.Linear(8, 32), lt.Activation("mish"), nn.Linear(32, 8)
        self.between = between

    def forward(self, x: Any) -> Any:
        return x + self.down(self.between(self.act(self.up(x))))


@pytest.mark.parametrize("activation", ["gelu", "swiglu", "relu"])
@pytest.mark.parametrize("shape", [(16,), (5, 16), (2, 3, 16), (0, 16)])
def test_a_block_keeps_one_tensor_and_the_same_gradients(
    activation: str, shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    block = lt.MLP(16, 32, 4, activation=activation)
    plain = nn.Sequential(block.up, block.activation, block.down)
    x = torch.randn(shape)
    for expected, found in zip(gradients(plain, x), gradients(block, x), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
    rows = x.numel() // 16
    hidden = block.up.out_features * 4 * rows
    weights = 4 * (block.up.weight.numel() + block.down.weight.numel())
    assert saved(lambda: block(x)) <= hidden + x.numel() * 4 + weights
    if rows:
        assert saved(lambda: plain(x)) > saved(lambda: block(x))


def test_relu_with_pytorchs_derivative_is_pytorchs_own() -> None:
    """It is exact, and keeps its output, which the next layer keeps as well."""
    ours, kernel = lt.Activation("relu", at_kinks=0.0), limen.get("relu", at_kinks=0.0)
    special = [0.0, -0.0, torch.nan, torch.inf, -torch.inf, 1e-45, -1e-45]
    x = torch.tensor(special + torch.randn(500).tolist(), requires_grad=True)
    y = ours(x)
    assert y.grad_fn.name() == "ReluBackward0"
    assert np.array_equal(y.detach().numpy().view("i4"), kernel(x.detach().numpy()).view("i4"))
    (grad,) = torch.autograd.grad(y, x, torch.full_like(x, torch.inf))
    is_number = ~x.detach().isnan().numpy()  # there, PyTorch hands the flow on
    expected = kernel.backward(np.float32(np.inf), x.detach().numpy())
    assert np.array_equal(grad.numpy()[is_number], expected[is_number])
    for other in (lt.Activation("relu"), lt.Activation("relu", at_kinks=0.5)):
        assert other(x).grad_fn.name() != "ReluBackward0"


def test_lean_leaves_a_relu_that_keeps_its_output() -> None:
    theirs = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8))
    ours = lt.lean(lt.replace(copy.deepcopy(theirs)))
    x = torch.randn(6, 8)
    for expected, found in zip(gradients(theirs, x), gradients(ours, x), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert saved(lambda: ours(x)) == saved(lambda: theirs(x))


def test_a_block_without_gradients_keeps_nothing() -> None:
    block = lt.MLP(4, 8, 4)
    with torch.no_grad():
        assert saved(lambda: block(torch.ones(2, 4))) == 0
    block.requires_grad_(False)
    assert saved(lambda: block(torch.ones(2, 4))) == 0


def test_a_block_has_second_derivatives_and_tangents() -> None:
    block = lt.MLP(3, 5, 2, activation="swiglu").double()
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, x, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(block, x)


def test_a_block_under_autocast() -> None:
    block = lt.MLP(16, 32, 4)
    with torch.autocast("cpu", torch.bfloat16):
        y = block(torch.randn(8, 16))
        plain = block.down(block.activation(block.up(torch.randn(8, 16))))
    assert y.dtype == plain.dtype == torch.bfloat16
    y.sum().backward()
    assert block.up.weight.grad.dtype == torch.float32


def test_lean_finds_the_layers_in_any_code() -> None:
    torch.manual_seed(0)
    block = Block()
    lean = lt.lean(copy.deepcopy(block))
    x = torch.randn(6, 8)
    for expected, found in zip(gradients(block, x), gradients(lean, x), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert saved(lambda: block(x)) - saved(lambda: lean(x)) == 6 * 32 * 4
    assert list(lean.state_dict()) == list(block.state_dict())
    assert pickle.loads(pickle.dumps(lean))(x).equal(lean(x))  # ours: written a line ago


def test_compact_where_there_are_no_kernels_keeps_the_input() -> None:
    x = torch.ones(3, device="meta", requires_grad=True)
    (grad,) = torch.autograd.grad(lt.Activation("relu", compact=True)(x).sum(), x)
    assert grad.is_meta


def test_lean_minds_what_happens_in_between() -> None:
    x = torch.randn(6, 8)
    for between in (lambda a: a.mul_(1.5), lambda a: a * 1.5, nn.Dropout(0.0)):
        block = Block(between)
        for expected, found in zip(
            gradients(block, x), gradients(lt.lean(copy.deepcopy(block)), x), strict=True
        ):
            torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_compiled_graphs_keep_one_tensor_too() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 64), lt.Activation("mish"), nn.Linear(64, 4))
    x = torch.randn(32, 16)
    lean = lt.lean(copy.deepcopy(model))
    compiled = torch.compile(lean, fullgraph=True)
    for expected, found in zip(gradients(model, x), gradients(compiled, x), strict=True):
        torch.testing.assert_close(found, expected)
    assert saved(lambda: model(x)) - saved(lambda: compiled(x)) == 32 * 64 * 4


def test_symbolic_tracing_takes_an_activation_as_one_step() -> None:
    x = torch.randn(3, 6)
    plain = nn.Sequential(
        nn.Linear(6, 6), lt.Activation("swish", learnable="beta"), nn.Linear(6, 6)
    )
    for model in (plain, lt.lean(copy.deepcopy(plain)), lt.MLP(6, 12, 6, activation="swiglu")):
        traced = torch.fx.symbolic_trace(model)
        activations = [n for n, m in model.named_modules() if isinstance(m, lt.Activation)]
        assert activations == [n.target for n in traced.graph.nodes if n.target in activations]
        assert torch.equal(traced(x), model(x))
        again = torch.fx.symbolic_trace(traced)
        assert torch.equal(again(x), model(x))


def test_what_is_no_function_or_class_is_refused_kindly() -> None:
    with pytest.raises(FormulaError, match=r"GELU is a module .* limen.torch.equivalent"):
        lt.Activation(nn.GELU())
    with pytest.raises(TypeError, match=r"expected a class .* got GELU"):
        lt.replace(nn.Sequential(nn.GELU()), nn.GELU(), "gelu")


# --- Two bits ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["relu", "leaky_relu", "hardtanh", "relu6", "hardsigmoid", "softshrink", "heaviside"]
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_two_bits_give_the_same_gradient(name: str, dtype: str) -> None:
    exact, compact = lt.Activation(name), lt.Activation(name, compact=True)
    kinks = torch.tensor(exact.function.kinks)
    special = torch.tensor([0.0, -0.0, torch.inf, -torch.inf, torch.nan])
    x = torch.cat([torch.randn(100_003) * 4, kinks, special]).to(getattr(torch, dtype))
    for expected, found in zip(gradients(exact, x), gradients(compact, x), strict=True):
        assert torch.equal(found.nan_to_num(7), expected.nan_to_num(7))
    x.requires_grad_()
    assert saved(lambda: compact(x)) == -(-x.numel() // 4)


def test_compact_says_what_it_is_and_where_it_is_not() -> None:
    assert "2 bits kept an element, gradient exact" in repr(lt.Activation("relu", compact=True))
    for name in ("swiglu", "relu_squared", "sine"):
        with pytest.raises(FormulaError, match="has no compact mode"):
            lt.Activation(name, compact=True)


@pytest.mark.parametrize(
    "name", ["arctan", "elu", "gelu", "isru", "logistic", "mish", "softsign", "squareplus", "tanh"]
)
def test_the_error_of_a_compact_gradient_is_stated_for_every_input(name: str) -> None:
    stated = float(repr(lt.Activation(name, compact=True)).split("within ")[1].split(" ")[0])
    there = torch.cat([torch.linspace(-40, 40, 400_001), torch.logspace(-30, 30, 100_001)])
    x = torch.cat([there, -there]).requires_grad_()
    (found,) = torch.autograd.grad(lt.Activation(name, compact=True)(x).sum(), x)
    exact = torch.from_numpy(limen.get(name).derivative()(x.detach().double().numpy()))
    assert (found.double() - exact).abs().max() <= stated * exact.abs().max()


@pytest.mark.parametrize("name", ["gelu", "silu", "mish", "tanh", "logistic", "softplus"])
def test_the_output_tells_the_slope(name: str) -> None:
    exact, compact = lt.Activation(name), lt.Activation(name, compact=True)
    stated = float(repr(compact).partition("gradient within ")[2].partition(" ")[0])
    assert stated < 1e-3
    x = torch.cat([torch.randn(100_003) * 4, torch.tensor([0.0, 40.0, -40.0, torch.inf])])
    x = torch.cat([x, torch.tensor([-torch.inf, torch.nan]), torch.linspace(-2, 0, 5001)])
    leaves = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    one, other = (
        torch.autograd.grad(act(leaf).nansum(), leaf)[0]
        for act, leaf in zip((exact, compact), leaves, strict=True)
    )
    assert (one - other)[~x.isnan()].abs().max() <= 2 * stated * one[~x.isnan()].abs().max()
    linear = nn.Linear(8, 8)
    kept = [
        saved(lambda act=act: linear(act(torch.ones(64, 8, requires_grad=True) * 2)))
        for act in (exact, compact)
    ]
    codes = 64 * 8 // 4 if name in ("gelu", "silu", "mish") else 0
    assert kept[0] - kept[1] == 64 * 8 * 4 - codes


def test_compact_in_other_layouts_and_twice_differentiated() -> None:
    act = lt.Activation("relu", compact=True)
    x = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last).requires_grad_()
    (grad,) = torch.autograd.grad(act(x).sum(), x, create_graph=True)
    assert torch.equal(grad, (x >= 0).float())
    flow = torch.ones(4, requires_grad=True)
    inner = torch.tensor([-1.0, 1.0, -2.0, 2.0], requires_grad=True)
    (grad,) = torch.autograd.grad(act(inner), inner, flow, create_graph=True)
    assert torch.autograd.grad(grad.sum(), flow)[0].tolist() == [0.0, 1.0, 0.0, 1.0]


def test_compact_and_smooth_has_first_derivatives_only() -> None:
    """What it keeps does not tell the second one: it must not be zero without a word."""
    x, flow = points = [torch.randn(5, requires_grad=True) for _ in range(2)]
    (grad,) = torch.autograd.grad(
        lt.Activation("gelu", compact=True)(x), x, flow, create_graph=True
    )
    (by_flow,) = torch.autograd.grad(grad.sum(), flow, retain_graph=True)
    slope = limen.get("gelu").derivative()(x.detach().numpy())
    np.testing.assert_allclose(by_flow.numpy(), slope, atol=1e-3)
    with pytest.raises(FormulaError, match="gelu with compact=True has first derivatives only"):
        torch.autograd.grad(grad.sum(), points)


@pytest.mark.parametrize("name", ["relu", "gelu", "tanh"])
def test_compact_takes_a_batch_of_gradients(name: str) -> None:
    exact, compact = lt.Activation(name), lt.Activation(name, compact=True)
    x, flows = torch.randn(5, requires_grad=True), torch.randn(3, 5)

    def mapped(act: Any) -> Any:
        def grad(flow: Any) -> Any:
            return torch.autograd.grad(y, x, flow, retain_graph=True)[0]

        y = act(x)
        return torch.func.vmap(grad)(flows)

    def batched(act: Any, **how: Any) -> Any:
        return torch.autograd.grad(act(x), x, flows, is_grads_batched=True, **how)[0]

    for way in (batched, mapped):
        torch.testing.assert_close(way(compact), way(exact), rtol=1e-3, atol=1e-4)
    if name == "relu":
        assert torch.equal(batched(compact, create_graph=True), batched(exact))
    else:
        with pytest.raises(FormulaError, match="first derivatives only"):
            batched(compact, create_graph=True)


# --- The report ----------------------------------------------------------------------------------


def test_the_report_counts_what_autograd_keeps() -> None:
    model = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8))
    x = torch.randn(16, 8)
    before = saved(lambda: model(x)) - 4 * (8 * 32 * 2) - 4 * 16 * 8  # weights and the input
    ours = lt.lean(lt.replace(model, nn.GELU, "gelu"))
    report = lt.memory_report(ours, x)
    assert (
        report.replaced == 2 * report.saved == before + 4 * 8 * 32
    )  # no weight of layer 0 is kept
    assert "bytes saved" in repr(report)
    assert "<table>" in report._repr_html_()


# --- Over and back -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_goes_over_and_comes_back(dtype: str) -> None:
    layers = [
        limen.Linear(6, 8), limen.Activation("swiglu"), limen.Linear(4, 5, bias=False),
        limen.Activation("swish", learnable="beta"), limen.Activation("softmax"),
    ]  # fmt: skip
    model = limen.Model(layers, dtype=dtype)
    net = model.to_torch()
    x = np.random.default_rng(0).normal(size=(7, 6)).astype(dtype)
    tolerance = 1e-5 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(
        net(torch.from_numpy(x)).detach().numpy(), model.forward(x), rtol=tolerance
    )
    again = limen.from_torch(net)
    assert again.dtype == dtype
    assert np.array_equal(again.forward(x), model.forward(x))
    net[0].weight.data.zero_()
    assert np.array_equal(again.forward(x), model.forward(x)), "the memory is shared"


def test_pytorch_models_come_over() -> None:
    torch.manual_seed(0)  # of other weights a sum may cancel to nothing
    net = nn.Sequential(
        nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.Dropout(0.5)), nn.Linear(4, 2), nn.PReLU()
    ).train(False)
    model = limen.from_torch(net)
    x = torch.randn(5, 3)
    np.testing.assert_allclose(model.forward(x.numpy()), net(x).detach().numpy(), rtol=1e-5)
    assert model.layers[1].function.at_kinks == {0.0: 0.0}
    assert model.layers[3].learnable["weight"].value == 0.25


def test_a_module_that_stands_twice_comes_over_twice() -> None:
    torch.manual_seed(0)
    act, linear = nn.Tanh(), nn.Linear(3, 3)
    net = nn.Sequential(linear, act, linear, act)
    model = limen.from_torch(net)
    assert len(model.layers) == 4
    x = torch.randn(5, 3)
    np.testing.assert_allclose(model.forward(x.numpy()), net(x).detach().numpy(), rtol=1e-5)


@pytest.mark.parametrize(
    ("net", "why"),
    [
        (nn.Sequential(nn.Conv2d(1, 1, 1)), "Conv2d is neither a Linear layer"),
        (nn.Linear(2, 2).half(), "float16"),
        (nn.Sequential(nn.PReLU(3)), "3 channels"),
    ],
    ids=["kind", "dtype", "channels"],
)
def test_what_a_model_cannot_hold_is_refused(net: Any, why: str) -> None:
    with pytest.raises(LimenError, match=why):
        limen.from_torch(net)
