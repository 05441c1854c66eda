"""`limen tune`: a fitted table for a function of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from limen.cli.app import app, kindly
from limen.cli.arguments import FUNCTION, function_of, parameters_of
from limen.cli.formulas import TakesFormulas
from limen.errors import LimenError

if TYPE_CHECKING:
    from limen.kernels.tuned.store import Entry

__all__ = ["tune"]

_NONE_FOUND = 1


def _folder(path: Path | None) -> Path | None:
    if path is not None and not path.is_dir():
        raise typer.BadParameter(f"{path}: there is no such folder")
    return path


@app.command(cls=TakesFormulas)
@kindly
def tune(
    function: Annotated[str, typer.Argument(help=FUNCTION)],
    derivative: Annotated[
        int | None, typer.Option(min=0, max=1, help="0: only the value, 1: only the derivative.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(help="A parameter and its value, such as beta=2; may be repeated."),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(callback=_folder, help="Keep tables here, not in your private folder."),
    ] = None,
) -> None:
    """Fit kernels for float32 that cost hardly more than a copy (AVX-512), and certify them.

    Minutes for the value, and as many for the derivative. What is found is used from then on.
    """
    import limen.tuning as room

    f = function_of(function, parameters_of(param or []))
    console = Console(highlight=False)
    found, refused = [], []
    for order in (0, 1) if derivative is None else (derivative,):
        try:
            with _bar(console, f.name + "'" * order) as progress:
                found.append(room.tune(f, order, place=into, progress=progress))
        except LimenError as error:
            refused.append(str(error))
    for reason in dict.fromkeys(refused):  # mostly the same for value and derivative
        console.print(reason, markup=False, style="yellow")
    if not found:
        raise typer.Exit(_NONE_FOUND)
    console.print(_summary(found))


@contextmanager
def _bar(console: Console, what: str) -> Iterator[Callable[[str, float], None]]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda doing, share: bar.update(task, description=f"{what}: {doing}", completed=share)


_FIGURES = {
    "tuned\nns": "tuned",
    "general\nns": "general",
    "tuned,\nwide, ns": "tuned_wide",
    "general,\nwide, ns": "general_wide",
    "copy\nns": "copy",
}
"""What the columns show of a speed; narrow enough for 80 characters."""


def _summary(entries: list[Entry]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("table", style="dim", overflow="fold")
    for title in ("error\nULP", *_FIGURES):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("used")
    for entry in entries:
        for direction, speed in entry.speed.items():
            assert entry.certificate is not None
            table.add_row(
                f"{entry.title}, {direction}",
                f"{entry.certificate['max_ulp']:.3f}",
                *(f"{speed[name]:.2f}" for name in _FIGURES.values()),
                "yes" if direction in entry.serves else "no: not faster",
            )
    return table
