"""Writes what certificates say into the page "accuracy".

LIMEN_TIER=general limen certify --catalog --json docs/certificates.json
LIMEN_TIER=general python tools/certify_outside.py docs/outside_certificates.json
python tools/accuracy_page.py docs/certificates.json docs/outside_certificates.json
"""

from __future__ import annotations

import math
import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from limen.certify.certificate import Certificate
from limen.certify.table import read, to_markdown, up
from limen.kernels.tuned.store import SHIPPED, Entry

FORMULAS = Path(__file__).parents[1] / "tests" / "contract" / "outside_formulas.toml"
PAGE = Path(__file__).parents[1] / "docs" / "accuracy.md"
_MARKS = r"(<!-- {} -->\n).*?(<!-- end -->)"


def said(certificates: Sequence[Certificate], source: str) -> str:
    """The table, with what is in it and what it was made on."""
    counts = ", ".join(f"{key} {value}" for key, value in certificates[0].machine.items())
    complete = [c for c in certificates if c.is_complete]
    undecided = sum(c.undecided for c in certificates)
    return (
        "**The general tier**, which serves everything else and every other CPU: "
        f"{len(certificates)} certificates ([{source}]({source})), {len(complete)} of them over "
        f"every input there is; {undecided:,} inputs undecided. Made on: {counts}. CPUs without "
        "AVX-512 take other polynomials for exp and log(1 + x): run `limen certify` there.\n\n"
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
            nearest = f"{math.floor(1e4 * found['correctly_rounded']) / 100:.2f}%"
            serves = " and ".join(entry.serves) or "nothing: the general tier is as fast"
            error = f"{up(found['max_ulp']):.3f}"
            lines.append(f"| {entry.title} | {error} | {nearest} | {serves} |")
    return "\n".join(lines) + "\n"


def outside(certificates: Sequence[Certificate]) -> str:
    """The table of the formulas from outside the catalogue."""
    found = {(c.name, c.derivative): c for c in certificates}
    formulas = tomllib.loads(FORMULAS.read_text("utf-8"))
    lines = ["| formula | value | derivative | |", "| --- | ---: | ---: | --- |"]
    for name, entry in formulas.items():
        of = [found.get((name, order)) for order in (0, 1)]
        cells = ["" if c is None else _largest(c) for c in of]
        values = ", ".join(f"{key} = {value}" for key, value in entry.get("parameters", {}).items())
        open_ = sum(c.undecided for c in of if c is not None)
        share = min((c.inputs / c.of for c in of if c is not None), default=1.0)
        said = [f"{share:.0%} of all inputs and a sample of the others"] if share < 1 else []
        said += [f"{open_:,} undecided"] if open_ else []
        said += [entry["every_input"]] if "every_input" in entry else []
        formula = entry["formula"].replace("|", "\\|")
        title = f"`{formula}`" + (f" ({values})" if values else "")
        lines.append(f"| {title} | {cells[0]} | {cells[1]} | {'; '.join(said)} |")
    return "\n".join(lines) + "\n"


def _largest(certificate: Certificate) -> str:
    error = certificate.max_ulp
    return f"{up(error):,.3f}" if math.isfinite(error) else "wrong"


def main(certificates: str, of_outside: str) -> None:
    """Writes the parts of the page between their marks."""
    path = Path(certificates)
    texts = {
        "certificates": said(read(path), path.name),
        "outside": outside(read(Path(of_outside))),
    }
    page = PAGE.read_text(encoding="utf-8")
    for mark, text in texts.items():
        between = re.compile(_MARKS.format(mark), re.S)
        page = between.sub(lambda m, text=text: m[1] + text + m[2], page)
    PAGE.write_text(page, encoding="utf-8")
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main(*sys.argv[1:])
