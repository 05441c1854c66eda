"""What the page says, in words and short numbers: plain data for the template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from limen.errors import OrderError
from limen.insight.report import figures, sketches
from limen.insight.words import percent

if TYPE_CHECKING:
    from limen.insight.observing.observation import Observation
    from limen.insight.observing.seen import Moment, SeenLayer

__all__ = ["view"]

_ROWS = 24  # of a table beside a figure; a reader of more wants the figure or the object itself
_NEURONS = 32
_LONGEST = 400  # characters of a formula
_UNSEEN = "–"


def view(seen: Observation) -> dict[str, Any]:
    """Everything the template asks for.

    Raises:
        OrderError: when nothing has been seen yet.
    """
    layers = seen.layers
    if not layers:
        raise OrderError("nothing has been seen yet: run the model in `with limen.observe(...)`")
    return {
        "version": version("limen"),
        "steps": f"{seen.steps:,}",
        "inputs": f"{seen.inputs:,}",
        "findings": _findings(seen),
        "layers": [_layer(place, layer) for place, layer in enumerate(layers)],
        "overview": _overview(layers),
        "box": (sketches.WIDTH, sketches.HEIGHT),
    }


def _findings(seen: Observation) -> list[dict[str, Any]]:
    places = {layer.name: place for place, layer in enumerate(seen.layers)}
    return [
        {
            "severity": finding.severity,
            "layer": finding.layer,
            "place": places.get(finding.layer),
            "title": finding.title,
            "evidence": finding.evidence,
            "remedy": finding.remedy,
        }
        for finding in seen.diagnosis()
    ]


def _overview(layers: Sequence[SeenLayer]) -> list[dict[str, Any]]:
    """The figures that speak of all layers: each with a title, words, data, and a table."""
    shown = []
    names = [layer.name for layer in layers]
    if any(layer.flow_out is not None for layer in layers):
        shown.append(
            {
                "title": "The learning flow, layer by layer",
                "words": _flow_words(layers),
                "figure": figures.flow_figure(layers),
                "columns": ("layer", "entering", "leaving"),
                "rows": [
                    (name, number(layer.flow_in), number(layer.flow_out))
                    for name, layer in zip(names, layers, strict=True)
                ],
            }
        )
    if any(layer.separability is not None for layer in layers):
        shown.append(
            {
                "title": "How well the classes are told apart after each layer",
                "words": _progress_words(layers),
                "figure": figures.progress_figure(layers),
                "columns": ("layer", "accuracy"),
                "rows": [(layer.name, share(layer.separability)) for layer in layers],
            }
        )
    return shown


def _flow_words(layers: Sequence[SeenLayer]) -> str:
    """How much of the flow that entered the last layer leaves the first."""
    first, last = layers[0], layers[-1]
    said = "The root mean square of the gradient that enters and leaves each layer. "
    if first.flow_out is None or not last.flow_in:
        return said
    return said + (
        f"{number(last.flow_in)} enters {last.name}; {number(first.flow_out)} leaves "
        f"{first.name}: {percent(first.flow_out / last.flow_in)}."
    )


def _progress_words(layers: Sequence[SeenLayer]) -> str:
    """Where the linear probe starts, where it ends, and where it does best."""
    judged = [layer for layer in layers if layer.separability is not None]
    best = max(judged, key=lambda layer: layer.separability or 0.0)
    return (
        "The accuracy of a linear probe on the representation: "
        f"{share(judged[0].separability)} after {judged[0].name}, "
        f"{share(judged[-1].separability)} after {judged[-1].name}; "
        f"the best, {share(best.separability)}, after {best.name}."
    )


def _layer(place: int, layer: SeenLayer) -> dict[str, Any]:
    formula = layer.formula or ""
    moments = _thinned(layer.history)
    return {
        "place": place,
        "name": layer.name,
        "function": layer.function,
        "formula": formula if len(formula) <= _LONGEST else formula[:_LONGEST] + "…",
        "width": f"{layer.width:,}",
        "blocked": share(layer.blocked),
        "dead": f"{_count(layer.neurons.dead):,}",
        "always_on": f"{_count(layer.neurons.always_on):,}",
        "flow_out": number(layer.flow_out),
        "rank": number(layer.effective_rank),
        "separability": share(layer.separability),
        "histogram": sketches.histogram(layer.activation),
        "bars": sketches.bars(np.where(layer.neurons.dead, 1.0, layer.neurons.blocked)),
        "facts": _facts(layer),
        "words": _words(layer),
        "figure": figures.layer_figure(layer) if layer.history else None,
        "moments": [_moment_row(moment) for moment in moments],
        "all_moments": len(layer.history),
        "flows": [_flow_row(moment) for moment in moments],
        "neurons": _neuron_rows(layer),
    }


def _facts(layer: SeenLayer) -> list[tuple[str, str]]:
    """Names and answers, the ones that were not seen left out."""
    neurons, before, after = layer.neurons, layer.pre_activation, layer.activation
    dead, on = _count(neurons.dead), _count(neurons.always_on)
    facts = [
        ("Blocked", f"{share(layer.blocked)} of all inputs and neurons"),
        ("Dead neurons", f"{dead:,} of {layer.width:,}{_since(layer)}"),
        ("Always on", f"{on:,} of {layer.width:,}"),
        ("Pre-activations", f"{number(before.mean)} ± {number(before.spread)}"),
        ("Activations", f"{number(after.mean)} ± {number(after.spread)}"),
        ("Exact zeros", f"{share(after.sparsity)} of activations"),
    ]
    if before.not_finite or after.not_finite:
        lost = f"{before.not_finite:,} pre-activations, {after.not_finite:,} activations"
        facts.append(("Not finite", lost))
    if layer.flow_in is not None and layer.flow_out is not None:
        facts.append(("Learning flow", f"{number(layer.flow_in)} in, {number(layer.flow_out)} out"))
    if layer.angle is not None:
        facts.append(("Angle between them", f"{number(layer.angle)}°"))
    if layer.effective_rank is not None:
        facts.append(("Effective rank", f"{number(layer.effective_rank)} of {layer.width:,}"))
    if layer.separability is not None:
        facts.append(("Linear probe", f"{share(layer.separability)} of the classes right"))
    return facts


def _since(layer: SeenLayer) -> str:
    dead = np.asarray(layer.neurons.dead, bool)
    since = np.asarray(layer.neurons.dead_since)[dead]
    return f", the first since step {int(since.min()):,}" if len(since) else ""


def _words(layer: SeenLayer) -> str:
    """What the figure of a layer shows, for whoever does not see it."""
    if not layer.history:
        return "No moment was recorded."
    first, last = layer.history[0], layer.history[-1]
    parts = ["Lines: medians; bands: from 25% to 75% and from 5% to 95%."]
    for what, start, end in (
        ("pre-activations", first.pre_activation, last.pre_activation),
        ("activations", first.activation, last.activation),
    ):
        parts.append(
            f"Half of the {what} lay between {number(start[1])} and {number(start[3])} at step "
            f"{first.step:,}, and between {number(end[1])} and {number(end[3])} at step "
            f"{last.step:,}."
        )
    parts.append(f"The blocked share went from {share(first.blocked)} to {share(last.blocked)}.")
    return " ".join(parts)


def _moment_row(moment: Moment) -> tuple[str, ...]:
    quantiles = (*moment.pre_activation[::2], *moment.activation[::2])  # 5%, 50%, 95%
    return (f"{moment.step:,}", *map(number, quantiles))


def _flow_row(moment: Moment) -> tuple[str, ...]:
    return (
        f"{moment.step:,}", share(moment.blocked), f"{moment.dead:,}", number(moment.flow_in),
        number(moment.flow_out), number(moment.effective_rank), share(moment.separability),
    )  # fmt: skip


def _neuron_rows(layer: SeenLayer) -> list[tuple[str, ...]]:
    """The most blocked neurons first, dead ones before them all."""
    neurons = layer.neurons
    blocked = np.where(neurons.dead, 2.0, neurons.blocked)
    rows: list[tuple[str, ...]] = []
    for index in np.argsort(-blocked, kind="stable")[:_NEURONS]:
        since = int(neurons.dead_since[index])
        state = f"dead since {since:,}" if neurons.dead[index] else ""
        state = "always on" if neurons.always_on[index] else state
        rows.append(
            (
                str(index),
                share(neurons.blocked[index]),
                number(neurons.mean[index]),
                number(neurons.spread[index]),
                number(neurons.threshold[index]),
                state or _UNSEEN,
            )
        )
    return rows


def _thinned(history: Sequence[Moment]) -> list[Moment]:
    """So many moments as a table holds, evenly chosen, the first and the last among them."""
    if len(history) <= _ROWS:
        return list(history)
    return [history[at] for at in np.linspace(0, len(history) - 1, _ROWS).astype(int)]


def _count(flags: Iterable[Any]) -> int:
    return int(np.count_nonzero(np.asarray(flags)))


def number(value: float | None) -> str:
    """Three digits; a dash where nothing is known."""
    if value is None or isnan(value):
        return _UNSEEN
    if not isfinite(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.3g}".replace("-", "−")


def share(value: float | None) -> str:
    """A share in percent: "61%", "0.4%", never a rounded 0% or 100%."""
    if value is None or not isfinite(value):
        return _UNSEEN
    return "<0.1%" if 0.0 < value < 0.001 else percent(float(value))
