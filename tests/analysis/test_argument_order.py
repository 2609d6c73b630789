"""One order of arguments, `(snapshot, trace)`, and the old one for one more release."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import samples

import lstm_probe.analysis
from lstm_probe import analyse
from lstm_probe.analysis import measure_health
from lstm_probe.analysis.health.not_finite import first_not_finite

MOVED: list[Callable[..., Any]] = [measure_health, first_not_finite]


def test_the_snapshot_comes_first_in_every_function_that_takes_both() -> None:
    functions = [getattr(lstm_probe.analysis, name) for name in lstm_probe.analysis.__all__]
    orders = [
        list(inspect.signature(each).parameters)
        for each in (*functions, first_not_finite)
        if inspect.isfunction(each)
    ]
    both = [order for order in orders if {"snapshot", "trace"} <= {*order}]
    assert len(both) == 5
    assert all(order[:2] == ["snapshot", "trace"] for order in both)


@pytest.mark.parametrize("function", MOVED)
def test_the_old_order_works_and_names_the_new_one(
    rng: np.random.Generator, function: Callable[..., Any]
) -> None:
    snapshot = samples.snapshot(rng)
    snapshot.x[0, 2, 1] = np.nan
    trace = analyse(snapshot).trace
    with_snapshot, alone = function(snapshot, trace), function(None, trace)
    for old, expected in (
        (lambda: function(trace, snapshot), with_snapshot),
        (lambda: function(trace, snapshot=snapshot), with_snapshot),
        (lambda: function(trace), alone),
        (lambda: function(trace=trace), alone),
    ):
        with pytest.warns(DeprecationWarning, match=r"\(snapshot, trace\)") as told:
            found = old()
        assert [Path(each.filename).name for each in told] == [Path(__file__).name]
        assert source(found) == source(expected)
    assert source(with_snapshot) == "input"
    assert source(alone) == "overflow"
    assert source(function(snapshot=snapshot, trace=trace)) == "input"


def source(found: Any) -> str:
    return str(getattr(found, "not_finite", found).source)
