"""What is kept of one activation layer: sketches, counts and a thinned history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.formula.show import to_text
from limen.function import ActivationFunction
from limen.insight.observing.distribution import Sketch
from limen.insight.observing.neurons import NeuronTally
from limen.insight.observing.representation import effective_rank
from limen.insight.observing.seen import HISTORY, QUANTILES, Moment, SeenLayer

__all__ = ["Look", "Tally"]

Array = NDArray[Any]
Figure = float | None
_RECENT = 256  # rows of the latest representations, whose rank is taken where there is no probe


@dataclass(frozen=True)
class Look:
    """Rows of one layer at one step.

    Attributes:
        pre: `(rows, width)`, what entered the function (a gated one's gate).
        post: `(rows, width)`, what left it.
        slopes: `(rows, width)` for each input of the function, its derivative by that.
    """

    pre: Array
    post: Array
    slopes: Sequence[Array]


class Tally:
    """One layer's account, of constant size.

    Args:
        name: where the layer is.
        width: how many neurons it has.

    Attributes:
        function: what it evaluates, as it was met last; its name where limen does not know it.
    """

    def __init__(self, name: str, width: int) -> None:
        self.name, self.width = name, width
        self.function: ActivationFunction | str = ""
        self._pre, self._post = Sketch(), Sketch()
        self._neurons = NeuronTally(width)
        self._history = _History()
        self._recent = np.zeros((_RECENT, width), np.float32)
        self._held = self._looks = 0
        self._weight: Array | None = None
        self._bias: Array | None = None

    def add(self, step: int, look: Look) -> None:
        """Takes in what went forward at a step."""
        if not look.pre.size:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            parts = _sketched(look)
            self._pre.merge(parts[0])
            self._post.merge(parts[1])
            blocked = self._neurons.add(step, look.pre, look.slopes)
            self._remember(look.post)
        self._looks += 1
        self._history.add(self._moment(step, parts, blocked))

    def add_flow(self, step: int, flow: Array, slopes: Sequence[Array]) -> None:
        """Takes in the learning flow that came back to the rows of a step's look."""
        if not flow.size:
            return
        flow = flow.astype(np.float64, copy=False)
        with np.errstate(over="ignore", invalid="ignore"):
            handed_on = [flow * slope for slope in slopes]
            came, went = _size(flow), _size(*handed_on)
            angle = _angle(flow, handed_on[0]) if len(slopes) == 1 else None
        self._history.amend(step, flow_in=came, flow_out=went, angle=angle)

    def judge(self) -> None:
        """Judges the latest representation by itself."""
        self._history.amend(self._history.step, effective_rank=self.rank())

    def judge_probe(self, step: int, look: Look, rank: Figure, separability: Figure) -> None:
        """Takes in what the probe's representation holds; a moment of its own if need be."""
        if not look.pre.size:
            return
        blocked = self._neurons.probe(step, look.slopes)
        if self._history.step != step:
            with np.errstate(over="ignore", invalid="ignore"):
                self._history.add(self._moment(step, _sketched(look), blocked))
        self._history.amend(step, effective_rank=rank, separability=separability)

    def rank(self) -> float | None:
        """The effective rank of the latest rows."""
        return effective_rank(self._recent[: self._held])

    def _moment(self, step: int, parts: Sequence[Sketch], blocked: float) -> Moment:
        pre, post = (part.distribution().quantile(np.array(QUANTILES)).tolist() for part in parts)
        dead = int(np.count_nonzero(self._neurons.dead))
        return Moment(step, tuple(pre), tuple(post), blocked, dead)

    def draw(self, weight: Array, bias: Array | None) -> None:
        """Takes in the weights of the Linear layer before, `(outputs, inputs)`, and its bias.

        The last `width` of them make the neurons: a gated layer's gate is the second half.
        """
        if len(weight) >= self.width:
            self._weight = np.array(weight[-self.width :])
            self._bias = None if bias is None else np.array(bias[-self.width :])

    def seen(self, steps: int, inputs: int) -> SeenLayer:
        """A snapshot."""
        history = self._history.moments
        threshold, normal = self._hyperplanes()
        function = self.function
        return SeenLayer(
            name=self.name,
            function=function if isinstance(function, str) else function.name,
            # With the values of its parameters: enough to have the function again.
            formula=None if isinstance(function, str) else to_text(function.bound_expression),
            width=self.width,
            steps=steps,
            inputs=inputs,
            pre_activation=self._pre.distribution(),
            activation=self._post.distribution(),
            blocked=self._neurons.blocked,
            neurons=self._neurons.seen(threshold, normal),
            flow_in=_mean(m.flow_in for m in history),
            flow_out=_mean(m.flow_out for m in history),
            angle=_mean(m.angle for m in history),
            effective_rank=_latest(m.effective_rank for m in history),
            separability=_latest(m.separability for m in history),
            history=history,
            looked_steps=self._looks,
            looked=self._neurons.rows,
        )

    def _hyperplanes(self) -> tuple[Array | None, Array | None]:
        """-bias / |w| and w / |w| of each neuron; NaN where it has no direction."""
        if self._weight is None:
            return None, None
        weight = self._weight.astype(np.float64)
        with np.errstate(over="ignore"):
            length = np.linalg.norm(weight, axis=1)
        bias = np.zeros(self.width) if self._bias is None else self._bias.astype(np.float64)
        length = np.where((length > 0.0) & (length < np.inf), length, np.nan)
        return -bias / length, weight / length[:, None]

    def _remember(self, post: Array) -> None:
        """Keeps the latest rows, the oldest making room."""
        rows = post[-_RECENT:]
        if len(rows) < _RECENT:
            self._recent = np.roll(self._recent, len(rows), axis=0)
        self._recent[: len(rows)] = rows
        self._held = min(self._held + len(rows), _RECENT)


class _History:
    """At most `HISTORY` moments: every second goes when it is full, and so do later ones."""

    def __init__(self) -> None:
        self._kept: list[Moment] = []
        self._latest: Moment | None = None
        self._stride, self._count = 1, 0

    def add(self, moment: Moment) -> None:
        self._settle()
        self._latest = moment

    def amend(self, step: int, **figures: float | None) -> None:
        """Adds figures to the latest moment, if they are of its step."""
        if self._latest is not None and self._latest.step == step:
            self._latest = replace(self._latest, **figures)  # type: ignore[arg-type]

    @property
    def step(self) -> int:
        """That of the latest moment; -1 before the first."""
        return -1 if self._latest is None else self._latest.step

    @property
    def moments(self) -> tuple[Moment, ...]:
        return (*self._kept, *([] if self._latest is None else [self._latest]))

    def _settle(self) -> None:
        if self._latest is None:
            return
        if self._count % self._stride == 0:
            self._kept.append(self._latest)
        self._count += 1
        if len(self._kept) == HISTORY:  # one less with the latest
            self._kept = self._kept[::2]
            self._stride *= 2


def _sketched(look: Look) -> tuple[Sketch, Sketch]:
    """What entered and what left, at one look."""
    parts = Sketch(), Sketch()
    parts[0].add(look.pre)
    parts[1].add(look.post)
    return parts


def _size(*arrays: Array) -> float:
    """The root mean square of all elements."""
    return float(np.sqrt(np.mean([np.mean(np.square(array)) for array in arrays])))


def _angle(one: Array, other: Array) -> float | None:
    """Degrees between two flows; None where one of them is nothing."""
    # Not by BLAS: its threads would go on spinning, beside those of the network.
    lengths = np.sqrt(np.sum(one * one)) * np.sqrt(np.sum(other * other))
    if not 0.0 < lengths < np.inf:
        return None
    return float(np.degrees(np.arccos(np.clip(np.sum(one * other) / lengths, -1.0, 1.0))))


def _mean(figures: Any) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return float(np.mean(known)) if known else None


def _latest(figures: Any) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return known[-1] if known else None
