"""Loops that measure how far predictions are from their targets, and begin the flow back.

Everything inside is float64: 1.0 * x is one, where to Numba float(x) of a float32 is a float32.
"""

from __future__ import annotations

from math import exp, log, log1p
from typing import Any

from numpy.typing import NDArray

from limen.kernels.loops import Loop

__all__ = ["cross_entropy", "half_squares", "half_squares_and_flow", "logit_entropy"]

Array = NDArray[Any]


def _half_squares(prediction: Array, target: Array, mean: Array, batch: float) -> None:
    total = 0.0
    for i in range(prediction.size):
        difference = 1.0 * prediction[i] - target[i]
        total += difference * difference
    mean[0] = 0.5 * total / batch


def _half_squares_and_flow(
    prediction: Array, target: Array, grad: Array, mean: Array, batch: float
) -> None:
    total, scale = 0.0, 1.0 / batch
    for i in range(prediction.size):
        difference = 1.0 * prediction[i] - target[i]
        grad[i] = difference * scale
        total += difference * difference
    mean[0] = 0.5 * total / batch


def _cross_entropy(
    logits: Array,
    labels: Array,
    work: Array,
    grad: Array,
    mean: Array,
    right: Array,
    samples: float,
    width: float,
    batch: float,
    has_flow: float,
) -> None:
    total, classes, found = 0.0, int(width), 0
    for i in range(int(samples)):
        start, own = i * classes, labels[i]
        z, e = logits[start : start + classes], work[start : start + classes]
        # The first peak; or the first NaN, as for NumPy.
        peak, at = z[0], 0
        for k in range(1, classes):
            if z[k] > peak or (z[k] != z[k] and peak == peak):
                peak, at = z[k], k
        found += at == own
        for k in range(classes):
            e[k] = exp(1.0 * z[k] - peak)
        likely, e[own] = e[own], 0.0
        a, b, c, d = 0.0, 0.0, 0.0, 0.0  # side by side: one sum would wait for each addition
        for k in range(0, classes - 3, 4):
            a, b, c, d = a + e[k], b + e[k + 1], c + e[k + 2], d + e[k + 3]
        for k in range(classes - classes % 4, classes):
            a += e[k]
        rest = (a + b) + (c + d)
        e[own] = -rest  # softmax - 1, without subtracting from 1
        if has_flow:
            scale = 1.0 / (likely + rest) / batch
            flow = grad[start : start + classes]
            for k in range(classes):
                flow[k] = e[k] * scale
        shifted = 1.0 * z[own] - peak
        total += log1p(rest) if shifted == 0.0 else log(likely + rest) - shifted
    mean[0], right[0] = total / batch, found


def _logit_entropy(
    logits: Array,
    target: Array,
    work: Array,
    grad: Array,
    mean: Array,
    right: Array,
    samples: float,
    width: float,
    batch: float,
    has_flow: float,
) -> None:
    total, outputs, found = 0.0, int(width), 0
    for i in range(int(samples)):
        agreed = True
        for k in range(i * outputs, (i + 1) * outputs):
            z, t = 1.0 * logits[k], target[k]
            e = exp(-abs(z))
            # softplus(z) - t z, with softplus(z) = max(z, 0) + log(1 + exp(-|z|))
            work[k] = (-t if z < 0.0 else 1.0 - t) * z + log1p(e)
            if has_flow:
                # logistic(z) - t, written so that nothing cancels for t = 0 or 1
                yes, no = (e, 1.0) if z < 0.0 else (1.0, e)
                grad[k] = ((1.0 - t) * yes - t * no) / (1.0 + e) / batch
            agreed &= (z > 0.0) == (t > 0.5)
        found += agreed
    for k in range(int(samples) * outputs):
        total += work[k]
    mean[0], right[0] = total / batch, found


half_squares = Loop(_half_squares, (2,), sums=True, any_order=True)
"""`1/2 sum (p - t)^2 / batch`, of a prediction and a target, into the third array."""
half_squares_and_flow = Loop(_half_squares_and_flow, (2, 3), sums=True, any_order=True)
"""The same into the fourth array, with `(p - t) / batch` into the third."""
cross_entropy = Loop(_cross_entropy, (2, 3, 4, 5), sums=True)
"""`sum_i (log(sum_k exp(z[i,k])) - z[i,label[i]]) / batch`, of logits row by row and labels, into
the fifth array; the flow into the fourth, if asked for; and how many labels have the largest logit
into the sixth. The third is float64 memory of the logits' size."""
logit_entropy = Loop(_logit_entropy, (2, 3, 4, 5), sums=True)
"""`sum (softplus(z) - t z) / batch`, of logits z and targets t; else as `cross_entropy`. Right is a
sample whose every logit has the sign of its target."""
