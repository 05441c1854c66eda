"""When to look: by a clock that the tests turn themselves."""

from __future__ import annotations

import pytest

from limen.insight.observing.pace import SHARE, Pace


class Clock:
    """Seconds, as told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def run(
    pace: Pace, clock: Clock, steps: int, step: float, look: float, unseen: float = 0.0
) -> tuple[float, list[int]]:
    """The time that looks took, of all; and at which steps they were."""
    spent, at = 0.0, []
    for k in range(steps):
        clock.now += step
        if pace.is_due():
            pace.spent(look)
            clock.now += look + unseen
            spent += look + unseen
            at.append(k)
    return spent, at


@pytest.mark.parametrize("step", [1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("look", [1e-4, 3e-3, 0.1])
def test_looks_take_their_share_of_the_time(step: float, look: float) -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    run(pace, clock, 10, step, look)
    began = clock.now
    spent, at = run(pace, clock, 200_000, step, look)
    share = spent / (clock.now - began)
    if look < SHARE * step:
        assert len(at) == 100_000  # every second: the others tell what a step costs
    else:
        assert len(at) > 1
        assert SHARE * 0.7 < share < SHARE * 1.1


def test_what_a_look_costs_others_counts_too() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    spent, _ = run(pace, clock, 50_000, 1e-3, 1e-3, unseen=9e-3)
    assert SHARE * 0.7 < spent / (clock.now - 100.0) < SHARE * 1.2


def test_the_first_look_is_at_the_first_step_and_the_second_soon_after() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    _, first = run(pace, clock, 1, 1e-3, 2.0)  # compiles
    _, later = run(pace, clock, 1000, 1e-3, 1e-3)
    assert first == [0]
    assert later[0] < 5
    assert len(later) > 10  # what the first one cost is forgotten


def test_pauses_are_no_steps() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    run(pace, clock, 100, 1e-3, 1e-3)
    steady = run(pace, clock, 1000, 1e-3, 1e-3)[1]
    time = pace.time
    clock.now += 1000.0  # a walk
    after = run(pace, clock, 1000, 1e-3, 1e-3)[1]
    assert abs(len(after) - len(steady)) <= 5
    assert pace.time - time < 1.5


def test_a_given_distance_is_kept_whatever_it_costs() -> None:
    clock = Clock()
    _, at = run(Pace(every=7, clock=clock), clock, 50, 1e-6, 10.0)
    assert at == list(range(0, 50, 7))


def test_what_is_set_aside_is_neither_step_nor_look() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    run(pace, clock, 200, 1e-3, 1e-3)
    looks = []
    for k in range(1000):
        clock.now += 1e-3
        if pace.is_due():
            looks.append(k)
            pace.spent(1e-3)
            clock.now += 1e-3 + 0.5
            pace.set_aside(0.5)
    assert len(looks) > 1000 * SHARE * 0.7


def test_slow_first_steps_are_forgotten() -> None:
    """Steps that compile are seconds long: looks at every step of a fast network would stay."""
    clock = Clock()
    pace = Pace(clock=clock)
    run(pace, clock, 3, 5.0, 3e-3)
    run(pace, clock, 100, 1e-3, 3e-3)
    began = clock.now
    spent, _ = run(pace, clock, 10_000, 1e-3, 3e-3)
    assert spent / (clock.now - began) < SHARE * 1.1


def test_a_pause_after_a_look_is_no_cost_of_it() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    _, at = run(pace, clock, 5, 1e-3, 3e-3)
    assert at == [0, 3]
    for _ in range(20):
        while not run(pace, clock, 1, 1e-3, 3e-3)[1]:
            pass
        clock.now += 60.0  # a validation after each of the first looks
    assert len(run(pace, clock, 10_000, 1e-3, 3e-3)[1]) > 10_000 * SHARE / 3 * 0.7
