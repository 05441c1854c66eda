"""The data sheet of one function: what it is, how it looks, how exact and how fast it is here."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from limen import catalog, picture
from limen.function import ActivationFunction
from limen.insight.speed import measure_speed
from limen.insight.terminal import Line, chart
from limen.insight.words import properties

__all__ = ["show", "show_speed"]

_VALUE, _DERIVATIVE = "bold blue", "yellow"
_CHART = (64, 16)


def show(f: ActivationFunction, console: Console) -> None:
    """Prints formula, derivatives, properties and picture of a function."""
    arguments, label = ", ".join(f.inputs), picture.label(f)
    console.print(Text.assemble((f"{label}({arguments})", _VALUE), " = ", f.formula))
    for name in f.inputs:
        prime = f"d{label}/d{name}" if f.is_gated else f"{label}′({arguments})"
        console.print(Text.assemble((prime, _DERIVATIVE), " = ", f.derivative(name).formula))
    record = catalog.find(f.name)
    if record is not None:
        console.print(Text(f"{record.description} ({record.source})", "dim"))
    console.print()
    console.print(_properties(f))
    console.print(_chart(f, plain=not _draws_braille(console)))


def _properties(f: ActivationFunction) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, said in properties(f):
        table.add_row(name, Text(said))
    return table


def _chart(f: ActivationFunction, plain: bool) -> Text:
    width, height = _CHART
    c = picture.curve(f, *picture.window(f), count=4 * width)
    lines = [Line(c.y, _VALUE), Line(c.dy, _DERIVATIVE)]
    return chart(c.x, lines, picture.frame(c), width=width, height=height, plain=plain)


def _draws_braille(console: Console) -> bool:
    try:
        "⣿".encode(console.encoding)
    except UnicodeEncodeError:
        return False
    return True


def show_speed(f: ActivationFunction, console: Console) -> None:
    """Measures the speed of a function and prints it beside that of a plain copy."""
    speed = measure_speed(f)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_column(justify="right")
    for label, time in (("forward", speed.forward), ("backward", speed.backward)):
        table.add_row(label, f"{time:.3f} ns", f"{time / speed.copy:.1f} times a copy")
    table.add_row("copy", f"{speed.copy:.3f} ns", "")
    console.print(Text(f"\nspeed on {speed.elements:,} float32 numbers, for each", "bold"))
    console.print(table)
    console.print(
        Text(
            f"first value and gradient after {speed.first_call:.2f} s: kernels compiled, or "
            "fetched from the cache",
            "dim",
        )
    )
