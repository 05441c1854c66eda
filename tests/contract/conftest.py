"""The contract's means: each catalogue function beside its rigorous reference, on one sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pytest
from flint import arb

import limen
from limen.catalog import RECORDS, find
from limen.certify.landmarks import landmarks
from limen.certify.measure import FORMATS, Format, ulp_error
from limen.certify.reference import Reference
from limen.certify.sample import sample
from limen.formula.definition import Definition
from limen.formula.parse import parse

ORDER = 2  # the value and two derivatives


@dataclass(frozen=True)
class Case:
    """A function on a sample: the exact value and derivatives there, as balls.

    Attributes:
        function: the function as limen gives it.
        format: the format of the sample.
        inputs: the sample, an array for each input of the function.
        balls: for each point, the value and the derivatives by the first input.
    """

    function: limen.ActivationFunction
    format: Format
    inputs: tuple[npt.NDArray, ...]
    balls: list[list[arb]]

    def errors(self, computed: npt.NDArray, exact: Callable[[int], arb]) -> npt.NDArray[np.float64]:
        """The error of each computed number in ULP; `exact` gives the ball of a place."""
        wide = computed.astype(np.float64)
        return np.array([ulp_error(c, exact(i), self.format) for i, c in enumerate(wide.tolist())])

    def report(self, errors: npt.NDArray[np.float64], most: float | npt.NDArray[np.float64]) -> str:
        """Says which points are off, worst first; empty when none is."""
        (off,) = np.nonzero(~(errors <= most))
        worst = off[np.argsort(-errors[off])][:6]
        points = ", ".join(
            f"{errors[i]:.4g} ULP at {tuple(float(x[i]) for x in self.inputs)}" for i in worst
        )
        return f"{len(off)} of {len(errors)} points: {points}" if len(off) else ""


def _reference(function: limen.ActivationFunction, by: str, order: int) -> Reference:
    """The reference of a catalogue function, from the text of its record and nothing else."""
    return Reference(
        _definition(function.name).expression,
        inputs=function.inputs,
        parameters=function.parameters,
        by=by,
        order=order,
    )


def _definition(name: str) -> Definition | None:
    record = find(name)
    if record is None:
        return None
    expression = parse(record.formula, parameters=record.parameters, functions=_definition)
    return Definition(record.name, record.inputs, record.parameters, expression)


@lru_cache(maxsize=4)
def _case(name: str, dtype: str) -> Case:
    function = limen.get(name)
    reference = _reference(function, function.inputs[0], ORDER)
    format_ = FORMATS[dtype]
    inputs = _pairs(dtype) if function.is_gated else (sample(dtype, landmarks(reference)),)
    points = zip(*(x.astype(np.float64).tolist() for x in inputs), strict=True)
    return Case(function, format_, inputs, [reference.enclose(*p, format_=format_) for p in points])


def _pairs(dtype: str) -> tuple[npt.NDArray, npt.NDArray]:
    """A two-dimensional sample: every gate of a short sample with a handful of values."""
    gates = sample(dtype, [0.0], count=80)
    gates = gates[np.isfinite(gates.astype(np.float64))]
    random = np.random.default_rng(2)
    values = random.choice([-1.0, 1.0, 0.0, -2.5e-3, 3.7, 512.0], len(gates))
    values = np.concatenate([values, random.standard_normal(len(gates))])
    return np.concatenate([gates, gates]), values.astype(gates.dtype)


@pytest.fixture(scope="session")
def case() -> Callable[[str, str], Case]:
    """`case(name, dtype)`: a catalogue function on its sample, enclosed."""
    return _case


@pytest.fixture(scope="session")
def reference() -> Callable[[limen.ActivationFunction, str, int], Reference]:
    """`reference(function, by, order)`: the rigorous reference of a catalogue function."""
    return _reference


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that ask for `plain` or `gated` run for each catalogue function of that kind."""
    for kind, count in (("plain", 1), ("gated", 2)):
        if kind in metafunc.fixturenames:
            names = [name for name, record in RECORDS.items() if len(record.inputs) == count]
            metafunc.parametrize(kind, names, scope="module")
