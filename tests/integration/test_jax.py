"""limen.jax against limen's own kernels, and under what JAX does to functions.

Values are computed in the input's format, step by step, where kernels compute in twice its digits.
What is allowed for that:

- 2e-6 of the value, and 3e-7 more for each unit of the logarithm of a value below 1: a small value
  is the exponential of a large number, and has that number's rounding error;
- between -10 and 10, where the roots of derivatives are, 2e-7 besides;
- far out, 1e-33 besides: XLA rounds what is below 1.2e-38 to 0, and powers of x multiply that 0
  (they are below 1e5 wherever an exponential has not vanished), and 2e-7 where it oscillates.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import limen
from limen.decomposition import decomposed
from limen.errors import DtypeError, FormulaError, ShapeError, UnknownNameError

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

import limen.jax as lj  # noqa: E402

PLAIN = [name for name in limen.names() if not limen.get(name).is_gated]
GATED = [name for name in limen.names() if limen.get(name).is_gated]
PARAMETRIC = [(name, by) for name in PLAIN for by in limen.get(name).parameters]
OSCILLATING = {"sine", "snake"}

random = np.random.default_rng(0)
SIGNS = random.choice([-1.0, 1.0], 1500)
ORDINARY = random.normal(0, 3, 4000).clip(-10, 10).astype(np.float32)
FAR = (SIGNS * 10 ** random.uniform(1, 30, 1500)).astype(np.float32)
NEAR_FAR = (SIGNS * random.uniform(10, 200, 1500)).astype(np.float32)
TINY = (SIGNS * 10 ** random.uniform(-30, -2, 1500)).astype(np.float32)
SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], np.float32)
KINDS = {"ordinary": ORDINARY, "far": np.concatenate([NEAR_FAR, FAR]), "tiny": TINY}

# Where float32 steps overflow before the value does: the square of these is infinite, 0.8944 of it
# would not be.
OVERFLOWS = {"star_relu": (1.84e19, 1.96e19)}


def tangent(f: Callable[..., Any]) -> Callable[..., Any]:
    """The derivative, element by element."""
    return lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]


def allowed(exact: np.ndarray, kind: str, name: str = "") -> np.ndarray:
    with np.errstate(divide="ignore"):
        smallness = np.maximum(0, -np.log(np.maximum(np.abs(exact), 1e-40)))
    besides = {"ordinary": 2e-7, "far": 2e-7 if name in OSCILLATING else 1e-33, "tiny": 1e-36}
    return np.abs(exact) * (2e-6 + 3e-7 * smallness) + besides[kind]


def check(found: Any, exact: np.ndarray, kind: str, what: str, name: str = "") -> None:
    found = np.asarray(found, np.float64)
    with np.errstate(invalid="ignore"):
        is_close = np.abs(found - exact) <= allowed(exact, kind, name)
    wrong = np.flatnonzero(~(is_close | (found == exact)))
    assert not wrong.size, f"{what}, {kind}: {found[wrong[:4]]} for {exact[wrong[:4]]}"


# --- Values ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLAIN)
def test_values_and_derivatives_are_those_of_the_kernels(name: str) -> None:
    f = limen.get(name)
    act = lj.activation(name)
    orders = jax.jit(lambda x: (act(x), tangent(act)(x), tangent(tangent(act))(x)))
    inputs = np.concatenate([*KINDS.values(), SPECIAL])
    places = np.cumsum([0, *map(len, KINDS.values())])
    for order, found in enumerate(map(np.asarray, orders(inputs))):
        assert found.dtype == np.float32 and found.shape == inputs.shape
        exact = f.derivative(order)(inputs)
        for kind, low, high in zip(KINDS, places[:-1], places[1:], strict=True):
            x, part, right = inputs[low:high], found[low:high], exact[low:high]
            least, most = OVERFLOWS.get(name, (math.inf, math.inf))
            kept = (x < least) | (x > most)
            check(part[kept], right[kept].astype(np.float64), kind, f"{name}, {order}", name)
        special, right = found[-len(SPECIAL) :], exact[-len(SPECIAL) :]
        np.testing.assert_allclose(special, right, rtol=2e-6, err_msg=f"{name}, {order}")
        if np.array_equal(f.derivative(order)(-ORDINARY), -f.derivative(order)(ORDINARY)):
            np.testing.assert_array_equal(np.signbit(special[:2]), np.signbit(right[:2]))


@pytest.mark.parametrize("name", GATED)
def test_gated_functions(name: str) -> None:
    f, act = limen.get(name), lj.activation(name)
    gate, value = ORDINARY[:600].reshape(200, 3), ORDINARY[600:1200].reshape(200, 3)
    flow = jnp.ones(gate.shape, jnp.float32)
    check(act(gate, value), f(gate, value).astype(np.float64), "ordinary", name)
    _, pull = jax.vjp(act, gate, value)
    for grad, by in zip(pull(flow), f.inputs, strict=True):
        check(grad, f.derivative(by)(gate, value).astype(np.float64), "ordinary", f"{name} {by}")
    hessian = jax.hessian(act, argnums=(0, 1))(0.5, -1.5)
    for i, first in enumerate(f.inputs):
        for j, second in enumerate(f.inputs):
            expected = f.derivative(first).derivative(second)(0.5, -1.5)
            assert float(hessian[i][j]) == pytest.approx(expected, rel=2e-6, abs=2e-7)


def test_gate_and_value_broadcast() -> None:
    act, f = lj.activation("swiglu"), limen.get("swiglu")
    gate, value = ORDINARY[:12].reshape(4, 3), ORDINARY[12:15]
    check(act(gate, value), f(gate, value).astype(np.float64), "ordinary", "swiglu")
    grads = jax.grad(lambda g, v: act(g, v).sum(), argnums=(0, 1))(gate, value)
    assert [grad.shape for grad in grads] == [(4, 3), (3,)]
    slopes = f.derivative("value")(gate, value)
    np.testing.assert_allclose(grads[1], slopes.sum(0), rtol=2e-6, atol=1e-6)


# --- Derivatives ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mish", "gelu", "tanh", "elu"])
def test_every_way_to_differentiate(name: str) -> None:
    f, act = limen.get(name), lj.activation(name)
    x = ORDINARY[:8]
    first, second, third = (f.derivative(n)(x).astype(np.float64) for n in (1, 2, 3))
    check(jax.vmap(jax.grad(act))(x), first, "ordinary", "vmap of grad")
    check(jax.grad(lambda x: jax.vmap(act)(x).sum())(x), first, "ordinary", "grad of vmap")
    check(jax.jit(jax.jacfwd(act))(x), np.diag(first), "ordinary", "jacfwd")
    check(jax.jacrev(jax.jit(act))(x), np.diag(first), "ordinary", "jacrev")
    check(jax.hessian(lambda x: act(x).sum())(x), np.diag(second), "ordinary", "hessian")
    thrice = jax.vmap(jax.grad(jax.grad(jax.grad(act))))
    check(thrice(x), third, "ordinary", "third derivative")
    out, linear = jax.linearize(act, x)
    check(linear(2 * jnp.ones_like(x)), 2 * first, "ordinary", "linearize")
    np.testing.assert_array_equal(out, act(x))
    remat = jax.checkpoint(act, policy=jax.checkpoint_policies.nothing_saveable)
    check(jax.vmap(jax.grad(remat))(x), first, "ordinary", "checkpoint")


def test_derivatives_are_functions_of_their_own_and_not_those_of_the_steps() -> None:
    """JAX derives the steps of softplus as if |x| were flat at 0, and elu's unused exp to NaN."""
    softplus, elu = lj.activation("softplus"), lj.activation("elu")
    steps = [decomposed(act.function, "jax") for act in (softplus, elu)]
    assert jax.grad(steps[0])(0.0) == 0 and np.isnan(jax.grad(steps[1])(100.0))
    assert jax.grad(softplus)(0.0) == 0.5 and jax.grad(elu)(100.0) == 1
    assert jax.grad(jax.grad(lj.activation("mish")))(0.0) == pytest.approx(0.64, rel=2e-6)


def test_choices_at_kinks() -> None:
    x = jnp.array([-1.0, 0.0, 1.0])
    slope = {kinks: lj.activation("relu", at_kinks=kinks) for kinks in (None, 0.0, 0.25)}
    found = {kinks: list(map(float, jax.vmap(jax.grad(act))(x))) for kinks, act in slope.items()}
    assert found == {None: [0, 1, 1], 0.0: [0, 0, 1], 0.25: [0, 0.25, 1]}
    assert float(jax.grad(lj.activation("abs(x)", at_kinks={0: 0.5}))(0.0)) == 0.5


def test_surrogates_take_the_backward_pass_and_only_that() -> None:
    f = limen.get("heaviside").surrogate("arctan")
    act = lj.activation(f)
    x = ORDINARY[:200]
    np.testing.assert_array_equal(act(x), limen.get("heaviside")(x))
    check(tangent(act)(x), f.derivative()(x).astype(np.float64), "ordinary", "surrogate")
    check(tangent(tangent(act))(x), f.derivative(2)(x).astype(np.float64), "ordinary", "second")
    assert not np.any(tangent(lj.activation("heaviside"))(x))


def test_a_surrogate_keeps_parameters_of_its_own() -> None:
    f = limen.activation("where(x < t, 0, 1)", t=0.5).surrogate(limen.get("swish", beta=2.0))
    act = lj.activation(f)
    by_x = jax.grad(lambda x: act(x, t=jnp.float32(0.25)))(1.0)
    assert float(by_x) == pytest.approx(limen.get("swish", beta=2.0).derivative()(1.0), rel=2e-6)
    assert float(jax.grad(lambda t: act(1.0, t=t))(0.25)) == 0.0


def test_no_flow_is_lost_where_the_slope_is_zero() -> None:
    square = lj.activation("x**2")
    assert float(jax.grad(jax.grad(square))(0.0)) == 2.0


def test_derivative_is_an_activation_too() -> None:
    act = lj.activation("swish")
    assert act.derivative(2) == lj.Activation(limen.get("swish").derivative(2))
    x = ORDINARY[:10]
    np.testing.assert_array_equal(act.derivative("x")(x), jax.vmap(jax.grad(act))(x))


# --- Learnable parameters ------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "by"), PARAMETRIC)
def test_gradients_by_parameters(name: str, by: str) -> None:
    act = lj.activation(name)
    default = act.function.parameters[by]
    other = 1.25 * default + 0.125
    f = act.function.with_parameters(**{by: other})
    x = ORDINARY[:500]
    values = jnp.full_like(x, other)
    out, rate = jax.jvp(lambda p: act(x, **{by: p}), (values,), (jnp.ones_like(values),))
    check(out, f(x).astype(np.float64), "ordinary", name)
    # Sums of many steps: by mu and sigma, laplace's slopes have factors of 4 and more.
    exact = f.derivative(by)(x).astype(np.float64)
    np.testing.assert_allclose(rate, exact, rtol=1e-5, atol=5e-6)


def test_a_parameter_for_each_channel() -> None:
    act = lj.activation("swish")
    x, beta = jnp.asarray(ORDINARY[:60].reshape(20, 3)), jnp.array([0.5, 1.0, 2.0])
    out = jax.jit(lambda x, b: act(x, beta=b))(x, beta)
    grads = jax.jit(jax.grad(lambda b: (act(x, beta=b) ** 2).sum()))(beta)
    for channel, value in enumerate(map(float, beta)):
        f, column = limen.get("swish", beta=value), np.asarray(x[:, channel])
        check(out[:, channel], f(column).astype(np.float64), "ordinary", "swish")
        _, slopes = f.backward(2 * f(column), column, parameters=True)
        assert float(grads[channel]) == pytest.approx(slopes["beta"], rel=1e-5)


def test_mixed_derivatives_by_input_and_parameter() -> None:
    act = lj.activation("swish")
    mixed = jax.grad(jax.grad(lambda b, x: act(x, beta=b), argnums=1))(1.5, 0.75)
    expected = limen.get("swish", beta=1.5).derivative("beta").derivative("x")(0.75)
    assert float(mixed) == pytest.approx(expected, rel=5e-6)
    twice = jax.grad(jax.grad(lambda b: act(0.75, beta=b)))(1.5)
    expected = limen.get("swish", beta=1.5).derivative("beta").derivative("beta")(0.75)
    assert float(twice) == pytest.approx(expected, rel=5e-6)


@pytest.mark.parametrize("name", ["swish", "softplus", "isru", "snake", "logish", "squareplus"])
def test_edges_with_learnable_parameters(name: str) -> None:
    act = lj.activation(name)
    (by, *_) = act.function.parameters
    for value in (0.5, 2.0):
        f = act.function.with_parameters(**{by: value})
        learnt = partial(act, **{by: jnp.float32(value)})
        for order, found in enumerate((learnt, tangent(learnt))):
            np.testing.assert_allclose(found(SPECIAL), f.derivative(order)(SPECIAL), rtol=2e-6)


def test_an_exponent_may_be_learnt() -> None:
    act = lj.activation("where(x > 0, x, 0)**n", n=2.0)
    x = jnp.array([0.5, 2.0])
    np.testing.assert_allclose(act(x, n=jnp.float32(3)), [0.125, 8.0], rtol=1e-6)
    rates = jax.jvp(lambda n: act(x, n=n), (jnp.float32(3),), (jnp.float32(1),))[1]
    np.testing.assert_allclose(rates, np.array([0.125, 8]) * np.log([0.5, 2]), rtol=1e-6)


def test_a_number_makes_another_function() -> None:
    act = lj.activation("swish")
    np.testing.assert_array_equal(act(ORDINARY, beta=2), lj.activation("swish", beta=2.0)(ORDINARY))


# --- Types and shapes ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", ["mish", "gelu", "softplus", "bent_identity"])
def test_16_bits_are_computed_in_float32_and_rounded_once(name: str, dtype: str) -> None:
    act = lj.activation(name)
    x = jnp.asarray(ORDINARY, dtype)
    out = act(x)
    assert out.dtype == dtype
    np.testing.assert_array_equal(out, act(x.astype(jnp.float32)).astype(dtype))
    grad = jax.grad(lambda x: act(x).sum())(x)
    slope = tangent(act)(x.astype(jnp.float32)).astype(dtype)
    assert grad.dtype == dtype
    np.testing.assert_array_equal(grad, slope)


def test_a_parameter_of_more_digits_learns_with_its_own() -> None:
    act = lj.activation("swish")
    x, beta = jnp.asarray(ORDINARY[:1000], jnp.bfloat16), jnp.float32(1.0)
    grad = jax.grad(lambda b: act(x, beta=b).sum(dtype=jnp.float32))(beta)
    assert act(x, beta=beta).dtype == jnp.bfloat16 and grad.dtype == jnp.float32
    terms = limen.get("swish").derivative("beta")(np.asarray(x, np.float64))
    # Each term is rounded to 9 bits: half of 2**-8 of their sizes, which add up at the worst.
    assert abs(float(grad) - terms.sum()) < 2.0**-9 * np.abs(terms).sum()


def test_integers_and_weak_types() -> None:
    act = lj.activation("mish")
    for given in (np.arange(3), jnp.arange(3), [0, 1, 2], np.array([False, True, True])):
        assert act(given).dtype == jnp.float32
    assert act(2.0).weak_type and (act(2.0) * jnp.ones(2, jnp.bfloat16)).dtype == jnp.bfloat16
    assert not act(jnp.float32(2)).weak_type
    for name in ("identity", "heaviside", "hardtanh"):
        for order in (0, 1, 2):
            out = lj.activation(name).derivative(order)(jnp.ones((2, 3), jnp.bfloat16))
            assert out.dtype == jnp.bfloat16 and out.shape == (2, 3) and not out.weak_type


def test_empty_and_zero_dimensional_arrays() -> None:
    act = lj.activation("gelu")
    assert act(jnp.zeros((0, 3))).shape == (0, 3) and act(jnp.float32(1)).shape == ()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda act: act(jnp.ones(2) * 1j), DtypeError, "x has dtype complex64; limen computes"),
        (lambda act: act(jnp.ones(2, jnp.float8_e5m2)), DtypeError, "float8_e5m2"),
        (lambda act: act(jnp.ones(2), beta=1j * jnp.ones(2)), DtypeError, "beta has dtype complex"),
        (lambda act: act(jnp.ones(2), beta=jnp.ones(3)), ShapeError, r"x \(2,\), beta \(3,\)"),
        (lambda act: act(jnp.ones(2), beta=jnp.ones((3, 2))), ShapeError, "to the input's shape"),
        (lambda act: act(jnp.ones(2), gamma=jnp.ones(2)), UnknownNameError, "no parameter 'gamma'"),
        (lambda act: act(jnp.ones(2), gamma=2.0), UnknownNameError, "no parameter 'gamma'"),
        (lambda act: act(jnp.ones(2), jnp.ones(2)), TypeError, "swish takes x, got 2 arrays"),
    ],
)
def test_what_does_not_fit_is_refused(call: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        call(lj.activation("swish"))


# --- The object ----------------------------------------------------------------------------------


def test_what_names_a_function() -> None:
    same = [lj.activation("swish", beta=1.5), lj.activation(limen.get("swish"), beta=1.5)]
    assert same[0] == same[1] and hash(same[0]) == hash(same[1])
    assert same[0] != lj.activation("swish") and same[0] != same[0].function
    text = lj.activation("x * sigmoid(a * x)", a=1.5)
    traced = lj.activation(lambda x: x * limen.sigmoid(1.5 * x))
    np.testing.assert_array_equal(text(ORDINARY), traced(ORDINARY))
    assert repr(same[0]) == "limen.jax.Activation(<swish(x, beta=1.5) = x * sigmoid(beta * x)>)"


def test_it_is_a_frozen_pytree_without_leaves() -> None:
    act = lj.activation("mish")
    assert jax.tree.leaves({"act": act}) == []
    with pytest.raises(AttributeError):
        act.function = limen.get("relu")
    calls = []

    @jax.jit
    def through(model: Any, x: Any) -> Any:
        calls.append(model)
        return model["act"](x) * model["scale"]

    for _ in range(2):  # equal, though not the same: one compilation
        through({"act": pickle.loads(pickle.dumps(act)), "scale": 2.0}, 1.0)
    assert len(calls) == 1 and calls[0]["act"] == act


def test_traces_are_named_after_the_function() -> None:
    assert "name=mish" in str(jax.make_jaxpr(lj.activation("mish"))(1.0))


def test_functions_of_numpy_send_tracers_to_limen_jax() -> None:
    for transformed in (jax.jit, jax.grad):
        with pytest.raises(DtypeError, match=r"limen\.jax\.activation"):
            transformed(limen.get("mish"))(1.0)


def test_what_jax_has_compiled_is_no_formula() -> None:
    with pytest.raises(FormulaError, match="tanh is compiled by JAX"):
        lj.activation(jnp.tanh)


@pytest.mark.parametrize("p", [-1.0, 2.0, 3.0, 2.5])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_powers_of_negative_numbers(p: float, order: int) -> None:
    x = np.array([-np.inf, -1000, -300, -40, -2, 0.5, 3, 40, 300, np.inf, np.nan], np.float32)
    f = limen.activation("x**p", p=p).derivative(order)
    g = lj.activation("x**p", p=p).derivative(order)
    for found in (g(x), jax.jit(g)(x), g(x, p=jnp.float32(p))):
        np.testing.assert_allclose(found, f(x), rtol=1e-5)


@pytest.mark.parametrize("c", [300.0, 1000.0])
def test_what_has_no_value_has_none_far_out(c: float) -> None:
    f, g = (way.activation("tanh(log(x - c))", c=c) for way in (limen, lj))
    x = np.array([-500, 35, 257, 299, 500, 999, 1e9, np.inf], np.float32)
    for found in (g(x), g(x, c=jnp.float32(c))):
        np.testing.assert_allclose(found, f(x), rtol=1e-5)
