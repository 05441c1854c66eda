"""What is measured: one function in one direction on one size, or one training step."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from limen.errors import LimenError
from limen.function import ActivationFunction
from limen.registry import activation, get, names

__all__ = ["Case", "Direction", "Elementwise", "Step", "case_from", "refuse_idleness", "to_json"]

Floats = NDArray[np.float32]
Direction = Literal["forward", "backward"]


@dataclass(frozen=True, slots=True)
class Elementwise:
    """One function on one array of float32 numbers.

    Attributes:
        name: the function's name; that of a formula is its text.
        formula: its formula.
        direction: "forward", or "backward": from the gradient by the output, and the inputs, to
            the gradient by each input.
        elements: how many numbers each array holds.
        parameters: the value of each parameter.
        deviation: the standard deviation of the normally distributed inputs.
    """

    name: str
    formula: str
    direction: Direction
    elements: int
    parameters: dict[str, float] = field(default_factory=dict)
    deviation: float = 1.0

    @classmethod
    def of(
        cls, f: ActivationFunction, direction: Direction, elements: int, deviation: float = 1.0
    ) -> Elementwise:
        """The case of a function that this process holds."""
        return cls(f.name, f.formula, direction, elements, f.parameters, deviation)

    def function(self) -> ActivationFunction:
        """The function, in whatever process this is."""
        if self.name in names():
            named = get(self.name, **self.parameters)
            if named.formula == self.formula:
                return named
        return activation(self.formula, self.name, **self.parameters)

    def is_standard(self) -> bool:
        """Whether it is the catalogue's function of that name at the catalogue's parameters."""
        if self.name not in names():
            return False
        named = get(self.name)
        return named.formula == self.formula and named.parameters == self.parameters

    def arrays(self, count: int, first: int | None = None) -> list[Floats]:
        """The same inputs for every entrant: `count` of them, and then a gradient.

        Args:
            count: how many inputs the function has.
            first: draw only so many elements of each; the whole arrays begin with them.
        """
        size = self.elements if first is None else min(first, self.elements)
        arrays = [
            np.random.default_rng(seed).standard_normal(size, np.float32)
            for seed in range(count + 1)
        ]
        for array in arrays[:-1]:
            array *= np.float32(self.deviation)
        return arrays


@dataclass(frozen=True, slots=True)
class Step:
    """One training step of a small model; `limen.bench.training` says of which.

    Attributes:
        batch: how many samples it sees.
        width: how many neurons each layer has.
    """

    batch: int
    width: int


Case = Elementwise | Step


def to_json(case: Case) -> dict[str, Any]:
    """The case as an object of JSON."""
    return {"kind": type(case).__name__.lower(), **asdict(case)}


def case_from(message: dict[str, Any]) -> Case:
    """The case that `to_json` wrote."""
    fields = {name: value for name, value in message.items() if name != "kind"}
    return Step(**fields) if message["kind"] == "step" else Elementwise(**fields)


def refuse_idleness(f: ActivationFunction) -> None:
    """Refuses the identity: other libraries give the input back, and no work cannot be timed.

    Raises:
        LimenError: saying that.
    """
    if f.expression.operation == "input":
        raise LimenError("it gives its input back as it is: there is nothing to measure")
