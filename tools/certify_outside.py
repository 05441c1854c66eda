"""Certifies the formulas from outside the catalogue on every float32, value and first derivative.

LIMEN_TIER=general python tools/certify_outside.py docs/outside_certificates.json

The formulas are those of tests/contract/outside_formulas.toml. Certificates whose formula and
kernel are still the same are kept, so that work which was interrupted goes on; about an hour.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from rich.progress import Progress

import limen
from limen.certify.table import certify_each

FORMULAS = Path(__file__).parents[1] / "tests" / "contract" / "outside_formulas.toml"


def main(path: str) -> None:
    """Goes through the formulas."""
    outside = tomllib.loads(FORMULAS.read_text("utf-8"))
    functions = [
        limen.activation(entry["formula"], name, **entry.get("parameters", {}))
        for name, entry in outside.items()
    ]
    wanted = [(function, order, "float32") for function in functions for order in (0, 1)]
    with Progress() as bar:
        task = bar.add_task("certificates", total=len(wanted))
        made = certify_each(Path(path), wanted, lambda done, of: bar.update(task, completed=done))
        for certificate in made:
            bar.console.print(
                f"{certificate.name} {certificate.derivative}: {certificate.max_ulp:.4g} ULP, "
                f"{certificate.wrong} wrong, {certificate.undecided} undecided, "
                f"{certificate.seconds:.0f} s"
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
