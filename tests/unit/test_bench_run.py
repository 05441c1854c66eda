"""The bench: the protocol of its children, the run, the figures, and how all of it fails."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import limen
from limen.bench.case import Elementwise, Step, case_from, to_json
from limen.bench.entrants import BASELINE, Entrant
from limen.bench.measure import Settings, bench
from limen.bench.process import Process, ProcessError, environment
from limen.errors import LimenError

SCRIPT = Path(__file__).with_name("bench_entrant.py")
TWICE = Elementwise("2 * x", "2 * x", "forward", 100)


def entrant(how: str, name: str = "") -> Entrant:
    """An entrant that computes 2 * x, or fails to."""
    command = (sys.executable, str(SCRIPT), how)
    return Entrant(name or how, how.title(), "as told", command=command)


BASE = entrant("good", BASELINE.name)


@pytest.fixture
def good() -> Iterator[Process]:
    with Process(entrant("good"), environment(1)) as process:
        process.greet()
        yield process


# --- Cases ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case", [TWICE, Step(32, 64), Elementwise.of(limen.get("swish", beta=2.0), "backward", 8)]
)
def test_a_case_survives_the_journey(case: Elementwise | Step) -> None:
    assert case_from(json.loads(json.dumps(to_json(case)))) == case


def test_a_case_is_the_same_function_elsewhere() -> None:
    for f in (limen.get("swish", beta=2.0), limen.activation("a * x**2", a=3.0), limen.swiglu):
        there = Elementwise.of(f, "forward", 8).function()
        assert (there.formula, there.parameters, there.inputs) == (
            f.formula,
            f.parameters,
            f.inputs,
        )


def test_only_the_catalogue_s_own_parameters_are_standard() -> None:
    def is_standard(f: limen.ActivationFunction) -> bool:
        return Elementwise.of(f, "forward", 8).is_standard()

    assert is_standard(limen.get("elu"))
    assert not is_standard(limen.get("elu", alpha=2.0))
    assert not is_standard(limen.activation("2 * x", name="elu"))
    assert not is_standard(limen.activation("x * tanh(softplus(x))"))


def test_every_entrant_gets_the_same_numbers() -> None:
    for once, again in zip(TWICE.arrays(1), TWICE.arrays(1), strict=True):
        np.testing.assert_array_equal(once, again)
    for start, whole in zip(TWICE.arrays(1, first=9), TWICE.arrays(1), strict=True):
        np.testing.assert_array_equal(start, whole[:9])
    wide = replace(TWICE, deviation=3.0).arrays(1)
    np.testing.assert_allclose(wide[0], 3 * TWICE.arrays(1)[0], rtol=1e-6)


# --- The protocol --------------------------------------------------------------------------------


def test_a_child_says_who_it_is_and_measures(good: Process) -> None:
    assert good.hello["version"] == "1.2.3"
    prepared = good.prepare(TWICE)
    assert prepared["spelling"] == "by hand"
    turn = good.time()
    assert turn["seconds"] >= 1e-3  # it sleeps that long
    assert turn["cores"] < 0.9
    good.release()
    with pytest.raises(ProcessError, match="nothing is prepared"):
        good.time()


def test_what_a_framework_prints_does_not_disturb() -> None:
    with Process(entrant("noisy"), environment(1)) as process:
        process.greet()
        assert process.prepare(TWICE)["spelling"] == "by hand"


def test_another_function_is_not_timed() -> None:
    with Process(entrant("wrong"), environment(1)) as process:
        process.greet()
        with pytest.raises(ProcessError, match=r"2 \* x, forward, is another function: at .*, not"):
            process.prepare(TWICE)
        assert process.is_alive


def test_a_death_is_told_with_the_last_words() -> None:
    with Process(entrant("crash"), environment(1)) as process:
        process.greet()
        with pytest.raises(ProcessError, match=r"Crash ended with code 3.*the last words"):
            process.prepare(TWICE)
        assert not process.is_alive
        with pytest.raises(ProcessError, match="ended with code 3"):
            process.time()


def test_a_child_ends_with_its_parent_s_attention() -> None:
    process = Process(entrant("good"), environment(1))
    process.greet()
    assert process.is_alive
    process.close()
    assert not process.is_alive


def test_the_environment_holds_every_pool() -> None:
    variables = environment(3, cache="/a/folder")
    for pool in ("OMP", "OPENBLAS", "MKL", "LIMEN"):
        assert variables[f"{pool}_NUM_THREADS"] == "3"
    assert variables["NPROC"] == "3"
    assert variables["LIMEN_CACHE_DIR"] == "/a/folder"
    assert environment(1).get("LIMEN_CACHE_DIR") == os.environ.get("LIMEN_CACHE_DIR")


# --- The run -------------------------------------------------------------------------------------


SETTINGS = Settings((TWICE, replace(TWICE, direction="backward")), threads=(1,), rounds=3)


def test_everyone_has_a_turn_in_every_round() -> None:
    result = bench(SETTINGS, [BASE, entrant("good")])
    assert [m.case for m in result.measured] == list(SETTINGS.cases)
    for m in result.measured:
        assert set(m.taken) == {"baseline", "good"}
        assert all(len(taken.seconds) == 3 for taken in m.taken.values())
        ratio = m.ratio("good")
        assert ratio is not None
        assert 0 < ratio.low <= ratio.median <= ratio.high
    assert result.versions == {"baseline": "1.2.3", "good": "1.2.3"}
    assert not result.left_out
    assert not result.stopped


def test_who_fails_is_named_and_the_others_go_on() -> None:
    missing = replace(entrant("good", "missing"), package="no_such_package")
    everyone = [BASE, *map(entrant, ("good", "wrong", "refuse", "crash", "mute")), missing]
    result = bench(SETTINGS, everyone)
    assert result.left_out["missing"] == "no_such_package is not installed"
    assert "no words at all" in result.left_out["mute"]
    first, second = result.measured
    assert set(first.taken) == {"baseline", "good"}
    assert set(first.refused) == {"wrong", "refuse", "crash"}
    assert "not this one" in first.refused["refuse"]
    assert set(second.refused) == {"wrong", "refuse"}  # the dead are not asked again


def test_without_a_baseline_nothing_is_measured() -> None:
    with pytest.raises(LimenError, match="no words at all"):
        bench(SETTINGS, [entrant("mute", BASELINE.name), entrant("good")])


def test_slow_cases_get_fewer_rounds() -> None:
    few = replace(SETTINGS, rounds=50, seconds=0.0)
    result = bench(few, [BASE])
    assert len(result.measured[0].taken["baseline"].seconds) == 5


def test_the_first_call_is_waited_for_in_fresh_processes() -> None:
    cases = replace(SETTINGS, cases=(), latency=TWICE, starts=2)
    result = bench(cases, [BASE, entrant("good")])
    assert [(row.entrant, row.start) for row in result.latency] == [
        ("good", "cold"),
        ("good", "warm"),
    ]
    assert all(len(row.first_call_seconds) == 2 for row in result.latency)


def test_ctrl_c_keeps_what_was_measured_and_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[Process] = []
    start = Process.__init__

    def watch(self: Process, *arguments: Any) -> None:
        start(self, *arguments)
        started.append(self)

    monkeypatch.setattr(Process, "__init__", watch)

    def press(what: str, turns: int) -> None:
        if "backward" in what:
            raise KeyboardInterrupt

    result = bench(SETTINGS, [BASE, entrant("good")], press)
    assert result.stopped
    assert [m.case for m in result.measured] == [TWICE]
    assert len(started) == 2
    assert not any(process.is_alive for process in started)


def test_every_turn_is_announced() -> None:
    told: list[int] = []
    few = replace(SETTINGS, latency=TWICE, starts=1)
    entrants = [BASE, entrant("good")]
    bench(few, entrants, lambda what, turns: told.append(turns))
    assert sum(told) == few.turns(entrants)
