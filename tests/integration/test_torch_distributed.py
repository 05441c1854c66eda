"""Several processes, several threads: torchrun, loaders with workers, backward passes at once."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
lt = pytest.importorskip("limen.torch")
if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
    pytest.skip("PyTorch without gloo", allow_module_level=True)

HERE = Path(__file__).parent
LARGE = 1 << 20  # for several threads of limen's

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning:torch.*"),
    # PyTorch says so even where `no_dist` asks for it.
    pytest.mark.filterwarnings("ignore:.*assuming the intent is to load in a single process"),
]


def start(*command: str, **environment: str) -> str:
    """What a Python process prints that ends well."""
    run = subprocess.run(
        [sys.executable, *command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


@pytest.fixture(scope="module")
def training() -> dict[str, Any]:
    """The script that torchrun starts."""
    return runpy.run_path(str(HERE / "distributed_training.py"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two processes left what they found."""
    folder = tmp_path_factory.mktemp("distributed")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = str(HERE / "distributed_training.py")
    start(*launch, script, str(folder), OMP_NUM_THREADS="1", LIMEN_NUM_THREADS="1")
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(folder / "found.pt")
    return loaded


@pytest.fixture(scope="module")
def alone(training: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Gradients and parameters of one process that has the whole batch."""
    model = training["model"]()
    return training["train"](model, *training["batch"]()), model.state_dict()


# The mean of two means, where one process has one mean: float32 sums in another order, which
# differ by some 1e-7 of the largest number beside them.
@pytest.mark.parametrize("how", ["copies", "parts"])
def test_training_is_that_of_one_process(
    how: str, found: dict[str, Any], alone: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    for theirs, ours in zip(found[how], alone, strict=True):
        assert list(theirs) == list(ours)
        for name in ours:
            size = ours[name].abs().max().item()
            torch.testing.assert_close(theirs[name], ours[name], rtol=0, atol=2e-6 * size)
    assert {"1.beta", "3.a"} <= found[how][0].keys(), "parameters of functions learn"
    assert all(gradient.abs().max() > 0 for gradient in found[how][0].values())


def test_mixed_precision(
    found: dict[str, Any], alone: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """Everything in bfloat16, of 8 bits: parameters after three steps within a few hundredths."""
    for name, parameter in alone[1].items():
        torch.testing.assert_close(found["half"][1][name], parameter, rtol=0.05, atol=0.02)


def test_a_checkpoint_of_parts_comes_back_in_one_process(
    training: dict[str, Any], found: dict[str, Any], folder: Path
) -> None:
    from torch.distributed import checkpoint

    model = training["model"]()
    state = model.state_dict()
    checkpoint.load(state, checkpoint_id=folder / "checkpoint", no_dist=True)
    model.load_state_dict(state)
    for name, parameter in model.state_dict().items():
        assert torch.equal(parameter, found["parts"][1][name])
    x, _ = training["batch"]()
    twin = training["model"]()
    twin.load_state_dict(found["parts"][1])
    assert torch.equal(model(x), twin(x))


def test_parameters_of_no_dimension_are_refused_by_fsdp(found: dict[str, Any]) -> None:
    """Its own words, which are also what the docs advise: learnable={"beta": 1}."""
    assert "beta to a 1D tensor" in found["refusal"]


def test_storages_stay_resizable() -> None:
    """As FSDP needs them, and `Tensor.numpy` would not leave them."""
    beta = torch.ones(3, requires_grad=True)
    x = torch.randn(4, 3)
    for tensor in (x, x.t()):
        lt.evaluate("mish", tensor)
    layer = lt.Activation("swish", learnable={"beta": 3})
    layer.beta = torch.nn.Parameter(beta.detach())
    layer(x).sum().backward()
    assert x.untyped_storage().resizable() and layer.beta.untyped_storage().resizable()


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_of_a_loader(context: str) -> None:
    if context not in torch.multiprocessing.get_all_start_methods():
        pytest.skip(f"no {context} here")
    script = str(HERE / "loading.py")
    assert start(script, context, LIMEN_NUM_THREADS="2") == "the same\n"


# --- Threads -------------------------------------------------------------------------------------


def side_by_side(work: Callable[[int], Any], count: int = 8) -> list[Any]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(work, range(count)))


@pytest.mark.parametrize("size", [64, LARGE])
def test_backward_passes_on_several_threads(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMEN_NUM_THREADS", "2")
    layer = lt.Activation("x * tanh(softplus(b * x))", b=1.0, learnable="b")

    def gradients(seed: int) -> tuple[Any, Any]:
        x = torch.randn(size, generator=torch.Generator().manual_seed(seed), requires_grad=True)
        found: tuple[Any, Any] = torch.autograd.grad(layer(x).pow(2).sum(), (x, layer.b))
        return found

    alone = [gradients(seed) for seed in range(8)]
    for together, expected in zip(side_by_side(gradients), alone, strict=True):
        assert torch.equal(together[0], expected[0])
        torch.testing.assert_close(together[1], expected[1])  # PyTorch's own sum, in any order


def test_one_graph_on_several_threads() -> None:
    """Two threads go back through the same nodes, and add up to the same leaves."""
    x = torch.linspace(-3, 3, 999, dtype=torch.float64, requires_grad=True)
    hidden = lt.evaluate("gelu", x)
    ends = [lt.evaluate("mish", hidden * k) for k in range(1, 9)]
    expected = sum(torch.autograd.grad(end.sum(), x, retain_graph=True)[0] for end in ends)
    side_by_side(lambda k: ends[k].sum().backward(retain_graph=True))
    torch.testing.assert_close(x.grad, expected)


def test_second_derivatives_on_several_threads() -> None:
    def curvature(seed: int) -> Any:
        x = torch.full((1000,), float(seed) / 4, requires_grad=True)
        (slope,) = torch.autograd.grad(lt.evaluate("tanh", x).sum(), x, create_graph=True)
        return torch.autograd.grad(slope.sum(), x)[0]

    for seed, found in enumerate(side_by_side(curvature)):
        t = torch.tanh(torch.tensor(seed / 4, dtype=torch.float64))
        torch.testing.assert_close(found.double(), (-2 * t * (1 - t**2)).expand(1000))


def test_a_backward_pass_within_another() -> None:
    from torch.utils.checkpoint import checkpoint

    x = torch.randn(1000, requires_grad=True)
    block = torch.nn.Sequential(lt.Activation("mish"), lt.Activation("gelu"))
    (expected,) = torch.autograd.grad(block(x).sum(), x)
    assert torch.equal(
        torch.autograd.grad(checkpoint(block, x, use_reentrant=False).sum(), x)[0], expected
    )
    checkpoint(block, x, use_reentrant=True).sum().backward()
    assert torch.equal(x.grad, expected)
