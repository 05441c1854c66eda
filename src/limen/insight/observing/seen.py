"""What was seen of a network: read-only data, of numbers, text and NumPy arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from limen.insight.observing.distribution import Distribution

__all__ = ["HISTORY", "QUANTILES", "Distribution", "Moment", "Neurons", "SeenLayer"]

Array = NDArray[Any]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The quantiles of a distribution that a moment keeps."""

HISTORY = 256
"""The most moments a history holds; when it is full, every second one goes."""


@dataclass(frozen=True)
class Moment:
    """A layer at one step, as far as it was looked at there.

    Attributes:
        step: of the network: its passes, counted from 0.
        pre_activation: the `QUANTILES` of what entered the function; NaN without finite numbers.
        activation: those of what left it.
        blocked: the share of pairs of input and neuron that were blocked at this step.
        dead: how many neurons had been blocked on everything looked at for a while.
        flow_in: the root mean square of the learning flow that came to the layer.
        flow_out: that of the flow it handed on.
        angle: degrees between the two.
        effective_rank: of the representation, on the probe or else on the rows sampled.
        separability: how many of the probe's labels a linear map of it gets right, as a share.
    """

    step: int
    pre_activation: tuple[float, ...]
    activation: tuple[float, ...]
    blocked: float
    dead: int
    flow_in: float | None = None
    flow_out: float | None = None
    angle: float | None = None
    effective_rank: float | None = None
    separability: float | None = None


@dataclass(frozen=True)
class Neurons:
    """The neurons of a layer, one number each: arrays of length `width`.

    Attributes:
        mean: of the pre-activation (of a gated layer: of the gate's).
        spread: the standard deviation of the pre-activation.
        blocked: the share of inputs looked at for which the neuron was blocked.
        dead: whether it was blocked on everything looked at from some step on, and long enough
            for that to be no chance.
        dead_since: the step of the first look of that time; -1 where the neuron is not dead.
        dead_rows: how many rows were looked at in that time, those of the probe once; 0 where the
            neuron is not dead.
        always_on: whether the function was one straight line on everything looked at.
        threshold: `-bias / |w|` of the Linear layer before: how far from the origin the neuron's
            hyperplane lies; NaN where unknown.
        normal: `(width, inputs)`, the unit vectors `w / |w|`: neuron j is on its threshold where
            `normal[j] @ x == threshold[j]`. None where no Linear layer was seen before.
    """

    mean: Array
    spread: Array
    blocked: Array
    dead: Array
    dead_since: Array
    dead_rows: Array
    always_on: Array
    threshold: Array
    normal: Array | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SeenLayer:
    """An activation layer, with everything seen of it.

    Attributes:
        name: where it is: "layer 1" of a limen model, "blocks.0.act" of a PyTorch one.
        function: what it evaluates.
        formula: its formula with the values its parameters had; None where limen has none for it.
        width: how many neurons (of an image: channels).
        steps: how often data went through the network.
        inputs: how many samples did.
        pre_activation: what entered the function.
        activation: what left it.
        blocked: the share of the pairs of input and neuron looked at where
            `|f'(pre-activation)|` is below `BLOCKED_BELOW`.
        neurons: one by one.
        flow_in: the root mean square of the learning flow that came to the layer, averaged over
            the moments; None where none came.
        flow_out: that of the flow it handed on.
        angle: degrees between the two, averaged over the moments.
        effective_rank: exp(entropy of the normalised singular values) of the representation, in
            the latest moment (Roy and Vetterli 2007).
        separability: how many of the probe's labels a linear map of the representation gets
            right, as a share, in the latest moment.
        history: the layer step by step; at most `HISTORY` moments.
        looked_steps: how many of the steps were looked at.
        looked: how many rows of the representation (samples, positions) were looked at.
    """

    name: str
    function: str
    formula: str | None
    width: int
    steps: int
    inputs: int
    pre_activation: Distribution
    activation: Distribution
    blocked: float
    neurons: Neurons
    flow_in: float | None = None
    flow_out: float | None = None
    angle: float | None = None
    effective_rank: float | None = None
    separability: float | None = None
    history: tuple[Moment, ...] = ()
    looked_steps: int = 0
    looked: int = 0
