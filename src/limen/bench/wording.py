"""A run in words and figures: what the terminal and the page in the docs both say."""

from __future__ import annotations

from collections.abc import Iterator

from limen.bench.case import Elementwise, Step
from limen.bench.entrants import BASELINE, ENTRANTS
from limen.bench.result import Measured, Ratio, Result

__all__ = [
    "base",
    "figure",
    "label",
    "latencies",
    "machine",
    "sections",
    "spread",
    "threads",
    "title",
]

_STEPS = "training steps (mish, squared error, SGD; batch × width)"


def title(name: str) -> str:
    """What an entrant is called."""
    return ENTRANTS[name].title if name in ENTRANTS else name


def threads(count: int) -> str:
    """A number of threads."""
    return f"{count} thread{'s' * (count > 1)}"


def label(m: Measured) -> str:
    """What a row of a table is about; what the table itself says is left out."""
    if isinstance(m.case, Step):
        return f"{m.case.batch} × {m.case.width}, {threads(m.threads)}"
    return m.case.name + " ′" * (m.case.direction == "backward")


def base(m: Measured) -> str:
    """What the baseline took, in the unit of the table."""
    if BASELINE.name not in m.taken:
        return "–"
    unit = m.unit(BASELINE.name)
    return f"{unit:,.0f}" if unit >= 100 else f"{unit:.3g}"


def figure(ratio: Ratio) -> str:
    """A ratio with three digits."""
    return f"{ratio.median:.2f}" if ratio.median < 9.995 else f"{ratio.median:.1f}"


def spread(ratio: Ratio) -> str:
    """Half the distance of a ratio's quartiles, relative to it."""
    return f"±{50 * (ratio.high - ratio.low) / ratio.median:.0f}%"


def machine(result: Result) -> str:
    """The machine and who took part, in one line."""
    m = result.machine
    memory = f", {m['memory_gib']:g} GiB" if m["memory_gib"] else ""
    versions = dict.fromkeys(
        f"{ENTRANTS[name].package if name in ENTRANTS else name} {version}"
        for name, version in result.versions.items()
        if not name.startswith("limen")
    )
    return (
        f"{m['processor']}, {m['cores']} cores, {m['vectors']}{memory}; {m['system']}; "
        f"Python {m['python']}, limen {m['limen']}, {', '.join(versions)}; {m['measured']}"
    )


def sections(result: Result) -> list[tuple[str, list[Measured]]]:
    """What belongs into one table, and its title: a size with a number of threads, or the steps."""
    found: dict[tuple[int, int], list[Measured]] = {}
    for m in result.elementwise():
        assert isinstance(m.case, Elementwise)
        found.setdefault((m.threads, m.case.elements), []).append(m)
    titled = [
        (f"{elements:,} float32 numbers, {threads(count)}", found[count, elements])
        for count, elements in sorted(found)
    ]
    steps = result.steps()
    return [*titled, (_STEPS, steps)] if steps else titled


def latencies(result: Result) -> Iterator[tuple[str, str, str, str]]:
    """For each entrant: seconds until it is imported, of the first call cold, and warm."""
    rows = {(row.entrant, row.start): row for row in result.latency}
    for name in dict.fromkeys(row.entrant for row in result.latency):
        cold, warm = rows.get((name, "cold")), rows.get((name, "warm"))
        yield (
            title(name),
            _median(cold.start_seconds if cold else []),
            _median(cold.first_call_seconds if cold else []),
            _median(warm.first_call_seconds if warm else []),
        )


def _median(seconds: list[float]) -> str:
    return f"{sorted(seconds)[len(seconds) // 2]:.3f}" if seconds else "–"
