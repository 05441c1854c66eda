"""What commands take: a function with its parameters, and places to write to.

Where results go is checked first: nobody waits for a comparison that cannot be written.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from limen.errors import LimenError

if TYPE_CHECKING:
    from limen import ActivationFunction

__all__ = ["FUNCTION", "file", "finite", "function_of", "parameters_of", "picture"]

FUNCTION = "A formula, or a name of the catalogue."


def function_of(text: str, parameters: dict[str, float]) -> ActivationFunction:
    """The function that a name or a formula stands for."""
    import limen

    word = text.strip()
    # "x" is the shortest formula; any other single word is a name, maybe a misspelt one.
    if word.isidentifier() and word != "x":
        return limen.get(word, **parameters)
    return limen.activation(text, **parameters)


def parameters_of(settings: list[str]) -> dict[str, float]:
    """The values of settings such as beta=2."""
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


def finite(number: float) -> float:
    """A number that is one: neither infinite nor NaN."""
    if not math.isfinite(number):
        raise typer.BadParameter(f"{number} is no finite number")
    return number


def file(path: Path | None) -> Path | None:
    """A file that can be written: asked before the work is done that it is to hold."""
    if path is None:
        return None
    if not path.parent.is_dir():
        raise typer.BadParameter(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise typer.BadParameter(f"{path} is a folder: name a file")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise typer.BadParameter(f"{path}: may not be written")
    return path


def picture(path: Path | None) -> Path | None:
    """A file that a picture can be written to."""
    if path is not None and path.suffix.lower() not in (".png", ".svg"):
        raise typer.BadParameter(f"{path}: the name of a picture ends in .png or .svg")
    if path is not None:
        _check_matplotlib()
    return file(path)


def _check_matplotlib() -> None:
    from limen.picture import library

    try:
        library("matplotlib")
    except LimenError as error:
        raise typer.BadParameter(str(error)) from None
