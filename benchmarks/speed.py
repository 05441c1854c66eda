"""Every function of the catalogue against a plain copy, in one run.

    python benchmarks/speed.py [elements]

Prints ratios: the machine's own speed, and its noise, divide out.
"""

from __future__ import annotations

import sys

import numpy as np

import limen
from limen.insight.speed import measure_speed


def main(elements: int = 2**18) -> None:
    """Prints one line for each function."""
    print(f"{elements} float32 elements, standard normal; times a copy of the array")
    print(f"{'function':18} {'forward':>8} {'backward':>9} {'compiled in':>12}")
    for name in limen.names():
        speed = measure_speed(limen.get(name), elements)
        print(
            f"{name:18} {speed.forward / speed.copy:8.1f} {speed.backward / speed.copy:9.1f} "
            f"{speed.first_call:10.2f} s"
        )


if __name__ == "__main__":
    np.seterr(all="ignore")
    main(*map(int, sys.argv[1:]))
