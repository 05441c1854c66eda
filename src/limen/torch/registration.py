"""limen's functions by name, where other libraries look for theirs: transformers, timm, others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from limen.errors import FormulaError, MissingPackageError
from limen.function import ActivationFunction
from limen.registry import get, names
from limen.torch.activation import Activation
from limen.torch.functional import Named

__all__ = ["layer", "register"]

_PREFIX = "limen."  # no name of transformers has a dot


def register(
    function: Named | None = None, name: str | None = None, **settings: Any
) -> tuple[str, ...]:
    """Adds functions to those that transformers' models find by name, as "limen.mish".

    The name goes where a configuration asks for one: `hidden_act="limen.mish"`. It is saved with
    the configuration, so a process that loads such a model registers first. Every model gets
    modules of its own. Names that are there already stay; limen's own are registered anew.

    Args:
        function: what to add; all of `limen.names()` that are no gates if left out.
        name: what to call it after "limen."; its own name if left out.
        **settings: as for `Activation`: `learnable="beta"`, values of parameters.

    Returns:
        The names, as models ask for them.

    Raises:
        MissingPackageError: where transformers is not installed.
        FormulaError: for a gated function, whose output has half the neurons; transformers' models
            multiply the gate themselves, and ask for its function ("limen.silu" for swiglu).

    Example:
        >>> import limen.torch as lt
        >>> lt.register("x * sigmoid(beta * x)", "learned", beta=1.0, learnable={"beta": 1})
        ('limen.learned',)
        >>> from transformers.activations import ACT2FN
        >>> ACT2FN["limen.learned"]
        Activation(x * sigmoid(beta * x), learnable=beta)
    """
    try:
        from transformers.activations import ACT2FN
    except ImportError as error:
        raise MissingPackageError(
            "registering is for transformers: pip install transformers"
        ) from error
    if function is None:
        found = {each: f for each in names() if not (f := get(each)).is_gated}
    else:
        f = Activation(function, **settings).function  # so that what is wrong is said now
        if f.is_gated:
            raise FormulaError(
                f"{f.name} is gated: transformers' models multiply the gate themselves; register "
                "the function of the gate"
            )
        found = {name or f.name: f}
    added = {_PREFIX + each: (Activation, {"function": f, **settings}) for each, f in found.items()}
    ACT2FN.update(added)
    return tuple(added)


def layer(function: Named, **settings: Any) -> Callable[..., Activation]:
    """What makes Activation modules, for models that ask for a class: timm's, torchvision's.

    Args:
        function: the function.
        **settings: as for `Activation`.

    Returns:
        What is called as PyTorch's classes are, `inplace` included, which changes nothing: the
        input is what the backward pass needs.

    Example:
        >>> import torch, limen.torch as lt
        >>> make = lt.layer("mish")
        >>> make(), make(inplace=True)
        (Activation(mish: x * tanh(softplus(x))), Activation(mish: x * tanh(softplus(x))))
    """
    return partial(_made, Activation(function, **settings).function, settings)


def _made(
    function: ActivationFunction, settings: dict[str, Any], inplace: bool = False
) -> Activation:
    """A module; at the top of this one, so that models that keep what made it can be pickled."""
    return Activation(function, **settings)
