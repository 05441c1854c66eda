"""Reads a compiled kernel back as LLVM instructions, changes one thing, and compiles it again."""

from __future__ import annotations

import ctypes
import itertools
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from limen.certify.sweep import Kernel
from limen.function import ActivationFunction

__all__ = ["Variant", "variants"]

_NUMBER = re.compile(r"double (0x[0-9A-Fa-f]{16}|-?\d\.\d+e[+-]\d+)")
_COMPARISON = re.compile(r"fcmp (?:\w+ )*?(o\w\w|u\w\w|ord|uno) ")
_CHOICE = re.compile(
    r"(select (?:\w+ )*?<?[\w ]*i1>? [%\w.]+, )([^,\n]+(?:\([^\n]*?\))?), ([^,\n]+)$", re.M
)
# A choice between truths, counts or addresses steers the loop: swapped, it could leave the array.
_STEERING = re.compile(r"(?:i\d+|ptr) ")
_OTHER = {
    "olt": "ole", "ole": "olt", "ogt": "oge", "oge": "ogt", "oeq": "one", "one": "oeq",
    "ult": "ule", "ule": "ult", "ugt": "uge", "uge": "ugt", "ueq": "une", "une": "ueq",
    "ord": "uno", "uno": "ord",
}  # fmt: skip
_OPPOSITE = {"olt": "ogt", "ole": "oge", "ogt": "olt", "oge": "ole", "ult": "ugt", "ugt": "ult"}
_counter = itertools.count()


@dataclass(frozen=True, slots=True)
class Variant:
    """A kernel with one fault, compiled when it is made.

    Attributes:
        kernel: the compiled kernel that it is a variant of.
        text: its instructions.
        numbers: the numbers to call it with.
    """

    kernel: Any
    text: str
    numbers: tuple[float, ...]

    def made(self) -> Kernel:
        """The kernel, ready to run."""
        return _callable(self.kernel, _compiled(self.kernel, self.text), self.numbers)


def variants(function: ActivationFunction, dtype: str) -> Iterator[tuple[str, Variant]]:
    """Kinds of faults, each with a variant of a function's general kernel that has one."""
    from limen.binding import Binding

    kernel, numbers = Binding.of(function).general("forward", dtype)
    kernel = _afresh(kernel)
    (found,) = kernel.overloads.values()
    name = found.fndesc.llvm_func_name
    text = found.library.get_llvm_str()
    start = re.search(rf"^define [^\n]*@\"?{re.escape(name)}\"?\(", text, re.M)
    assert start is not None
    body = slice(start.start(), text.index("\n}\n", start.start()))
    for kind, changed in _changes(text[body]):
        yield kind, Variant(kernel, text[: body.start] + changed + text[body.stop :], numbers)
    for place, number in enumerate(numbers):
        for other in {0.0, -number, 2 * number + 1, math.nan} - {number}:
            passed = (*numbers[:place], other, *numbers[place + 1 :])
            yield "numbers", Variant(kernel, text, passed)


def _afresh(kernel: Any) -> Any:
    """The kernel compiled again: machine code from the cache has no instructions to read."""
    import numba

    (found,) = kernel.overloads.values()
    again = numba.njit(
        [found.signature],
        nogil=True,
        error_model="numpy",
        pipeline_class=kernel._compiler.pipeline_class,
    )
    return again(kernel.py_func)


def _changes(body: str) -> Iterator[tuple[str, str]]:
    """The body of a function with one change at a time."""
    for literal in dict.fromkeys(_NUMBER.findall(body)):
        value = _value(literal)
        for other in dict.fromkeys(
            [value * (1 + 2.0**-k) for k in (40, 27, 22, 14)] + [-value, 0.0, 2 * value, value + 1]
        ):
            if other != value and math.isfinite(other):
                yield "constants", body.replace(f"double {literal}", f"double {_literal(other)}")
    for found in _COMPARISON.finditer(body):
        predicate = found.group(1)
        for turned in (_OTHER.get(predicate), _OPPOSITE.get(predicate)):
            if turned:
                yield "comparisons", body[: found.start(1)] + turned + body[found.end(1) :]
    for found in _CHOICE.finditer(body):
        if _STEERING.match(found.group(2)):
            continue
        swapped = f"{found.group(1)}{found.group(3)}, {found.group(2)}"
        yield "choices", body[: found.start()] + swapped + body[found.end() :]


def _value(literal: str) -> float:
    if literal.startswith("0x"):
        found: float = struct.unpack(">d", bytes.fromhex(literal[2:]))[0]
        return found
    return float(literal)


def _literal(value: float) -> str:
    return "0x" + struct.pack(">d", value).hex().upper()


def _compiled(kernel: Any, text: str) -> int:
    """The address of the machine code."""
    import llvmlite.binding as llvm
    from numba.core.compiler_lock import global_compiler_lock
    from numba.core.registry import cpu_target

    (found,) = kernel.overloads.values()
    name = found.fndesc.llvm_func_name
    fresh = f"{name}_{next(_counter)}"
    with global_compiler_lock:
        library = cpu_target.target_context.codegen().create_library(fresh)
        library.add_llvm_module(llvm.parse_assembly(text.replace(name, fresh)))
        library.finalize()
    _kept.append(library)
    return int(library.get_pointer_to_function(fresh))


_kept: list[Any] = []  # machine code lives as long as its library


def _callable(kernel: Any, address: int, numbers: tuple[float, ...]) -> Kernel:
    from limen.kernels.entry import entry_of

    word = ctypes.c_int64
    enter = ctypes.CFUNCTYPE(word, word, word, word, word)(entry_of(kernel))
    table = (ctypes.c_double * max(len(numbers), 1))(*numbers)

    def run(x: npt.NDArray, out: npt.NDArray) -> None:
        arrays = (word * 2)(x.ctypes.data, out.ctypes.data)
        enter(address, ctypes.addressof(arrays), ctypes.addressof(table), len(x))

    return run
