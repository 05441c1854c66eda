"""`limen compare`: the same model, trained with each function."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from limen.cli.app import app, kindly
from limen.cli.arguments import file, finite, picture
from limen.cli.formulas import TakesFormulas

__all__ = ["compare"]


def _jobs(count: int) -> int:
    if count == 0:
        raise typer.BadParameter("0 models at once never end: write 1 or more, or -1")
    return count


@app.command(cls=TakesFormulas)
@kindly
def compare(
    functions: Annotated[list[str], typer.Argument(help="Names of the catalogue, or formulas.")],
    data: Annotated[
        str,
        typer.Option(
            help="A data set (digits, breast_cancer, wine, mnist5000, moons, circles, blobs, xor, "
            "spirals), or a file: .csv, .npy, .npz."
        ),
    ] = "digits",
    target: Annotated[
        str | None, typer.Option(help="The column of a .csv file with the class; the last one.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="How many times to train each; 5, or see --budget.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(min=0.0, help="Seconds: add seeds while they last.")
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(callback=file, help="Keep results in this file; go on from what it holds."),
    ] = None,
    dask: Annotated[
        str | None, typer.Option(help="Train on the Dask cluster of this scheduler's address.")
    ] = None,
    layers: Annotated[str, typer.Option(help="Widths of the hidden layers.")] = "64,64",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the train part.")] = 40,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples to a step.")] = 32,
    learning_rate: Annotated[float, typer.Option(min=0.0, callback=finite, help="Of Adam.")] = 1e-3,
    jobs: Annotated[
        int, typer.Option(callback=_jobs, help="Models at once; -1: one per core.")
    ] = -1,
    save: Annotated[
        Path | None, typer.Option(callback=picture, help="Write a picture: .png or .svg.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(callback=file, help="Write every model's figures.")
    ] = None,
) -> None:
    """Train the same model with each function, and compare what it learns."""
    from limen.insight.comparing import table
    from limen.insight.comparing.trial import Recipe

    recipe = Recipe(_widths(layers), epochs, batch_size, learning_rate)
    console = Console(highlight=False)
    try:
        comparison = table.run(
            functions, seeds, data=data, target=target, recipe=recipe, jobs=jobs, budget=budget,
            journal=journal, dask=dask,
        )  # fmt: skip
    except KeyboardInterrupt:
        kept = f"what is finished is in {journal}" if journal else "nothing was kept"
        asked = "" if journal else " with --journal FILE"
        Console(stderr=True).print(f"{kept}: the same command{asked} goes on", style="dim")
        raise
    table.show(comparison, console)
    if json is not None:
        comparison.write_json(json)
        console.print(f"figures: {json}", style="dim")
    if save is not None:
        from limen.insight.comparing.picture import save as save_picture

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
