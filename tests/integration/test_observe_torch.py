"""Watching PyTorch networks: what is said is what hooks on the same network see."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

import limen  # noqa: E402
import limen.torch as lt  # noqa: E402
from limen.insight.comparing.trial import BLOCKED_BELOW  # noqa: E402

X = torch.randn(200, 6, generator=torch.Generator().manual_seed(1))
Y = (X[:, 0] * X[:, 1] > 0).long()


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Whatever a test does, no hook and no mode outlives it."""
    from torch.nn.modules import module

    yield
    assert torch.overrides._get_current_function_mode_stack() == []
    assert not module._global_forward_pre_hooks and not module._global_forward_hooks


def perceptron(activation: Any, width: int = 8) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, width), activation, nn.Linear(width, 2))


def watched(network: nn.Module, x: Any = X) -> Any:
    with limen.observe(network, every=1, rows=10_000) as seen:
        network(x)
    return seen.layers


def train(network: nn.Module, steps: int = 3) -> None:
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        functional.cross_entropy(network(X), Y).backward()
        optimizer.step()


MODULES = [
    nn.ReLU(), nn.ReLU(inplace=True), nn.LeakyReLU(0.2), nn.ELU(0.7), nn.GELU(),
    nn.GELU(approximate="tanh"), nn.SiLU(), nn.Mish(), nn.Sigmoid(), nn.Tanh(), nn.Softplus(),
    nn.Softsign(), nn.Hardtanh(-0.5, 0.5), nn.ReLU6(), nn.Hardswish(), nn.Softshrink(0.3),
    nn.Threshold(0.1, 0.0), nn.PReLU(), nn.PReLU(8), nn.SELU(), nn.CELU(0.5), nn.LogSigmoid(),
    nn.Tanhshrink(), nn.Hardshrink(), nn.Hardsigmoid(), lt.Activation("gelu"),
    lt.Activation("swish", learnable="beta"), lt.Activation("x * sin(x)"),
]  # fmt: skip


@pytest.mark.parametrize("activation", MODULES, ids=repr)
def test_a_module_is_known_with_its_derivative(activation: nn.Module) -> None:
    network = perceptron(copy.deepcopy(activation))
    (layer,) = watched(network)
    pre = network[0](X).detach().requires_grad_()
    post = network[1](pre.clone())
    (slope,) = torch.autograd.grad(post.sum(), pre)
    assert layer.name == "1" and layer.width == 8 and layer.inputs == 200
    assert layer.activation.mean == pytest.approx(post.mean().item(), abs=1e-5)
    assert layer.pre_activation.spread == pytest.approx(pre.std(correction=0).item(), rel=1e-5)
    blocked = (slope.abs() < BLOCKED_BELOW).float().mean(0).numpy()
    np.testing.assert_allclose(layer.neurons.blocked, blocked, atol=1e-6)
    weight, bias = network[0].weight.detach().numpy(), network[0].bias.detach().numpy()
    threshold = -bias / np.linalg.norm(weight, axis=1)
    np.testing.assert_allclose(layer.neurons.threshold, threshold, rtol=1e-5)


class Calling(nn.Module):
    """A network that calls functions."""

    def __init__(self, *functions: Callable[[Any], Any]) -> None:
        super().__init__()
        self.linear, self.functions = nn.Linear(6, 6), functions

    def forward(self, x: Any) -> Any:
        for function in self.functions:
            x = function(self.linear(x))
        return x


CALLS = [
    (functional.relu, "relu"), (torch.relu, "relu"), (torch.relu_, "relu"),
    (lambda x: x.relu_(), "relu"), (torch.tanh, "tanh"), (lambda x: x.sigmoid(), "logistic"),
    (lambda x: functional.gelu(x, approximate="tanh"), "gelu_tanh"),
    (lambda x: functional.leaky_relu(x, 0.3), "leaky_relu"),
    (lambda x: functional.hardtanh(x, -2.0, 2.0), "hardtanh"),
    (lambda x: functional.threshold(x, 0.1, 0.0), "threshold"),
    (lambda x: functional.prelu(x, torch.full((6,), 0.1)), "prelu"),
    (lambda x: functional.silu(x), "silu"), (lambda x: lt.evaluate("x * x", x), "x*x"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "name"), CALLS)
def test_a_call_is_known_too(function: Callable[[Any], Any], name: str) -> None:
    torch.manual_seed(0)
    network = Calling(function)
    (layer,) = watched(network)
    pre = network.linear(X).detach()
    assert layer.function.replace(" ", "") == name
    assert layer.pre_activation.mean == pytest.approx(pre.mean().item(), abs=1e-6)
    assert layer.activation.mean == pytest.approx(function(pre.clone()).mean().item(), abs=1e-6)


def test_a_module_used_twice_is_two_layers() -> None:
    act = nn.ReLU()
    network = nn.Sequential(nn.Linear(6, 4), act, nn.Linear(4, 5), act)
    assert [(s.name, s.width) for s in watched(network)] == [("1", 4), ("1 #2", 5)]


class Foreign(nn.Module):
    """An activation that nobody has named."""

    def forward(self, x: Any) -> Any:
        return x * torch.exp(-x * x)


class Scaled(nn.Module):
    """Bends nothing: no activation."""

    def forward(self, x: Any) -> Any:
        return 2.0 * x + 1.0


class Mixing(nn.Module):
    """Bends, but not each number by itself."""

    def forward(self, x: Any) -> Any:
        return x * x.square().mean(-1, keepdim=True)


class MyRelu(nn.Module):
    """A shell around a function that limen knows."""

    def forward(self, x: Any) -> Any:
        return functional.relu(x)


def test_foreign_activations_are_found_by_what_they_are() -> None:
    network = nn.Sequential(nn.Linear(6, 6), Foreign(), Scaled(), Mixing(), nn.Dropout(), MyRelu())
    layers = watched(network)
    assert [(s.name, s.function) for s in layers] == [("1", "Foreign"), ("5", "MyRelu")]
    pre = network[0](X).detach().requires_grad_()
    (slope,) = torch.autograd.grad(network[1](pre).sum(), pre)
    shut = (slope.abs() < BLOCKED_BELOW).float().mean().item()
    assert layers[0].blocked == pytest.approx(shut)
    assert layers[0].formula is None


@pytest.mark.parametrize("activation", [nn.Tanh(), Foreign(), nn.ReLU(inplace=True)], ids=repr)
def test_the_flow_is_that_of_autograd(activation: nn.Module) -> None:
    network = perceptron(activation)
    with limen.observe(network, every=1, rows=10_000) as seen:
        functional.cross_entropy(network(X), Y).backward()
    pre = network[0](X)
    post = activation(pre.clone())
    loss = functional.cross_entropy(network[2](post), Y)
    went, came = torch.autograd.grad(loss, (pre, post))
    (layer,) = seen.layers
    assert layer.flow_in == pytest.approx(came.square().mean().sqrt().item(), rel=1e-5)
    assert layer.flow_out == pytest.approx(went.square().mean().sqrt().item(), rel=1e-5)
    cosine = functional.cosine_similarity(came.flatten(), went.flatten(), dim=0).item()
    assert layer.angle == pytest.approx(np.degrees(np.arccos(cosine)), abs=1e-2)


def test_channels_are_the_neurons_of_images() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 4, 3), nn.Tanh(),
        nn.Flatten(), nn.Linear(64, 7), nn.ReLU(),
    )  # fmt: skip
    x = torch.randn(2, 3, 8, 8)
    layers = watched(network.eval(), x)
    assert [s.width for s in layers] == [5, 4, 7]
    pre = network[:2](x).detach()
    np.testing.assert_allclose(layers[0].neurons.mean, pre.mean((0, 2, 3)), atol=1e-5)
    assert layers[0].looked == 2 * 6 * 6 and layers[0].inputs == 2
    one = nn.Sequential(nn.Conv1d(3, 5, 3), nn.ReLU())
    assert watched(one, torch.randn(2, 3, 9))[0].width == 5


@pytest.mark.parametrize("training", [True, False])
def test_the_last_axis_has_the_neurons_of_a_transformer(training: bool) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, activation="gelu")
    network = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).train(training)
    with torch.no_grad():  # where PyTorch takes one fused kernel, if it can
        layers = watched(network, torch.randn(4, 5, 8))
    assert [(s.function, s.width, s.looked) for s in layers] == [("gelu", 16, 20)] * 2
    assert layers[0].name == "layers.0.gelu"
    assert np.isfinite(layers[0].neurons.threshold).all()


@pytest.mark.parametrize("activation", [nn.GLU(), lt.Activation("swiglu")], ids=repr)
def test_a_gated_module_has_the_gates_neurons(activation: nn.Module) -> None:
    network = nn.Sequential(nn.Linear(6, 8), activation)
    (layer,) = watched(network)
    gate = network[0](X).detach()[:, 4:]
    np.testing.assert_allclose(layer.neurons.mean, gate.mean(0), atol=1e-6)
    assert layer.width == 4


def test_a_lean_block_shows_its_activation() -> None:
    block = nn.Sequential(lt.MLP(6, 8, 6), lt.lean(perceptron(lt.Activation("relu"))))
    with limen.observe(block, every=1) as seen:
        block(X).sum().backward()
    assert [(s.name, s.width) for s in seen.layers] == [("0.activation", 8), ("1.1", 8)]
    assert all(s.flow_in for s in seen.layers)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_precision_is_read(dtype: Any) -> None:
    network = perceptron(nn.GELU()).to(dtype)
    (layer,) = watched(network, X.to(dtype))
    pre = network[0](X.to(dtype)).detach().double()
    assert layer.pre_activation.mean == pytest.approx(pre.mean().item(), abs=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_counted(value: float) -> None:
    x = X.clone()
    x[0, 0] = value
    (layer,) = watched(perceptron(nn.Tanh()), x)
    assert layer.pre_activation.not_finite == 8
    assert np.isfinite(layer.pre_activation.mean)


def test_an_empty_batch_is_a_step() -> None:
    network = perceptron(nn.ReLU())
    with limen.observe(network, every=1) as seen:
        network(X[:0])
        network(X)
    assert (seen.steps, seen.inputs, seen.layers[0].looked) == (2, 200, 200)


def test_watching_changes_nothing() -> None:
    def made() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2)
        )

    plain, seen_one = made(), made()
    torch.manual_seed(1)
    train(plain)
    torch.manual_seed(1)
    with limen.observe(seen_one, probe=(X, Y), every=1):
        train(seen_one)
    for (name, mine), theirs in zip(
        seen_one.state_dict().items(), plain.state_dict().values(), strict=True
    ):
        assert torch.equal(mine, theirs), name
    assert seen_one.training


def fails_inside(network: nn.Module, error: type[BaseException]) -> Any:
    class Failing(nn.Module):
        def forward(self, x: Any) -> Any:
            raise error

    network.append(Failing())
    with limen.observe(network, every=1) as seen:
        network(X)
    return seen


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_stays_after_an_exception(error: type[BaseException]) -> None:
    network = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
    with pytest.raises(error):
        fails_inside(network, error)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_pass_after_a_failed_one_is_seen() -> None:
    network = perceptron(nn.ReLU())
    with limen.observe(network, every=1) as seen:
        with pytest.raises(RuntimeError):
            network(X[:, :3])
        network(X)
    assert seen.steps == 2 and seen.layers[0].looked == 200


def test_two_observers_see_the_same() -> None:
    network = perceptron(nn.PReLU(8))
    with limen.observe(network, every=1, probe=(X, Y)) as one:
        train(network, 1)
        with limen.observe(network, every=1, probe=(X, Y)) as other:
            train(network, 2)
        train(network, 1)
    assert (one.steps, other.steps) == (4, 2)
    assert [len(seen.layers) for seen in (one, other)] == [1, 1]
    assert one.layers[0].looked_steps == 4 and other.layers[0].looked_steps == 2


def test_all_of_the_probe_is_asked_who_is_dead() -> None:
    """At the default sampling, of a pass or two: the probe's 1,000 samples decide."""
    network = perceptron(nn.ReLU())
    linear = next(m for m in network.modules() if isinstance(m, nn.Linear))
    x = torch.randn(1000, linear.in_features)
    with torch.no_grad():
        linear.weight[:3] = torch.eye(linear.in_features)[:3]
        linear.bias[:3] = -100.0
        x[-1, 1] = 200.0  # one sample opens one of the three
    with limen.observe(network, probe=(x, torch.arange(1000) % 2)) as seen:
        network(x[:5])
    neurons = seen.layers[0].neurons
    assert np.flatnonzero(neurons.dead).tolist() == [0, 2]
    assert neurons.dead_rows[[0, 2]].tolist() == [1005, 1005]


def test_an_observer_of_a_part_is_one_too() -> None:
    network = nn.Sequential(perceptron(nn.ReLU()), nn.Tanh())
    with limen.observe(network, every=1) as one, limen.observe(network[0], every=1) as other:
        network(X)
    assert [s.name for s in one.layers] == ["0.1", "1"]
    assert [s.name for s in other.layers] == ["1"]


@pytest.mark.parametrize("way", ["torch.compile", "in place", "a part"])
def test_a_compiled_network_is_seen(way: str) -> None:
    network = perceptron(nn.ReLU())
    run: Any = network
    if way == "torch.compile":
        run = torch.compile(network, backend="aot_eager")
    elif way == "in place":
        network.compile(backend="aot_eager")
    else:
        run = nn.Sequential(torch.compile(network, backend="aot_eager"), nn.Identity())
    run(X)  # compiled before
    with limen.observe(run, every=2, probe=(X, Y)) as seen:
        train(run, 5)
    (layer,) = seen.layers
    assert (layer.steps, layer.looked_steps) == (5, 3)
    assert layer.flow_in and layer.separability
    run(X)
    torch.compiler.reset()


def test_a_distributed_network_is_seen(tmp_path: Path) -> None:
    from torch import distributed

    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1
    )
    try:
        network = nn.parallel.DistributedDataParallel(perceptron(nn.ReLU()))
        with limen.observe(network, every=1, probe=(X, Y)) as seen:
            train(network)
    finally:
        distributed.destroy_process_group()
    (layer,) = seen.layers
    assert (layer.name, layer.steps) == ("1", 3)
    assert layer.flow_in and layer.separability


def test_a_recurrent_network_opens_no_end_of_accounts() -> None:
    class Unrolled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.Linear(6, 6)

        def forward(self, x: Any) -> Any:
            for _ in range(50):
                x = torch.tanh(self.cell(x))
            return x

    network = Unrolled()
    with limen.observe(network, every=1) as seen:
        network(X)
        network(X)
    assert len(seen.layers) == 8


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_transforms_and_exports_pass_unseen() -> None:
    network = perceptron(nn.ReLU())
    with limen.observe(network, every=1) as seen:
        torch.func.vmap(network)(X)
        torch.func.grad(lambda x: network(x).sum())(X)
        torch.jit.trace(network, X, check_trace=False)  # which runs it
        torch.export.export(network, (X,))
    assert all(s.looked == 0 for s in seen.layers)


def test_one_mathematics_for_both_kinds_of_model() -> None:
    model = limen.Model([limen.Linear(6, 8), limen.Activation("gelu"), limen.Linear(8, 2)])
    with limen.observe(model, every=1) as one:
        model.predict(X.numpy())
    (ours,), (theirs,) = one.layers, watched(model.to_torch())
    assert ours.pre_activation.mean == pytest.approx(theirs.pre_activation.mean, abs=1e-6)
    assert ours.blocked == theirs.blocked
    np.testing.assert_allclose(ours.neurons.threshold, theirs.neurons.threshold, rtol=1e-5)


def test_what_was_seen_can_be_kept_without_the_network() -> None:
    net = nn.Sequential(nn.Linear(3, 100), nn.ReLU(), nn.Linear(100, 1))
    x = torch.linspace(-1.0, 1.0, 30).reshape(10, 3)
    with limen.observe(net) as seen:
        net(x).sum().backward()
        bytes_while = len(pickle.dumps(net))
    kept = pickle.loads(pickle.dumps(seen))
    assert (repr(kept), repr(kept.diagnosis())) == (repr(seen), repr(seen.diagnosis()))
    assert b"Sequential" not in pickle.dumps(seen)
    assert abs(bytes_while - len(pickle.dumps(net))) < 1000  # nor has the model what was seen


def test_several_threads_may_call_a_network_that_is_watched() -> None:
    network = perceptron(nn.ReLU())
    errors: list[BaseException] = []
    start = threading.Barrier(4)

    def call() -> None:
        try:
            start.wait()
            for _ in range(50):
                network(X).sum().backward()
        except BaseException as error:
            errors.append(error)

    with limen.observe(network, every=1) as seen:
        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    (layer,) = seen.layers
    assert 1 <= layer.looked_steps <= seen.steps


def test_a_look_of_another_thread_may_outlast_the_observation() -> None:
    inside, ended = threading.Event(), threading.Event()

    class Waiting(nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            inside.set()
            assert ended.wait(60)
            return torch.relu(x)

    network = nn.Sequential(Waiting(), nn.Linear(6, 2))
    with limen.observe(network, every=1) as seen:
        thread = threading.Thread(target=network, args=(X,))
        thread.start()
        assert inside.wait(60)
    ended.set()
    thread.join()
    assert [layer.looked for layer in seen.layers] == [len(X)]
