"""Losses against exact arithmetic: value, flow, certainty, saturation, shapes."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import limen


def test_half_squared_error_by_hand() -> None:
    loss = limen.HalfSquaredError()
    prediction, target = [[1.0, 2.0], [0.0, -1.0]], [[0.0, 4.0], [0.0, 2.0]]
    assert loss(prediction, target) == (0.5 * (1 + 4) + 0.5 * 9) / 2
    assert loss.backward(prediction, target).tolist() == [[0.5, -1.0], [0.0, -1.5]]
    assert loss([3.0, 1.0], [1.0, 0.0]) == 2.5
    assert loss.backward([3.0, 1.0], [1.0, 0.0]).tolist() == [2.0, 1.0]


logits = st.lists(st.floats(-1000, 1000), min_size=2, max_size=5)


@settings(deadline=None, max_examples=80)
@given(row=logits, data=st.data())
def test_cross_entropy_is_exact_to_a_few_units(row: list[float], data: Any) -> None:
    label = data.draw(st.integers(0, len(row) - 1))
    loss = limen.CrossEntropy()
    with mpmath.workdps(1200):
        exponentials = [mpmath.exp(mpmath.mpf(z)) for z in row]
        share = [e / mpmath.fsum(exponentials) for e in exponentials]
        true = -mpmath.log(share[label])
        # A difference of logits is rounded before exp sees it: the error grows with its size.
        shift = 2 * max(map(abs, row))
        bound = (16 + shift) * 2.0**-53
        if true > np.finfo(float).tiny:
            assert abs(mpmath.mpf(loss(row, label)) - true) <= bound * true
        for j, flow in enumerate(loss.backward(row, label)):
            flow_true = share[j] - int(j == label)
            if abs(flow_true) > np.finfo(float).tiny:
                assert abs(mpmath.mpf(float(flow)) - flow_true) <= bound * abs(flow_true)


def test_cross_entropy_where_the_model_is_certain() -> None:
    loss = limen.CrossEntropy()
    assert loss([60.0, 0.0], 0) == pytest.approx(np.exp(-60.0), rel=1e-14, abs=0)
    flow = loss.backward([60.0, 0.0], 0)
    np.testing.assert_allclose(flow, [-np.exp(-60.0), np.exp(-60.0)], rtol=1e-14)
    assert loss([1e4, -1e4], 1) == 2e4
    assert loss.backward([1e4, -1e4], 1).tolist() == [1.0, -1.0]


def test_cross_entropy_of_no_numbers() -> None:
    loss = limen.CrossEntropy()
    for row in ([np.nan, 1.0], [1.0, np.nan], [np.inf, np.inf], [-np.inf, -np.inf]):
        assert np.isnan(loss(row, 0)), row
        assert np.isnan(loss.backward(row, 0)).all(), row
    assert loss([-np.inf, 0.0], 1) == 0
    assert loss([-np.inf, 0.0], 0) == np.inf
    # The first of the largest, as for NumPy; NaN is the largest.
    for row in ([2.0, 5.0, 5.0], [1.0, np.nan, np.nan], [np.nan, 9.0, 1.0], [9.0, 1.0, np.nan]):
        for dtype in (np.float32, np.float64):
            z, label = np.array([row], dtype), np.array([int(np.argmax(row))])
            assert loss.count_correct(z, label) == 1
            model = limen.Model([limen.Activation("identity")], dtype=dtype)
            step = model.training_step(loss, limen.SGD(0.1))
            for _ in range(2):
                assert step.learn(z, label)[1] == 1, row


def test_cross_entropy_targets() -> None:
    loss = limen.CrossEntropy()
    z = np.random.default_rng(0).normal(size=(4, 3))
    labels = np.array([2, 0, 1, 1])
    one_hot = np.eye(3)[labels]
    assert loss(z, labels) == loss(z, one_hot)
    np.testing.assert_array_equal(loss.backward(z, labels), loss.backward(z, one_hot.astype(int)))
    smooth = 0.9 * one_hot + 0.1 / 3
    expected = np.mean(np.log(np.exp(z).sum(axis=1)) - (z * smooth).sum(axis=1))
    assert loss(z, smooth) == pytest.approx(expected, rel=1e-13)
    flow = (np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) - smooth) / 4
    np.testing.assert_allclose(loss.backward(z, smooth), flow, rtol=1e-12, atol=1e-16)


@settings(deadline=None, max_examples=80)
@given(z=st.floats(-800, 800), target=st.sampled_from([0.0, 1.0, 0.25]))
def test_binary_cross_entropy_from_logits_is_exact(z: float, target: float) -> None:
    loss = limen.BinaryCrossEntropy(from_logits=True)
    with mpmath.workdps(800):
        p = 1 / (1 + mpmath.exp(-mpmath.mpf(z)))
        true = -(target * mpmath.log(p) + (1 - target) * mpmath.log(1 - p))
        flow_true = p - mpmath.mpf(target)
        if true > np.finfo(float).tiny:
            assert abs(mpmath.mpf(loss([z], [target])) - true) <= 1e-15 * true
        flow = mpmath.mpf(float(loss.backward([z], [target])[0]))
        scale = abs(flow_true) if target in (0.0, 1.0) else 1
        if abs(flow_true) > np.finfo(float).tiny:
            assert abs(flow - flow_true) <= 1e-15 * scale


@pytest.mark.parametrize("p", [1e-30, 1e-3, 0.5, 0.999, 1 - 2.0**-24])
@pytest.mark.parametrize("target", [0.0, 1.0, 0.3])
def test_binary_cross_entropy_of_probabilities(p: float, target: float) -> None:
    loss = limen.BinaryCrossEntropy()
    x = np.array([[np.float32(p)]])
    with mpmath.workdps(80):
        q = mpmath.mpf(float(x[0, 0]))
        t = mpmath.mpf(float(np.float64(target)))
        value = -(t * mpmath.log(q) + (1 - t) * mpmath.log(1 - q))
        flow = (1 - t) / (1 - q) - t / q
        assert loss(x, [[target]]) == pytest.approx(float(value), rel=1e-14, abs=0)
        assert float(loss.backward(x, [[target]])[0, 0]) == pytest.approx(
            float(flow), rel=1e-6, abs=0
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saturated_probabilities_give_finite_loss_and_flow(dtype: Any) -> None:
    loss = limen.BinaryCrossEntropy()
    p, target = np.array([[0.0], [1.0], [0.0], [1.0]], dtype), [[1], [0], [0], [1]]
    flow = loss.backward(p, target)
    assert np.isfinite(flow).all()
    assert np.isfinite(loss(p, target))
    assert (flow[0] < -1e30, flow[1] > 1e6) == (True, True)
    assert loss(p[2:], target[2:]) < 1e-7
    assert loss(p[1:2], target[1:2]) == pytest.approx(-np.log(float(np.finfo(dtype).epsneg) / 2))


def test_sum_over_outputs_mean_over_the_batch() -> None:
    z, target = np.zeros((5, 3)), np.ones((5, 3))
    assert limen.BinaryCrossEntropy(True)(z, target) == pytest.approx(3 * np.log(2), rel=1e-15)
    assert limen.HalfSquaredError()(z, target) == 1.5


@pytest.mark.parametrize(
    "loss",
    [limen.HalfSquaredError(), limen.BinaryCrossEntropy(True), limen.CrossEntropy()],
    ids=repr,
)
def test_flow_keeps_shape_and_dtype_and_out(loss: Any) -> None:
    for dtype in (np.float32, np.float64):
        z = np.random.default_rng(1).normal(size=(4, 3)).astype(dtype)
        target = np.eye(3)[[0, 1, 2, 0]]
        flow = loss.backward(z, target)
        assert (flow.shape, flow.dtype) == (z.shape, z.dtype)
        out = np.empty_like(z)
        assert loss.backward(z, target, out=out) is out
        np.testing.assert_array_equal(out, flow)
        # A batch is the mean of its samples.
        assert loss(z, target) == pytest.approx(
            np.mean([loss(a, b) for a, b in zip(z, target, strict=True)])
        )


def test_a_target_per_sample_for_a_single_output() -> None:
    for loss in (limen.HalfSquaredError(), limen.BinaryCrossEntropy(from_logits=True)):
        z, target = np.array([[0.5], [-1.0], [2.0]]), np.array([1, 0, 1])
        assert loss(z, target) == loss(z, target[:, None])
        assert loss.backward(z, target).shape == (3, 1)


def test_nan_is_quiet_and_shows() -> None:
    for loss, target in (
        (limen.HalfSquaredError(), [0.0, 1.0]),
        (limen.BinaryCrossEntropy(), [0.0, 1.0]),
        (limen.BinaryCrossEntropy(True), [0.0, 1.0]),
        (limen.CrossEntropy(), 1),
    ):
        assert np.isnan(loss([np.nan, 0.5], target))
        assert np.isnan(loss.backward([np.nan, 0.5], target)[0])


def test_errors_say_what_was_expected() -> None:
    squared, binary, cross = (
        limen.HalfSquaredError(),
        limen.BinaryCrossEntropy(),
        limen.CrossEntropy(),
    )
    with pytest.raises(limen.ShapeError, match=r"HalfSquaredError\(\): expected a target of shape"):
        squared(np.ones((3, 2)), np.ones(3))
    with pytest.raises(limen.ShapeError, match="at least one"):
        squared(np.ones((0, 2)), np.ones((0, 2)))
    with pytest.raises(limen.DtypeError, match="complex"):
        squared([1j], [1.0])
    with pytest.raises(ValueError, match=r"predictions must be between 0 and 1.*from_logits=True"):
        binary([1.5], [1.0])
    with pytest.raises(ValueError, match="targets must be between 0 and 1, given -1"):
        binary([0.5], [-1.0])
    with pytest.raises(limen.ShapeError, match="labels must be 0 to 2 for 3 outputs, given 0 to 3"):
        cross(np.ones((2, 3)), [0, 3])
    with pytest.raises(limen.ShapeError, match="labels must be 0 to 2"):
        cross(np.ones((2, 3)), [-1, 0])
    with pytest.raises(limen.DtypeError, match="labels must be integers, given dtype float64"):
        cross(np.ones((2, 3)), [0.0, 1.0])
    with pytest.raises(limen.ShapeError, match=r"labels of shape \(2,\) or rows of shape \(2, 3\)"):
        cross(np.ones((2, 3)), [0, 1, 2])
    with pytest.raises(ValueError, match="row 1 sums to 2"):
        cross(np.ones((2, 3)), [[1, 0, 0], [1, 1, 0]])
    with pytest.raises(TypeError, match="no classification"):
        squared.count_correct(np.ones((1, 1)), np.ones((1, 1)))


def test_out_is_an_array() -> None:
    for call in (limen.CrossEntropy().backward, limen.softmax.backward):
        with pytest.raises(limen.errors.DtypeError, match="out must be a NumPy array, got list"):
            call([[0.5, 0.5]], [[1.0, 0.0]], out=[[0.0, 0.0]])
