"""Which kernel a certificate is of."""

from __future__ import annotations

from pathlib import Path

import pytest

import limen
from limen.certify import kernel_hash
from limen.certify.kernel_hash import source_hash


@pytest.fixture(autouse=True)
def general_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMEN_TIER", "general")


def files_of(name: str, dtype: str) -> set[str]:
    return {path.name for path in kernel_hash._imported(limen.get(name).source("forward", dtype))}


def test_all_that_a_kernel_calls_counts_and_nothing_else() -> None:
    assert {"plain.py", "plain_powers.py", "fitted_plain.py", "registers.py", "lanes.py"} <= (
        files_of("gelu", "float32")
    )
    assert "formats.py" in files_of("gelu", "float16")
    assert not files_of("gelu", "float32") & {"extended.py", "fitted_pieces.py", "formats.py"}
    assert "plain.py" not in files_of("gelu", "float64")


def test_a_tuned_kernel_is_its_table_too(monkeypatch: pytest.MonkeyPatch) -> None:
    general = source_hash(limen.get("silu"), "float32")
    monkeypatch.setenv("LIMEN_TIER", "tuned")
    if "kernels.tuned" not in limen.get("silu").source():
        pytest.skip("this CPU has no tuned tier")
    assert source_hash(limen.get("silu"), "float32") != general


def test_words_do_not_count_and_instructions_do(tmp_path: Path) -> None:
    module = '"""{}"""\n\nA = {}  # {}\n\n\ndef f(x):\n    """{}"""\n    return x + A\n'
    said = []
    for place, words in enumerate(
        [("One", 1.5, "why", "Two"), ("1", 1.5, "", "2"), ("1", 2, "", "")]
    ):
        path = tmp_path / f"{place}.py"
        path.write_text(module.format(*words))
        said.append(kernel_hash._instructions(path))
    assert said[0] == said[1] != said[2]


def test_another_formula_or_dtype_is_another_kernel() -> None:
    names = [("silu", "float32"), ("silu", "float64"), ("mish", "float32")]
    assert len({source_hash(limen.get(name), dtype) for name, dtype in names}) == 3
