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
from lstm_probe.core.addresses import FORMER_PACKAGES, MODULES, NAMES


def output_of(*command: str, cwd: Path) -> str:
    """What a fresh Python says that does not look anywhere but where it would by itself."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=cwd, env=environment
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


def fresh(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Have Python import what a former address means as if it were the first time."""
    monkeypatch.delitem(sys.modules, address, raising=False)
    monkeypatch.delitem(vars(lstm_probe), address.partition(".")[2], raising=False)


@pytest.mark.parametrize("former", MODULES)
def test_a_former_address_gives_the_module_and_names_its_new_one(
    former: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh(monkeypatch, former)
    with pytest.warns(DeprecationWarning, match=f"use {MODULES[former]}[.]$") as told:
        exec(compile(f"import {former}", "of_the_user.py", "exec"), {})
    assert [each.filename for each in told] == ["of_the_user.py"]
    assert import_module(former) is import_module(MODULES[former])
    assert getattr(lstm_probe, former.partition(".")[2]) is import_module(MODULES[former])


@pytest.mark.parametrize("former", NAMES)
def test_a_former_name_is_the_new_one_and_says_where_it_is(former: str) -> None:
    package, _, name = former.rpartition(".")
    home = import_module(NAMES[former])
    with pytest.warns(DeprecationWarning, match=f"use {NAMES[former]}.{name}[.]$") as told:
        assert getattr(import_module(package), name) is getattr(home, name)
    assert [Path(each.filename).name for each in told] == [Path(__file__).name]
    assert name in dir(home)
    assert name not in dir(import_module(package))


def test_a_line_that_imports_a_former_name_is_warned_of() -> None:
    with pytest.warns(DeprecationWarning, match="lstm_probe.find_alerts has moved") as told:
        exec(compile("from lstm_probe import find_alerts", "of_the_user.py", "exec"), {})
    assert {each.filename for each in told} == {"of_the_user.py"}


def test_the_page_of_names_lists_every_former_address() -> None:
    page = ROOT / "docs" / "names.md"
    if not page.is_file():
        pytest.skip("the tests are not in a checkout")
    rows = [line.split("`")[1::2] for line in page.read_text().splitlines() if "| `" in line]
    moved = {old: f"{home}.{old.rpartition('.')[2]}" for old, home in NAMES.items()}
    listed = {row[0]: row[1] for row in rows if row[0].startswith("lstm_probe.")}
    assert listed == {**moved, **MODULES}


def test_the_face_has_about_twenty_names() -> None:
    assert len(lstm_probe.__all__) <= 25
    assert not {f"lstm_probe.{name}" for name in lstm_probe.__all__} & NAMES.keys()


def test_the_module_is_not_another_when_it_is_imported_by_a_former_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = MODULES["lstm_probe.report"]
    fresh(monkeypatch, "lstm_probe.report")
    with pytest.warns(DeprecationWarning, match="has moved"):
        import_module("lstm_probe.report")
    assert sys.modules[name].__name__ == name
    assert sys.modules[name].__spec__ is not None
    assert sys.modules[name].__spec__.name == name


def test_a_trace_that_was_pickled_before_the_move_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = lstm_probe.GateTrace({"h": np.zeros((1, 5, 2))}, {"h": None}, cell="lstm")
    data = pickle.dumps(trace, protocol=0)
    assert b"lstm_probe.core.trace" in data
    monkeypatch.delitem(sys.modules, "lstm_probe.trace", raising=False)
    with pytest.warns(DeprecationWarning, match="has moved"):
        old = pickle.loads(data.replace(b"lstm_probe.core.trace", b"lstm_probe.trace"))
    assert type(old) is lstm_probe.GateTrace
    assert old.cell == "lstm"


@pytest.mark.parametrize("package", FORMER_PACKAGES)
def test_a_former_package_leaves_its_name_to_the_function(package: str) -> None:
    name = package.rpartition(".")[2]
    code = f"""
import sys, warnings
import lstm_probe.cells as cells
function = cells.{name}
import {package}
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    from {package} import {name}
    from {package}.cell import *
assert {{each.filename for each in warned}} == {{"<string>"}}, warned
assert f"use lstm_probe.cells.{name}." in str(warned[0].message)
import lstm_probe.cells.{name}_cell.cell as room
assert cells.{name} is {name} is function and callable(function)
assert function.__name__ == "{name}"
former = sys.modules["{package}"]
assert not hasattr(former, "backward") and not hasattr(former, "__file__")
(cell,) = room.__all__
warnings.simplefilter("ignore")
assert getattr(former, cell) is getattr(room, cell) is globals()[cell]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("address", [b"lstm_probe.cells.gru", b"lstm_probe.cells.gru.cell"])
def test_a_cell_that_was_pickled_before_the_move_is_read(
    address: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pickle.dumps(lstm_probe.GruCell("relu"), protocol=0)
    assert b"lstm_probe.cells.gru_cell.cell" in data
    monkeypatch.delitem(sys.modules, "lstm_probe.cells.gru.cell", raising=False)
    with pytest.warns(DeprecationWarning, match="has moved"):
        old = pickle.loads(data.replace(b"lstm_probe.cells.gru_cell.cell", address))
    assert old == lstm_probe.GruCell("relu")
    assert lstm_probe.cells.gru is lstm_probe.gru


def test_each_module_of_a_cell_can_be_imported_by_its_address() -> None:
    code = "import lstm_probe.cells.gru_cell.backward as b; print(b.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "lstm_probe.cells.gru_cell.backward", done.stderr


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
