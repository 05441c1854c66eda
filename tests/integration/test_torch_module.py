"""The Activation module among PyTorch's own: what it says, saves, keeps for backward, learns."""

from __future__ import annotations

import copy
import io
import pickle
import pickletools
from typing import Any

import pytest

import limen
from limen.errors import FormulaError, ShapeError, UnknownNameError

torch = pytest.importorskip("torch")
lt = pytest.importorskip("limen.torch")
nn = torch.nn


def kept_by(call: Any) -> list[Any]:
    """The tensors that are saved for the backward pass."""
    kept: list[Any] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        call()
    return kept


def is_same(found: Any, expected: Any) -> bool:
    """Whether two tensors have the same numbers, dtype, shape and order in memory."""
    return bool(
        torch.equal(found, expected)
        and found.dtype == expected.dtype
        and found.stride() == expected.stride()
    )


# --- What it says --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (lambda: lt.Activation("gelu"), "gelu: x * (1 + erf(x / sqrt(2))) / 2"),
        (lambda: lt.Activation("x * tanh(x)"), "x * tanh(x)"),
        (lambda: lt.Activation("x * a", a=2.0), "x * a, a=2"),
        (lambda: lt.Activation("relu", at_kinks=0.5), "relu: where(x < 0, 0, x), at_kinks=0.5"),
        (
            lambda: lt.Activation("swish", learnable="beta"),
            "swish: x * sigmoid(beta * x), learnable=beta",
        ),
        (
            lambda: lt.Activation("glu", dim=1),
            "glu: sigmoid(gate) * value, first half: value, second half: gate, dim=1",
        ),
        (
            lambda: lt.Activation(limen.get("heaviside").surrogate("tanh")),
            "heaviside: where(x < 0, 0, 1), backward of tanh",
        ),
    ],
)
def test_repr(module: Any, text: str) -> None:
    assert repr(module()) == f"Activation({text})"


def test_names_that_are_none() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'gelu'"):
        lt.Activation("gelo")
    with pytest.raises(UnknownNameError, match="no parameter 'alpha'; it has: beta"):
        lt.Activation("swish", learnable="alpha")


@pytest.mark.parametrize("function", ["softmax", "log_softmax", limen.softmin])
def test_vector_functions_are_pytorchs_to_give(function: Any) -> None:
    with pytest.raises(FormulaError, match=r"take torch\.nn\.(\w+)\(dim=-1\)") as error:
        lt.Activation(function)
    advised = str(error.value).rpartition("torch.nn.")[2].partition("(")[0]
    assert issubclass(getattr(nn, advised), nn.Module)
    with pytest.raises(FormulaError, match="looks at a whole dimension"):
        lt.evaluate(function, torch.ones(3))


# --- What it keeps and saves ---------------------------------------------------------------------


def test_the_state_dict_is_what_learns() -> None:
    assert not lt.Activation("gelu").state_dict()
    act = lt.Activation("hardtanh", learnable={"min_val": 3})
    with torch.no_grad():
        act.min_val.copy_(torch.tensor([-1.0, -2.0, -3.0]))
    file = io.BytesIO()
    torch.save(act.state_dict(), file)
    file.seek(0)
    other = lt.Activation("hardtanh", learnable={"min_val": 3})
    other.load_state_dict(torch.load(file, weights_only=True))
    x = torch.randn(2, 3) * 4
    assert is_same(other(x), act(x))
    assert list(act.state_dict()) == ["min_val"]


@pytest.mark.parametrize("way", ["pickle", "deepcopy", "save"])
@pytest.mark.parametrize(
    "made",
    [
        lambda: lt.Activation("x * tanh(softplus(x)) + a", a=0.25),
        lambda: lt.Activation("swish", learnable={"beta": 4}),
        lambda: lt.Activation("relu", at_kinks={0.0: 0.5}, compact=True),
        lambda: lt.Activation(limen.get("heaviside").surrogate("tanh")),
        lambda: lt.Activation("swiglu", dim=1),
    ],
)
def test_a_copy_is_the_same_layer(made: Any, way: str) -> None:
    act = made()
    if way == "deepcopy":
        other = copy.deepcopy(act)
    elif way == "pickle":
        other = pickle.loads(pickle.dumps(act))  # ours: written on this line
    else:
        file = io.BytesIO()
        torch.save(act, file)
        file.seek(0)
        other = torch.load(file, weights_only=False)  # ours as well
    assert repr(other) == repr(act)
    x = torch.randn(3, 4)
    x[0, 0] = 0.0
    grads = []
    for module in (act, other):
        leaf = x.clone().requires_grad_()
        grads.append(torch.autograd.grad(module(leaf).sum(), leaf)[0])
    assert is_same(*grads)
    own = {id(p) for p in act.parameters()}
    assert not own & {id(p) for p in other.parameters()}


def test_a_pickle_holds_the_formula_as_text() -> None:
    act = lt.Activation("x * tanh(softplus(x))")
    act(torch.ones(3))  # kernels and caches stay behind
    data = pickle.dumps(act)
    named = [str(value) for _, value, _ in pickletools.genops(data) if isinstance(value, str)]
    modules = {name for name in named if name.split(".")[0] == "limen"}
    assert modules == {"limen.torch.activation"}
    assert any("x * tanh(softplus(x))" in name for name in named)
    assert "Expression" not in named and "ActivationFunction" not in named


def test_training_keeps_the_input_and_nothing_else() -> None:
    act = lt.Activation("mish")
    x = torch.randn(8, requires_grad=True)
    (kept,) = kept_by(lambda: act(x))
    assert kept.data_ptr() == x.data_ptr()
    gate = torch.randn(8, requires_grad=True)
    assert len(kept_by(lambda: lt.evaluate("swiglu", gate, x))) == 2


def test_nothing_is_kept_where_nothing_is_trained() -> None:
    act, x = lt.Activation("mish"), torch.randn(8, requires_grad=True)
    with torch.no_grad():
        assert not kept_by(lambda: act(x))
        assert not act(x).requires_grad
    with torch.inference_mode():
        assert not kept_by(lambda: act(x))
        assert act(torch.randn(3)).is_inference()
    assert not kept_by(lambda: act(x.detach()))
    assert kept_by(lambda: act(x))  # the hooks do see what is kept


def test_an_input_that_was_written_to_is_noticed() -> None:
    x = torch.randn(8, requires_grad=True)
    middle = x * 1.0
    y = lt.Activation("mish")(middle)
    middle.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


# --- What learns ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "channels"),
    [
        ((4, 3), 3),
        ((2, 3, 5), 3),
        ((2, 3, 4, 5), 3),
        ((2, 3), 1),
        ((2, 3, 5), 1),
        ((3,), 1),
        ((), 1),
    ],
)
def test_learnable_channels_are_those_of_prelu(shape: tuple[int, ...], channels: int) -> None:
    theirs, ours = nn.PReLU(channels), lt.Activation("prelu", learnable={"weight": channels})
    slopes = torch.randn(channels)
    x = torch.randn(shape)
    results = []
    for module in (theirs, ours):
        with torch.no_grad():
            module.weight.copy_(slopes)
        leaf = x.clone().requires_grad_()
        y = module(leaf)
        (y * y).sum().backward()
        results.append([y, leaf.grad, module.weight.grad])
    # The gradient by a slope is a sum over all elements, in another order.
    torch.testing.assert_close(results[1], results[0], rtol=1e-5, atol=1e-6)


def test_learnable_numbers_against_the_formula_in_pytorch() -> None:
    x = torch.randn(50, dtype=torch.float64)
    act = lt.Activation("a * tanh(b * x)", a=1.5, b=0.75, learnable=["a", "b"]).double()
    a, b = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.5, 0.75))
    act(x).pow(2).sum().backward()
    (a * torch.tanh(b * x)).pow(2).sum().backward()
    torch.testing.assert_close(act.a.grad, a.grad, rtol=1e-12, atol=0)
    torch.testing.assert_close(act.b.grad, b.grad, rtol=1e-12, atol=0)


def test_channels_that_do_not_fit() -> None:
    act = lt.Activation("prelu", learnable={"weight": 3})
    with pytest.raises(ShapeError, match=r"expected 3 channels of weight in dimension 1, given"):
        act(torch.zeros(2, 4))
    with pytest.raises(ShapeError, match="expected 3 channels"):
        act(torch.zeros(()))
