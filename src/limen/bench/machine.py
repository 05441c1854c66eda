"""The machine, in words: what figures mean nothing without."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["cores", "describe"]


def cores() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe() -> dict[str, Any]:
    """Processor, cores, vector instructions, memory, system, Python, limen, and the hour."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "vectors": _vectors(),
        "memory_gib": _memory(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "limen": version("limen"),
        "measured": datetime.now(UTC).isoformat(timespec="minutes"),
    }


def _processor() -> str:
    found = re.search(r"^model name\s*: (.*)$", _read("/proc/cpuinfo"), re.M)
    return found.group(1).strip() if found else platform.processor() or platform.machine()


def _vectors() -> str:
    """The widest vector instructions that kernels are compiled for, as LLVM found them."""
    from llvmlite.binding import get_host_cpu_features

    features = get_host_cpu_features()
    return next((name for key, name in _WIDEST.items() if features.get(key)), "unknown")


_WIDEST = {"avx512f": "AVX-512", "avx2": "AVX2", "sve": "SVE", "neon": "NEON"}


def _memory() -> float | None:
    found = re.search(r"^MemTotal:\s*(\d+) kB", _read("/proc/meminfo"), re.M)
    return round(int(found.group(1)) / 2**20, 1) if found else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
