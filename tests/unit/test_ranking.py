"""What seeds can tell apart: against hand-made figures, SciPy, and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from limen.insight.comparing.ranking import LEVEL, rank


def test_a_pair_is_scipy_s_paired_t_test() -> None:
    a, b = [0.91, 0.93, 0.92, 0.95], [0.90, 0.90, 0.91, 0.90]
    found = rank({"a": a, "b": b}).behind["b"]
    expected = stats.ttest_rel(a, b)
    low, high = expected.confidence_interval(0.95)
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.mean, found.low, found.high) == pytest.approx((0.025, low, high))


def test_all_pairs_are_corrected_as_holm_has_it() -> None:
    random = np.random.default_rng(3)
    scores = {
        name: random.normal(shift, 1, 8) for name, shift in zip("abcd", (3, 2, 1, 0), strict=True)
    }
    names = sorted(scores, key=lambda name: -scores[name].mean())
    raw = {
        (x, y): stats.ttest_rel(scores[x], scores[y]).pvalue
        for i, x in enumerate(names)
        for y in names[i + 1 :]
    }
    ordered = sorted(raw, key=raw.__getitem__)
    corrected, so_far = {}, 0.0
    for k, pair in enumerate(ordered):
        so_far = max(so_far, min(1.0, (len(raw) - k) * raw[pair]))
        corrected[pair] = so_far
    for other, difference in rank(scores).behind.items():
        assert difference.p == pytest.approx(corrected[names[0], other])


def test_from_eight_seeds_on_the_interval_is_bootstrapped() -> None:
    random = np.random.default_rng(0)
    a, b = random.exponential(1, 20) + 2, random.normal(0, 0.1, 20)
    found = rank({"a": a, "b": b}).behind["b"]
    student = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert found.low > student[0]  # of skewed differences the interval is no longer symmetric
    assert found.high - found.mean > found.mean - found.low


def test_equal_functions_are_seldom_told_apart() -> None:
    random = np.random.default_rng(1)
    trials, wrong = 400, 0
    for _ in range(trials):
        hard = random.normal(0.9, 0.02, 5)  # what a seed is to every function
        scores = {name: np.round(hard + random.normal(0, 0.01, 5), 3) for name in "abcde"}
        ranking = rank(scores, 0.001)
        wrong += len(ranking.groups) > 1
    # Four standard errors above the level.
    assert wrong / trials < LEVEL + 4 * math.sqrt(LEVEL * (1 - LEVEL) / trials)


def test_intervals_hold_the_true_difference() -> None:
    random = np.random.default_rng(2)
    for seeds, least in ((5, 0.92), (15, 0.90)):
        held = 0
        for _ in range(300):
            d = random.normal(1.0, 0.3, seeds)
            found = rank({"a": d, "b": np.zeros(seeds)}).behind["b"]
            held += found.low <= 1.0 <= found.high
        assert held / 300 > least


def test_seeds_that_happen_to_agree_are_no_certainty() -> None:
    found = rank({"a": [0.91, 0.91], "b": [0.90, 0.90]}, resolution=0.01)
    assert found.groups == (("a", "b"),)
    assert rank({"a": [0.9, 0.9], "b": [0.9, 0.9]}).groups == (("a", "b"),)


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        ({"a": [0.9], "b": [0.8]}, "a leads with one seed, which tells nothing apart"),
        ({"a": [0.9, 0.91, 0.92], "b": [0.5, 0.51, 0.53]}, "a leads; b behind by 39.7 points"),
        ({"a": [0.9, 0.8], "b": [0.8, 0.9], "c": [0.85, 0.85]}, "a, b and c lead, not to be told"),
        ({"a": [0.9, 0.8]}, "a leads"),
    ],
)
def test_in_words(scores: dict[str, list[float]], says: str) -> None:
    assert str(rank(scores)).startswith(says)


def test_what_is_like_two_that_differ_is_in_both_groups() -> None:
    random = np.random.default_rng(9)
    noise = random.normal(0, 1, (3, 8))
    scores = dict(zip("abc", noise + np.array([[2.4], [1.2], [0.0]]), strict=True))
    ranking = rank(scores)
    assert ranking.groups == (("a", "b"), ("b", "c"))
    assert ranking.leaders == ("a", "b")


def test_functions_without_the_same_seeds_are_no_pairs() -> None:
    with pytest.raises(ValueError, match="different numbers of seeds"):
        rank({"a": [0.9, 0.8], "b": [0.8]})
