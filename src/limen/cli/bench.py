"""`limen bench`: limen and others, side by side, against a plain copy."""

from __future__ import annotations

import os
import signal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from limen.cli.app import app, kindly
from limen.cli.arguments import file, finite, function_of, picture
from limen.cli.formulas import TakesFormulas

__all__ = ["bench"]


class Tier(StrEnum):
    """The two kinds of kernels."""

    GENERAL = "general"
    TUNED = "tuned"


_COMMON = ("relu", "logistic", "tanh", "silu", "gelu", "mish", "softplus", "elu")
_SPELLED_OUT = "x * tanh(softplus(x))"  # a function that no framework has under a name
_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


@app.command(cls=TakesFormulas)
@kindly
def bench(
    functions: Annotated[
        list[str] | None,
        typer.Argument(help="Names of the catalogue, or formulas; the most used ones by default."),
    ] = None,
    catalog: Annotated[bool, typer.Option("--catalog", help="All of the catalogue.")] = False,
    elementwise: Annotated[
        bool, typer.Option("--functions/--no-functions", help="Measure functions, or steps alone.")
    ] = True,
    peers: Annotated[
        str | None, typer.Option(help="Who takes part, such as limen,torch; all by default.")
    ] = None,
    tier: Annotated[
        Tier | None, typer.Option(help="Which of limen's kernels; both by default.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller, and less often.")] = False,
    size: Annotated[
        list[int] | None, typer.Option(min=1, help="Elements of an array; may be repeated.")
    ] = None,
    threads: Annotated[
        list[int] | None, typer.Option(min=1, help="How many threads; may be repeated.")
    ] = None,
    training: Annotated[
        bool | None, typer.Option(help="Measure training steps; by default unless --quick.")
    ] = None,
    latency: Annotated[
        bool | None, typer.Option(help="Measure first calls; by default unless --quick.")
    ] = None,
    deviation: Annotated[
        float,
        typer.Option(min=0.0, callback=finite, help="The standard deviation of the inputs."),
    ] = 1.0,
    json: Annotated[Path | None, typer.Option(callback=file, help="Write every figure.")] = None,
    save: Annotated[
        Path | None, typer.Option(callback=picture, help="Write a picture: .png or .svg.")
    ] = None,
) -> None:
    """Measure speed side by side with other frameworks, against a plain copy."""
    import limen
    from limen.bench import plan, table
    from limen.bench.entrants import chosen
    from limen.bench.result import write

    if functions and (catalog or not elementwise):
        option = "--catalog" if catalog else "--no-functions"
        raise typer.BadParameter(f"leave out {option}, or the functions: {', '.join(functions)}")
    entrants = chosen(peers)
    if tier is not None:
        os.environ["LIMEN_TIER"] = tier.value
        entrants = [entrant for entrant in entrants if not entrant.variables]
    asked = functions or (limen.names() if catalog else (*_COMMON, _SPELLED_OUT))
    settings = plan.settings(
        [function_of(function, {}) for function in dict.fromkeys(asked if elementwise else ())],
        quick=quick,
        sizes=size or (),
        threads=threads or (),
        training=not (quick and elementwise) if training is None else training,
        latency=not quick if latency is None else latency,
        deviation=deviation,
    )
    if not settings.cases and settings.latency is None:
        raise typer.BadParameter(
            "nothing is left to measure: leave out --no-functions, or add --training"
        )
    # A run that someone ends with `kill` or `timeout` keeps its figures, as with Ctrl-C.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        result = table.run(settings, entrants)
    finally:
        signal.signal(signal.SIGTERM, before)
    # Files first: a terminal that has gone away must not cost them.
    if json is not None:
        write(result, json)
    console = Console(highlight=False)
    try:
        if save is not None:
            from limen.bench.picture import save as save_picture

            save_picture(result, save)
    finally:
        table.show(result, console)
    for what, path in (("figures", json), ("picture", save)):
        if path is not None:
            console.print(f"{what}: {path}", style="dim")
    if result.stopped:
        raise typer.Exit(_INTERRUPTED)
