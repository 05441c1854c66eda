"""How much a page may ask for. Everything is meant to be far more than a person needs."""

from __future__ import annotations

__all__ = [
    "ANSWER_SECONDS",
    "BATCH",
    "BUILD_SECONDS",
    "CPU_SECONDS",
    "FORMULA",
    "FORMULA_SECONDS",
    "FRAME_SECONDS",
    "LAYERS",
    "MEMORY",
    "MESSAGE",
    "NEURONS",
    "PAGES",
    "PARAMETERS",
    "PENDING",
]

PAGES = 6
"""Pages open at once. Each has two processes, of 100 MB and of 175 MB while it trains."""
MESSAGE = 8 * 1024
"""Bytes of a message from a page."""
PENDING = 16
"""Requests of a page that wait for an answer."""

FORMULA = 500
"""Characters of a formula."""
PARAMETERS = 8
"""Parameters of a formula."""
LAYERS = 6
"""Hidden Linear layers."""
NEURONS = 32
"""Neurons of a hidden layer."""
BATCH = 1024
"""Samples to a step."""

FORMULA_SECONDS = 12.0
"""For everything that is said of a formula; the process is ended after it."""
BUILD_SECONDS = 30.0
"""For a model to stand, its kernels compiled."""
ANSWER_SECONDS = 15.0
"""For any other answer."""
CPU_SECONDS = 20
"""Of computing for one formula, where the system counts it: holds when the server is gone, too."""
MEMORY = 2 * 1024**3
"""Bytes of address space of a process, where the system limits it; an idle one takes 0.5 GB."""

FRAME_SECONDS = 0.05
"""Between two pictures of the training: 20 a second."""
