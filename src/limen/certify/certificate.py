"""The certificate: what was checked of a kernel, and what was found. JSON there and back."""

from __future__ import annotations

import json
import math
import platform
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from limen.errors import FileError

__all__ = ["Certificate", "machine", "plain", "promised"]


def promised(dtype: str, derivative: int | str) -> float:
    """The largest error in ULP that a kernel shall have.

    Results of 16 bits shall even be the nearest number; that they are not says the certificate.
    """
    is_higher = isinstance(derivative, int) and derivative > 1
    return (2.0 if dtype == "float64" else 1.0) * (2.0 if is_higher else 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What was checked of a function's kernel for one dtype, and what was found.

    Attributes:
        name: what the function is called.
        formula: the user's formula, which is the reference.
        parameters: the values of its parameters.
        derivative: the order: 0 for the value, 1 for the derivative that backward multiplies with;
            or the name of the input derived by.
        dtype: the format of inputs and results.
        inputs: how many inputs were checked.
        of: how many inputs there are; 0 where they were not counted (pairs).
        method: how: "every input", or what kind of sample.
        max_ulp: an upper bound of the largest error in ULP; infinite for a plainly wrong result.
        worst_input: where it is (a list for several inputs).
        worst_result: what the kernel gave there.
        correctly_rounded: the share of results that are the nearest number to the exact value.
        not_nearest: how many results are certainly not the nearest number.
        wrong: how many results are NaN or infinite where the exact value is not, or the reverse.
        undecided: how many inputs could not be decided.
        unbounded: of how many of them not even the error could be bounded.
        undecided_inputs: the first of them.
        special_values: the results at NaN, infinities and zeros, and whether they are right.
        outliers: for a sample, the inputs beyond what is `promised`, with their errors.
        kernel: a hash of the kernel's source, or what else was checked.
        machine: CPU, compiler and versions.
        seconds: how long it took.
        profile: inputs with the worst error of each half binade, in order.
    """

    name: str
    formula: str
    parameters: dict[str, float]
    derivative: int | str
    dtype: str
    inputs: int
    of: int
    method: str
    max_ulp: float
    worst_input: float | list[float]
    worst_result: float
    correctly_rounded: float
    not_nearest: int
    wrong: int
    undecided: int
    unbounded: int = 0
    undecided_inputs: list[Any] = field(default_factory=list)
    special_values: dict[str, Any] = field(default_factory=dict)
    outliers: list[Any] = field(default_factory=list)
    kernel: str = ""
    machine: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    profile: list[Any] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether every input of the format was checked and decided."""
        return self.inputs == self.of and self.undecided == 0

    @property
    def keeps_promise(self) -> bool:
        """Whether no result is known to be off by more than what is promised, or plainly wrong."""
        is_close = self.max_ulp <= promised(self.dtype, self.derivative)
        return is_close and not self.wrong and self.specials_are_right

    @property
    def specials_are_right(self) -> bool:
        """Whether NaN, infinities and zeros give what they should."""
        return all(found["right"] is not False for found in self.special_values.values())

    def holds(self, ulp: float) -> bool:
        """Whether it is shown that no input checked is off by more than this many ULP."""
        is_bounded = self.max_ulp <= ulp and not self.wrong and not self.unbounded
        return is_bounded and self.specials_are_right

    def __str__(self) -> str:
        direction = "value" if self.derivative == 0 else f"derivative {self.derivative}"
        scope = "every input" if self.inputs == self.of else f"{self.inputs:,} inputs"
        doubt = f", {self.undecided:,} undecided" if self.undecided else ""
        return (
            f"{self.name}, {direction}, {self.dtype}: at most {self.max_ulp:.4f} ULP on {scope}, "
            f"{self.correctly_rounded:.6%} correctly rounded{doubt}"
        )

    def to_json(self) -> str:
        """The certificate as JSON; numbers that JSON lacks are written as text."""
        return json.dumps(plain(asdict(self)), indent=2, ensure_ascii=False) + "\n"

    def write_json(self, path: Path) -> None:
        """Writes the JSON file."""
        path.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def from_json(cls, text: str) -> Certificate:
        """Reads a certificate back.

        Raises:
            FileError: for a text that is no certificate.
        """
        try:
            found = json.loads(text)
            for key in ("max_ulp", "worst_result"):
                found[key] = float(found[key])
            return cls(**found)
        except (ValueError, TypeError, KeyError) as error:
            raise FileError(f"this is no certificate: {error}") from None


def plain(value: Any) -> Any:
    """A value as JSON can hold it: infinities and NaN as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


@cache
def machine() -> dict[str, str]:
    """The CPU, the compiler and the versions that a certificate names."""
    import llvmlite
    import llvmlite.binding as llvm
    import numba
    import numpy as np

    return {
        "cpu": _cpu(),
        "target": llvm.get_host_cpu_name(),
        "system": f"{platform.system()} {platform.machine()}",
        "compiler": f"numba {numba.__version__}, llvmlite {llvmlite.__version__}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "limen": version("limen"),
    }


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
