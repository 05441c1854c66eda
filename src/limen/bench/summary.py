"""What a run says in a few sentences: how near to a copy, and who was faster."""

from __future__ import annotations

from collections.abc import Sequence

from limen.bench.case import Elementwise, Step
from limen.bench.entrants import BASELINE
from limen.bench.result import Measured, Result
from limen.bench.wording import label, threads, title

__all__ = ["summary"]

_OURS = "limen"
_INTO_GIVEN = ("limen-out", "limen-general")


def summary(result: Result) -> list[str]:
    """Sentences, each a figure that the tables hold; empty where limen took no part."""
    found = []
    sizes = sorted(
        {m.case.elements for m in result.elementwise() if isinstance(m.case, Elementwise)}
    )
    for size in sizes:
        rows = [
            m
            for m in result.elementwise()
            if isinstance(m.case, Elementwise) and m.case.elements == size
        ]
        said = [*_to_copy(rows), *_against_others(rows)]
        if said:
            found.append(f"{size:,} numbers: {'; '.join(said)}.")
    steps = result.steps()
    if said := [*_to_products(steps), *_against_others(steps)]:
        found.append(f"training steps: {'; '.join(said)}.")
    return found


def _to_copy(rows: Sequence[Measured]) -> list[str]:
    """How many copies the functions cost, the middle one and the dearest."""
    said = []
    for name in _INTO_GIVEN:
        ratios = [(r.median, _name(m)) for m in rows if (r := m.ratio(name)) is not None]
        if ratios:
            dearest, what = max(ratios)
            middle = sorted(ratio for ratio, _ in ratios)[len(ratios) // 2]
            said.append(
                f"{title(name)} costs {middle:.2f} copies in the middle and "
                f"{dearest:.2f} at most ({what})"
            )
    return said


def _to_products(rows: Sequence[Measured]) -> list[str]:
    ratios = [(r.median, _name(m)) for m in rows if (r := m.ratio(_OURS)) is not None]
    written = ", ".join(f"{ratio:.2f} ({what})" for ratio, what in ratios)
    return [f"limen takes {written} times the bare products"] if ratios else []


def _against_others(rows: Sequence[Measured]) -> list[str]:
    """In how many rows limen, called as the others are, was faster than the fastest of them."""
    faster, slower = 0, []
    for m in rows:
        others = [n for n in m.taken if not n.startswith(_OURS) and n != BASELINE.name]
        ratios = {n: r.median for n in others if (r := m.ratio(n, to=_OURS)) is not None}
        if not ratios:
            continue
        fastest = min(ratios, key=lambda n: ratios[n])
        if ratios[fastest] > 1:
            faster += 1
        else:
            slower.append(f"{_name(m)} ({title(fastest)}: {ratios[fastest]:.2f} of its time)")
    if not faster and not slower:
        return []
    but = f", not in {', '.join(slower)}" if slower else ""
    return [f"limen is the fastest in {faster} of {faster + len(slower)} rows{but}"]


def _name(m: Measured) -> str:
    return label(m) if isinstance(m.case, Step) else f"{label(m)}, {threads(m.threads)}"
