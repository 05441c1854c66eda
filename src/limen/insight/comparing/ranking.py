"""Which functions the seeds can tell apart: paired differences, their intervals, and a ranking.

Every function meets the same seeds, so functions are compared seed by seed: what a seed's first
weights make easy or hard for all of them drops out of the differences.

Whether two functions differ is decided by Student's paired t test. With five seeds a test by signs
or ranks could never find a difference (its smallest p is 1/16), and ours must be found by five. All
pairs are tested, and Holm's correction (1979) keeps the chance of calling any two equal functions
different below the level, however many functions there are.

The interval of a difference is the studentised bootstrap's (Efron and Tibshirani 1993, chapter
12.5) from `_ENOUGH` seeds on. SciPy's bootstrap has the percentile and the BCa interval only, and
with so few seeds both are too narrow: of twelve normal differences they hold the true mean 91 times
in 100, this one 95 times. Below `_ENOUGH` seeds it is Student's: five differences in whole test
samples, resampled, hold it 87 times in 100. `benchmarks/ranking.py` measures what is said here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.insight.comparing.data import needed

__all__ = ["LEVEL", "Difference", "Ranking", "rank"]

LEVEL = 0.05
"""The chance that is taken of telling functions apart that are equal."""

_ENOUGH = 8  # seeds for a bootstrap
_RESAMPLES = 9999

# The least standard deviation of a difference, in steps of the score: that of two models of which
# each gets one test sample right by the toss of a coin. Scores come in such steps, and few seeds
# agree by chance more often than a continuous distribution has it.
_LEAST_DEVIATION = 1 / math.sqrt(2)

Scores = NDArray[np.float64]
_Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much one function is behind another, seed by seed.

    Attributes:
        leader: the function with the better mean.
        other: the function that is behind.
        mean: the mean difference of their scores, 0 or more.
        low: the lower end of its 95% interval, of this pair alone; NaN for one seed.
        high: the upper end.
        p: Student's paired t test, two-sided, corrected for all pairs; 1 for one seed.
    """

    leader: str
    other: str
    mean: float
    low: float
    high: float
    p: float

    @property
    def is_told(self) -> bool:
        """Whether the seeds tell the two apart."""
        return self.p < LEVEL

    @property
    def words(self) -> str:
        """The difference in points, with its interval."""
        points = f"{100 * self.mean:.1f} points"
        if math.isnan(self.low):
            return points
        return f"{points} ({100 * self.low:.1f} to {100 * self.high:.1f})"


@dataclass(frozen=True, slots=True)
class Ranking:
    """Functions from best to worst, and which of them the seeds cannot tell apart.

    Attributes:
        names: the functions, the best mean first.
        groups: the largest sets of functions no two of which are told apart, each in the order of
            `names`. One function may be in several: a like b and b like c do not make a like c. A
            tie is no equality: it says that these seeds are too few to see a difference.
        behind: for every function but the first, how far it is behind the first.
        seeds: how many seeds it rests on.
    """

    names: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    behind: Mapping[str, Difference]
    seeds: int

    @property
    def leaders(self) -> tuple[str, ...]:
        """The first, and those next to it that are not told from it."""
        told = (k for k, name in enumerate(self.names) if k and self.behind[name].is_told)
        return self.names[: next(told, len(self.names))]

    def __str__(self) -> str:
        if self.seeds < 2:
            return f"{self.names[0]} leads with one seed, which tells nothing apart"
        leaders = self.leaders
        followers = [self.behind[name] for name in self.names[len(leaders) :]]
        sentences = [self._leading(leaders)]
        sentences += [f"{d.other} behind by {d.words}" for d in followers if d.is_told]
        sentences += [
            f"{d.other} too unsteady to place, behind by {d.words}"
            for d in followers
            if not d.is_told
        ]
        return "; ".join(sentences)

    def _leading(self, leaders: Sequence[str]) -> str:
        if len(leaders) == 1:
            return f"{leaders[0]} leads"
        if any(set(leaders) <= set(group) for group in self.groups):
            return f"{_listed(leaders)} lead, not to be told apart"
        return f"{leaders[0]} leads, {_listed(leaders[1:])} not to be told from it"


def rank(scores: Mapping[str, Sequence[float]], resolution: float = 0.0) -> Ranking:
    """Ranks functions by what they reached with the same seeds.

    Args:
        scores: the score of each function with each seed, in the order of the seeds.
        resolution: the step in which a score can change at all (one test sample). Differences are
            taken to vary by no less than one doubtful sample does (`_LEAST_DEVIATION`), so that
            seeds that happen to agree are no certainty.

    Raises:
        ValueError: for functions with different numbers of seeds: they would not be pairs.

    Example:
        >>> scores = {"a": [0.9, 0.92, 0.91], "b": [0.8, 0.83, 0.81], "c": [0.9, 0.91, 0.92]}
        >>> ranking = rank(scores)
        >>> ranking.groups
        (('a', 'c'), ('b',))
        >>> print(ranking)
        a and c lead, not to be told apart; b behind by 9.7 points (8.2 to 11.1)
    """
    values = {name: np.asarray(row, np.float64) for name, row in scores.items()}
    counts = {len(row) for row in values.values()}
    if len(counts) != 1 or 0 in counts:
        raise ValueError(f"functions met different numbers of seeds, {sorted(counts)}: no pairs")
    least = resolution * _LEAST_DEVIATION
    names = sorted(values, key=lambda name: -float(values[name].mean()))
    pairs = list(combinations(names, 2))
    p = dict(zip(pairs, _holm([_p(values[a] - values[b], least) for a, b in pairs]), strict=True))
    best = names[0]
    behind = {
        name: _difference((best, name), values[best] - values[name], p[best, name], least)
        for name in names[1:]
    }
    told = [pair for pair in pairs if p[pair] < LEVEL]
    return Ranking(tuple(names), _groups(names, told), behind, counts.pop())


def _groups(names: Sequence[str], told: Sequence[_Pair]) -> tuple[tuple[str, ...], ...]:
    """The largest sets without a pair that is told apart (Piepho 2004: insert and absorb)."""
    groups = [frozenset(names)]
    for pair in told:
        split: dict[frozenset[str], None] = {}
        for group in groups:
            together = group.issuperset(pair)
            split.update(dict.fromkeys([group - {one} for one in pair] if together else [group]))
        groups = [group for group in split if not any(group < other for other in split)]
    listed = [tuple(name for name in names if name in group) for group in groups]
    return tuple(sorted(listed, key=lambda group: [names.index(name) for name in group]))


def _difference(pair: _Pair, d: Scores, p: float, least: float) -> Difference:
    low, high = _interval(d, least)
    return Difference(*pair, float(d.mean()), low, high, p)


def _error(d: Scores, least: float) -> Any:
    """The standard error of the mean along the last axis, the deviation at least so large."""
    return np.maximum(d.std(axis=-1, ddof=1), least) / math.sqrt(d.shape[-1])


def _p(d: Scores, least: float) -> float:
    if len(d) < 2:
        return 1.0
    error = float(_error(d, least))
    if error == 0:
        return float(d.mean() == 0)
    return float(2 * needed("scipy.stats").t.sf(abs(d.mean()) / error, len(d) - 1))


def _interval(d: Scores, least: float) -> tuple[float, float]:
    """The 95% interval of the mean: mean - t(0.975) error to mean - t(0.025) error.

    The quantiles of t are Student's, or those of (resampled mean - mean) / resampled error.
    """
    if len(d) < 2:
        return math.nan, math.nan
    mean, error = float(d.mean()), float(_error(d, least))
    low, high = needed("scipy.stats").t.ppf((LEVEL / 2, 1 - LEVEL / 2), len(d) - 1)
    if len(d) >= _ENOUGH and d.std(ddof=1) > least:
        drawn = np.random.default_rng(0).choice(d, (_RESAMPLES, len(d)))
        errors = _error(drawn, least)
        varied = errors > 0
        t = (drawn.mean(axis=-1) - mean)[varied] / errors[varied]
        low, high = np.quantile(t, (LEVEL / 2, 1 - LEVEL / 2))
    return mean - float(high) * error, mean - float(low) * error


def _holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction: the chance of any false difference stays at the level."""
    order = sorted(range(len(p)), key=lambda k: p[k])
    corrected, largest = [0.0] * len(p), 0.0
    for place, k in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - place) * p[k]))
        corrected[k] = largest
    return corrected


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
