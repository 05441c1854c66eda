"""Where plain arithmetic would fail: beside roots, at infinity, where squares overflow."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import limen
from limen.certify.measure import FORMATS, ulp_error
from limen.certify.reference import Reference
from limen.formula.expression import input_
from limen.formula.parse import parse
from limen.formula.real import value
from limen.kernels import cache
from limen.kernels.edges import far_limits, known_limits
from limen.kernels.infinity import Limits, with_own_limits
from limen.kernels.plan import LIMIT_NAMES, forward_plan, lower


def neighbours(x: float, dtype: type, reach: int) -> np.ndarray:
    found = [np.array(x, dtype)]
    for _ in range(reach):
        found.insert(0, np.nextafter(found[0], dtype(-np.inf)))
        found.append(np.nextafter(found[-1], dtype(np.inf)))
    return np.array(found, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["silu", "mish", "gelu", "serf"])
def test_derivatives_keep_their_digits_beside_their_roots(name: str, dtype: type) -> None:
    f = limen.get(name)
    (lowest,) = f.extrema
    x = neighbours(lowest.x, dtype, 40)
    form = FORMATS[np.dtype(dtype).name]
    reference = Reference(f.expression, order=1)
    exact = [reference.enclose(float(point), format_=form)[1] for point in x]
    for computed in (f.derivative()(x), f.backward(np.ones_like(x), x)):
        errors = [ulp_error(float(c), e, form) for c, e in zip(computed, exact, strict=True)]
        assert max(errors) <= 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("formula", "low", "high"),
    [
        ("x / sqrt(1 + x**2)", -1.0, 1.0),
        ("x * tanh(exp(x))", -0.0, math.inf),
        ("exp(x) / (exp(x) + 2)", 0.0, 1.0),
        ("0.5 * x * (1 + tanh(0.79 * (x + 0.045 * x**3)))", -0.0, math.inf),
        ("exp(-x**2) * (4 * x**2 - 2)", 0.0, 0.0),
        ("sin(x)", math.nan, math.nan),
        ("x + sin(x)**2", -math.inf, math.inf),
    ],
)
def test_limits_and_what_lies_before_them(
    formula: str, low: float, high: float, dtype: type
) -> None:
    f = limen.activation(formula)
    at = f(np.array([-np.inf, np.inf], dtype))
    np.testing.assert_array_equal(at, np.array([low, high], dtype))
    assert [math.copysign(1, v) for v in at if v == 0] == [
        math.copysign(1, v) for v in (low, high) if v == 0
    ]
    largest = float(np.finfo(dtype).max)
    far = f(np.array([-largest / 4, -1e30, 1e30, largest / 4], dtype))
    assert not np.isnan(far).any()
    if math.isfinite(low) and math.isfinite(high):
        np.testing.assert_allclose(far, np.array([low, low, high, high], dtype), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_numerator_that_overflows_first_does_not_show(dtype: type) -> None:
    f = limen.activation("log(exp(x) + exp(2 * x) + 1)").derivative()  # a quotient that goes to 2
    x = np.linspace(300, 800, 5001).astype(dtype)
    np.testing.assert_array_equal(f(x), np.full_like(x, 2))
    assert limen.activation("exp(2 * x) / (1 + exp(x))")(np.array([1000], dtype)) == np.inf


@pytest.mark.parametrize("size", [1e153, 1e155, 1e200, 1e300])
def test_squares_do_not_overflow_under_a_root(size: float) -> None:
    x = np.array([-size, size])
    np.testing.assert_array_equal(limen.get("isru")(x), [-1, 1])
    np.testing.assert_array_equal(limen.get("bent_identity")(x), [-size / 2, 1.5 * size])
    np.testing.assert_allclose(limen.get("squareplus")(x), [1 / size, size], rtol=1e-15)
    np.testing.assert_array_equal(limen.get("bent_identity").derivative()(x), [0.5, 1.5])


def test_exact_functions_need_no_guard() -> None:
    for formula, guarded in [("where(x < 0, 0, x)", False), ("x * sigmoid(x)", True)]:
        plan = forward_plan(parse(formula), ("x",), {})
        assert plan.is_guarded is guarded
        assert (plan.parameters[-2:] == LIMIT_NAMES) is guarded


def test_one_of_many_shares_its_kernel_and_finds_its_limits() -> None:
    swish = limen.get("swish")
    up, down = swish.with_parameters(beta=2.5), swish.with_parameters(beta=-2.5)
    assert (
        up._binding.kernel("forward", "float32")[0]
        is (down._binding.kernel("forward", "float32")[0])
    )
    np.testing.assert_array_equal(up([-np.inf, np.inf]), [0, np.inf])
    np.testing.assert_array_equal(down([-np.inf, np.inf]), [-np.inf, 0])
    elu = limen.get("elu")
    for alpha in (0.5, 2.0):
        assert elu.with_parameters(alpha=alpha)(-np.inf) == -alpha


@pytest.mark.parametrize("name", ["swish", "elu", "softplus", "snake", "aptx", "isru"])
def test_values_far_out_show_what_the_analysis_proves(name: str) -> None:
    f = limen.get(name)
    far = far_limits(f.expression, "x", f.parameters)
    if far is not None:
        assert far == known_limits(f.expression, "x", f.parameters)


@pytest.mark.parametrize("name", ["hardswish", "hard_mish", "gelu"])
def test_products_do_not_overflow_before_their_small_factor(name: str) -> None:
    x = np.array([3e307, 9e307, 1.7e308])
    np.testing.assert_array_equal(limen.get(name)(x), x)
    np.testing.assert_array_equal(limen.get(name).backward(1.0, x), 1.0)


def test_a_gate_does_not_overflow_before_its_half() -> None:
    assert limen.get("geglu")(1e308, 1.5) == 1.5e308


@pytest.mark.parametrize("slope", [0.01, -0.5, 0.0, 1e-300, -1e300])
def test_pieces_with_parameters_need_no_guard_at_infinity(slope: float) -> None:
    f = limen.get("leaky_relu", negative_slope=slope)
    assert "absolute" not in f.source()
    x = np.array([-np.inf, np.inf, np.nan, -0.0], np.float32)
    low = -0.0 if slope == 0 else math.copysign(math.inf, -slope)
    np.testing.assert_array_equal(f(x), np.array([low, np.inf, np.nan, -0.0], np.float32))
    assert np.signbit(f(x)[0]) == (low < 0 or slope == 0)


@pytest.mark.parametrize(
    ("formula", "low", "high"),
    [
        ("x * clip(x + 3, 0, 6) / 6", -0.0, math.inf),
        ("x * clip(1 - x, -1, 1)", -math.inf, -math.inf),
        ("x**2 - x**3", math.inf, -math.inf),
        ("x * where(x < 0, 0, x - 2)", -0.0, math.inf),
        # Pieces that only begin, and terms that only win, beyond every finite input.
        ("x * where(x < 10**70, 0, 1)", -0.0, math.inf),
        ("x**2 / 10**90 - x", math.inf, math.inf),
    ],
)
def test_polynomial_pieces_have_their_limits(formula: str, low: float, high: float) -> None:
    f = limen.activation(formula)
    at = f(np.array([-np.inf, np.inf, np.nan], np.float32))
    np.testing.assert_array_equal(at, np.array([low, high, np.nan], np.float32))


def test_only_a_form_that_has_its_limits_by_itself_goes_without_a_guard() -> None:
    x = input_("x")
    assert with_own_limits(parse("x * clip(x + 3, 0, 6) / 6"), x, Limits()) is None  # not lowered
    for formula, is_held in [
        ("x * where(x < 0, 0, x)", True),
        ("x * where(x < 10**50, 0, 1)", False),
        ("x * clip(x + 3, 0, 6)", True),
        ("x * clip(x * (1 - x / 10**72), 0, 6)", False),
        ("x * clip(x * (1 - x / 10**120), 0, 6)", False),
        ("x**2 / 10**90 - x", False),
    ]:
        held = with_own_limits(lower(parse(formula)), x, Limits())
        assert (held is not None) is is_held, formula


@pytest.mark.parametrize(
    ("formula", "limits", "is_held"),
    [
        ("x * sigmoid(x)", Limits(-0.0, math.inf), True),
        ("x * sigmoid(x)", Limits(0.0, math.inf), False),  # it gives -0
        ("x * sigmoid(x)", Limits(-0.0, math.inf, is_factor=True), False),  # infinity is not 2**200
        ("sigmoid(x)", Limits(0.0, 1.0, is_factor=True), True),
        ("-sigmoid(x)", Limits(0.0, -1.0, is_factor=True), True),
        ("1 / (1 + x**2)", Limits(0.0, 0.0), True),
        ("1 / (1 + x**2)", Limits(0.0, 0.0, is_factor=True), False),  # 2**-400 is not 0
        ("x * sigmoid(x)", Limits(-0.0, None), False),
        ("x * sigmoid(x)", Limits(-0.0, 1.0), False),
        ("log(2 + x**2)", Limits(math.inf, math.inf), False),  # 277 at 2**200
        ("atan(x)", Limits(-math.pi / 2, math.pi / 2), True),
        ("sin(x)", Limits(None, None), False),
    ],
)
def test_an_input_that_stops_far_out_stands_in_for_a_guard(
    formula: str, limits: Limits, is_held: bool
) -> None:
    x = input_("x")
    held = with_own_limits(lower(parse(formula)), x, limits)
    assert (held is not None) is is_held
    if held is not None:
        for side, limit in ((-math.inf, limits.low), (math.inf, limits.high)):
            with np.errstate(over="ignore"):
                stored = np.float32(value(held, {"x": side}))
            assert stored == np.float32(limit)
            assert np.signbit(stored) == np.signbit(limit) or limits.is_factor
        assert math.isnan(value(held, {"x": math.nan}))


def test_a_product_with_a_choice_of_0_or_1_is_a_choice() -> None:
    chosen = lower(parse("x * where(x < 0, 0, 1)"))
    assert chosen is lower(parse("where(x < 0, 0, x)"))
    kept = lower(parse("x * where(x > 0, 1, 0)"))  # as a choice, it would lose NaN
    assert kept.operation == "multiply"


def test_a_choice_that_all_finite_inputs_make_alike_still_serves_nan() -> None:
    f = limen.activation("sigmoid(where(abs(x) < 10**100, 1, x))")
    found = f(np.array([np.nan, 3.0], np.float32))
    np.testing.assert_array_equal(found, np.array([np.nan, 1 / (1 + math.exp(-1))], np.float32))


GRADIENTS = [math.inf, -math.inf, math.nan, 3e38, 1e-38, -0.0, 0.0, 1.0]


@pytest.mark.parametrize("name", ["arctan", "softsign", "isru", "squareplus", "tanh", "heaviside"])
def test_a_neuron_blocked_at_infinity_hands_nothing_on(name: str) -> None:
    f = limen.get(name)
    slopes = f.derivative().limits
    for side, slope in zip((-np.inf, np.inf), slopes, strict=True):
        if slope == 0:
            x = np.full(len(GRADIENTS), side, np.float32)
            found = f.backward(np.array(GRADIENTS, np.float32), x)
            np.testing.assert_array_equal(found, np.zeros_like(x))


@pytest.mark.parametrize(
    ("formula", "grad_output", "expected"),
    [
        ("log(2 + abs(x))", 3e38, 0.0),  # a slope that goes to 0 slowly
        ("x**2 * sigmoid(x)", 1e-38, math.inf),  # one that grows
        ("x * sigmoid(x)", math.inf, math.inf),
    ],
)
def test_a_slope_at_infinity_is_its_limit(
    formula: str, grad_output: float, expected: float
) -> None:
    f = limen.activation(formula)
    x, g = np.float32([np.inf]), np.float32([grad_output])
    assert f.backward(g, x)[0] == expected


def test_a_parameters_gradient_at_infinity_is_its_limit() -> None:
    f = limen.activation("a * x * sigmoid(x)", a=1.0)
    x = np.float32([np.inf])
    *_, gradients = f.backward(np.float32([1.0]), x, parameters=True)
    assert gradients["a"] == math.inf


@pytest.mark.parametrize(
    "formula",
    ["where(x < 0, sqrt(-1 - x**2), x)", "sqrt(-2 - tanh(x))", "x / sqrt(-1 - x**2)"],
)
def test_a_root_of_a_negative_number_is_nan(formula: str) -> None:
    assert np.isnan(limen.activation(formula)(np.float32([-2.0]))).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_root_that_ends_somewhere(dtype: type) -> None:
    x = np.array([0.0, 1.0, 3.0, np.inf], dtype)
    np.testing.assert_array_equal(limen.activation("sqrt(4 - x**2)")(x)[:1], [2.0])
    assert np.isnan(limen.activation("x / sqrt(4 - x**2)")(x)[2:]).all()
    f = limen.activation("sqrt(1 + b * x**2)", b=-1.0)
    np.testing.assert_array_equal(f(x), np.array([1.0, 0.0, np.nan, np.nan], dtype))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize(
    ("formula", "parameters"),
    [
        ("x * 0.1 + x / 3", {}),
        ("x / b", {"b": 0.1}),
        ("x * a + x / b", {"a": 0.1, "b": 3.0}),
        ("x / a / (1 + abs(x / a))", {"a": 0.1}),
        ("x * exp(a)", {"a": 0.1}),
    ],
)
def test_multiples_that_no_float_is(formula: str, parameters: dict, dtype: str) -> None:
    x = np.linspace(-4, 4, 33, dtype=dtype)
    f = limen.activation(formula, **parameters)
    np.testing.assert_array_equal(f(x), f(x.astype(np.float64)).astype(dtype))


@pytest.mark.parametrize("first", ["parameter", "number"])
def test_windows_belong_to_the_form_that_is_computed(
    first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is remembered of one form does not serve the other, whichever comes first."""
    monkeypatch.setenv("LIMEN_CACHE_DIR", str(tmp_path))
    cache.folder.cache_clear()
    functions = [
        limen.activation("sigmoid(x) + b * (1 + x / sqrt(1 + x**2))", b=3.0),
        limen.activation("sigmoid(x) + 3 * (1 + x / sqrt(1 + x**2))"),
    ]
    for f in functions if first == "parameter" else functions[::-1]:
        np.testing.assert_allclose(f(np.float32([-1e8])), [1.5e-16], rtol=1e-6)
    cache.folder.cache_clear()
