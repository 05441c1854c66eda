"""limen.torch on a GPU: the numbers, eager and compiled, of every function of the catalogue.

Skipped where PyTorch sees no GPU. With LIMEN_TEST_DEVICE=cpu the same runs on a CPU whose kernels
are switched off, in PyTorch's own operations, as on any device that limen knows nothing of.

Values are computed in float32 (float64 for float64), step by step, where limen's kernels compute in
twice the digits. What is allowed for that, beside a kernel's value:

- 2e-6 of the value (2e-14 in float64), and 3e-7 (1e-15) more for each unit of the logarithm of a
  value below 1: a small value is the exponential of a large number, and has its rounding error;
- between -10 and 10, where the roots of derivatives are, 2e-7 (1e-15) besides;
- half a unit in the last place of the two formats of 16 bits, which are rounded to at the end.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import limen

torch = pytest.importorskip("torch")
lt = pytest.importorskip("limen.torch")
from torch.func import grad, hessian, jvp, vmap  # noqa: E402 - with PyTorch

DEVICE = os.environ.get("LIMEN_TEST_DEVICE", "cuda")
pytestmark = [
    pytest.mark.skipif(DEVICE == "cuda" and not torch.cuda.is_available(), reason="needs a GPU"),
    # PyTorch's own forward-mode derivatives of products use it.
    pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.torch._prims_common.check. is deprecated:FutureWarning"),
]

NAMES = limen.names()
DTYPES = ("float32", "float64", "float16", "bfloat16")
GROUP = 8  # functions that one graph holds
GROUPS = [NAMES[k : k + GROUP] for k in range(0, len(NAMES), GROUP)]
SPECIAL = [0.0, -0.0, float("inf"), float("-inf"), float("nan")]


random = np.random.default_rng(0)
ORDINARY = random.normal(0, 3, 4000).clip(-10, 10)
SIGNS = random.choice([-1.0, 1.0], 1500)
FAR = SIGNS * 10 ** random.uniform(1, 4.5, 1500)
TINY = SIGNS * 10 ** random.uniform(-4, -2, 1500)


@pytest.fixture(autouse=True)
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    if DEVICE == "cpu":
        for module in ("native", "autograd"):
            monkeypatch.setattr(f"limen.torch.{module}.have_kernels", lambda inputs: False)
    torch.compiler.reset()


def tensors(f: limen.ActivationFunction, numbers: Any, dtype: str) -> list[Any]:
    """For each input the numbers, in another order."""
    given = torch.as_tensor(numbers).to(getattr(torch, dtype))
    return [given.roll(5 * k).to(DEVICE) for k in range(len(f.inputs))]


def exact(f: limen.ActivationFunction, inputs: list[Any]) -> list[Any]:
    """Value and slopes by limen's kernels for float64."""
    arrays = [x.detach().double().cpu().numpy() for x in inputs]
    return [f(*arrays), *(f.derivative(name)(*arrays) for name in f.inputs)]


def computed(function: Any, inputs: list[Any]) -> list[Any]:
    leaves = [x.detach().requires_grad_() for x in inputs]
    y = function(*leaves)
    return [t.detach() for t in (y, *torch.autograd.grad(y, leaves, torch.ones_like(y)))]


def allowed(exact: Any, dtype: str, besides: float) -> Any:
    with np.errstate(divide="ignore"):
        smallness = np.maximum(0, -np.log(np.maximum(np.abs(exact), 1e-300)))
    if dtype == "float64":
        return np.abs(exact) * (2e-14 + 1e-15 * smallness) + besides * 1e-8
    steps = np.abs(exact) * (2e-6 + 3e-7 * smallness) + besides
    if dtype == "float32":
        return steps + 2.0**-149
    limits = torch.finfo(getattr(torch, dtype))
    return steps + limits.eps / 2 * np.maximum(np.abs(exact) + steps, limits.tiny)


def check(found: Any, wanted: Any, dtype: str, what: str, besides: float = 2e-7) -> None:
    largest = torch.finfo(getattr(torch, dtype)).max
    values = found.double().cpu().numpy()
    with np.errstate(invalid="ignore"):
        is_close = np.abs(values - wanted) <= allowed(wanted, dtype, besides)
        is_close |= (values == wanted) | (np.isnan(values) & np.isnan(wanted))
        is_close |= np.isinf(values) & (np.abs(wanted) > 0.99 * largest)
    wrong = np.flatnonzero(~is_close)
    assert not wrong.size, f"{what}, {dtype}: {values[wrong[:4]]} for {wanted[wrong[:4]]}"


# --- Every function ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", DTYPES)  # of one function in a row: they share the reference
def test_values_and_gradients(name: str, dtype: str) -> None:
    f = limen.get(name)
    for numbers, besides in ((ORDINARY, 2e-7), (FAR, 1e-6), (TINY, 1e-30), (SPECIAL, 0.0)):
        inputs = tensors(f, numbers, dtype)
        found = computed(lambda *inputs: lt.evaluate(f, *inputs), inputs)
        for what, got, wanted in zip(("value", *f.inputs), found, exact(f, inputs), strict=True):
            assert got.dtype == inputs[0].dtype and got.device.type == DEVICE
            check(got, wanted, dtype, f"{name} {what}", besides)


@pytest.mark.parametrize("name", NAMES)
def test_zeros_keep_their_signs(name: str) -> None:
    f = limen.get(name)
    x = np.array([0.0, -0.0])
    if not np.array_equal(f(*[-ORDINARY] * len(f.inputs)), -f(*[ORDINARY] * len(f.inputs))):
        pytest.skip("an odd function's matter")
    found = lt.evaluate(f, *tensors(f, x, "float32")).cpu()
    assert torch.signbit(found).tolist() == np.signbit(f(*[x] * len(f.inputs))).tolist()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
def test_compiled(names: list[str], dtype: str) -> None:
    """One graph for a group, so that all of the catalogue is compiled in good time."""
    acts = [lt.Activation(name) for name in names]
    x = torch.as_tensor(np.concatenate([ORDINARY, SPECIAL])).to(DEVICE, getattr(torch, dtype))
    others = [x, x.roll(5)]
    inputs = [torch.cat(others[: len(act.function.inputs)][::-1], -1) for act in acts]
    leaves = [x.clone().requires_grad_() for x in inputs]
    together = torch.compile(lambda *xs: [act(x) for act, x in zip(acts, xs, strict=True)],
                             fullgraph=True, dynamic=False)  # fmt: skip
    values = together(*leaves)
    slopes = torch.autograd.grad(values, leaves, [torch.ones_like(y) for y in values])
    for name, value, slope in zip(names, values, slopes, strict=True):
        if DEVICE == "cpu" and name == "serf":  # Inductor's erf there is right to 1e-7, not more
            continue
        f = limen.get(name)
        wanted, *by = exact(f, others[: len(f.inputs)])
        check(value.detach(), wanted, dtype, f"{name} compiled")
        check(slope, np.concatenate(by[::-1]), dtype, f"{name} compiled, slope")


# --- Numbers that others lose --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "order", "places"),
    [
        ("logistic", 1, [-88.0, -17.0, 17.0, 88.0]),
        ("tanh", 1, [-40.0, -9.5, 9.5, 40.0]),
        ("gelu", 0, [-13.0, -6.0, -5.0]),
        ("gelu", 1, [-6.0, 13.0]),
        ("mish", 0, [-80.0, -20.0]),
        ("softplus", 0, [-80.0, -17.0]),
    ],
)
@pytest.mark.parametrize("is_compiled", [False, True])
def test_tails_keep_their_digits(
    name: str, order: int, places: list[float], is_compiled: bool
) -> None:
    act = lt.Activation(name)
    function = torch.compile(act, fullgraph=True) if is_compiled else act
    x = torch.tensor(places, device=DEVICE)
    wanted = limen.get(name).derivative(order)(np.array(places))
    check(computed(function, [x])[order], wanted, "float32", name, besides=0.0)
    assert (computed(function, [x])[order] != 0).all()


def test_subnormal_numbers_are_not_flushed() -> None:
    x = torch.tensor([1e-40, -1e-40, 1e-45, 0.0], device=DEVICE)
    for name in ("relu", "tanh", "identity", "softsign", "leaky_relu"):
        expected = torch.from_numpy(limen.get(name)(x.cpu().numpy()))
        found, _ = computed(lt.Activation(name), [x])
        torch.testing.assert_close(found.cpu(), expected, rtol=0, atol=2.0**-149)
    if DEVICE == "cuda":  # on the CPU, PyTorch's own sigmoid is 0 there
        y = lt.evaluate("logistic", torch.tensor([-100.0, -103.0], device=DEVICE))
        assert (y > 0).all()


def test_a_blocked_neuron_hands_nothing_on() -> None:
    x = torch.tensor([-1.0, 1.0], device=DEVICE, requires_grad=True)
    flow = torch.tensor([torch.inf, 2.0], device=DEVICE)
    for act in (lt.Activation("relu"), lt.Activation("relu6")):
        assert torch.autograd.grad(act(x), x, flow)[0].tolist() == [0.0, 2.0]


# --- Shapes and layouts --------------------------------------------------------------------------


def layouts() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, 6, 5, 8, generator=generator).to(DEVICE)
    return {
        "contiguous": x, "empty": x[:0], "zero-dim": x[0, 0, 0, 0], "strided": x[:, ::2, 1:, ::3],
        "transposed": x.transpose(0, 3), "expanded": x[:1].expand(3, 6, 5, 8),
        "channels_last": x.contiguous(memory_format=torch.channels_last),
        "turned": torch.complex(x, x).conj().imag, "odd address": x.reshape(-1)[1:],
    }  # fmt: skip


LAYOUTS = [
    "contiguous", "empty", "zero-dim", "strided", "transposed", "expanded", "channels_last",
    "turned", "odd address",
]  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["mish", "relu", "swiglu"])
def test_layouts(layout: str, name: str) -> None:
    f, x = limen.get(name), layouts()[layout]
    inputs = [x, x * 0.5][: len(f.inputs)]
    found = computed(lambda *inputs: lt.evaluate(f, *inputs), inputs)
    for got, wanted in zip(found, exact(f, inputs), strict=True):
        assert got.shape == x.shape
        assert got.stride() == torch.empty_like(inputs[0]).stride()
        check(got.reshape(-1), np.reshape(wanted, -1), "float32", layout)


# --- Derivatives ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mish", "gelu", "swiglu"])
def test_second_derivatives(name: str) -> None:
    f = limen.get(name)
    inputs = [x.requires_grad_() for x in tensors(f, ORDINARY[:5], "float64")]
    assert torch.autograd.gradcheck(lambda *xs: lt.evaluate(f, *xs), inputs)
    assert torch.autograd.gradgradcheck(lambda *xs: lt.evaluate(f, *xs), inputs)


# `opcheck` asks for the gradient of its own copies in a list.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.parametrize("name", ["mish", "swiglu"])
def test_opcheck(name: str) -> None:
    from limen.torch.key import key_of

    f = limen.get(name)
    orders = [0] * len(f.inputs)
    inputs = [x.requires_grad_() for x in tensors(f, ORDINARY[:6], "float64")]
    torch.library.opcheck(torch.ops.limen.value.default, (inputs, key_of(f), orders))
    flow = torch.ones_like(inputs[0])
    torch.library.opcheck(torch.ops.limen.flows.default, (flow, inputs, key_of(f), orders))


@pytest.mark.parametrize("is_compiled", [False, True])
def test_transforms(is_compiled: bool) -> None:
    f = limen.get("mish")
    act = lt.Activation("mish")
    x = torch.linspace(-3, 3, 7, dtype=torch.float64, device=DEVICE)
    ways = {
        "vmap": (0, vmap(act)),
        "grad": (1, vmap(grad(act))),
        "jvp": (1, lambda x: jvp(act, (x,), (torch.ones_like(x),))[1]),
        "hessian": (2, lambda x: hessian(lambda x: act(x).sum())(x).diagonal()),
        "third": (3, vmap(grad(grad(grad(act))))),
    }
    for way, (order, function) in ways.items():
        made = torch.compile(function, fullgraph=True) if is_compiled else function
        wanted = f.derivative(order)(x.cpu().numpy())
        np.testing.assert_allclose(made(x).cpu(), wanted, rtol=1e-11, atol=1e-13, err_msg=way)
