"""Prints the innermost loop of a kernel, as the processor gets it.

python docs/machine_code.py [FUNCTION [forward | backward]]
"""

from __future__ import annotations

import os
import re
import sys
import tempfile


def main(name: str = "mish", direction: str = "forward") -> None:
    """Prints the loop over vectors: the block that does the most vector arithmetic."""
    # Numba shows only what it has compiled itself, not what it took from a cache.
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LIMEN_CACHE_DIR"] = folder
        os.environ["LIMEN_TIER"] = "general"
        import limen
        from limen.binding import Binding

        kernel, _ = Binding.of(limen.get(name)).kernel(direction, "float32")
        (assembly,) = kernel.inspect_asm().values()
    blocks = re.split(r"\n(?=\.L\w+:)", assembly)
    loop = max(blocks, key=lambda block: len(re.findall(r"vf\w+pd", block)))
    label = loop.partition(":")[0]
    before, jump, _ = re.split(rf"(\n\s+j\w+\s+{re.escape(label)})", loop, maxsplit=1)
    print(before + jump)


if __name__ == "__main__":
    main(*sys.argv[1:])
