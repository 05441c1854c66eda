"""A few native functions of limen's own, written as LLVM instructions and compiled at first use.

They are loops over tiles (`sweep.py`), the quick way into a kernel (`quick.py`) and the way to
call any kernel by its address (`entry.py`). Like the primitives (`primitives/lanes.py`), each is a
Python function whose operators append instructions: it compiles in 5 to 20 milliseconds, where the
same loop under `numba.njit` takes half a second.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from llvmlite import binding, ir
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

from limen.kernels.cache import compiling
from limen.kernels.primitives import lanes
from limen.kernels.primitives.lanes import WORD

__all__ = ["WORD", "Assembler", "Word", "assembled", "python_function"]

_PAUSE = "llvm.x86.sse2.pause"
_HAS_PAUSE = platform.machine().lower() in ("x86_64", "amd64")

_BYTE = ir.IntType(8).as_pointer()
_kept: list[Any] = []  # machine code lives as long as its library


class Word(lanes.Word):
    """Sixty-four bits of a loop's own: a count, an index or an address."""

    __slots__ = ()

    def _compare(self, relation: str, other: Word | int) -> ir.Value:
        right = other.ir if isinstance(other, Word) else ir.Constant(WORD, other)
        return self.builder.icmp_signed(relation, self.ir, right)

    def __lshift__(self, other: Word | int) -> Word:
        return self._apply(self.builder.shl, other)

    def __floordiv__(self, other: Word | int) -> Word:
        """Of a number that is not negative."""
        return self._apply(self.builder.udiv, other)

    def __neg__(self) -> Word:
        return Word(self.builder, self.builder.neg(self.ir))

    def __lt__(self, other: Word | int) -> ir.Value:
        return self._compare("<", other)

    def __gt__(self, other: Word | int) -> ir.Value:
        return self._compare(">", other)

    def equals(self, other: Word | int) -> ir.Value:
        """Whether both are the same."""
        return self._compare("==", other)

    def differs(self, other: Word | int) -> ir.Value:
        """Whether they are not the same."""
        return self._compare("!=", other)

    def least(self, other: Word) -> Word:
        """The smaller of two."""
        return Word(self.builder, self.builder.select(self < other, self.ir, other.ir))

    def greatest(self, other: Word) -> Word:
        """The larger of two."""
        return Word(self.builder, self.builder.select(self > other, self.ir, other.ir))

    def size(self) -> Word:
        """The number without its sign."""
        return Word(self.builder, self.builder.select(self < 0, (-self).ir, self.ir))


class Assembler:
    """Appends instructions to a native function: memory by address, loops, calls by address."""

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder

    def word(self, value: int) -> Word:
        """A constant."""
        return Word(self.builder, ir.Constant(WORD, value))

    def load(self, address: Word, index: Word | int = 0) -> Word:
        """The word at address + 8 index."""
        return Word(self.builder, self.builder.load(self.place(address, WORD, index)))

    def load_half(self, address: Word, index: int) -> Word:
        """The half word at address + 4 index."""
        half = self.builder.load(self.place(address, ir.IntType(32), index))
        return Word(self.builder, self.builder.zext(half, WORD))

    def store(self, address: Word, index: Word | int, value: Word) -> None:
        """Stores a word at address + 8 index."""
        self.builder.store(value.ir, self.place(address, WORD, index))

    def place(self, address: Word, kind: ir.Type, index: Word | int = 0) -> ir.Value:
        """A pointer to the element of that index, of an array of that type."""
        pointer = self.builder.inttoptr(address.ir, kind.as_pointer())
        return self.builder.gep(pointer, [index.ir if isinstance(index, Word) else WORD(index)])

    @contextmanager
    def loop(self, start: Word, stop: Word, step: Word | None = None) -> Iterator[Word]:
        """A loop from start up to, not including, stop."""
        by = step or self.word(1)
        with cgutils.for_range_slice(
            self.builder, start.ir, stop.ir, by.ir, intp=WORD, inc=True
        ) as (index, _):
            yield Word(self.builder, index)

    def table(self, length: int) -> Word:
        """The address of so many words of the function's own, of any value."""
        with self.builder.goto_entry_block():
            place = self.builder.alloca(WORD, length)
            return Word(self.builder, self.builder.ptrtoint(place, WORD))

    def variable(self, value: int) -> Word:
        """The address of a word of the function's own."""
        place = self.table(1)
        self.store(place, 0, self.word(value))
        return place

    def either(self, condition: ir.Value) -> AbstractContextManager[Any]:
        """Two blocks: the first for where the condition holds, the second for where it does not."""
        blocks: AbstractContextManager[Any] = self.builder.if_else(condition)
        return blocks

    def when(self, condition: ir.Value) -> AbstractContextManager[Any]:
        """What follows happens where the condition holds."""
        blocks: AbstractContextManager[Any] = self.builder.if_then(condition)
        return blocks

    def copy(self, target: Word, source: Word, count: Word) -> None:
        """Copies bytes."""
        to, of = (self.builder.inttoptr(end.ir, _BYTE) for end in (target, source))
        cgutils.raw_memcpy(self.builder, to, of, count.ir, WORD(1))  # type: ignore[no-untyped-call]

    def call(self, address: Word | int, arguments: Sequence[Word]) -> Word:
        """Calls a function of words that gives a word, or nothing (then the result is not used)."""
        kind = ir.FunctionType(WORD, [WORD] * len(arguments))
        at = address.ir if isinstance(address, Word) else WORD(address)
        function = self.builder.inttoptr(at, kind.as_pointer())
        return Word(self.builder, self.builder.call(function, [word.ir for word in arguments]))

    @contextmanager
    def forever(self) -> Iterator[Callable[[ir.Value], None]]:
        """What follows happens again and again, until the given function is told to leave."""
        body, end = (self.builder.append_basic_block() for _ in range(2))

        def leave_if(condition: ir.Value) -> None:
            following = self.builder.append_basic_block()
            self.builder.cbranch(condition, end, following)
            self.builder.position_at_end(following)

        self.builder.branch(body)
        self.builder.position_at_end(body)
        yield leave_if
        self.builder.branch(body)
        self.builder.position_at_end(end)

    # Words that several threads read and write: one order of all that happens, for all of them.

    def load_shared(self, address: Word) -> Word:
        """The word at an address."""
        place = self.place(address, WORD)
        return Word(self.builder, self.builder.load_atomic(place, "seq_cst", 8))

    def store_shared(self, address: Word, value: Word) -> None:
        """Stores a word."""
        self.builder.store_atomic(value.ir, self.place(address, WORD), "seq_cst", 8)

    def add_shared(self, address: Word, value: Word) -> Word:
        """Adds to a word; gives what it was."""
        place = self.place(address, WORD)
        return Word(self.builder, self.builder.atomic_rmw("add", place, value.ir, "seq_cst"))

    def change(self, address: Word, old: Word | int, new: Word | int) -> ir.Value:
        """Stores a new word in the place of an old one; whether that was there."""
        pair = [w.ir if isinstance(w, Word) else WORD(w) for w in (old, new)]
        place = self.place(address, WORD)
        outcome = self.builder.cmpxchg(place, *pair, "seq_cst", "seq_cst")
        return self.builder.extract_value(outcome, 1)

    def pause(self) -> None:
        """Tells the CPU that a loop only waits: less power, and more for a sibling core."""
        if _HAS_PAUSE:
            kind = ir.FunctionType(ir.VoidType(), [])
            idle = cgutils.get_or_insert_function(self.builder.module, kind, _PAUSE)  # type: ignore[no-untyped-call]
            self.builder.call(idle, [])

    def give(self, value: Word | int) -> None:
        """Ends the function with a value."""
        self.builder.ret(value.ir if isinstance(value, Word) else WORD(value))


def python_function(name: str) -> int:
    """The address of a function of Python's C interface."""
    return ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0


def assembled(name: str, arity: int, write: Callable[..., None]) -> int:
    """The address of a native function of words that gives a word.

    Args:
        name: what to call it, for people who look at machine code.
        arity: how many words it takes.
        write: writes it: a function of an `Assembler` and that many words.
    """
    with compiling, global_compiler_lock:
        context = cpu_target.target_context
        context.codegen()  # which sets up LLVM
        module = context.create_module(name)
        function = ir.Function(module, ir.FunctionType(WORD, [WORD] * arity), name)
        builder = ir.IRBuilder(function.append_basic_block())
        write(Assembler(builder), *[Word(builder, argument) for argument in function.args])
        engine = _translated(str(module))
        _kept.append(engine)
        return int(engine.get_function_address(name))


def _translated(text: str) -> binding.ExecutionEngine:
    """The machine code of LLVM's text, by its two quickest passes.

    What these functions call or copy takes long, and not they themselves. All that LLVM could do
    for them would cost a tenth of a second in every process.
    """
    module = binding.parse_assembly(text)
    module.verify()
    target = binding.Target.from_default_triple()
    features = binding.get_host_cpu_features().flatten()
    machine = target.create_target_machine(
        cpu=binding.get_host_cpu_name(), features=features, opt=2, jit=True
    )
    passes = binding.create_new_function_pass_manager()
    passes.add_sroa_pass()
    passes.add_simplify_cfg_pass()
    tuning = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options())
    for function in module.functions:
        if not function.is_declaration:
            passes.run(function, tuning)
    return binding.create_mcjit_compiler(module, machine)
