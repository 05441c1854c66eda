"""Where tuned tables are kept: those of the catalogue beside this file, a user's own in the cache.

A file holds one function's table with what is known of it: its certificate, and the figures of its
trials. A table is used only where its file says so, and only if it is the table that was certified.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from limen.formula.expression import Expression
from limen.formula.show import to_text
from limen.kernels.cache import folder
from limen.kernels.tuned.powers import Tuned, table_from_data

__all__ = ["SHIPPED", "Entry", "find", "formula_of", "keep", "private_folder"]

SHIPPED = Path(__file__).parent / "tables"
"""The folder of the catalogue's tables."""

_DIGITS = 16  # of the hash in a file's name


@dataclass(frozen=True, slots=True)
class Entry:
    """A table with what is known of it.

    Attributes:
        formula: the function's formula with its parameters' values, as `formula_of` has it.
        title: what people call the function.
        table: the table.
        serves: "forward" and "backward": the directions in which it is used.
        trial: what comparing it with the general tier on every float32 has found.
        speed: nanoseconds to an element of both tiers and a copy, for each direction.
        certificate: the key figures of its certificate; None if it has none.
    """

    formula: str
    title: str
    table: Tuned
    serves: tuple[str, ...]
    trial: Mapping[str, Any]
    speed: Mapping[str, Any]
    certificate: Mapping[str, Any] | None

    @property
    def is_certified(self) -> bool:
        """Whether every float32 was shown to be off by less than 1 ULP."""
        c = self.certificate
        return c is not None and bool(c["holds"]) and c["inputs"] == c["of"] and c["max_ulp"] <= 1.0

    def to_json(self) -> str:
        """The file's text."""
        data = {
            "formula": self.formula,
            "title": self.title,
            "digest": self.table.digest,
            "serves": list(self.serves),
            "certificate": None if self.certificate is None else dict(self.certificate),
            "trial": dict(self.trial),
            "speed": dict(self.speed),
            "table": self.table.to_data(),
        }
        return json.dumps(data, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Entry:
        """The entry of a file.

        Raises:
            ValueError, KeyError, TypeError: for a text that is none, or whose table is another
                than the one that was tried and certified.
        """
        data = json.loads(text)
        table = table_from_data(data["table"])
        if table.digest != data["digest"]:
            raise ValueError("the table is not the one that was certified")
        kept = {name: data[name] for name in ("formula", "title", "trial", "speed", "certificate")}
        return cls(table=table, serves=tuple(data["serves"]), **kept)


def formula_of(expression: Expression, parameters: Mapping[str, float]) -> str:
    """The text by which a function's table is found.

    A learnable parameter has a new value each step, so this is quick: the formula is printed once.
    """
    values = ", ".join(f"{name} = {value!r}" for name, value in parameters.items())
    return f"{_text(expression)} with {values}" if values else _text(expression)


@lru_cache(maxsize=1024)
def _text(expression: Expression) -> str:
    return to_text(expression)


def find(formula: str) -> Entry | None:
    """The entry of a formula: the user's own first, then the catalogue's.

    A file that is damaged is passed over.
    """
    name = _digest(formula)
    for place in (private_folder(), SHIPPED):
        path = None if place is None else _files(place).get(name)
        if path is None:
            continue
        try:
            entry = Entry.from_json(path.read_text("utf-8"))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if entry.formula == formula:
            return entry
    return None


def keep(entry: Entry, place: Path) -> Path:
    """Writes an entry to a folder, over what was there for its formula."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = _digest(entry.formula)
    for old in place.glob(f"*_{name}.json"):
        old.unlink()
    path = place / f"{_slug(entry.title)}_{name}.json"
    handle, temporary = tempfile.mkstemp(dir=place, suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(entry.to_json())
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)
    _files.cache_clear()
    return path


def private_folder() -> Path | None:
    """The folder of the user's own tables, beside the kernels; None where there can be none."""
    place = folder()
    return None if place is None else place / "tuned"


@cache
def _files(place: Path) -> dict[str, Path]:
    """The files of a folder by the hash of their formula; looked up once in a process."""
    return {path.stem[-_DIGITS:]: path for path in sorted(place.glob("*.json"))}


def _digest(formula: str) -> str:
    return hashlib.blake2b(formula.encode(), digest_size=_DIGITS // 2).hexdigest()


def _slug(title: str) -> str:
    spelled = title.replace("'", "_prime")
    return "".join(c if c.isalnum() and c.isascii() else "_" for c in spelled)[:40]
