"""Addresses without a file: of moved modules, of the callbacks in a checkout, of the command."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from checkout import ROOT

import lstm_probe
from lstm_probe.core.addresses import MOVED


def output_of(*command: str, cwd: Path) -> str:
    """What a fresh Python says that does not look anywhere but where it would by itself."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=cwd, env=environment
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


@pytest.mark.parametrize("old", MOVED)
def test_an_old_address_gives_the_module_that_has_moved(old: str) -> None:
    assert import_module(old) is import_module(MOVED[old])
    assert getattr(lstm_probe, old.partition(".")[2]) is import_module(MOVED[old])


def test_the_module_is_not_another_when_it_is_imported_by_an_old_address() -> None:
    name = MOVED["lstm_probe.report"]
    import_module("lstm_probe.report")
    assert sys.modules[name].__name__ == name
    assert sys.modules[name].__spec__ is not None
    assert sys.modules[name].__spec__.name == name


def test_a_trace_that_was_pickled_before_the_move_is_read() -> None:
    trace = lstm_probe.GateTrace({"h": np.zeros((1, 5, 2))}, {"h": None}, cell="lstm")
    data = pickle.dumps(trace, protocol=0)
    assert b"lstm_probe.core.trace" in data
    old = pickle.loads(data.replace(b"lstm_probe.core.trace", b"lstm_probe.trace"))
    assert type(old) is lstm_probe.GateTrace
    assert old.cell == "lstm"


@pytest.mark.parametrize("name", ["lstm_probe.tests", "lstm_probe.never_was"])
def test_nothing_else_is_found(name: str) -> None:
    with pytest.raises(ModuleNotFoundError):
        import_module(name)
    with pytest.raises(AttributeError):
        getattr(lstm_probe, name.partition(".")[2])


def test_callbacks_are_found_in_the_root_of_a_checkout() -> None:
    if not (ROOT / "lstm_probe").is_dir():
        pytest.skip("the tests are not in a checkout")
    code = (
        "from lstm_probe.callbacks import ProbeCallback; import lstm_probe; "
        "from lstm_probe.callbacks import recording; "
        "print(lstm_probe.__file__, recording.__file__, ProbeCallback.__module__)"
    )
    package, recording, module = output_of("-c", code, cwd=ROOT).split("\n")[-1].split()
    assert Path(package) == ROOT / "lstm_probe" / "__init__.py"
    assert Path(recording) == ROOT / "callbacks" / "recording" / "__init__.py"
    assert module == "lstm_probe.callbacks.keras_callback"


def test_nothing_else_of_a_checkout_is_taken_for_a_part_of_the_package() -> None:
    if not (ROOT / "lstm_probe").is_dir():
        pytest.skip("the tests are not in a checkout")
    code = (
        "from importlib.util import find_spec; import lstm_probe; "
        "print(find_spec('lstm_probe.tests'), find_spec('lstm_probe.examples'))"
    )
    assert output_of("-c", code, cwd=ROOT) == "None None"


def test_the_package_runs_as_the_command() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "lstm_probe", "--version"], capture_output=True, text=True
    )
    assert process.stdout.strip() == f"lstm-probe {lstm_probe.__version__}", process.stderr
