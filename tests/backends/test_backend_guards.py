"""The guard against the fault that only JAX has: without it the test fails."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "faults"))
import guards

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="only on JAX")


@pytest.mark.parametrize(
    "guard", [guard for guard in guards.GUARDS if guard.file == "models/keras/on_jax.py"], ids=str
)
def test_the_test_fails_without_the_guard(guard: guards.Guard, tmp_path: Path) -> None:
    failed, said = guards.fails(guard, tmp_path)
    assert failed, said
