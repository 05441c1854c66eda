"""Measures the shipped tuned tables again, and writes down which of them serve.

python tools/measure_tables.py        on a quiet machine; the fits and certificates stay as they are
"""

from __future__ import annotations

import sys

from limen.kernels.tuned.store import SHIPPED, Entry, keep
from limen.tuning.make import measured_again, named_by


def main(*names: str) -> None:
    """Goes through the tables, or those of some functions."""
    for path in sorted(SHIPPED.glob("*.json")):
        entry = Entry.from_json(path.read_text("utf-8"))
        f, order = named_by(entry.title)
        if names and f.name not in names:
            continue
        found = measured_again(entry, f, order)
        keep(found, SHIPPED)
        costs = " ".join(
            f"{direction} {speed['tuned']:.2f}/{speed['general']:.2f}"
            f" wide {speed['tuned_wide']:.2f}/{speed['general_wide']:.2f};"
            for direction, speed in found.speed.items()
        )
        print(f"{entry.title:18} {'serves' if found.serves else 'rests':7} {costs}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
