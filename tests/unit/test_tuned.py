"""The tuned tier: tables and their files, which tier runs, what becomes of an element."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

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
from limen.errors import LimenError
from limen.kernels.tuned import store, tier
from limen.kernels.tuned.store import Entry, find, formula_of, keep
from limen.kernels.tuned.table import SEGMENTS, Table


def served(direction: str) -> list[Entry]:
    return [entry for entry in ENTRIES if direction in entry.serves and not is_of_gate(entry)]


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


# --- What a kernel makes of an element -----------------------------------------------------------


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
