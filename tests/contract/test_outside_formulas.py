"""Fifty formulas from outside the catalogue, as people write them, against ball arithmetic.

Each is held to 1 ULP in float32 and 2 in float64, value and first derivative, on a dense sample
with tails, roots, kinks and the smallest numbers. `outside_formulas.toml` holds the formulas, and
what none of them may do silently: where a formula keeps less, or the reference does not decide, it
says so and why.
"""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import numpy as np
import pytest

import limen
from limen.certify.landmarks import landmarks
from limen.certify.measure import FORMATS, ulp_error
from limen.certify.reference import Reference
from limen.certify.sample import sample
from limen.certify.table import read
from limen.formula.parse import parse

OUTSIDE = tomllib.loads((Path(__file__).parent / "outside_formulas.toml").read_text("utf-8"))
ULP = {"float32": 1.0, "float64": 2.0}
CERTIFICATES = Path(__file__).parents[2] / "docs" / "outside_certificates.json"
KEYS = {"formula", "parameters", "why", "undecided", "float64", "every_input"}

# What float64 arrays are held to: where results are neither subnormal nor beside overflow, and for
# inputs within float32's range, since x**2 overflows from 1e154 on.
LARGEST_INPUT, SMALLEST, LARGEST = 2.0**127, 1e-290, 1e300


def test_there_are_fifty_and_none_is_in_the_catalogue() -> None:
    assert len(OUTSIDE) >= 50
    known = {limen.get(name).expression for name in limen.names()}
    for entry in OUTSIDE.values():
        assert entry.keys() <= KEYS
        assert parse(entry["formula"], parameters=entry.get("parameters", {})) not in known


def test_what_every_input_showed_is_said() -> None:
    """The certificates over all float32, which `tools/certify_outside.py` makes."""
    certificates = read(CERTIFICATES)
    assert {(c.dtype, c.of) for c in certificates} == {("float32", 1 << 32)}
    assert all(c.method.startswith("every input") for c in certificates)
    for c in certificates:
        entry = OUTSIDE[c.name]
        assert (
            c.formula == limen.activation(entry["formula"], **entry.get("parameters", {})).formula
        )
    wrong = {c.name for c in certificates if c.wrong or c.max_ulp > 1}
    assert wrong == {name for name, entry in OUTSIDE.items() if "every_input" in entry}
    doubtful = {c.name for c in certificates if c.unbounded} - wrong
    assert all("undecided" in OUTSIDE[name] for name in doubtful)


@pytest.mark.parametrize("dtype", ULP)
@pytest.mark.parametrize("name", OUTSIDE)
def test_outside_formula(name: str, dtype: str) -> None:
    entry = OUTSIDE[name]
    if dtype in entry:
        pytest.skip(entry[dtype])
    parameters = entry.get("parameters", {})
    f = limen.activation(entry["formula"], **parameters)
    reference = Reference(
        parse(entry["formula"], parameters=parameters), parameters=parameters, order=1
    )
    format_ = FORMATS[dtype]
    points = _points(dtype, reference)
    balls = [reference.enclose(point, format_=format_) for point in points.tolist()]
    x = points.astype(dtype)
    for order, computed in enumerate((f(x), f.derivative()(x))):
        errors, undecided = [], 0
        for point, number, ball in zip(points.tolist(), computed.tolist(), balls, strict=True):
            exact = ball[order]
            if exact.is_nan() and not math.isnan(number):
                undecided += 1
            elif dtype == "float32" or (not abs(exact) < SMALLEST and not abs(exact) > LARGEST):
                errors.append((ulp_error(number, exact, format_), point))
        worst = max(errors)
        assert worst[0] <= ULP[dtype], f"derivative {order}: {worst[0]:.4g} ULP at {worst[1]!r}"
        assert not undecided or "undecided" in entry, f"{undecided} points undecided"
        assert undecided < len(points) / 8


def _points(dtype: str, reference: Reference) -> np.ndarray:
    beside = landmarks(reference)
    if dtype == "float32":
        return sample(dtype, beside, count=400).astype(np.float64)
    thin = np.concatenate([sample(dtype, count=400)[::4], sample(dtype, beside, count=8)[::3]])
    return np.unique(thin[np.abs(thin) <= LARGEST_INPUT])
