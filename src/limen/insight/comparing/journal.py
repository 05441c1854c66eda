"""What a comparison has finished, line by line in a file, so that it can go on after an end."""

from __future__ import annotations

import dataclasses
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from limen.errors import LimenError
from limen.function import ActivationFunction
from limen.insight.comparing.data import Data
from limen.insight.comparing.trial import Recipe, Record
from limen.record import describe_function

__all__ = ["Journal"]


class Journal:
    """Records in a file of JSON lines; the first says what they are records of.

    A record is found again by its function's whole text (formula, parameters, kinks, surrogate) and
    its seed. A last line that was cut off is passed over, and taken away by the next record.

    Args:
        path: the file; made if there is none.
        data: the task.
        recipe: how models are built and trained.

    Attributes:
        remembered: how many records were found.

    Raises:
        LimenError: for a file that belongs to something else, and says what differs.
    """

    def __init__(self, path: Path, data: Data, recipe: Recipe) -> None:
        self._path = path
        self.remembered = 0
        self._records: dict[tuple[str, int], Record] = {}
        header = {
            "limen": version("limen"),
            "data": data.name,
            "digest": data.digest,
            "recipe": dataclasses.asdict(recipe) | {"widths": list(recipe.widths)},
        }
        try:
            lines = path.read_text("utf-8").split("\n") if path.exists() else []
            whole = lines[:-1]  # what follows the last line's end was cut off
            if whole:
                self._check(whole[0], header)
            kept = [whole[0] if whole else json.dumps(header), *self._read(whole[1:])]
            path.write_text("".join(f"{line}\n" for line in kept), "utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise LimenError(f"cannot keep a journal in {path}: {error}") from error

    def find(self, function: ActivationFunction, seed: int) -> Record | None:
        """The record of a function and a seed, if there is one."""
        record = self._records.get((_text(function), seed))
        self.remembered += record is not None
        return record

    def add(self, function: ActivationFunction, record: Record) -> None:
        """Writes a record down."""
        entry = {"function": _text(function), "record": dataclasses.asdict(record)}
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise LimenError(f"cannot write {self._path}: {error}") from error
        self._records[_text(function), record.seed] = record

    def _check(self, line: str, header: dict[str, Any]) -> None:
        try:
            found = json.loads(line)
            differing = [name for name, value in header.items() if found[name] != value]
        except (ValueError, KeyError, TypeError):
            raise LimenError(f"{self._path} is no journal of `limen compare`") from None
        if differing:
            name = differing[0]
            raise LimenError(
                f"{self._path} is the journal of another comparison: its {name} is "
                f"{found[name]!r}, here {header[name]!r}; name another file"
            )

    def _read(self, lines: list[str]) -> list[str]:
        """The lines that are records, which are kept."""
        good = []
        for number, line in enumerate(lines, 2):
            try:
                entry = json.loads(line)
                record = Record(**entry["record"])
                self._records[entry["function"], record.seed] = record
            except (ValueError, KeyError, TypeError):
                if number <= len(lines):
                    raise LimenError(f"{self._path}, line {number} is no record") from None
                continue
            good.append(line)
        return good


def _text(function: ActivationFunction) -> str:
    return json.dumps(describe_function(function), sort_keys=True)
