"""`limen playground`: a local page to write a formula, train with it, and watch its neurons."""

from __future__ import annotations

import tempfile
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from limen.cli.app import app, kindly

__all__ = ["playground"]


@app.command()
@kindly
def playground(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where; 0: a free port.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in your browser.")] = True,
) -> None:
    """Open a page to write a formula, train with it, and watch every neuron.

    It is served to this machine only, and to whoever has the address: it holds a token.
    """
    from limen.playground import serve

    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="limen-") as folder:  # private: mode 0700

        def ready(address: str) -> None:
            console.print("playground:", style="bold", end=" ")
            console.print(address, markup=False, soft_wrap=True)
            console.print("Ctrl-C ends it", style="dim")
            if browser and not webbrowser.open(_door(Path(folder), address)):
                console.print("No browser opened: copy the address into one.", style="dim")

        serve(port, ready=ready)


def _door(folder: Path, address: str) -> str:
    """A file that leads to the address: what a process is started with, anyone may read."""
    door = folder / "playground.html"
    door.write_text(f'<meta http-equiv="refresh" content="0; url={address}">\n', encoding="utf-8")
    return door.as_uri()
