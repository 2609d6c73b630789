from __future__ import annotations

import pytest

from lstm_probe import LstmProbeError
from lstm_probe.callbacks.schedule import StepWatch


def captures(
    every: int, advances: list[int], start: int = 0, *, steady: bool = False
) -> tuple[list[int], int]:
    """The steps at which a watch is due, and how often it read the step."""
    step, reads = start, 0

    def read() -> int:
        nonlocal reads
        reads += 1
        return step

    watch = StepWatch(every, read, steady=steady)
    watch.start()
    due = []
    for advance in advances:
        step += advance
        if (at := watch.due()) is not None:
            due.append(at)
    return due, reads


@pytest.mark.parametrize("every", [1, 2, 7, 10, 100])
def test_captures_at_each_multiple_when_steps_advance_by_one(every: int) -> None:
    due, _ = captures(every, [1] * 350)
    assert due == list(range(every, 351, every))


@pytest.mark.parametrize("size", [2, 3, 4, 5, 7, 32])
def test_captures_where_the_multiple_is_crossed_when_steps_advance_by_several(size: int) -> None:
    due, _ = captures(10, [size] * 60)
    steps = range(size, 60 * size + 1, size)
    assert due == [s for s in steps if s // 10 > (s - size) // 10]


def test_captures_the_next_multiple_when_training_resumes_in_between() -> None:
    due, _ = captures(100, [1] * 200, start=150)
    assert due == [200, 300]


def test_is_late_by_at_most_one_call_when_the_pace_doubles() -> None:
    # steps_per_execution="auto" doubles the steps of a call while it tunes
    advances = [1] * 40 + [2] * 40 + [4] * 40
    due, _ = captures(50, advances)
    assert due == [50, 100, 152, 200, 252]


def test_reads_the_step_rarely_when_the_interval_is_long() -> None:
    _, reads = captures(1000, [1] * 10_000)
    assert reads < 200


@pytest.mark.parametrize("pace", [1, 4, 5])
@pytest.mark.parametrize("every", [1, 20, 100])
def test_reads_the_step_only_where_it_is_due_when_the_pace_is_steady(every: int, pace: int) -> None:
    due, reads = captures(every, [pace] * 2000, steady=True)
    assert due == captures(every, [pace] * 2000)[0]
    assert reads <= 2 * len(due) + 2


def test_is_late_once_when_a_steady_pace_grows_after_all() -> None:
    due, _ = captures(50, [1] * 60 + [2] * 100 + [4] * 100, steady=True)
    assert due == [50, 140, 150, 200, 250, 300, 352, 400, 452, 500, 552, 600, 652]


@pytest.mark.parametrize("every", [0, -1, 2.5, "10", True, None])
def test_refuses_an_interval_when_it_is_not_a_positive_whole_number(every: object) -> None:
    with pytest.raises(LstmProbeError, match=r"every=.*at least 1"):
        StepWatch(every, lambda: 0)  # type: ignore[arg-type]
