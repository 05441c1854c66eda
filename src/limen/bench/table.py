"""A run in the terminal: a progress bar while it measures, tables of what came out."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from limen.bench import wording
from limen.bench.case import Elementwise, Step
from limen.bench.entrants import BASELINE, ENTRANTS, Entrant
from limen.bench.measure import Settings, bench
from limen.bench.result import Measured, Ratio, Result
from limen.bench.summary import summary

__all__ = ["run", "show"]

_LONG = 26  # characters of a name in a row
_WIDE = 96  # characters of a terminal that has room for the spread


def run(settings: Settings, entrants: Sequence[Entrant]) -> Result:
    """Measures, with a progress bar that says who is at work."""
    columns = (
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", style="dim", markup=False),
    )
    console = Console(stderr=True)
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("starting", total=settings.turns(entrants))

        def advance(what: str, turns: int) -> None:
            bar.update(task, advance=turns, description=what)

        return bench(settings, entrants, advance)


def show(result: Result, console: Console) -> None:
    """Prints the machine, one table for each size and number of threads, and how to read them."""
    console.print(Text(wording.machine(result), "dim"))
    for title, rows in wording.sections(result):
        console.print(Text(f"\n{title}", "bold"))
        console.print(_table(result, rows, has_room=console.width >= _WIDE))
    if result.latency:
        console.print()
        console.print(_latency(result))
    console.print()
    for sentence in summary(result):
        console.print(Text(sentence))
    for note in notes(result):
        console.print(Text(note, "dim"))


def _table(result: Result, rows: Sequence[Measured], has_room: bool) -> Table:
    """A row for each case; the baseline in its unit, the others as multiples of it."""
    taking_part = {name for m in rows for name in m.taken} - {BASELINE.name}
    others = [name for name in result.entrants() if name in taking_part]
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("", overflow="ellipsis")
    steps = bool(rows) and isinstance(rows[0].case, Step)
    table.add_column("products\nµs" if steps else "copy\nns", justify="right", no_wrap=True)
    for name in others:
        table.add_column(
            wording.title(name).replace(" ", "\n").replace("torch.", "torch\n"),
            justify="right",
            no_wrap=True,
        )
    for m in rows:
        ratios = {name: m.ratio(name) for name in others}
        best = min((r.median for r in ratios.values() if r is not None), default=None)
        table.add_row(
            _row(m), wording.base(m), *(_cell(ratios[name], best, has_room) for name in others)
        )
    return table


def _row(m: Measured) -> Text:
    said = wording.label(m)
    return Text(said if len(said) <= _LONG else said[: _LONG - 3] + "…" + said[-2:])


def _cell(ratio: Ratio | None, best: float | None, with_spread: bool) -> Text:
    if ratio is None:
        return Text("–", "dim")
    style = "bold green" if ratio.median == best else ""
    spread = f" {wording.spread(ratio)}" if with_spread else ""
    return Text.assemble((wording.figure(ratio), style), (spread, "dim"))


def _latency(result: Result) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("to the first result, s")
    for heading in ("imported after", "first call, cold", "first call, warm"):
        table.add_column(heading, justify="right")
    for row in wording.latencies(result):
        table.add_row(*row)
    return table


def notes(result: Result) -> list[str]:
    """What a reader has to know before believing a figure, and who could not take part."""
    said = [
        "name ′: the backward pass. copy: nanoseconds for each element of a plain copy that moves "
        "the same bytes as the function (products: of a step's bare matrix products). All others: "
        "how many times that, median over the rounds, ± half the distance of the quartiles.",
        *(f"{wording.title(n)}: {ENTRANTS[n].how}." for n in result.entrants() if n in ENTRANTS),
    ]
    said += [f"left out: {wording.title(name)}: {why}" for name, why in result.left_out.items()]
    refused = {f"{m.case.name if isinstance(m.case, Elementwise) else 'step'}: {why}": None
               for m in result.measured for why in m.refused.values()}  # fmt: skip
    said += [f"not measured: {why}" for why in refused]
    if result.stopped:
        said.append("stopped by Ctrl-C: what had been measured by then.")
    return said
