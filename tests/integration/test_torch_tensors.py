"""The tensors that limen takes in PyTorch: dtypes, layouts, halves; memory, threads, processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import limen
from limen.errors import DtypeError, ShapeError

torch = pytest.importorskip("torch")
lt = pytest.importorskip("limen.torch")
nn = torch.nn

POOLED = 1 << 23  # elements of float32 that come from the pool


# --- Dtypes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_to_another_dtype(dtype: Any) -> None:
    model = nn.Sequential(nn.Linear(4, 4), lt.Activation("swish", learnable={"beta": 4})).to(dtype)
    y = model(torch.randn(2, 4, dtype=dtype))
    y.sum().backward()
    assert y.dtype == model[1].beta.dtype == model[1].beta.grad.dtype == dtype


@pytest.mark.parametrize("channels", [None, 4])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_a_parameter_of_another_dtype_changes_no_output(dtype: Any, channels: int | None) -> None:
    learnable = ["beta"] if channels is None else {"beta": channels}
    act = lt.Activation("swish", learnable=learnable)
    y = act(torch.randn(3, 4, dtype=dtype))
    y.sum().backward()
    assert y.dtype == dtype
    assert act.beta.grad.dtype == torch.float32


def test_autocast() -> None:
    model = nn.Sequential(nn.Linear(4, 8), lt.Activation("gelu"), nn.Linear(8, 1))
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model[1](model[0](torch.randn(2, 4)))
        assert hidden.dtype == torch.bfloat16
        assert model[1](torch.randn(2, 4)).dtype == torch.float32  # as PyTorch's own
        loss = model(torch.randn(2, 4)).float().sum()
    loss.backward()
    assert model[0].weight.grad.dtype == torch.float32


def test_integers_become_the_default_dtype() -> None:
    act = lt.Activation("gelu")
    found, expected = act(torch.arange(-2, 3)), act(torch.arange(-2.0, 3.0))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert act(torch.tensor([True, False])).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.complex64, torch.float8_e4m3fn])
def test_other_dtypes_are_refused(dtype: Any) -> None:
    with pytest.raises(DtypeError, match=f"has dtype {dtype}; limen computes with"):
        lt.Activation("gelu")(torch.zeros(3).to(dtype))


# --- Layouts and shapes --------------------------------------------------------------------------


def layouts() -> dict[str, Any]:
    x = torch.randn(2, 6, 4, 5)
    return {
        "channels_last": x.to(memory_format=torch.channels_last),
        "transposed": x.transpose(1, 3),
        "sliced": x[:, ::2],
        "expanded": x[:, :1].expand(2, 6, 4, 5),
        "empty": x[:0],
        "0-d": x[0, 0, 0, 0],
        "flipped": x.flip(0),
        "unaligned": torch.randn(9)[1:],
        "negative view": torch.randn(7, dtype=torch.complex64).conj().imag,
    }


@pytest.mark.parametrize("name", layouts())
def test_layouts(name: str) -> None:
    x = layouts()[name]
    assert x.is_neg() == (name == "negative view")
    act = lt.Activation("mish")
    plain = x.clone(memory_format=torch.contiguous_format).resolve_neg().requires_grad_()
    flow = torch.randn(x.shape)
    leaf = x.detach().requires_grad_()
    y = act(leaf)
    assert torch.equal(y, act(plain))
    assert y.stride() == torch.empty_like(x).stride()  # PyTorch's own functions give this order
    (found,) = torch.autograd.grad(y, leaf, flow)
    (expected,) = torch.autograd.grad(act(plain), plain, flow)
    assert torch.equal(found, expected)
    flows = torch.randn(()).expand(x.shape)  # what the backward pass of a sum hands on
    (found,) = torch.autograd.grad(act(leaf), leaf, flows)
    (expected,) = torch.autograd.grad(act(plain), plain, flows.contiguous())
    assert torch.equal(found, expected)


def test_large_layouts_keep_their_order() -> None:
    x = torch.randn(4, 8, 512, 512).to(memory_format=torch.channels_last)
    act = lt.Activation("gelu")
    y = act(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(y, act(x.contiguous()))


def test_tensors_without_numbers() -> None:
    from torch._subclasses import FakeTensorMode

    act = lt.Activation("mish")
    x = torch.empty(3, 4, device="meta", requires_grad=True)
    (grad,) = torch.autograd.grad(act(x).sum(), x)
    assert grad.shape == (3, 4) and grad.is_meta
    with FakeTensorMode():
        x = torch.randn(2, 5, dtype=torch.bfloat16, requires_grad=True)
        y = act(x)
        (grad,) = torch.autograd.grad(y.sum(), x)
    assert y.shape == grad.shape == (2, 5)
    assert y.dtype == grad.dtype == torch.bfloat16


@pytest.mark.parametrize(("shape", "dim"), [((3,), None), ((), None), ((4, 3), 1), ((2, 4), 3)])
def test_halves_that_are_none(shape: tuple[int, ...], dim: int | None) -> None:
    with pytest.raises(ShapeError, match="expected an even number of neurons in dimension"):
        lt.Activation("swiglu", dim=dim)(torch.zeros(shape))


@pytest.mark.parametrize("dim", [None, 0, 1, -2])
def test_halves_as_pytorch_takes_them(dim: int | None) -> None:
    x = torch.randn(4, 6, 2, dtype=torch.float64)
    expected = nn.GLU(-1 if dim is None else dim)(x)
    torch.testing.assert_close(lt.Activation("glu", dim=dim)(x), expected, rtol=1e-14, atol=0)


# --- Memory, threads and processes ---------------------------------------------------------------


def test_large_tensors_come_from_the_pool_and_go_back() -> None:
    act = lt.Activation("mish")
    x = torch.randn(POOLED, requires_grad=True)
    limen.memory.release()
    y = act(x)
    address = y.data_ptr()
    assert limen.memory.held() == 0
    del y
    assert limen.memory.held() >= 4 * POOLED
    y = act(x)
    assert y.data_ptr() == address
    view = y[1:].detach().numpy()
    y.sum().backward()
    del y
    assert limen.memory.held() == 0, "a view still uses it"
    assert np.array_equal(view, act(x)[1:].detach().numpy())
    del view, x
    assert limen.memory.held() >= 8 * POOLED  # the gradient's, too
    assert limen.memory.release() >= 8 * POOLED


def test_several_threads_at_once() -> None:
    act = lt.Activation("x * tanh(softplus(x)) / 3")
    inputs = [torch.randn(200_003 + k) for k in range(4)]
    found: dict[int, list[Any]] = {}

    def work(k: int) -> None:
        results = []
        for _ in range(5):
            leaf = inputs[k].clone().requires_grad_()
            y = act(leaf)
            y.sum().backward()
            results += [y.detach(), leaf.grad]
        found[k] = results

    threads = [threading.Thread(target=work, args=(k,)) for k in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, x in enumerate(inputs):
        leaf = x.clone().requires_grad_()
        y = act(leaf)
        y.sum().backward()
        assert len(found[k]) == 10
        for index, tensor in enumerate(found[k]):
            assert torch.equal(tensor, leaf.grad if index % 2 else y)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """PyTorch is told to use one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("name", ["relu", "mish", "swiglu"])
def test_as_many_threads_as_pytorch(name: str, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    f = limen.get(name)
    generator = torch.Generator().manual_seed(0)
    tensors = [
        torch.randn(1_000_003, generator=generator).to(dtype) for _ in range(len(f.inputs) + 1)
    ]
    flow, *inputs = tensors
    shared: list[int] = []
    monkeypatch.setattr("limen.kernels.threads.run", lambda tasks: shared.append(len(tasks)))
    leaves = [x.clone().requires_grad_() for x in inputs]
    y = lt.evaluate(f, *leaves)
    grads = torch.autograd.grad(y, leaves, flow)
    sliced = lt.evaluate(f, *[x[::3] for x in inputs])
    assert not shared
    monkeypatch.undo()
    torch.set_num_threads(2)
    others = [x.clone().requires_grad_() for x in inputs]
    again = lt.evaluate(f, *others)
    assert torch.equal(y, again)
    assert torch.equal(sliced, again[::3])
    assert all(map(torch.equal, grads, torch.autograd.grad(again, others, flow)))


def test_a_function_is_found_ready_a_second_time() -> None:
    """Before any NumPy array has come: nobody knows the dtype's name then."""
    code = (
        "import torch, limen.torch as lt\n"
        "from limen.torch.key import native_of\n"
        "act, x = lt.Activation('mish'), torch.ones(3)\n"
        "y = act(x); native_of.cache_clear(); print(torch.equal(act(x), y))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.stdout.strip() == "True", run.stderr


INTERRUPTED = """
import os, signal, sys, threading, time
import torch
import limen.torch as lt
torch.set_num_threads(int(sys.argv[1]))
act = lt.Activation("mish")
x = torch.randn(1 << 24, requires_grad=True)
y, few = act(x), torch.linspace(-4, 4, 1001)
expected, flow = act(few), torch.ones_like(x)

def without_end(call):
    def stop():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)
    sent = []
    threading.Timer(0.2, stop).start()
    try:
        while True:
            call()
    except KeyboardInterrupt:
        return time.monotonic() - sent[0]

late = [
    without_end(lambda: act(x.detach())),
    without_end(lambda: torch.autograd.grad(y, x, flow, retain_graph=True)),
]
again = []
other = threading.Thread(target=lambda: again.append(act(few)))
other.start()
other.join(10)
assert not other.is_alive() and torch.equal(again[0], expected) and torch.equal(act(x), y)
assert max(late) < 5, late
print("well")
"""


@pytest.mark.parametrize("threads", ["1", "2"])
def test_ctrl_c_ends_a_long_call_and_leaves_nothing_behind(threads: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED, threads]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.stdout.strip() == "well", run.stderr


FORKED = """
import os, warnings
import torch
import limen.torch as lt
warnings.simplefilter("ignore")  # of newer Pythons: that threads are about
act = lt.Activation("mish")
x = torch.randn(1 << 23)
expected = act(x)
child = os.fork()
if child == 0:
    os._exit(0 if torch.equal(act(x), expected) else 1)
_, status = os.waitpid(child, 0)
assert torch.equal(act(x), expected)
print(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_forked_process_computes_too() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED], capture_output=True, text=True, timeout=60
    )
    assert run.stdout.strip() == "0", run.stderr
