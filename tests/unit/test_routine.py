"""Native calls as a whole: what a training step becomes once it has been taken."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import limen
from limen.kernels import builtin
from limen.kernels.product_calls import product_calls, row_sum_calls
from limen.kernels.routine import Routine, Routines
from limen.launchers import Launchers
from limen.layers import blas, slabs
from limen.layers.round import Round

RANDOM = np.random.default_rng(0)
FLOAT = np.dtype(np.float32)

pytestmark = pytest.mark.skipif(
    not blas.products() or not builtin.is_open(),
    reason="this BLAS, or this Python, is not reached natively",
)


def numbers(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(dtype)


def run(calls: Any) -> None:
    Routines([Routine(calls, ())])(0)


# --- The calls -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("with_row", [False, True])
def test_a_product_is_numpys(dtype: Any, with_row: bool) -> None:
    gemm = blas.products()[np.dtype(dtype)]
    row = numbers(7, dtype=dtype) if with_row else None
    for a in (numbers(5, 3, dtype=dtype), numbers(3, 5, dtype=dtype).T):
        for b in (numbers(3, 7, dtype=dtype), numbers(7, 3, dtype=dtype).T):
            out = np.full((5, 7), np.nan, dtype)
            calls = product_calls(gemm, a, b, out, row)
            assert calls is not None
            run(calls)
            wanted = a @ b if row is None else a @ b + row
            np.testing.assert_allclose(out, wanted, rtol=1e-5 if dtype == np.float32 else 1e-13)


def test_rows_inside_of_a_larger_matrix_are_added_up() -> None:
    larger, out = numbers(9, 12), np.full(5, np.nan, np.float32)
    matrix = larger[2:8, 3:8]
    calls = row_sum_calls(blas.vector_products()[FLOAT], matrix, out)
    assert calls is not None
    run(calls)
    np.testing.assert_allclose(out, matrix.sum(0), rtol=1e-5)


@pytest.mark.parametrize(
    ("a", "b", "out"),
    [
        (numbers(5), numbers(5, 3), np.empty(3, np.float32)),
        (numbers(1, 5), numbers(5, 3), np.empty((1, 3), np.float32)),
        (numbers(4, 5), numbers(5, 3), np.empty((3, 4), np.float32).T),
        (numbers(4, 5), numbers(5, 3, dtype=np.float64), np.empty((4, 3), np.float32)),
        (numbers(4, 5)[:, ::-1], numbers(5, 3), np.empty((4, 3), np.float32)),
        (numbers(8, 10)[::2, ::2], numbers(5, 3), np.empty((4, 3), np.float32)),
    ],
    ids=["a vector", "a row", "columns", "two dtypes", "backwards", "gaps"],
)
def test_what_blas_does_not_take_has_no_calls(a: Any, b: Any, out: Any) -> None:
    assert product_calls(blas.products()[FLOAT], a, b, out) is None


def test_a_result_over_a_factor_has_no_calls() -> None:
    square = numbers(4, 4)
    assert product_calls(blas.products()[FLOAT], square, numbers(4, 4), square) is None


def test_a_kernel_has_no_call_where_running_it_takes_more() -> None:
    launchers, x = Launchers.of(limen.mish), numbers(64)
    assert launchers.call("forward", [x], [np.empty_like(x)]) is not None
    assert launchers.call("forward", [x], [x]) is None  # goes by tiles beside it
    assert launchers.call("forward", [x[::2]], [np.empty(32, np.float32)]) is None
    assert launchers.call("forward", [x[:0]], [np.empty(0, np.float32)]) is None


def test_calls_happen_in_order_and_begin_with_what_they_are_told() -> None:
    x, middle, out = numbers(50), np.empty(50, np.float32), np.empty(50, np.float32)
    first = Launchers.of(limen.mish).call("forward", [x], [middle])
    second = Launchers.of(limen.tanh).call("backward", [middle, x], [out])
    assert first is not None
    assert second is not None
    routine = Routine([first, second], [x])
    for start in (x, numbers(50)):
        routine.move(start)
        Routines([routine])(0)
        np.testing.assert_array_equal(middle, limen.mish(start))
        np.testing.assert_array_equal(out, limen.tanh.backward(middle, start))


# --- In a training step ----------------------------------------------------------------------


def made(*functions: Any, width: int = 48) -> limen.Model:
    layers: list[Any] = [limen.Linear(width, width)]
    for function in functions:
        layers += [limen.Activation(function), limen.Linear(width, width)]
    return limen.Model(layers)


def stepping(model: limen.Model) -> Any:
    return model.training_step(limen.HalfSquaredError(), limen.SGD(0.1))


def rounds(step: Any) -> list[Any]:
    return [run._round for run in step._runs.values()]


@pytest.fixture(params=["whole", "in slabs"])
def _cutting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "in slabs":
        monkeypatch.setattr(slabs, "_WORTH_SHARING", 1)
        monkeypatch.setattr(slabs, "_FEWEST_ROWS", 16)


@pytest.mark.usefixtures("_cutting")
def test_a_round_is_one_native_call() -> None:
    x = numbers(50, 48)
    for loss, target in ((limen.HalfSquaredError(), x), (limen.CrossEntropy(), x.argmax(1))):
        step = made("mish", "relu").training_step(loss, limen.SGD(0.1))
        step(x, target)
        assert rounds(step) == [None]  # of its shape it may be the only one
        step(x, target)
        (its_round,) = rounds(step)
        assert its_round._whole is not None


@pytest.mark.usefixtures("_cutting")
@pytest.mark.parametrize(
    ("loss", "outputs"), [(limen.CrossEntropy(), 48), (limen.BinaryCrossEntropy(True), 2)], ids=repr
)
def test_a_round_counts_what_is_classified_rightly(loss: Any, outputs: int) -> None:
    x = np.random.default_rng(5).standard_normal((50, 48), np.float32)
    labels: Any = x.argmax(1) if outputs == 48 else x[:, :2] > 0
    counts = set()
    model = limen.Model([limen.Linear(48, 48), limen.Activation("mish"), limen.Linear(48, outputs)])
    step = model.training_step(loss, limen.SGD(1.0))
    for _ in range(6):
        prediction = model.predict(x)
        target = loss.prepare(labels, prediction.shape)
        value, right = step.learn(x, target)
        counts.add(right)
        assert right == loss.count_correct(prediction, target)
        assert value == pytest.approx(loss(prediction, labels), rel=1e-13)
    assert len(counts) > 2


def test_a_loss_that_counts_in_its_own_way_is_asked() -> None:
    class Lenient(limen.CrossEntropy):
        def count_correct(self, prediction: Any, target: Any) -> int:
            return 7

    step, x = made("mish").training_step(Lenient(), limen.SGD(0.1)), numbers(50, 48)
    for _ in range(2):
        assert step.learn(x, x.argmax(1))[1] == 7


@pytest.mark.usefixtures("_cutting")
def test_a_round_takes_other_batches_in_any_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = [numbers(50, 48) for _ in range(3)]
    batches += [np.asfortranarray(numbers(50, 48)), numbers(100, 48)[::2], numbers(50, 48)]
    target = numbers(50, 48)

    def run() -> tuple[list[float], list[bytes]]:
        model = made("mish", "silu")
        step = stepping(model)
        losses = [step(x, target) for x in batches]
        return losses, [p.value.tobytes() for p in model.parameters()]

    in_rounds = run()
    monkeypatch.setattr(Round, "is_worth_it", lambda way: False)
    assert run() == in_rounds


@pytest.mark.usefixtures("_cutting")
def test_targets_may_change_their_dtype() -> None:
    x, y = numbers(50, 48), numbers(50, 48)
    losses = []
    for other in (np.float64, np.float32, int):
        step = stepping(made("mish"))
        losses.append([step(x, target) for target in (y, np.rint(y).astype(other), y)])
    assert losses[0] == losses[1] == losses[2]


def test_what_is_not_native_goes_between(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> tuple[Any, list[float], list[bytes]]:
        layers = [
            limen.Linear(8, 12),
            limen.Activation("swiglu"),
            limen.Linear(6, 10),
            limen.Activation("prelu", learnable="weight"),
            limen.Linear(10, 4),
            limen.Activation(limen.softmax),
        ]
        model = limen.Model(layers)
        step = stepping(model)
        losses = [step(x, y) for x, y in batches]
        return step, losses, [p.value.tobytes() for p in model.parameters()]

    batches = [(numbers(20, 8), numbers(20, 4)) for _ in range(4)]
    step, *in_rounds = run()
    (its_round,) = rounds(step)
    assert its_round._whole is None
    assert all(1 < len(c._routines) < len(c._steps) for c in its_round._chains)
    monkeypatch.setattr(Round, "is_worth_it", lambda way: False)
    assert list(run()[1:]) == in_rounds


def test_a_step_follows_parameters_that_move() -> None:
    model, x, y = made("tanh"), numbers(20, 48), numbers(20, 48)
    step = stepping(model)
    step(x, y)
    step(x, y)
    for parameter in model.parameters():
        parameter.convert(np.dtype(np.float32))
    twin = model.copy()
    assert step(x, y) == stepping(twin)(x, y)
    for mine, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_array_equal(mine.value, theirs.value)


def test_a_layer_of_ones_own_is_asked_itself() -> None:
    class Doubled(limen.Linear):
        def compute(self, x: Any, out: Any = None) -> Any:
            out = super().compute(x, out)
            out *= 2
            return out

    model, x = limen.Model([Doubled(6, 6)]), numbers(5, 6)
    step = model.training_step(limen.HalfSquaredError(), limen.SGD(0.0))
    for _ in range(2):
        step(x, x)
        wanted = 2 * (x @ model.layers[0].weight.value.T + model.layers[0].bias.value)
        np.testing.assert_allclose(model.layers[0].output, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, copy.copy, lambda step: pickle.loads(pickle.dumps(step))]
)
def test_a_copy_of_a_step_works_in_arrays_of_its_own(copied: Any) -> None:
    step, x, y = stepping(made("mish")), numbers(20, 48), numbers(20, 48)
    step(x, y)
    step(x, y)
    other = copied(step)
    expected = stepping(step.model.copy())(x, y)
    before = step.model.layers[0].output.copy()
    assert other(x, y) == expected
    if other.model is not step.model:
        np.testing.assert_array_equal(step.model.layers[0].output, before)
        assert step(x, y) == expected


def test_one_sample_and_one_neuron_are_no_matrices() -> None:
    model = limen.Model([limen.Linear(3, 1), limen.Activation("tanh"), limen.Linear(1, 1)])
    step = stepping(model)
    for shape in ((3,), (1, 3), (7, 3)):
        for _ in range(2):
            assert np.isfinite(step(np.ones(shape), np.zeros((*shape[:-1], 1))))
