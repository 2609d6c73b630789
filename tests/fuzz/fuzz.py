"""Looks for bytes that a reader does not survive, with atheris: `make fuzz`.

    python tests/fuzz/fuzz.py capture --seconds 60

begins with tests/corpus/capture and the seeds of `seeds.py`, and adds to .fuzz/capture what
reaches new code. What breaks a reader is kept as .fuzz/crash-*: mend the reader, and put the
input into tests/corpus as regression-*. `keep.py` chooses what else goes there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import atheris

FUZZ = Path(__file__).resolve().parent
CORPUS = FUZZ.parent / "corpus"
FOUND = FUZZ.parent.parent / ".fuzz"


def fuzz(name: str, options: list[str]) -> None:
    """Never returns: libFuzzer ends the process."""
    sys.path[:0] = [str(FUZZ), str(FUZZ.parent)]
    with atheris.instrument_imports(include=["lstm_probe"]):
        import targets

    atheris.Setup([sys.argv[0], *options], lambda data: targets.run(name, data))
    atheris.Fuzz()


def write_seeds(name: str) -> Path:
    """A directory with small, valid inputs."""
    directory = FOUND / "seeds" / name
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, str(FUZZ / "seeds.py"), name, str(directory)], check=True)
    return directory


def main() -> int:
    """Fuzz one target, or each of several in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    if len(arguments.targets) != 1:
        return every(arguments.targets, ["--seconds", str(arguments.seconds)])
    name = arguments.targets[0]
    found, kept = FOUND / name, CORPUS / name
    for directory in (found, kept):
        directory.mkdir(parents=True, exist_ok=True)
    limits = ["-timeout=10", "-rss_limit_mb=3000", "-max_len=16384"]
    seconds = f"-max_total_time={arguments.seconds}"
    prefix = f"-artifact_prefix={FOUND}/crash-{name}-"
    quiet = ["-print_final_stats=1", "-verbosity=0"]
    fuzz(
        name,
        [seconds, prefix, *quiet, *limits, str(found), str(kept), str(write_seeds(name))],
    )
    return 0


def every(names: list[str], options: list[str]) -> int:
    """The number of targets that broke."""
    sys.path[:0] = [str(FUZZ), str(FUZZ.parent)]
    import targets

    command = [sys.executable, __file__]
    runs = [subprocess.run([*command, name, *options]) for name in names or targets.TARGETS]
    return sum(run.returncode != 0 for run in runs)


if __name__ == "__main__":
    sys.exit(main())
