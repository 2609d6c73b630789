"""Files from strangers: whatever their bytes, they are read, or refused in one line."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import samples
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lstm_probe import GateTrace, LstmProbeError, analyse
from lstm_probe.logs import EventFile, last_step
from lstm_probe.logs.events.records import frame, record_spans
from lstm_probe.logs.stored.format import pack, unpack
from lstm_probe.logs.stored.reader import find_runs

FUZZ = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,  # the same cases everywhere; what once failed is kept as an example
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

WHOLE = pack({"gates/h": np.arange(6, dtype=np.float16).reshape(1, 3, 2)}, {"format": 1})
TRACE = io.BytesIO()
RECORDS = b"".join(frame(bytes([n]) * n) for n in range(1, 5))


@pytest.fixture(scope="module")
def trace_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("trace") / "trace.npz"
    analyse(samples.snapshot(np.random.default_rng(1))).trace.save(path)
    return path.read_bytes()


damage = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8
)


def damaged(whole: bytes, changes: list[tuple[float, int]], length: float) -> bytes:
    data = bytearray(whole)
    for place, value in changes:
        data[int(place * len(data))] = value
    return bytes(data[: int(length * len(data)) + 1])


def read_or_refused(read: Any, *arguments: Any) -> None:
    refused = None
    try:
        read(*arguments)
    except LstmProbeError as error:
        refused = str(error)
    assert refused is None or ("Received" in refused and len(refused) < 2000)


@FUZZ
@given(data=st.binary(max_size=200))
@example(data=b"")
@example(data=struct.pack("<Q", 2**63))
@example(data=struct.pack("<Q", 2) + b"{}")
@example(data=struct.pack("<Q", 2) + b"[]")
@example(data=struct.pack("<Q", 40) + b'{"__metadata__":{"lstm_probe":"null"}}  ')
def test_any_bytes_as_a_stored_capture(data: bytes) -> None:
    read_or_refused(unpack, data)


@FUZZ
@given(changes=damage, length=st.floats(0, 1))
def test_a_damaged_stored_capture(changes: list[tuple[float, int]], length: float) -> None:
    read_or_refused(unpack, damaged(WHOLE, changes, length))


@FUZZ
@given(header=st.recursive(st.none() | st.integers() | st.text(max_size=4), st.lists, max_leaves=4))
def test_any_header_of_a_stored_capture(header: Any) -> None:
    inner = json.dumps(header).encode()
    read_or_refused(unpack, struct.pack("<Q", len(inner)) + inner)


@FUZZ
@given(changes=damage, length=st.floats(0, 1))
def test_a_damaged_trace(
    changes: list[tuple[float, int]], length: float, trace_bytes: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "trace.npz"
    path.write_bytes(damaged(trace_bytes, changes, length))
    read_or_refused(GateTrace.load, path)


@FUZZ
@given(data=st.binary(max_size=100))
def test_any_bytes_as_a_trace(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "trace.npz"
    path.write_bytes(data)
    read_or_refused(GateTrace.load, path)


@FUZZ
@given(changes=damage, length=st.floats(0, 1))
def test_damaged_records_end_the_reading(changes: list[tuple[float, int]], length: float) -> None:
    data = damaged(RECORDS, changes, length)
    for start, size in record_spans(io.BytesIO(data)):
        assert 0 < start <= start + size <= len(data)


@FUZZ
@given(changes=damage, length=st.floats(0, 1))
def test_a_damaged_log(changes: list[tuple[float, int]], length: float, tmp_path: Path) -> None:
    run = tmp_path / "lstm_probe"
    run.mkdir(exist_ok=True)
    (run / "events.out.tfevents.1.x").write_bytes(damaged(RECORDS, changes, length))
    read_or_refused(last_step, run)
    read_or_refused(find_runs, tmp_path)


class Malice:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (Path.touch, (self.mark,))


def test_no_code_in_a_trace_is_run(tmp_path: Path) -> None:
    mark, path = tmp_path / "executed", tmp_path / "trace.npz"
    np.savez(path, header=np.array([Malice(mark)], dtype=object))
    with pytest.raises(LstmProbeError, match="is not a trace"):
        GateTrace.load(path)
    path.write_bytes(pickle.dumps(Malice(mark)))
    with pytest.raises(LstmProbeError, match="is not a trace"):
        GateTrace.load(path)
    assert not mark.exists()


def test_an_archive_that_names_files_elsewhere_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "below" / "trace.npz"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../escaped.npy", b"x")
        archive.writestr("header.npy", b"x" * 100)
    with pytest.raises(LstmProbeError, match="is not a trace"):
        GateTrace.load(path)
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [path]


def test_an_event_file_is_only_ever_made_in_its_directory(tmp_path: Path) -> None:
    with EventFile(tmp_path / "a") as file:
        assert file.path.parent == tmp_path / "a"
