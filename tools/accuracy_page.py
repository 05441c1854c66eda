"""Writes what certificates say into the page "accuracy".

LIMEN_TIER=general limen certify --catalog --json docs/certificates.json
python tools/accuracy_page.py docs/certificates.json
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from limen.certify.certificate import Certificate
from limen.certify.table import read, to_markdown, up
from limen.kernels.tuned.store import SHIPPED, Entry

PAGE = Path(__file__).parents[1] / "docs" / "accuracy.md"
_BETWEEN = re.compile(r"(<!-- certificates -->\n).*(<!-- end -->)", re.S)


def said(certificates: Sequence[Certificate], source: str) -> str:
    """The table, with what is in it and what it was made on."""
    counts = ", ".join(f"{key} {value}" for key, value in certificates[0].machine.items())
    complete = [c for c in certificates if c.is_complete]
    undecided = sum(c.undecided for c in certificates)
    return (
        "**The general tier**, which serves everything else and every other CPU: "
        f"{len(certificates)} certificates ([{source}]({source})), {len(complete)} of them over "
        f"every input there is; {undecided:,} inputs undecided. Made on: {counts}.\n\n"
        "The largest error in ULP, rounded up. f′: the first derivative, for gated functions the "
        "larger of both; f″: the second. float64 and functions of two inputs: a sample.\n\n"
        "*kept, but for 32*: at most 2 ULP but for so many inputs of the sample (or more, if it is "
        "32), which the certificate lists with their errors. They lie beside underflow, where a "
        "factor on the way is subnormal although the result is not (silu at -745), and within a "
        "factor of 12 of overflow, where a product on the way is infinite (x * 6 / 6). **!**: at "
        "infinity, where sine has no limit.\n\n"
        f"{to_markdown(certificates)}\n"
        f"{_tuned()}\n"
    )


def _tuned() -> str:
    """The certificates that the catalogue's tuned tables carry."""
    entries = [Entry.from_json(path.read_text("utf-8")) for path in sorted(SHIPPED.glob("*.json"))]
    lines = [
        "**The tuned tier** (float32, CPUs with AVX-512): every table carries its own certificate "
        "over all 4,294,967,296 inputs.",
        "",
        "| table | largest error | correctly rounded | serves |",
        "| --- | ---: | ---: | --- |",
    ]
    for entry in entries:
        found = entry.certificate
        if found is not None:
            nearest = f"{100 * found['correctly_rounded']:.1f}%"
            serves = " and ".join(entry.serves) or "nothing: the general tier is as fast"
            error = f"{up(found['max_ulp']):.3f}"
            lines.append(f"| {entry.title} | {error} | {nearest} | {serves} |")
    return "\n".join(lines) + "\n"


def main(certificates: str) -> None:
    """Writes the part of the page between its two marks."""
    path = Path(certificates)
    text = said(read(path), path.name)
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_BETWEEN.sub(lambda m: m[1] + text + m[2], page), encoding="utf-8")
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main(*sys.argv[1:])
