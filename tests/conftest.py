"""What tests share: an observation made up of chosen numbers, and a browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Values:
    """A distribution that has kept all of its values."""

    def __init__(self, values: Any) -> None:
        values = np.asarray(values, np.float64).ravel()
        self.values = values[np.isfinite(values)]
        self.count, self.not_finite = values.size, values.size - self.values.size
        self.mean, self.spread = float(self.values.mean()), float(self.values.std())
        self.low, self.high = float(self.values.min()), float(self.values.max())
        self.sparsity = float((values == 0).mean())

    def histogram(self, bins: int = 64) -> tuple[Any, Any]:
        density, edges = np.histogram(self.values, bins, density=True)
        return edges, density


def moment(step: int, before: Any, after: Any, place: int) -> SimpleNamespace:
    return SimpleNamespace(
        step=step,
        pre_activation=tuple(np.quantile(before, QUANTILES)),
        activation=tuple(np.quantile(after, QUANTILES)),
        blocked=float((after == 0).mean()),
        dead=int((after == 0).all(axis=0).sum()),
        flow_in=10.0 ** (place - 3) / step,
        flow_out=10.0 ** (place - 4) / step,
        angle=45.0,
        effective_rank=3.5 + place,
        separability=0.5 + 0.1 * place,
    )


def seen_layer(place: int, name: str, function: str, moments: int) -> SimpleNamespace:
    """A layer of ReLU neurons whose pre-activations sink, one of which is dead."""
    random = np.random.default_rng(place)
    width = 6 + place
    before = [random.standard_normal((40, width)) - 0.05 * k for k in range(moments)]
    for values in before:
        values[:, 0] = -np.abs(values[:, 0]) - 0.1
    after = [np.maximum(values, 0) for values in before]
    share = (np.concatenate(after) == 0).mean(axis=0)
    history = tuple(
        moment(k + 1, *pair, place) for k, pair in enumerate(zip(before, after, strict=True))
    )
    latest = history[-1]
    neurons = SimpleNamespace(
        mean=np.concatenate(before).mean(axis=0),
        spread=np.concatenate(before).std(axis=0),
        blocked=share,
        dead=share == 1.0,
        dead_since=np.where(share == 1.0, 1, -1),
        always_on=share == 0.0,
        threshold=np.where(np.arange(width) == 1, np.nan, np.linspace(-1, 1, width)),
    )
    return SimpleNamespace(
        name=name, function=function, formula=f"formula of {function}", width=width,
        steps=moments, inputs=40 * moments, pre_activation=Values(before), activation=Values(after),
        blocked=float(share.mean()), neurons=neurons, flow_in=latest.flow_in,
        flow_out=latest.flow_out, angle=latest.angle, effective_rank=latest.effective_rank,
        separability=latest.separability, history=history,
    )  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's chromium, driven by playwright."""
    api = pytest.importorskip("playwright.sync_api", reason="needs a browser to drive")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Debian's chromium: apt-get install chromium")
    with api.sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield started
        started.close()


@pytest.fixture(scope="session")
def observed() -> Callable[..., Any]:
    """Makes an observation of layers with given names and functions."""

    def make(
        names: tuple[tuple[str, str], ...] = (("layer 1", "relu"), ("layer 3", "mish")),
        moments: int = 5,
        findings: tuple[tuple[str, str, str, str, str], ...] = (),
    ) -> SimpleNamespace:
        layers = tuple(seen_layer(k, *both, moments) for k, both in enumerate(names))
        fields = ("severity", "layer", "title", "evidence", "remedy")
        said = [SimpleNamespace(**dict(zip(fields, f, strict=True))) for f in findings]
        return SimpleNamespace(
            layers=layers, steps=moments, inputs=40 * moments, diagnosis=lambda: said
        )

    return make
