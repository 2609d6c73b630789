from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import lstm_probe

MODULES = [m.name for m in pkgutil.walk_packages(lstm_probe.__path__, "lstm_probe.")]
#: What modules need that is not in every environment, by how their names begin.
NEEDS = {
    "lstm_probe.models.keras.on_jax": "jax",
    "lstm_probe.models.keras.on_torch": "torch",
    "lstm_probe.models.torch.": "torch",
    "lstm_probe.callbacks.torch_": "torch",
    "lstm_probe.callbacks.lightning": "lightning",
    "lstm_probe.callbacks.huggingface": "transformers",
}


@pytest.mark.parametrize("name", ["lstm_probe", *MODULES])
def test_examples_in_docstrings_run(name: str) -> None:
    for start, framework in NEEDS.items():
        if name.startswith(start):
            pytest.importorskip(framework)
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_public_functions_and_classes_have_examples() -> None:
    finder = doctest.DocTestFinder(recurse=False)
    without = [
        name
        for name in lstm_probe.__all__
        if callable(item := getattr(lstm_probe, name))
        and not any(test.examples for test in finder.find(item, name))
    ]
    assert without == []
