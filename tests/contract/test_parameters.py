"""Derivatives by parameters, against ball arithmetic, elementwise and summed in backward."""

from __future__ import annotations

import numpy as np
import pytest

import limen
from limen.catalog import RECORDS
from limen.certify.measure import FORMATS, ulp_error

PARAMETERS = [(name, p) for name, record in RECORDS.items() for p in record.parameters]


@pytest.mark.parametrize(("name", "by"), PARAMETERS)
@pytest.mark.parametrize("scale", [1.0, 1.37])
def test_derivative_by_a_parameter(reference, name, by, scale):
    function = limen.get(name)
    function = function.with_parameters(**{by: function.parameters[by] * scale})
    x = np.random.default_rng(1).uniform(-12, 12, 400).astype(np.float32)
    x = np.concatenate([x, np.float32([0, -0.0, 1, -1, 1e-30, -1e-30, 88, -88])])
    if name != "snake":  # far out, alpha * x rounded to float64 has no digit of the phase left
        x = np.concatenate([x, np.float32([1e30, -1e30])])
    exact = reference(function, by, 1)
    balls = [exact.enclose(v, format_=FORMATS["float32"])[1] for v in x.astype("f8").tolist()]
    computed = function.derivative(by)(x).tolist()
    errors = [ulp_error(c, b, FORMATS["float32"]) for c, b in zip(computed, balls, strict=True)]
    worst = int(np.argmax(errors))
    assert errors[worst] <= 1, f"{errors[worst]:.4g} ULP at {x[worst]}"


@pytest.mark.parametrize(("name", "by"), PARAMETERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_backward_sums_over_the_elements(reference, name, by, dtype):
    function = limen.get(name)
    random = np.random.default_rng(4)
    x = random.normal(0, 3, (30, 20)).astype(dtype)
    flow = random.standard_normal(x.shape).astype(dtype)
    _, summed = function.backward(flow, x, parameters=True)
    assert set(summed) == set(function.parameters)
    exact = reference(function, by, 1)
    points = zip(x.ravel().astype("f8").tolist(), flow.ravel().astype("f8").tolist(), strict=True)
    terms = [exact.enclose(v, format_=FORMATS["float64"])[1] * g for v, g in points]
    total = float(sum(terms[1:], terms[0]))
    size = float(sum((abs(term) for term in terms[1:]), abs(terms[0])))
    # 600 terms of a few ULP each, added in float64: n * 2**-53 * sum |terms| bounds any order.
    assert abs(summed[by] - total) <= (len(terms) + 8) * 2.0**-53 * size
