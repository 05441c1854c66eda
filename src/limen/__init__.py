"""limen: one formula in; an exact, fast, lean activation layer out.

    >>> import limen
    >>> mish = limen.activation("x * tanh(softplus(x))", name="mish")
    >>> mish(1.0)
    np.float64(0.8650983882673103)

Every function of the catalogue is here by name (`limen.gelu`), and every operation of the formula
language for use in Python functions that are traced (`limen.where`).
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

__version__ = "0.1.0"

# Where each public name lives. Everything loads when it is first used.
_HOMES = {
    "errors": (
        "DeviceError", "DtypeError", "FileError", "FormulaError", "LimenError",
        "MissingPackageError", "OrderError", "ShapeError", "TooLongError", "UnknownNameError",
    ),
    "formula.analysis.answers": ("ENDLESS", "UNKNOWN"),
    "function": ("ActivationFunction",),
    "insight.observing": ("Observation", "observe"),
    "registry": ("activation", "get", "names", "register"),
    "vector": ("log_softmax", "softmax", "softmin"),
    "layers": (
        "Activation", "Adam", "AdamW", "BinaryCrossEntropy", "CrossEntropy", "HalfSquaredError",
        "Linear", "Model", "SGD", "from_torch", "load",
    ),
}  # fmt: skip
_HOME_OF = {name: home for home, public in _HOMES.items() for name in public}
# Rooms whose public name is shorter than their place.
_ROOMS = {"plot": "insight.plot"}

__all__ = [*sorted(_HOME_OF), *_ROOMS, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        found = getattr(import_module(f"limen.{_HOME_OF[name]}"), name)
    elif name in _ROOMS:
        found = import_module(f"limen.{_ROOMS[name]}")
    elif name.startswith("_"):
        raise AttributeError(f"module 'limen' has no attribute {name!r}")
    elif find_spec(f"limen.{name}") is not None:
        found = import_module(f"limen.{name}")
    else:
        found = _named(name)
    globals()[name] = found
    return found


def _named(name: str) -> Any:
    """A function of the catalogue, or an operation for traced functions."""
    from limen.catalog import find
    from limen.formula.traced import operation_functions
    from limen.registry import get

    if find(name) is not None:
        return get(name)
    operation = operation_functions().get(name)
    if operation is None:
        raise AttributeError(f"module 'limen' has no attribute {name!r}")
    return operation


def __dir__() -> list[str]:
    from limen.formula.traced import operation_functions
    from limen.registry import names

    return sorted({*__all__, *names(), *operation_functions()})
