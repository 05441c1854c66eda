"""The tuned tier of gated functions: products with a value, and gradients by both inputs."""

from __future__ import annotations

import numpy as np
import pytest
from tuned_tiers import (
    ENTRIES,
    FACTORS,
    HOSTILE,
    SOME,
    function_of,
    inputs_of,
    is_of_gate,
    nearly_the_same,
    needs_avx512,
    owner_of,
    same_bits,
    tiers,
)

import limen
from limen.binding import Binding
from limen.kernels.tuned import tier
from limen.kernels.tuned.store import Entry
from limen.tuning.layout import Grid, lay
from limen.tuning.make import _Made, named_by
from limen.tuning.segment import Form


def of_gates(direction: str) -> list[Entry]:
    return [entry for entry in ENTRIES if direction in entry.serves and is_of_gate(entry)]


@needs_avx512
@pytest.mark.parametrize("entry", of_gates("forward"), ids=lambda entry: entry.title)
def test_gates_of_every_kind_meet_values_of_every_kind(entry: Entry) -> None:
    general, tuned = tiers(function_of(entry), "forward")
    gate, value = (a.ravel() for a in np.meshgrid(SOME, FACTORS))
    assert nearly_the_same(general(gate, value), tuned(gate, value))


@needs_avx512
@pytest.mark.parametrize("entry", of_gates("backward"), ids=lambda entry: entry.title)
def test_both_gradients_of_a_gate_are_those_of_the_general_tier(entry: Entry) -> None:
    general, tuned = tiers(owner_of(entry), "backward")
    gate, value, grad = (a.ravel() for a in np.meshgrid(SOME, FACTORS, FACTORS))
    assert nearly_the_same(general(grad, gate, value), tuned(grad, gate, value))


def fitted_gate(formula: str, high: float):
    """Both tiers' gradients of a gate whose tables are made here, and not certified."""
    f = limen.activation(formula)
    tables = []
    for order in (1, 0):
        target = _Made(f, order).target
        form = Form(6, bool(target.roots), False, False, is_flow=True)
        low = 0.0 if target.parity != "none" else -9.0
        tables.append(lay(target, Grid.over(low, high, 128), form, 0.8).table)
    binding = Binding.of(f)
    general, numbers = binding.general("backward", "float32")
    plan, title = binding.plan("backward"), binding.title("backward", "float32")
    tuned = tier.tuned_kernel(tuple(tables), plan, general, title)
    for kernel in (general, tuned):

        def run(*inputs: np.ndarray, kernel=kernel) -> np.ndarray:
            out = np.full((2, inputs[0].size), 7.0, np.float32)
            kernel(*inputs, *out, *numbers)
            return out

        yield run


@needs_avx512
def test_an_infinite_value_at_a_root_of_the_slope_is_no_blocked_neuron() -> None:
    general, tuned = fitted_gate("value * sqrt(1 + gate**2)", 9.5)
    gate, value, grad = (a.ravel() for a in np.meshgrid(SOME, FACTORS, FACTORS))
    assert nearly_the_same(general(grad, gate, value), tuned(grad, gate, value))


@needs_avx512
def test_a_steep_slope_does_not_show_what_small_factors_have_lost() -> None:
    _, tuned = fitted_gate("value * (3e8 * sigmoid(gate))", 9.5)
    random = np.random.default_rng(0)
    gate = random.uniform(-0.5, 0.5, 20_000).astype(np.float32)
    grad, value = random.uniform(0.8e-19, 1e-19, (2, 20_000)).astype(np.float32)
    exact = grad.astype(np.float64) * value * 3e8
    exact *= limen.get("logistic").derivative()(gate.astype(np.float64))
    error = np.abs(tuned(grad, gate, value)[0] - exact) / np.spacing(exact.astype(np.float32))
    assert np.max(error) < 1


@needs_avx512
@pytest.mark.parametrize("entry", of_gates("forward"), ids=lambda entry: entry.title)
def test_a_value_of_1_gives_what_the_certificate_is_about(entry: Entry) -> None:
    """Certificates are of the one-input function that the value is multiplied with."""
    f, order = named_by(entry.title)
    _, tuned = tiers(function_of(entry), "forward")
    made = _Made(f, order).alone(entry.table)
    x = np.concatenate([inputs_of(20_000), HOSTILE[3:10]])
    alone = np.empty_like(x)
    made.call(made.tuned, x, [alone], [])
    assert same_bits(tuned(x, np.ones_like(x)), alone)


@needs_avx512
@pytest.mark.parametrize("entry", of_gates("backward"), ids=lambda entry: entry.title)
def test_both_gradients_are_products_with_the_very_same_numbers(entry: Entry) -> None:
    f = owner_of(entry)
    gate, grad = inputs_of(4000) / 5, inputs_of(4000, seed=1)  # where both tables serve
    _, tuned = tiers(f, "backward")
    by_gate, by_value = tuned(grad, gate, np.ones_like(gate)).reshape(2, -1)
    assert same_bits(by_gate, f.derivative("gate")(gate, grad))
    assert same_bits(by_value, f(gate, grad))


@needs_avx512
@pytest.mark.parametrize("entry", of_gates("backward"), ids=lambda entry: entry.title)
def test_a_pair_of_elements_does_not_know_its_neighbours(entry: Entry) -> None:
    f = owner_of(entry)
    _, forward = tiers(f, "forward")
    _, backward = tiers(f, "backward")
    gate, value = np.concatenate([inputs_of(64), HOSTILE]), np.resize(FACTORS, 64 + HOSTILE.size)
    grad = np.concatenate([HOSTILE, inputs_of(64, seed=2)])
    size = gate.size

    def every(inputs: list[np.ndarray]) -> np.ndarray:
        both = backward(inputs[2], inputs[0], inputs[1]).reshape(2, -1)
        return np.stack([forward(*inputs[:2]), *both])

    one_by_one = [every([a[k : k + 1] for a in (gate, value, grad)]) for k in range(size)]
    alone = np.concatenate(one_by_one, axis=1)
    for offset in range(17):
        beside = np.resize(HOSTILE, offset)
        whole = every([np.concatenate([beside, a, HOSTILE]) for a in (gate, value, grad)])
        assert same_bits(whole[:, offset : offset + size].copy(), alone), offset


@needs_avx512
def test_a_gate_runs_the_tuned_tier_in_place_and_on_many_threads() -> None:
    f = limen.get("swiglu")
    gate, value, grad = (inputs_of(300_000, seed) for seed in range(3))
    expected = tiers(f, "forward")[1](gate, value)
    both = tiers(f, "backward")[1](grad, gate, value).reshape(2, -1)
    for _ in range(6):  # the first calls go the long way
        assert same_bits(f(gate, value), expected)
        assert all(map(same_bits, f.backward(grad, gate, value), both))
    assert same_bits(f(gate.reshape(300, -1).T, value.reshape(300, -1).T).T.ravel(), expected)
    shifted = np.empty(gate.size + 1, np.float32)[1:]
    assert same_bits(f(gate, value, out=shifted), expected)
    f.backward(grad, gate, value, out=(grad, value))
    assert same_bits(grad, both[0])
    assert same_bits(value, both[1])
