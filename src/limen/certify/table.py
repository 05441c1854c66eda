"""The certificates of the whole catalogue: a file that grows row by row, and the table of it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import limen.certify as room
from limen.catalog import RECORDS
from limen.certify.certificate import Certificate, plain
from limen.certify.kernel_hash import source_hash
from limen.errors import FileError
from limen.function import ActivationFunction
from limen.registry import get

__all__ = ["certify_catalog", "certify_each", "read", "to_markdown", "up", "write", "write_table"]

Direction = int | str
Row = tuple[str, Direction, str]  # name, derivative, dtype

_ORDERS = (("float32", (0, 1)), ("float16", (0, 1)), ("bfloat16", (0, 1)), ("float64", (0, 1)),
           ("float32", (2,)))  # fmt: skip
_LEFT_OUT = ("profile", "machine")  # of a row: what would make the file large


def rows(dtypes: Iterable[str] = ()) -> list[Row]:
    """What is certified, the float32 values and first derivatives first."""
    wanted = set(dtypes) or {dtype for dtype, _ in _ORDERS}
    return [
        (name, direction, dtype)
        for dtype, orders in _ORDERS
        for name, record in RECORDS.items()
        for direction in _directions(record.inputs, orders)
        if dtype in wanted
    ]


def _directions(inputs: Sequence[str], orders: Sequence[int]) -> tuple[Direction, ...]:
    if len(inputs) == 1:
        return tuple(orders)
    return (0, *inputs) if 0 in orders else ()


def certify_catalog(
    path: Path,
    dtypes: Iterable[str] = (),
    progress: Callable[[int, int], object] | None = None,
) -> Iterator[Certificate]:
    """Certifies the catalogue, and writes the file after each certificate.

    A row of the file whose formula and kernel are still the same is kept, so that work which was
    interrupted goes on.

    Args:
        path: the JSON file.
        dtypes: which formats; all when left out.
        progress: is told how many rows are done, and of how many.

    Returns:
        The new certificates, one after the other.
    """
    wanted = [(get(name), direction, dtype) for name, direction, dtype in rows(dtypes)]
    return certify_each(path, wanted, progress)


def certify_each(
    path: Path,
    wanted: Sequence[tuple[ActivationFunction, Direction, str]],
    progress: Callable[[int, int], object] | None = None,
) -> Iterator[Certificate]:
    """The same for any functions, each with a derivative and a dtype; their names differ."""
    found = {_key(c): c for c in read(path)} if path.exists() else {}
    for done, (function, direction, dtype) in enumerate(wanted):
        if progress is not None:
            progress(done, len(wanted))
        row = function.name, direction, dtype
        if row in found and _is_current(found[row], function):
            continue
        found[row] = room.check(function, direction, dtype)
        write(path, found)
        yield found[row]


def _key(certificate: Certificate) -> Row:
    return certificate.name, certificate.derivative, certificate.dtype


def _is_current(certificate: Certificate, function: ActivationFunction) -> bool:
    derived = function.derivative(certificate.derivative) if certificate.derivative else function
    return (
        certificate.formula == function.formula
        and certificate.parameters == function.parameters
        and certificate.kernel == source_hash(derived, certificate.dtype)
    )


def read(path: Path) -> list[Certificate]:
    """The certificates of a file.

    Raises:
        FileError: for a file that is none of ours.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        machine, items = found["machine"], found["certificates"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path} holds no certificates: {error}") from None
    return [Certificate.from_json(json.dumps({**item, "machine": machine})) for item in items]


def write(path: Path, found: dict[Row, Certificate]) -> None:
    """Writes the file whole, a row to a line; an interruption leaves the former one."""
    machine = next(iter(found.values())).machine
    lines = []
    for certificate in found.values():
        row = {k: v for k, v in asdict(certificate).items() if k not in _LEFT_OUT}
        lines.append(json.dumps(plain(row), ensure_ascii=False))
    text = '{"machine": ' + json.dumps(machine) + ',\n"certificates": [\n'
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text + ",\n".join(lines) + "\n]}\n", encoding="utf-8")
    os.replace(temporary, path)


def write_table(path: Path) -> Path:
    """Writes the table of a file of certificates beside it, in Markdown."""
    written = path.with_suffix(".md")
    written.write_text(to_markdown(read(path)), encoding="utf-8")
    return written


_COLUMNS: tuple[tuple[str, str, Direction], ...] = (
    ("float32", "float32", 0), ("float32 f′", "float32", 1), ("float32 f″", "float32", 2),
    ("float16", "float16", 0), ("float16 f′", "float16", 1),
    ("bfloat16", "bfloat16", 0), ("bfloat16 f′", "bfloat16", 1),
    ("float64", "float64", 0), ("float64 f′", "float64", 1),
)  # fmt: skip


def to_markdown(certificates: Sequence[Certificate]) -> str:
    """The largest error in ULP of each function, direction and dtype, as a table.

    float32 and the 16-bit formats: every input. float64 and functions of two inputs: a sample;
    where it has inputs beyond the promise, their number stands there, and the certificate lists
    them with their errors.
    """
    found = {_key(c): c for c in certificates}
    names = list(dict.fromkeys(c.name for c in certificates))
    lines = [
        "| function | " + " | ".join(title for title, _, _ in _COLUMNS) + " |",
        "| --- |" + " ---: |" * len(_COLUMNS),
    ]
    for name in names:
        cells = []
        for _, dtype, direction in _COLUMNS:
            which = [found.get((name, direction, dtype))]
            if direction == 1 and which == [None]:  # a gated function: the larger of both
                which = [found.get((name, by, dtype)) for by in ("gate", "value")]
            cells.append(_cell([c for c in which if c is not None]))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(certificates: Sequence[Certificate]) -> str:
    if not certificates:
        return ""
    largest = max(c.max_ulp for c in certificates)
    listed = sum(len(c.outliers) for c in certificates)
    if listed:
        error = f"kept, but for {listed}"
    elif math.isinf(largest):
        error = "wrong"
    else:
        error = f"{up(largest):.3f}"
    if any(not c.specials_are_right or c.unbounded for c in certificates):
        error += " !"
    return error


def up(error: float) -> float:
    """Rounded up to three digits after the point: a bound stays one."""
    return math.ceil(error * 1000 - 1e-6) / 1000
