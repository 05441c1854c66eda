"""PyTorch gets the bits of the certified kernels: values and gradients, of every function."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

import limen

torch = pytest.importorskip("torch")
lt = pytest.importorskip("limen.torch")

DTYPES = ("float32", "float64", "float16", "bfloat16")
LARGE = (1 << 20) + 3  # beyond what kernels are handed by address
SCALES = (1.0, 30.0, 1e-3, 1e-30, 1e30)  # what does not fit a dtype becomes 0 or its largest number
FEW = 401
# What the kernels are certified to on float32, and their bits are these.
MOST_ULP = 1.0


def points(f: limen.ActivationFunction, dtype: str, seed: int) -> Any:
    """An odd count of numbers of every size: special ones, kinks, and random ones."""
    limits = torch.finfo(getattr(torch, dtype))
    sizes = [0.0, 1.0, torch.inf, torch.nan, limits.max, limits.tiny, limits.tiny / 4]
    kinks = f.kinks if isinstance(f.kinks, tuple) else ()
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.randn(FEW, generator=generator, dtype=torch.float64) * s for s in SCALES]
    special = torch.tensor([*sizes, *(-x for x in sizes), *kinks], dtype=torch.float64)
    random = torch.cat(drawn).clamp(-limits.max, limits.max)
    # Rolled by the seed, so that the special values of two inputs meet others.
    return torch.cat([special, random]).roll(seed).to(getattr(torch, dtype))


def as_array(x: Any) -> npt.NDArray[Any]:
    """A NumPy array of its own of a tensor's numbers."""
    if x.dtype == torch.bfloat16:
        return x.detach().contiguous().view(torch.int16).numpy().view(ml_dtypes.bfloat16).copy()
    return x.detach().contiguous().numpy().copy()


def bits(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The numbers as whole numbers, which tell zeros and NaNs apart."""
    return x.view(f"i{x.itemsize}")


def assert_same_bits(f: limen.ActivationFunction, inputs: list[Any], flow: Any) -> None:
    """Value and gradients in PyTorch are those of the kernels on NumPy arrays."""
    leaves = [x.detach().requires_grad_() for x in inputs]
    y = lt.evaluate(f, *leaves)
    grads = torch.autograd.grad(y, leaves, flow)
    arrays = [as_array(x) for x in inputs]
    flows = f.backward(as_array(flow), *arrays)
    expected = [f(*arrays), *(flows if f.is_gated else [flows])]
    for found, wanted in zip([y, *grads], expected, strict=True):
        assert found.dtype == inputs[0].dtype
        np.testing.assert_array_equal(bits(as_array(found)), bits(wanted))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", limen.names())
def test_bits_of_every_size_of_number(name: str, dtype: str) -> None:
    f = limen.get(name)
    inputs = [points(f, dtype, seed) for seed in range(len(f.inputs))]
    assert_same_bits(f, inputs, points(f, dtype, seed=7))


@pytest.mark.parametrize("name", limen.names())
def test_bits_of_many_numbers_in_a_row_and_not(name: str) -> None:
    f = limen.get(name)
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(LARGE, generator=generator) * 4 for _ in f.inputs]
    flow = torch.randn(LARGE, generator=generator)
    assert_same_bits(f, inputs, flow)
    assert_same_bits(f, [x[:9999:3] for x in inputs], flow[:6666:2])
    assert_same_bits(f, [x[:9999].view(99, 101).t() for x in inputs], flow[:9999].view(101, 99))


@pytest.mark.parametrize("name", ["gelu", "relu", "swiglu"])
def test_the_module_gives_what_evaluate_gives(name: str) -> None:
    f = limen.get(name)
    inputs = [points(f, "float32", seed)[:2000] for seed in range(len(f.inputs))]
    value = lt.Activation(name)(torch.cat(inputs[::-1]))  # the value comes first, then the gate
    np.testing.assert_array_equal(bits(as_array(value)), bits(as_array(lt.evaluate(name, *inputs))))


# From where nothing is left of a tail, over where PyTorch's own gradients die, to next to nothing.
PLACES = (
    -1e30, -103.0, -88.5, -50.0, -20.0, -17.0, -14.0, -13.0, -9.5, -6.0, -5.0, -1.1924, -0.3, -1e-4,
    -1e-20, 1e-20, 1e-4, 0.7, 2.3, 5.0, 6.5, 9.5, 13.0, 17.0, 20.0, 45.0, 88.5, 103.0, 1e30,
)  # fmt: skip
SINGLE = [name for name in limen.names() if not limen.get(name).is_gated]


@pytest.mark.parametrize("name", SINGLE)
def test_tails_against_ball_arithmetic(name: str) -> None:
    pytest.importorskip("flint")
    from limen.certify.measure import FORMATS, ulp_error
    from limen.certify.reference import Reference

    act = lt.Activation(name)
    f = act.function
    reference = Reference(f.expression, parameters=f.parameters, order=1)
    x = torch.tensor(PLACES, requires_grad=True)
    y = act(x)
    (grad,) = torch.autograd.grad(y.sum(), x)
    for at, *computed in zip(x.tolist(), y.tolist(), grad.tolist(), strict=True):
        exact = reference.enclose(at, format_=FORMATS["float32"])
        for found, ball in zip(computed, exact, strict=True):
            assert ulp_error(found, ball, FORMATS["float32"]) <= MOST_ULP, (name, at)


def test_pytorch_is_off_where_limen_is_not() -> None:
    """The reference sees what it is there to see: PyTorch's own gradient dies there."""
    pytest.importorskip("flint")
    from limen.certify.measure import FORMATS, ulp_error
    from limen.certify.reference import Reference

    _, slope = Reference(limen.get("logistic").expression, order=1).enclose(
        17.0, format_=FORMATS["float32"]
    )
    x = torch.tensor(17.0, requires_grad=True)
    (grad,) = torch.autograd.grad(torch.sigmoid(x), x)
    assert ulp_error(grad.item(), slope, FORMATS["float32"]) > 1e6
