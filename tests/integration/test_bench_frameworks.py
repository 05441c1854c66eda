"""The bench with real frameworks, whichever are installed: they all compute the same thing."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import limen
from limen.bench.case import Direction, Elementwise, Step
from limen.bench.entrants import BASELINE, ENTRANTS
from limen.bench.measure import Settings, bench
from limen.bench.process import Process, ProcessError, environment
from limen.bench.result import read
from limen.bench.training import RATE, data

FORMULA = limen.activation("x * tanh(softplus(x))")
COMPILES = "torch-compile"  # seconds for every function


def installed(*names: str) -> list[str]:
    return [name for name in names if ENTRANTS[name].is_installed]


@pytest.fixture(scope="module", params=["limen-out", "torch", "jax"])  # NumPy: in the unit tests
def process(request: pytest.FixtureRequest) -> Iterator[Process]:
    entrant = ENTRANTS[request.param]
    if not entrant.is_installed:
        pytest.skip(f"{entrant.package} is not installed")
    with Process(entrant, environment(1)) as child:
        child.greet()
        yield child


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_every_function_of_the_catalogue(process: Process, direction: Direction) -> None:
    refused = {}
    for name in limen.names():
        try:
            process.prepare(Elementwise.of(limen.get(name), direction, 64))
        except ProcessError as error:
            refused[name] = str(error)
    assert refused.keys() <= {"identity", "heaviside"}
    if process.entrant.name != "limen-out":
        assert "nothing to measure" in refused.pop("identity", "nothing to measure")
    if process.entrant.name == "torch" and direction == "backward":
        assert "no gradient" in refused.pop("heaviside")
    assert not refused


def test_frameworks_use_their_own_function_for_a_name_and_the_formula_for_a_text() -> None:
    for name in installed("torch", "jax"):
        with Process(ENTRANTS[name], environment(1)) as child:
            child.greet()
            for f, spelling in ((limen.get("mish"), "nn"), (FORMULA, "formula")):
                assert spelling in child.prepare(Elementwise.of(f, "forward", 64))["spelling"]


@pytest.mark.parametrize("name", [n for n in ENTRANTS if n != BASELINE.name])
def test_everyone_learns_the_same(name: str) -> None:
    entrant = ENTRANTS[name]
    if not entrant.is_installed:
        pytest.skip(f"{entrant.package} is not installed")
    script = (
        "import json, sys; from importlib import import_module; "
        "from limen.bench.case import Step; "
        "peer = import_module('limen.bench.peers.' + sys.argv[1])"
        ".make(1, **json.loads(sys.argv[2])); "
        "step = peer.bind(Step(32, 64)); "
        "print('losses', *[float(peer.fetch(step())[0]) for _ in range(100)])"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, entrant.module, json.dumps(dict(entrant.options))],
        env=environment(1), capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = next(line for line in run.stdout.splitlines() if line.startswith("losses"))
    losses = [float(word) for word in said.split()[1:]]
    np.testing.assert_allclose(losses, textbook_losses(len(losses)), rtol=1e-5)


@cache
def textbook_losses(steps: int) -> list[float]:
    """Backpropagation written out in float64."""
    (x, y, weights), losses = data(Step(32, 64)), []
    w = [weight.astype(float) for weight in weights]
    b = [np.zeros(64) for _ in w]
    for _ in range(steps):
        inputs, sums = [x.astype(float)], []
        for weight, bias in zip(w, b, strict=True):
            sums.append(inputs[-1] @ weight.T + bias)
            inputs.append(sums[-1] * np.tanh(np.logaddexp(0, sums[-1])))
        error = sums[-1] - y
        losses.append(float(0.5 * np.square(error).sum() / 32))
        flow = error / 32
        for k in (2, 1, 0):
            update = RATE * flow.T @ inputs[k], RATE * flow.sum(axis=0)
            if k:
                s = sums[k - 1]
                t = np.tanh(np.logaddexp(0, s))
                flow = (flow @ w[k]) * (t + s * (1 - t**2) / (1 + np.exp(-s)))
            w[k] -= update[0]
            b[k] -= update[1]
    return losses


def test_compiled_by_torch() -> None:
    if not ENTRANTS[COMPILES].is_installed:
        pytest.skip("torch is not installed")
    with Process(ENTRANTS[COMPILES], environment(1)) as child:
        child.greet()
        for f in (limen.get("mish"), FORMULA, limen.get("swiglu")):
            for direction in ("forward", "backward"):
                child.prepare(Elementwise.of(f, direction, 64))


def test_a_whole_run() -> None:
    names = [n for n in ENTRANTS if n != COMPILES]
    cases = (Elementwise.of(FORMULA, "backward", 4096), Step(32, 64))
    result = bench(Settings(cases, (1, 2), rounds=3), [ENTRANTS[n] for n in names])
    present = set(installed(*names))
    assert set(result.left_out) == set(names) - present
    assert [(m.case, m.threads) for m in result.measured] == [
        (case, threads) for threads in (1, 2) for case in cases
    ]
    for m in result.measured:
        assert not m.refused
        assert set(m.taken) == {name for name in present if ENTRANTS[name].takes(m.case)}


@pytest.mark.skipif(sys.platform == "win32", reason="no groups of processes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_its_figures_and_leaves_nobody_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    figures = tmp_path / "figures.json"
    command = [sys.executable, "-c", "from limen.cli import main; main()", "bench", "tanh"]
    options = ["--peers", "numpy,limen", "--no-latency", "--json", str(figures)]
    # In a group of its own, as a shell does it: Ctrl-C reaches the children too.
    run = subprocess.Popen([*command, *options], start_new_session=True)
    try:
        time.sleep(5)
        if number == signal.SIGINT:
            os.killpg(run.pid, number)
        else:
            run.send_signal(number)
        assert run.wait(30) == 130
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
            raise AssertionError("somebody was left behind")
    result = read(figures)
    assert result.stopped
