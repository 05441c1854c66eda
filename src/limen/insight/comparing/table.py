"""A comparison in the terminal: a progress bar while it runs, a table of what came out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from limen.insight.comparing.compare import SEEDS, Comparison, Row, compare
from limen.insight.comparing.trial import BLOCKED_BELOW, Record

__all__ = ["run", "show"]

_BAR, _WIDE = 24, 96  # marks of an interval, and the terminal that has room for so many


def run(functions: Iterable[str], seeds: int | None = None, **options: Any) -> Comparison:
    """Compares, with a progress bar that moves on with every model trained.

    Args:
        functions: names or formulas.
        seeds: how many seeds; see `compare`.
        **options: the others of `compare`.
    """
    chosen = tuple(functions)
    budget = options.get("budget")
    models = None if seeds is None and budget is not None else (seeds or SEEDS) * len(chosen)
    count = MofNCompleteColumn() if models else TextColumn(f"within {budget:g} s")
    columns = (
        TextColumn("training"),
        BarColumn(),
        count,
        TimeElapsedColumn(),
        TextColumn("{task.description}", style="dim"),
    )
    console = Console(stderr=True)
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=models)

        def advance(record: Record) -> None:
            done = f"{record.function}, seed {record.seed}: {record.test_accuracy:.2%}"
            bar.update(task, advance=1, description=done)

        return compare(chosen, seeds=seeds, advance=advance, **options)


def show(comparison: Comparison, console: Console) -> None:
    """Prints what was done, the table, what it says in words, and how to read it."""
    rows = comparison.rows()
    console.print(Text(_task(comparison), "dim"))
    console.print(_table(rows, console.width))
    if len(rows) > 1:
        console.print(Text(f"{comparison.ranking()}.", "bold"))
    for note in _notes(rows):
        console.print(Text(note, "dim"))


def _task(comparison: Comparison) -> str:
    data, recipe = comparison.data, comparison.recipe
    widths = [data.features, *recipe.widths, data.classes]
    seeds = len({record.seed for record in comparison.records})
    return (
        f"{data.name}: {len(data.train_inputs):,} samples to learn from, "
        f"{len(data.test_inputs):,} to test; Linear layers {' - '.join(map(str, widths))} with the "
        f"function between them; Adam({recipe.learning_rate:g}), "
        f"{recipe.epochs} epoch{'s' * (recipe.epochs > 1)}, "
        f"batches of {recipe.batch_size}; {seeds} seed{'s' * (seeds > 1)}"
        + (f", {comparison.remembered} models from the journal" if comparison.remembered else "")
    )


def _table(rows: list[Row], width: int) -> Table:
    """The table, in a terminal of `width` characters."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    table.add_column("function", overflow="fold")
    table.add_column("test accuracy", justify="right", no_wrap=True)
    table.add_column("95% interval", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("blocked", justify="right", no_wrap=True)
    weights_differ = len({row.weights for row in rows}) > 1
    if weights_differ:
        table.add_column("weights", justify="right", no_wrap=True)
    low = min(_interval(row)[0] for row in rows)
    high = max(_interval(row)[1] for row in rows)
    marks = _BAR if width >= _WIDE else _BAR // 2
    for row in rows:
        margin = "" if math.isnan(row.margin) else f" ± {100 * row.margin:4.2f}"
        table.add_row(
            Text(row.function),
            f"{100 * row.accuracy:5.2f}{margin} %",
            _bar(row, low, high, marks),
            f"{row.seconds:.2f}",
            f"{row.blocked:.1%}",
            *([f"{row.weights:,}"] if weights_differ else []),
        )
    return table


def _interval(row: Row) -> tuple[float, float]:
    """The ends to draw: few seeds give an interval wider than all accuracies there are."""
    margin = 0.0 if math.isnan(row.margin) else row.margin
    return max(0.0, row.accuracy - margin), min(1.0, row.accuracy + margin)


def _bar(row: Row, low: float, high: float, count: int) -> Text:
    """The mean and its interval on the scale that all rows share."""
    scale = (count - 1) / ((high - low) or 1.0)
    first, last = (round((end - low) * scale) for end in _interval(row))
    mean = round((row.accuracy - low) * scale)
    text = Text()
    for place in range(count):
        inside = first <= place <= last
        mark = "●" if place == mean else "━" if inside else "·"
        text.append(mark, "blue" if inside else "dim")
    return text


def _notes(rows: list[Row]) -> list[str]:
    notes = [
        "test accuracy: mean over the seeds and its 95% interval (Student's t). Seeds differ in "
        "first weights and order of samples; the split of the data is the same for all.",
        "Functions are told apart by the differences seed by seed (Student's paired t, Holm's "
        "correction for all pairs, 5%); a tie says that these seeds are too few to see one.",
        "seconds: of training, median, one thread a model. blocked: share of hidden neurons, over "
        f"the test part, where |f′| < {BLOCKED_BELOW:g}.",
    ]
    notes += [
        f"{row.function} bends nothing: its Linear layers in a row are ONE linear function. One "
        f"Linear layer gives the same outputs (largest difference measured: {row.linear_gap:.0e} "
        "of the largest output)."
        for row in rows
        if row.linear_gap is not None
    ]
    notes += [
        f"{row.function}: {row.stopped} of {len(row.accuracies)} seeds stopped early, their loss "
        "no longer finite."
        for row in rows
        if row.stopped
    ]
    return notes
