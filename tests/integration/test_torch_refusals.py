"""What limen.torch refuses, and what it says works instead."""

from __future__ import annotations

from typing import Any

import pytest

import limen
from limen.errors import DtypeError, FormulaError, LimenError

torch = pytest.importorskip("torch")
lt = pytest.importorskip("limen.torch")
nn = torch.nn


def models() -> list[Any]:
    """A module alone, with learnable numbers, inside a model, a block, and a lean model."""
    inside = nn.Sequential(nn.Linear(4, 4), lt.Activation("gelu"), nn.Linear(4, 4))
    lean = lt.lean(nn.Sequential(nn.Linear(4, 4)))
    learnt = lt.Activation("swish", learnable="beta")
    return [lt.Activation("mish"), learnt, inside, lt.MLP(4, 8, 4), lean]


@pytest.mark.parametrize("model", models(), ids=lambda model: type(model).__name__)
@pytest.mark.filterwarnings("ignore:`torch.jit", "ignore:Converting a tensor")
def test_what_cannot_be_scripted_says_what_works(model: Any) -> None:
    with pytest.raises(LimenError, match=r"torch\.compile.*torch\.export.*torch\.jit\.trace"):
        torch.jit.script(model)
    x = torch.linspace(-2.0, 2.0, 12).reshape(3, 4)
    assert torch.equal(torch.jit.trace(model, x)(x), model(x))


def test_fx_traces_the_model_and_not_the_step() -> None:
    activation = lt.Activation("mish")
    with pytest.raises(LimenError, match=r"torch\.nn\.Sequential"):
        torch.fx.symbolic_trace(activation)
    x = torch.linspace(-2.0, 2.0, 5)
    traced = torch.fx.symbolic_trace(nn.Sequential(activation))
    assert torch.equal(traced(x), activation(x))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lt.Activation(None), FormulaError, "a function, its name or its formula"),
        (lambda: lt.layer(None), FormulaError, "a function, its name or its formula"),
        (lambda: lt.Activation("swish", learnable=None), TypeError, "such as 'beta'"),
        (lambda: lt.Activation("swish", learnable=[1]), TypeError, "such as 'beta'"),
        (lambda: lt.Activation("swish", learnable={"beta": 0}), ValueError, "number of channels"),
        (lambda: lt.Activation("swish", learnable={"beta": 2.5}), ValueError, "number of channels"),
        (
            lambda: lt.Activation("abs(x)**p", p=1.5, learnable="p"),
            FormulaError,
            r"'p' of abs.* exponent: leave it a number, or write exp\(p \* log\(u\)\)",
        ),
        (
            lambda: lt.Activation("where(x<0,a*x,x)", a=0.25, learnable="a", at_kinks=0.0),
            FormulaError,
            r"'a' of where.* at_kinks.*leave it out.*where\(x <= 0, a \* x, x\)",
        ),
        (
            lambda: lt.Activation(
                limen.activation("b * x", b=1.0).surrogate("tanh"), learnable={"b": 3}
            ),
            FormulaError,
            "'b' of .* another function's, tanh",
        ),
        (lambda: lt.Activation("relu", inplace=True), TypeError, "no inplace"),
        (lambda: lt.Activation("glu", dim="last"), TypeError, "integer"),
        (lambda: lt.replace("gelu"), TypeError, "replace: expected a torch.nn.Module"),
        (lambda: lt.lean(None), TypeError, "lean: expected a torch.nn.Module"),
        (lambda: lt.memory_report(None), TypeError, "memory_report: expected a torch.nn.Module"),
        (lambda: limen.from_torch(None), TypeError, "from_torch: expected a torch.nn.Module"),
    ],
)
def test_wrong_arguments_are_said(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_parameter_named_twice_learns_once() -> None:
    activation = lt.Activation("swish", learnable=["beta", "beta"])
    assert activation.learnable == ("beta",)
    assert activation(torch.ones(2)).shape == (2,)


@pytest.mark.parametrize(
    "x", [torch.ones(2, requires_grad=True), torch.ones(2, dtype=torch.bfloat16)]
)
def test_functions_of_numpy_send_tensors_to_limen_torch(x: Any) -> None:
    with pytest.raises(DtypeError, match=r"limen\.torch\.evaluate"):
        limen.get("mish")(x)


def test_what_refusals_suggest_works() -> None:
    x = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    power = lt.Activation("exp(p * log(abs(x) + 1e-6))", p=1.5, learnable="p")
    (power(x).sum() + power.p).backward()
    torch.testing.assert_close(power(x), abs(x) ** 1.5, atol=1e-5, rtol=1e-5)
    assert torch.isfinite(x.grad).all() and torch.isfinite(power.p.grad)
    x.grad = None
    leaky = lt.Activation("where(x <= 0, a * x, x)", a=0.25, learnable="a")
    leaky(x).sum().backward()
    assert x.grad.tolist() == [0.25, 0.25, 1.0]
