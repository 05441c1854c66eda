"""Fit the polynomials and constants of limen.kernels.primitives and write them as Python modules.

python tools/fit_primitives.py            rewrite src/limen/kernels/primitives/fitted_*.py
python tools/fit_primitives.py --check    exit with 1 where those files are not what it would write
"""

from __future__ import annotations

import sys
from pathlib import Path

from extended_fits import extended_module, extended_pieces_module
from plain_fits import plain_module

FOLDER = Path(__file__).resolve().parents[1] / "src" / "limen" / "kernels" / "primitives"
MODULES = {
    "fitted_extended.py": extended_module,
    "fitted_pieces.py": extended_pieces_module,
    "fitted_plain.py": plain_module,
}


def main() -> int:
    """Write the modules, or with --check compare them with what is there."""
    outdated = []
    for name, write in MODULES.items():
        path, text = FOLDER / name, write()
        if not path.exists() or path.read_text() != text:
            outdated.append(name)
            if "--check" not in sys.argv:
                path.write_text(text)
    print("outdated:" if "--check" in sys.argv else "rewritten:", ", ".join(outdated) or "none")
    return 1 if outdated and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
