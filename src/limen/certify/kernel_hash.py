"""Which kernel a certificate is of: a hash of all that decides what the kernel computes."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

from limen.function import ActivationFunction

__all__ = ["source_hash"]

# What is printed as a kernel calls, and what tuned kernels do.
_KERNELS = ("limen.kernels.primitives", "limen.kernels.tuned")


def source_hash(function: ActivationFunction, dtype: str) -> str:
    """A hash of the source of a function's own kernel, and of the primitives it calls.

    Comments and docstrings count for nothing, nor do primitives of another dialect; what these make
    of the CPU does.
    """
    from limen.kernels.primitives.lanes import HAS_FMA
    from limen.kernels.primitives.registers import HAS_PERMUTATION

    source = function.source("forward", dtype)
    digest = hashlib.blake2b(source.encode(), digest_size=12)
    digest.update(repr((HAS_FMA, HAS_PERMUTATION)).encode())
    for path in sorted(_imported(source)):
        digest.update(_instructions(path))
    return digest.hexdigest()


def _imported(source: str) -> set[Path]:
    """The files of kernels' own code that a source imports, and those that these import."""
    found: set[Path] = set()
    waiting = _named_in(source)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting |= _named_in(path.read_text("utf-8"))
    return found


def _named_in(source: str) -> set[Path]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_KERNELS):
            names |= {f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)}
    root = Path(__file__).parents[2]
    paths = {root / f"{name.replace('.', '/')}.py" for name in names}
    return {path for path in paths if path.is_file()}


@cache
def _instructions(path: Path) -> bytes:
    """What a module says to the interpreter."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_text(body[0]):
            body[0] = ast.Pass()
    return ast.unparse(tree).encode()


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
