"""A user's own classification data: a table of text (CSV), NumPy files, or a pair of arrays."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.errors import LimenError, ShapeError, UnknownNameError
from limen.kernels.arrays import unmasked

__all__ = ["SUFFIXES", "checked_pair", "read"]

SUFFIXES = (".csv", ".npy", ".npz")

_MISSING = {"", "na", "n/a", "nan", "null", "none", "?"}
_MOST_CLASSES = 200

Numbers = npt.NDArray[np.float64]
Classes = npt.NDArray[np.int64]


def read(path: Path, target: str | None = None) -> tuple[Numbers, Classes]:
    """Reads inputs and classes from a file; nothing in it is ever executed.

    Args:
        path: a `.csv` file, with a header or without; a `.npz` file with arrays `x` and `y`; or a
            `.npy` file of one table.
        target: the column of a `.csv` file that holds the class: its name, or its number from 1.
            The last one if left out, as in a `.npy` file.

    Raises:
        LimenError: for what is not such a file, naming row and column.
        UnknownNameError: where there is no such column.
    """
    try:
        if path.suffix == ".csv":
            return _from_csv(path, target)
        return _from_numpy(path)
    except UnicodeDecodeError as error:
        raise LimenError(f"cannot read {path}: it is no text in UTF-8") from error
    except (OSError, EOFError, csv.Error) as error:
        raise LimenError(f"cannot read {path}: {error}") from error


def checked_pair(inputs: Any, targets: Any, source: str) -> tuple[Numbers, Classes]:
    """Inputs of shape (samples, features) and the class of each sample, counted from 0.

    Classes may be numbers or texts; they are counted in their order.

    Raises:
        ShapeError: where the two do not go together.
        DtypeError: for masked elements.
        LimenError: for numbers that are not finite, or targets that are no classes.
    """
    given, y = unmasked(inputs, f"{source}: x"), unmasked(targets, f"{source}: y")
    try:
        x = given.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise LimenError(f"{source}: the inputs are not all numbers: {error}") from error
    if x.ndim != 2 or y.ndim != 1 or len(x) != len(y) or not x.size:
        raise ShapeError(
            f"{source}: expected inputs (samples, features) and targets (samples,), "
            f"given {x.shape} and {y.shape}"
        )
    if not np.isfinite(x).all():
        row, column = np.argwhere(~np.isfinite(x))[0]
        raise LimenError(f"{source}: sample {row}, feature {column}, is {x[row, column]}")
    return x, _counted(y, source)


def _counted(targets: npt.NDArray[Any], source: str) -> Classes:
    if targets.dtype.kind == "f" and not np.array_equal(targets, np.round(targets)):
        raise LimenError(
            f"{source}: the targets are measurements, such as {targets[targets % 1 != 0][0]}; "
            "limen compares on classes: cut them into ranges first"
        )
    if targets.dtype.kind not in "biufUS":
        raise LimenError(f"{source}: classes are numbers or texts, not {targets.dtype}")
    names, counted = np.unique(targets, return_inverse=True)
    if not 2 <= len(names) <= _MOST_CLASSES:
        count = "1 class" if len(names) == 1 else f"{len(names)} classes"
        raise LimenError(f"{source}: {count}; expected from 2 to {_MOST_CLASSES}")
    sizes = np.bincount(counted)
    if sizes.min() < 4:  # a quarter of them is the test part
        rarest = str(names[sizes.argmin()])
        raise LimenError(
            f"{source}: class {rarest!r} has {sizes.min()} samples; at least 4 are needed to learn "
            "from some and test on others"
        )
    return counted.astype(np.int64)


def _from_numpy(path: Path) -> tuple[Numbers, Classes]:
    try:
        loaded = np.load(path, allow_pickle=False)  # a pickle could run anything
        if path.suffix == ".npz":
            with loaded:
                missing = {"x", "y"} - set(loaded.files)
                if missing:
                    held = ", ".join(loaded.files) or "nothing"
                    raise LimenError(f"{path}: expected arrays x and y, it holds {held}")
                return checked_pair(loaded["x"], loaded["y"], str(path))
    except ValueError as error:
        # NumPy takes what it does not know for a pickle, and says how to open one unsafely.
        reason = "" if "pickle" in str(error) else f": {error}"
        raise LimenError(f"{path} is no plain NumPy file of numbers or texts{reason}") from error
    if loaded.ndim != 2 or loaded.shape[1] < 2:
        raise ShapeError(f"{path}: expected a table whose last column is the class")
    return checked_pair(loaded[:, :-1], loaded[:, -1], str(path))


def _from_csv(path: Path, target: str | None) -> tuple[Numbers, Classes]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [(number, row) for number, row in enumerate(csv.reader(file), 1) if row]
    if len(rows) < 2 or len(rows[0][1]) < 2:
        raise LimenError(f"{path}: expected rows of at least two columns, separated by commas")
    head = rows[0][1]
    # A row of samples has numbers; a header has none, and no name twice.
    has_header = all(_number(cell) is None for cell in head) and len(set(head)) == len(head)
    numbered = [str(k + 1) for k in range(len(head))]
    names = [cell.strip() for cell in head] if has_header else numbered
    at = _column(names, target, path)
    body = rows[1:] if has_header else rows
    inputs = [_features(row, names, at, f"{path}, line {line}") for line, row in body]
    return checked_pair(inputs, _labels([row[at] for _, row in body], body, path), str(path))


def _column(names: Sequence[str], target: str | None, path: Path) -> int:
    if target is None:
        return len(names) - 1
    if target in names:
        return names.index(target)
    if target.isdecimal() and 1 <= int(target) <= len(names):
        return int(target) - 1
    raise UnknownNameError(f"{path} has no column {target!r}; it has: {', '.join(names)}")


def _features(row: Sequence[str], names: Sequence[str], at: int, place: str) -> list[float]:
    if len(row) != len(names):
        raise LimenError(f"{place}: {len(row)} columns, expected {len(names)}")
    numbers = []
    for k, cell in enumerate(row):
        if k == at:
            continue
        number = _number(cell)
        if number is None:
            what = "is missing" if cell.strip().lower() in _MISSING else f"is {cell.strip()!r}"
            raise LimenError(
                f"{place}: column {names[k]!r} {what}; every input must be a number: leave the row "
                "out, or write a number for it"
            )
        numbers.append(number)
    return numbers


def _labels(cells: Sequence[str], body: Sequence[tuple[int, Any]], path: Path) -> Any:
    """Classes: numbers if all are, else texts."""
    for cell, (line, _) in zip(cells, body, strict=True):
        if cell.strip().lower() in _MISSING:
            raise LimenError(f"{path}, line {line}: the class is missing")
    numbers = [_number(cell) for cell in cells]
    if None in numbers:
        return np.array([cell.strip() for cell in cells])
    return np.array(numbers, np.float64)


def _number(cell: str) -> float | None:
    """A finite number; Python's underscores between digits are not meant."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in cell else None
