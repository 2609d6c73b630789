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


def test_every_public_name_is_there() -> None:
    import lstm_probe

    assert all(getattr(lstm_probe, name) is not None for name in lstm_probe.__all__)
    assert set(lstm_probe.__all__) <= set(dir(lstm_probe))


def test_no_framework_is_loaded_when_callbacks_are_imported() -> None:
    loaded = loaded_by("import lstm_probe.callbacks, lstm_probe.logs")
    assert not loaded.intersection({"tensorflow", "keras", "tf_keras", "torch", "jax"})


def test_tensorboard_imports_nothing_but_its_own_base_to_find_the_tab() -> None:
    loaded = loaded_by("import lstm_probe.explorer.plugin_loader")
    assert not loaded.intersection({*HEAVY, "safetensors"} - {"tensorboard"})


def test_no_top_level_package_is_called_callbacks() -> None:
    code = "import importlib.util; print(importlib.util.find_spec('callbacks'))"
    assert output_of(code).strip() == "None"


def test_numpy_is_enough_to_recompute_and_compare() -> None:
    code = """
import sys

class OnlyNumPy:
    def find_spec(self, name, path=None, target=None):
        root = name.partition(".")[0]
        if root not in {"lstm_probe", "numpy", "_distutils_hack"} | sys.stdlib_module_names:
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, OnlyNumPy())
import numpy as np, lstm_probe
w = lstm_probe.weights.from_keras(np.ones((3, 8)), np.ones((2, 8)))
x = np.ones((1, 5, 3))
seen = lstm_probe.Snapshot(
    0, "memory", lstm_probe.LstmCell(), w, x=x, output=lstm_probe.lstm(x, w).h
)
print(lstm_probe.analyse(seen).parity.verdict)
"""
    assert output_of(code).strip() == "match"
