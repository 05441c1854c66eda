"""The tuned tier against ball arithmetic, on a thin slice of what its certificates cover."""

from __future__ import annotations

import numpy as np
import pytest

import limen
from limen.kernels.tuned import store
from limen.kernels.tuned.kernel import is_supported
from limen.kernels.tuned.store import Entry

pytest.importorskip("flint")

from limen.certify.landmarks import landmarks
from limen.certify.measure import FORMATS, ulp_error
from limen.certify.reference import Reference
from limen.certify.sample import sample

ENTRIES = [Entry.from_json(p.read_text("utf-8")) for p in sorted(store.SHIPPED.glob("*.json"))]
FLOAT32 = FORMATS["float32"]


@pytest.mark.skipif(not is_supported(), reason="needs AVX-512")
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.title)
def test_errors_are_those_of_the_certificate(entry: Entry) -> None:
    name = entry.title.rstrip("'")
    order = len(entry.title) - len(name)
    f = limen.get(name)
    reference = Reference(f.expression, inputs=f.inputs, parameters=f.parameters, order=order)
    x = sample("float32", landmarks(reference), count=300)
    computed = f.backward(np.ones_like(x), x) if order else f(x)
    errors = [
        ulp_error(result, reference.enclose(at, format_=FLOAT32)[order], FLOAT32)
        for at, result in zip(x.tolist(), computed.tolist(), strict=True)
    ]
    assert 0.4 < max(errors) <= entry.certificate["max_ulp"] + 1e-3


def table_is_in_use(title: str, direction: str) -> bool:
    source = limen.get(title.rstrip("'")).source(direction)
    return "tuned" in source.splitlines()[0]


@pytest.mark.skipif(not is_supported(), reason="needs AVX-512")
def test_tables_are_in_use() -> None:
    """Else the test above would look at the general tier."""
    for entry in ENTRIES:
        direction = "backward" if entry.title.endswith("'") else "forward"
        assert table_is_in_use(entry.title, direction) == (direction in entry.serves)
