"""Networks made sick on purpose get the right finding; healthy ones get none.

A slice of `benchmarks/observe.py --diagnosis`: one function and one seed for each sickness.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from sick_networks import CASES, observed

import limen
from limen.insight.diagnosis import Diagnosis

SICK = [name for name, case in CASES.items() if case.sickness is not None]


@pytest.mark.parametrize("name", SICK)
def test_a_sick_network_gets_its_finding_with_evidence(name: str) -> None:
    case = CASES[name]
    seen = observed(case, case.functions[0], seed=0)
    found = {finding.kind: finding for finding in seen.diagnosis()}
    assert case.sickness in found
    finding = found[case.sickness]
    assert finding.layer in {layer.name for layer in seen.layers}
    assert any(letter.isdigit() for letter in finding.evidence)
    assert finding.remedy


@pytest.mark.parametrize("function", ["relu", "tanh", "logistic", "swiglu"])
def test_a_healthy_network_gets_none(function: str) -> None:
    diagnosis = observed(CASES["healthy, 3 hidden layers"], function, seed=0).diagnosis()
    assert not diagnosis, diagnosis
    assert repr(diagnosis).startswith("Nothing was found (3 activation layers; ")


def test_findings_come_most_serious_first_and_escaped() -> None:
    diagnosis = _dead_and_not_finite()
    grades = [finding.severity for finding in diagnosis]
    assert grades == sorted(grades, key=["serious", "warning"].index)
    assert len(diagnosis) >= 2
    assert "<script>" not in diagnosis._repr_html_()
    assert str(diagnosis[0].evidence) in repr(diagnosis)


def test_nothing_is_said_of_what_was_hardly_seen() -> None:
    model = limen.Model([limen.Linear(2, 8), limen.Activation("relu")], seed=0)
    model.layers[0].bias.value[...] = -100.0
    with limen.observe(model) as seen:
        model.predict(np.zeros((20, 2), np.float32))
    assert not seen.diagnosis()


def _dead_and_not_finite() -> Diagnosis:
    model = limen.Model(
        [
            limen.Linear(2, 100), limen.Activation("relu"),
            limen.Linear(100, 40), limen.Activation("relu"),
        ],
        seed=0,
    )  # fmt: skip
    model.layers[0].bias.value[:30] = -100.0
    model.layers[2].bias.value[3] = np.nan
    with limen.observe(model, every=1) as seen:
        for x in _batches():
            model.predict(x)
    return seen.diagnosis()


def _batches() -> Iterator[np.ndarray]:
    random = np.random.default_rng(0)
    for _ in range(6):
        yield random.normal(size=(256, 2)).astype(np.float32)
