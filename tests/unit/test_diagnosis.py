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


def test_the_evidence_is_exact() -> None:
    """30 of 40 neurons die at step 4, of 12, and the flow with them."""
    model = limen.Model(
        [
            limen.Linear(2, 8), limen.Activation("tanh"),
            limen.Linear(8, 40), limen.Activation("relu"), limen.Linear(40, 2),
        ],
        seed=0,
    )  # fmt: skip
    model.layers[2].bias.value[:30] = 1.0  # nobody is dead yet
    random, came, went = np.random.default_rng(0), [], []
    with limen.observe(model, every=1) as seen:
        for step in range(12):
            if step == 4:
                model.layers[2].bias.value[:30] = -100.0
            model.forward(random.normal(size=(250, 2)).astype(np.float32))
            model.backward(random.normal(size=(250, 2)).astype(np.float32))
            layer = model.layers[3]
            came.append(_size(layer.grad_output))
            went.append(_size(layer.grad_input))
    (finding,) = [f for f in seen.diagnosis() if f.kind == "dead"]
    before, now = (
        np.median(went[part]) / np.median(came[part]) for part in (slice(3), slice(-3, None))
    )
    assert finding.title == "75% dead neurons"
    assert finding.evidence == (
        "30 of 40 relu neurons were blocked on all 2,000 rows looked at since step 4; the flow it "
        f"hands on to layer 1 fell from {before:.1%} to {now:.0%} of what comes to it"
    )
    assert "a smaller learning rate (they died while it trained)" in finding.remedy


@pytest.mark.parametrize(
    ("step", "remedy"),
    [(0, "times smaller (Glorot"), (1, "a smaller learning"), (8, "a smaller learning")],
)
def test_the_remedy_is_one_for_the_cause(step: int, remedy: str) -> None:
    """Saturated from the start, or by what happened in training."""
    model = limen.Model([limen.Linear(2, 8), limen.Activation("tanh")], seed=0)
    random = np.random.default_rng(0)
    model.layers[0].weight.value[...] = random.normal(size=(8, 2)) / 2**0.5
    with limen.observe(model, every=1) as seen:
        for k in range(16):
            if k == step:
                model.layers[0].weight.value *= 50.0
            model.predict(random.normal(size=(250, 2)).astype(np.float32))
    (finding,) = seen.diagnosis()
    assert finding.kind == "saturated"
    assert remedy in finding.remedy


def _size(flow: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(flow, dtype=np.float64))))


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


def test_a_step_is_one_by_its_formula_and_few_rows_are_said_to_be_few() -> None:
    model = limen.Model([limen.Linear(2, 8), limen.Activation("heaviside"), limen.Linear(8, 1)])
    advice = {2: "rows in all: limen.observe(model, every=1) looks at each", 1: "rows in all"}
    for every, said in advice.items():
        with limen.observe(model, every=every) as seen:
            for _ in range(2):
                model.forward(np.eye(2))
                model.backward(np.ones((2, 1)))
        diagnosis = seen.diagnosis()
        assert [finding.kind for finding in diagnosis] == ["step"]
        assert repr(diagnosis).endswith(f", fewer than 100 {said})")
