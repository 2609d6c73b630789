"""The guards against the faults that only JAX or PyTorch has: without them the tests fail."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "faults"))
import guards

BACKEND = keras.backend.backend()
pytestmark = pytest.mark.skipif(BACKEND == "tensorflow", reason="the other backends' tests")


@pytest.mark.parametrize(
    "guard",
    [guard for guard in guards.GUARDS if guard.file == f"models/keras/on_{BACKEND}.py"],
    ids=str,
)
def test_the_test_fails_without_the_guard(guard: guards.Guard, tmp_path: Path) -> None:
    failed, said = guards.fails(guard, tmp_path)
    assert failed, said
