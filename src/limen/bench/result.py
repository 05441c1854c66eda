"""What was measured: seconds, turn by turn, and the ratios that they make."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from limen.bench.case import Case, Elementwise, Step, case_from, to_json
from limen.bench.entrants import BASELINE
from limen.errors import FileError, LimenError

__all__ = ["Latency", "Measured", "Ratio", "Result", "Taken", "read", "write"]

FORMAT = 1
"""The version of the JSON file."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio over the turns: the median, and the quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, above: list[float], below: list[float]) -> Ratio:
        """Turn by turn: what one took, over what the other took in the same round."""
        low, median, high = np.percentile(np.divide(above, below), (25, 50, 75))
        return cls(float(median), float(low), float(high))


@dataclass(frozen=True, slots=True)
class Taken:
    """What one entrant took for one case.

    Attributes:
        seconds: for one call, in each round.
        cores: how many cores were busy, the median over the rounds.
        first_call_seconds: the first call in its process, compilation included.
        spelling: how the entrant writes the function.
    """

    seconds: list[float]
    cores: float
    first_call_seconds: float
    spelling: str


@dataclass(frozen=True, slots=True)
class Measured:
    """One case, with all who could do it.

    Attributes:
        case: what was done.
        threads: how many threads each could use.
        taken: by the name of the entrant.
        refused: why the others could not, by name.
    """

    case: Case
    threads: int
    taken: dict[str, Taken]
    refused: dict[str, str] = field(default_factory=dict)

    def ratio(self, entrant: str, to: str = BASELINE.name) -> Ratio | None:
        """How many times as long an entrant took as another, by default as the baseline."""
        if entrant not in self.taken or to not in self.taken:
            return None
        return Ratio.of(self.taken[entrant].seconds, self.taken[to].seconds)

    def unit(self, entrant: str) -> float:
        """The median: nanoseconds for an element, or microseconds for a training step."""
        seconds = float(np.median(self.taken[entrant].seconds))
        if isinstance(self.case, Elementwise):
            return 1e9 * seconds / self.case.elements
        return 1e6 * seconds


@dataclass(frozen=True, slots=True)
class Latency:
    """From the start of a process to the first result of a function.

    Attributes:
        entrant: who.
        start: whether compiled code was there: "cold" or "warm".
        start_seconds: from the start of the process until the framework is imported, in each run.
        first_call_seconds: from the formula to the first value, in each run.
    """

    entrant: str
    start: str
    start_seconds: list[float]
    first_call_seconds: list[float]


@dataclass(slots=True)
class Result:
    """Everything one run of the bench found.

    Attributes:
        machine: what it ran on; `limen.bench.machine` says which keys.
        versions: of each entrant that took part.
        rounds: how often everyone had a turn, at most.
        measured: one for each case and number of threads.
        latency: one for each entrant and start.
        left_out: why an entrant did not take part, by name.
        stopped: whether Ctrl-C ended the run before all was measured.
    """

    machine: dict[str, Any]
    rounds: int
    versions: dict[str, str] = field(default_factory=dict)
    measured: list[Measured] = field(default_factory=list)
    latency: list[Latency] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    stopped: bool = False

    def entrants(self) -> list[str]:
        """Everyone who took anything, the baseline first."""
        return list(dict.fromkeys(name for m in self.measured for name in m.taken))

    def elementwise(self) -> list[Measured]:
        """The cases that are functions."""
        return [m for m in self.measured if isinstance(m.case, Elementwise)]

    def steps(self) -> list[Measured]:
        """The cases that are training steps."""
        return [m for m in self.measured if isinstance(m.case, Step)]


def write(result: Result, path: str | Path) -> None:
    """Writes a result as JSON: every turn, and the ratios to the baseline beside them.

    Raises:
        LimenError: if the file cannot be written.
    """
    document = {"format": FORMAT, **asdict(result)}
    document["measured"] = [_measured(m) for m in result.measured]
    try:
        Path(path).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise LimenError(f"cannot write {path}: {error}") from error


def _measured(m: Measured) -> dict[str, Any]:
    ratios = {name: m.ratio(name) for name in m.taken}
    return {
        "case": to_json(m.case),
        "threads": m.threads,
        "taken": {name: asdict(taken) for name, taken in m.taken.items()},
        "ratio": {name: asdict(ratio) for name, ratio in ratios.items() if ratio is not None},
        "refused": m.refused,
    }


def read(path: str | Path) -> Result:
    """Reads what `write` wrote.

    Raises:
        FileError: if it is no such file.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        if document.pop("format") != FORMAT:
            raise FileError(f"{path} was written by another version of limen: measure again")
        measured = [
            Measured(
                case_from(m["case"]),
                m["threads"],
                {name: Taken(**taken) for name, taken in m["taken"].items()},
                m["refused"],
            )
            for m in document.pop("measured")
        ]
        latency = [Latency(**row) for row in document.pop("latency")]
        return Result(**document, measured=measured, latency=latency)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{path} holds no figures of limen bench: {error}") from error
