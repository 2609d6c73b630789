from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import lstm_probe

MODULES = [m.name for m in pkgutil.walk_packages(lstm_probe.__path__, "lstm_probe.")]


@pytest.mark.parametrize("name", ["lstm_probe", *MODULES])
def test_examples_in_docstrings_run(name: str) -> None:
    backend = name.rpartition(".")[2].removeprefix("on_")
    if backend in ("jax", "torch"):
        pytest.importorskip(backend)
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
