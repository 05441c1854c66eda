"""Checks a kernel on every input of a format of 16 or 32 bits.

    >>> import limen
    >>> from limen.certify.exhaustive import check
    >>> print(check(limen.get("silu"), dtype="float16"))
    silu, value, float16: at most 0.50... ULP on every input, ...

Any kernel may stand in the function's place: a callable `kernel(x, out)` that reads one
contiguous array of the dtype and writes another, and may be called from several threads at once:

    certificate = check(function, 1, "float32", kernel=candidate)
    certificate.holds(1.0)

The reference is always the formula of `function` as the user wrote it. Two tiers decide. On pieces
where a polynomial is proven to be the formula (`pieces`), a compiled loop compares all results in
float64 (`compare`). What it leaves in doubt, and the inputs beside roots and kinks that no piece
covers, are judged one by one in ball arithmetic or in fractions (`judge`).
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from limen.certify.certificate import Certificate, machine
from limen.certify.judge import judge
from limen.certify.kernel_hash import source_hash
from limen.certify.line import Line
from limen.certify.measure import Format, format_of
from limen.certify.pieces import Stretch, cut
from limen.certify.reference import Reference
from limen.certify.special import Specials, special_values
from limen.certify.sweep import Found, Kernel, Progress, Sweep
from limen.certify.waves import far_out, waves_from
from limen.errors import DtypeError, FormulaError, UnknownNameError
from limen.formula.expression import Expression
from limen.function import ActivationFunction
from limen.kernels import threads as pool

__all__ = ["Kernel", "backward_agrees", "check", "kernel_of", "pieces_of", "reference_of"]

# Inputs that the slow tier judges, those whose bounds are largest first; those beyond stay
# undecided. What is closer is at worst a tie that is rounded the wrong way: fewer of these will do.
_MOST_JUDGED, _MOST_CLOSE = 600_000, 50_000
_CLOSE = 0.51  # ULP
_NAMED = 20  # undecided inputs that a certificate names
_MOST_PIECES = 40_000  # attempts on each side of 0, or in a binade of waves
_BINADES_OF_EITHER = 8  # where waves begin; later ones have more waves than pieces can follow


def check(
    function: ActivationFunction,
    order: int = 0,
    dtype: object = "float32",
    kernel: Kernel | None = None,
    *,
    threads: int | None = None,
    stretches: Sequence[Stretch] | None = None,
    progress: Progress | None = None,
    kernel_name: str = "",
) -> Certificate:
    """Checks a function's kernel, or another one in its place, on every input of a format.

    Args:
        function: a function of one input; its formula as written is the reference.
        order: which derivative the kernel computes; 0 for the value.
        dtype: float32, float16 or bfloat16.
        kernel: what to check; the function's own kernel when left out.
        threads: how many; all that kernels may use when left out.
        stretches: parts of `pieces_of`, for a quick look at those inputs; all when left out.
        progress: is told now and then how many inputs are done.
        kernel_name: what the certificate says was checked, for a kernel of your own.

    Returns:
        The certificate. Its `inputs` says how many inputs were checked: all, unless the formula
        oscillates, or is not to be bounded, where only a sample could be.

    Raises:
        FormulaError: for a function of two inputs.
        DtypeError: for float64, whose inputs nobody can check one by one.
    """
    format_ = format_of(dtype)
    if format_.name == "float64":
        raise DtypeError("float64 has too many inputs to check all: use limen.certify.sampled")
    if function.is_gated:
        raise FormulaError(f"{function.name} has two inputs: use limen.certify.sampled")
    start = time.perf_counter()
    line = Line(format_)
    reference = reference_of(function, order)
    run = kernel_of(function, order) if kernel is None else kernel
    if stretches is None:
        stretches = pieces_of(function, order, format_)
    found = Sweep(line, run, threads or pool.available(), progress).over(stretches)
    judged = _judge(reference, format_, found)
    specials = special_values(function, reference, line, run)
    if kernel is None:
        kernel_name = source_hash(function.derivative(order), format_.name)
        if order == 1:
            specials.values["backward"] = backward_agrees(function, line)
    seconds = time.perf_counter() - start
    return _certificate(function, order, line, found, judged, specials, kernel_name, seconds)


def reference_of(function: ActivationFunction, order: int) -> Reference:
    """The reference of a derivative: the original formula, derived as a power series.

    Where a surrogate stands in for the derivative, its formula is the original.
    """
    source = function.surrogate_function if order else None
    f = source or function
    return Reference(f.expression, inputs=f.inputs, parameters=f.parameters, order=order)


def order_of(function: ActivationFunction, derivative: int | str) -> int:
    """The order of a derivative by the only input, which may be given by its name.

    Raises:
        UnknownNameError: for another name, or an order below 0.
    """
    order = 1 if derivative == function.inputs[0] else derivative
    if isinstance(order, int) and order >= 0:
        return order
    raise UnknownNameError(
        f"a certificate is of the value (0) or a derivative by the input (1, 2, ...), "
        f"not of {derivative!r}"
    )


def kernel_of(function: ActivationFunction, order: int) -> Kernel:
    """The function's own kernel, as `check` calls it."""
    f = function.derivative(order)
    return lambda x, out: f(x, out=out)


def pieces_of(function: ActivationFunction, order: int, format_: Format) -> tuple[Stretch, ...]:
    """The pieces of the whole line for a derivative of a function, kept for further kernels."""
    source = (function.surrogate_function if order else None) or function
    parameters = tuple(source.parameters.items())
    return _cut(source.expression, source.inputs, parameters, order, format_)


@lru_cache(maxsize=32)
def _cut(
    expression: Expression,
    inputs: tuple[str, ...],
    parameters: tuple[tuple[str, float], ...],
    order: int,
    format_: Format,
) -> tuple[Stretch, ...]:
    reference = Reference(expression, inputs=inputs, parameters=dict(parameters), order=order)
    line = Line(format_)
    return tuple(piece for negative in (False, True) for piece in _side(reference, line, negative))


def _side(reference: Reference, line: Line, negative: bool) -> Iterator[Stretch]:
    """The stretches of one side of 0: pieces, and where waves are too quick, their binades."""
    start = waves_from(reference, line) or line.stop
    yield from cut(reference, line, Stretch(negative, 1, start), _MOST_PIECES)
    for place in itertools.count():
        if start >= line.stop:
            return
        stop = line.next_binade(start)
        wave = far_out(reference, line, Stretch(negative, start, stop))
        most = _MOST_PIECES if place < _BINADES_OF_EITHER else 1
        yield from [wave] if wave else cut(reference, line, Stretch(negative, start, stop), most)
        start = stop


# --- The slow tier ------------------------------------------------------------------------------


@dataclass(slots=True)
class _Judged:
    """What the slow tier says of the inputs in doubt, and of the largest error."""

    correct: int = 0
    wrong: int = 0
    undecided: list[float] = field(default_factory=list)
    unbounded: int = 0
    unnamed: int = 0
    largest: float = 0.0
    at: tuple[float, float] = (math.nan, math.nan)

    def take(self, error: float, x: float, result: float) -> None:
        """Another error that is known, or bounded."""
        if error > self.largest or math.isnan(self.at[0]):
            self.largest, self.at = error, (x, result)


def _judge(reference: Reference, format_: Format, found: Found) -> _Judged:
    judged = _Judged(unnamed=found.finding.unnamed)
    doubtful = sorted(found.finding.open, key=lambda doubt: -doubt[2])
    far = sum(bound > _CLOSE for *_, bound in doubtful)
    most = min(max(far, _MOST_CLOSE), _MOST_JUDGED)
    for x, result, _ in doubtful[:most]:
        verdict = judge(reference, format_, x, result)
        judged.correct += verdict.is_correct is True
        if verdict.is_known:
            judged.take(verdict.error, x, result)
            judged.wrong += math.isinf(verdict.error)
        else:
            judged.unbounded += 1
        if verdict.is_correct is None:
            judged.undecided.append(x)
    for x, result, bound in doubtful[most:]:
        judged.undecided.append(x)
        judged.unbounded += math.isinf(bound)
        if math.isfinite(bound):
            judged.take(bound, x, result)
    _find_largest(reference, format_, found, judged)
    return judged


def _find_largest(reference: Reference, format_: Format, found: Found, judged: _Judged) -> None:
    """Judges the candidates exactly until no other's bound can be larger."""
    candidates = sorted(found.worst, reverse=True)
    for place, (bound, x, result) in enumerate(candidates):
        if bound <= judged.largest and not math.isnan(judged.at[0]):
            return
        if math.isinf(bound) or place == len(candidates) - 1:
            judged.take(bound, x, result)
            return
        verdict = judge(reference, format_, x, result)
        judged.take(verdict.error if verdict.is_known else bound, x, result)


# --- The certificate ----------------------------------------------------------------------------


def backward_agrees(function: ActivationFunction, line: Line) -> dict[str, object]:
    """Whether backward multiplies with the very numbers that the derivative's kernel gives."""
    random = np.random.default_rng(0)
    magnitudes = random.integers(0, line.stop + 1, 1 << 18)
    x = np.concatenate([line.at(magnitudes, negative) for negative in (False, True)])
    slope = function.derivative()(x).astype(np.float64)
    handed_on = function.backward(np.ones_like(x), x).astype(np.float64)
    agree = bool(np.array_equal(slope, handed_on, equal_nan=True))
    return {"result": "backward(1, x) = derivative(x)", "inputs": len(x), "right": agree}


def _certificate(
    function: ActivationFunction,
    order: int,
    line: Line,
    found: Found,
    judged: _Judged,
    specials: Specials,
    kernel: str,
    seconds: float,
) -> Certificate:
    finding = found.finding
    inputs = finding.inputs + specials.inputs
    undecided = len(judged.undecided) + judged.unnamed + specials.undecided
    correct = finding.correct + judged.correct + specials.correct
    x, result = judged.at
    return Certificate(
        name=function.name,
        formula=function.formula,
        parameters=function.parameters,
        derivative=order,
        dtype=line.format.name,
        inputs=inputs,
        of=line.size,
        method="every input" if inputs == line.size else "every input of the pieces, some others",
        max_ulp=judged.largest,
        worst_input=x,
        worst_result=result,
        correctly_rounded=correct / inputs,
        not_nearest=inputs - correct - undecided,
        wrong=finding.wrong + judged.wrong,
        undecided=undecided,
        unbounded=judged.unbounded,
        undecided_inputs=judged.undecided[:_NAMED],
        special_values=specials.values,
        kernel=kernel,
        machine=machine(),
        seconds=round(seconds, 2),
        profile=found.profile.points(),
    )
