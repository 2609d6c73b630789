"""Compare the package with that of an older commit: `make compare OLD=<commit>`.

The older source is exported and installed under `build/compare/<commit>/`. Both packages are then
observed with the same Python, the same frameworks and the same tests, and what was seen is
compared.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import compare

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
#: What is observed in one process; each group is observed on both sides at once.
GROUPS = (
    ("cells", "meaning", "refusals", "corpus", "keras", "logs", "explorer", "commands"),
    ("legacy",),
)
#: The environment of both sides.
SETTINGS = {
    # One thread each: two sides run at once, and sums keep their order.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "PYTHONHASHSEED": "0",
    # Tables are as wide as this, without colours.
    "COLUMNS": "160",
    "NO_COLOR": "1",
    "TERM": "dumb",
    "KERAS_BACKEND": "tensorflow",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def main() -> int:
    """Observe both sides and compare them; 1 if there is a difference."""
    options = _options()
    commit = _git("rev-parse", "--short=12", f"{options.old}^{{commit}}").decode().strip()
    folder = ROOT / "build" / "compare" / commit
    began = time.monotonic()
    sides = {"old": _install(commit, folder)}
    sides["new"] = options.new.resolve() if options.new else Path(sysconfig.get_path("purelib"))
    # Names of one length: a path is part of some texts, which are wrapped.
    for side in sides:
        shutil.rmtree(folder / side, ignore_errors=True)
        (folder / side).mkdir(parents=True)
    chosen = set(options.sections or [each for group in GROUPS for each in group])
    for group in GROUPS:
        sections = [each for each in group if each in chosen]
        if sections and not _observe(sides, folder, sections):
            return 2
    sys.stdout.write(f"{commit} and {sides['new']}: {time.monotonic() - began:.0f} s\n")
    return compare.main(str(folder / "old"), str(folder / "new"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", help="the older commit")
    parser.add_argument(
        "--new", type=Path, help="a folder that holds the newer package; by default this Python's"
    )
    parser.add_argument("--sections", nargs="+", help="only these, such as cells or commands")
    return parser.parse_args()


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


def _install(commit: str, folder: Path) -> Path:
    """Where the package of a commit is installed; it is done once."""
    package, source = folder / "package", folder / "source"
    if (package / "lstm_probe" / "__init__.py").is_file():
        return package
    for each in (package, source):
        shutil.rmtree(each, ignore_errors=True)
    source.mkdir(parents=True)
    archive = _git("archive", "--format=tar", commit)
    subprocess.run(["tar", "-x", "-C", str(source)], input=archive, check=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    subprocess.run([*command, str(package), str(source)], check=True)
    return package


def _observe(sides: dict[str, Path], folder: Path, sections: list[str]) -> bool:
    """Observe some sections of both sides at once; whether both went well."""
    started = {}
    for side, package in sides.items():
        environment = {**os.environ, **SETTINGS, "PYTHONPATH": str(package)}
        if "legacy" in sections:
            environment["TF_USE_LEGACY_KERAS"] = "1"
        log = folder / side / f"{sections[0]}.log"
        command = [sys.executable, str(HERE / "observe.py"), str(folder / side), str(package)]
        with log.open("w") as stream:
            process = subprocess.Popen(
                [*command, *sections], stdout=stream, stderr=subprocess.STDOUT, env=environment
            )
        started[process] = log
    codes = {log: process.wait() for process, log in started.items()}
    for log, code in codes.items():
        if code:
            sys.stderr.write(f"{log} ended with {code}:\n{log.read_text()[-4000:]}\n")
    return not any(codes.values())


if __name__ == "__main__":
    sys.exit(main())
