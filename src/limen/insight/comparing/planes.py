"""Two-dimensional data sets, on which a neuron's response can be drawn as a picture."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["PLANES"]

_SAMPLES = 400
_TURNS = 1.5  # of each arm of the spirals


def _made(maker: str, **settings: Any) -> tuple[Any, Any]:
    make = getattr(importlib.import_module("sklearn.datasets"), maker)
    inputs, targets = make(_SAMPLES, random_state=0, **settings)
    return inputs, targets


def _xor() -> tuple[Any, Any]:
    """Four corners: opposite ones belong together, so that no straight line parts the classes."""
    inputs = np.random.default_rng(0).uniform(-1.0, 1.0, (_SAMPLES, 2))
    return inputs, (inputs[:, 0] * inputs[:, 1] > 0).astype(np.int64)


def _spirals() -> tuple[Any, Any]:
    """Two arms around one another (after Lang and Witbrock 1988, with noise)."""
    random = np.random.default_rng(0)
    half = _SAMPLES // 2
    along = 2 * np.pi * _TURNS * np.sqrt(random.random(half))
    arm = np.stack([along * np.cos(along), along * np.sin(along)], axis=1)
    arm += random.normal(0.0, 0.3, arm.shape)
    return np.concatenate([arm, -arm]), np.repeat([0, 1], half)


PLANES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "moons": lambda: _made("make_moons", noise=0.15),
    "circles": lambda: _made("make_circles", noise=0.08, factor=0.5),
    "blobs": lambda: _made("make_blobs", centers=3),
    "xor": _xor,
    "spirals": _spirals,
}
"""By name: two half moons, a ring in a ring, three clouds, four corners, two spirals; 400 samples
each."""
