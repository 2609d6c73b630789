"""The house has floors: each room imports only what is below it, and no file imports in a circle.

Read from the syntax tree of every file that setup.cfg installs: imports, also those within
functions and for types alone, and addresses in strings, which an import may follow later.
"""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import pytest
from checkout import ROOT

#: A room may import those of a lower floor. `names` is the package's own file, the public names.
FLOORS = {
    "core": 1,
    "weights": 2,
    "cells": 3,
    "analysis": 4,
    "models": 5,
    "pictures": 5,
    "names": 6,
    "logs": 7,
    "callbacks": 8,
    "explorer": 8,
    "cli": 9,
}
#: What lies at the root of lstm_probe/ beside the rooms.
AT_THE_ROOT = {"__init__.py", "py.typed"}
#: The callbacks, and what they share. Whatever reads models belongs to lstm_probe/models/.
IN_CALLBACKS = {
    "__init__.py",
    "huggingface.py",
    "keras_callback.py",
    "keras_config.py",
    "lightning.py",
    "schedule.py",
    "session_hook.py",
    "torch_probe.py",
    "torch_run.py",
    "torch_trainer.py",
    "recording/__init__.py",
    "recording/budget.py",
    "recording/captures.py",
    "recording/cost.py",
    "recording/guard.py",
    "recording/options.py",
    "recording/reactions.py",
    "recording/recorder.py",
    "recording/shown.py",
    "recording/source.py",
    "recording/steps.py",
    "recording/tally.py",
    "recording/training_logs.py",
    "recording/worker.py",
}
#: Files whose addresses in strings are no arrows, and why. None is followed by a capture.
TABLES = {
    "lstm_probe.core.views": "the views of a trace: imported when somebody asks a trace for one",
    "lstm_probe.core.addresses": "what has moved: imported when somebody names an old address",
    "lstm_probe.models.keras.flavour": (
        "the two Kerases: the one that a model is of is imported, and imports what it has to offer"
    ),
}
_ADDRESS = re.compile(r"lstm_probe(?:\.\w+)+")


@cache
def _tree(code: str) -> ast.Module:
    return ast.parse(code)


@dataclass(frozen=True)
class House:
    """The files of a checkout, and the arrows between them.

    Attributes:
        root: the checkout.
        tables: as `TABLES`.
    """

    root: Path
    tables: Mapping[str, str] = field(default_factory=lambda: TABLES)

    @cached_property
    def config(self) -> configparser.ConfigParser:
        config = configparser.ConfigParser()
        config.read(self.root / "setup.cfg")
        return config

    @cached_property
    def folders(self) -> dict[str, Path]:
        """Where each package lies whose place setup.cfg tells."""
        lines = self.config["options"]["package_dir"].strip().splitlines()
        pairs = (line.partition("=") for line in lines)
        return {name.strip(): self.root / place.strip() for name, _, place in pairs}

    @cached_property
    def files(self) -> dict[str, Path]:
        """By the module's name."""
        found = {}
        for package, folder in self.folders.items():
            for path in folder.rglob("*.py"):
                parts = path.relative_to(folder).with_suffix("").parts
                found[".".join((package, *parts)).removesuffix(".__init__")] = path
        return found

    @cached_property
    def trees(self) -> dict[str, ast.Module]:
        return {name: _tree(path.read_text()) for name, path in self.files.items()}

    @cached_property
    def bound(self) -> dict[str, set[str]]:
        """What a module binds by itself, so that it is no file of the package that is imported."""
        names: dict[str, set[str]] = {}
        for module, tree in self.trees.items():
            names[module] = set()
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module != module:
                    names[module] |= {alias.asname or alias.name for alias in node.names}
                elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                    names[module].add(node.name)
        return names

    @cached_property
    def arrows(self) -> dict[str, set[str]]:
        """What each module imports, or names by its address."""
        found: dict[str, set[str]] = {}
        for module in self.files:
            named = {*self._imported(module)}
            if module not in self.tables:
                named |= {*self._named(module)}
            found[module] = named - {module}
        return found

    def _imported(self, module: str) -> Iterator[str]:
        for node in ast.walk(self.trees[module]):
            if isinstance(node, ast.Import):
                yield from filter(None, (self._module_of(alias.name) for alias in node.names))
            elif isinstance(node, ast.ImportFrom):
                source = self._source(module, node)
                for alias in node.names if source in self.files else ():
                    whole = f"{source}.{alias.name}"
                    is_file = whole in self.files and alias.name not in self.bound[source]
                    yield whole if is_file else source

    def _source(self, module: str, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = module.split(".")
        if self.files[module].name != "__init__.py":
            package.pop()
        package = package[: len(package) - node.level + 1]
        return ".".join(filter(None, (*package, node.module)))

    def _named(self, module: str) -> Iterator[str]:
        for text in self._strings(module):
            yield from self._follow(text)

    def _follow(self, text: str) -> Iterator[str]:
        if text.endswith("*"):
            yield from (name for name in self.files if name.startswith(text[:-1]))
        elif (found := self._module_of(text)) is not None:
            yield found

    def _strings(self, module: str) -> Iterator[str]:
        """Addresses that stand by themselves in a string; `*` where the rest is put in later."""
        for node in ast.walk(self.trees[module]):
            if isinstance(node, ast.Constant) and _ADDRESS.fullmatch(str(node.value)):
                yield str(node.value)
            elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                first = str(node.values[0].value)
                if _ADDRESS.match(first) and " " not in first:
                    yield f"{first}*"

    def _module_of(self, address: str) -> str | None:
        """The file that an address leads to; its last part may be something in that file."""
        parts = address.split(".")
        for count in (len(parts), len(parts) - 1):
            if (name := ".".join(parts[:count])) in self.files:
                return name
        return None

    def problems(self) -> Iterator[str]:
        """Everything that is not as the floors want it."""
        yield from self._strangers()
        yield from self._dead_addresses()
        rooms: dict[str, set[str]] = {}
        for module, targets in self.arrows.items():
            for target in targets:
                here, there = room(module), room(target)
                if here == there:
                    continue
                rooms.setdefault(here, set()).add(there)
                if FLOORS.get(there, 0) >= FLOORS.get(here, 0):
                    yield f"{module} imports {target}, which is not below it"
        yield from (f"rooms in a circle: {', '.join(names)}" for names in circles(rooms))
        yield from (f"files in a circle: {', '.join(names)}" for names in circles(self.arrows))

    def _strangers(self) -> Iterator[str]:
        package = self.folders["lstm_probe"]
        rooms = FLOORS.keys() - {"names", "callbacks"}
        for path in sorted(package.iterdir()):
            if path.name not in AT_THE_ROOT | rooms and path.name != "__pycache__":
                yield f"{path.name} is neither a room nor one of {', '.join(sorted(AT_THE_ROOT))}"
        callbacks = self.folders["lstm_probe.callbacks"]
        for path in sorted(callbacks.rglob("*.py")):
            name = path.relative_to(callbacks).as_posix()
            if name not in IN_CALLBACKS:
                yield f"callbacks/{name} is no callback: what reads models is in lstm_probe/models/"

    def _dead_addresses(self) -> Iterator[str]:
        """No tool follows an address in a string before it is needed."""
        for module in self.files:
            for text in self._strings(module):
                if module != "lstm_probe.core.addresses" and not [*self._follow(text)]:
                    yield f"{module} names {text}, which is not there"
        for group in self.config["options.entry_points"].values():
            for line in group.strip().splitlines():
                module, _, name = line.partition("=")[2].strip().partition(":")
                if name not in self.bound.get(module, ()):
                    yield f"setup.cfg names {module}:{name}, which is not there"


def room(module: str) -> str:
    return [*module.split("."), "names"][1]


def circles(arrows: Mapping[str, set[str]]) -> list[list[str]]:
    """Whatever is reached from itself, in groups (Tarjan 1972)."""
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_nodes: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = lowest[node] = len(index)
        open_nodes.append(node)
        for target in sorted(arrows.get(node, ())):
            if target not in index:
                visit(target)
                lowest[node] = min(lowest[node], lowest[target])
            elif target in open_nodes:
                lowest[node] = min(lowest[node], index[target])
        if lowest[node] == index[node]:
            group = open_nodes[open_nodes.index(node) :]
            del open_nodes[open_nodes.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(arrows):
        if node not in index:
            visit(node)
    return found


def test_every_room_imports_only_what_is_below_it() -> None:
    assert [*House(ROOT).problems()] == []


def test_every_table_of_addresses_is_needed() -> None:
    house = House(ROOT)
    for table in TABLES:
        fewer = {name: why for name, why in TABLES.items() if name != table}
        assert [*House(ROOT, fewer).problems()], f"{table} may go from TABLES"
        assert table in house.files


def test_no_table_is_followed_while_a_snapshot_is_analysed() -> None:
    code = """
import sys, numpy as np, lstm_probe
from lstm_probe.core import addresses, views
views.VIEWS.clear()
addresses.MODULES.clear()
w = lstm_probe.weights.from_keras(np.ones((3, 8)), np.ones((2, 8)))
x = np.ones((1, 5, 3))
seen = lstm_probe.Snapshot(0, "memory", lstm_probe.LstmCell(), w, x=x, output=np.zeros((1, 5, 2)))
analysis = lstm_probe.analyse(seen)
print(analysis.parity.verdict.kind, analysis.convention)
views = "lstm_probe.pictures", "lstm_probe.logs"
print(*[name for name in sys.modules if name.startswith(views)])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tempfile.gettempdir()
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0].startswith("mismatch")
    assert done.stdout.split("\n")[1] == ""


#: A house that is in order, by the paths of its files.
SOUND = {
    "setup.cfg": (
        "[options]\npackage_dir =\n"
        "    lstm_probe = lstm_probe\n    lstm_probe.callbacks = callbacks\n"
        "[options.entry_points]\nconsole_scripts =\n    command = lstm_probe.cli:main\n"
    ),
    "lstm_probe/py.typed": "",
    "lstm_probe/__init__.py": "from lstm_probe import cells\n",
    "lstm_probe/core/__init__.py": "",
    "lstm_probe/core/arrays.py": '"""Seen in `lstm_probe.cli`."""\n',
    "lstm_probe/core/masks.py": "from .arrays import Array\n",
    "lstm_probe/cells/__init__.py": "from lstm_probe.cells.lstm import lstm\n",
    "lstm_probe/cells/lstm/__init__.py": "from lstm_probe.core import masks\n\ndef lstm(): ...\n",
    "lstm_probe/cells/gru.py": "from lstm_probe.cells import lstm\n",
    "lstm_probe/models/__init__.py": "MESSAGE = 'the command is lstm_probe.cli.main'\n",
    "lstm_probe/pictures/__init__.py": "",
    "lstm_probe/cli/__init__.py": "import lstm_probe.models\n\ndef main(): ...\n",
    "callbacks/__init__.py": "HOMES = {'capture': 'lstm_probe.models'}\n",
    "callbacks/schedule.py": "from lstm_probe.core.arrays import Array\n",
}


def problems_with(tmp_path: Path, planted: Mapping[str, str], **tables: str) -> list[str]:
    for name, text in {**SOUND, **planted}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [*House(tmp_path, tables).problems()]


def test_nothing_is_found_in_a_house_that_is_in_order(tmp_path: Path) -> None:
    assert problems_with(tmp_path, {}) == []


UP = "lstm_probe.core.masks imports lstm_probe.cells, which is not below it"


@pytest.mark.parametrize(
    ("planted", "problem"),
    [
        ({"lstm_probe/core/masks.py": "from lstm_probe import cells"}, UP),
        ({"lstm_probe/core/masks.py": "import lstm_probe.cells"}, UP),
        ({"lstm_probe/core/masks.py": "from ..cells import gru"}, r"core\.masks .*cells\.gru,"),
        ({"lstm_probe/core/masks.py": "from .. import cells"}, UP),
        ({"lstm_probe/core/masks.py": "def f():\n    from lstm_probe.cells import lstm"}, UP),
        (
            {
                "lstm_probe/core/masks.py": "from typing import TYPE_CHECKING\n"
                "if TYPE_CHECKING:\n    from lstm_probe.cells import lstm"
            },
            UP,
        ),
        ({"lstm_probe/core/masks.py": "HOME = 'lstm_probe.cells'"}, UP),
        ({"lstm_probe/core/masks.py": "HOME = 'lstm_probe.cells.lstm_cell'"}, UP),
        ({"lstm_probe/core/masks.py": "def f(n):\n    return f'lstm_probe.cells.g{n}'"}, "gru"),
        ({"lstm_probe/core/masks.py": "import lstm_probe"}, "masks imports lstm_probe, which"),
        ({"lstm_probe/models/__init__.py": "import lstm_probe.pictures"}, "models .*not below"),
        ({"callbacks/schedule.py": "import lstm_probe.cli"}, "schedule .*cli, which is not below"),
        ({"lstm_probe/cells/gru.py": "import lstm_probe.callbacks"}, "gru .*callbacks, which"),
        (
            {
                "lstm_probe/models/__init__.py": "import lstm_probe.pictures",
                "lstm_probe/pictures/__init__.py": "import lstm_probe.models",
            },
            "rooms in a circle: models, pictures",
        ),
        (
            {
                "lstm_probe/core/arrays.py": "from lstm_probe.core.errors import LstmProbeError",
                "lstm_probe/core/errors.py": "def f():\n    from .masks import emitted",
            },
            r"files in a circle: lstm_probe\.core\.arrays, lstm_probe\.core\.errors, \S*masks",
        ),
        (
            {"lstm_probe/core/arrays.py": "HOME = 'lstm_probe.core.masks'"},
            r"files in a circle: lstm_probe\.core\.arrays, lstm_probe\.core\.masks",
        ),
        ({"lstm_probe/trace.py": ""}, r"trace\.py is neither a room"),
        ({"lstm_probe/render/__init__.py": ""}, "render is neither a room"),
        ({"lstm_probe/notes.txt": ""}, r"notes\.txt is neither a room"),
        ({"callbacks/keras_reader.py": ""}, r"callbacks/keras_reader\.py is no callback"),
        ({"callbacks/recording/reader.py": ""}, r"callbacks/recording/reader\.py is no callback"),
        (
            {"lstm_probe/cli/app.py": "HOME = 'lstm_probe.render.png'"},
            "names lstm_probe.render.png",
        ),
        (
            {"lstm_probe/cli/__init__.py": "def run(): ..."},
            r"setup\.cfg names lstm_probe\.cli:main",
        ),
    ],
)
def test_a_planted_fault_is_found(tmp_path: Path, planted: dict[str, str], problem: str) -> None:
    found = problems_with(tmp_path, planted)
    assert any(re.search(problem, each) for each in found), found


def test_addresses_of_a_table_are_no_arrows(tmp_path: Path) -> None:
    planted = {"lstm_probe/core/masks.py": "HOME = 'lstm_probe.cells'"}
    assert problems_with(tmp_path, planted, **{"lstm_probe.core.masks": "a table"}) == []


def test_imports_of_a_table_are_arrows(tmp_path: Path) -> None:
    planted = {"lstm_probe/core/masks.py": "import lstm_probe.cells"}
    assert problems_with(tmp_path, planted, **{"lstm_probe.core.masks": "a table"}) != []
