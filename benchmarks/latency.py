"""From a formula to its first result, in fresh processes: cold, next, and from the cache.

    python benchmarks/latency.py [runs]

Numba's own start-up is timed apart: it is paid once, when the first kernel is needed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile

CHILD = """
import json, time
t = [time.perf_counter()]
def lap():
    t.append(time.perf_counter())
    return t[-1] - t[-2]
figures = {}
import limen
figures["import limen"] = lap()
import numpy as np
x = np.ones(8, np.float32)
lap()
import numba
numba.njit("void(float32[::1])")(lambda x: None)
figures["Numba's start-up"] = lap()
limen.activation
figures["limen's own rooms"] = lap()
limen.activation("x * tanh(softplus(x))")(x)
figures["first function"] = lap()
limen.activation("x * sigmoid(1.702 * x)")(x)
figures["a further function"] = lap()
limen.activation("0.5 * x * (1 + erf(x / sqrt(2)))").backward(x, x)
figures["a further gradient"] = lap()
print(json.dumps(figures))
"""


def run(cache: str) -> dict[str, float]:
    """The figures of one fresh process."""
    environment = {**os.environ, "LIMEN_CACHE_DIR": cache}
    done = subprocess.run(
        [sys.executable, "-c", CHILD], env=environment, capture_output=True, text=True, check=True
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main(runs: int = 5) -> None:
    """Prints medians over the runs, without and with a warm cache."""
    cold, warm = [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as cache:
            cold.append(run(cache))
            warm.append(run(cache))
    print(f"milliseconds, median of {runs} processes")
    print(f"{'':20} {'compiled':>9} {'from cache':>11}")
    for figure in cold[0]:
        compiled, cached = (
            1e3 * statistics.median(r[figure] for r in found) for found in (cold, warm)
        )
        print(f"{figure:20} {compiled:9.0f} {cached:11.0f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
