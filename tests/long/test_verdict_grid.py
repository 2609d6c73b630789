"""Verdicts and causes over a sample of the grid; `verdict_grid.py` runs the whole of it."""

from __future__ import annotations

import pytest
from verdict_grid import Table, run_grid

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def table() -> Table:
    return run_grid(28, seed=1, of_each=8)


def test_no_right_description_is_called_a_mismatch(table: Table) -> None:
    assert table.right.total() == 28
    assert not table.false


def test_no_mutant_that_shows_is_called_a_match(table: Table) -> None:
    """Where only a bound of the size of the values explains it, the match says so."""
    assert table.mutants >= 250
    assert table.missed == []


def test_most_causes_are_named_and_hardly_any_wrongly(table: Table) -> None:
    """Not named are mainly initial states that a variant of the LSTM does not show, and causes in
    layers of two or three units and steps in half precision."""
    print(table)  # noqa: T201
    listed = table.named.total() + table.unnamed.total()
    assert table.named.total() >= 0.85 * listed
    assert len(table.wrong) <= 0.01 * table.mutants, table.wrong
