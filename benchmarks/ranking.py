"""How often the ranking of `limen compare` tells equal functions apart, and what intervals hold.

    python benchmarks/ranking.py
    python benchmarks/ranking.py --quick

False leads: equal functions, whose test scores differ by samples that each model gets right by the
toss of a coin; the share of comparisons in which any two are told apart. It should be at most 5%.

Intervals: the share of 95% intervals that hold the true mean difference, for limen's rule and for
the intervals that SciPy offers. It should be 95%.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from limen.insight.comparing.ranking import rank

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]

DIFFERENCES: dict[str, tuple[Draw, float]] = {
    "normal": (lambda random, n: random.normal(0, 1, n), 0.0),
    "skewed (exponential)": (lambda random, n: random.exponential(1, n) - 1, 0.0),
    "heavy tails (t, 3)": (lambda random, n: random.standard_t(3, n), 0.0),
    "3 doubtful samples": (
        lambda random, n: np.subtract(*random.binomial(3, 0.5, (2, n))).astype(float),
        1.0,
    ),
}
"""How differences are drawn, all of mean 0, and the step in which they come."""


def false_leads(functions: int, seeds: int, doubtful: int, trials: int) -> float:
    """The share of comparisons of equal functions that tell any two apart."""
    random = np.random.default_rng(0)
    told = 0
    for _ in range(trials):
        right = random.binomial(doubtful, 0.5, (functions, seeds))
        ranking = rank({str(k): row for k, row in enumerate(right)}, 1.0)
        told += len(ranking.groups) > 1
    return told / trials


def held(draw: Draw, step: float, seeds: int, trials: int) -> dict[str, float]:
    """The share of intervals, by each method, that hold the true mean, 0."""
    random = np.random.default_rng(0)
    count = dict.fromkeys(("limen", "Student", "percentile", "BCa"), 0)
    for _ in range(trials):
        d = draw(random, seeds)
        if np.ptp(d) == 0:
            d = d + random.normal(0, 1e-9, seeds)  # SciPy has no interval for constants
        found = rank({"a": d, "b": np.zeros(seeds)}, step).behind
        ((_, ours),) = found.items()
        ends = {"limen": (ours.low, ours.high), "Student": student(d)}
        for method in ("percentile", "BCa"):
            drawn = stats.bootstrap((d,), np.mean, n_resamples=1999, method=method, rng=random)
            ends[method] = tuple(drawn.confidence_interval)
        for method, (low, high) in ends.items():
            count[method] += bool(low <= 0 <= high)
    return {method: hits / trials for method, hits in count.items()}


def student(d: NDArray[np.float64]) -> tuple[float, float]:
    """Student's interval."""
    low, high = stats.t.interval(0.95, len(d) - 1, d.mean(), stats.sem(d))
    return float(low), float(high)


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the trials")
    trials = 200 if parser.parse_args().quick else 2000
    print("| functions | seeds | doubtful samples | comparisons with a false lead |")
    print("| --- | --- | --- | --- |")
    for functions in (2, 5):
        for seeds in (5, 8):
            for doubtful in (3, 5, 12):
                share = false_leads(functions, seeds, doubtful, trials)
                print(f"| {functions} | {seeds} | {doubtful} | {share:.1%} |", flush=True)
    print("\n| differences | seeds | limen | Student | percentile | BCa |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, (draw, step) in DIFFERENCES.items():
        for seeds in (5, 8, 12, 20):
            shares = held(draw, step, seeds, trials)
            columns = " | ".join(f"{share:.1%}" for share in shares.values())
            print(f"| {name} | {seeds} | {columns} |", flush=True)


if __name__ == "__main__":
    main()
