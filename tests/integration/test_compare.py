"""The comparison end to end, on real data and small models."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from rich.console import Console
from scipy import stats
from typer.testing import CliRunner

import limen
from limen.cli import app
from limen.errors import LimenError, UnknownNameError
from limen.insight import plot, table
from limen.insight.compare import Comparison, compare
from limen.insight.data import DATA, load
from limen.insight.trial import Recipe, Record, blocked, train

QUICK = Recipe(widths=(16,), epochs=5)


@pytest.fixture(scope="module")
def wine() -> Comparison:
    return compare(["relu", "identity", "heaviside", "swiglu"], "wine", 2, QUICK, jobs=1)


@pytest.mark.parametrize(
    ("name", "features", "classes", "samples"),
    [("digits", 64, 10, 1797), ("breast_cancer", 30, 2, 569), ("wine", 13, 3, 178),
     ("mnist5000", 784, 10, 5000)],
)  # fmt: skip
def test_data(name: str, features: int, classes: int, samples: int) -> None:
    data = load(name)
    assert (data.features, data.classes) == (features, classes)
    assert len(data.train_inputs) + len(data.test_inputs) == samples
    assert np.allclose(data.train_inputs.mean(0), 0, atol=1e-5)
    deviation = data.train_inputs.std(0)
    assert np.all(np.isclose(deviation, 1, atol=1e-3) | (deviation == 0))
    share = [np.bincount(t) / len(t) for t in (data.train_targets, data.test_targets)]
    assert np.allclose(*share, atol=0.02)
    assert np.array_equal(load(name).test_inputs, data.test_inputs)


def test_every_data_set_is_tested() -> None:
    assert set(DATA) == {"digits", "breast_cancer", "wine", "mnist5000"}


def test_relu_learns_digits() -> None:
    data = load("digits")
    records = [train(limen.get("relu"), data, seed, Recipe()) for seed in range(3)]
    assert np.mean([record.test_accuracy for record in records]) >= 0.97


def test_a_record_for_every_function_and_seed(wine: Comparison) -> None:
    assert [(r.function, r.seed) for r in wine.records] == [
        (name, seed) for name in ("relu", "identity", "heaviside", "swiglu") for seed in (0, 1)
    ]
    for record in wine.records:
        assert 0 <= record.test_accuracy <= 1
        assert 0 <= record.blocked <= 1
        assert record.seconds > 0


def test_records_repeat(wine: Comparison) -> None:
    again = train(limen.get("relu"), load("wine"), 1, QUICK)
    first = wine.records[1]
    assert (again.test_accuracy, again.blocked) == (first.test_accuracy, first.blocked)


def test_only_identity_is_one_linear_function(wine: Comparison) -> None:
    gaps = {row.function: row.linear_gap for row in wine.rows()}
    assert gaps.pop("identity") < 1e-5
    assert set(gaps.values()) == {None}


def test_what_is_blocked(wine: Comparison) -> None:
    share = {row.function: row.blocked for row in wine.rows()}
    assert share["identity"] == 0.0
    assert share["heaviside"] == 1.0
    assert 0.0 < share["relu"] < 1.0


def test_blocked_counts_the_relus_that_are_off() -> None:
    data = load("wine")
    model = Recipe(widths=(8, 4)).model(limen.get("relu"), data, seed=3)
    share = blocked(model, data.test_inputs)
    off = [model.layers[i].input < 0 for i in (1, 3)]
    assert share == sum(o.sum() for o in off) / sum(o.size for o in off)


def test_a_surrogate_lets_the_flow_pass() -> None:
    data = load("wine")
    step = limen.get("heaviside").surrogate("arctan")
    assert blocked(QUICK.model(step, data, seed=0), data.test_inputs) < 0.5


def test_a_gated_function_gets_twice_the_pre_activations(wine: Comparison) -> None:
    weights = {row.function: row.weights for row in wine.rows()}
    assert weights["relu"] == 13 * 16 + 16 + 16 * 3 + 3
    assert weights["swiglu"] == 13 * 32 + 32 + 16 * 3 + 3


def test_rows_are_sorted_and_carry_student_s_interval(wine: Comparison) -> None:
    rows = wine.rows()
    assert [row.accuracy for row in rows] == sorted((r.accuracy for r in rows), reverse=True)
    spread = [row for row in rows if np.ptp(row.accuracies) > 0]
    assert spread
    for row in spread:
        error = stats.sem(row.accuracies)
        low, high = stats.t.interval(0.95, 1, row.accuracy, error)
        assert row.margin == pytest.approx((high - low) / 2)


def test_intervals_are_drawn_among_the_accuracies_there_are(wine: Comparison) -> None:
    record = wine.records[0]
    pair = [dataclasses.replace(record, seed=s, test_accuracy=a) for s, a in enumerate((0.5, 1))]
    apart = dataclasses.replace(wine, records=tuple(pair))
    assert apart.rows()[0].margin > 1
    figure = Figure()
    plot.plot(apart, figure)
    ends = np.concatenate([line.get_xdata() for line in figure.axes[0].get_lines()])
    assert ends.min() == 0
    assert ends.max() == 100
    console = Console(width=120, file=io.StringIO())
    table.show(apart, console)
    bar = "━" * 17 + "●" + "━" * 6  # the mean, 75%, at its place from 0% to 100%
    assert bar in console.file.getvalue()  # type: ignore[attr-defined]


def test_one_seed_has_no_interval() -> None:
    row = compare(["relu"], "wine", 1, QUICK, jobs=1).rows()[0]
    assert math.isnan(row.margin)


def test_processes_give_what_one_gives(wine: Comparison) -> None:
    seen: list[Record] = []
    both = compare(["relu", "x * tanh(softplus(x))"], "wine", 2, QUICK, jobs=2, advance=seen.append)
    assert sorted((r.function, r.seed) for r in seen) == sorted(
        (r.function, r.seed) for r in both.records
    )
    for here, there in zip(wine.records[:2], both.records[:2], strict=True):
        assert here.test_accuracy == there.test_accuracy
        assert here.blocked == there.blocked


def test_two_functions_of_one_name_are_refused() -> None:
    other = limen.activation("x**2", name="relu")
    with pytest.raises(LimenError, match="relu"):
        compare(["relu", other], "wine", 1, QUICK, jobs=1)


def test_unknown_data_are_refused_with_the_names_of_others() -> None:
    with pytest.raises(UnknownNameError, match="mnist5000"):
        compare(["relu"], "cifar", 1, QUICK, jobs=1)


def test_the_command_prints_a_table_and_writes_its_files(tmp_path: Path) -> None:
    picture, figures = tmp_path / "wine.png", tmp_path / "wine.json"
    small = {"--data": "wine", "--seeds": "2", "--epochs": "3", "--layers": "8", "--jobs": "1"}
    arguments = ["compare", "relu", "identity", *(word for pair in small.items() for word in pair)]
    arguments += ["--save", str(picture), "--json", str(figures)]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "120", "TERM": "dumb"})
    assert result.exit_code == 0, result.output
    assert "ONE linear function" in result.output
    records = json.loads(figures.read_text())
    assert len(records) == 4
    for record in records:
        assert {"function", "seed", "test_accuracy", "seconds", "blocked"} <= set(record)
    assert picture.read_bytes().startswith(b"\x89PNG")
