"""Which kernel a certificate is of."""

from __future__ import annotations

import pytest

import limen
from limen.certify import kernel_hash
from limen.certify.kernel_hash import source_hash


@pytest.fixture(autouse=True)
def general_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMEN_TIER", "general")


def reached(name: str, dtype: str) -> set[str]:
    places = kernel_hash._reached(limen.get(name).source("forward", dtype))
    return {f"{module.rpartition('.')[2]}.{defined}" for module, defined in places}


def test_all_that_a_kernel_calls_counts_and_nothing_else() -> None:
    found = reached("gelu", "float32")
    assert {"plain.erfc", "plain_error.erfc", "fitted_plain.ERFC", "newton.inverse"} <= found
    assert {"plain_powers.split", "registers.Sixteen", "lanes.Real", "fitted_plain.POWERS"} <= found
    assert not found & {
        "plain.sin",
        "plain_error.erf",
        "fitted_plain.LOG",
        "plain_exponential.tanh",
    }
    modules = {name.partition(".")[0] for name in found}
    assert not modules & {"extended", "fitted_pieces", "formats", "plain_trigonometric"}
    assert "formats.store_float16" in reached("gelu", "float16")
    assert not any(name.startswith("plain") for name in reached("gelu", "float64"))


def test_a_tuned_kernel_is_its_table_too(monkeypatch: pytest.MonkeyPatch) -> None:
    general = source_hash(limen.get("silu"), "float32")
    monkeypatch.setenv("LIMEN_TIER", "tuned")
    if "kernels.tuned" not in limen.get("silu").source():
        pytest.skip("this CPU has no tuned tier")
    assert source_hash(limen.get("silu"), "float32") != general


def test_words_do_not_count_and_instructions_do() -> None:
    module = '"""{}"""\n\nA = {}  # {}\n\n\ndef f(x):\n    """{}"""\n    return x + A\n'
    said = [
        kernel_hash._read("m", module.format(*words)).texts
        for words in [("One", 1.5, "why", "Two"), ("1", 1.5, "", "2"), ("1", 2, "", "")]
    ]
    assert said[0] == said[1] != said[2]


def test_a_definition_needs_what_it_names() -> None:
    source = (
        "from limen.kernels.primitives import newton as n\n"
        "from limen.kernels.primitives.lanes import fma as f\n"
        "A = 1\nB = A + 1\n"
        "@f\ndef g(x: Real) -> Real:\n    A = n.root(x)\n    return A * B\n"
        "def h():\n    return n\n"
    )
    needs = kernel_hash._read("m", source).needs
    lanes, newton = "limen.kernels.primitives.lanes", "limen.kernels.primitives.newton"
    assert {("m", "B"), (lanes, "fma"), (newton, "root")} <= needs["g"]
    assert (newton, "*") not in needs["g"] and (newton, "*") in needs["h"]
    assert needs["B"] == {("m", "A"), ("m", "B")}


def test_another_formula_or_dtype_is_another_kernel() -> None:
    names = [("silu", "float32"), ("silu", "float64"), ("mish", "float32")]
    assert len({source_hash(limen.get(name), dtype) for name, dtype in names}) == 3
