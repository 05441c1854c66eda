"""The catalogue's certificates, in short: every 16-bit input, a thin slice of float32, mutants.

`limen certify --catalog` checks all 2**32 inputs of float32. Here the ends and the middle of every
piece are checked: beside roots, kinks and range ends pieces are short, so that is where most of
the inputs are.
"""

from __future__ import annotations

import pytest

import limen
from limen.certify import check, exhaustive
from limen.certify.measure import FORMATS
from limen.certify.mutants import self_test, thinned

ULP = 1.0


@pytest.mark.parametrize("order", [0, 1])
def test_a_thin_slice_of_float32(plain, order):
    f = limen.get(plain)
    stretches = thinned(exhaustive.pieces_of(f, order, FORMATS["float32"]), 16)
    found = exhaustive.check(f, order, "float32", stretches=stretches)
    assert found.holds(ULP), f"{found} {found.worst_input} {found.special_values}"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("order", [0, 1])
def test_every_input_of_16_bits(plain, order, dtype):
    found = check(limen.get(plain), order, dtype)
    assert found.inputs == 65_536
    assert found.holds(ULP), f"{found} {found.worst_input} {found.special_values}"
    assert found.not_nearest == found.undecided == 0, str(found)


@pytest.mark.parametrize("name", ["gelu", "elu"])
def test_no_mutant_is_missed(name):
    report = self_test(limen.get(name), every=12)
    assert all(row.missed == 0 for row in report.values())
    assert sum(row.caught for row in report.values()) > 10
