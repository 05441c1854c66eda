"""The gradient check: every gradient of a model against finite differences, in float64.

A central difference `D(h) = (L(w + h) - L(w - h)) / 2h` has an error of order h^2; two of them,
`(4 D(h/2) - D(h)) / 3`, one of order h^4 (Richardson's extrapolation). Where a kink is near w,
there is no derivative to compare with: there D(h) and D(h/2) disagree, or, with w on the kink
itself, the bend `(L(w + h) - 2 L(w) + L(w - h)) / h` does not halve with h. Such entries are
tried again with smaller h, then skipped, and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.layers.activation import Activation
from limen.layers.loss import Loss, check_loss

if TYPE_CHECKING:
    from limen.layers.model import Model

__all__ = ["GradientReport", "GradientRow", "check_gradients"]

Array = NDArray[Any]

# Around 2^-14 the h^4 error and the rounding noise eps / h are both far below the tolerance.
_STEPS = (2.0**-14, 2.0**-18, 2.0**-21)
_TOLERANCE = 1e-6
# Entries this much smaller than the largest of their array are measured against it instead.
_SMALL = 1e-3


@dataclass(frozen=True)
class GradientRow:
    """One array of gradients: the model's input or a parameter.

    Attributes:
        name: "input", or the parameter's.
        checked: entries compared.
        at_kinks: entries skipped, for there is no derivative near a kink.
        max_error: the largest error, relative to the larger of the two gradients.
        worst: index, gradient by backward, gradient by differences, where that was.
        note: why nothing was compared, or nothing.
    """

    name: str
    checked: int
    at_kinks: int
    max_error: float
    worst: tuple[tuple[int, ...], float, float] | None
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the two agree within 1e-6, or cannot be compared."""
        return bool(self.note) or (self.checked > 0 and self.max_error <= _TOLERANCE)


@dataclass(frozen=True)
class GradientReport:
    """What `model.check_gradients` returns; it shows itself as a table.

    Attributes:
        rows: one per array of gradients.
    """

    rows: tuple[GradientRow, ...]

    @property
    def ok(self) -> bool:
        """Whether every array that can be compared agrees within 1e-6, and one of them can."""
        return all(row.ok for row in self.rows) and any(row.checked for row in self.rows)

    @property
    def max_error(self) -> float:
        """The largest relative error of all."""
        return max(row.max_error for row in self.rows)

    def __repr__(self) -> str:
        width = max(len("gradient"), *(len(row.name) for row in self.rows))
        head = f"{'gradient':<{width}}  checked  at kinks  largest error"
        verdict = "agrees with" if self.ok else "DISAGREES with"
        lines = [f"Gradient check: backward {verdict} finite differences", head, "-" * len(head)]
        for row in self.rows:
            figures = f"{row.checked:>7}  {row.at_kinks:>8}  {row.max_error:>13.2e}"
            lines.append(f"{row.name:<{width}}  {row.note or figures}")
            if not row.ok and row.worst:
                at, backward, numeric = row.worst
                lines.append(f"  at {list(at)}: backward {backward:.9g}, differences {numeric:.9g}")
        return "\n".join(lines)


def check_gradients(
    model: Model, x: ArrayLike, y: ArrayLike, loss: Loss, *, entries: int = 50
) -> GradientReport:
    """Compare the gradients of a float64 copy of `model` with finite differences.

    Args:
        model: stays as it is.
        x: a batch or one sample; a few samples are enough.
        y: its targets.
        loss: such as `limen.HalfSquaredError()`.
        entries: how many entries of each array to compare, picked with a fixed seed.

    Returns:
        A report with `ok`, `max_error` and a row per array; its repr is a table.
    """
    check_loss("check_gradients", loss)
    if entries < 1:
        raise ValueError(f"check_gradients: entries must be a whole number from 1, given {entries}")
    twin = model.copy("float64")
    samples = np.array(twin.checked(x))
    twin.backward(loss.backward(twin.forward(samples), y))

    def measure() -> float:
        return loss(twin.predict(samples), y)

    generator = np.random.default_rng(0)
    surrogate = _last_surrogate(twin)
    arrays = [("input", 0, samples, twin.layers[0].grad_input)]
    for index, layer in enumerate(twin.layers):
        for parameter in layer.parameters():
            arrays.append((parameter.name, index, parameter.value, parameter.grad))
    rows = []
    for name, index, values, grad in arrays:
        if surrogate is not None and index <= surrogate.index:
            note = f"not compared: the flow passes a surrogate derivative in {surrogate.place}"
            rows.append(GradientRow(name, 0, 0, 0.0, None, note))
        else:
            rows.append(_compare(name, measure, values, grad, entries, generator))
    return GradientReport(tuple(rows))


def _compare(
    name: str,
    measure: Callable[[], float],
    values: Array,
    grad: Array,
    entries: int,
    generator: np.random.Generator,
) -> GradientRow:
    picked = generator.permutation(values.size)[:entries]
    checked, at_kinks, largest, worst = 0, 0, 0.0, None
    floor = _SMALL * float(np.max(np.abs(grad), initial=0.0))
    for flat in np.sort(picked):
        at = tuple(int(i) for i in np.unravel_index(flat, values.shape))
        backward = float(grad[at])
        numeric = _slope(measure, values, at, floor)
        if numeric is None:
            at_kinks += 1
            continue
        checked += 1
        scale = max(abs(backward), abs(numeric), floor)
        error = abs(backward - numeric) / scale if scale else 0.0
        if not error <= largest:  # NaN counts as an error
            largest, worst = (error if error == error else np.inf), (at, backward, numeric)
    return GradientRow(name, checked, at_kinks, largest, worst)


def _slope(
    measure: Callable[[], float], values: Array, at: tuple[int, ...], floor: float
) -> float | None:
    """The derivative of `measure` with respect to `values[at]`; None where there is a kink."""
    start = float(values[at])

    def loss_at(value: float) -> float:
        values[at] = value
        result = measure()
        values[at] = start
        return result

    here = measure()
    for step in _STEPS:
        h = step * max(1.0, abs(start))
        (far, far_bend), (near, near_bend) = (
            ((up - down) / (2.0 * d), (up - 2.0 * here + down) / d)
            for d in (h, h / 2)
            for up, down in ((loss_at(start + d), loss_at(start - d)),)
        )
        noise = 16.0 * np.finfo(float).eps * abs(here) / h
        allowed = _TOLERANCE * max(abs(near), floor) + noise
        smooth = abs(far - near) <= allowed and abs(far_bend - 2.0 * near_bend) <= allowed
        if smooth or not np.isfinite(near):
            return (4.0 * near - far) / 3.0
    return None


def _last_surrogate(model: Model) -> Any:
    """The last layer whose backward pass is, on purpose, not the derivative of its forward pass."""
    for layer in reversed(model.layers):
        if isinstance(layer, Activation) and getattr(layer.function, "surrogate_function", None):
            return layer
    return None
