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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from limen.errors import LimenError
from limen.function import ActivationFunction
from limen.insight.data import Data, load, needed
from limen.insight.trial import Recipe, Record, train
from limen.layers import Activation

__all__ = ["Comparison", "Row", "compare"]


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
    """

    data: Data
    recipe: Recipe
    records: tuple[Record, ...]

    def rows(self) -> list[Row]:
        """One row for each function, the best mean test accuracy first."""
        names = dict.fromkeys(record.function for record in self.records)
        rows = [_row([r for r in self.records if r.function == name]) for name in names]
        return sorted(rows, key=lambda row: -row.accuracy)

    def write_json(self, path: str | Path) -> None:
        """Writes the records as a JSON list of objects with the fields of `Record`."""
        text = json.dumps([dataclasses.asdict(record) for record in self.records], indent=2)
        try:
            Path(path).write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise LimenError(f"cannot write {path}: {error}") from error


def compare(
    functions: Iterable[str | ActivationFunction],
    data: str = "digits",
    seeds: int = 5,
    recipe: Recipe | None = None,
    jobs: int = -1,
    advance: Callable[[Record], None] | None = None,
) -> Comparison:
    """Trains the same model with each function and each seed, several at once.

    The work goes through joblib: processes of this machine by default, or whatever backend the
    caller chose with `joblib.parallel_config`, such as Dask's when one machine is too small.

    Args:
        functions: names, formulas, or activation functions.
        data: a key of `limen.insight.data.DATA`.
        seeds: how many seeds; they are 0, 1, 2, ...
        recipe: how to build and train; `Recipe()` by default.
        jobs: how many models to train at once; -1 for one per core.
        advance: is called with each record as its model is done.

    Returns:
        The `Comparison`, its records in the order of the functions and seeds.

    Raises:
        FormulaError, UnknownNameError: for a function that is none, before any training.
        LimenError: if the packages of the extra `compare` are not installed.

    Example:
        >>> quick = Recipe(widths=(8,), epochs=2)
        >>> result = compare(["relu", "identity"], "wine", seeds=2, recipe=quick, jobs=1)
        >>> len(result.records), sorted(row.function for row in result.rows())
        (4, ['identity', 'relu'])
    """
    recipe = recipe or Recipe()
    chosen = _distinct([_elementwise(function) for function in functions])
    task = load(data)
    joblib = needed("joblib")
    runs = [(f, seed) for f in chosen for seed in range(seeds)]
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
    finished: list[Record] = []
    for record in parallel(joblib.delayed(train)(f, task, seed, recipe) for f, seed in runs):
        finished.append(record)
        if advance is not None:
            advance(record)
    order = {(f.name, seed): i for i, (f, seed) in enumerate(runs)}
    finished.sort(key=lambda record: order[record.function, record.seed])
    return Comparison(task, recipe, tuple(finished))


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
