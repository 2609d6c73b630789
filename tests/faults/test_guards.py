"""Each test of a fault has been seen to fail: without the guard, it does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import guards
import pytest
from guards import GUARDS, Guard

OTHERS = ("models/keras/on_jax.py", "models/keras/on_torch.py")
ON_TENSORFLOW = [guard for guard in GUARDS if guard.file not in OTHERS]
Outcome = tuple[bool, str]


def test_the_faults_of_the_first_list_have_guards() -> None:
    """docs/reliability.md and the list are held against each other: test_reliability_page.py."""
    assert {guard.fault for guard in GUARDS} >= {*range(1, 39)}


@pytest.mark.parametrize("guard", GUARDS, ids=str)
def test_the_guard_is_where_it_is_said_to_be(guard: Guard) -> None:
    source = (guards.package() / guard.file).read_text()
    for old, _ in guard.changes:
        assert source.count(old) == 1, f"say in {guards.LIST.name} what the guard is now: {old}"
    file, _, name = re.sub(r"\[.*", "", guard.test).partition("::")
    assert f"def {name}(" in (guards.TESTS / file).read_text()


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[Guard, Future[Outcome]]]:
    """The tests that are asked for, two at a time, each without its guard."""
    asked = [item for item in request.session.items if "outcomes" in item.fixturenames]
    with ThreadPoolExecutor(2) as pool:
        yield {
            guard: pool.submit(guards.fails, guard, tmp_path_factory.mktemp("broken"))
            for guard in (item.callspec.params["guard"] for item in asked)
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.long
@pytest.mark.parametrize("guard", ON_TENSORFLOW, ids=str)
def test_the_test_fails_without_the_guard(
    guard: Guard, outcomes: Mapping[Guard, Future[Outcome]]
) -> None:
    failed, said = outcomes[guard].result()
    assert failed, said


@pytest.mark.long
def test_a_test_passes_with_its_guard(tmp_path: Path) -> None:
    """So that a test which fails on any copy of the package proves nothing."""
    sound = Guard(0, ON_TENSORFLOW[4].test, ON_TENSORFLOW[4].file, ())
    failed, said = guards.fails(sound, tmp_path)
    assert not failed
    assert "1 passed" in said
