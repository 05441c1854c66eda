"""Where on the line errors are: the worst of each half binade, and its picture."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from limen.certify.certificate import Certificate
from limen.picture import COLOUR, save_figure

__all__ = ["Profile", "save_picture"]

_SIZE = (9.0, 4.2)
_HALF_BINADE = 51  # bits of a float64 that tell numbers of one half binade apart


@dataclass(slots=True)
class Profile:
    """The worst error in each half binade on either side of 0.

    Attributes:
        worst: by the half binade, an input and its error in ULP.
    """

    worst: dict[int, tuple[float, float]] = field(default_factory=dict)

    def take(self, x: float, error: float) -> None:
        """Another input."""
        place = struct.unpack("<q", struct.pack("<d", x))[0] >> _HALF_BINADE
        if place not in self.worst or error > self.worst[place][1]:
            self.worst[place] = (x, error)

    def add(self, other: Profile) -> None:
        """Takes another part of the line in."""
        for x, error in other.worst.values():
            self.take(x, error)

    def points(self) -> list[tuple[float, float]]:
        """The inputs with their errors, in order."""
        return sorted(self.worst.values())


def save_picture(certificate: Certificate, path: str | Path) -> None:
    """Writes a picture of the error over the input; the suffix chooses the format.

    The input runs from the most negative number over 0 to the largest, a binade as wide as any
    other. Each dot is the worst error in half a binade.

    Raises:
        LimenError: if matplotlib is not installed, or cannot write that file.
    """
    save_figure(path, _SIZE, lambda figure: _draw(certificate, figure.subplots()))


def _draw(certificate: Certificate, axes: Any) -> None:
    points = [(x, e) for x, e in certificate.profile if x and math.isfinite(e)]
    if not points:
        points = [(1.0, 0.0)]
    smallest = min(math.frexp(x)[1] for x, _ in points) - 1

    def across(x: float) -> float:
        return math.copysign(math.log2(abs(x)) - smallest, x)

    axes.axhline(0.5, color="0.75", linewidth=0.8, zorder=1)
    axes.axvline(0, color="0.75", linewidth=0.8, zorder=1)
    axes.plot(
        [across(x) for x, _ in points], [e for _, e in points], ".", color=COLOUR, markersize=3
    )
    largest = max(math.frexp(x)[1] for x, _ in points)
    step = 10 if largest - smallest < 60 else 50
    exponents = [k for k in range(-1050, 1050, step) if smallest < k < largest]
    places = [sign * (k - smallest) for sign in (-1, 1) for k in exponents]
    names = [f"{'−' if sign < 0 else ''}$2^{{{k}}}$" for sign in (-1, 1) for k in exponents]
    axes.set_xticks([*places, 0], [*names, "0"], fontsize=8)
    axes.set(xlabel="input", ylabel="error in ULP", ylim=(0, None))
    axes.set_title(str(certificate), fontsize=9, loc="left", color="0.35", wrap=True)
    axes.spines[["top", "right"]].set_visible(False)
