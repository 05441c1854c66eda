"""What `evaluate` takes, however tensors lie in memory, and refuses; what is asked of operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import limen
from limen.errors import DtypeError, ShapeError

torch = pytest.importorskip("torch")
lt = pytest.importorskip("limen.torch")

from limen.torch.key import key_of  # noqa: E402


@pytest.mark.parametrize(
    ("inputs", "error", "says"),
    [
        ([[1.0]], DtypeError, "got list: torch.as_tensor"),
        ([np.ones(2)], DtypeError, "got ndarray"),
        ([torch.ones(2, dtype=torch.complex64)], DtypeError, "complex64"),
        (
            [torch.nested.nested_tensor([torch.ones(2), torch.ones(1)], layout=torch.jagged)],
            DtypeError,
            r"nested_tensor_from_jagged\(y, x.offsets\(\)\)",
        ),
        ([torch.eye(2).to_sparse()], DtypeError, r"layout torch.sparse_coo; .* x.to_dense\(\)"),
        ([], TypeError, "each of x, got 0"),
        ([torch.ones(2), torch.ones(2)], TypeError, "each of x, got 2"),
    ],
)
def test_a_function_of_one_input_refuses(inputs: Any, error: Any, says: str) -> None:
    with pytest.raises(error, match=says):
        lt.evaluate("gelu", *inputs)


def test_a_gated_function_refuses() -> None:
    with pytest.raises(TypeError, match="each of gate, value, got 1"):
        lt.evaluate("swiglu", torch.ones(2))
    with pytest.raises(ShapeError, match=r"\(2,\), \(3,\)"):
        lt.evaluate("swiglu", torch.ones(2), torch.ones(3))
    with pytest.raises(DtypeError, match="got float"):
        lt.evaluate("swiglu", torch.ones(2), 1.0)


# Few numbers are copied into rows, more are read where they lie, and many by several threads.
@pytest.mark.parametrize("rows", [3, 1 << 10, 1 << 15])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_layouts_make_no_difference(rows: int, dtype: Any) -> None:
    torch.manual_seed(0)
    both = torch.randn(rows, 80, dtype=dtype)
    flow = torch.randn(40, 1, dtype=dtype).t().expand(rows, 40)
    apart = {
        "halves": both.chunk(2, dim=1),
        "turned": tuple(x.t().contiguous().t() for x in both.chunk(2, dim=1)),
        "negated": tuple(torch._neg_view(-x) for x in both.chunk(2, dim=1)),
        "expanded": (both[:, :40], both[0, 40:].expand(rows, 40)),
    }
    for name, pair in apart.items():
        found = [x.detach().requires_grad_() for x in pair]
        expected = [x.resolve_neg().contiguous().detach().requires_grad_() for x in pair]
        y = lt.evaluate("swiglu", *found)
        exact = lt.evaluate("swiglu", *expected)
        assert torch.equal(y, exact), name
        grads = torch.autograd.grad(y, found, flow)
        others = torch.autograd.grad(exact, expected, flow.contiguous())
        assert all(map(torch.equal, grads, others)), name


# PyTorch's own check looks at the gradient of a tensor that has none, and is told so.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize(
    "f",
    [limen.get("gelu"), limen.get("relu", at_kinks=0.0), limen.get("swiglu")],
    ids=lambda f: f.name,
)
def test_operators_are_what_pytorch_asks_for(f: limen.ActivationFunction) -> None:
    inputs = [torch.linspace(-2, 2, 6).requires_grad_() for _ in f.inputs]
    flow = torch.randn(6, requires_grad=True)
    orders = [0] * len(inputs)
    operators = torch.ops.limen
    torch.library.opcheck(operators.value.default, (inputs, key_of(f), orders))
    torch.library.opcheck(operators.flows.default, (flow, inputs, key_of(f), orders))
    torch.library.opcheck(operators.value_again.default, (inputs, key_of(f), orders, flow))


@pytest.mark.parametrize(
    ("flow", "error", "says"),
    [
        (torch.ones(1), ShapeError, r"float32 \(1,\) on cpu, torch.float32 \(5000,\)"),
        (torch.ones(5000, dtype=torch.float64), ShapeError, "float64"),
    ],
)
def test_operators_called_by_hand_read_no_foreign_memory(flow: Any, error: Any, says: str) -> None:
    with pytest.raises(error, match=says):
        torch.ops.limen.flows(flow, [torch.ones(5000)], key_of(limen.get("gelu")), [0])
    pair = [flow, torch.ones(5000)]
    with pytest.raises(error, match=says):
        torch.ops.limen.value(pair, key_of(limen.get("swiglu")), [0, 0])
    with pytest.raises(error, match=says):
        torch.ops.limen.value_again(pair, key_of(limen.get("swiglu")), [0, 0], flow)


def test_operators_called_by_hand_refuse_dtypes() -> None:
    with pytest.raises(DtypeError, match=r"got torch\.int32"):
        torch.ops.limen.value([torch.ones(3).int()], key_of(limen.get("gelu")), [0])
