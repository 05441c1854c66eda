"""Which kernel a certificate is of: a hash of all that decides what the kernel computes.

That is the source that was generated for it, and the primitives that it calls, with whatever these
call and the constants they use. Other primitives of the same modules do not count, nor do comments
and docstrings.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from limen.function import ActivationFunction

__all__ = ["source_hash"]

# What is printed as a kernel calls, and what tuned kernels do.
_KERNELS = ("limen.kernels.primitives", "limen.kernels.tuned")
_SOURCES = Path(__file__).parents[2]
_EVERYTHING = "*"

Place = tuple[str, str]
"""A module and a name in it, or `_EVERYTHING`."""


def source_hash(function: ActivationFunction, dtype: str) -> str:
    """A hash of the source of a function's own kernel, and of the primitives it calls.

    What these make of the CPU counts as well.
    """
    from limen.kernels.primitives.lanes import HAS_FMA
    from limen.kernels.primitives.registers import HAS_PERMUTATION

    source = function.source("forward", dtype)
    digest = hashlib.blake2b(source.encode(), digest_size=12)
    digest.update(repr((HAS_FMA, HAS_PERMUTATION)).encode())
    for module, name in sorted(_reached(source)):
        digest.update(f"{module} {name} {_module(module).texts[name]}".encode())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Module:
    """What a module says, definition by definition.

    Attributes:
        texts: the instructions that define each name.
        needs: the places that each name's definition refers to.
    """

    texts: dict[str, str] = field(default_factory=dict)
    needs: dict[str, set[Place]] = field(default_factory=dict)

    def names(self, name: str) -> Iterable[str]:
        """The name, where it is defined here, and what is done beside; all for `_EVERYTHING`."""
        return self.texts if name == _EVERYTHING else {name, ""} & self.texts.keys()


def _reached(source: str) -> set[Place]:
    """The definitions of kernels' own code that a source refers to, and those that these do."""
    found: set[Place] = set()
    waiting = set(_imported(ast.parse(source)).values())
    while waiting:
        module, name = waiting.pop()
        for defined in _module(module).names(name):
            if (module, defined) not in found:
                found.add((module, defined))
                waiting |= _module(module).needs[defined]
    return found


@cache
def _module(name: str) -> _Module:
    """A module of kernels' own code, read."""
    return _read(name, _path(name).read_text("utf-8"))


def _read(name: str, source: str) -> _Module:
    tree = ast.parse(source)
    imported = _imported(tree)
    read = _Module()
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom) or _is_text(statement):
            continue
        needs = set(_referred_to(statement, name, imported))
        _strip(statement)
        for defined in _defined_by(statement):
            read.texts[defined] = read.texts.get(defined, "") + ast.unparse(statement)
            read.needs.setdefault(defined, set()).update(needs)
    return read


def _imported(tree: ast.Module) -> dict[str, Place]:
    """What a module's imports from kernels' own code call which place."""
    found: dict[str, Place] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_KERNELS):
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                is_module = _path(submodule).is_file()
                place = (submodule, _EVERYTHING) if is_module else (f"{node.module}", alias.name)
                found[alias.asname or alias.name] = place
    return found


def _referred_to(statement: ast.stmt, module: str, imported: dict[str, Place]) -> Iterator[Place]:
    """The places that a statement refers to by name, or as `module.name`."""
    owners = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner, name = imported.get(node.value.id, (module, ""))
            if name == _EVERYTHING:
                owners.add(node.value)
                yield owner, node.attr
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and node not in owners:
            yield imported.get(node.id, (module, node.id))


def _defined_by(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement of a module defines; "" where it only does something."""
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case _:
            stored = [n for n in ast.walk(statement) if isinstance(n, ast.Name)]
            yield from {n.id for n in stored if isinstance(n.ctx, ast.Store)} or {""}


def _strip(statement: ast.stmt) -> None:
    """Takes the docstrings out."""
    for node in ast.walk(statement):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_text(body[0]):
            body[0] = ast.Pass()


def _is_text(statement: ast.AST) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _path(module: str) -> Path:
    return _SOURCES / f"{module.replace('.', '/')}.py"
