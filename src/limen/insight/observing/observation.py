"""`limen.observe`: a network watched while it trains or predicts."""

from __future__ import annotations

import sys
from threading import RLock
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import OrderError, ShapeError
from limen.function import ActivationFunction
from limen.insight.observing import table
from limen.insight.observing.network import Network
from limen.insight.observing.pace import SHARE, Pace
from limen.insight.observing.representation import effective_rank, separability
from limen.insight.observing.seen import SeenLayer
from limen.insight.observing.tally import Tally
from limen.layers import Model
from limen.layers.blas import ONE_THREAD

if TYPE_CHECKING:
    from os import PathLike

    from limen.insight.diagnosis import Diagnosis

__all__ = ["Observation", "observe"]

Array = NDArray[Any]

ROWS = 256
"""The most rows (samples, positions) looked at in a step."""

_NUMBERS = 1 << 17  # of a layer, at most: a wide layer is looked at in fewer rows
_FEWEST_ROWS = 16
_PROBE = 1024  # samples of the probe: the answer is then within 3 points, with 95% confidence
_JUDGING = 0.01  # of the time: what judging representations may take
_MOST_LAYERS = 512  # accounts opened: a network that calls ever new shapes stays in bounds


class Observation:
    """What is seen of a network, during and after a `with`.

    Made by `limen.observe`; reading it takes a snapshot.
    """

    def __init__(
        self, model: Any, *, probe: Any = None, every: int | None = None, rows: int = ROWS
    ) -> None:
        self._pace = Pace(SHARE, every)
        self._judges_always = every is not None
        self._rows = rows
        self._probe = _checked_probe(probe)
        self._random = np.random.default_rng(0)  # which rows: the same in every run
        self._tallies: dict[Any, Tally] = {}
        self._lock = RLock()  # autograd calls hooks from threads of its own
        self._judged, self._judging, self._judge_cost = -1, 0.0, 0.0
        self.steps = self.inputs = 0
        self._network = _network(model, self)
        self._is_open = False

    # --- For the user --------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and copy: what was seen, to be read, without the network."""
        left = {"_lock", "_network", "_probe"}
        return {k: v for k, v in vars(self).items() if k not in left} | {"_is_open": False}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=RLock(), _probe=None)

    def __enter__(self) -> Observation:
        if not hasattr(self, "_network"):
            raise OrderError("this is a copy of what was seen: limen.observe watches a network")
        if self._is_open:
            raise OrderError("this observation is open already: limen.observe makes another")
        self._network.start()
        self._is_open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._is_open = False
        self._network.stop()
        if kind is None and self._judged < self.step:
            with self._lock:
                self._judge()

    @property
    def layers(self) -> tuple[SeenLayer, ...]:
        """The activation layers, in the order in which the first pass met them."""
        with self._lock:
            tallies = list(self._tallies.values())
            return tuple(tally.seen(self.steps, self.inputs) for tally in tallies)

    def diagnosis(self) -> Diagnosis:
        """What is wrong with the network, most serious first; see `limen.insight.diagnosis`."""
        from limen.insight.diagnosis import diagnose

        return diagnose(self.layers)

    def report(self, path: str | PathLike[str]) -> Any:
        """Writes a page on everything seen; see `limen.insight.report`."""
        from limen.insight.report import report

        return report(self, path)

    def __repr__(self) -> str:
        return table.as_text(self)

    def _repr_html_(self) -> str:
        return table.as_html(self)

    # --- For the network that is watched -------------------------------------------------

    @property
    def step(self) -> int:
        """The present one, counted from 0."""
        return self.steps - 1

    def begins(self, inputs: int) -> bool:
        """A pass with so many samples; whether to look at it."""
        # Without the lock, which costs a small network 1% here: two threads that call at the very
        # same time may count one step for two.
        self.steps += 1
        self.inputs += inputs
        return self._pace.is_due()

    def tally(self, key: Any, name: str, function: ActivationFunction | str, width: int) -> Tally:
        """The account of a layer, opened when it is first met; one for nothing if too many are."""
        with self._lock:
            found = self._tallies.get((key, width))
            if found is None:
                found = Tally(name, width)
                if len(self._tallies) < _MOST_LAYERS:
                    self._tallies[key, width] = found
            found.function = function
            return found

    def rows(self, count: int, width: int) -> Array | slice:
        """Which of so many rows to look at: all, or some drawn evenly."""
        return self._drawn(count, min(self._rows, max(_NUMBERS // max(width, 1), _FEWEST_ROWS)))

    def probe_rows(self, count: int, width: int) -> Array | slice:
        """Which rows of a probe: all samples, or so many of their positions."""
        return self._drawn(count, _PROBE)

    def _drawn(self, count: int, most: int) -> Array | slice:
        if count <= most:
            return slice(None)
        return np.sort(self._random.integers(0, count, most))

    def ends(self, seconds: float) -> None:
        """The look at a pass went so far; judges representations if there is time for that."""
        self.costs(seconds)
        with self._lock:
            may = self._judging + self._judge_cost <= _JUDGING * self._pace.time
            if may or self._judges_always or self._judged < 0:
                self._judge()

    def costs(self, seconds: float) -> None:
        """What looking cost beside."""
        with self._lock:
            self._pace.spent(seconds)

    def _judge(self) -> None:
        """Effective rank and separability, of every layer at this step."""
        if not self._tallies:
            return
        began = perf_counter()
        with ONE_THREAD:  # more would go on spinning, beside those of the network
            self._judge_all()
        self._judge_cost = perf_counter() - began
        self._judging += self._judge_cost
        self._judged = self.step
        self._pace.set_aside(self._judge_cost)

    def _judge_all(self) -> None:
        if self._probe is None:
            for tally in self._tallies.values():
                tally.judge()
            return
        x, labels = self._probe
        try:
            for tally, look, representation in self._network.represent(x):
                rank = effective_rank(representation)
                told = separability(representation, labels)
                tally.judge_probe(self.step, look, rank, told)
        except Exception as error:  # in the midst of a training, whose data it is not about
            error.add_note("This was said of the probe that limen.observe was given.")
            raise


def observe(
    model: Any, *, probe: Any = None, every: int | None = None, rows: int = ROWS
) -> Observation:
    """Watches a network's activations while it trains or predicts.

    Use it in a `with`; nothing of it stays on the network afterwards, also after an exception.
    It looks at some steps and some rows only, so that the network is at most 10% slower, and keeps
    the same memory however long it looks. What it says is said of what it looked at.

    Args:
        model: a `limen.Model`, or any `torch.nn.Module`, compiled and DDP ones included.
        probe: data `(x, y)` with class labels, on which each layer's representation is judged from
            time to time; it is run through the network without training it. At most 1,024 samples
            of it are taken.
        every: look at every so manieth step, whatever that costs; by the time it takes if left out.
        rows: the most rows (samples, positions of an image or text) looked at in a step.

    Returns:
        The `Observation`: `layers`, `diagnosis()`, `report(path)`.

    Raises:
        TypeError: for what is neither kind of model.
        ShapeError: for a probe whose parts do not go together.
        MissingPackageError: for a PyTorch model whose parts limen cannot load.

    Example:
        >>> import limen
        >>> model = limen.Model([limen.Linear(2, 3), limen.Activation("relu")])
        >>> with limen.observe(model) as seen:
        ...     _ = model.predict([[1.0, 2.0], [-1.0, 0.5]])
        >>> seen.layers[0].name, seen.layers[0].width, seen.inputs
        ('layer 1', 3, 2)
    """
    for what, number in (("every", every), ("rows", rows)):
        if number is not None and not (isinstance(number, int) and number >= 1):
            raise ValueError(f"observe: {what} must be a whole number from 1, given {number!r}")
    return Observation(model, probe=probe, every=every, rows=rows)


def _network(model: Any, observation: Observation) -> Network:
    if isinstance(model, Model):
        from limen.insight.observing.own import OwnNetwork

        return OwnNetwork(model, observation)
    torch = sys.modules.get("torch")  # whoever holds a module of PyTorch has loaded it
    if torch is not None and isinstance(model, torch.nn.Module):
        from limen.insight.observing.pytorch import TorchNetwork

        return TorchNetwork(model, observation)
    raise TypeError(f"observe: expected a limen.Model or a torch.nn.Module, given {model!r}")


def _checked_probe(probe: Any) -> tuple[Any, Array] | None:
    if probe is None:
        return None
    if not isinstance(probe, tuple | list) or len(probe) != 2:
        raise TypeError(f"observe: probe must be a pair (x, y), given {type(probe).__name__}")
    x, y = probe
    labels = np.asarray(y.detach().cpu() if hasattr(y, "detach") else y)
    if labels.ndim != 1 or not labels.size:
        raise ShapeError(
            f"observe: the probe's labels must be (samples,), at least one, given {labels.shape}"
        )
    if len(x) != len(labels):
        raise ShapeError(f"observe: the probe has {len(x)} inputs, but {len(labels)} labels")
    if len(labels) > _PROBE:
        some = np.sort(np.random.default_rng(0).permutation(len(labels))[:_PROBE])
        x, labels = (x if hasattr(x, "shape") else np.asarray(x))[some], labels[some]
    return x, labels
