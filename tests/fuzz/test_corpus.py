"""What fuzzing found is read again: only `LstmProbeError` comes out, soon and in little memory."""

from __future__ import annotations

import shutil
import time
import tracemalloc
from pathlib import Path

import pytest
import targets

from lstm_probe import LstmProbeError
from lstm_probe.models import open_model

CORPUS = Path(__file__).resolve().parent.parent / "corpus"


@pytest.mark.parametrize("name", targets.TARGETS)
def test_everything_in_the_corpus_is_read_or_refused(name: str) -> None:
    files = [path for path in (CORPUS / name).iterdir() if "hang" not in path.name]
    assert files
    for path in files:
        print(path)  # noqa: T201 - shown if it fails
        began = time.monotonic()
        targets.run(name, path.read_bytes())
        assert time.monotonic() - began < 10


@pytest.mark.long
def test_what_makes_the_hdf5_library_hang_is_refused(tmp_path: Path) -> None:
    (path,) = CORPUS.glob("hdf5/*hang*")
    shutil.copy(path, tmp_path / "model.h5")
    with pytest.raises(LstmProbeError, match="takes longer than a file may"):
        open_model(tmp_path / "model.h5")


def test_no_input_takes_much_memory() -> None:
    """More than a small file unpacks to at most, and some room to compute with it."""
    tracemalloc.start()
    try:
        for path in sorted({*CORPUS.glob("*/*")} - {*CORPUS.glob("hdf5/*")}):
            targets.run(path.parent.name, path.read_bytes())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * 2**28


def test_the_corpus_is_small() -> None:
    assert sum(path.stat().st_size for path in CORPUS.glob("*/*")) < 300_000
