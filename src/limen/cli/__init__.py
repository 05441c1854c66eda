"""The command line: a module for each command, which registers with the application.

Everything heavy is imported inside the command that needs it, so that `limen --help` is quick.
"""

from __future__ import annotations

import sys

from limen.cli import (  # noqa: F401  (importing a command registers it)
    bench,
    certify,
    compare,
    names,
    playground,
    show,
    tune,
)
from limen.cli.app import app

__all__ = ["app", "main"]


def main() -> None:
    """Runs the command line; what `limen` starts."""
    for stream in (sys.stdout, sys.stderr):
        # A pipe or an old terminal that lacks a character gets a question mark, not a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app()
