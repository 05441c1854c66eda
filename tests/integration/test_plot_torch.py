"""Pictures of PyTorch models: the layers that are found, and what they compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import limen
from limen.insight.plot.stages import stages

torch = pytest.importorskip("torch")
nn = torch.nn

X = np.random.default_rng(0).standard_normal((12, 2))


class Own(nn.Module):
    """Activations called as functions, in place, and as a module of one's own."""

    class Swish(nn.Module):
        def forward(self, x: Any) -> Any:
            return x * torch.sigmoid(x)

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 4), nn.Linear(4, 3)
        self.third, self.last = nn.Linear(3, 5), nn.Linear(5, 2)
        self.swish, self.drop = self.Swish(), nn.Dropout(0.5)

    def forward(self, x: Any) -> Any:
        x = torch.relu_(self.first(x))
        x = self.drop(nn.functional.gelu(self.second(x), approximate="tanh"))
        x = self.swish(self.third(x))
        return self.last(x)


def names(model: Any, x: Any = X) -> list[tuple[str, str | None, int]]:
    return [(stage.name, stage.function, stage.width) for stage in stages(model, x)]


def test_the_same_model_in_both_libraries_is_the_same_picture() -> None:
    model = limen.Model([limen.Linear(2, 4), limen.Activation("tanh"), limen.Linear(4, 2)])
    net = model.to_torch()
    for ours, theirs in zip(stages(model, X), stages(net, X), strict=True):
        np.testing.assert_allclose(ours.output, theirs.output, atol=2e-6)
        np.testing.assert_allclose(ours.threshold, theirs.threshold, atol=2e-6)
        np.testing.assert_array_equal(ours.weight, theirs.weight)
    assert names(net) == [("1", "tanh", 4), ("2", None, 2)]


def test_calls_and_modules_of_one_s_own_are_found() -> None:
    model = Own()
    assert names(model) == [
        ("relu", "relu", 4), ("gelu", "gelu", 3), ("swish", "Swish", 5), ("last", None, 2),
    ]  # fmt: skip
    relu, gelu, swish, last = stages(model, X)
    with torch.no_grad():
        first = model.first(torch.tensor(X, dtype=torch.float32))
        second = model.second(first.relu())
    np.testing.assert_array_equal(relu.pre_activation, first)  # before it was written over
    np.testing.assert_array_equal(relu.output, first.relu())
    np.testing.assert_array_equal(gelu.pre_activation, second)
    np.testing.assert_array_equal(swish.weight, model.third.weight.detach())
    np.testing.assert_allclose(
        swish.output, swish.pre_activation / (1 + np.exp(-swish.pre_activation)), rtol=1e-5
    )
    np.testing.assert_allclose(
        last.output, swish.output @ model.last.weight.detach().numpy().T
        + model.last.bias.detach().numpy(), atol=1e-6,
    )  # fmt: skip


def test_the_model_is_left_as_it_was() -> None:
    model = Own()
    model.drop.eval()
    before = [module.training for module in model.modules()]
    for _ in range(2):
        stages(model, X)
    assert [module.training for module in model.modules()] == before
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    with pytest.raises(RuntimeError):
        stages(model, np.ones((3, 7)))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert [module.training for module in model.modules()] == before
    assert all(parameter.grad is None for parameter in model.parameters())


def test_gates_and_shared_modules() -> None:
    import limen.torch as lt

    act = nn.ReLU()
    model = nn.Sequential(
        nn.Linear(2, 3), act, nn.Linear(3, 3), act, nn.Linear(3, 8), nn.GLU(), nn.Linear(4, 6),
        lt.Activation("swiglu"),
    )  # fmt: skip
    found = stages(model, X)
    assert [(s.name, s.function, s.width) for s in found] == [
        ("1", "relu", 3), ("1 (2)", "relu", 3), ("5", "glu", 4), ("7", "swiglu", 3),
    ]  # fmt: skip
    _, _, glu, _ = found
    np.testing.assert_array_equal(glu.weight, model[4].weight.detach()[4:])
    assert glu.pre_activation is not None
    gate = found[1].output @ model[4].weight.detach().numpy()[4:].T
    gate += model[4].bias.detach().numpy()[4:]
    np.testing.assert_allclose(glu.pre_activation, gate, atol=1e-6)


def test_convolutions_are_flat_representations() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.SiLU(), nn.Flatten(), nn.Linear(72, 3)
    ).bfloat16()
    x = np.random.default_rng(1).standard_normal((5, 1, 8, 8))
    assert names(model, x) == [("2", "silu", 72), ("4", None, 3)]
    figure = limen.plot.neurons(model, x, figure=Figure())
    assert figure.axes[0].images[0].get_array().shape == (8, 8)


def test_a_compiled_model_is_looked_into() -> None:
    model = Own()
    compiled = torch.compile(model)
    assert names(compiled) == names(model)


def test_pictures_of_tensors() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    x = torch.tensor(X, requires_grad=True)
    y = torch.arange(12) % 2
    axes = limen.plot.neurons(model, x, y, Figure()).axes
    assert [a.get_title(loc="left") for a in axes[:2]] == ["all lines", "0"]
    axes = limen.plot.representations(model, x, y, Figure()).axes
    assert [a.get_title(loc="left").split("\n")[0] for a in axes] == [
        "input (2)", "1: relu (3)", "2 (2)",
    ]  # fmt: skip
