"""Builtin functions of CPython made of native code, and NumPy's arrays as these see them.

For a small array, Python's own steps (asking for a shape, a dtype, a flag) take several times as
long as the arithmetic. Here they are a few native instructions, which read NumPy's array structure
in place. Such a function takes nothing but the plainest case, and returns None for the rest.

The structure (`PyArrayObject_fields` in numpy/ndarraytypes.h) and the calling convention
(METH_FASTCALL) are binary interfaces that every compiled extension relies on; the structure is
checked against real arrays before anyone relies on it here.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir

from limen.kernels.machine import Assembler, Word, assembled, python_function

__all__ = [
    "ALIGNED",
    "CONTIGUOUS",
    "DATA",
    "DTYPE",
    "HALF_AXES",
    "HALF_FLAGS",
    "NONE",
    "SHAPE",
    "STRIDES",
    "WRITEABLE",
    "builtin",
    "is_open",
    "require_array",
    "requiring",
    "succeed",
]

# Words of a Python object, and of NumPy's array after it; two of its fields are half a word long.
TYPE, DATA, SHAPE, STRIDES, DTYPE = 1, 2, 4, 5, 7
HALF_AXES, HALF_FLAGS = 6, 16
CONTIGUOUS, ALIGNED, WRITEABLE = 0x1, 0x100, 0x400

_METH_FASTCALL = 0x80
_TRUE, NONE = id(True), id(None)

Write = Callable[[Assembler, Word, Word, Word], None]


class _Table(np.ndarray[Any, Any]):
    """Words for a function to read, that keep alive what they lead to."""

    kept: tuple[Any, ...]


def builtin(write: Write, words: Iterable[int], kept: tuple[Any, ...]) -> Callable[..., Any]:
    """A builtin function.

    Args:
        write: writes it, as a function of the table's array object, of the address of the objects
            it is called with, and of how many these are.
        words: the table, to be found in the data of the array.
        kept: what the words lead to; it lives as long as the function.
    """
    table = np.array(list(words), np.int64).view(_Table)
    table.kept = kept
    function: Callable[..., Any] = _new_builtin()(ctypes.addressof(_definition(write)), table, None)
    return function


@cache
def _new_builtin() -> Callable[..., Any]:
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    return new


class _MethodDefinition(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


@cache
def _definition(write: Write) -> _MethodDefinition:
    name = write.__name__.strip("_")
    return _MethodDefinition(name.encode(), assembled(name, 3, write), _METH_FASTCALL, None)


# --- Whether arrays are laid out as we think -------------------------------------------------


@cache
def is_open() -> bool:
    """Whether this way is open: not in other Pythons, nor where arrays have another layout."""
    has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    if sys.implementation.name != "cpython" or not has_gil or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    grid = np.ones((2, 3, 4), np.float32)
    frozen = np.ones(5)
    frozen.flags.writeable = False
    arrays: list[Any] = [grid, grid[1:, ::2], grid.T, frozen, np.ones((), np.int8)]
    return all(map(_is_as_expected, arrays))


def _is_as_expected(array: Any) -> bool:
    words = (ctypes.c_int64 * 9).from_address(id(array))
    halves = (ctypes.c_int32 * 18).from_address(id(array))
    header = (words[TYPE], words[DATA], words[DTYPE], halves[HALF_AXES], halves[HALF_FLAGS])
    meant = (id(type(array)), array.ctypes.data, id(array.dtype), array.ndim, array.flags.num)
    if header != meant:
        return False
    shape, strides = (
        (ctypes.c_int64 * array.ndim).from_address(words[index]) if array.ndim else ()
        for index in (SHAPE, STRIDES)
    )
    return bool(array.shape == tuple(shape) and array.strides == tuple(strides))


# --- What such functions are written with ----------------------------------------------------


def requiring(code: Assembler) -> Callable[[ir.Value], None]:
    """A function that goes on where a condition holds: elsewhere this way is not open."""
    builder = code.builder
    refusal = builder.append_basic_block("refuse")
    with builder.goto_block(refusal):
        _return(code, NONE)

    def require(condition: ir.Value) -> None:
        following = builder.append_basic_block()
        builder.cbranch(condition, following, refusal)
        builder.position_at_end(following)

    return require


def require_array(code: Assembler, require: Callable[[ir.Value], None], object_: Word) -> None:
    """Goes on where an object is an array of NumPy's own kind."""
    require(code.load(object_, TYPE).equals(id(np.ndarray)))


def succeed(code: Assembler) -> None:
    """Ends the function with True."""
    _return(code, _TRUE)


def _return(code: Assembler, singleton: int) -> None:
    code.call(python_function("Py_IncRef"), [code.word(singleton)])
    code.give(singleton)
