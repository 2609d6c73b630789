from __future__ import annotations

import logging

import pytest

from lstm_probe.callbacks.recording.guard import Guard


def test_returns_the_result_when_nothing_fails() -> None:
    assert Guard().run("adding", lambda: 1 + 1) == 2


def test_warns_once_for_each_cause_when_the_same_line_fails_often(
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard = Guard()
    number = 0

    def fail() -> None:
        nonlocal number
        number += 1
        raise OSError(f"no space for record {number}")

    for _ in range(1000):
        assert guard.run("capturing at step 5", fail) is None
    guard.run("adding", lambda: 1 / 0)
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 2
    assert "capturing at step 5" in warnings[0]
    assert "OSError: no space for record 1" in warnings[0]
    assert sorted(guard.failures.values()) == [1, 1000]
    assert all(record.levelno == logging.WARNING for record in caplog.records)


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit])
def test_lets_the_user_out_when_they_interrupt(signal: type[BaseException]) -> None:
    def interrupt() -> None:
        raise signal

    with pytest.raises(signal):
        Guard().run("anything", interrupt)
