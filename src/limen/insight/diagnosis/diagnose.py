"""From what was seen to what is wrong."""

from __future__ import annotations

from collections.abc import Iterable

from limen.insight.diagnosis.finding import Diagnosis, Finding
from limen.insight.diagnosis.rules import FEW, RULES
from limen.insight.observing.seen import SeenLayer

__all__ = ["diagnose"]

_EXPLAINED_BY = {
    "collapsed": {"dead", "fading", "not finite"},
    "fading": {"dead", "not finite", "saturated", "step"},
    "linear": {"collapsed", "dead", "exploding", "fading", "not finite"},
    "worse": {"collapsed", "dead", "exploding", "not finite", "saturated", "step"},
}
"""What else is to be expected of a network with a serious finding of some kind."""


def diagnose(layers: Iterable[SeenLayer]) -> Diagnosis:
    """What is wrong with a network, with evidence and a remedy, most serious first.

    It speaks of what was looked at; a network of which little was seen gets few findings.

    Args:
        layers: `seen.layers` of a `limen.observe`.

    Returns:
        The `Diagnosis`, a sequence of `Finding`; empty where nothing was found.

    Example:
        >>> import limen, numpy as np
        >>> model = limen.Model([limen.Linear(2, 64), limen.Activation("relu")])
        >>> model.layers[0].bias.value[:40] = -100.0
        >>> with limen.observe(model, every=1) as seen:
        ...     for _ in range(5):
        ...         _ = model.predict(np.random.default_rng(0).normal(size=(256, 2)))
        >>> print(seen.diagnosis()[0].evidence)
        40 of 64 relu neurons were blocked on all 1,280 rows looked at since step 0
    """
    known = tuple(layers)
    findings = _causes([finding for rule in RULES for finding in rule(known)])
    looked = max((layer.looked_steps for layer in known), default=0)
    steps = max((layer.steps for layer in known), default=0)
    plural = "" if len(known) == 1 else "s"
    basis = f"{len(known)} activation layer{plural}; {looked:,} of {steps:,} steps looked at"
    if looked and max(layer.looked for layer in known) < FEW:
        basis += f", fewer than {FEW} rows in all"
        basis += ": limen.observe(model, every=1) looks at each" if looked < steps else ""
    return Diagnosis(findings, basis)


def _causes(findings: list[Finding]) -> list[Finding]:
    """Findings without those that others explain: one mends the cause."""
    serious = {finding.kind for finding in findings if finding.severity == "serious"}
    return [
        finding
        for finding in findings
        if not serious & _EXPLAINED_BY.get(finding.kind, set()) - {finding.kind}
    ]
