"""Every test is in one share, and the further cases of a slow test are long."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest
from shares import as_share, is_of_share, mark_long

pytest_plugins = ["pytester"]


def test_every_test_is_in_one_of_the_shares(request: pytest.FixtureRequest) -> None:
    for item in request.session.items:
        assert sum(is_of_share(item, (number, 4)) for number in range(4)) == 1


def test_the_day_of_the_year_may_be_any_number(request: pytest.FixtureRequest) -> None:
    (share,) = [number for number in range(4) if is_of_share(request.node, (number, 4))]
    assert is_of_share(request.node, (share + 360, 4))


@pytest.mark.parametrize("text", ["", "1", "1/0", "1/4/2", "-1/4", "a/4", "1/b"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="Expected: k/n"):
        as_share(text)


def test_the_first_cases_of_a_test_are_run_every_day(pytester: pytest.Pytester) -> None:
    path = pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(5))
        @pytest.mark.daily(2)
        def test_slow(number): ...

        @pytest.mark.parametrize("number", range(3))
        def test_fast(number): ...
        """
    )
    items = pytester.getitems(path.read_text())
    mark_long(items)
    long = [item.name for item in items if item.get_closest_marker("long")]
    assert long == ["test_slow[2]", "test_slow[3]", "test_slow[4]"]
