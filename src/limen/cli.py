"""The command line: `limen show`, `limen compare`, `limen names`.

Everything heavy is imported inside the command that needs it, so that `limen --help` is quick.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from limen.errors import LimenError

if TYPE_CHECKING:
    from limen import ActivationFunction

__all__ = ["app", "main"]

app = typer.Typer(
    help="Activation functions: one formula in; exact, fast, lean forward and backward passes out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_USER_ERROR = 2
_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def main() -> None:
    """Runs the command line; what `limen` starts."""
    for stream in (sys.stdout, sys.stderr):
        # A pipe or an old terminal that lacks a character gets a question mark, not a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app()


def _kindly(command: Callable[..., None]) -> Callable[..., None]:
    """Prints what limen raises on purpose, without a traceback; leaves quietly on Ctrl-C."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except LimenError as error:
            console = Console(stderr=True)
            console.print("error:", style="bold red", end=" ")
            console.print(str(error), markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(_USER_ERROR) from None
        except KeyboardInterrupt:
            Console(stderr=True).print("interrupted", style="yellow")
            raise typer.Exit(_INTERRUPTED) from None

    return run


# Where results go is checked first: nobody waits for a comparison that cannot be written.


def _file(path: Path | None) -> Path | None:
    if path is not None and not path.parent.is_dir():
        raise typer.BadParameter(f"{path}: there is no folder {path.parent}")
    return path


def _picture(path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() not in (".png", ".svg"):
        raise typer.BadParameter(f"{path}: the name of a picture ends in .png or .svg")
    return _file(path)


@app.command()
@_kindly
def show(
    function: Annotated[str, typer.Argument(help="A formula, or a name of the catalogue.")],
    param: Annotated[
        list[str] | None,
        typer.Option(help="A parameter and its value, such as beta=2; may be repeated."),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(callback=_picture, help="Write a picture too: .png or .svg.")
    ] = None,
    measure: Annotated[bool, typer.Option(help="Measure accuracy and speed.")] = True,
) -> None:
    """Show a function: formula, derivative, properties, accuracy, speed, and a picture."""
    from limen import picture
    from limen.insight import sheet

    f = _function(function, _parameters(param or []))
    console = Console(highlight=False)
    sheet.show(f, console)
    if measure:
        _show_accuracy(f, console)
        sheet.show_speed(f, console)
    if save is not None:
        picture.save(f, save)
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


def _function(text: str, parameters: dict[str, float]) -> ActivationFunction:
    import limen

    word = text.strip()
    # "x" is the shortest formula; any other single word is a name, maybe a misspelt one.
    if word.isidentifier() and word != "x":
        return limen.get(word, **parameters)
    return limen.activation(text, **parameters)


def _parameters(settings: list[str]) -> dict[str, float]:
    parameters = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        try:
            parameters[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals or not name.strip().isidentifier():
            raise typer.BadParameter(f"{setting!r}: write a name and a number, such as beta=2")
    return parameters


def _jobs(count: int) -> int:
    if count == 0:
        raise typer.BadParameter("0 models at once never end: write 1 or more, or -1")
    return count


@app.command()
@_kindly
def compare(
    functions: Annotated[list[str], typer.Argument(help="Names of the catalogue, or formulas.")],
    data: Annotated[str, typer.Option(help="digits, breast_cancer, wine or mnist5000.")] = "digits",
    seeds: Annotated[int, typer.Option(min=1, help="How many times to train each.")] = 5,
    layers: Annotated[str, typer.Option(help="Widths of the hidden layers.")] = "64,64",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the train part.")] = 40,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples to a step.")] = 32,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="Of Adam.")] = 1e-3,
    jobs: Annotated[
        int, typer.Option(callback=_jobs, help="Models at once; -1: one per core.")
    ] = -1,
    save: Annotated[
        Path | None, typer.Option(callback=_picture, help="Write a picture: .png or .svg.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(callback=_file, help="Write every model's figures.")
    ] = None,
) -> None:
    """Train the same model with each function, and compare what it learns."""
    from limen.insight import table
    from limen.insight.trial import Recipe

    recipe = Recipe(_widths(layers), epochs, batch_size, learning_rate)
    console = Console(highlight=False)
    comparison = table.run(functions, data, seeds, recipe, jobs)
    table.show(comparison, console)
    if json is not None:
        comparison.write_json(json)
        console.print(f"figures: {json}", style="dim")
    if save is not None:
        from limen.insight.plot import save as save_picture

        save_picture(comparison, save)
        console.print(f"picture: {save}", style="dim")


def _widths(text: str) -> tuple[int, ...]:
    try:
        widths = tuple(int(width) for width in text.split(","))
    except ValueError:
        widths = ()
    if not widths or min(widths) < 1:
        raise typer.BadParameter(f"--layers {text!r}: write widths such as 64,64")
    return widths


@app.command()
@_kindly
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
