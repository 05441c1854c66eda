"""What the catalogue says of one activation function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["Kinks", "Record"]

Kinks = Mapping[float | str, float | str]
"""The derivative that a framework gives at each kink: `{point: value}`.

A point or a value is a number, or a formula in the function's parameters (`"-lambd"`).
"""

_NONE: Mapping[str, float] = MappingProxyType({})
_NO_KINKS: Kinks = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One named activation function: data, no code.

    Attributes:
        name: the name limen uses.
        formula: the mathematical definition, in limen's formula language.
        description: what it is, in one line.
        source: the paper with its year, or the framework whose convention it follows.
        inputs: `("x",)`, or `("gate", "value")` for the gated family.
        parameters: each parameter's name and default.
        aliases: further names that find it.
        torch_kinks: the derivative PyTorch's layer of that name gives at points where the left and
            right derivatives differ; empty where PyTorch has no such layer or it has no kink.
    """

    name: str
    formula: str
    description: str
    source: str
    inputs: tuple[str, ...] = ("x",)
    parameters: Mapping[str, float] = field(default_factory=lambda: _NONE)
    aliases: tuple[str, ...] = ()
    torch_kinks: Kinks = field(default_factory=lambda: _NO_KINKS)
