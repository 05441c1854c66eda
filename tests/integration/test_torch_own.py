"""PyTorch's own tests of its activation functions, with limen's in their place.

The samples, error inputs and references come from the databases that PyTorch tests itself with
(`torch.testing._internal`); what is asked of them is what its `test_ops`, `test_ops_gradients`,
`test_modules` and `functorch/test_ops` ask. What does not apply is in `LEFT_OUT`, with the reason.
"""

from __future__ import annotations

import importlib
import pickle
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

from limen.errors import LimenError

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")  # which PyTorch's own testing needs
lt = pytest.importorskip("limen.torch")
nn = torch.nn
NAMES = importlib.import_module("limen.torch.replace").NAMES

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.common_modules import module_db

pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

MODULES = {
    "celu": nn.CELU, "elu": nn.ELU, "gelu": nn.GELU, "glu": nn.GLU, "hardshrink": nn.Hardshrink,
    "hardsigmoid": nn.Hardsigmoid, "hardswish": nn.Hardswish, "hardtanh": nn.Hardtanh,
    "leaky_relu": nn.LeakyReLU, "logsigmoid": nn.LogSigmoid, "mish": nn.Mish, "prelu": nn.PReLU,
    "relu": nn.ReLU, "relu6": nn.ReLU6, "selu": nn.SELU, "silu": nn.SiLU,
    "softplus": nn.Softplus, "softshrink": nn.Softshrink, "softsign": nn.Softsign,
    "tanhshrink": nn.Tanhshrink, "threshold": nn.Threshold,
}  # fmt: skip
"""The functional entries: each is replaced as its module is."""

FORMULAS = {
    name: f"{name}(x)"
    for name in (
        "sigmoid", "tanh", "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "sinh", "cosh",
        "atan", "erf", "erfc",
    )
}  # fmt: skip
FORMULAS |= {"special.erfcx": "erfcx(x)", "square": "x**2"}
FORMULAS |= {"reciprocal": "1 / x", "rsqrt": "1 / sqrt(x)"}
"""The unary entries that are operations of limen's formulas."""

LEFT_OUT = {
    "nn.functional.rrelu": "draws its slope at random: no function of its input",
    "nn.functional.softmin": "of a whole axis: limen's is for NumPy arrays",
    "complex": "limen computes with real numbers",
    "inplace": "a limen function never changes its input",
    "threshold of softplus": "PyTorch switches to x there, 1.25e-9 apart at 20.5; limen is exact",
    "NaN at infinity": "silu, mish and softsign of PyTorch: limen gives the limit",
    "bounds in the wrong order": "torch.nn.Hardtanh itself refuses them",
    "negative lambd": "refused by softshrink of PyTorch; the formula holds for any",
    "bounds of whole numbers": "hardtanh of PyTorch cuts -0.5 off to 0; limen takes real numbers",
    "one channel too many": "of prelu with a number for its input: limen's takes each as a batch",
    "out=": "as for PyTorch's own modules: a module has none",
}
"""What is not asked, and why."""

ENTRIES = [
    op
    for op in op_db
    if (op.name in FORMULAS or op.name.removeprefix("nn.functional.") in MODULES)
    and op.variant_test_name != "complex"
]
ACTIVATIONS = ("relu", "elu", "sigmoid", "tanh", "shrink", "soft", "hard", "mish", "silu", "glu")
DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


@cache
def replaced(kind: Any, arguments: tuple[Any, ...], keywords: tuple[tuple[str, Any], ...]) -> Any:
    """limen's module in the place of PyTorch's."""
    return lt.replace(kind(*arguments, **dict(keywords)))


def ours(op: Any, x: Any, *arguments: Any, **keywords: Any) -> Any:
    """limen's function with the arguments of PyTorch's."""
    if op.name in FORMULAS:
        return lt.evaluate(FORMULAS[op.name], x)
    kind = MODULES[op.name.removeprefix("nn.functional.")]
    if kind is nn.PReLU:
        weight = keywords.get("weight", *arguments)
        act = replaced(nn.PReLU, (), (("num_parameters", max(weight.numel(), 1)),))
        weight = weight.reshape(-1) if weight.ndim else weight[None]
        return torch.func.functional_call(act, {"weight": weight}, (x,))
    return replaced(kind, arguments, tuple(keywords.items()))(x)


def samples(
    op: Any, dtype: Any, requires_grad: bool = False, reference: bool = False
) -> Iterator[Any]:
    """The samples of an entry that apply."""
    make = op.reference_inputs if reference else op.sample_inputs
    for sample in make("cpu", dtype, requires_grad=requires_grad):
        if sample.kwargs.get("inplace") or "out" in sample.kwargs:
            continue  # LEFT_OUT
        if sample.kwargs.get("min_val", -1) >= sample.kwargs.get("max_val", 1):
            continue  # LEFT_OUT
        if op.name == "nn.functional.softplus":
            sample.kwargs.pop("threshold", None)  # LEFT_OUT
            if len(sample.args) > 1:
                sample.args = sample.args[:1]
        yield sample


def called(op: Any, sample: Any) -> Any:
    return ours(op, sample.input, *sample.args, **sample.kwargs)


def name_of(op: Any) -> str:
    return f"{op.name}{'-' if op.variant_test_name else ''}{op.variant_test_name}"


def test_nothing_is_missing() -> None:
    known = {op.name for op in ENTRIES} | LEFT_OUT.keys()
    functional = {
        op.name
        for op in op_db
        if op.name.startswith("nn.functional.") and any(a in op.name for a in ACTIVATIONS)
    }
    not_meant = {n for n in functional if any(w in n for w in ("loss", "max", "entropy"))}
    assert functional - known - not_meant == set()
    assert {kind for kind in map(module_class, module_db) if kind in NAMES} == set(
        map(module_class, MODULE_ENTRIES)
    )


# --- Operators -----------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ENTRIES, ids=name_of)
def test_values_in_every_dtype(op: Any) -> None:
    count = 0
    for dtype in DTYPES:
        if dtype not in op.dtypes:
            continue
        for sample in samples(op, dtype, reference=True):
            found = called(op, sample)
            wide = sample.transform(lambda t: t.double() if t.is_floating_point() else t)
            expected = op.op(wide.input, *wide.args, **wide.kwargs).to(dtype)
            if expected.shape == sample.input.shape:
                at_infinity = sample.input.isinf() & expected.isnan()  # LEFT_OUT
                expected = torch.where(at_infinity, found, expected)
            torch.testing.assert_close(found, expected, equal_nan=True)
            count += 1
    assert count


@pytest.mark.parametrize("op", [op for op in ENTRIES if torch.int64 in op.dtypes], ids=name_of)
def test_integers_become_the_default_dtype(op: Any) -> None:
    for sample in samples(op, torch.int64):
        found = called(op, sample)
        assert found.dtype == torch.float32
        expected = op.op(sample.input, *sample.args, **sample.kwargs).float()
        if op.name != "nn.functional.hardtanh":  # LEFT_OUT: bounds of whole numbers
            torch.testing.assert_close(found, expected, equal_nan=True)


@pytest.mark.parametrize("op", ENTRIES, ids=name_of)
def test_samples_that_do_not_lie_in_a_row(op: Any) -> None:
    for sample in samples(op, torch.float32, requires_grad=True):
        apart = sample.noncontiguous()
        for one, other in zip(with_gradients(op, sample), with_gradients(op, apart), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


def with_gradients(op: Any, sample: Any) -> list[Any]:
    """The value, and the gradients by all tensors."""
    leaves = [t for t in (sample.input, *sample.args, *sample.kwargs.values()) if needs_grad(t)]
    value = called(op, sample)
    flow = torch.linspace(-1, 2, value.numel()).reshape(value.shape).to(value.dtype)
    return [value.detach(), *torch.autograd.grad(value, leaves, flow)]


def needs_grad(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.requires_grad


@pytest.mark.parametrize(
    "op", [op for op in ENTRIES if op.error_inputs_func is not None], ids=name_of
)
def test_wrong_arguments_are_refused(op: Any) -> None:
    refused = 0
    for error in op.error_inputs("cpu"):
        sample = error.sample_input
        if sample.kwargs.get("inplace") or "out" in sample.kwargs:
            continue  # LEFT_OUT
        try:
            called(op, sample)
        except (error.error_type, LimenError, AssertionError):
            refused += 1
        else:
            assert op.name in ("nn.functional.prelu", "nn.functional.softshrink")  # LEFT_OUT
    assert refused or op.name == "nn.functional.softshrink"


def small(op: Any) -> Iterator[tuple[Any, Any]]:
    """The function of a sample's input alone, and the input, for derivatives in float64."""
    for sample in samples(op, torch.float64, requires_grad=True):
        if 0 < sample.input.numel() <= 60 and sample.input.requires_grad:
            yield lambda x, s=sample: ours(op, x, *s.args, **s.kwargs), sample.input


@pytest.mark.parametrize("op", ENTRIES, ids=name_of)
def test_gradients(op: Any) -> None:
    for function, x in small(op):
        assert torch.autograd.gradcheck(function, x, check_forward_ad=True, check_batched_grad=True)
        if op.supports_gradgrad:
            assert torch.autograd.gradgradcheck(function, x)


@pytest.mark.parametrize("op", ENTRIES, ids=name_of)
def test_functorch(op: Any) -> None:
    for sample in samples(op, torch.float64):
        x = sample.input
        if not x.numel():
            continue

        def total(x: Any, s: Any = sample) -> Any:
            return ours(op, x, *s.args, **s.kwargs).sum()

        def theirs(x: Any, s: Any = sample) -> Any:
            return op.op(x, *s.args, **s.kwargs).sum()

        tangent = torch.linspace(0.5, 2, x.numel(), dtype=x.dtype).reshape(x.shape)
        expected = torch.func.grad(theirs)(x)
        torch.testing.assert_close(torch.func.grad(total)(x), expected, equal_nan=True)
        _, along = torch.func.jvp(total, (x,), (tangent,))
        torch.testing.assert_close(along, (expected * tangent).sum(), equal_nan=True)
        stack = torch.stack([x, x + 0.25, x + 0.5])
        if op.name in ("nn.functional.prelu",):
            continue  # its channels' dimension is another one beside a batch of batches
        batched = torch.func.vmap(torch.func.grad(total), in_dims=-1)(stack.movedim(0, -1))
        torch.testing.assert_close(
            batched, torch.stack([torch.func.grad(theirs)(s) for s in stack])
        )


# --- Modules -------------------------------------------------------------------------------------


def module_class(info: Any) -> Any:
    return info.module_cls


MODULE_ENTRIES = [info for info in module_db if info.module_cls in NAMES]


def module_samples(info: Any, dtype: Any) -> Iterator[tuple[Any, Any, Any]]:
    """PyTorch's module, limen's, and what they are called with."""
    made = info.module_inputs_func(info, "cpu", dtype, requires_grad=True, training=True)
    for sample in made:
        given, called_with = sample.constructor_input, sample.forward_input
        theirs = info.module_cls(*given.args, **given.kwargs).to(dtype)
        if given.kwargs.get("inplace") or lt.equivalent(theirs) is None:
            continue  # LEFT_OUT: the threshold of softplus
        yield theirs, lt.replace(pickle.loads(pickle.dumps(theirs))), called_with.args[0]


@pytest.mark.parametrize("info", MODULE_ENTRIES, ids=lambda info: info.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_modules(info: Any, dtype: Any) -> None:
    count = 0
    for theirs, act, x in module_samples(info, dtype):
        expected, found = theirs(x), act(x)
        torch.testing.assert_close(found, expected)
        flow = torch.linspace(-1, 2, found.numel(), dtype=dtype).reshape(found.shape)
        leaves = [x, *theirs.parameters()], [x, *act.parameters()]
        pairs = zip(
            *(
                torch.autograd.grad(y, t, flow)
                for y, t in zip((expected, found), leaves, strict=True)
            ),
            strict=True,
        )
        for one, other in pairs:
            torch.testing.assert_close(other, one)
        assert act.state_dict().keys() == theirs.state_dict().keys()
        assert pickle.loads(pickle.dumps(act))(x).equal(found)
        if x.ndim == 4:
            other = act(x.detach().to(memory_format=torch.channels_last))
            assert other.is_contiguous(memory_format=torch.channels_last)
        if dtype == torch.float64 and x.numel() <= 60:
            assert torch.autograd.gradcheck(act, x)
            assert torch.autograd.gradgradcheck(act, x)
        count += 1
    assert count


def test_reasons_are_given() -> None:
    assert all(len(reason) > 20 for reason in LEFT_OUT.values())
    assert np.isclose(nn.Softplus()(torch.tensor(20.5, dtype=torch.float64)).item(), 20.5, rtol=0)
