"""The run: every entrant gets a turn, round after round, so that all meet the same machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from time import perf_counter
from typing import Any

import numpy as np

from limen.bench import wording
from limen.bench.case import Case, Elementwise
from limen.bench.entrants import BASELINE, Entrant
from limen.bench.machine import describe
from limen.bench.process import Process, ProcessError, environment
from limen.bench.result import Latency, Measured, Result, Taken
from limen.errors import LimenError

__all__ = ["Settings", "bench"]

_LEAST_ROUNDS = 5  # fewer have no quartiles worth the name

Advance = Callable[[str, int], None]
"""Is told what is being measured, and how many turns are done since it was told last."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What to measure.

    Attributes:
        cases: the functions and training steps.
        threads: the numbers of threads.
        rounds: how often everyone has a turn at each case, at most.
        seconds: after so long a case gets no more than five rounds: large arrays need fewer.
        latency: the case whose first result is waited for in fresh processes, if any.
        starts: how many such processes for each entrant.
    """

    cases: tuple[Case, ...]
    threads: tuple[int, ...]
    rounds: int = 15
    seconds: float = 5.0
    latency: Elementwise | None = None
    starts: int = 3

    def turns(self, entrants: Sequence[Entrant]) -> int:
        """How many turns the whole run has."""
        first = 0 if self.latency is None else 2 * self.starts * (len(entrants) - 1)
        taking_part = sum(entrant.takes(case) for case in self.cases for entrant in entrants)
        return first + taking_part * len(self.threads) * (self.rounds + 1)


def bench(
    settings: Settings, entrants: Sequence[Entrant], advance: Advance | None = None
) -> Result:
    """Measures everything; Ctrl-C ends the run and keeps what there is.

    Args:
        settings: what to measure.
        entrants: who takes part, the baseline among them; who is not installed is left out.
        advance: is called after every turn.

    Returns:
        The `Result`; its `left_out` names who did not take part, and why.

    Raises:
        LimenError: if the baseline cannot be measured.
    """
    result = Result(describe(), settings.rounds)
    present = []
    for entrant in entrants:
        if entrant.is_installed:
            present.append(entrant)
        else:
            result.left_out[entrant.name] = f"{entrant.package} is not installed"
    run = _Run(settings, present, result, advance or (lambda what, turns: None))
    try:
        run.latency()
        for threads in settings.threads:
            run.everything(threads)
    except KeyboardInterrupt:
        result.stopped = True
    return result


@dataclass(slots=True)
class _Run:
    settings: Settings
    entrants: Sequence[Entrant]
    result: Result
    advance: Advance
    order: Random = field(default_factory=lambda: Random(0))

    def latency(self) -> None:
        """Starts every entrant afresh, without compiled code, and again with it."""
        case = self.settings.latency
        if case is None:
            return
        rows: dict[tuple[str, str], Latency] = {}
        threads = max(self.settings.threads)
        starting = [entrant for entrant in self.entrants if entrant.name != BASELINE.name]
        try:
            for entrant in starting * self.settings.starts:
                with tempfile.TemporaryDirectory() as cache:
                    for start in ("cold", "warm"):
                        row = rows.setdefault(
                            (entrant.name, start), Latency(entrant.name, start, [], [])
                        )
                        self._first_call(row, entrant, environment(threads, cache), case)
        finally:
            self.result.latency.extend(row for row in rows.values() if row.first_call_seconds)

    def _first_call(
        self, row: Latency, entrant: Entrant, variables: Mapping[str, str], case: Elementwise
    ) -> None:
        self.advance(f"{entrant.title}, {row.start} start", 1)
        with Process(entrant, variables) as process:
            try:
                process.greet()
                prepared = process.prepare(case)
            except ProcessError as error:
                self.result.left_out[f"{entrant.title}, {row.start} start"] = str(error)
                return
        row.start_seconds.append(process.ready_seconds)
        row.first_call_seconds.append(prepared["bind_seconds"] + prepared["first_call_seconds"])

    def everything(self, threads: int) -> None:
        """All cases with one number of threads."""
        with ExitStack() as stack:
            variables = environment(threads)
            waiting = [stack.enter_context(Process(e, variables)) for e in self.entrants]
            ready = [process for process in waiting if self._greeted(process)]
            if not any(process.entrant.name == BASELINE.name for process in ready):
                raise LimenError(self.result.left_out.get(BASELINE.name, "no baseline takes part"))
            for case in self.settings.cases:
                taking_part = [process for process in ready if process.entrant.takes(case)]
                self.result.measured.append(self._case(case, threads, taking_part))
                ready = [process for process in ready if process.is_alive]

    def _greeted(self, process: Process) -> bool:
        entrant = process.entrant
        try:
            process.greet()
        except ProcessError as error:
            self.result.left_out[entrant.name] = str(error)
            return False
        self.result.versions[entrant.name] = process.hello["version"]
        return True

    def _case(self, case: Case, threads: int, ready: Sequence[Process]) -> Measured:
        said = _said(case, threads)
        prepared: dict[Process, dict[str, Any]] = {}
        times: dict[Process, list[dict[str, float]]] = {}
        refused: dict[str, str] = {}
        for process in ready:
            self.advance(f"{said}: {process.entrant.title} prepares", 1)
            try:
                prepared[process] = process.prepare(case)
                times[process] = []
            except ProcessError as error:
                refused[process.entrant.name] = str(error)
        stop = perf_counter() + self.settings.seconds
        for done in range(self.settings.rounds):
            if done >= _LEAST_ROUNDS and perf_counter() > stop:
                self.advance(said, (self.settings.rounds - done) * len(ready))
                break
            # In an order of its own each round: nobody always follows the same one.
            for process in self.order.sample(list(times), len(times)):
                self.advance(f"{said}: {process.entrant.title}", 1)
                try:
                    times[process].append(process.time())
                except ProcessError as error:
                    refused[process.entrant.name] = str(error)
                    del times[process]
        for process in times:
            process.release()
        taken = {
            process.entrant.name: Taken(
                [turn["seconds"] for turn in turns],
                float(np.median([turn["cores"] for turn in turns])),
                prepared[process]["bind_seconds"] + prepared[process]["first_call_seconds"],
                prepared[process]["spelling"],
            )
            for process, turns in times.items()
        }
        return Measured(case, threads, taken, refused)


def _said(case: Case, threads: int) -> str:
    where = wording.threads(threads)
    if isinstance(case, Elementwise):
        return f"{case.name} {case.direction}, {case.elements:,}, {where}"
    return f"step {case.batch} x {case.width}, {where}"
