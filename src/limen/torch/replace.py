"""Puts limen's activations in the place of a model's own."""

from __future__ import annotations

import copy
from collections import Counter
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from limen.errors import LimenError
from limen.function import ActivationFunction
from limen.registry import get
from limen.torch.activation import Activation
from limen.torch.functional import Named, check_module, meant

__all__ = ["NAMES", "called", "equivalent", "parts", "replace", "twin", "with_convention"]

_SAME = 1e-6  # two functions this close, in float64, are meant to be one
_PROBES = (-9.0, 9.0, 73)  # where they are compared

_SAME_FROM = 20.0  # log(1 + exp(x)) and x, which PyTorch gives from its threshold on
NAMES: dict[type[nn.Module], str] = {
    nn.ReLU: "relu", nn.ReLU6: "relu6", nn.ELU: "elu", nn.SELU: "selu", nn.CELU: "celu",
    nn.GELU: "gelu", nn.SiLU: "silu", nn.Mish: "mish", nn.Sigmoid: "logistic",
    nn.LogSigmoid: "log_sigmoid", nn.Softplus: "softplus", nn.Softsign: "softsign",
    nn.Tanh: "tanh", nn.Tanhshrink: "tanhshrink", nn.LeakyReLU: "leaky_relu", nn.PReLU: "prelu",
    nn.Hardsigmoid: "hardsigmoid", nn.Hardswish: "hardswish", nn.Hardtanh: "hardtanh",
    nn.Hardshrink: "hardshrink", nn.Softshrink: "softshrink", nn.Threshold: "threshold",
    nn.GLU: "glu",
}  # fmt: skip
"""limen's names for PyTorch's modules; parameters have the names of the modules' attributes."""

_CALLED = {kind.__name__.lower(): kind for kind in NAMES}


def equivalent(module: nn.Module) -> ActivationFunction | None:
    """limen's function for one of PyTorch's modules, at the module's parameters; or None.

    Example:
        >>> import torch, limen.torch as lt
        >>> lt.equivalent(torch.nn.LeakyReLU(0.2)).parameters
        {'negative_slope': 0.2}
    """
    name = NAMES.get(type(module))
    if isinstance(module, nn.GELU):
        name = {"none": "gelu", "tanh": "gelu_tanh"}.get(module.approximate)
    if name is None or (isinstance(module, nn.Softplus) and module.threshold < _SAME_FROM):
        return None
    f = get(name)
    held = {p: getattr(module, p, None) for p in f.parameters}
    if isinstance(module, nn.Threshold):
        held["replacement"] = module.value
    return f.with_parameters(**{p: v for p, v in held.items() if isinstance(v, int | float)})


@lru_cache(256)
def called(name: str, *arguments: Any, **keywords: Any) -> ActivationFunction | None:
    """limen's function for a call such as `torch.nn.functional.leaky_relu(x, 0.2)`; or None.

    PyTorch's functions are called as its modules are, and take the same arguments after the input.
    The derivative at kinks is PyTorch's.

    Args:
        name: the function's, such as "leaky_relu" or "relu_".
        *arguments: what it is given after its input.
        **keywords: what else it is given.

    Example:
        >>> from limen.torch.replace import called
        >>> called("leaky_relu", 0.2).parameters
        {'negative_slope': 0.2}
    """
    kind = _CALLED.get(name.replace("_", ""))
    given = (*arguments, *keywords.values())
    if kind is None or not all(isinstance(a, int | float | str | None) for a in given):
        return None
    try:
        module = nn.PReLU(init=arguments[0]) if kind is nn.PReLU else kind(*arguments, **keywords)
    except (
        IndexError,
        TypeError,
    ):  # `torch.threshold` and the like, called in a way the module is not
        return None
    if isinstance(module, nn.PReLU):  # takes its weight, and not how many
        return with_convention(get("prelu").with_parameters(weight=arguments[0]), module)
    f = equivalent(module)
    return None if f is None else with_convention(f, module)


def twin(f: ActivationFunction) -> nn.Module | None:
    """PyTorch's own module for a function, if it has one that takes the same parameters."""
    named = {name: kind for kind, name in NAMES.items()}.get(f.name)
    if named is None or f.expression is not get(f.name).expression or f.surrogate_function:
        return None
    try:
        return named(**f.parameters)
    except TypeError:
        return None


def replace(
    model: nn.Module,
    which: type[nn.Module] | tuple[type[nn.Module], ...] | None = None,
    function: Named | None = None,
    **parameters: float,
) -> nn.Module:
    """Puts limen's activations in the place of a model's own, which stay what they were.

    The derivative at kinks is that of the module replaced (relu'(0) is 0 in PyTorch), so that
    training goes the same way; so are its parameters, where it is replaced by the same function.
    Only modules can be found: not calls such as `torch.relu(x)` in a module's code.

    Args:
        model: any module; it is changed in place.
        which: the class or classes to replace, subclasses included; all of PyTorch's activation
            modules that limen has if left out.
        function: what to put in their place; the same function if left out.
        **parameters: values of that function's parameters.

    Returns:
        The model; what takes its place if it is itself an activation.

    Raises:
        LimenError: where the model has no such module; it says which activations it has.
        TypeError: for what is to be replaced and is no class.

    Example:
        >>> import torch, limen.torch as lt
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
        >>> lt.replace(model, torch.nn.ReLU, "relu")[1]
        Activation(relu: where(x < 0, 0, x), at_kinks={0.0: 0.0})
    """
    check_module("replace", model)
    wanted = tuple(NAMES) if which is None else which
    for one in wanted if isinstance(wanted, tuple) else (wanted,):
        if not isinstance(one, type):
            raise TypeError(f"expected a class of modules to replace, such as nn.GELU, got {one!r}")
    made: dict[nn.Module, Activation] = {}
    for module in model.modules():
        if isinstance(module, wanted) and not isinstance(module, Activation):
            made[module] = _in_place_of(module, function, parameters)
    if not made:
        raise LimenError(_none_found(model, wanted))
    for parent in list(model.modules()):
        for name, child in parts(parent):
            if child in made:
                setattr(parent, name, made[child])
    return made.get(model, model)


def parts(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules in a module, by name; one in two places has two, as in its `named_children` not.

    Example:
        >>> import torch
        >>> from limen.torch.replace import parts
        >>> act = torch.nn.ReLU()
        >>> [name for name, _ in parts(torch.nn.Sequential(act, act))]
        ['0', '1']
    """
    return [(name, child) for name, child in module._modules.items() if child is not None]


def _in_place_of(
    module: nn.Module, function: Named | None, parameters: dict[str, float]
) -> Activation:
    same = equivalent(module)
    if function is None and same is None:
        raise LimenError(f"limen has no function for {module}: say which to put in its place")
    f = same if function is None else meant(function, **parameters)
    assert f is not None
    if same is not None and f.expression is same.expression:
        f = same.with_parameters(**parameters)
    f = with_convention(f, module)
    if isinstance(module, nn.PReLU) and f is not None and same is not None and f.name == same.name:
        found = Activation(f, learnable={"weight": module.num_parameters})
        found.weight = module.weight
    else:
        found = Activation(f, dim=getattr(module, "dim", None))
    found.train(module.training)
    found.__dict__["replaced"] = module  # known, not owned: no submodule
    return found


def with_convention(f: ActivationFunction, module: nn.Module) -> ActivationFunction:
    """The function with the module's derivative at kinks, if it is the module's function."""
    kinks = f.kinks
    if f.at_kinks is not None or not isinstance(kinks, tuple) or not kinks:
        return f
    probes = torch.linspace(*_PROBES[:2], int(_PROBES[2]), dtype=torch.float64)
    at = torch.tensor(kinks, dtype=torch.float64)
    try:
        theirs = copy.deepcopy(module).to("cpu", torch.float64).train(False)
        with torch.no_grad():
            values = theirs(probes.clone())  # a module may write over what it is given
        is_same = torch.allclose(values, torch.from_numpy(f(probes.numpy())), atol=_SAME)
        slopes = torch.func.grad(lambda x: theirs(x.clone()).sum())(at)
    except Exception:  # whatever a foreign module does with a tensor of numbers: it is no twin
        return f
    if not is_same or torch.equal(slopes, torch.from_numpy(f.derivative()(at.numpy()))):
        return f
    return f.with_kinks(dict(zip(kinks, slopes.tolist(), strict=True)))


def _none_found(model: nn.Module, wanted: Any) -> str:
    classes = wanted if isinstance(wanted, tuple) else (wanted,)
    sought = " or ".join(c.__name__ for c in classes[:3]) + (", ..." if len(classes) > 3 else "")
    has = Counter(type(m).__name__ for m in model.modules() if type(m) in NAMES)
    has_text = ", ".join(f"{name} ({count})" for name, count in has.items()) or "none of PyTorch's"
    return f"there is no {sought} in this model; activations it has: {has_text}"
