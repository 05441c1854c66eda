"""`limen show`: everything that is known of one function."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from limen.cli.app import app, kindly
from limen.cli.arguments import FUNCTION, function_of, parameters_of, picture
from limen.cli.formulas import TakesFormulas
from limen.errors import LimenError

if TYPE_CHECKING:
    from limen import ActivationFunction

__all__ = ["show"]


@app.command(cls=TakesFormulas)
@kindly
def show(
    function: Annotated[str, typer.Argument(help=FUNCTION)],
    param: Annotated[
        list[str] | None,
        typer.Option(help="A parameter and its value, such as beta=2; may be repeated."),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(callback=picture, help="Write a picture too: .png or .svg.")
    ] = None,
    measure: Annotated[bool, typer.Option(help="Measure accuracy and speed.")] = True,
) -> None:
    """Show a function: formula, derivative, properties, accuracy, speed, and a picture."""
    from limen import picture as pictures
    from limen.insight import sheet

    f = function_of(function, parameters_of(param or []))
    console = Console(highlight=False)
    sheet.show(f, console)
    if measure:
        _show_accuracy(f, console)
        sheet.show_speed(f, console)
    if save is not None:
        pictures.save(f, save)
        console.print(f"picture: {save}", style="dim")


def _show_accuracy(f: ActivationFunction, console: Console) -> None:
    """Measures accuracy against ball arithmetic, or says what that needs."""
    try:
        from limen.certify.accuracy import measure_accuracy
    except LimenError as error:
        console.print(f"accuracy: {error}", markup=False, style="yellow")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("float32", style="dim", no_wrap=True)
    for title in ("largest error", "within ½ ULP", "inputs"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("largest at", no_wrap=True)
    with console.status("measuring against ball arithmetic"):
        for found in measure_accuracy(f):
            table.add_row(
                "value" if found.by is None else f"d/d{found.by}",
                f"{found.largest:.3f} ULP",
                f"{found.within_half:.1%}",
                f"{found.checked:,}",
                ", ".join(f"{x:.9g}" for x in found.at),
            )
    console.print()
    console.print(table)
