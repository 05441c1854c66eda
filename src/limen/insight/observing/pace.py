"""When to look: so seldom that looking takes a small share of the time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from statistics import median_low
from time import perf_counter

__all__ = ["SHARE", "Pace"]

SHARE = 0.03
"""The share of the time that looking may take: a third of the slowdown that is promised at most,
for the steps between looks are slower too. Being called costs each up to 15 microseconds, and what
follows a look finds cold caches."""

_PAUSE = 10.0  # times the time of a step: longer is no step but a pause
_SOON = 3  # steps
_STRETCH = 8  # steps between looks at the clock: it costs a small network too much at each
_REMEMBERED = 9  # stretches; their median does not mind a pause for validation
_APART = 2  # steps from look to look, at least: one between tells what a step costs by now


class Pace:
    """Decides at every step whether to look, from what steps and looks have cost so far.

    After a look that cost `c`, the next one comes `c / (share * step)` steps later, and never at
    the next step, `step` being the time of a step without a look. A look's cost is what it took by
    its own clock, or what the step took longer than others if that is more: a look may also keep
    others from being fast. What is much longer still is a pause, and no cost of a look.

    Args:
        share: how much of the time looking may take.
        every: look at every so manieth step, whatever it costs; None to go by the time.
        clock: gives seconds.

    Attributes:
        time: what steps have taken so far without looks, in seconds; pauses do not count.
    """

    def __init__(
        self,
        share: float = SHARE,
        every: int | None = None,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._share, self._every, self._clock = share, every, clock
        self._steps: deque[float] = deque(maxlen=_REMEMBERED)
        self._costs: deque[float] = deque(maxlen=_REMEMBERED)
        # The present stretch: when it began, after how many steps since the latest look; whether
        # it is a look, and what that took by its own clock; what is no business of it.
        self._began: float | None = None
        self._at = 0
        self._is_look = False
        self._own = self._aside = 0.0
        # Steps since the latest look; how many of them there are to the next, and to the clock.
        self._since, self._until, self._next = 0, 0.0, 0.0
        self._looks = 0
        self._step = 0.0  # the time of one, usually
        self.time = 0.0

    def is_due(self) -> bool:
        """Begins a step; whether to look at it."""
        self._since += 1
        if self._since < self._next:
            return False
        now = self._clock()
        if self._began is not None:
            self._learn(now - self._began - self._aside, self._since - self._at)
        self._is_look = self._looks == 0 or self._since >= self._until
        if self._is_look:
            self._since, self._looks = 0, self._looks + 1
        self._began, self._at, self._own, self._aside = now, self._since, 0.0, 0.0
        self._next = 1 if self._is_look else min(self._since + _STRETCH, self._until)
        return self._is_look

    def spent(self, seconds: float) -> None:
        """Says that looking took so long, within the present step."""
        self._own += seconds

    def set_aside(self, seconds: float) -> None:
        """Says that something else than steps and looks took so long."""
        self._aside += seconds

    def _learn(self, interval: float, steps: int) -> None:
        plain = max((interval - self._own) / steps, 1e-9)
        if not self._is_look or not self._steps:
            self._steps.append(plain)
        self._step = median_low(self._steps)
        if self._is_look:
            beside = interval - self._step
            is_pause = interval > _PAUSE * (self._own + self._step)
            self._add_cost(self._own if is_pause else max(self._own, beside))
        self._until = self._distance()
        self.time += steps * min(plain, _PAUSE * self._step)

    def _add_cost(self, seconds: float) -> None:
        if self._looks == 2:  # the first look compiled kernels: no later one does
            self._costs.clear()
        self._costs.append(seconds)

    def _distance(self) -> float:
        """How many steps lie between the latest look and the next."""
        if self._every is not None:
            return self._every
        if self._looks == 1:  # its price was that of compiling: the second tells what looks cost
            return _SOON
        return max(median_low(self._costs) / (self._share * self._step), _APART)
