"""Fault 43, and 44 on JAX and PyTorch: a sample of the grid in tests/long/test_purity_grid.py."""

from __future__ import annotations

from pathlib import Path

import keras
import pytest
from purity_trainings import differences

BACKEND = keras.backend.backend()
pytestmark = pytest.mark.skipif(BACKEND == "tensorflow", reason="the other backends' tests")
SAMPLE = {
    "jax": ["pure_callback, counted", "io_callback, drawn, background", "both randoms, eager"],
    "torch": [
        "buffer",
        "hidden state carried",
        "module of PyTorch's",
        "tensors in a dict",
        "torch.Generator",
        "subclassed, loop",
        "tensor kept",
    ],
}


@pytest.mark.parametrize("name", SAMPLE.get(BACKEND, []))
def test_nothing_is_left_of_a_capture(name: str, tmp_path: Path) -> None:
    control, probed = differences(keras, BACKEND, name, tmp_path)
    assert control == []
    assert probed == []
