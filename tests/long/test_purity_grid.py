"""No capture changes a bit of a training: the whole grid of models whose layers keep state.

Each model is trained three times, twice without the probe, so that what the framework itself does
not repeat is told apart. `make test` runs a sample, in tests/faults/test_purity.py.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import keras
import pytest
from purity_trainings import differences
from purity_zoo import zoo

pytestmark = pytest.mark.long
BACKEND = keras.backend.backend()


def points() -> list[tuple[str, str, str]]:
    """Every model of Keras 3 on the backend in use and, on TensorFlow, of tf_keras."""
    packages = ["keras", "tf_keras"] if BACKEND == "tensorflow" else ["keras"]
    return [
        (package, BACKEND, name)
        for package in packages
        for name in zoo(importlib.import_module(package), BACKEND)
    ]


@pytest.mark.parametrize(("package", "backend", "name"), points())
def test_nothing_is_left_of_a_capture(
    package: str, backend: str, name: str, tmp_path: Path
) -> None:
    keras_package: Any = importlib.import_module(package)
    control, probed = differences(keras_package, backend, name, tmp_path)
    assert control == []
    assert probed == []


def test_the_grid_is_large() -> None:
    assert len(points()) >= 40 * (1 + (BACKEND == "tensorflow"))
