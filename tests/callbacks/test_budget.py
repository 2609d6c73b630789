from __future__ import annotations

from itertools import pairwise

import pytest

from lstm_probe import LstmProbeError
from lstm_probe.callbacks.recording import budget as module
from lstm_probe.callbacks.recording.budget import GRACE, Budget


class Clock:
    """Stands in for the time module."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def train(budget: Budget, clock: Clock, steps: int, *, step: float, capture: float) -> list[int]:
    """The steps at which a capture was affordable."""
    taken = []
    budget.start()
    for number in range(steps):
        clock.now += step
        if budget.allows():
            clock.now += capture
            budget.spend(capture)
            taken.append(number)
    budget.stop()
    return taken


def test_captures_keep_to_the_budget_when_the_training_is_long(clock: Clock) -> None:
    budget = Budget(0.01)
    taken = train(budget, clock, 200_000, step=0.01, capture=0.005)
    assert 0.009 < budget.fraction <= 0.01
    assert budget.trained == pytest.approx(2000)
    later = [b - a for a, b in pairwise(taken) if a > 150_000]
    assert set(later) <= {49, 50, 51}  # 5 ms in 50 steps of 10 ms: evenly


def test_captures_go_on_while_the_first_seconds_are_made_up_for(clock: Clock) -> None:
    budget = Budget(0.01)
    taken = train(budget, clock, 60_000, step=0.001, capture=0.02)
    first = int(GRACE / 0.02) - 1
    gaps = [b - a for a, b in pairwise(taken[first:])]
    assert len(gaps) >= 10
    assert max(gaps) <= 4002  # 20 ms are half a hundredth of 4 s
    assert min(gaps) >= 3998
    assert taken[:first] == list(range(first))


def test_the_stretch_says_how_many_captures_are_left_out(clock: Clock) -> None:
    budget = Budget(0.01)
    taken = train(budget, clock, 20_000, step=0.001, capture=0.02)
    assert not budget.allows()
    assert budget.stretch == pytest.approx(taken[-1] - taken[-2], abs=2)


def test_nothing_is_left_out_when_all_captures_are_within_the_budget(clock: Clock) -> None:
    assert len(train(Budget(0.01), clock, 1000, step=1.0, capture=0.0099)) == 1000


def test_a_short_training_is_captured_in_full(clock: Clock) -> None:
    count = int(GRACE / 0.02) - 1
    assert len(train(Budget(0.01), clock, count, step=0.001, capture=0.02)) == count


def test_time_between_two_trainings_is_not_trained(clock: Clock) -> None:
    budget = Budget(0.01)
    train(budget, clock, 10, step=1.0, capture=0.0)
    clock.now += 1e6
    assert budget.trained == 10


def test_there_is_no_limit_when_none_is_set(clock: Clock) -> None:
    assert len(train(Budget(None), clock, 1000, step=0.001, capture=1.0)) == 1000


@pytest.mark.parametrize("limit", [None, 0.5])
def test_captures_that_a_thread_works_off_later_hold_up_none(
    clock: Clock, limit: float | None
) -> None:
    budget = Budget(limit)
    budget.start()
    for _ in range(100):
        clock.now += 0.01
        assert budget.allows()
        clock.now += 0.001
        budget.spend(0.015)  # of a processor, beside the training


@pytest.mark.parametrize("value", [0, -0.1, "1%", True, float("nan")])
def test_refuses_a_budget_when_it_is_no_fraction(value: object) -> None:
    with pytest.raises(LstmProbeError, match=r"max_overhead=.*above 0"):
        Budget(value)  # type: ignore[arg-type]
