"""Which tests run every day, which among the long ones, and which share of the grids."""

from __future__ import annotations

import os
from collections.abc import Sequence
from zlib import crc32

import pytest

__all__ = ["is_left_out", "mark_twins"]

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
#: Long tests of one thing over many cases, of which `LSTM_PROBE_PART=1/4` runs a quarter.
_GRIDS = {
    "test_cli_mutated_files.py",
    "test_guards.py",
    "test_invariants.py",
    "test_layer_grid.py",
    "test_purity_grid.py",
    "test_purity_sessions.py",
}


def mark_twins(items: Sequence[pytest.Item]) -> None:
    """Mark as long what another test of the same file does as well, in less time."""
    for item in items:
        is_twin = item.path.name in _TWINS and "tf_keras" in item.name
        if is_twin or item.name in _SLOW:
            item.add_marker(pytest.mark.long)


def is_left_out(item: pytest.Item) -> bool:
    """Whether `LSTM_PROBE_PART=k/n` in the environment leaves a test of a grid to another day."""
    part = os.environ.get("LSTM_PROBE_PART")
    if not part or item.path.name not in _GRIDS or item.get_closest_marker("long") is None:
        return False
    number, parts = map(int, part.split("/"))
    return crc32(item.nodeid.encode()) % parts != number % parts
