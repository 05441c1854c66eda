"""`limen certify`: proof of how exact a function's kernels are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from limen.cli.app import app, kindly
from limen.cli.arguments import FUNCTION, file, function_of, parameters_of, picture
from limen.cli.formulas import TakesFormulas

if TYPE_CHECKING:
    from limen.certify.certificate import Certificate

__all__ = ["certify"]

_FAILED = 1


@app.command(cls=TakesFormulas)
@kindly
def certify(
    function: Annotated[str | None, typer.Argument(help=FUNCTION)] = None,
    derivative: Annotated[
        str, typer.Option(help="Its order; for a gated function, gate or value.")
    ] = "0",
    dtype: Annotated[str, typer.Option(help="float32, float16, bfloat16 or float64.")] = "float32",
    param: Annotated[
        list[str] | None,
        typer.Option(help="A parameter and its value, such as beta=2; may be repeated."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option(callback=file, help="Write the certificate, or the catalogue's.")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--picture", callback=picture, help="Draw error over input: .png or .svg."),
    ] = None,
    catalog: Annotated[
        bool, typer.Option("--catalog", help="Certify the whole catalogue; goes on where it was.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="With --catalog: this dtype; may be repeated.")
    ] = None,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Seed faults into kernels: is each one caught?")
    ] = False,
) -> None:
    """Check a function's kernel on every input, against ball arithmetic of the formula.

    Every input of a 16-bit format and all 2^32 of float32 are checked; of float64 a dense sample.
    Exits with 1 where an error is above what is promised: 1 ULP, twice that in float64, and twice
    as much for second derivatives.
    """
    if only and not catalog:
        raise typer.BadParameter("--only goes with --catalog; for one function write --dtype")
    console = Console(highlight=False)
    if self_test:
        _self_test(console, function or "mish")
    elif catalog:
        if function is not None:
            raise typer.BadParameter(f"--catalog certifies all functions: leave out {function!r}")
        _catalog(console, json, tuple(only or ()))
    elif function is None:
        raise typer.BadParameter("name a function, or write --catalog or --self-test")
    else:
        import limen.certify as room

        f = function_of(function, parameters_of(param or []))
        order = int(derivative) if derivative.isdecimal() else derivative
        with _bar(console, f.name) as progress:
            found = room.check(f, order, dtype, progress=progress)
        _show(found, console)
        if json is not None:
            found.write_json(json)
            console.print(f"certificate: {json}", style="dim")
        if save is not None:
            from limen.certify.profile import save_picture

            save_picture(found, save)
            console.print(f"picture: {save}", style="dim")
        if not found.keeps_promise:
            raise typer.Exit(_FAILED)


@contextmanager
def _bar(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that is told how much is done, and of how much."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _show(found: Certificate, console: Console) -> None:
    """Prints a certificate as lines of names and figures."""
    from limen.certify.certificate import promised

    direction = "value" if found.derivative == 0 else f"derivative {found.derivative}"
    scope = "every input" if found.inputs == found.of else found.method
    rows: list[tuple[str, Any]] = [
        ("formula", found.formula),
        ("checked", f"{direction}, {found.dtype}: {found.inputs:,} inputs ({scope})"),
        ("largest error", f"{found.max_ulp:.6g} ULP at {_number(found.worst_input)}"),
        (
            "correctly rounded",
            f"{found.correctly_rounded:.6%}; {found.not_nearest:,} results are not the nearest",
        ),
    ]
    if found.wrong:
        rows.append(("plainly wrong", f"{found.wrong:,} results"))
    if not found.keeps_promise:
        limit = promised(found.dtype, found.derivative)
        rows.append(("broken", f"the promise of at most {limit:g} ULP"))
    if found.undecided:
        named = ", ".join(map(_number, found.undecided_inputs[:4]))
        rows.append(("undecided", f"{found.undecided:,} inputs" + (named and f", such as {named}")))
    for name, value in found.special_values.items():
        mark = {True: "right", False: "WRONG", None: "undecided"}[value["right"]]
        rows.append((f"at {name}", f"{value['result']} ({mark})"))
    if found.outliers:
        rows.append(("outliers", f"{len(found.outliers)} listed in the certificate"))
    rows.append(("time", f"{found.seconds:.1f} s"))
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        console.print(f"{name:<{width}}  ", style="dim", end="")
        console.print(text, markup=False)


def _number(x: Any) -> str:
    return ", ".join(f"{v:.9g}" for v in x) if isinstance(x, list) else f"{x:.9g}"


def _catalog(console: Console, path: Path | None, dtypes: tuple[str, ...]) -> None:
    from limen.certify import table
    from limen.certify.measure import format_of

    for name in dtypes:
        format_of(name)  # refuses what is none
    path = path or Path("certificates.json")
    with _bar(console, "catalogue") as progress:
        for found in table.certify_catalog(path, dtypes, progress):
            console.print(str(found), markup=False, soft_wrap=True)
    written = table.write_table(path)
    console.print(f"certificates: {path}, table: {written}", style="dim")


def _self_test(console: Console, name: str) -> None:
    from rich.table import Table

    from limen.certify import mutants

    with _bar(console, "self-test") as progress:
        report = mutants.self_test(function_of(name, {}), progress)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("faults in", "seeded", "caught", "harmless", "missed"):
        table.add_column(title, justify="left" if title == "faults in" else "right")
    for kind, row in report.items():
        table.add_row(kind, *map(str, (row.seeded, row.caught, row.harmless, row.missed)))
    console.print(table)
    if any(row.missed for row in report.values()):
        raise typer.Exit(_FAILED)
