"""The largest error of every function of the catalogue and of its derivative, in ULP.

    python benchmarks/accuracy.py [float32 | float64 | float16 | bfloat16]

Needs python-flint (the extra `certify`). A dense sample: evidence, not proof.
"""

from __future__ import annotations

import sys

import limen
from limen.certify.accuracy import measure_accuracy


def main(dtype: str = "float32") -> None:
    """Prints one line for each function."""
    print(f"{dtype}: largest error in ULP, and where")
    for name in limen.names():
        for found in measure_accuracy(limen.get(name), dtype):
            what = f"by {found.by}" if found.by else "value"
            at = ", ".join(f"{x:.9g}" for x in found.at)
            print(f"{name:18} {what:9} {found.largest:10.4f}  at {at}  ({found.checked} inputs)")


if __name__ == "__main__":
    main(*sys.argv[1:])
