"""Writes the page "bench" from the figures of a run.

    limen bench --catalog --json bench.json
    python tools/bench_page.py bench.json [more.json ...]

The page is docs/bench.md, its picture docs/pictures/bench.svg. What several runs measured is taken
from the last of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from limen.bench import picture, wording
from limen.bench.case import Elementwise
from limen.bench.entrants import BASELINE, ENTRANTS
from limen.bench.result import Measured, Result, read
from limen.bench.summary import summary

DOCS = Path(__file__).parents[1] / "docs"

_HOW = """\
# How fast it is

What `limen bench` found on one machine. On yours: `limen bench` (some minutes; `--quick` for a
first look, `--catalog` for every function, `--json bench.json` to keep the figures). This page:
`python tools/bench_page.py bench.json`.

**How it is measured.** Every entrant works in a process of its own, so that no two pools of threads
meet, and the processes take turns, in another order each round, so that whatever the machine does
meets all of them alike. A framework's threads are given time to fall asleep before the next turn.
Each entrant gets the same normally distributed numbers, and its first 64 results are compared with
the formula: who computes something else is not timed. All figures are **ratios to a plain copy
that moves the same bytes**, measured in the same round; the median over the rounds, and half the
distance of the quartiles. A copy is as fast as the memory allows: no function can be faster in
memory than a copy that stores as it does. A name with ′ is the backward pass: from the gradient by
the output, and the input, to the gradient by the input. The first column is the copy itself, in
nanoseconds for each number; for training steps it is their bare matrix products.

**How each is called.**
"""


def page(result: Result) -> str:
    """The page's text."""
    return "\n".join(_lines(result)) + "\n"


def _lines(result: Result) -> Iterator[str]:
    yield _HOW
    for name in result.entrants():
        yield f"- {ENTRANTS[name].title}: {ENTRANTS[name].how}."
    yield f"\n**The machine.** {wording.machine(result)}\n"
    yield from (f"- {sentence}" for sentence in summary(result))
    yield "\n![Each entrant's ratio to a plain copy, for every function](pictures/bench.svg)"
    for title, rows in wording.sections(result):
        yield f"\n## {title[0].upper()}{title[1:]}\n"
        yield from _table(result, rows)
    if result.latency:
        yield "\n## From nothing to the first result\n"
        yield from _latency(result)
    for name, why in result.left_out.items():
        yield f"\nLeft out: {wording.title(name)}: {why}."


def _table(result: Result, rows: Sequence[Measured]) -> Iterator[str]:
    names = [n for n in result.entrants() if n != BASELINE.name and any(n in m.taken for m in rows)]
    unit = "copy, ns" if isinstance(rows[0].case, Elementwise) else "products, µs"
    yield "| | " + " | ".join([unit, *(ENTRANTS[n].title for n in names)]) + " |"
    yield "| --- " + "| ---: " * (len(names) + 1) + "|"
    for m in rows:
        cells = [wording.base(m)]
        for name in names:
            ratio = m.ratio(name)
            cells.append(
                "–" if ratio is None else f"{wording.figure(ratio)} {wording.spread(ratio)}"
            )
        yield f"| {wording.label(m)} | " + " | ".join(cells) + " |"


def _latency(result: Result) -> Iterator[str]:
    yield "| seconds | imported after | first call, cold | first call, warm |"
    yield "| --- | ---: | ---: | ---: |"
    for title, *seconds in wording.latencies(result):
        yield f"| {title} | " + " | ".join(seconds) + " |"


def merged(first: Result, *later: Result) -> Result:
    """The figures of several runs, each case's from the last that measured it."""
    for more in later:
        again = [(m.case, m.threads) for m in more.measured]
        kept = [m for m in first.measured if (m.case, m.threads) not in again]
        latency = more.latency or first.latency
        first = replace(first, measured=[*kept, *more.measured], latency=latency)
    return first


def main(*figures: str) -> None:
    """Writes the page and its picture."""
    result = merged(*map(read, figures))
    (DOCS / "bench.md").write_text(page(result), encoding="utf-8")
    picture.save(result, DOCS / "pictures" / "bench.svg")
    print(f"written: {DOCS / 'bench.md'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
