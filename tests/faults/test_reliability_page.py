"""docs/reliability.md names tests; they are there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from guards import GUARDS

TESTS = Path(__file__).resolve().parent.parent
PAGE = (TESTS.parent / "docs" / "reliability.md").read_text()


def test_every_test_that_holds_a_promise_is_there() -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)
    assert len(named) > 40
    for file, name in named:
        assert f"def {name}(" in (TESTS / file).read_text(), f"{file}::{name}"


def test_every_fault_and_invariant_has_a_line() -> None:
    invariants, faults = PAGE.split("## Faults")
    assert numbers(invariants) == [*range(1, 11)]
    assert numbers(faults) == sorted({guard.fault for guard in GUARDS})


def numbers(part: str) -> list[int]:
    return [int(number) for number in re.findall(r"^\| (\d+) \|", part, re.M)]
