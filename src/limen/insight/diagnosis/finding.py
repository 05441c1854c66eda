"""What a diagnosis is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, overload

__all__ = ["SEVERITIES", "Diagnosis", "Finding", "Severity"]

Severity = Literal["serious", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("serious", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        severity: "serious": learning is broken here; "warning": it suffers; "note": worth knowing.
        layer: the name of the layer.
        title: what it is, in a few words.
        evidence: the figures that say so.
        remedy: what would help, the most promising first.
        kind: the name of the sickness, for programs.
    """

    severity: Severity
    layer: str
    title: str
    evidence: str
    remedy: str
    kind: str = ""

    def __str__(self) -> str:
        return (
            f"{self.severity}: {self.layer}: {self.title}\n"
            f"  {self.evidence}\n  Remedy: {self.remedy}"
        )


class Diagnosis(Sequence[Finding]):
    """Findings, the most serious first; empty where nothing was found."""

    def __init__(self, findings: Sequence[Finding], basis: str) -> None:
        ordered = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
        self._findings, self.basis = tuple(ordered), basis

    @overload
    def __getitem__(self, index: int) -> Finding: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Finding, ...]: ...

    def __getitem__(self, index: int | slice) -> Finding | tuple[Finding, ...]:
        return self._findings[index]

    def __len__(self) -> int:
        return len(self._findings)

    def __repr__(self) -> str:
        if not self:
            return f"Nothing was found ({self.basis})."
        return "\n\n".join([*map(str, self), f"({self.basis})"])

    def _repr_html_(self) -> str:
        if not self:
            return f"<p>{escape(repr(self))}</p>"
        items = "".join(
            f"<dt>{escape(f.severity)}: {escape(f.layer)}: {escape(f.title)}</dt>"
            f"<dd>{escape(f.evidence)}<br>Remedy: {escape(f.remedy)}</dd>"
            for f in self
        )
        return f"<dl>{items}</dl><p>{escape(self.basis)}</p>"
