"""The same model trained with one activation function after another, over several seeds.

Every function meets the same task: one split of the data, the same Linear layers from the same
first weights for the same seed, the same optimizer and number of steps. What differs between seeds
is the first weights and the order of the samples, so the interval over seeds speaks of those, and
not of other data.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from limen.errors import LimenError
from limen.function import ActivationFunction
from limen.insight.comparing.data import Data, Source, load, needed
from limen.insight.comparing.journal import Journal
from limen.insight.comparing.ranking import Ranking, rank
from limen.insight.comparing.trial import Recipe, Record
from limen.insight.comparing.work import Run, Workers, cluster, processes
from limen.layers import Activation

__all__ = ["SEEDS", "Comparison", "Row", "compare"]

SEEDS = 5
"""How many seeds where neither their number nor a budget is given."""

_MOST_SEEDS = 1000  # of a budget that outlasts all patience


@dataclass(frozen=True, slots=True)
class Row:
    """What the seeds of one function say together.

    Attributes:
        function: the function's name.
        formula: the function's formula.
        accuracies: the test accuracy for each seed.
        accuracy: their mean.
        margin: half the 95% confidence interval of the mean, by Student's t; NaN for one seed.
        seconds: the median time of training.
        blocked: the mean share of blocked neurons.
        weights: how many numbers each model learned.
        linear_gap: the largest of the records, None where the model is not linear.
        stopped: how many of the seeds stopped early.
    """

    function: str
    formula: str
    accuracies: tuple[float, ...]
    accuracy: float
    margin: float
    seconds: float
    blocked: float
    weights: int
    linear_gap: float | None
    stopped: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """All records of a comparison, and what they say.

    Attributes:
        data: the task.
        recipe: how the models were built and trained.
        records: one for every function and seed.
        remembered: how many of them a journal had already.
    """

    data: Data
    recipe: Recipe
    records: tuple[Record, ...]
    remembered: int = 0

    def rows(self) -> list[Row]:
        """One row for each function, the best mean test accuracy first."""
        names = dict.fromkeys(record.function for record in self.records)
        rows = [_row([r for r in self.records if r.function == name]) for name in names]
        return sorted(rows, key=lambda row: -row.accuracy)

    def ranking(self) -> Ranking:
        """Which functions these seeds can tell apart."""
        scores = {row.function: row.accuracies for row in self.rows()}
        return rank(scores, 1 / len(self.data.test_inputs))

    def write_json(self, path: str | Path) -> None:
        """Writes the records as a JSON list of objects with the fields of `Record`."""
        text = json.dumps([dataclasses.asdict(record) for record in self.records], indent=2)
        try:
            Path(path).write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise LimenError(f"cannot write {path}: {error}") from error


def compare(
    functions: Iterable[str | ActivationFunction],
    data: Source = "digits",
    seeds: int | None = None,
    recipe: Recipe | None = None,
    jobs: int = -1,
    advance: Callable[[Record], None] | None = None,
    *,
    target: str | None = None,
    budget: float | None = None,
    journal: str | Path | None = None,
    dask: str | None = None,
) -> Comparison:
    """Trains the same model with each function and each seed, several at once.

    Args:
        functions: names, formulas, or activation functions.
        data: the name of a data set, the path of a `.csv`, `.npy` or `.npz` file, or a pair of
            arrays (see `data.load`).
        seeds: how many seeds; they are 0, 1, 2, ... Five, unless there is a budget.
        recipe: how to build and train; `Recipe()` by default.
        jobs: how many models to train at once; -1 for one per core.
        advance: is called with each record as its model is done.
        target: the column of a `.csv` file that holds the class; the last one if left out.
        budget: seconds. Every function is trained with one more seed while the time lasts, at most
            `seeds` times; what has begun is finished.
        journal: a file to which records are added as they come. With the same file, a comparison
            goes on where it ended, after Ctrl-C too.
        dask: the address of a Dask scheduler, whose workers train instead of this machine.

    Returns:
        The `Comparison`, its records in the order of the functions and seeds.

    Raises:
        FormulaError, UnknownNameError: for a function that is none, before any training.
        LimenError: for data, a journal or a cluster that cannot be used; or if the packages of the
            extra `compare` (`dask`) are not installed.
        ValueError: for fewer seeds than one.

    Example:
        >>> quick = Recipe(widths=(8,), epochs=2)
        >>> result = compare(["relu", "identity"], "wine", seeds=2, recipe=quick, jobs=1)
        >>> len(result.records), sorted(row.function for row in result.rows())
        (4, ['identity', 'relu'])
    """
    if seeds is not None and seeds < 1:
        raise ValueError(f"compare: seeds must be a whole number from 1, given {seeds!r}")
    recipe = recipe or Recipe()
    chosen = _distinct([_elementwise(function) for function in functions])
    task = load(data, target)
    book = None if journal is None else Journal(Path(journal), task, recipe)
    if seeds is None:
        seeds = SEEDS if budget is None else _MOST_SEEDS
    where = processes(jobs, task, recipe) if dask is None else cluster(dask, task, recipe)
    places = {f.name: place for place, f in enumerate(chosen)}
    finished: list[Record] = []
    with where as workers:
        for batch in _rounds(chosen, seeds, budget, workers):
            for record in _records(batch, workers, book):
                finished.append(record)
                if advance is not None:
                    advance(record)
    finished.sort(key=lambda record: (places[record.function], record.seed))
    return Comparison(task, recipe, tuple(finished), book.remembered if book else 0)


def _records(batch: Sequence[Run], workers: Workers, book: Journal | None) -> Iterator[Record]:
    """The record of every run of a batch: those of the journal first, the others as they end."""
    missing = []
    for run in batch:
        known = book.find(*run) if book is not None else None
        if known is None:
            missing.append(run)
        else:
            yield known
    for (function, _), record in workers.train(missing):
        if book is not None:
            book.add(function, record)
        yield record


def _rounds(
    functions: Sequence[ActivationFunction], seeds: int, budget: float | None, workers: Workers
) -> Iterator[list[Run]]:
    """What to train, some seeds at a time, each with all functions, so that all seeds are pairs.

    Within a budget, a batch is no larger than it must be to keep all workers at work, and none is
    begun that would, by the longest one before, end too late.
    """
    if budget is None:
        yield [(f, seed) for f in functions for seed in range(seeds)]
        return
    begun, longest = perf_counter(), 0.0
    step = max(1, math.ceil(workers.count / len(functions)))
    for first in range(0, seeds, step):
        started = perf_counter()
        if first and started - begun + longest > budget:
            return
        yield [(f, seed) for seed in range(first, min(first + step, seeds)) for f in functions]
        longest = max(longest, perf_counter() - started)


def _elementwise(function: str | ActivationFunction) -> ActivationFunction:
    found = Activation(function).function
    if not isinstance(found, ActivationFunction):
        raise LimenError(
            f"{found.name} is a function of a whole row of neurons, not of each one: "
            "it cannot stand where relu stands"
        )
    return found


def _distinct(functions: Sequence[ActivationFunction]) -> list[ActivationFunction]:
    """Each function once, by name; two different ones of one name would be one row."""
    chosen: dict[str, ActivationFunction] = {}
    for function in functions:
        other = chosen.setdefault(function.name, function)
        if other.formula != function.formula or other.parameters != function.parameters:
            raise LimenError(f"two different functions are called {function.name!r}: rename one")
    if not chosen:
        raise LimenError("name at least one function to compare")
    return list(chosen.values())


def _row(records: Sequence[Record]) -> Row:
    accuracies = tuple(record.test_accuracy for record in records)
    return Row(
        function=records[0].function,
        formula=records[0].formula,
        accuracies=accuracies,
        accuracy=float(np.mean(accuracies)),
        margin=_margin(accuracies),
        seconds=float(np.median([record.seconds for record in records])),
        blocked=float(np.mean([record.blocked for record in records])),
        weights=records[0].weights,
        linear_gap=max((r.linear_gap for r in records if r.linear_gap is not None), default=None),
        stopped=sum(1 for record in records if record.stopped),
    )


def _margin(values: Sequence[float]) -> float:
    """Half the 95% confidence interval of the mean: t(0.975, n - 1) s / sqrt(n)."""
    n = len(values)
    if n < 2:
        return math.nan
    quantile = float(needed("scipy.stats").t.ppf(0.975, n - 1))
    return quantile * float(np.std(values, ddof=1)) / math.sqrt(n)
