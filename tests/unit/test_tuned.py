"""The tuned tier: tables and their files, which tier runs, what becomes of an element."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import limen
from limen.binding import Binding
from limen.errors import LimenError
from limen.kernels.tuned import store, tier
from limen.kernels.tuned.kernel import is_supported
from limen.kernels.tuned.store import Entry, find, formula_of, keep
from limen.kernels.tuned.table import SEGMENTS, Table
from limen.tuning.layout import Grid, lay
from limen.tuning.make import _Made, named_by
from limen.tuning.segment import Form

needs_avx512 = pytest.mark.skipif(not is_supported(), reason="needs AVX-512")

SHIPPED = sorted(store.SHIPPED.glob("*.json"))
ENTRIES = [Entry.from_json(path.read_text("utf-8")) for path in SHIPPED]


def owner_of(entry: Entry) -> limen.ActivationFunction:
    """The catalogue's function that an entry is of, or of whose derivative."""
    return named_by(entry.title)[0]


def function_of(entry: Entry) -> limen.ActivationFunction:
    """The same, or its derivative."""
    f, order = named_by(entry.title)
    return f.derivative("gate" if f.is_gated else order) if order else f


def served(direction: str) -> list[Entry]:
    return [entry for entry in ENTRIES if direction in entry.serves and not is_of_gate(entry)]


def of_gates(direction: str) -> list[Entry]:
    return [entry for entry in ENTRIES if direction in entry.serves and is_of_gate(entry)]


def is_of_gate(entry: Entry) -> bool:
    return owner_of(entry).is_gated


@pytest.fixture
def example() -> Entry:
    return next(entry for entry in ENTRIES if entry.title == "silu'")


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(store, "private_folder", lambda: tmp_path)
    yield tmp_path
    store._files.cache_clear()


# --- Tables and files --------------------------------------------------------------------------


def test_a_table_comes_back_from_json_as_it_was(example: Entry) -> None:
    data = json.loads(json.dumps(example.table.to_data()))
    assert Table.from_data(data).digest == example.table.digest


@pytest.mark.parametrize(
    "change",
    [
        {"parity": "strange"},
        {"cells": (0,) * 63},
        {"cells": (SEGMENTS,) * 64},
        {"scale": 0.0},
        {"first": 200},
        {"centres": (0.0,)},
        {"coefficients": ((0.0,) * SEGMENTS,) * 2},
        {"offsets": (0.0,)},
    ],
)
def test_what_is_no_table_is_refused(example: Entry, change: dict) -> None:
    with pytest.raises(ValueError, match="table"):
        replace(example.table, **change)


def test_a_table_that_is_not_the_certified_one_is_not_used(
    example: Entry, own_folder: Path
) -> None:
    path = keep(replace(example, title="tampered"), own_folder)
    assert find(example.formula).title == "tampered"
    data = json.loads(path.read_text())
    data["table"]["first"] -= 1
    path.write_text(json.dumps(data))
    assert find(example.formula).title == example.title  # the catalogue's own


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"table": {}}'])
def test_a_damaged_file_is_passed_over(example: Entry, own_folder: Path, text: str) -> None:
    keep(example, own_folder).write_text(text)
    assert find(example.formula) == example


def test_a_new_table_takes_the_place_of_the_old_one(example: Entry, own_folder: Path) -> None:
    keep(replace(example, title="first"), own_folder)
    keep(replace(example, title="second"), own_folder)
    assert [path.name.split("_")[0] for path in own_folder.iterdir()] == ["second"]


def test_every_table_of_the_catalogue_is_found_by_its_function() -> None:
    assert ENTRIES
    for entry in ENTRIES:
        f = function_of(entry)
        assert find(formula_of(f.expression, f.parameters)) == entry, entry.title


def test_every_table_of_the_catalogue_is_certified() -> None:
    for entry in ENTRIES:
        assert entry.is_certified, entry.title
        assert entry.certificate["inputs"] == 1 << 32


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": 1000},
        {"max_ulp": 1.01},
        {"holds": False},
    ],
)
def test_a_certificate_that_leaves_anything_open_is_none(example: Entry, change: dict) -> None:
    assert not replace(example, certificate={**example.certificate, **change}).is_certified
    assert not replace(example, certificate=None).is_certified


# --- Which tier runs ---------------------------------------------------------------------------


def table_of(f: limen.ActivationFunction, direction: str = "forward", dtype: str = "float32"):
    return tier.tuned_table(f.expression, f.parameters, direction, dtype)


@needs_avx512
def test_the_tuned_tier_is_for_certified_float32_alone(
    example: Entry, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    f = function_of(example)
    assert table_of(f, "backward") == example.table
    assert table_of(f, "backward", "float64") is None
    keep(replace(example, certificate=None), own_folder)
    assert table_of(f, "backward") is None
    keep(replace(example, serves=("forward",)), own_folder)
    assert table_of(f, "backward") is None
    assert table_of(f, "forward") == example.table
    monkeypatch.setattr(tier, "is_supported", lambda: False)
    assert table_of(f, "forward") is None


def test_the_environment_chooses_the_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMEN_TIER", "general")
    assert table_of(limen.get("silu").derivative()) is None
    monkeypatch.setenv("LIMEN_TIER", "fast")
    with pytest.raises(LimenError, match="general or tuned"):
        table_of(limen.get("silu").derivative())


@needs_avx512
def test_the_source_says_which_tier_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    silu = limen.get("silu")
    assert "tuned" in silu.source("backward").splitlines()[0]
    assert "tuned" not in silu.source("backward", "float64").splitlines()[0]
    monkeypatch.setenv("LIMEN_TIER", "general")
    assert "tuned" not in silu.source("backward").splitlines()[0]


def test_other_parameters_have_no_table() -> None:
    assert table_of(limen.get("swish", beta=1.5)) is None


# --- What a kernel makes of an element -----------------------------------------------------------

HOSTILE = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 1e-38, 3.4e38, -3.4e38, -12.7, 9.1, 200.0],
    np.float32,
)


def tiers(f: limen.ActivationFunction, direction: str):
    """The kernels of both tiers as functions of their inputs; two outputs one after the other."""
    found = []
    for kernel, numbers in (
        Binding.of(f).general(direction, "float32"),
        Binding.of(f).kernel(direction, "float32"),
    ):

        def run(*inputs: np.ndarray, kernel=kernel, numbers=numbers) -> np.ndarray:
            outputs = 2 if f.is_gated and direction == "backward" else 1
            out = np.full((outputs, inputs[0].size), 7.0, np.float32)
            kernel(*inputs, *out, *numbers)
            return out.ravel()

        found.append(run)
    return found


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    both_nan = np.isnan(a) & np.isnan(b)
    return bool(np.all((a.view(np.uint32) == b.view(np.uint32)) | both_nan))


def inputs_of(count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (5 * random.standard_normal(count)).astype(np.float32)


@needs_avx512
@pytest.mark.parametrize("entry", served("forward"), ids=lambda entry: entry.title)
def test_special_values_are_those_of_the_general_tier(entry: Entry) -> None:
    general, tuned = tiers(function_of(entry), "forward")
    special = np.concatenate([HOSTILE[:9], HOSTILE[:9].view(np.uint32).view(np.float32)])
    assert same_bits(general(special), tuned(special))


@needs_avx512
@pytest.mark.parametrize("entry", served("forward"), ids=lambda entry: entry.title)
def test_an_element_does_not_know_its_neighbours(entry: Entry) -> None:
    _, tuned = tiers(function_of(entry), "forward")
    x = np.concatenate([inputs_of(64), HOSTILE])
    alone = np.concatenate([tuned(x[k : k + 1]) for k in range(x.size)])
    for offset in range(17):
        neighbours = np.resize(HOSTILE, offset)
        for tail in (0, 1, 15):
            whole = np.concatenate([neighbours, x, np.resize(HOSTILE, tail)])
            assert same_bits(tuned(whole)[offset : offset + x.size], alone), offset
        crowded = np.resize(HOSTILE, 16 * x.size)
        crowded[offset % 16 :: 16] = x
        assert same_bits(tuned(crowded)[offset % 16 :: 16], alone)


@needs_avx512
def test_no_element_beside_the_array_is_touched() -> None:
    kernel, numbers = Binding.of(limen.get("silu").derivative()).kernel("forward", "float32")
    for size in range(40):
        out = np.full(64, 7.0, np.float32)
        kernel(inputs_of(size), out[8 : 8 + size], *numbers)
        assert np.all(out[:8] == 7.0)
        assert np.all(out[8 + size :] == 7.0)


@needs_avx512
def test_a_stretch_in_which_nothing_is_served_is_the_general_tiers() -> None:
    general, tuned = tiers(limen.get("silu").derivative(), "forward")
    x = np.full(5000, -20.0, np.float32)
    assert same_bits(general(x), tuned(x))


SOME = np.concatenate([HOSTILE, inputs_of(50), [-1.0, 1.0]]).astype(np.float32)
FACTORS = np.concatenate([HOSTILE, [1.0, -1.0, 1e-30, 2e38]]).astype(np.float32)


def nearly_the_same(expected: np.ndarray, found: np.ndarray) -> bool:
    """Whether what is no ordinary number has the same bits, and all others the next to them."""
    settled = ~np.isfinite(expected) | (expected == 0)
    steps = np.abs(expected.view(np.int32).astype(np.int64) - found.view(np.int32))
    return same_bits(expected[settled], found[settled]) and bool(np.max(steps[~settled]) <= 1)


@needs_avx512
@pytest.mark.parametrize("entry", served("backward"), ids=lambda entry: entry.title)
def test_gradients_of_every_kind_meet_inputs_of_every_kind(entry: Entry) -> None:
    general, tuned = tiers(owner_of(entry), "backward")
    x, grad = (a.ravel() for a in np.meshgrid(SOME, FACTORS))
    assert nearly_the_same(general(grad, x), tuned(grad, x))


@needs_avx512
@pytest.mark.parametrize("entry", served("backward"), ids=lambda entry: entry.title)
def test_backward_multiplies_with_the_derivative_itself(entry: Entry) -> None:
    """With a gradient of 1 the backward pass gives the bits of the derivative."""
    derivative = function_of(entry)
    x = inputs_of(4000)
    _, tuned = tiers(owner_of(entry), "backward")
    if "forward" in entry.serves:
        assert same_bits(tuned(np.ones_like(x), x), derivative(x))


@needs_avx512
def test_the_function_itself_runs_the_tuned_tier_in_place_and_on_many_threads() -> None:
    f = limen.get("silu").derivative()
    x = inputs_of(300_000)
    expected = tiers(f, "forward")[1](x)
    assert same_bits(f(x), expected)
    assert same_bits(f(x.reshape(300, 1000).T).T.ravel(), expected)
    assert same_bits(f(x, out=x), expected)


# --- Gates ---------------------------------------------------------------------------------------


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


@needs_avx512
def test_gradients_of_a_gate_need_both_tables(own_folder: Path) -> None:
    def tier_of(f: limen.ActivationFunction) -> list[bool]:
        return ["tuned" in f.source(d).splitlines()[0] for d in ("forward", "backward")]

    f = limen.get("swiglu")
    assert tier_of(f) == [True, True]
    assert tier_of(limen.activation("value * silu(gate)")) == [False, False]  # another formula
    # Of a surrogate, the slope by the value is its own too.
    assert tier_of(f.surrogate("geglu")) == [True, True]
    own = next(entry for entry in ENTRIES if entry.title == "swiglu")
    keep(replace(own, serves=()), own_folder)
    assert tier_of(f) == [False, False]
    grad, gate, value = (inputs_of(500, seed) for seed in range(3))
    of_geglu = limen.get("geglu").backward(grad, gate, value)
    assert all(map(same_bits, f.surrogate("geglu").backward(grad, gate, value), of_geglu))
