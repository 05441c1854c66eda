"""An entrant for tests: a child process that behaves, or misbehaves, as it is told.

python bench_entrant.py [good | wrong | crash | refuse | mute | noisy]
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import numpy as np

from limen.bench.child import run

HOW = sys.argv[1] if __name__ == "__main__" else "good"


class Fake:
    version = "1.2.3"

    def bind(self, case: Any) -> Any:
        if HOW == "refuse":
            raise NotImplementedError("not this one")
        if HOW == "crash":
            print("the last words", file=sys.stderr, flush=True)
            os._exit(3)
        if HOW == "noisy":
            print("this is not JSON", flush=True)
        x, grad_output = case.arrays(1)
        slope = 3.0 if HOW == "wrong" else 2.0
        result = [slope * (x if case.direction == "forward" else grad_output)]

        def call() -> Any:
            time.sleep(1e-3)
            return result

        return call

    def spelling(self, case: Any) -> str:
        return "by hand"

    def fetch(self, result: Any) -> list[Any]:
        return [np.asarray(array) for array in result]


if __name__ == "__main__":
    if HOW == "mute":
        sys.exit("no words at all")
    run(Fake)
