"""Keeps in tests/corpus the few inputs that reach all the code that fuzzing has reached.

python tests/fuzz/keep.py capture
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import targets

CORPUS = Path(__file__).resolve().parent.parent / "corpus"
FOUND = CORPUS.parent.parent / ".fuzz"
#: What a target keeps at most, so that the corpus stays small.
LIMIT = 40_000
Arc = tuple[str, int, int]


def arcs(name: str, data: bytes) -> set[Arc]:
    """The steps from line to line of the package that reading an input takes."""
    seen: set[Arc] = set()
    last: dict[int, int] = {}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        file = frame.f_code.co_filename
        if "lstm_probe" not in file:
            return None
        seen.add((file, last.get(id(frame), 0), frame.f_lineno))
        last[id(frame)] = frame.f_lineno
        return trace

    sys.settrace(trace)
    try:
        targets.run(name, data)
    finally:
        sys.settrace(None)
    return seen


def keep(name: str) -> None:
    """The smallest inputs first; each that takes a step which none before it took."""
    kept = CORPUS / name
    kept.mkdir(parents=True, exist_ok=True)
    inputs = [path for path in kept.iterdir() if path.name.startswith("regression-")]
    for folder in (kept, FOUND / "seeds" / name, FOUND / name):
        files = folder.iterdir() if folder.is_dir() else ()
        inputs += sorted({*files} - {*inputs}, key=lambda path: path.stat().st_size)
    seen: set[Arc] = set()
    size, chosen = 0, []
    for path in inputs:
        first = path.name.startswith("regression-")
        new = set() if "hang" in path.name else arcs(name, path.read_bytes()) - seen
        if first or (new and size + path.stat().st_size <= LIMIT):
            seen |= new
            size += path.stat().st_size
            chosen.append((path.name, path.read_bytes()))
    shutil.rmtree(kept)
    kept.mkdir()
    for file, data in chosen:
        (kept / file).write_bytes(data)
    sys.stdout.write(f"{name}: {len(chosen)} of {len(inputs)} inputs, {size} bytes\n")


if __name__ == "__main__":
    for each in sys.argv[1:] or targets.TARGETS:
        keep(each)
