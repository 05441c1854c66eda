"""What is kept of each neuron of a layer: sums and counts, of one length whatever was seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.insight.comparing.trial import BLOCKED_BELOW
from limen.insight.observing.seen import Neurons

__all__ = ["ENOUGH", "NeuronTally"]

Array = NDArray[Any]

ENOUGH = 1000
"""Rows without an exception before a neuron is called dead, or always on. By the rule of three
(Hanley and Lippman-Hand, JAMA 249, 1983), the share of exceptions is then below 3/1000, with 95%
confidence, where rows are independent."""

STRAIGHT_WITHIN = 1e-3
"""Slopes this close are those of one straight line."""


class NeuronTally:
    """Counts for the neurons of one layer."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.rows = 0
        self._finite = np.zeros(width, np.int64)
        self._mean, self._squares = np.zeros(width), np.zeros(width)
        self._blocked = np.zeros(width, np.int64)
        # Streaks: rows without an exception, and the step at which they began.
        self._blocked_streak, self._straight_streak = np.zeros((2, width), np.int64)
        self._blocked_since = np.full(width, -1, np.int64)
        self._blocked_probe = np.zeros(width, np.int64)  # rows of the probe, in that streak
        self._low, self._high = np.full(width, np.inf), np.full(width, -np.inf)

    def add(self, step: int, pre: Array, slopes: Sequence[Array]) -> float:
        """Takes in rows of pre-activations, and of slopes by each input; the share blocked.

        A gated neuron is blocked where it hands a flow on to neither of its inputs.
        """
        rows = len(pre)
        self.rows += rows
        self._add_moments(pre)
        blocked = np.count_nonzero(_size(slopes) < BLOCKED_BELOW, axis=0)
        self._blocked += blocked
        self._go_on_blocked(step, blocked == rows, rows)
        if len(slopes) == 1:  # a gate times a value is never one line
            self._go_on_straight(slopes[0], blocked == 0, rows)
        return float(blocked.sum()) / pre.size

    @property
    def dead(self) -> Array:
        """Which neurons were blocked on everything looked at for long enough.

        The probe's rows may be most of them where few others were looked at, but not all: a neuron
        must have been blocked for the last quarter of those, too, or for `ENOUGH`.
        """
        lately = self._blocked_streak >= min(ENOUGH, self.rows // 4)
        return lately & (self._dead_rows >= ENOUGH)

    @property
    def _dead_rows(self) -> Array:
        return self._blocked_streak + self._blocked_probe

    @property
    def blocked(self) -> float:
        """The share of all pairs of row and neuron."""
        return float(self._blocked.sum()) / (self.rows * self.width) if self.rows else np.nan

    def probe(self, step: int, slopes: Sequence[Array]) -> float:
        """Takes in rows of a probe; the share blocked.

        A neuron that is open for one of them is alive. They are the same rows every time, so that
        those on which a neuron is blocked count once, however often they come.
        """
        blocked = _size(slopes) < BLOCKED_BELOW
        all_blocked = np.all(blocked, axis=0)
        self._go_on_blocked(step, all_blocked, 0)
        self._blocked_probe = np.where(all_blocked, len(blocked), 0)
        return float(blocked.mean())

    def seen(self, threshold: Array | None, normal: Array | None) -> Neurons:
        """What is known so far."""
        nothing = np.full(self.width, np.nan)
        some = self._finite > 0
        count = np.maximum(self._finite, 1)
        dead = self.dead
        return Neurons(
            mean=np.where(some, self._mean, np.nan),
            spread=np.where(some, np.sqrt(self._squares / count), np.nan),
            blocked=self._blocked / self.rows if self.rows else nothing,
            dead=dead,
            dead_since=np.where(dead, self._blocked_since, -1),
            dead_rows=np.where(dead, self._dead_rows, 0),
            always_on=self._straight_streak >= ENOUGH,
            threshold=nothing if threshold is None else threshold,
            normal=normal,
        )

    def _add_moments(self, pre: Array) -> None:
        finite = np.isfinite(pre)
        is_clean = bool(finite.all())
        counts = np.full(self.width, len(pre)) if is_clean else finite.sum(axis=0)
        kept = pre if is_clean else np.where(finite, pre, 0.0)
        together = np.maximum(self._finite + counts, 1)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = kept.sum(axis=0, dtype=np.float64) / np.maximum(counts, 1)
            away = kept - mean
            away = away if is_clean else np.where(finite, away, 0.0)
            squares = np.einsum("ij,ij->j", away, away)
            apart = mean - self._mean
            self._mean += apart * counts / together
            self._squares += squares + apart * apart * self._finite * counts / together
        self._finite += counts

    def _go_on_blocked(self, step: int, all_blocked: Array, rows: int) -> None:
        begins = all_blocked & (self._blocked_since < 0)
        self._blocked_since[begins] = step
        self._blocked_since[~all_blocked] = -1
        self._blocked_probe[~all_blocked] = 0
        self._blocked_streak = np.where(all_blocked, self._blocked_streak + rows, 0)

    def _go_on_straight(self, slope: Array, is_open: Array, rows: int) -> None:
        """A streak ends where a slope differs from those of the streak, or flow ends."""
        low, high = slope.min(axis=0), slope.max(axis=0)
        straight = is_open & (high - low <= STRAIGHT_WITHIN)  # NaN is no line
        joined_low, joined_high = np.minimum(self._low, low), np.maximum(self._high, high)
        goes_on = straight & (joined_high - joined_low <= STRAIGHT_WITHIN)
        self._straight_streak = np.where(
            goes_on, self._straight_streak + rows, np.where(straight, rows, 0)
        )
        self._low, self._high = (
            np.where(goes_on, joined_low, low),
            np.where(goes_on, joined_high, high),
        )


def _size(slopes: Sequence[Array]) -> Array:
    """The largest slope of each neuron in size: NaN where one is."""
    size = np.abs(slopes[0])
    for slope in slopes[1:]:
        np.maximum(size, np.abs(slope), out=size)
    return size
