"""What a caller may do with an activation function: values, gradients, layouts, dtypes, errors."""

from __future__ import annotations

import copy
import json
import math
import pickle
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import limen
from limen.binding import Binding
from limen.errors import DtypeError, FormulaError, ShapeError, UnknownNameError
from limen.record import Record, describe_function, restore_function

SILU = limen.get("silu")
GATED = limen.get("swiglu")
DTYPES = [np.float64, np.float32, np.float16, ml_dtypes.bfloat16]


def silu64(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_output_keeps_shape_and_dtype(dtype: type) -> None:
    x = np.linspace(-4, 4, 60).reshape(3, 4, 5).astype(dtype)
    y = SILU(x)
    assert y.shape == x.shape and y.dtype == x.dtype
    np.testing.assert_allclose(
        y.astype(float), silu64(x.astype(float)), rtol=2 * float(ml_dtypes.finfo(dtype).eps)
    )


@pytest.mark.parametrize("value", [1, 1.0, True, np.int32(1), [1], [[1.0]], np.array([1], "u1")])
def test_numbers_lists_and_integers_become_float64(value: object) -> None:
    y = SILU(value)
    assert y.dtype == np.float64
    assert np.shape(y) == np.shape(value)
    assert np.ravel(y)[0] == pytest.approx(0.7310585786300049, rel=1e-15)


def test_scalar_in_scalar_out() -> None:
    assert isinstance(SILU(1.0), np.float64)
    assert isinstance(SILU(np.float32(1.0)), np.float32)
    assert isinstance(SILU(np.array(1.0)), np.float64)
    assert isinstance(SILU.backward(1.0, 1.0), np.float64)


@pytest.mark.parametrize("value", [1j, "x", None, np.array([object()]), np.longdouble(1)])
def test_other_data_is_refused(value: object) -> None:
    with pytest.raises(DtypeError, match="float64, float32, float16 and bfloat16"):
        SILU(value)


def layouts() -> dict[str, np.ndarray]:
    base = np.linspace(-5, 5, 240).reshape(4, 6, 10)
    read_only = base.copy()
    read_only.flags.writeable = False
    return {
        "contiguous": base.copy(),
        "fortran": np.asfortranarray(base),
        "transposed": base.transpose(2, 0, 1),
        "strided": base[:, ::2, ::3],
        "negative": base[::-1, :, ::-1],
        "broadcast": np.broadcast_to(base[0, 0], (3, 10)),
        "read-only": read_only,
        "empty": base[:0],
        "zero-dimensional": base[0, 0, 0:1].reshape(()),
        "big-endian": base.astype(">f8"),
        "unaligned": np.frombuffer(b"\0" + base.tobytes(), dtype=np.uint8)[1:].view("f8"),
    }


@pytest.mark.parametrize("name", list(layouts()))
def test_any_layout_gives_the_same_numbers(name: str) -> None:
    x = layouts()[name]
    expected = SILU(np.ascontiguousarray(x).astype(float))
    np.testing.assert_array_equal(SILU(x), expected)
    flow = np.full(x.shape, 2.0)
    slope = SILU.backward(2.0, np.ascontiguousarray(x).astype(float))
    np.testing.assert_array_equal(SILU.backward(flow, x), slope)


@pytest.mark.parametrize("name", ["contiguous", "fortran", "transposed"])
def test_output_keeps_the_memory_order(name: str) -> None:
    x = layouts()[name]
    assert SILU(x).strides == x.strides


@pytest.mark.parametrize("name", ["contiguous", "fortran", "transposed", "strided", "negative"])
def test_in_place_gives_the_same_bits(name: str) -> None:
    x = layouts()[name]
    expected = SILU(x)
    assert SILU(x, out=x) is x
    np.testing.assert_array_equal(x, expected)


def test_backward_in_place_on_either_array() -> None:
    x, g = np.linspace(-3, 3, 10_001), np.linspace(1, 2, 10_001)
    expected = SILU.backward(g, x)
    for target in (0, 1):
        arrays = [g.copy(), x.copy()]
        assert SILU.backward(*arrays, out=arrays[target]) is arrays[target]
        np.testing.assert_array_equal(arrays[target], expected)


@pytest.mark.parametrize("shift", [1, 7, -1, -4096])
def test_out_that_overlaps_its_input(shift: int) -> None:
    buffer = np.linspace(-3, 3, 200_000)
    start = max(shift, 0)
    x, out = buffer[5000:190_000], buffer[5000 + shift : 190_000 + shift]
    expected = SILU(x.copy())
    SILU(x, out=out)
    np.testing.assert_array_equal(out, expected)
    assert start >= 0


def test_out_must_fit() -> None:
    x = np.zeros(3, np.float32)
    with pytest.raises(DtypeError, match="out has dtype float64, the result has float32"):
        SILU(x, out=np.zeros(3))
    with pytest.raises(ShapeError, match=r"\(4,\), the result has \(3,\)"):
        SILU(x, out=np.zeros(4, np.float32))
    frozen = np.zeros(3, np.float32)
    frozen.flags.writeable = False
    with pytest.raises(ShapeError, match="read-only"):
        SILU(x, out=frozen)
    with pytest.raises(DtypeError, match="must be a NumPy array"):
        SILU(x, out=[0, 0, 0])


def test_size_does_not_change_an_element() -> None:
    x = np.random.default_rng(1).standard_normal(300_001).astype(np.float32)
    whole = SILU(x)
    for start in (0, 1, 17, 299_990):
        part = x[start : start + 9]
        np.testing.assert_array_equal(SILU(part), whole[start : start + 9])


def test_gated_functions_take_and_return_pairs() -> None:
    gate, value = np.array([-1.0, 0.0, 2.0]), np.array([3.0, 4.0, 5.0])
    np.testing.assert_allclose(GATED(gate, value), silu64(gate) * value, rtol=1e-15)
    by_gate, by_value = GATED.backward(np.ones(3), gate, value)
    np.testing.assert_allclose(by_value, silu64(gate), rtol=1e-15)
    np.testing.assert_array_equal(by_gate, GATED.derivative("gate")(gate, value))
    out = (np.empty(3), np.empty(3))
    assert GATED.backward(np.ones(3), gate, value, out=out)[1] is out[1]


def test_gated_inputs_broadcast_and_promote() -> None:
    y = GATED(np.ones((3, 1), np.float32), np.ones(4))
    assert y.shape == (3, 4) and y.dtype == np.float64
    with pytest.raises(ShapeError, match=r"gate \(3,\), value \(4,\)"):
        GATED(np.ones(3), np.ones(4))
    with pytest.raises(TypeError, match="takes gate and value: 2 arrays, got 1"):
        GATED(np.ones(3))


def test_grad_output_broadcasts_but_never_widens() -> None:
    x = np.ones((2, 3))
    assert SILU.backward(1.0, x).shape == (2, 3)
    with pytest.raises(ShapeError, match=r"\(4,\), the input of silu has \(2, 3\)"):
        SILU.backward(np.ones(4), x)


def test_parameter_gradients() -> None:
    swish = limen.get("swish", beta=1.5)
    x, g = np.linspace(-3, 3, 1000), np.linspace(0, 1, 1000)
    grad_input, sums = swish.backward(g, x, parameters=True)
    np.testing.assert_array_equal(grad_input, swish.backward(g, x))
    expected = math.fsum(g * swish.derivative("beta")(x))
    assert sums == {"beta": pytest.approx(expected, rel=1e-14)}
    step = 1e-6
    up, down = (np.sum(g * limen.get("swish", beta=1.5 + s)(x)) for s in (step, -step))
    assert sums["beta"] == pytest.approx((up - down) / (2 * step), rel=1e-7)


def test_derivatives_of_any_order() -> None:
    sine = limen.get("sine")
    x = np.linspace(-2, 2, 9)
    for order, expected in enumerate([np.sin, np.cos, lambda t: -np.sin(t), lambda t: -np.cos(t)]):
        np.testing.assert_allclose(sine.derivative(order)(x), expected(x), rtol=1e-14, atol=1e-16)
    assert limen.get("relu").derivative(2)(3.0) == 0
    with pytest.raises(FormulaError, match="0 or more"):
        sine.derivative(-1)
    with pytest.raises(UnknownNameError, match="neither input nor parameter 'beta'"):
        sine.derivative("beta")


def test_kinks_can_be_chosen() -> None:
    assert limen.get("relu").derivative()(0.0) == 1
    assert limen.get("relu", at_kinks=0.0).backward(2.0, 0.0) == 0
    halves = limen.get("hardtanh", at_kinks={-1.0: 0.5, 1.0: 0.25})
    np.testing.assert_array_equal(halves.derivative()([-1.0, 0.0, 1.0]), [0.5, 1, 0.25])


def test_surrogate_takes_over_the_backward_pass() -> None:
    step = limen.get("heaviside").surrogate("arctan")
    x = np.array([-1.0, 0.0, 3.0])
    np.testing.assert_array_equal(step(x), [0, 1, 1])
    np.testing.assert_allclose(step.backward(1.0, x), 1 / (1 + x * x), rtol=1e-15)
    assert "arctan" in repr(step)


def test_blocked_neurons_hand_nothing_on() -> None:
    flow = np.array([np.inf, np.nan, 1.0])
    np.testing.assert_array_equal(limen.get("relu").backward(flow, [-1.0, -1.0, -1.0]), [0, 0, 0])


def test_functions_compare_copy_and_pickle() -> None:
    for f in (SILU, limen.get("swish", beta=2.0), limen.get("relu", at_kinks={0.0: 0.5}), GATED):
        assert f == copy.deepcopy(f) == pickle.loads(pickle.dumps(f))
        assert hash(f) == hash(copy.copy(f))
    assert limen.get("swish") != limen.get("swish", beta=2.0)


def test_names_get_and_register() -> None:
    assert {"gelu", "mish", "logistic"} <= set(limen.names())
    assert limen.names("sigm")
    assert limen.get("sigmoid") == limen.get("logistic")
    with pytest.raises(UnknownNameError, match=r"did you mean .*'gelu'"):
        limen.get("gleu")
    own = limen.register(limen.activation("x * exp(-x**2)", name="wavelet_for_this_test"))
    assert limen.get("wavelet_for_this_test") is own
    assert limen.activation("2 * wavelet_for_this_test(x)")(1.0) == 2 * own(1.0)
    with pytest.raises(FormulaError, match="taken by the catalogue"):
        limen.register(limen.activation("x", name="gelu"))
    for name in ("x * x", "exp", "x", "lambda"):
        with pytest.raises(FormulaError, match="cannot be called in a formula"):
            limen.register(limen.activation("x * x"), name=name)


def test_source_is_readable_and_names_what_it_is() -> None:
    source = limen.get("mish").source("backward")
    assert "generated by limen from x * tanh(softplus(x))" in source
    assert "for i in range(" in source and "decay(abs_" in source
    with pytest.raises(UnknownNameError, match="forward or backward"):
        limen.get("mish").source("sideways")


def test_a_function_at_its_own_numbers_has_them_in_its_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aptx = limen.get("aptx")
    monkeypatch.setenv("LIMEN_TIER", "general")
    assert "alpha" not in aptx.source().split("def kernel")[1]
    assert "float32(where_2 * sigmoid_1)" in aptx.source()
    assert limen.get("aptx", alpha=1.0) is aptx and limen.get("aptx", alpha=1) is aptx
    assert limen.get("threshold", replacement=-0.0) is not limen.get("threshold")
    # One of many shares its kernel, whatever the numbers; there they are arguments.
    moved = aptx.with_parameters(alpha=1.0)
    assert "(x_array, out, alpha, beta, gamma," in moved.source()
    monkeypatch.delenv("LIMEN_TIER")  # what is called keeps its kernels, for other tests too
    x = np.linspace(-9, 9, 10_001, dtype=np.float32)
    np.testing.assert_array_max_ulp(aptx(x), moved(x), 1)
    np.testing.assert_array_max_ulp(aptx.backward(x, x), moved.backward(x, x), 1)
    np.testing.assert_allclose(
        aptx.derivative("alpha")(x), moved.derivative("alpha")(x), rtol=1e-6, atol=0
    )


@pytest.mark.parametrize("name", [n for n in limen.names() if limen.get(n).parameters])
def test_a_function_that_was_kept_has_the_same_kernels(name: str) -> None:
    f = limen.get(name)
    described = json.loads(json.dumps(describe_function(f)))
    restored = [restore_function(Record(described, "a record")), pickle.loads(pickle.dumps(f))]
    for other in restored:
        assert other == f
        for direction in ("forward", "backward"):
            assert other.source(direction) == f.source(direction)
    described["parameters"] = dict.fromkeys(described["parameters"], 0.375)
    moved = restore_function(Record(described, "a record"))
    assert not Binding.of(moved).is_closed


def test_numpy_numbers_are_parameter_values() -> None:
    for beta in (np.float32(2), np.int64(2), np.float64(2)):
        assert limen.get("swish", beta=beta).parameters == {"beta": 2.0}


def test_overflow_inside_is_seen() -> None:
    x = np.array([400.0, 1e5], np.float32)
    np.testing.assert_allclose(limen.activation("log(cosh(x))")(x[:1]), 400 - np.log(2), rtol=1e-7)
    assert limen.activation("log(exp(x) + exp(-x))")(x)[1] > 1e4  # infinite, never a small number


def test_a_formula_too_long_to_print_still_computes() -> None:
    @limen.activation
    def deep(x):  # type: ignore[no-untyped-def]
        for _ in range(20):
            x = x * x
        return x

    assert deep(1.0) == 1.0
    assert len(repr(deep)) < 3000


def test_objects_show_themselves() -> None:
    swish = limen.get("swish")
    assert repr(swish) == "<swish(x, beta=1) = x * sigmoid(beta * x)>"
    assert swish._repr_latex_().startswith("$")
    card = limen.activation("where(x < 0, 0, x)", name="<script>")._repr_html_()
    assert "<script>" not in card and "<svg" in card and "lipschitz" in card


def test_kinks_move_with_the_parameters() -> None:
    shrink = limen.get("hardshrink", at_kinks=7.0)
    x = np.array([-1.0, -0.5, 0.5, 1.0])
    for lambd, expected in ((0.5, [1.0, 7.0, 7.0, 1.0]), (1.0, [7.0, 0.0, 0.0, 7.0])):
        moved = shrink.with_parameters(lambd=lambd)
        np.testing.assert_array_equal(moved.backward(1.0, x), expected)


def test_one_of_many_has_its_own_limits() -> None:
    growth = limen.activation("exp(a * x) * exp(-x)", a=1.0)
    ends = np.array([-np.inf, np.inf])
    for a, expected in ((2.0, [0.0, np.inf]), (0.5, [np.inf, 0.0]), (1.0, [1.0, 1.0])):
        np.testing.assert_array_equal(growth.with_parameters(a=a)(ends), expected)


def test_a_surrogate_leaves_the_derivative_by_a_parameter_alone() -> None:
    swish = limen.get("swish")
    other = swish.surrogate(limen.get("swish", beta=3.0))
    x = np.array([-1.0, 0.5, 2.0])
    np.testing.assert_array_equal(other.derivative("beta")(x), swish.derivative("beta")(x))
    assert other.derivative().parameters == {"beta": 3.0}


def test_each_gradient_of_a_gated_function_has_its_own_array() -> None:
    swiglu, x = limen.get("swiglu"), np.ones(3)
    for _ in range(3):  # the quick way is open then
        swiglu.backward(x, x, x)
    for out in (np.empty(3), (x, x), (np.empty(3),)):
        with pytest.raises(ShapeError, match="2 arrays"):
            swiglu.backward(x, x, x, out=out)


def test_a_mask_is_not_lost() -> None:
    silu, x = limen.get("silu"), np.ma.array([1.0, 2.0], mask=[True, False])
    for call in (
        lambda: silu(x),
        lambda: silu(x, out=np.empty(2)),
        lambda: silu.backward(1.0, x),
        lambda: silu.backward(x, x.data),
        lambda: limen.get("swiglu")(x.data, x),
        lambda: limen.softmax(x),
    ):
        with pytest.raises(DtypeError, match=r"mask=\.\.\."):
            call()
    nothing_masked = np.ma.array([1.0, 2.0])
    np.testing.assert_array_equal(silu(nothing_masked), silu(x.data))
    out = np.empty(2)
    silu(nothing_masked, out=out)
    np.testing.assert_array_equal(out, silu(x.data))


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("GELU", "'gelu'"),
        ("LeakyReLU", "'leaky_relu'"),
        ("softmax", "whole row"),
        ("x * x", "limen.activation"),
    ],
)
def test_what_is_no_name_gets_what_is(name: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=near):
        limen.get(name)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: limen.get(f), "a name such as 'gelu'"),
        (lambda f: limen.names(3), "part of a name"),
        (lambda f: limen.register("mish"), "an activation function"),
        (lambda f: limen.activation("x * x", name=3), "name is text"),
        (lambda f: f.surrogate(None), "a function or the name of one"),
        (lambda f: f.derivative(1.5), "its order"),
        (lambda f: f.derivative(None), "its order"),
        (lambda f: f(x=1.0), r"by position: mish\(x\)"),
    ],
)
def test_arguments_of_another_type_are_said(call: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call(limen.get("mish"))


def test_a_function_is_one_already() -> None:
    with pytest.raises(FormulaError, match="mish is an activation function already"):
        limen.activation(limen.get("mish"))


@pytest.mark.parametrize("constant", ["sqrt(-1)", "log(0)", "exp(1000)", "1e308 * 10", "10**400"])
def test_a_part_that_is_no_finite_number_is_refused(constant: str) -> None:
    for formula in (f"x * ({constant})", f"where(x < {constant}, x, 1)", constant):
        with pytest.raises(FormulaError, match=r"no real number|binary64 can hold"):
            limen.activation(formula)
    assert limen.activation("exp(1000) * exp(-1000) * x")(3.0) == 3.0
    assert np.isnan(limen.activation("x * sqrt(a)", a=-1.0)(3.0))  # a parameter may become any


def test_a_constant_that_rewriting_makes_too_large_is_said() -> None:
    with pytest.raises(FormulaError, match=r"about 1.0e\+400"):
        limen.activation("(1e200 * x)**2")(1.0)


def test_a_curve_with_infinite_stretches_is_drawn_quietly() -> None:
    assert "svg" in limen.activation("exp(1000 * x)")._repr_html_()  # warnings are errors


def test_what_is_no_array_is_said() -> None:
    with pytest.raises(ShapeError, match=r"x is no array: .*inhomogeneous"):
        SILU([[1.0, 2.0], [3.0]])
