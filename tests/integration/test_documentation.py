"""The code in the README and the example scripts run as they stand."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def surroundings() -> list[dict[str, Any]]:
    """What the reader of each block of the README is taken to have at hand."""
    random = np.random.default_rng(0)
    x = random.standard_normal((50, 64), np.float32)
    y = random.integers(0, 10, 50)
    return [
        {},
        {"x": x, "grad_output": np.ones_like(x)},
        {"x": x, "y": y, "grad": np.ones((50, 10), np.float32)},
    ]


def test_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("limen.registry._registered", {})
    monkeypatch.setenv("MPLBACKEND", "agg")
    namespace: dict[str, Any] = {}
    for block, given in zip(BLOCKS, surroundings(), strict=True):
        namespace |= given
        source = ROOT / "tests" / "README.py"  # traced functions have a file to be read from
        exec(compile(block, str(source), "exec"), namespace)
    assert namespace["model"].layers[1].function.name == "mish"
    assert "Linear" in capsys.readouterr().out  # the trace


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out
