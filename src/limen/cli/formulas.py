"""Commands that take formulas: a formula may begin with a minus, as an option does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from typer.core import TyperCommand

__all__ = ["TakesFormulas"]

_OPTION = re.compile(r"--[A-Za-z][\w-]*(=.*)?", re.DOTALL)


class TakesFormulas(TyperCommand):
    """A command that has long options alone: what begins with one minus is a formula."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts the formulas behind a `--`, after which no option is looked for."""
        params: list[Any] = self.get_params(ctx)
        takes_value = {
            name: not (param.is_flag or param.count)
            for param in params
            if param.param_type_name == "option"
            for name in (*param.opts, *param.secondary_opts)
        }
        options: list[str] = []
        formulas: list[str] = []
        rest = iter(args)
        for word in rest:
            if word == "--":
                formulas.extend(rest)
            elif _is_option(word, takes_value):
                options.append(word)
                if takes_value.get(word):
                    value = next(rest, None)
                    if value is None:
                        return super().parse_args(ctx, options)  # which says what is missing
                    options.append(value)
            else:
                formulas.append(word)
        return super().parse_args(ctx, [*options, *(["--"] if formulas else []), *formulas])


def _is_option(word: str, known: Mapping[str, bool]) -> bool:
    """Whether it is an option, be it a misspelt one, or one that lacks a minus, such as -param."""
    if _OPTION.fullmatch(word):
        return True
    name = word.partition("=")[0]
    return len(name) > 1 and any(option.startswith("-" + name) for option in known)
