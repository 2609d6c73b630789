"""The harness notices what it is there to notice, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import compare
import numpy as np
import pytest
import run
from observations import Observations, load

HERE = Path(__file__).resolve().parent


def values() -> dict[str, Any]:
    """One item of each kind, of numbers that are all distinct."""
    rng = np.random.default_rng(1)
    verdict = {"kind": "mismatch", "bound": 1e-6, "excess": 30.0, "cause": "gate_order"}
    return {
        "trace": {"f": rng.normal(size=(1, 5, 2)), "h": rng.normal(size=(1, 5, 2)).astype("f4")},
        "gradient": {"hidden": rng.normal(size=(1, 5))},
        "verdict": {**verdict, "place": {"timestep": 3, "gate": "f"}},
        "tags": {
            "memory/gates/1_i": {"plugin": "images"},
            "memory/gates/2_f": {"plugin": "images"},
        },
        "pixels": rng.integers(0, 256, (4, 6, 4)).astype(np.uint8),
        "capture": {"arrays": {"gates/f": rng.random(9).astype("f2")}, "header": {"step": 3}},
        "command": {"exit code": 0, "stdout": "error 3.8e-07, then 2.2e-16", "stderr": ""},
    }


def seen_on(folder: Path, items: dict[str, Any]) -> Path:
    """A folder with these items, as an observer leaves it."""
    folder.mkdir()
    seen = Observations("section")
    for kind, value in items.items():
        seen.note(kind, "item", value)
    seen.save(folder)
    return folder


def compared(tmp_path: Path, change: Callable[[dict[str, Any]], None], *known: str) -> Any:
    """The comparison of the items with others that were changed in place."""
    others = values()
    change(others)
    old, new = seen_on(tmp_path / "old", values()), seen_on(tmp_path / "new", others)
    return compare.compare(load(old), load(new), known)


def put(kind: str, *keys: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(items: dict[str, Any]) -> None:
        place = items[kind]
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


def add(kind: str, place: Any, value: float, *keys: str) -> Callable[[dict[str, Any]], None]:
    def change(items: dict[str, Any]) -> None:
        array = items[kind]
        for key in keys:
            array = array[key]
        array[place] += np.asarray(value, array.dtype)

    return change


CHANGES = {
    "a number of float64": add("trace", (0, 2, 1), 1e-10, "f"),
    "a number of float32": add("trace", (0, 2, 1), 1e-4, "h"),
    "a NaN": add("trace", (0, 2, 1), np.nan, "f"),
    "a gradient": add("gradient", (0, 2), 1e-8, "hidden"),
    "a verdict": put("verdict", "kind", value="match"),
    "a place": put("verdict", "place", "timestep", value=4),
    "a gate": put("verdict", "place", "gate", value="i"),
    "a cause": put("verdict", "cause", value=None),
    "a bound": put("verdict", "bound", value=1.3e-6),
    "a missing tag": lambda items: items["tags"].pop("memory/gates/2_f"),
    "a new tag": put("tags", "memory/gates/3_g", value={"plugin": "images"}),
    "a pixel": add("pixels", (1, 2, 0), 1),
    "a picture of another size": lambda items: items.update(pixels=items["pixels"][:3]),
    "another dtype": lambda items: items["trace"].update(f=items["trace"]["f"].astype("f4")),
    "a stored value": add("capture", 4, 0.01, "arrays", "gates/f"),
    "a step": put("capture", "header", "step", value=4),
    "a whole number as a fraction": put("capture", "header", "step", value=3.0),
    "an exit code": put("command", "exit code", value=2),
    "a word": put("command", "stdout", value="errors 3.8e-07, then 2.2e-16"),
    "a number in a text": put("command", "stdout", value="error 3.9e-07, then 2.2e-16"),
    "a missing item": lambda items: items.pop("gradient"),
    "an extra item": lambda items: items.update(scalar={"parity": [1.0]}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_noticed(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    found = compared(tmp_path, change)
    assert len(found.differing) == 1
    assert "DIFFERENT section/" in str(found)


ROUNDING = {
    "nothing": lambda items: None,
    "a trace": add("trace", (0, 2, 1), 3e-15, "f"),
    "a trace of float32": add("trace", (0, 2, 1), 2e-7, "h"),
    "a gradient": add("gradient", (0, 2), 1e-12, "hidden"),
    "a bound": put("verdict", "bound", value=1.1e-6),
    "a text": put("command", "stdout", value="error 3.8e-07, then 1.1e-16"),
}


@pytest.mark.parametrize("change", ROUNDING.values(), ids=ROUNDING.keys())
def test_rounding_is_no_difference(
    tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    found = compared(tmp_path, change)
    assert found.differing == {}
    assert found.compared == dict.fromkeys(values(), 1)
    assert str(found).endswith("no difference")


def test_a_known_difference_is_let_through_when_its_pattern_fits(tmp_path: Path) -> None:
    change = CHANGES["an exit code"]
    found = compared(tmp_path, change, "section/command/*:exit code", "section/trace/other*")
    assert found.differing == {}
    assert "section/trace/other*: DID NOT OCCUR" in str(found)
    assert found.known == {"section/command/*:exit code": 1, "section/trace/other*": 0}


def test_a_known_difference_needs_a_reason(tmp_path: Path) -> None:
    compare.read_known(compare.KNOWN)
    path = tmp_path / "known.txt"
    path.write_text("# why\nsection/* | a reason\n")
    assert compare.read_known(path) == {"section/*": "a reason"}
    path.write_text("section/*\n")
    with pytest.raises(ValueError, match="needs a reason"):
        compare.read_known(path)


def test_the_exit_code_says_whether_there_is_a_difference(tmp_path: Path) -> None:
    changed = values()
    CHANGES["a verdict"](changed)
    old, new = seen_on(tmp_path / "old", values()), seen_on(tmp_path / "new", changed)
    assert compare.main(str(old), str(old)) == 0
    assert compare.main(str(old), str(new)) == 1
    (tmp_path / "empty").mkdir()
    assert compare.main(str(tmp_path / "empty"), str(tmp_path / "empty")) == 1


MUTANTS = {
    # What is taken out of a file, what is put in, and a section that must notice.
    "the letter of a tag": ("/gates/{number}", "/gate/{number}", "logs"),
    "a message": ("The input does not fit the", "The input doesn't fit the", "refusals"),
    "a threshold": ("exploded: float = 1e3", "exploded: float = 1e2", "meaning"),
    "gates": ('gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")',
              'gates: ClassVar[tuple[str, ...]] = ("f", "i", "g", "o")', "meaning"),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("name", MUTANTS)
def test_a_changed_line_is_reported(tmp_path: Path, name: str) -> None:
    """Of two copies of the installed package one has a line changed."""
    taken, put_in, section = MUTANTS[name]
    installed = Path(sysconfig.get_path("purelib")) / "lstm_probe"
    for side in ("old", "new"):
        shutil.copytree(installed, tmp_path / f"{side}_package" / "lstm_probe")
        (tmp_path / side).mkdir()
    texts = {p: p.read_text() for p in (tmp_path / "new_package").rglob("*.py")}
    with_it = [path for path, text in texts.items() if taken in text]
    assert with_it, f"No file has {taken!r}: change another line."
    for path in with_it:
        path.write_text(texts[path].replace(taken, put_in))
    for side in ("old", "new"):
        package = tmp_path / f"{side}_package"
        environment = {**os.environ, **run.SETTINGS, "PYTHONPATH": str(package)}
        command = [sys.executable, str(HERE / "observe.py"), str(tmp_path / side), str(package)]
        subprocess.run([*command, section], check=True, env=environment, timeout=600)
    assert compare.main(str(tmp_path / "old"), str(tmp_path / "new")) == 1
