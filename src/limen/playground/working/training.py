"""The process of a page's model: trains between requests, and shows it as often as a page looks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any, Protocol

from limen.playground import limits
from limen.playground.requests import Request
from limen.playground.working.seeing import View
from limen.playground.working.session import Session
from limen.playground.working.stepping import walk

__all__ = ["Trainer"]

Message = dict[str, Any]
_MOMENT = 0.02  # seconds of training before the next look at what was asked


class _Pipe(Protocol):
    def take(self, timeout: float | None = None) -> Request | None: ...
    def say(self, message: Message | None, request: int = 0, *, last: bool = False) -> None: ...
    def answer(self, request: Request, answers: Iterator[Message]) -> None: ...


class Trainer:
    """Answers a page's requests about its model, and trains it meanwhile.

    A frame is sent when the model changed, the page has shown the one before, and at most
    20 times a second: however slow a page is, one frame at most is on its way.

    Args:
        pipe: where requests come from, and answers go.
    """

    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe
        self._session: Session | None = None
        self._view: View | None = None
        self._request: Request = {}
        self._watched: tuple[int, int] | None = None
        self._is_training = self._has_changed = False
        self._is_seen = True
        self._frame_at = self._step_at = 0.0
        self._do: dict[str, Callable[[Request], Iterator[Message]]] = {
            "build": self._build,
            "tune": self._tune,
            "train": self._train,
            "pause": self._pause,
            "step": self._one_step,
            "seen": self._seen,
            "neuron": self._watch,
            "sample": self._walk,
        }

    def work(self) -> None:
        """Works until the process ends."""
        while True:
            self.turn()

    def turn(self) -> None:
        """Waits for what comes first: a request, the next step, the next frame."""
        request = self._pipe.take(self._patience())
        if request is not None:
            self._pipe.answer(request, self._do[request["do"]](request))
        self._learn()
        if self._has_changed and self._is_seen and monotonic() >= self._frame_at:
            self._show()

    def _patience(self) -> float | None:
        """How long a request may be waited for."""
        due = []
        if self._is_training:
            due.append(self._step_at)
        if self._has_changed and self._is_seen:
            due.append(self._frame_at)
        return max(0.0, min(due) - monotonic()) if due else None

    def _learn(self) -> None:
        """As many steps as are due, for a moment."""
        session, end = self._session, monotonic() + _MOMENT
        while self._is_training and session is not None and (now := monotonic()) < end:
            if now < self._step_at:
                return
            # A process that was late does not hurry after.
            between = 1.0 / (self._request["pace"] * session.batches)
            self._step_at = max(self._step_at + between, now - _MOMENT)
            self._step(session)

    def _step(self, session: Session) -> None:
        value = session.learn()
        self._has_changed = True
        if not math.isfinite(value):
            self._is_training = False
            text = f"The loss became {value}: training has stopped. Try a smaller learning rate."
            self._pipe.say({"kind": "diverged", "message": text})

    def _show(self) -> None:
        assert self._view is not None
        self._pipe.say({**self._view.frame(self._watched), "training": self._is_training})
        self._has_changed = self._is_seen = False
        self._frame_at = monotonic() + limits.FRAME_SECONDS

    # What a page may ask.

    def _build(self, request: Request) -> Iterator[Message]:
        self._session = self._view = None
        self._is_training = self._has_changed = False
        session = Session(request)
        self._session, self._view, self._request = session, View(session), request
        self._watched = None
        # The page that asked has no frame of this model to look at yet.
        self._has_changed = self._is_seen = True
        self._frame_at = 0.0
        yield self._view.describe()

    def _tune(self, request: Request) -> Iterator[Message]:
        if self._session is not None:
            self._session.optimizer.learning_rate = request["rate"]
            self._request = {**self._request, "rate": request["rate"], "pace": request["pace"]}
        yield from ()

    def _train(self, request: Request) -> Iterator[Message]:
        self._is_training = self._session is not None
        self._step_at = monotonic()
        yield self._state()

    def _pause(self, request: Request) -> Iterator[Message]:
        self._is_training = False
        yield self._state()

    def _one_step(self, request: Request) -> Iterator[Message]:
        self._is_training = False
        if self._session is not None:
            self._step(self._session)
        yield self._state()

    def _seen(self, request: Request) -> Iterator[Message]:
        self._is_seen = True
        yield from ()

    def _watch(self, request: Request) -> Iterator[Message]:
        self._watched = (request["layer"], request["neuron"]) if request["layer"] >= 0 else None
        if self._watched is not None and self._view is not None:
            yield {"kind": "neuron", "neuron": self._view.neuron(*self._watched)}

    def _walk(self, request: Request) -> Iterator[Message]:
        if self._session is not None:
            yield walk(self._session, request["index"])

    def _state(self) -> Message:
        return {"kind": "state", "training": self._is_training}
