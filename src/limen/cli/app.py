"""The application that commands register with, and its manners."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console

from limen.errors import LimenError

__all__ = ["app", "kindly"]

app = typer.Typer(
    help="Activation functions: one formula in; exact, fast, lean forward and backward passes out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_USER_ERROR = 2
_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def _show_version(asked: bool) -> None:
    if asked:
        from limen import __version__

        print(f"limen {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Takes what is asked of no command."""


def kindly(command: Callable[..., None]) -> Callable[..., None]:
    """Prints what limen raises on purpose, without a traceback; leaves quietly on Ctrl-C."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except LimenError as error:
            _print_error(str(error))
            raise typer.Exit(_USER_ERROR) from None
        except MemoryError as error:
            _print_error(f"this machine has not that much memory: {error}")
            raise typer.Exit(_USER_ERROR) from None
        except KeyboardInterrupt:
            Console(stderr=True).print("interrupted", style="yellow")
            raise typer.Exit(_INTERRUPTED) from None

    return run


def _print_error(text: str) -> None:
    console = Console(stderr=True)
    console.print("error:", style="bold red", end=" ")
    console.print(text, markup=False, highlight=False, soft_wrap=True)
