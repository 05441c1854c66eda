"""`limen names`: the catalogue."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from limen.cli.app import app, kindly

__all__ = ["names"]


@app.command()
@kindly
def names(
    pattern: Annotated[str | None, typer.Argument(help="Part of a name, such as relu.")] = None,
) -> None:
    """List the catalogue."""
    import limen
    from limen import catalog

    found = limen.names(pattern)
    console = Console(highlight=False)
    if not found:
        console.print(f"nothing in the catalogue has {pattern!r} in its name", markup=False)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("name", "formula", "what it is"):
        table.add_column(title, overflow="fold")
    for name in found:
        f, record = limen.get(name), catalog.find(name)
        table.add_row(f.name, Text(f.formula), Text(record.description if record else ""))
    console.print(table)
