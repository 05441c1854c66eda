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
from typing import Any

import numpy as np

from limen.errors import LimenError
from limen.function import ActivationFunction
from limen.insight.data import Data, load, needed
from limen.layers import Activation, Adam, CrossEntropy, Linear, Model

__all__ = ["BLOCKED_BELOW", "Comparison", "Recipe", "Record", "Row", "compare", "train"]

BLOCKED_BELOW = 1e-3
"""A neuron is blocked for an input when it hands on less than this share of the learning flow."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is built and trained, the same for every function.

    Attributes:
        widths: the neurons of each hidden Linear layer, an Activation layer after each.
        epochs: passes over the train part.
        batch_size: samples to a step.
        learning_rate: of Adam.
    """

    widths: tuple[int, ...] = (64, 64)
    epochs: int = 40
    batch_size: int = 32
    learning_rate: float = 1e-3

    def model(self, function: ActivationFunction, data: Data, seed: int) -> Model:
        """Linear and Activation in turn, and a Linear layer to the classes.

        A gated function takes two pre-activations to one neuron, so the Linear layer before it is
        twice as wide.
        """
        layers: list[Linear | Activation] = []
        inputs = data.features
        for width in self.widths:
            layers += [Linear(inputs, width * len(function.inputs)), Activation(function)]
            inputs = width
        return Model([*layers, Linear(inputs, data.classes)], seed=seed, dtype="float32")


@dataclass(frozen=True, slots=True)
class Record:
    """One model trained: one function, one seed.

    Attributes:
        function: the function's name.
        formula: the function's formula.
        data: the data set's name.
        seed: of the first weights and the order of the samples.
        test_accuracy: the share of the test part classified rightly.
        train_accuracy: the share of the train part classified rightly.
        seconds: time spent training, kernels compiled beforehand, on one thread.
        blocked: the share of all pairs of hidden neuron and test input where the neuron hands on
            less than `BLOCKED_BELOW` of the learning flow that reaches it: |f'(x)| below it.
        weights: how many numbers the model learned.
        linear_gap: where the whole model is one linear function, the largest difference on the
            test part between its output and that of the single Linear layer it amounts to, as a
            share of the largest output; None for any other model.
        stopped: why training ended before its last epoch, if it did.
    """

    function: str
    formula: str
    data: str
    seed: int
    test_accuracy: float
    train_accuracy: float
    seconds: float
    blocked: float
    weights: int
    linear_gap: float | None = None
    stopped: str | None = None


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


def train(function: ActivationFunction, data: Data, seed: int, recipe: Recipe) -> Record:
    """Trains one model on one thread and measures it."""
    limits = needed("threadpoolctl").threadpool_limits
    model = recipe.model(function, data, seed)
    loss = CrossEntropy()
    with limits(1):
        _warm(model, data)
        history = model.fit(
            data.train_inputs,
            data.train_targets,
            loss=loss,
            optimizer=Adam(recipe.learning_rate),
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            progress=False,
        )
        if history.stopped and history.stopped.startswith("interrupted"):
            raise KeyboardInterrupt
        test = model.evaluate(data.test_inputs, data.test_targets, loss)
        seen = model.evaluate(data.train_inputs, data.train_targets, loss)
    assert test.accuracy is not None and seen.accuracy is not None
    return Record(
        function=function.name,
        formula=function.formula,
        data=data.name,
        seed=seed,
        test_accuracy=test.accuracy,
        train_accuracy=seen.accuracy,
        seconds=history.seconds,
        blocked=blocked(model, data.test_inputs),
        weights=sum(parameter.size for parameter in model.parameters()),
        linear_gap=_linear_gap(model, data.test_inputs),
        stopped=history.stopped,
    )


def blocked(model: Model, inputs: Any) -> float:
    """The share of pairs of hidden neuron and input where the learning flow all but ends."""
    model.forward(inputs)
    ended = total = 0
    for layer in model.layers:
        if isinstance(layer, Activation):
            layer.backward(np.ones_like(layer.output))
            ended += int(np.count_nonzero(np.abs(layer.grad_input) < BLOCKED_BELOW))
            total += layer.input.size
    return ended / total if total else 0.0


def _linear_gap(model: Model, inputs: Any) -> float | None:
    """How far the model is from the one Linear layer it amounts to; None if it is not linear."""
    everything = range(len(model.layers))
    if everything not in model.summary().linear_runs:
        return None
    output = model.predict(inputs).astype(np.float64)
    one = model.merged(0)
    single = inputs @ one.weight.value.T + (one.bias.value if one.bias else 0.0)
    return float(np.abs(output - single).max() / np.abs(output).max())


def _warm(model: Model, data: Data) -> None:
    """One pass forward and back, so that the kernels are compiled before the clock starts."""
    model.backward(np.zeros_like(model.forward(data.train_inputs[:2])))


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
