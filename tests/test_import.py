from __future__ import annotations

import subprocess
import sys
import tempfile

HEAVY = ("tensorflow", "keras", "tf_keras", "torch", "jax", "matplotlib", "tensorboard", "PIL")


def output_of(code: str) -> str:
    """What a fresh Python prints; it starts elsewhere, so that the installed package is meant."""
    return subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=tempfile.gettempdir(),
    ).stdout


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    return set(output_of(code).split())


def test_nothing_heavy_is_loaded_when_the_core_is_imported() -> None:
    assert "numpy" in loaded_by("import lstm_probe")
    assert not loaded_by("import lstm_probe").intersection(HEAVY)


def test_no_framework_is_loaded_when_callbacks_are_imported() -> None:
    loaded = loaded_by("import lstm_probe.callbacks, lstm_probe.logging")
    assert not loaded.intersection({"tensorflow", "keras", "tf_keras", "torch", "jax"})


def test_no_top_level_package_is_called_callbacks() -> None:
    code = "import importlib.util; print(importlib.util.find_spec('callbacks'))"
    assert output_of(code).strip() == "None"
