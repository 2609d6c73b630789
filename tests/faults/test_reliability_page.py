"""docs/reliability.md names tests; they are there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
PAGE = (TESTS.parent / "docs" / "reliability.md").read_text()


def test_every_test_that_holds_a_promise_is_there() -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)
    assert len(named) > 40
    for file, name in named:
        assert f"def {name}(" in (TESTS / file).read_text(), f"{file}::{name}"


def test_every_fault_and_invariant_has_a_line() -> None:
    invariants, faults = PAGE.split("## Faults")
    for part, count in ((invariants, 10), (faults, 38)):
        assert re.findall(r"^\| (\d+) \|", part, re.M) == [str(n + 1) for n in range(count)]
