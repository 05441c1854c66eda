"""Makes a tuned table: fit, try, measure, certify, keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from limen.binding import Binding
from limen.errors import LimenError
from limen.function import ActivationFunction
from limen.kernels.tuned.kernel import is_supported
from limen.kernels.tuned.store import Entry, formula_of, keep, private_folder
from limen.kernels.tuned.table import Table
from limen.kernels.tuned.tier import tuned_kernel
from limen.tuning.search import candidates
from limen.tuning.target import Target
from limen.tuning.trial import (
    Speed,
    Trial,
    Tried,
    largest_product_error,
    measure_speed,
    try_inputs,
)

__all__ = ["Progress", "certify", "fit", "measured_again", "tune"]

Progress = Callable[[str, float], None]
"""Called with what is being done, and the share of it that is done."""

_FIGURES = (
    "inputs", "of", "undecided", "wrong", "max_ulp", "worst_input", "correctly_rounded", "machine",
)  # fmt: skip
_QUICK = 131  # every so many float32 tell which candidates are worth a full trial
_TRIED = 5  # candidates that get a kernel
_STRICTER = (0.0, 0.1)  # ULP: where no table passes, segments are fitted once more, shorter
_ROOM = 0.98  # ULP on the quick trial, below which the full one is likely to pass


def tune(
    function: ActivationFunction,
    order: int = 0,
    *,
    place: Path | None = None,
    progress: Progress | None = None,
) -> Entry:
    """Makes a tuned table for a function, certifies it on every float32, and keeps it.

    Args:
        function: a function of one input, its parameters at the values to serve.
        order: 0 for its value, 1 for its derivative, which also serves the backward pass.
        place: the folder to keep it in; the user's private one if left out.
        progress: is told what is being done.

    Returns:
        The table with its figures. It is used from then on, in the directions in which it `serves`.

    Raises:
        LimenError: where no table is exact enough or faster, the certificate fails, the CPU lacks
            the instructions, or there is no folder to keep it in; says which.
    """
    place = place or private_folder()
    if place is None:
        raise LimenError("there is no private folder to keep a table in: set LIMEN_CACHE_DIR")
    entry = fit(function, order, progress)
    if not entry.serves:
        raise LimenError(
            f"the table of {entry.title} is exact, but no faster than the general tier, which "
            f"serves it ({_figures(entry)})"
        )
    entry = certify(function, order, entry, progress)
    if not entry.is_certified:
        raise LimenError(
            f"the table of {entry.title} got no certificate of 1 ULP on every float32: the "
            f"general tier serves it ({_doubts(entry)})"
        )
    keep(entry, place)
    return entry


def _doubts(entry: Entry) -> str:
    c = entry.certificate or {}
    return (
        f"at most {c['max_ulp']:.3f} ULP on {c['inputs']:,} of {c['of']:,} inputs, "
        f"{c['wrong']:,} of them plainly wrong"
    )


def _figures(entry: Entry) -> str:
    return "; ".join(
        f"{direction}: {s['tuned']:.2f} ns to {s['general']:.2f}, "
        f"on wide data {s['tuned_wide']:.2f} to {s['general_wide']:.2f}"
        for direction, s in entry.speed.items()
    )


def fit(function: ActivationFunction, order: int = 0, progress: Progress | None = None) -> Entry:
    """Fits a table and tries it; it is not certified yet, and not used.

    Args:
        function: as for `tune`.
        order: as for `tune`.
        progress: as for `tune`.

    Raises:
        LimenError: as `tune`, the certificate apart.
    """
    if function.is_gated:
        raise LimenError(f"{function.name} has two inputs: tables are for functions of one")
    if not is_supported():
        raise LimenError("the tuned tier needs a CPU with AVX-512, VBMI included")
    tell = progress or (lambda what, share: None)
    made = _Made(function, order)
    general = measure_speed(made.trial("forward", None)).general
    for stricter in _STRICTER:
        fitting = partial(tell, "fitting")
        layouts = candidates(made.target, order == 1, general, stricter, fitting)
        tables = [layout.table for layout in layouts[:_TRIED]]
        for table in _ranked(made, tables, tell):
            trial = made.trial("forward", table)
            tried = try_inputs(trial, table, progress=partial(tell, "trying the best"))
            if tried.max_ulp <= 1.0:
                return made.entry(table, tried)
    raise LimenError(
        f"no table for {made.computed.name} is within 1 ULP on a useful share of inputs: "
        "the general tier serves it"
    )


def certify(
    function: ActivationFunction, order: int, entry: Entry, progress: Progress | None = None
) -> Entry:
    """The entry with the key figures of its certificate: of the tuned kernel, on every float32."""
    from limen.certify import check

    tell = progress or (lambda what, share: None)
    trial = _Made(function, order).trial("forward", entry.table)
    certificate = check(
        function,
        order,
        "float32",
        lambda x, out: trial.call(trial.tuned, x, out, x),
        progress=lambda done, of: tell("certifying", done / of),
    )
    figures = {name: getattr(certificate, name) for name in _FIGURES}
    figures["holds"] = certificate.holds(1.0)
    return replace(entry, certificate=figures)


def _ranked(made: _Made, tables: list[Table], tell: Progress) -> list[Table]:
    """The tables that pass a quick trial, the fastest first."""
    passed = []
    for place, table in enumerate(tables):
        tell("trying candidates", place / len(tables))
        trials = made.trials(table)
        if try_inputs(trials["forward"], table, step=_QUICK).max_ulp > _ROOM:
            continue
        if "backward" in trials and largest_product_error(trials["backward"]) > 1.0:
            continue
        cost = sum(s.tuned + s.tuned_wide for s in measured(trials).values())
        passed.append((cost, place, table))
    tell("trying candidates", 1.0)
    return [table for _, _, table in sorted(passed, key=lambda found: found[:2])]


def measured(trials: Mapping[str, Trial]) -> dict[str, Speed]:
    """What a table costs in each direction."""
    return {direction: measure_speed(trial) for direction, trial in trials.items()}


def served(speeds: Mapping[str, Speed]) -> tuple[str, ...]:
    """All directions or none: a backward pass multiplies with the derivative's very numbers."""
    return tuple(speeds) if all(speed.pays for speed in speeds.values()) else ()


def measured_again(entry: Entry, function: ActivationFunction, order: int) -> Entry:
    """An entry with its speeds on this machine, and what it therefore serves."""
    speeds = measured(_Made(function, order).trials(entry.table))
    found = {direction: asdict(speed) for direction, speed in speeds.items()}
    return replace(entry, serves=served(speeds), speed=found)


class _Made:
    """One function's derivative, for which a table is being made."""

    def __init__(self, function: ActivationFunction, order: int) -> None:
        self.computed = function.derivative(order)
        self.target = Target(self.computed)
        self.directions = ("forward", "backward") if order == 1 else ("forward",)
        self._owners = {"forward": self.computed, "backward": function}

    def trial(self, direction: str, table: Table | None) -> Trial:
        """The kernels of a direction to try; without a table, the general one against itself."""
        binding = Binding.of(self._owners[direction])
        general, numbers = binding.general(direction, "float32")
        tuned = general
        if table is not None:
            title = binding.title(direction, "float32")
            tuned = tuned_kernel(table, binding.plan(direction), general, title)
        return Trial(self.target, general, tuned, numbers, direction == "backward")

    def trials(self, table: Table) -> dict[str, Trial]:
        """The kernels of every direction that a table may serve."""
        return {direction: self.trial(direction, table) for direction in self.directions}

    def entry(self, table: Table, tried: Tried) -> Entry:
        """What is kept of a table that passed."""
        trials = self.trials(table)
        speeds = measured(trials)
        found: dict[str, Any] = asdict(tried)
        if "backward" in trials:
            found["max_ulp_of_products"] = round(largest_product_error(trials["backward"]), 4)
        return Entry(
            formula=formula_of(self.computed.expression, self.computed.parameters),
            title=self.computed.name,
            table=table,
            serves=served(speeds),
            trial=found,
            speed={direction: asdict(speed) for direction, speed in speeds.items()},
            certificate=None,
        )
