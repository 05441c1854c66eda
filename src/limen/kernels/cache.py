"""Compiles kernel sources with Numba, and keeps the machine code in the user's private cache.

A kernel's file is named by a hash of its plan and of the generator (every source file of the
formula and kernel rooms): Numba's own cache does not notice a changed generator. Numba keeps
machine code as pickle, so the folder must belong to the user alone; where that cannot be, kernels
are compiled afresh in each process and nothing is read.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 - for its fork hook, see below
import hashlib
import importlib.util
import inspect
import json
import logging  # noqa: F401 - for its fork hook, see below
import os
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import cache
from importlib.abc import InspectLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from limen.formula.expression import Expression
from limen.formula.normal import order
from limen.kernels.plan import Plan
from limen.kernels.printer import to_source
from limen.kernels.undisturbed import undisturbed

__all__ = ["Kernel", "compile_around", "compile_kernel", "compiling", "folder", "recall"]

Kernel = Callable[..., None]
compiling = threading.RLock()
# A child forked while another thread compiles would wait for that thread for ever. The hooks run
# last first: those of logging and concurrent.futures must be older than ours, or the fork would
# hold their locks while it waits here, and Numba's imports, which need them, would wait for it.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=compiling.acquire,
        after_in_parent=compiling.release,
        after_in_child=compiling.release,
    )


def compile_kernel(plan: Plan, dtype: str, title: str) -> Kernel:
    """The native kernel of a plan for one dtype: from the cache folder, or compiled now.

    Args:
        plan: what the kernel computes.
        dtype: "float64", "float32", "float16" or "bfloat16" (the last two as uint16 arrays).
        title: the first line of the source, for people who read it.

    Returns:
        A function of contiguous one-dimensional arrays and floats that releases the GIL.
    """
    return _compiled(to_source(plan, dtype, title), plan, dtype, title, _digest(plan, dtype))


def compile_around(general: Kernel, source: str, plan: Plan, dtype: str, title: str) -> Kernel:
    """The native kernel of a source that calls the plan's own kernel by the name `general`.

    Args:
        general: what `compile_kernel` made of the plan, dtype and title.
        source: a module that defines `kernel`, with the general kernel's arguments.
        plan: what both compute.
        dtype: the dtype of both.
        title: the first line of the source.
    """
    digest = _hash(source, _digest(plan, dtype))
    return _compiled(source, plan, dtype, title, digest, general=general)


def _compiled(
    source: str, plan: Plan, dtype: str, title: str, digest: str, **given: object
) -> Kernel:
    def work() -> Kernel:
        with compiling:
            module = _load(source, f"{_slug(title)}_{digest}")
            vars(module).update(given)
            return _jit(module.kernel, plan, dtype, is_interleaved=not given)

    return undisturbed(work)  # Ctrl-C in the middle would leave Numba's own tables torn


_HEAD = """from __future__ import annotations

from math import sqrt

from limen.kernels.primitives.plain import exp, log, log1p


"""


def compile_loop(function: Callable[..., Any], signature: Any, **options: Any) -> Kernel:
    """A loop that was written by hand, compiled and kept as kernels are.

    Args:
        function: it may use nothing but its arguments, builtins and the functions of `_HEAD`.
        signature: Numba's types of what it returns and takes.
        options: Numba's, apart from those every kernel has.
    """
    import numba

    from limen.kernels.pipeline import Inlined

    with compiling:
        source = _HEAD + inspect.getsource(function)
        module = _load(source, f"{function.__name__}_{_hash(source, str(signature))}")
        loop = vars(module)[function.__name__]
        for keep in [True, False] if folder() is not None else [False]:
            try:
                options |= {"nogil": True, "error_model": "numpy", "pipeline_class": Inlined}
                kernel: Kernel = numba.njit([signature], cache=keep, **options)(loop)
                return kernel
            except Exception:
                if not keep:  # with a cache, it may be a damaged file or a full disk
                    raise
        raise AssertionError


def recall(what: str, root: Expression, compute: Callable[[], Sequence[float]]) -> list[float]:
    """Numbers that were worked out for an expression before, else worked out and kept.

    Args:
        what: names the numbers.
        root: the expression they belong to.
        compute: works them out.
    """
    place = folder()
    if place is None:
        return list(compute())
    path = place / f"{what}_{_hash(what, order(root))}.json"
    try:
        return [float.fromhex(number) for number in json.loads(path.read_text("utf-8"))]
    except (OSError, ValueError, TypeError):
        numbers = list(compute())
        _write(path, json.dumps([number.hex() for number in numbers]))
        return numbers


def _jit(function: Callable[..., None], plan: Plan, dtype: str, *, is_interleaved: bool) -> Kernel:
    import numba
    from numba import types

    from limen.kernels.pipeline import Inlined, Interleaved

    elements: dict[str, Any] = {"float64": types.float64, "float32": types.float32}
    element = elements.get(dtype, types.uint16)
    read = types.Array(element, 1, "C", readonly=True)
    written = [types.Array(types.float64 if w else element, 1, "C") for w in plan.wide]
    numbers = [types.float64] * len(plan.parameters)
    signature = types.void(*[read] * len(plan.inputs), *written, *numbers)
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    options["pipeline_class"] = Interleaved if is_interleaved else Inlined
    kernel: Kernel
    if folder() is not None:
        try:
            kernel = numba.njit([signature], cache=True, **options)(function)
            return kernel
        except Exception:
            pass  # a damaged file or a full disk; whatever else is wrong shows again below
    kernel = numba.njit([signature], **options)(function)
    return kernel


def _slug(title: str) -> str:
    return "".join(c if c.isalnum() and c.isascii() else "_" for c in title.split(":")[0])[:60]


def _digest(plan: Plan, dtype: str) -> str:
    outputs = tuple(order(output) for output in plan.outputs)
    return _hash(dtype, plan.inputs, plan.parameters, plan.wide, plan.limits, outputs)


def _hash(*parts: object) -> str:
    return hashlib.blake2b(repr((_generator(), parts)).encode(), digest_size=12).hexdigest()


@cache
def _generator() -> str:
    """A hash of every source file that decides what a kernel does."""
    rooms = Path(__file__).parent, Path(__file__).parents[1] / "formula"
    digest = hashlib.blake2b(digest_size=12)
    for path in sorted(p for room in rooms for p in room.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


# --- The folder ------------------------------------------------------------------------------


@cache
def folder() -> Path | None:
    """The private cache folder, made if need be; None where there can be none.

    It is $LIMEN_CACHE_DIR, else the platform's cache folder for the user.
    """
    path = Path(os.environ.get("LIMEN_CACHE_DIR") or _platform_cache() / "limen")
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path if _is_private(path) and os.access(path, os.W_OK) else None
    except OSError:
        return None


def _platform_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _is_private(path: Path) -> bool:
    if not hasattr(os, "getuid"):
        return True
    status = path.stat()
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


class _Source(InspectLoader):
    """Loads a module from the source we just printed: never from what a file may hold."""

    def __init__(self, source: str, path: str) -> None:
        self._source = source
        self._path = path

    def get_source(self, fullname: str) -> str:
        return self._source

    def get_code(self, fullname: str) -> Any:
        return self.source_to_code(self._source, self._path)


def _load(source: str, name: str) -> ModuleType:
    place = folder()
    path = f"<limen kernel {name}>" if place is None else str(place / f"{name}.py")
    if place is not None:
        _write(Path(path), source)
    loader = _Source(source, path)
    spec = importlib.util.spec_from_loader(f"limen_kernel_{name}", loader, origin=path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__file__ = path
    sys.modules[module.__name__] = module  # Numba finds a cached function's module by its name
    loader.exec_module(module)
    return module


def _write(path: Path, source: str) -> None:
    """Writes the file whole, unless it is there: Numba's cache depends on its time stamp."""
    if path.exists() and path.read_bytes() == source.encode():
        return
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(source)
    os.replace(temporary, path)
