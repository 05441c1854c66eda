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
from limen.insight.comparing import picture, table
from limen.insight.comparing.compare import Comparison, compare
from limen.insight.comparing.data import DATA, load
from limen.insight.comparing.trial import Recipe, Record, blocked, train

QUICK = Recipe(widths=(16,), epochs=5)


@pytest.fixture(scope="module")
def wine() -> Comparison:
    return compare(["relu", "identity", "heaviside", "swiglu"], "wine", 2, QUICK, jobs=1)


@pytest.mark.parametrize(
    ("name", "features", "classes", "samples"),
    [("digits", 64, 10, 1797), ("breast_cancer", 30, 2, 569), ("wine", 13, 3, 178),
     ("mnist5000", 784, 10, 5000), ("moons", 2, 2, 400), ("circles", 2, 2, 400),
     ("blobs", 2, 3, 400), ("xor", 2, 2, 400), ("spirals", 2, 2, 400)],
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
    real = {"digits", "breast_cancer", "wine", "mnist5000"}
    assert set(DATA) == real | {"moons", "circles", "blobs", "xor", "spirals"}


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
    picture.plot(apart, figure)
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


def test_the_plane_s_classes_are_apart_for_those_who_bend() -> None:
    recipe = Recipe(widths=(32, 32), epochs=60, learning_rate=1e-2)
    for name in ("moons", "circles", "xor", "spirals"):
        record = train(limen.get("tanh"), load(name), 0, recipe)
        assert record.test_accuracy > 0.9, name
    assert train(limen.get("identity"), load("xor"), 0, recipe).test_accuracy < 0.7


# --- A budget, a journal, a cluster --------------------------------------------------------------


def figures(comparison: Comparison) -> list[tuple[str, int, float, float]]:
    return [(r.function, r.seed, r.test_accuracy, r.blocked) for r in comparison.records]


def test_a_budget_adds_whole_rounds() -> None:
    result = compare(["relu", "tanh", "gelu"], "wine", None, QUICK, jobs=1, budget=1.5)
    seeds = {name: [r.seed for r in result.records if r.function == name] for name in
             ("relu", "tanh", "gelu")}  # fmt: skip
    assert len(set(map(tuple, seeds.values()))) == 1
    assert len(seeds["relu"]) > 1
    least = compare(["relu", "tanh"], "wine", None, QUICK, jobs=1, budget=0.0)
    assert figures(least) == figures(compare(["relu", "tanh"], "wine", 1, QUICK, jobs=1))


def test_a_journal_goes_on_where_it_ended(tmp_path: Path) -> None:
    journal, seen = tmp_path / "wine.jsonl", list[Record]()

    def interrupt(record: Record) -> None:
        seen.append(record)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(["relu", "tanh"], "wine", 2, QUICK, jobs=1, advance=interrupt, journal=journal)
    with journal.open("a") as file:
        file.write('{"function": "cut o')  # as a machine that lost its power leaves it
    again = compare(["relu", "tanh"], "wine", 2, QUICK, jobs=1, journal=journal)
    assert again.remembered == 3
    assert figures(again) == figures(compare(["relu", "tanh"], "wine", 2, QUICK, jobs=1))
    more = compare(["relu", "tanh"], "wine", 3, QUICK, jobs=1, journal=journal)
    assert more.remembered == 4
    assert len(journal.read_text().splitlines()) == 7


def test_a_journal_of_something_else_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / "wine.jsonl"
    compare(["relu"], "wine", 1, QUICK, jobs=1, journal=journal)
    with pytest.raises(LimenError, match="its data is 'wine', here 'moons'"):
        compare(["relu"], "moons", 1, QUICK, jobs=1, journal=journal)
    with pytest.raises(LimenError, match="its recipe"):
        compare(["relu"], "wine", 1, Recipe(widths=(8,)), jobs=1, journal=journal)
    other = compare([limen.get("relu", at_kinks=0.0)], "wine", 1, QUICK, jobs=1, journal=journal)
    assert other.remembered == 0
    journal.write_text("a diary\n")
    with pytest.raises(LimenError, match="no journal"):
        compare(["relu"], "wine", 1, QUICK, jobs=1, journal=journal)
    journal.write_bytes(b"\xff\xfe")
    with pytest.raises(LimenError, match="cannot keep a journal"):
        compare(["relu"], "wine", 1, QUICK, jobs=1, journal=journal)


@pytest.mark.filterwarnings("default")  # of a cluster's own processes and ports
def test_a_dask_cluster_gives_what_one_process_gives() -> None:
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster:
        there = compare(
            ["relu", "x * tanh(softplus(x))"], "wine", 2, QUICK, dask=cluster.scheduler_address
        )
    here = compare(["relu", "x * tanh(softplus(x))"], "wine", 2, QUICK, jobs=1)
    assert figures(there) == figures(here)


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("limen.insight.comparing.work._PATIENCE", "1s")
    with pytest.raises(LimenError, match="no Dask scheduler answers at tcp"):
        compare(["relu"], "wine", 1, QUICK, dask="tcp://127.0.0.1:9")


def test_no_seed_is_no_comparison() -> None:
    with pytest.raises(ValueError, match="seeds must be a whole number from 1, given 0"):
        compare(["relu"], "wine", 0, QUICK)


def test_what_is_no_address_of_a_scheduler_is_said_before_a_client_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(distributed, "Client", None)
    with pytest.raises(LimenError, match="no Dask scheduler answers at here: missing port"):
        compare(["relu"], "wine", 1, QUICK, dask="here")


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
