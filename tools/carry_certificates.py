"""Carries certificates of float32 over to kernels that give nearly the same results.

git worktree add /tmp/former COMMIT    a commit whose kernels the certificates are of
LIMEN_TIER=general python tools/carry_certificates.py /tmp/former docs/certificates.json [60]

A certificate says what is known of a kernel's result on every input. The kernels of the former
commit and of this one both run on all 2^32 of them; where they give the same result, what was known
of it holds still, and where they do not, both results are judged by ball arithmetic. The special
values are checked anew. It takes ten seconds or so, a certificate up to twenty minutes: with a
number, only those are carried over that took more seconds than that.

A row is left as it was, for `limen certify` or `tools/certify_outside.py` to redo, where the former
commit's kernel is not the one that was certified, not every input was, or too much has changed.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from rich.progress import track

import limen
from limen.certify.certificate import Certificate
from limen.certify.exhaustive import backward_agrees, kernel_of, reference_of
from limen.certify.judge import Verdict, judge
from limen.certify.kernel_hash import source_hash
from limen.certify.line import Line
from limen.certify.measure import format_of
from limen.certify.special import special_values
from limen.certify.table import read, write

CHUNK = 1 << 19
MOST = 100_000  # changed results that are judged
#: Runs in the former commit: writes the results of one chunk while the other is being compared.
FORMER = """
import sys
import numpy as np
import limen
from limen.certify.exhaustive import kernel_of
from limen.certify.table import source_hash

name, formula, order, path, chunk = sys.argv[1:6]
parameters = {p: float.fromhex(v) for p, v in (pair.split("=") for pair in sys.argv[6:])}
f = limen.get(name) if name in limen.names() else limen.activation(formula, name, **parameters)
run = kernel_of(f, int(order))
print(source_hash(f.derivative(int(order)), "float32"), flush=True)
rooms = np.memmap(path, np.float32, "r+", shape=(2, int(chunk)))
patterns = np.arange(int(chunk), dtype=np.uint32)
for place, start in enumerate(range(0, 1 << 32, int(chunk))):
    sys.stdin.read(1)
    run(patterns.view(np.float32), rooms[place % 2])
    patterns += np.uint32(chunk)
    print(flush=True)
"""


class Change(NamedTuple):
    """What the former kernel and today's make of an input."""

    x: float
    old: float
    new: float


def main(former: str, file: str, seconds: str = "0") -> None:
    """Goes through the certificates of a file."""
    path = Path(file)
    rows = {(c.name, c.derivative, c.dtype): c for c in read(path)}
    for key, certificate in track(list(rows.items()), "certificates"):
        is_slow = certificate.seconds > float(seconds)
        if not is_slow or certificate.dtype != "float32" or certificate.inputs != certificate.of:
            continue
        f = function_of(certificate)
        hash_ = source_hash(f.derivative(int(certificate.derivative)), "float32")
        if hash_ == certificate.kernel:
            continue
        carried = carry(Path(former), certificate, f, hash_)
        print(key, "left as it was" if carried is None else carried.method, flush=True)
        if carried is not None:
            rows[key] = carried
            write(path, rows)


def function_of(certificate: Certificate) -> limen.ActivationFunction:
    """The function that a certificate is of."""
    if certificate.name in limen.names():
        return limen.get(certificate.name)
    return limen.activation(certificate.formula, certificate.name, **certificate.parameters)


def carry(
    former: Path, certificate: Certificate, f: limen.ActivationFunction, hash_: str
) -> Certificate | None:
    """The certificate of today's kernel; None where it has to be made anew."""
    order = int(certificate.derivative)
    changed: list[Change] = []
    with former_results(former, certificate) as results:
        if results.hash != certificate.kernel:
            return None
        for x, old, new in differing(results, kernel_of(f, order)):
            changed += map(Change, x.tolist(), old.tolist(), new.tolist())
            if len(changed) > MOST:
                return None
    found = changed_by(certificate, f, changed)
    return found and replace(found, kernel=hash_)


def changed_by(
    certificate: Certificate, f: limen.ActivationFunction, changed: list[Change]
) -> Certificate | None:
    """The certificate after some results have changed; None where it says too little of them."""
    if certificate.worst_input in [change.x for change in changed]:
        return None
    if changed and certificate.undecided:  # perhaps of these
        return None
    order, format_ = int(certificate.derivative), format_of("float32")
    reference, line = reference_of(f, order), Line(format_)
    old = [judge(reference, format_, change.x, change.old) for change in changed]
    new = [judge(reference, format_, change.x, change.new) for change in changed]
    if not all(verdict.is_known for verdict in new):
        return None
    specials = special_values(f, reference, line, kernel_of(f, order)).values
    if order == 1:
        specials["backward"] = backward_agrees(f, line)
    largest = certificate.max_ulp, certificate.worst_input, certificate.worst_result
    errors = [(v.error, c.x, c.new) for v, c in zip(new, changed, strict=True)]
    max_ulp, worst_input, worst_result = max([largest, *errors])

    def more(is_so: Callable[[Verdict], bool]) -> int:
        return sum(map(is_so, new)) - sum(map(is_so, old))

    not_nearest = certificate.not_nearest + more(lambda v: v.is_correct is False)
    undecided = certificate.undecided + more(lambda v: v.is_correct is None)
    return replace(
        certificate,
        method=f"every input: {len(changed)} anew, else as the kernel {certificate.kernel}",
        max_ulp=max_ulp,
        worst_input=worst_input,
        worst_result=worst_result,
        correctly_rounded=1 - (not_nearest + undecided) / certificate.inputs,
        not_nearest=not_nearest,
        undecided=undecided,
        wrong=certificate.wrong + more(lambda v: math.isinf(v.error)),
        special_values=specials,
    )


class Results:
    """The results of the former kernel, chunk by chunk."""

    def __init__(self, process: subprocess.Popen[bytes], rooms: Any) -> None:
        self._process, self._rooms = process, rooms
        self.hash = self._output.readline().decode().strip()

    @property
    def _output(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def __iter__(self) -> Iterator[Any]:
        self._allow(2)
        for place in range((1 << 32) // CHUNK):
            if not self._output.readline():
                raise RuntimeError("the former commit's kernel stopped")
            yield self._rooms[place % 2]
            if place + 2 < (1 << 32) // CHUNK:
                self._allow(1)

    def _allow(self, chunks: int) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"." * chunks)
        self._process.stdin.flush()


@contextmanager
def former_results(former: Path, certificate: Certificate) -> Iterator[Results]:
    """Runs the kernel of the former commit, in a process of its own."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        rooms = np.memmap(file.name, np.float32, "w+", shape=(2, CHUNK))
        parameters = [f"{p}={v.hex()}" for p, v in certificate.parameters.items()]
        about = certificate.name, certificate.formula, str(certificate.derivative)
        process = subprocess.Popen(
            [sys.executable, "-c", FORMER, *about, file.name, str(CHUNK), *parameters],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(former / "src"), "LIMEN_NUM_THREADS": "1"},
        )
        try:
            yield Results(process, rooms)
        finally:
            process.kill()
            process.wait()


def differing(results: Results, run: Any) -> Iterator[tuple[Any, Any, Any]]:
    """The finite inputs but 0 on which the kernels differ, with the results of both."""
    patterns = np.arange(CHUNK, dtype=np.uint32)
    new = np.empty(CHUNK, np.float32)
    for old in results:
        x = patterns.view(np.float32)
        run(x, new)
        if not np.array_equal(new.view(np.uint64), old.view(np.uint64)):
            differ = (new.view(np.uint32) != old.view(np.uint32)) & ~(np.isnan(new) & np.isnan(old))
            differ &= np.isfinite(x) & (x != 0)
            yield x[differ], np.array(old[differ]), new[differ]
        patterns += np.uint32(CHUNK)


if __name__ == "__main__":
    main(*sys.argv[1:])
