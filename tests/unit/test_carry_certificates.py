"""Certificates carried over to a kernel that gives nearly the same results."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import limen
from limen.certify.certificate import Certificate
from limen.certify.exhaustive import check

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
carrying = pytest.importorskip("carry_certificates")

SILU = limen.get("silu")
X = float(np.float32(0.7))
RIGHT = float(SILU(np.float32(X)))
OFF = float(np.nextafter(np.float32(RIGHT), np.float32(1)))


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    found = check(SILU, 0, "float32", stretches=())
    return replace(
        found, inputs=1 << 32, of=1 << 32, max_ulp=0.51, worst_input=2.5, not_nearest=7, wrong=0
    )


def test_what_is_right_now_counts_as_right(certificate: Certificate) -> None:
    found = carrying.changed_by(certificate, SILU, [carrying.Change(X, OFF, RIGHT)])
    assert (found.not_nearest, found.max_ulp, found.worst_input) == (6, 0.51, 2.5)
    assert found.correctly_rounded == 1 - 6 / 2**32
    assert found.method.startswith("every input: 1 anew")


def test_what_is_worse_now_is_the_largest_error(certificate: Certificate) -> None:
    found = carrying.changed_by(certificate, SILU, [carrying.Change(X, RIGHT, OFF)])
    assert (found.not_nearest, found.worst_input, found.worst_result) == (8, X, OFF)
    assert 0.51 < found.max_ulp < 1.5


def test_a_plainly_wrong_result_is_counted(certificate: Certificate) -> None:
    found = carrying.changed_by(certificate, SILU, [carrying.Change(X, RIGHT, math.nan)])
    assert found.wrong == 1 and math.isinf(found.max_ulp) and not found.holds(1.0)


def test_where_the_largest_error_was_another_certificate_is_needed(
    certificate: Certificate,
) -> None:
    changed = [carrying.Change(2.5, RIGHT, RIGHT)]
    assert carrying.changed_by(certificate, SILU, changed) is None


def test_differing_results_are_found_wherever_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "CHUNK", 64)
    x = np.arange(128, dtype=np.uint32).view(np.float32)
    former = SILU(x)
    former[[0, 5, 70]] = 1.0
    found = list(carrying.differing(former.reshape(2, 64), lambda x, out: SILU(x, out=out)))
    changed = [(a, b) for at, old, _ in found for a, b in zip(at, old, strict=True)]
    assert changed == [(x[5], 1.0), (x[70], 1.0)]  # 0 is a special value


def test_what_may_have_been_undecided_needs_another_certificate(certificate: Certificate) -> None:
    doubtful = replace(certificate, undecided=3)
    assert carrying.changed_by(doubtful, SILU, [carrying.Change(X, OFF, RIGHT)]) is None
    assert carrying.changed_by(doubtful, SILU, []).undecided == 3


def test_a_sample_stays_as_it_was(
    certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "carry", lambda *given: pytest.fail("there is nothing to carry"))
    glu = replace(certificate, name="glu", derivative="gate", inputs=1000, kernel="former")
    path = tmp_path / "certificates.json"
    carrying.write(path, {("glu", "gate", "float32"): glu})
    before = path.read_text()
    carrying.main(str(tmp_path), str(path))
    assert path.read_text() == before
