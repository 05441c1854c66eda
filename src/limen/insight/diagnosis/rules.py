"""The sicknesses of a network, each found by its own signs.

Every threshold says where it comes from. `benchmarks/observe.py --diagnosis` prints how many sick
networks they find, and how many healthy ones they suspect.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from limen.insight.diagnosis.figures import early, handed_on, late, late_span, worst_flow
from limen.insight.diagnosis.finding import Finding, Severity
from limen.insight.diagnosis.shape import shape_of, usually_blocked
from limen.insight.observing.neurons import ENOUGH
from limen.insight.observing.seen import SeenLayer
from limen.insight.words import percent

__all__ = ["FEW", "RULES"]

Layers = tuple[SeenLayer, ...]

DEAD, MANY_DEAD = 0.1, 0.5
"""Shares of dead neurons. Healthy rectifiers of the benchmark stay below 5%; Lu, Shin, Su and
Karniadakis ("Dying ReLU and initialization", 2019) call a network dead when all are."""

SATURATED, ALL_SATURATED = 0.3, 0.7
"""Shares of pairs blocked in a function flat on both sides, beyond what it blocks of normal
pre-activations of spread 1: of those logistic blocks none, tanh 0.004%, hardtanh 32%. A spread of 4
blocks 30% of tanh."""

NINE_OF_TEN = 1.645
"""Nine of ten numbers of a normal distribution lie within so many spreads of its mean."""

FALLEN = 0.9
"""A flow that is less than this share of what it was is said to have fallen."""

FADING, FADED = 1e-2, 1e-4
"""The flow at the first layer as a share of that at the last. Of a network initialised to keep it
(Glorot and Bengio 2010, He et al. 2015) it is near 1, whatever the depth."""

GROWING, GROWN = 1e2, 1e4
"""The same the other way round; and the flow of late steps as a multiple of that of early ones."""

ONE_DIRECTION = 1.1
"""An effective rank below this is one direction, and 2% of what is left in others (its entropy)."""

STRAIGHT = 0.9
"""The share of neurons always on that makes a layer linear: what the rest bends is little."""

WORSE = 0.2
"""How much less of the labels a linear map may get right after a layer. Judged on 512 samples, the
probe at its largest, two standard errors are 4 points; healthy layers of the benchmark lose up to
13 points while training has only begun."""

FEW = 100  # rows looked at, below which nothing is said of a layer
WIDE = 4  # neurons: a narrower layer has few directions by its make


def not_finite(layers: Layers) -> Iterator[Finding]:
    """NaN and infinities: in the layer that they are first met in."""
    for layer in layers:
        before, after = layer.pre_activation, layer.activation
        if not before.not_finite + after.not_finite:
            continue
        made_here = not before.not_finite
        remedy = (
            f"{layer.function} itself overflows here: a function that grows less, or smaller "
            "pre-activations (a normalisation layer before it)"
            if made_here
            else "check the data for NaN; else a smaller learning rate, gradients clipped to a "
            "norm of 1, or float32 in place of float16"
        )
        where = "leave" if made_here else "enter"
        count = after.not_finite if made_here else before.not_finite
        evidence = f"{count:,} of the {before.count + before.not_finite:,} numbers looked at that "
        evidence += f"{where} it are NaN or infinite"
        yield Finding("serious", layer.name, "not finite", evidence, remedy, "not finite")
        return


def step(layers: Layers) -> Iterator[Finding]:
    """A function without a derivative to learn by."""
    for layer in layers:
        # By its formula: one row is as good as many.
        if not layer.looked or layer.blocked < 1.0 or shape_of(layer) != "step":
            continue
        evidence = f"{layer.function} has the derivative 0, on all {layer.looked:,} rows looked at"
        below = _names_before(layers, layer)
        evidence += f": {below} and the weights before learn nothing" if below else ""
        remedy = (
            "train with the derivative of a smooth function in its place: "
            f'limen.get("{layer.function}").surrogate("logistic")'
        )
        yield Finding("serious", layer.name, "no derivative", evidence, remedy, "step")


def dead(layers: Layers) -> Iterator[Finding]:
    """Neurons that no input opens any more."""
    for layer in layers:
        count = int(layer.neurons.dead.sum())
        share = count / layer.width
        if share < DEAD or shape_of(layer) == "step":
            continue
        if _saturation(layer) >= SATURATED:
            continue
        since = layer.neurons.dead_since[layer.neurons.dead]
        from_start = int(np.median(since)) == layer.history[0].step
        evidence = (
            f"{count:,} of {layer.width:,} {layer.function} neurons were blocked on "
            f"{_dead_rows(layer)}{_lost_flow(layers, layer)}"
        )
        begin = (
            "He initialisation with biases of 0 and inputs of mean 0 and spread 1"
            if from_start
            else "a smaller learning rate (they died while it trained)"
        )
        remedy = f"{begin}; or leaky_relu in place of {layer.function}, which is never blocked"
        grade: Severity = "serious" if share >= MANY_DEAD else "warning"
        yield Finding(grade, layer.name, f"{percent(share)} dead neurons", evidence, remedy, "dead")


def saturated(layers: Layers) -> Iterator[Finding]:
    """Pre-activations far out where a function is flat."""
    for layer in layers:
        blocked = late(layer, "blocked")
        if layer.looked < FEW or blocked is None or _saturation(layer) < SATURATED:
            continue
        low, high = late_span(layer)
        evidence = (
            f"{percent(blocked)} of the pairs of input and neuron were blocked lately, since "
            f"{layer.function} is flat where they lie: nine of ten pre-activations between "
            f"{low:.3g} and {high:.3g}"
        )
        grew = layer.history[0].blocked - usually_blocked(layer) < SATURATED
        size = max(abs(low), abs(high)) / NINE_OF_TEN
        remedy = (
            "a smaller learning rate (it came while the network trained)"
            if grew
            else f"weights and biases {size:.2g} times smaller (Glorot initialisation gives "
            "pre-activations a spread near 1), inputs of mean 0 and spread 1"
        )
        remedy += ", or a normalisation layer before it"
        grade: Severity = "serious" if _saturation(layer) >= ALL_SATURATED else "warning"
        yield Finding(grade, layer.name, "saturated", evidence, remedy, "saturated")


def flow_across(layers: Layers) -> Iterator[Finding]:
    """A flow that fades or grows on its way from the last layer to the first."""
    flows = [(x, late(x, "flow_in")) for x in layers if x.looked >= FEW]
    known = [(x, flow) for x, flow in flows if flow is not None and np.isfinite(flow)]
    if len(known) < 2 or known[-1][1] <= 0.0:
        return
    (first, reaching), (last, starting) = known[0], known[-1]
    ratio = reaching / starting
    evidence = (
        f"the flow reaching {first.name} is {reaching:.2g}, of {starting:.2g} at {last.name}: "
        f"{percent(ratio) if ratio < 1 else f'{ratio:,.0f} times as much'}"
    )
    if ratio < FADING:
        grade: Severity = "serious" if ratio < FADED else "warning"
        least, narrow = min(((_handed_on(x), x) for x in layers), key=lambda pair: pair[0])
        evidence += f"; least is handed on by {narrow.name} ({percent(least)})"
        remedy = (
            f"a function of slope near 1 in place of {narrow.function} (tanh for logistic, relu "
            "for tanh), He or Glorot initialisation, or residual connections"
        )
        yield Finding(grade, first.name, "the flow fades", evidence, remedy, "fading")
    elif ratio > GROWING:
        grade = "serious" if ratio > GROWN else "warning"
        remedy = (
            f"smaller first weights ({ratio ** (-1.0 / max(len(known) - 1, 1)):.2g} times these: "
            "He or Glorot initialisation), or a normalisation layer"
        )
        yield Finding(grade, first.name, "the flow explodes", evidence, remedy, "exploding")


def flow_in_time(layers: Layers) -> Iterator[Finding]:
    """A flow that grows from step to step: training diverges."""
    broken = worst_flow(layers)
    if broken is not None:
        evidence = "the learning flow through it became infinite, or no number"
        remedy = "a smaller learning rate, or gradients clipped to a norm of 1"
        yield Finding("serious", broken.name, "the flow explodes", evidence, remedy, "exploding")
        return
    flowing = [layer for layer in layers if late(layer, "flow_in") is not None]
    if not flowing or flowing[-1].looked < FEW:
        return
    last = flowing[-1]  # further down, a flow that faded at first may well grow
    then, now = early(last, "flow_in"), late(last, "flow_in")
    if then and now is not None and now >= GROWING * then:
        grade: Severity = "serious" if now > GROWN * then else "warning"
        evidence = f"the flow that comes to it grew from {then:.2g} to {now:.2g}"
        remedy = "a smaller learning rate, or gradients clipped to a norm of 1"
        yield Finding(grade, last.name, "the flow explodes", evidence, remedy, "exploding")


def collapsed(layers: Layers) -> Iterator[Finding]:
    """A representation that has lost its directions: in the first layer that has."""
    for layer in layers:
        rank = layer.effective_rank
        if layer.width < WIDE or layer.looked < FEW or rank is None or rank >= ONE_DIRECTION:
            continue
        evidence = (
            f"all inputs are represented alike by its {layer.width:,} neurons"
            if rank == 0.0
            else f"its {layer.width:,} neurons spread in {rank:.2f} directions (effective rank)"
        )
        remedy = (
            "weights drawn at random and independently (equal ones learn the same thing for ever), "
            "not scaled down from layer to layer; a normalisation layer before it"
        )
        yield Finding("serious", layer.name, "collapsed", evidence, remedy, "collapsed")
        return


def linear(layers: Layers) -> Iterator[Finding]:
    """A layer that bends nothing, though its function could."""
    for layer in layers:
        share = float(np.mean(layer.neurons.always_on))
        if layer.looked < ENOUGH or share < STRAIGHT or _is_line(layer):
            continue
        evidence = (
            f"{percent(share)} of its neurons met one straight piece of {layer.function} only, on "
            f"everything looked at lately: pre-activations lie around "
            f"{layer.pre_activation.mean:.3g} with a spread of {layer.pre_activation.spread:.3g}"
        )
        remedy = "pre-activations of mean 0 and spread 1: smaller biases, or a normalisation layer"
        yield Finding("warning", layer.name, "a linear layer", evidence, remedy, "linear")


def worse(layers: Layers) -> Iterator[Finding]:
    """A layer after which a linear map can tell less than before."""
    judged = [(x, x.separability) for x in layers if x.separability is not None]
    for (before, could), (after, can) in pairwise(judged):
        if can >= could - WORSE:
            continue
        evidence = (
            f"a linear map tells {percent(can)} of the probe's labels after it, {percent(could)} "
            f"after {before.name}"
        )
        remedy = "a wider layer, or longer training if it has just begun"
        yield Finding("warning", after.name, "tells less", evidence, remedy, "worse")


RULES = (not_finite, step, dead, saturated, flow_in_time, flow_across, collapsed, linear, worse)


def _saturation(layer: SeenLayer) -> float:
    """How much more is blocked lately than its function blocks anyway; 0 for other functions."""
    blocked = late(layer, "blocked")
    if blocked is None or shape_of(layer) != "saturating":
        return 0.0
    return blocked - usually_blocked(layer)


def _handed_on(layer: SeenLayer) -> float:
    found = handed_on(layer, late)
    return 1.0 if found is None else found


def _dead_rows(layer: SeenLayer) -> str:
    """On what the dead neurons were blocked, and since when."""
    neurons = layer.neurons
    since, rows = neurons.dead_since[neurons.dead], neurons.dead_rows[neurons.dead]
    said = f"all {rows.min():,} rows looked at since step {since.max():,}"
    return said if since.min() == since.max() else f"{said}, the first since step {since.min():,}"


def _lost_flow(layers: Layers, layer: SeenLayer) -> str:
    """How much of its flow a layer hands on, and to which; nothing where none was seen."""
    now, before = handed_on(layer, late), handed_on(layer, early)
    if now is None or before is None:
        return ""
    place = layers.index(layer)
    to = f" to {layers[place - 1].name}" if place else ""
    if now < FALLEN * before:
        fell = f"fell from {percent(before)} to {percent(now)} of what comes to it"
        return f"; the flow it hands on{to} {fell}"
    return f"; it hands on {percent(now)} of its flow{to}"


def _names_before(layers: Layers, layer: SeenLayer) -> str:
    return ", ".join(x.name for x in layers[: layers.index(layer)])


def _is_line(layer: SeenLayer) -> bool:
    """Whether the function is a straight line by its formula: then that is what was wanted."""
    from limen.registry import resolve

    return (
        layer.formula is not None
        and resolve(layer.formula).derivative(2).formula == "0"
        and (resolve(layer.formula).kinks == ())
    )
