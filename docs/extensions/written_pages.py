"""Pages that are written while they are read: the catalogue and the reference of the public names.

A page holds the line `<!-- written: catalogue -->`; what belongs there is made here from limen
itself, so that there is no second copy of any formula, property or signature to keep.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from html import escape
from importlib.util import find_spec
from inspect import isclass, ismodule
from types import ModuleType
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.autodoc.mock import mock

import limen
from limen import picture
from limen.catalog import RECORDS, Record

__all__ = ["catalogue", "missing", "reference", "setup"]

_PLACE = re.compile(r"^<!-- written: (\w+)(?: (\S+))? -->$", re.M)
_LONGEST = 160  # characters of a derivative that a reader still takes in
# What a catalogue says of a function of one input, as the function itself finds it.
_PROPERTIES = ("range", "limits", "kinks", "roots", "extrema", "lipschitz", "is_monotonic")


# --- The catalogue -----------------------------------------------------------------------------


def catalogue() -> str:
    """Every function of the catalogue: formula, picture, derivative, properties, source."""
    return "\n\n".join(_entry(record) for record in sorted(RECORDS.values(), key=lambda r: r.name))


def _entry(record: Record) -> str:
    f = limen.get(record.name)
    drawn = picture.curve(f, *picture.window(f))
    arguments = ", ".join(name if len(name) == 1 else rf"\mathrm{{{name}}}" for name in f.inputs)
    rows = "\n".join(f"| {name} | {value} |" for name, value in _rows(record, f))
    return (
        f"## {record.name}\n\n{_sentence(record.description)}\n\n"
        f"$$\n\\mathrm{{{_escaped(record.name)}}}({arguments}) = {f.latex}\n$$\n\n"
        f'<figure class="picture curve">{picture.svg(drawn.x, drawn.y, drawn.dy)}</figure>\n\n'
        f"| | |\n| --- | --- |\n{rows}"
    )


def _rows(record: Record, f: limen.ActivationFunction) -> Iterator[tuple[str, str]]:
    yield "formula", _code(f.formula)
    for name in f.inputs:
        slope = f.derivative(name).formula
        short = len(slope) <= _LONGEST
        text = _code(slope) if short else f"{len(slope)} characters: see `derivative().formula`"
        yield ("derivative" if len(f.inputs) == 1 else f"derivative by its {name}"), text
    if f.parameters:
        yield "parameters", ", ".join(_code(f"{n}={v:g}") for n, v in f.parameters.items())
    if not f.is_gated:
        for name in _PROPERTIES:
            value = getattr(f, name)
            yield name.removeprefix("is_"), "none" if value in (None, ()) else _code(repr(value))
    if record.aliases:
        yield "also called", ", ".join(map(_code, record.aliases))
    yield "source", record.source.replace("|", r"\|")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>".replace("|", "&#124;")


def _escaped(name: str) -> str:
    return name.replace("_", r"\_")


# --- The reference -----------------------------------------------------------------------------


def reference(module: str) -> str:
    """Every public name of a module, as its docstring has it; public rooms in it come last."""
    with mock(missing()):
        home = importlib.import_module(module)
    public = [name for name in home.__all__ if not name.startswith("__")]
    rooms = [name for name in public if ismodule(getattr(home, name))]
    names = sorted(set(public) - set(rooms), key=str.lower)
    return "\n\n".join(
        [_documented(home, module, name) for name in names]
        + [_room(getattr(home, name), f"{module}.{name}") for name in sorted(rooms)]
    )


def _room(home: ModuleType, public: str) -> str:
    """A part of limen that has names of its own, such as `limen.plot`."""
    parts = [_documented(home, public, name) for name in sorted(home.__all__)]
    return "\n\n".join([f"## {public}", *parts])


def _documented(home: ModuleType, public: str, name: str) -> str:
    found = getattr(home, name)
    full = f"{public}.{name}"
    if isclass(found):
        said = f".. autoclass:: {full}\n   :members:\n   :inherited-members: Exception, Module"
    elif callable(found):
        said = f".. autofunction:: {full}"
    else:
        said = f".. autodata:: {full}"
    return f"### {name}\n\n```{{eval-rst}}\n{said}\n```"


def missing() -> list[str]:
    """The frameworks that are not installed here: their adapters are read with stand-ins."""
    return [name for name in ("torch", "jax") if find_spec(name) is None]


# --- The event ---------------------------------------------------------------------------------

_WRITERS: dict[str, Callable[..., str]] = {"catalogue": catalogue, "reference": reference}


def write(app: Sphinx, docname: str, source: list[str]) -> None:
    """Puts what belongs there in the place of each mark of a page."""

    def written(mark: re.Match[str]) -> str:
        return _WRITERS[mark[1]](*filter(None, mark.groups()[1:]))

    source[0] = _PLACE.sub(written, source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
