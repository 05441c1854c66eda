"""The fitter: segments, their cover, and that it computes as the kernels compute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import limen
from limen.errors import LimenError
from limen.kernels.tuned.kernel import is_supported
from limen.kernels.tuned.store import find, formula_of
from limen.tuning import segment
from limen.tuning.curve import gate_curve
from limen.tuning.layout import Grid, _best_cover, _Run, lay
from limen.tuning.make import _Made, tune
from limen.tuning.search import _forms
from limen.tuning.segment import Form, Segment, fit_regular, fit_root, fit_tail, largest_error
from limen.tuning.target import Target, spacing, worst_factors
from limen.tuning.trial import largest_product_error, try_inputs

needs_avx512 = pytest.mark.skipif(not is_supported(), reason="needs AVX-512")

PLAIN = Form(5, is_compensated=False, has_rests=False, has_offsets=False, is_flow=False)
ROOTS = Form(5, is_compensated=True, has_rests=True, has_offsets=True, is_flow=True)


@pytest.mark.parametrize(
    ("name", "parity"), [("tanh", "odd"), ("gaussian", "even"), ("silu", "none")]
)
def test_symmetry_is_seen(name: str, parity: str) -> None:
    assert Target(limen.get(name)).parity == parity


def test_roots_are_found_to_the_last_digit() -> None:
    target = Target(limen.get("silu").derivative())
    assert target.roots == [pytest.approx(-1.2784645427610738, abs=3e-16)]
    assert Target(limen.get("silu")).roots == [0.0]
    assert Target(limen.get("logistic")).roots == []


def test_spacing_is_that_of_float32() -> None:
    x = np.array([1.0, 1.5, 2.0, 3e-39, 1e-45, 3e38], np.float32)
    assert np.array_equal(spacing(x.astype(np.float64)), np.spacing(x).astype(np.float64))


def test_a_regular_segment_is_near_half_an_ulp() -> None:
    target = Target(limen.get("logistic"))
    found = fit_regular(target, 0.5, 0.75, PLAIN)
    y = np.linspace(0.5, 0.75, 2000).astype(np.float32).astype(np.float64)
    assert 0.45 < largest_error(found, PLAIN, y, target(y)) < 0.65


def test_a_segment_around_a_root_is_exact_beside_it() -> None:
    target = Target(limen.get("silu").derivative())
    (root,) = target.roots
    found = fit_root(target, root, root - 0.1, root + 0.1, ROOTS)
    nearest = np.float32(root).view(np.int32) + np.arange(-50, 51, dtype=np.int32)
    y = nearest.view(np.float32).astype(np.float64)
    assert largest_error(found, ROOTS, y, target(y)) < 0.8
    without = Segment(found.centre, found.coefficients)
    assert largest_error(without, ROOTS, y, target(y)) > 1000


def test_a_tail_is_a_constant_or_a_straight_line() -> None:
    tanh, silu = Target(limen.get("tanh")), Target(limen.get("silu"))
    assert fit_tail(tanh, 9.5, 1.0, PLAIN, 0.6).coefficients[:2] == (1.0, 0.0)
    assert fit_tail(silu, 18.0, 1.0, PLAIN, 0.6).coefficients[:2] == (0.0, 1.0)
    assert fit_tail(silu, 8.0, 1.0, PLAIN, 0.6) is None
    assert fit_tail(silu, -18.0, -1.0, PLAIN, 0.6) is None


def test_subnormal_coefficients_are_flushed() -> None:
    assert Segment.of(0.0, [1.0, 1e-40, 2.0]).coefficients == (1.0, 0.0, 2.0)


def test_the_cover_takes_the_largest_share_with_few_runs() -> None:
    blank = Segment(0.0, (1.0,))
    runs = [_Run(a, b, blank, 0.5) for a, b in [(0, 1), (1, 2), (2, 4), (0, 3), (3, 4)]]
    chosen = _best_cover(runs, [0.1, 0.2, 0.3, 0.4], 2)
    assert [(run.start, run.stop) for run in chosen] == [(0, 3), (3, 4)]
    assert [(r.start, r.stop) for r in _best_cover(runs, [0.1, 0.2, 0.3, 0.4], 1)] == [(2, 4)]


def test_a_constant_that_is_no_float32_is_exact_in_products_too() -> None:
    target = Target(limen.get("selu").derivative())  # 1.0507... on the right
    forms = list(_forms(target, is_flow=True))
    assert {form.has_offsets for form in forms if form.is_compensated} == {True}
    assert not any(form.has_offsets for form in _forms(Target(limen.get("tanh")), is_flow=True))
    y = np.linspace(0.5, 60.0, 3000).astype(np.float32).astype(np.float64)
    for found in (fit_regular(target, 0.5, 60.0, ROOTS), fit_tail(target, 0.5, 1.0, ROOTS, 0.6)):
        assert largest_error(found, ROOTS, y, target(y)) < 0.51
        without = Segment(found.centre, found.coefficients)
        assert largest_error(without, ROOTS, y, target(y)) > 0.7


def test_the_cells_of_a_grid_lie_side_by_side() -> None:
    grid = Grid.over(-9.0, 9.0, 64)
    weights = [grid.weight(cell, False) for cell in range(64)]
    assert sum(weights) == pytest.approx(1)
    assert grid.edge(1) == pytest.approx(-9.0, abs=0.4)
    assert grid.edge(63) == pytest.approx(9.0, abs=0.4)


def test_a_kink_at_0_is_an_edge_of_cells() -> None:
    assert Target(limen.get("elu")).breaks_at_0
    assert not Target(limen.get("silu")).breaks_at_0
    grid = Grid.over(-6.5, 6.5, 128, zero_is_edge=True)
    assert 0.0 in [grid.edge(cell) for cell in range(128)]
    assert sum(grid.weight(cell, False) for cell in range(128)) == pytest.approx(1)


@needs_avx512
@pytest.mark.parametrize(("name", "order"), [("silu", 1), ("tanh", 0), ("softplus", 0), ("elu", 0)])
def test_the_fitter_computes_as_the_kernel_computes(name: str, order: int) -> None:
    made = _Made(limen.get(name), order)
    target = made.target
    low = 0.0 if target.parity != "none" else -6.0
    form = ROOTS if order else Form(5, bool(target.roots), False, False, is_flow=False)
    grid = Grid.over(low, 6.0, 64, zero_is_edge=target.breaks_at_0)
    table = lay(target, grid, form, 0.9).table
    x = np.random.default_rng(0).uniform(low, 6, 4000).astype(np.float32)
    tuned = np.empty_like(x)
    trial = made.trial("forward", table)
    trial.call(trial.tuned, x, [tuned], [])
    cells = np.floor(x.astype(np.float64) * table.scale + table.first + 0.5).astype(int)
    checked = 0
    for place in set(table.cells):
        if np.isnan(table.coefficients[0][place]):
            continue
        of_segment = np.array(table.cells)[cells] == place
        y = x[of_segment].astype(np.float64)
        one = Segment(
            table.centres[place],
            tuple(row[place] for row in table.coefficients),
            table.rests[place] if table.rests else 0.0,
            table.offsets[place] if table.offsets else 0.0,
        )
        c0, v, rest = segment._sum(one, form, y)
        v = (v + rest * form.is_flow).astype(np.float32)
        assert np.array_equal((c0 + v.astype(np.float64)).astype(np.float32), tuned[of_segment])
        checked += y.size
    assert checked > 3000


@needs_avx512
def test_a_trial_sees_a_wrong_coefficient() -> None:
    made = _Made(limen.get("logistic"), 0)
    table = lay(made.target, Grid.over(-9.0, 9.0, 64), PLAIN, 0.8).table
    assert try_inputs(made.trial("forward", table), table, step=4001).max_ulp < 1
    c1 = list(table.coefficients[1])
    c1[table.cells[32]] *= 1 + 2e-6
    wrong = replace(table, coefficients=(table.coefficients[0], tuple(c1), *table.coefficients[2:]))
    assert try_inputs(made.trial("forward", wrong), wrong, step=4001).max_ulp > 1


@needs_avx512
def test_products_are_tried_where_errors_count_most() -> None:
    value = np.array([0.3, -1.7, 4e9, 1e-30])
    products = worst_factors(value, 2.0**-20).astype(np.float64) * value
    mantissas = np.abs(np.frexp(products)[0])
    assert np.all((mantissas > 0.999998) & (mantissas < 1))
    made = _Made(limen.get("logistic"), 1)
    form = Form(6, True, False, False, True)
    table = lay(made.target, Grid.over(0.0, 9.5, 64), form, 0.77).table
    trial = made.trial("backward", table)
    found = largest_product_error(trial, table, step=101)
    assert 0.6 < found < 1
    x = np.random.default_rng(0).normal(0, 2.5, 100_000).astype(np.float32)
    out, grad = np.empty_like(x), np.full_like(x, 1.2)
    trial.call(trial.tuned, x, [out], [grad])
    exact = grad.astype(np.float64) * made.target(x.astype(np.float64))
    assert found > np.max(np.abs(out - exact) / spacing(exact))


@needs_avx512
@pytest.mark.parametrize("order", [0, 1])
def test_a_wrong_table_of_a_gate_shows_in_its_products(order: int) -> None:
    glu = limen.get("glu")
    made = _Made(glu, order)
    served = glu.derivative("gate") if order else glu
    table = find(formula_of(served.expression, served.parameters)).table
    c0 = list(table.coefficients[0])
    c0[table.cells[len(table.cells) // 2]] *= 1 + 2e-7
    wrong = replace(table, coefficients=(tuple(c0), *table.coefficients[1:]))
    for trial, bad in zip(made.trials(table).values(), made.trials(wrong).values(), strict=True):
        assert trial.factors == bad.factors == (2 if trial.outputs == 2 else 1)
        assert largest_product_error(trial, table, step=4001) < 1
        assert largest_product_error(bad, wrong, step=4001) > 1


def test_a_gate_is_fitted_by_what_it_lets_through() -> None:
    curve = gate_curve(limen.get("geglu"))
    assert curve.inputs == ("x",)
    x = np.linspace(-3, 3, 50)
    assert np.array_equal(curve(x), limen.get("gelu")(x))
    own = gate_curve(limen.activation("value * (beta * gate + sin(gate))", beta=2.0))
    assert np.allclose(own(x), 2 * x + np.sin(x), rtol=1e-15)


@pytest.mark.parametrize(
    "formula", ["sigmoid(gate) + value", "maximum(gate, value)", "gate * value**2"]
)
def test_a_gated_function_that_is_no_product_has_no_table(formula: str) -> None:
    with pytest.raises(LimenError, match="two inputs"):
        tune(limen.activation(formula))


@pytest.mark.parametrize("formula", ["x", "relu(x)", "hardswish(x)", "x * abs(x) + 1"])
@pytest.mark.parametrize("order", [0, 1])
def test_of_straight_pieces_no_table_is_made(formula: str, order: int) -> None:
    with pytest.raises(LimenError, match="about as fast as a copy"):
        tune(limen.activation(formula), order)


@needs_avx512
def test_gradients_of_a_gate_wait_for_the_table_of_its_value() -> None:
    f = limen.activation("value * tanh(gate)")
    table = _Made(limen.get("tanh"), 1)
    with pytest.raises(LimenError, match="table of its value first"):
        _Made(f, 1).trials(lay(table.target, Grid.over(0.0, 9.5, 64), PLAIN, 0.9).table)
