"""Taking the guard against a fault out of a copy of the package, and running the fault's test.

`guards.txt` says what the guards are.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

__all__ = ["GUARDS", "LIST", "TESTS", "Guard", "fails", "package"]

TESTS = Path(__file__).resolve().parent.parent
LIST = Path(__file__).with_name("guards.txt")
#: A test that takes longer hangs, which is a failure too.
TIMEOUT = 75
# What every process would import anew; the package itself must come from the copy.
_PRELOADED = ["pytest", "numpy", "keras", "tensorflow", "tf_keras", "google_crc32c"]


@dataclass(frozen=True)
class Guard:
    """One change to the package, and the test that notices.

    Attributes:
        fault: its number in docs/reliability.md.
        test: the id of the test, from tests/ on.
        file: the file in the installed package.
        changes: what stands there once, and what it is replaced by.
    """

    fault: int
    test: str
    file: str
    changes: tuple[tuple[str, str], ...]

    @classmethod
    def from_block(cls, block: str) -> Guard:
        """As it stands in `guards.txt`."""
        first, file, *lines = block.splitlines()
        changes: list[tuple[list[str], list[str]]] = []
        for before, line in zip(["+", *lines], lines, strict=False):
            if line[0] == "-" and before[0] == "+":
                changes.append(([], []))
            changes[-1][line[0] == "+"].append(line[2:])
        fault, _, test = first.partition(" ")
        edits = tuple(("\n".join(old), "\n".join(new)) for old, new in changes)
        return cls(int(fault), test, file, edits)

    def __str__(self) -> str:
        return f"{self.fault}: {self.test.partition('::')[2]}"


def package() -> Path:
    """Where the package is installed."""
    spec = find_spec("lstm_probe")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _break(guard: Guard, directory: Path) -> None:
    """Put a copy of the package into a directory, without the guard."""
    copy = directory / "lstm_probe"
    shutil.copytree(package(), copy)  # with what is compiled, which goes by times and sizes
    path = copy / guard.file
    source = path.read_text()
    for old, new in guard.changes:
        assert source.count(old) == 1, f"{guard.file} does not have once what is taken out: {old}"
        source = source.replace(old, new)
    path.write_text(source)


def fails(guard: Guard, directory: Path) -> tuple[bool, str]:
    """Whether the test fails on a package without the guard, and what pytest said."""
    _break(guard, directory)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    process = context.Process(target=_run, args=(directory, guard.test))
    process.start()
    process.join(TIMEOUT)
    with contextlib.suppress(ProcessLookupError):  # with whatever the test has started
        os.killpg(process.pid, signal.SIGKILL)
    process.join()
    said = (directory / "output.txt").read_text()
    return process.exitcode in (pytest.ExitCode.TESTS_FAILED, -9), said


def _run(directory: Path, test: str) -> None:
    """One test in a process of its own, whose children see the copy too."""
    os.setsid()
    with (directory / "output.txt").open("wb") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    for name in [name for name in os.environ if name.startswith("PYTEST")]:
        del os.environ[name]
    before = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(directory), *before]))
    sys.path.insert(0, str(directory))
    os.chdir(directory)
    options = ["-q", "-x", "-m", "", "-p", "no:cacheprovider", "--basetemp", str(directory / "t")]
    status = pytest.main([*options, str(TESTS / test)])
    sys.stdout.flush()
    os._exit(int(status))


GUARDS = [Guard.from_block(block) for block in LIST.read_text().strip().split("\n\n")[1:]]
