"""The address of a kernel, and one way for native loops to call any kernel by its address.

Numba calls a kernel with every array taken apart and every number an argument of its own. Here a
few instructions, made once for each such signature, collect them from two tables: the addresses of
the arrays' first elements, and the numbers. So the loops over tiles serve every kernel.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.registry import cpu_target
from numba.np.arrayobj import populate_array

from limen.kernels.cache import Kernel
from limen.kernels.machine import WORD, Assembler, Word, assembled

__all__ = ["address_of", "entry_of", "signature_of"]


def signature_of(kernel: Kernel) -> tuple[types.Type, ...]:
    """Numba's types of a kernel's arguments."""
    arguments: tuple[types.Type, ...] = _compiled(kernel).signature.args
    return arguments


def address_of(kernel: Kernel) -> int:
    """Where the machine code of a kernel begins."""
    compiled = _compiled(kernel)
    return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))


def entry_of(kernel: Kernel) -> int:
    """The address of `entry(kernel, arrays, numbers, count)` for kernels of this signature."""
    return _entry(signature_of(kernel))


def _compiled(kernel: Any) -> Any:
    (compiled,) = kernel.overloads.values()  # each kernel is compiled for one signature
    return compiled


@cache
def _entry(signature: tuple[types.Type, ...]) -> int:
    context = cpu_target.target_context

    def write(code: Assembler, kernel: Word, arrays: Word, numbers: Word, count: Word) -> None:
        builder = code.builder
        arguments = []
        seen = {True: 0, False: 0}
        for kind in signature:
            is_array = isinstance(kind, types.Array)
            index = seen[is_array]
            seen[is_array] += 1
            if is_array:
                address = code.load(arrays, index)
                arguments.append(_array(context, code, kind, address, count))
            else:
                number = builder.load(code.place(numbers, ir.DoubleType(), index))
                is_short = kind == types.float32
                arguments.append(builder.fptrunc(number, ir.FloatType()) if is_short else number)
        form = context.call_conv.get_function_type(types.none, signature)
        pointer = builder.inttoptr(kernel.ir, form.as_pointer())
        context.call_conv.call_function(builder, pointer, types.none, signature, arguments)
        code.give(0)

    return assembled("entry", 4, write)


def _array(context: Any, code: Assembler, kind: Any, address: Word, count: Word) -> Any:
    """The array of `count` elements at an address, as Numba passes it."""
    array = context.make_array(kind)(context, code.builder)
    size = WORD(context.get_abi_sizeof(context.get_data_type(kind.dtype)))
    data = code.builder.inttoptr(address.ir, array.data.type)
    populate_array(  # type: ignore[no-untyped-call]
        array, data=data, shape=[count.ir], strides=[size], itemsize=size, meminfo=None, parent=None
    )
    return array._getvalue()
