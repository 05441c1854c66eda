"""Watching a network while it runs: what enters its activations, what leaves them, what flows."""

from limen.insight.observing.observation import Observation, observe
from limen.insight.observing.seen import Distribution, Moment, Neurons, SeenLayer

__all__ = ["Distribution", "Moment", "Neurons", "Observation", "SeenLayer", "observe"]
