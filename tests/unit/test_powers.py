"""Tables of powers: which functions are exponentials, and what kernels make of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from tuned_tiers import nearly_the_same, needs_avx512

import limen
from limen.binding import Binding
from limen.kernels.tuned.powers import Powers, table_from_data
from limen.kernels.tuned.tier import tuned_kernel
from limen.tuning.exponential import powers_of
from limen.tuning.target import Target

EXPONENTIALS = {
    "exp(x)": Powers(1.0, 1.0),
    "3 * exp(x / 2)": Powers(0.5, 3.0),
    "1 / exp(x)": Powers(-1.0, 1.0),
    "-exp(x)": Powers(1.0, -1.0),
    "1e-30 * exp(x)": Powers(1.0, 1e-30),
    "where(x > 0, 1, exp(x))": Powers(1.0, 1.0, rest=1.0),
    "where(x < 0, 2, exp(-3 * x))": Powers(-3.0, 1.0, rest=2.0),
}
SLOPES = ["exp(x)", "-exp(-x / 3)", "where(x > 0, x, exp(x))", "where(x > 0, 1.7 * x, 2 * exp(x))"]
OTHERS = [
    "x", "0 * x", "exp(x) + 1e-6", "where(x > 0, exp(x), 1)", "where(x >= 0, 2, exp(x))",
    "exp(-abs(x))", "exp(-x**2)", "where(x > 0, x, exp(x))", "where(x > 0, 0, exp(x))", "sinh(x)",
    "exp(x) * (1 + 1e-6 * x)",
]  # fmt: skip
SPECIAL = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 3.4e38, -3.4e38, 1e9, -1e9], np.float32
)


@pytest.mark.parametrize(("formula", "expected"), EXPONENTIALS.items())
def test_exponentials_are_recognized(formula: str, expected: Powers) -> None:
    found = powers_of(Target(limen.activation(formula)))
    assert found is not None
    assert (found.rate, found.rest) == (expected.rate, expected.rest)
    assert abs(found.start / expected.start - 1) < 2.0**-50


@pytest.mark.parametrize("formula", OTHERS)
def test_what_is_no_exponential_is_not(formula: str) -> None:
    assert powers_of(Target(limen.activation(formula))) is None


@pytest.mark.parametrize("powers", EXPONENTIALS.values(), ids=EXPONENTIALS)
def test_powers_come_back_from_data(powers: Powers) -> None:
    assert table_from_data(powers.to_data()) == powers
    assert replace(powers, rate=powers.rate * 2).digest != powers.digest


@pytest.mark.parametrize(
    "numbers", [(0.0, 1.0), (1.0, 0.0), (np.inf, 1.0), (1.0, 1.0, np.nan), (1.0, 1.0, 0.0)]
)
def test_what_is_no_exponential_is_refused(numbers: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="no exponential"):
        Powers(*numbers)


@pytest.mark.parametrize("rate", [1.0, -1.0, 0.1, 1.7, 1e-4, 3e3])
def test_steps_and_heights_are_kept_in_two_parts(rate: float) -> None:
    powers = Powers(rate, 1.7580993408473766)
    high, low = powers.step
    assert float(np.float32(5000 * high)) == 5000 * high  # its products with counts are exact
    exact = Fraction(1 / powers.per_unit)
    assert abs(Fraction(high) + Fraction(low) - exact) <= exact * Fraction(2) ** -35
    for number, (first, second) in enumerate(zip(*powers.heights, strict=True)):
        expected = powers.start * 2 ** (number / 32)
        assert abs(first + second - expected) <= expected * 2.0**-48


def kernels(formula: str, direction: str) -> list[Callable[..., np.ndarray]]:
    """Both tiers of a formula, the general one first."""
    f = limen.activation(formula)
    binding, found = Binding.of(f), []
    general, numbers = binding.general(direction, "float32")
    served = f.derivative() if direction == "backward" else f
    table = powers_of(Target(served))
    assert table is not None
    plan = binding.plan(direction)
    for kernel in (
        general,
        tuned_kernel((table,), plan, general, binding.title(direction, "float32")),
    ):

        def run(*inputs: np.ndarray, kernel=kernel) -> np.ndarray:
            out = np.empty_like(inputs[0])
            kernel(*inputs, out, *numbers)
            return out

        found.append(run)
    return found


def inputs() -> np.ndarray:
    """From where exponentials vanish to where they are infinite, dense where they do either."""
    ends = [np.linspace(at - 20, at + 20, 20_001) for at in (-100, -20, 0, 20, 90)]
    return np.concatenate([*ends, np.linspace(-300, 300, 20_001)]).astype(np.float32)


@needs_avx512
@pytest.mark.parametrize("formula", EXPONENTIALS)
def test_values_are_rounded_once(formula: str) -> None:
    general, tuned = kernels(formula, "forward")
    x = np.concatenate([inputs(), SPECIAL])
    assert nearly_the_same(general(x), tuned(x))
    found, exact = tuned(x), limen.activation(formula)(x.astype(np.float64))
    normal = np.isfinite(found) & (np.abs(exact) > 2.0**-126)
    errors = np.abs(found[normal] - exact[normal]) / np.spacing(np.abs(found[normal]))
    assert np.max(errors) < 0.54


@needs_avx512
@pytest.mark.parametrize("formula", SLOPES)
def test_gradients_are_those_of_the_general_tier(formula: str) -> None:
    general, tuned = kernels(formula, "backward")
    factors = np.array([0.0, -0.0, 1.0, -1.5, 1e-45, 1e-30, -3e38, np.inf, np.nan], np.float32)
    x, grad = (a.ravel() for a in np.meshgrid(np.concatenate([inputs()[::97], SPECIAL]), factors))
    assert nearly_the_same(general(grad, x), tuned(grad, x))
