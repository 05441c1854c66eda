"""Tables of constants that lanes look up, each lane its own row."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from llvmlite import ir

from limen.kernels.primitives.lanes import FLOAT, ROUNDER, Real, Word, select

_POSITION = ir.IntType(32)


class Table(NamedTuple):
    """Rows of constants that lanes look up by a computed row number."""

    name: str
    rows: tuple[tuple[float, ...], ...]

    def look_up(self, row: Word) -> list[Real]:
        """The entries of one row. A gather per entry, once LLVM has vectorised the loop."""
        builder, columns = row.builder, len(self.rows[0])
        start = row * columns
        return [Real(builder, self._load(builder, start + column)) for column in range(columns)]

    def _load(self, builder: ir.IRBuilder, position: Word) -> ir.Value:
        storage = self._storage(builder.module)
        address = builder.gep(storage, [ir.Constant(_POSITION, 0), position.ir], inbounds=True)
        return builder.load(address)

    def _storage(self, module: ir.Module) -> ir.GlobalVariable:
        symbol = f"limen.{self.name}"
        if symbol in module.globals:
            return module.globals[symbol]
        contents = _array_constant(self)
        storage = ir.GlobalVariable(module, contents.type, symbol)
        storage.linkage = "internal"
        storage.global_constant = True
        storage.unnamed_addr = True
        storage.align = 64
        storage.initializer = contents
        return storage


def row_number(x: Real) -> Word:
    """The integer nearest to x < 4096, as the row of a table; 0 for negative x and NaN."""
    return (select(x > 0.0, x, 0.0) + ROUNDER).bits() & 0xFFF


@cache
def _array_constant(table: Table) -> ir.Constant:
    entries: list[Any] = [entry for row in table.rows for entry in row]
    return ir.Constant(ir.ArrayType(FLOAT, len(entries)), entries)
