"""The tuned tier against ball arithmetic, on a thin slice of what its certificates cover."""

from __future__ import annotations

import numpy as np
import pytest

from limen.kernels.tuned import store
from limen.kernels.tuned.kernel import is_supported
from limen.kernels.tuned.store import Entry

pytest.importorskip("flint")

from limen.certify.landmarks import landmarks
from limen.certify.measure import FORMATS, ulp_error
from limen.certify.reference import Reference
from limen.certify.sample import sample
from limen.tuning.curve import gate_curve
from limen.tuning.make import named_by

ENTRIES = [Entry.from_json(p.read_text("utf-8")) for p in sorted(store.SHIPPED.glob("*.json"))]
FLOAT32 = FORMATS["float32"]


@pytest.mark.skipif(not is_supported(), reason="needs AVX-512")
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.title)
def test_errors_are_those_of_the_certificate(entry: Entry) -> None:
    f, order = named_by(entry.title)
    curve = gate_curve(f) if f.is_gated else f
    reference = Reference(
        curve.expression, inputs=curve.inputs, parameters=curve.parameters, order=order
    )
    x = sample("float32", landmarks(reference), count=300)
    x = x[np.isfinite(x) | (not f.is_gated)]  # functions of two inputs have no limits
    one = np.ones_like(x)
    others = (one,) if f.is_gated else ()
    computed = f.backward(one, x, *others) if order else f(x, *others)
    computed = computed[0] if isinstance(computed, tuple) else computed
    errors = [
        ulp_error(result, reference.enclose(at, format_=FLOAT32)[order], FLOAT32)
        for at, result in zip(x.tolist(), computed.tolist(), strict=True)
    ]
    assert 0.4 < max(errors) <= entry.certificate["max_ulp"] + 1e-3


@pytest.mark.skipif(not is_supported(), reason="needs AVX-512")
def test_tables_are_in_use() -> None:
    """Else the test above would look at the general tier."""
    for entry in ENTRIES:
        f, order = named_by(entry.title)
        direction = "backward" if order else "forward"
        assert ("tuned" in f.source(direction).splitlines()[0]) == (direction in entry.serves)
