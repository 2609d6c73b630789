"""Which tests run every day, which among the long ones, and which share of these."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Sequence
from zlib import crc32

import pytest

__all__ = ["as_share", "is_of_share", "mark_long"]

#: Files that try the same with Keras 3 and with Keras 2: with Keras 2 among the long tests.
_TWINS = {
    "test_forward.py",
    "test_labels_of_probes.py",
    "test_programs_by_hand.py",
    "test_public_programs_inputs.py",
    "test_purity.py",
}
#: Slower than all others of their file, which try the same with smaller models.
_SLOW = ("test_three_bidirectional_layers_are_chained[tf_keras-SavedModel]",)


def mark_long(items: Sequence[pytest.Item]) -> None:
    """Mark as long what another test of the same file does as well, in less time.

    That is what `_TWINS` and `_SLOW` name, and of a test with `@pytest.mark.daily(n)` all cases but
    the first `n`.
    """
    seen: Counter[str] = Counter()
    for item in items:
        daily = item.get_closest_marker("daily")
        test = item.nodeid.partition("[")[0]
        seen[test] += 1
        is_further = daily is not None and seen[test] > daily.args[0]
        is_twin = item.path.name in _TWINS and "tf_keras" in item.name
        if is_further or is_twin or item.name in _SLOW:
            item.add_marker(pytest.mark.long)


def as_share(text: str) -> tuple[int, int]:
    """The numbers of `k/n`.

    Raises:
        ArgumentTypeError: the text is another one.

    Example:
        >>> as_share("1/4")
        (1, 4)
    """
    matched = re.fullmatch(r"(\d+)/([1-9]\d*)", text)
    if matched is None:
        raise ArgumentTypeError(f"Received: {text}. Expected: k/n, such as 0/4.")
    return int(matched[1]), int(matched[2])


def is_of_share(item: pytest.Item, share: tuple[int, int]) -> bool:
    """Whether a test is in the `k`-th of `n` shares, of which `k` and `k + n` are the same."""
    number, parts = share
    return crc32(item.nodeid.encode()) % parts == number % parts
