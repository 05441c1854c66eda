"""Makes a tuned table: fit, try, measure, certify, keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from limen.binding import Binding
from limen.errors import LimenError
from limen.function import ActivationFunction
from limen.kernels.tuned.kernel import is_supported
from limen.kernels.tuned.powers import Tuned
from limen.kernels.tuned.store import Entry, find, formula_of, keep, private_folder
from limen.kernels.tuned.tier import tuned_kernel
from limen.registry import get
from limen.tuning.curve import gate_curve
from limen.tuning.exponential import powers_of
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

__all__ = ["Progress", "certify", "fit", "measured_again", "named_by", "tune"]

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
        function: a function of one input, its parameters at the values to serve; or a gated one
            that is the product of its value and a function of its gate, whose table it gets.
        order: 0 for its value, 1 for its derivative (by the gate), which also serves the backward
            pass; that of a gated function needs the table of its value too.
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
    made = _Made(function, order)
    if made.target.is_cheap:
        raise LimenError(
            f"{made.target.function.name} is made of sums, products and choices: the general tier "
            "serves it about as fast as a copy, and no table is faster"
        )
    if not is_supported():
        raise LimenError("the tuned tier needs a CPU with AVX-512, VBMI included")
    tell = progress or (lambda what, share: None)
    for tables in made.tables(partial(tell, "fitting")):
        for table in _ranked(made, tables, tell):
            trying = partial(tell, "trying the best")
            tried = try_inputs(made.alone(table), table, progress=trying)
            if tried.max_ulp > 1.0:
                continue
            products = _largest_product_error(made, table, progress=trying)
            if products <= 1.0:
                return made.entry(table, tried, products)
    raise LimenError(
        f"no table for {made.target.function.name} is within 1 ULP on a useful share of inputs: "
        "the general tier serves it"
    )


def certify(
    function: ActivationFunction, order: int, entry: Entry, progress: Progress | None = None
) -> Entry:
    """The entry with the key figures of its certificate: of the tuned kernel, on every float32.

    Of a gated function it is that of what its value is multiplied with.
    """
    from limen.certify import check

    tell = progress or (lambda what, share: None)
    made = _Made(function, order)
    trial = made.alone(entry.table)
    certificate = check(
        made.curve,
        order,
        "float32",
        lambda x, out: trial.call(trial.tuned, x, [out], []),
        progress=lambda done, of: tell("certifying", done / of),
    )
    figures = {name: getattr(certificate, name) for name in _FIGURES}
    figures["holds"] = certificate.holds(1.0)
    return replace(entry, certificate=figures)


def _ranked(made: _Made, tables: list[Tuned], tell: Progress) -> list[Tuned]:
    """The tables that pass a quick trial, the fastest first."""
    passed = []
    for place, table in enumerate(tables):
        tell("trying candidates", place / len(tables))
        if try_inputs(made.alone(table), table, step=_QUICK).max_ulp > _ROOM:
            continue
        if _largest_product_error(made, table, step=_QUICK) > _ROOM:
            continue
        cost = sum(s.tuned + s.tuned_wide for s in measured(made.trials(table)).values())
        passed.append((cost, place, table))
    tell("trying candidates", 1.0)
    return [table for _, _, table in sorted(passed, key=lambda found: found[:2])]


def _largest_product_error(made: _Made, table: Tuned, **options: Any) -> float:
    """That of every direction in which a table is multiplied with; 0 where it is in none."""
    products = [trial for trial in made.trials(table).values() if trial.factors]
    errors = (largest_product_error(trial, table, **options) for trial in products)
    return max(errors, default=0.0)


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


def named_by(title: str) -> tuple[ActivationFunction, int]:
    """The function of the catalogue that an entry's title names, and the order it is of."""
    name = title.rstrip("'")
    whole, by, _ = name.partition(" by ")
    return get(whole), len(title) - len(name) + len(by and "1")


class _Made:
    """One function's value or derivative, for which a table is being made.

    Attributes:
        curve: the function that is fitted, or whose derivative is: of a gated one, what its value
            is multiplied with.
        target: what is fitted.
        is_factor: whether it is multiplied with gradients, or with a gate's values.
    """

    def __init__(self, function: ActivationFunction, order: int) -> None:
        is_gated = function.is_gated
        by: int | str = function.inputs[0] if is_gated and order else order
        self.curve = gate_curve(function) if is_gated else function
        self._function, self._derived = function, function.derivative(by) if by else function
        self._alone = self.curve.derivative(order)
        self.target = Target(self._alone)
        self.is_factor = is_gated or order == 1
        self._directions = ("forward", "backward") if order == 1 else ("forward",)

    def tables(self, progress: Callable[[float], None]) -> Iterator[list[Tuned]]:
        """The tables worth a trial; once more where no table passes.

        To a table of powers there is no alternative: it is exact, and cheaper than what is fitted.
        """
        powers = None if self._function.is_gated else powers_of(self.target)
        if powers is not None:
            yield [powers]
            return
        general = measure_speed(self.trial("forward", None)).general
        for stricter in _STRICTER:
            layouts = candidates(self.target, self.is_factor, general, stricter, progress)
            yield [layout.table for layout in layouts[:_TRIED]]

    def alone(self, table: Tuned | None) -> Trial:
        """The kernels of the target itself; without a table, the general one against itself."""
        return self._trial(self._alone, "forward", table)

    def trial(self, direction: str, table: Tuned | None) -> Trial:
        """The kernels of a direction that a table may serve."""
        owner = self._derived if direction == "forward" else self._function
        return self._trial(owner, direction, table)

    def trials(self, table: Tuned) -> dict[str, Trial]:
        """The kernels of every direction that a table may serve."""
        return {direction: self.trial(direction, table) for direction in self._directions}

    def _trial(self, owner: ActivationFunction, direction: str, table: Tuned | None) -> Trial:
        binding = Binding.of(owner)
        plan = binding.plan(direction)
        general, numbers = binding.general(direction, "float32")
        tuned = general
        if table is not None:
            tables = (table, *self._companions(direction))
            tuned = tuned_kernel(tables, plan, general, binding.title(direction, "float32"))
        return Trial(self.target, general, tuned, numbers, plan.inputs, len(plan.outputs))

    def _companions(self, direction: str) -> tuple[Tuned, ...]:
        """The table of what the gate lets through, which its backward pass needs as well."""
        f = self._function
        if direction == "forward" or not f.is_gated:
            return ()
        entry = find(formula_of(f.expression, f.parameters))
        if entry is None:
            raise LimenError(
                f"the backward pass of {f.name} needs a table of its value first: "
                "the general tier serves it"
            )
        return (entry.table,)

    def entry(self, table: Tuned, tried: Tried, products: float) -> Entry:
        """What is kept of a table that passed."""
        speeds = measured(self.trials(table))
        found: dict[str, Any] = asdict(tried)
        if self.is_factor:
            found["max_ulp_of_products"] = round(products, 4)
        return Entry(
            formula=formula_of(self._derived.expression, self._derived.parameters),
            title=self._derived.name,
            table=table,
            serves=served(speeds),
            trial=found,
            speed={direction: asdict(speed) for direction, speed in speeds.items()},
            certificate=None,
        )
