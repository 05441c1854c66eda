"""How much a representation holds: its effective rank, and what a linear map reads from it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["effective_rank", "separability"]

Array = NDArray[Any]
_RIDGE = 1e-3  # of the mean variance: enough to invert, too little to matter where data decide


def effective_rank(representation: Array) -> float | None:
    """How many directions samples spread in: exp(entropy of the normalised singular values).

    Of the representation around its mean, since a shift common to all samples tells none from
    another. 0 where all samples are the same, None where there are fewer than two.

    Args:
        representation: `(samples, width)`; at most min(samples - 1, width) can come out.

    Source:
        Roy and Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO 2007.

    Example:
        >>> import numpy as np
        >>> circle = np.linspace(0.0, 2.0 * np.pi, 100, endpoint=False)
        >>> round(effective_rank(np.stack([np.cos(circle), np.sin(circle), 0 * circle], axis=1)), 6)
        2.0
    """
    kept = _finite_rows(representation)
    if len(kept) < 2:
        return None
    scale = np.abs(kept).max()
    apart = (kept - kept.mean(axis=0)) / (scale or 1.0)
    wide = apart.shape[0] < apart.shape[1]
    squares = np.linalg.eigvalsh(apart @ apart.T if wide else apart.T @ apart)
    # Eigenvalues of rounding alone: of all equal samples, everything.
    noise = (np.finfo(np.float32).eps) ** 2 * apart.size
    singular = np.sqrt(squares[squares > max(noise, squares[-1] * np.finfo(float).eps)])
    if not singular.size:
        return 0.0
    shares = singular / singular.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def separability(representation: Array, labels: Array) -> float | None:
    """The share of labels that a linear map of the representation gets right.

    The map is ridge regression onto the classes, fitted on every other sample and judged on the
    rest, so that a wide layer gains nothing by learning samples by heart. None where there is
    nothing to tell: fewer than two classes, or rows that are not finite only.

    Args:
        representation: `(samples, width)`.
        labels: `(samples,)`, one whole number each.

    Source:
        Alain and Bengio, "Understanding intermediate layers using linear classifier probes",
        ICLR 2017 workshop; theirs is a softmax regression, trained until it stands still.
    """
    which = np.isfinite(representation).all(axis=1)
    kept, labels = representation[which].astype(np.float64), labels[which]
    classes, targets = np.unique(labels, return_inverse=True)
    if len(classes) < 2 or len(kept) < 4:
        return None
    fit, judged = kept[0::2], kept[1::2]
    mean = fit.mean(axis=0)
    scale = np.abs(fit - mean).max() or 1.0
    fit, judged = (fit - mean) / scale, (judged - mean) / scale
    wanted = np.eye(len(classes))[targets[0::2]]
    centre = wanted.mean(axis=0)
    guess = judged @ _ridge(fit, wanted - centre) + centre
    return float(np.mean(guess.argmax(axis=1) == targets[1::2]))


def _ridge(x: Array, y: Array) -> Array:
    """The weights of ridge regression, by the smaller of the two systems that give them."""
    samples, width = x.shape
    strength = _RIDGE * np.sum(x * x) / width + np.finfo(float).tiny
    if width <= samples:
        return np.linalg.solve(x.T @ x + strength * np.eye(width), x.T @ y)
    result: Array = x.T @ np.linalg.solve(x @ x.T + strength * np.eye(samples), y)
    return result


def _finite_rows(representation: Array) -> Array:
    which = np.isfinite(representation).all(axis=1)
    return representation[which].astype(np.float64)
