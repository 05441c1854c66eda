"""The sketch of a stream of numbers, against NumPy on all of them."""

from __future__ import annotations

import numpy as np
import pytest

from limen.insight.observing import Distribution
from limen.insight.observing.distribution import RELATIVE_ERROR, Sketch

RANDOM = np.random.default_rng(5)
STREAMS = {
    "normal": RANDOM.normal(size=20_000),
    "far": RANDOM.normal(1e6, 3.0, size=20_000),
    "tails": RANDOM.standard_cauchy(20_000),
    "relu": np.maximum(RANDOM.normal(size=20_000), 0.0),
    "tiny": RANDOM.lognormal(-30.0, 4.0, size=20_000),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("name", STREAMS)
def test_a_sketch_knows_what_numpy_knows(name: str, dtype: type) -> None:
    if dtype is np.float16 and name in ("far", "tails", "tiny"):
        pytest.skip("outside the range of float16")
    numbers = STREAMS[name].astype(dtype)
    sketch, other = Sketch(), Sketch()
    for k, part in enumerate(np.array_split(numbers, 7)):
        (sketch if k < 4 else other).add(part)
    sketch.merge(other)
    seen, exact = sketch.distribution(), numbers.astype(np.float64)
    assert seen.count == len(numbers)
    assert seen.mean == pytest.approx(exact.mean(), rel=1e-9)
    assert seen.spread == pytest.approx(exact.std(), rel=1e-9)
    assert (seen.low, seen.high) == (exact.min(), exact.max())
    assert seen.sparsity == np.mean(exact == 0.0)
    for q in (0.001, 0.05, 0.25, 0.5, 0.75, 0.95, 0.999):
        # The sketch's number is that of a rank beside q, and then off by its relative error.
        around = np.quantile(exact, [max(q - 1e-4, 0.0), min(q + 1e-4, 1.0)])
        slack = 2.0 * RELATIVE_ERROR * np.abs(around).max() + 1e-37
        assert around[0] - slack <= seen.quantile(q) <= around[1] + slack


def test_a_histogram_is_a_density() -> None:
    numbers = STREAMS["normal"]
    edges, density = Distribution.of(numbers).histogram(32)
    assert edges[0] == numbers.min() and edges[-1] == numbers.max()
    assert np.sum(density * np.diff(edges)) == pytest.approx(1.0)
    true, _ = np.histogram(numbers, edges, density=True)
    np.testing.assert_allclose(density, true, atol=0.02)


def test_a_histogram_of_a_span_holds_its_share() -> None:
    edges, density = Distribution.of(STREAMS["normal"]).histogram(10, (-1.0, 1.0))
    assert np.sum(density * np.diff(edges)) == pytest.approx(0.683, abs=0.01)


def test_zeros_stay_in_the_bin_of_zero() -> None:
    edges, density = Distribution.of(STREAMS["relu"]).histogram(20)
    share = density[0] * (edges[1] - edges[0])
    assert share == pytest.approx(np.mean(STREAMS["relu"] < edges[1]), abs=0.01)


def test_what_is_not_finite_is_counted_apart() -> None:
    seen = Distribution.of(np.array([np.nan, np.inf, -np.inf, 2.0, -0.0]))
    assert (seen.count, seen.not_finite, seen.mean, seen.sparsity) == (2, 3, 1.0, 0.5)
    assert (seen.low, seen.high) == (0.0, 2.0)
    assert "3 not finite" in repr(seen)


@pytest.mark.parametrize("numbers", [[], [np.nan], [np.inf, -np.inf]])
def test_nothing_finite_is_no_distribution(numbers: list[float]) -> None:
    seen = Distribution.of(np.array(numbers))
    assert seen.count == 0 and seen.not_finite == len(numbers)
    assert np.isnan([seen.mean, seen.spread, seen.low, seen.high, seen.quantile(0.5)]).all()
    assert seen.histogram(4)[1].tolist() == [0.0] * 4
    assert "no numbers" in repr(seen)


def test_one_number_has_a_histogram() -> None:
    seen = Distribution.of(np.full(10, 3.0))
    edges, density = seen.histogram(4)
    assert (edges[0], edges[-1]) == (2.5, 3.5)
    assert np.sum(density * np.diff(edges)) == pytest.approx(1.0)
    assert seen.quantile(0.5) == 3.0 and seen.spread == 0.0


def test_numbers_beyond_float32_are_large_not_infinite() -> None:
    seen = Distribution.of(np.array([1e300, -1e300, 1e-320]))
    assert seen.not_finite == 0 and seen.high == 1e300 and seen.sparsity == 0.0
    assert np.isfinite(seen.quantile([0.1, 0.9])).all()


def test_a_sketch_is_as_small_as_it_says() -> None:
    sketch = Sketch()
    for _ in range(3):
        sketch.add(STREAMS["tails"])
        assert sketch.counts.nbytes == 128 * 1024
