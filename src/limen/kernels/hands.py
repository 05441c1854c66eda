"""Threads that share the work of one call, natively: no lock of Python's is on the way.

A call puts its work on a board (`board.py`) and begins at once; hands that are awake join it, hands
that sleep are woken if the work will last. Each has a part of the array to itself, in the order
of their numbers, so that what it finds in its cache today is what it left there yesterday; who has
done its part takes what is left of the others'. So a hand that comes late, or not at all, delays
nobody. Hands look at the board for a moment after each work, without the GIL, and then sleep.

What an element becomes does not depend on who computes it, nor does a sum: its terms are added
tile by tile (`sweep.py`), by numbers.
"""

from __future__ import annotations

import _thread
import atexit
import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from time import perf_counter, sleep

from llvmlite import ir

from limen.kernels import board, threads, watch
from limen.kernels.board import BOARD
from limen.kernels.machine import Assembler, Word, assembled, python_function
from limen.kernels.sweep import JOINED, SCRATCH, TILE, WOKEN, sweep_address
from limen.kernels.undisturbed import undisturbed

__all__ = ["allowed", "are_there", "is_as_said", "native_share", "ready", "share_address"]

# A part is taken in so many pieces: the more, the sooner all end; but each costs a call.
_PIECES = 16
_LEAST_PIECE = 8 * TILE

_TRIES = 16  # of so many calls without credit, one wakes hands all the same
_YIELD_AFTER = 1 << 12  # looks at a hand that does not end: it may want this CPU

Share = Callable[[int, int, int, int, int, int, int], int]


def ready() -> int:
    """How many hands a call may have now; they are there afterwards, as far as threads are given.

    From here on the quick way (`quick.py`) allows as many.
    """
    wanted = BOARD.allow()
    if BOARD.words[board.STARTED] < wanted:
        undisturbed(partial(_start, wanted))
    return wanted


def _start(wanted: int) -> None:
    watch.prepare()
    BOARD.words[board.PATIENCE] = watch.looks()
    BOARD.words[board.YIELD] = _of_c("sched_yield")
    if hasattr(os, "sched_getaffinity"):
        BOARD.let_on(os.sched_getaffinity(0))
    serve = _native_serve()
    with _starting, suppress(RuntimeError):  # the system may give no more threads
        while BOARD.words[board.STARTED] < wanted:
            _thread.start_new_thread(serve, (BOARD.add_hand(),))


_starting = _thread.allocate_lock()


@atexit.register
def _close() -> None:
    """Sends all hands to sleep: their machine code goes when Python does."""
    BOARD.close()
    stop = perf_counter() + 0.1
    while perf_counter() < stop and not BOARD.are_asleep():
        sleep(1e-4)


@cache
def share_address() -> int:
    """The address of `share(record, arrays, scratch, how, sums, size, hands)`.

    It sweeps (`sweep.py`) over all `size` elements, with the help of so many hands at most, where
    the kernel's record says that it pays; and returns how many elements the caller did itself.
    """
    return assembled("share", 7, _share)


@cache
def native_share() -> Share:
    """The same, to call from Python; it releases the GIL."""
    return ctypes.CFUNCTYPE(*[ctypes.c_int64] * 8)(share_address())


@cache
def _take_address() -> int:
    return assembled("take", 2, _take)


@cache
def _native_serve() -> Callable[[int], int]:
    return ctypes.CFUNCTYPE(*[ctypes.c_int64] * 2)(assembled("serve", 1, _serve))


@cache
def _of_c(name: str) -> int:
    """The address of a function of the C library; 0 where there is none by that name."""
    with suppress(AttributeError, OSError, TypeError):
        return ctypes.cast(ctypes.CDLL(None)[name], ctypes.c_void_p).value or 0
    return 0


# --- Native code -----------------------------------------------------------------------------


def allowed(code: Assembler) -> Word:
    """How many hands a call may have, as Python said last."""
    return code.load(_word(code, board.ALLOWED))


def are_there(code: Assembler, wanted: Word) -> ir.Value:
    """Whether so many hands have been started."""
    return wanted < code.load(_word(code, board.STARTED)) + 1


def is_as_said(code: Assembler) -> ir.Value:
    """Whether the variable that says how many threads there may be is what it was then.

    To be asked with the GIL held: `os.environ` may be changed by whoever has it.
    """
    get, compare = _of_c("getenv"), _of_c("strcmp")
    if not get or not compare:
        return ir.Constant(ir.IntType(1), 1)
    said = code.variable(0)
    code.store(said, 0, code.call(get, [code.word(ctypes.addressof(_VARIABLE))]))
    with code.when(code.load(said).equals(0)):
        code.store(said, 0, code.word(ctypes.addressof(_NOTHING)))
    known = code.load(_word(code, board.VARIABLE))
    return (code.call(compare, [code.load(said), known]) & _INT).equals(0)


_VARIABLE = ctypes.create_string_buffer(threads.VARIABLE.encode())
_NOTHING = ctypes.create_string_buffer(b"")
_INT = (1 << 32) - 1  # the bits of a C int, which is what `strcmp` gives


def _word(code: Assembler, index: int, at: Word | None = None) -> Word:
    """The address of a word of the board, or of that of a part or a hand."""
    place = code.word(BOARD.address + 8 * index)
    return place if at is None else place + at * 64


def _share(
    code: Assembler,
    record: Word,
    arrays: Word,
    scratch: Word,
    how: Word,
    sums: Word,
    size: Word,
    hands: Word,
) -> None:
    builder, zero = code.builder, code.word(0)
    pays = builder.and_(hands > 0, code.load(record, JOINED) < size + 1)
    with code.when(pays):
        lock = code.load(_word(code, board.TURN))
        is_mine = (code.call(python_function("PyThread_acquire_lock"), [lock, zero]) & 1).differs(0)
        with code.when(is_mine):
            _write(code, (record, arrays, how, sums, size), hands + 1)
            state = _word(code, board.STATE)
            code.store_shared(state, (code.load(state) + board.TICKET) | board.OPEN)
            with code.when(code.load(record, WOKEN) < size + 1):
                _wake(code, hands.least(code.load(_word(code, board.STARTED))))
            done = code.call(_take_address(), [zero, scratch])
            code.add_shared(state, code.word(-board.OPEN))
            _await(code, state)
            with code.when(done * 8 < size * 5 + 1):
                _add_credit(code, 1)
            code.call(python_function("PyThread_release_lock"), [lock])
            code.give(done)
    code.call(sweep_address(), [record, arrays, scratch, how, sums, zero, size])
    code.give(size)


def _write(code: Assembler, work: tuple[Word, ...], parts: Word) -> None:
    """Puts the work on the board: who has which part, and how it is taken in pieces."""
    *_, size = work
    part = ((size + parts * TILE - 1) // (parts * TILE)) * TILE
    piece = ((part + (_PIECES * TILE - 1)) // (_PIECES * TILE)) * TILE
    words = (*work, parts, part, piece.greatest(code.word(_LEAST_PIECE)))
    for index, word in enumerate(words, board.RECORD):
        code.store(_word(code, index), 0, word)
    with code.loop(code.word(0), parts) as k:
        code.store(_word(code, board.NEXT, k), 0, part * k)


def _wake(code: Assembler, hands: Word) -> None:
    """Wakes those that sleep, if lately that was worth it.

    Whoever calls once in a while would pay for a hand that comes when all is done. So it takes
    credit, which is earned by calls that hands took a good part of; a call now and then tries.
    """
    calls, credit = _word(code, board.CALLS), code.load(_word(code, board.CREDIT))
    number = code.load(calls) + 1
    code.store(calls, 0, number)
    tries = (number & (_TRIES - 1)).equals(0)
    woken = code.variable(0)
    with code.when(code.builder.or_(credit > 0, tries)), code.loop(code.word(0), hands) as k:
        asleep = _word(code, board.ASLEEP, k)
        with code.when(code.load_shared(asleep).equals(1)), code.when(code.change(asleep, 1, 0)):
            _send_away(code, k)
            lock = code.load(_word(code, board.LOCK, k))
            code.call(python_function("PyThread_release_lock"), [lock])
            code.store(woken, 0, code.word(1))
    with code.when(code.load(woken).differs(0)):
        _add_credit(code, -1)


def _send_away(code: Assembler, hand: Word) -> None:
    """Lets a hand wake on any CPU but the caller's, where the system can.

    Linux likes to wake a thread where its waker is, and there it would wait for the very call that
    it is to help with: after a pause, 20 calls of 2^18 numbers took 132 microseconds each, so 46.
    """
    get_cpu, set_cpus = _of_c("sched_getcpu"), _of_c("sched_setaffinity")
    thread = code.load(_word(code, board.THREAD, hand))
    if not get_cpu or not set_cpus:
        return
    masks, size = code.table(board.CPU_WORDS), code.word(8 * board.CPU_WORDS)
    code.copy(masks, _word(code, board.CPUS), size)
    cpu = code.call(get_cpu, []) & _INT
    with code.when(code.builder.and_(thread.differs(0), cpu < 64 * board.CPU_WORDS)):
        place = cpu // 64
        its_bit = code.word(1) << (cpu & 63)
        code.store(masks, place, code.load(masks, place) & (its_bit ^ -1))
        code.call(set_cpus, [thread, size, masks])  # refused where no CPU is left


def _add_credit(code: Assembler, amount: int) -> None:
    place = _word(code, board.CREDIT)
    credit = (code.load(place) + amount).least(code.word(board.MOST_CREDIT))
    code.store(place, 0, credit.greatest(code.word(0)))


def _await(code: Assembler, state: Word) -> None:
    """Waits for the hands that are still at a piece."""
    looks = code.variable(0)
    with code.forever() as leave_if:
        leave_if((code.load_shared(state) & board.COUNT).equals(0))
        code.pause()
        code.store(looks, 0, code.load(looks) + 1)
        may_yield = code.load(_word(code, board.YIELD))
        is_long = (code.load(looks) & (_YIELD_AFTER - 1)).equals(0)
        with code.when(code.builder.and_(is_long, may_yield.differs(0))):
            code.call(may_yield, [])


def _take(code: Assembler, own: Word, scratch: Word) -> None:
    """Does pieces of the own part and then of the others', until none is left."""
    builder, zero = code.builder, code.word(0)
    record, arrays, how, sums, size, parts, part, piece = (
        code.load(_word(code, index)) for index in range(board.RECORD, board.PIECE + 1)
    )
    done = code.variable(0)
    with code.loop(zero, parts) as k:
        after = own + k
        which = Word(builder, builder.select(after < parts, after.ir, (after - parts).ir))
        end = (part * (which + 1)).least(size)
        place = _word(code, board.NEXT, which)
        with code.forever() as leave_if:
            leave_if(code.load_shared(place) > end - 1)
            start = code.add_shared(place, piece)
            leave_if(start > end - 1)
            stop = (start + piece).least(end)
            code.call(sweep_address(), [record, arrays, scratch, how, sums, start, stop])
            code.store(done, 0, code.load(done) + (stop - start))
    code.give(code.load(done))


def _serve(code: Assembler, hand: Word) -> None:
    """What a hand does as long as it lives."""
    builder = code.builder
    scratch = code.table(SCRATCH // 8)
    state, asleep = _word(code, board.STATE), _word(code, board.ASLEEP, hand)
    lock = code.load(_word(code, board.LOCK, hand))
    if thread_number := _of_c("gettid"):
        code.store(_word(code, board.THREAD, hand), 0, code.call(thread_number, []) & _INT)
    served, looks = code.variable(0), code.variable(0)

    def is_new(seen: Word) -> ir.Value:
        number = seen & -board.TICKET
        return builder.and_((seen & board.OPEN).differs(0), number.differs(code.load(served)))

    with code.forever():
        code.call(python_function("PyThread_acquire_lock"), [lock, code.word(1)])
        code.store(looks, 0, code.word(0))
        with code.forever() as leave_if:
            seen = code.load_shared(state)
            with code.when(is_new(seen)), code.when(code.change(state, seen, seen + 1)):
                code.store(served, 0, seen & -board.TICKET)
                own = hand + 1
                with code.when(own < code.load(_word(code, board.PARTS))):  # it is allowed
                    code.call(_take_address(), [own, scratch])
                code.add_shared(state, code.word(-1))
                code.store(looks, 0, code.word(0))
            code.pause()
            code.store(looks, 0, code.load(looks) + 1)
            with code.when(code.load(looks) > code.load(_word(code, board.PATIENCE))):
                code.store_shared(asleep, code.word(1))
                # Work may have come between the last look and falling asleep.
                is_late = is_new(code.load_shared(state))
                stays = code.variable(0)
                with code.when(is_late), code.when(code.change(asleep, 1, 0)):
                    code.store(stays, 0, code.word(1))
                code.store(looks, 0, code.load(stays) - 1)
            leave_if(code.load(looks) < 0)
    code.give(0)
