"""Who takes part: the name, what a table calls it, and what has to be installed.

Nothing is imported here: an entrant's framework loads in the child process that runs it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec

from limen.bench.case import Case, Elementwise
from limen.errors import UnknownNameError

__all__ = ["BASELINE", "ENTRANTS", "Entrant", "chosen"]


@dataclass(frozen=True, slots=True)
class Entrant:
    """One participant, who runs in a process of its own.

    Attributes:
        name: how the command line and the figures call it.
        title: how tables and pictures call it.
        how: how it is called, in words for a reader who wants to judge whether that is fair.
        package: what has to be installed for it.
        module: where its peer is, under `limen.bench.peers`.
        options: what the peer is made with.
        variables: of the environment of its process.
        takes_steps: whether it takes part in training steps.
        command: what starts its process, when it is not limen's own child.
    """

    name: str
    title: str
    how: str
    package: str = "numpy"
    module: str = ""
    options: tuple[tuple[str, str], ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    takes_steps: bool = True
    command: tuple[str, ...] = ()

    @property
    def is_installed(self) -> bool:
        """Whether its package is there."""
        return find_spec(self.package) is not None

    def takes(self, case: Case) -> bool:
        """Whether it takes part in a case."""
        return self.takes_steps or isinstance(case, Elementwise)

    @property
    def starts_with(self) -> tuple[str, ...]:
        """The command line of its process."""
        return self.command or (sys.executable, "-m", "limen.bench.child", self.name)


BASELINE = Entrant(
    "baseline",
    "copy",
    "numpy.copyto between two arrays that together have the bytes the function reads and writes, "
    "on one thread or on all, whichever is faster; for a training step, its bare matrix products",
    module="baseline",
)

_OTHERS = (
    Entrant(
        "limen-out",
        "limen, out=",
        "f(x, out=y) and f.backward(grad_output, x, out=grad_input)",
        module="own",
        options=(("into", "given"),),
        takes_steps=False,  # limen.Model has only one way
    ),
    Entrant(
        "limen-general",
        "limen general",
        "the same in the general tier, where by default a tuned table would serve",
        module="own",
        options=(("into", "given"),),
        variables=(("LIMEN_TIER", "general"),),
        takes_steps=False,
    ),
    Entrant("limen", "limen", "f(x) and f.backward(grad_output, x): new arrays", module="own"),
    Entrant(
        "torch",
        "PyTorch eager",
        "the function of torch.nn.functional where there is one, else the formula in PyTorch's "
        "operations, without gradients; backward: the node of the recorded graph called directly, "
        "without autograd's engine, where the graph has one node, else torch.autograd.grad",
        "torch",
        "with_torch",
    ),
    Entrant(
        "torch-compile",
        "torch.compile",
        "the same through torch.compile; backward: torch.func.vjp, compiled",
        "torch",
        "with_torch",
        (("compiled", "yes"),),
    ),
    Entrant(
        "jax",
        "JAX jit",
        "the function of jax.nn where there is one, else the formula in jax.numpy, through "
        "jax.jit; backward: jax.vjp through jax.jit; waiting for the result",
        "jax",
        "with_jax",
    ),
    Entrant(
        "numpy",
        "NumPy",
        "the formula, and that of the derivative times the gradient, operation by operation",
        module="with_numpy",
    ),
)

ENTRANTS = {entrant.name: entrant for entrant in (BASELINE, *_OTHERS)}
"""All entrants by name; the first is what the others are measured against."""


def chosen(names: str | None) -> list[Entrant]:
    """The entrants of a list such as `"limen,torch"`, the baseline always with them.

    Raises:
        UnknownNameError: for a name that is not an entrant's.
    """
    if names is None:
        return list(ENTRANTS.values())
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in ENTRANTS:
            known = ", ".join(name for name in ENTRANTS if name != BASELINE.name)
            raise UnknownNameError(f"{name!r} does not take part; there are: {known}")
    return [BASELINE, *(ENTRANTS[name] for name in dict.fromkeys(wanted) if name != BASELINE.name)]
