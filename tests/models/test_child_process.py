"""The process that loads files: whatever becomes of it, the parent gets an answer or a line."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_probe import LstmProbeError
from lstm_probe.models.files.child import pool, process, surroundings
from lstm_probe.models.files.child.allowance import Allowance, allowance_for
from lstm_probe.models.files.child.process import Child, UnexpectedError
from lstm_probe.models.files.child.protocol import Frame, read_frame, write_frame
from lstm_probe.models.files.child.usage import usage_of
from lstm_probe.models.files.child.watch import Watch

linux = pytest.mark.skipif(usage_of(os.getpid()) is None, reason="the system does not tell")
SMALL = Allowance("m.keras", memory=2**27, processor=2.0, clock=10.0, size=1000)
#: Says that it has started, and reads the question. Where the guard against what it does has been
#: taken out, nobody ends it but the system.
HELLO = """
import json, os, struct, sys, time
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
    resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))
except ImportError:
    pass
def say(said, body=b"", size=None):
    text = json.dumps({"arrays": [], **said}).encode()
    head = struct.pack("<4sQQ", b"lpc1", len(text), len(body) if size is None else size)
    os.write(1, head + text + body)
say({"event": "import ends"})
_, text, size = struct.unpack("<4sQQ", sys.stdin.buffer.read(20))
said = json.loads(sys.stdin.buffer.read(text)); sys.stdin.buffer.read(size)
"""


@pytest.fixture
def child_that(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A child with a program of the test's own, as a model that has taken it over would do."""
    made: list[Child] = []

    def make(program: str) -> Child:
        line = [sys.executable, "-I", "-S", "-c", HELLO + program]
        monkeypatch.setattr(process, "command", lambda folders: line)
        made.append(Child([], dict(os.environ)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def asked(child: Child, allowance: Allowance = SMALL) -> Frame:
    return child.ask(Frame({"ask": "anything"}), allowance)


def is_gone(child: Child) -> bool:
    return child._process.poll() is not None and not child._folder.exists()


# Limits ------------------------------------------------------------------------------------------


@linux
def test_a_child_that_computes_for_ever_is_ended(child_that):
    child = child_that("while True: pass")
    with pytest.raises(LstmProbeError, match=r"m\.keras takes longer.* --timeout 40 ") as refused:
        asked(child)
    assert str(refused.value).count("\n") == 0
    assert is_gone(child)


def test_a_child_that_waits_for_ever_is_ended(child_that):
    child = child_that("time.sleep(1000)")
    began = time.monotonic()
    with pytest.raises(LstmProbeError, match="takes longer than a file may"):
        asked(child, Allowance("m", 2**30, processor=100.0, clock=0.5, size=1))
    assert time.monotonic() - began < 20
    assert is_gone(child)


@linux
def test_a_child_that_takes_memory_is_ended(child_that):
    child = child_that(
        "kept = []\nwhile True:\n    kept.append(os.urandom(2**20) * 4); time.sleep(0.005)"
    )
    with pytest.raises(LstmProbeError, match=r"more memory than a file may.*--max-memory 1 "):
        asked(child)
    assert is_gone(child)


@linux
def test_what_the_framework_takes_is_not_counted(child_that):
    child = child_that(
        "say({'event': 'import begins'}); kept = os.urandom(2**28); time.sleep(0.2)\n"
        "say({'event': 'import ends'}); time.sleep(0.2); say({'answer': len(kept)})"
    )
    assert asked(child).said == {"answer": 2**28}


@linux
def test_no_child_imports_for_ever(child_that, monkeypatch):
    monkeypatch.setattr("lstm_probe.models.files.child.watch._IMPORT_SECONDS", 0.3)
    child = child_that("say({'event': 'import begins'}); time.sleep(1000)")
    with pytest.raises(LstmProbeError, match="takes longer than a file may"):
        asked(child)


@pytest.mark.parametrize("begins", ["import begins", "import ends"])
def test_no_child_gains_time_by_importing_again_and_again(begins, child_that):
    child = child_that(
        f"while True:\n    say({{'event': {begins!r}}}); say({{'event': 'import ends'}})\n"
        "    time.sleep(0.02)"
    )
    with pytest.raises(LstmProbeError, match="takes longer than a file may"):
        asked(child, Allowance("m", 2**30, processor=100.0, clock=0.5, size=1))


def test_limits_are_raised_by_their_options(tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(bytes(2**20))
    usual = allowance_for(path)
    assert (usual.memory, usual.processor) == (2 * 2**30, pytest.approx(15.5, abs=0.1))
    more = allowance_for(path, max_memory=3, timeout=7)
    assert (more.memory, more.processor, more.clock) == (3 * 2**30, 7, 7)
    for bad in ({"max_memory": 0}, {"timeout": -1}, {"timeout": float("nan")}):
        with pytest.raises(LstmProbeError, match="This is no limit"):
            allowance_for(path, **bad)


def test_what_a_file_leaves_out_counts_for_nothing(tmp_path):
    path = tmp_path / "m.keras"
    with path.open("wb") as file:
        file.truncate(2**36)
    assert allowance_for(path).memory == 2 * 2**30


# Answers that are none ---------------------------------------------------------------------------

ANSWERS = {
    "nothing": "sys.exit(3)",
    "a crash": "os.kill(os.getpid(), 11)",
    "garbage": "os.write(1, b'x' * 100)",
    "no object": "os.write(1, struct.pack('<4sQQ', b'lpc1', 2, 0) + b'[]')",
    "a text without an end": "os.write(1, struct.pack('<4sQQ', b'lpc1', 2**60, 0))",
    "a body without an end": "say({}, size=2**60); time.sleep(1000)",
    "an array of many axes": "say({'arrays': [['<f4', [1] * 999]]}, bytes(16))",
    "nothing times very much": "say({'arrays': [['<f4', [0, 10**40]]]})",
    "arrays that are not there": "say({'arrays': [['<f4', [10**9, 10**9]]]})",
    "an array of objects": "say({'arrays': [['|O', [1]]]}, bytes(16))",
    "a negative shape": "say({'arrays': [['<f4', [-1, -4]]]}, bytes(16))",
    "bytes of no array": "say({}, bytes(16))",
    "half a frame": "os.write(1, struct.pack('<4sQQ', b'lpc1', 100, 0) + b'{')",
    "deep brackets": "t = b'[' * 100000; os.write(1, struct.pack('<4sQQ', b'lpc1', 100000, 0) + t)",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_none_is_said_in_one_line(name, child_that):
    child = child_that(ANSWERS[name])
    with pytest.raises(LstmProbeError, match=r"m\.keras cannot be read as a model") as refused:
        asked(child)
    assert str(refused.value).count("\n") == 0
    assert isinstance(refused.value.__cause__, UnexpectedError)
    assert is_gone(child)


def test_what_it_prints_is_shown_by_debug_alone(child_that):
    child = child_that("os.write(2, b'noise \\x1b[31m of a framework'); os.kill(os.getpid(), 6)")
    with pytest.raises(LstmProbeError, match="signal 6") as refused:
        asked(child)
    assert "noise" not in str(refused.value)
    assert "noise  [31m of a framework" in str(refused.value.__cause__)


@pytest.mark.parametrize("kind", ["refused", "other", "system"])
def test_a_refusal_of_its_own_cannot_steer_a_terminal(kind, child_that):
    error = {"kind": kind, "text": "no \x1b[31m\x07 model" + 9000 * "x", "number": 2}
    child = child_that(f"say({{'error': {error!r}}})")
    kinds = {"refused": LstmProbeError, "other": UnexpectedError, "system": FileNotFoundError}
    with pytest.raises(kinds[kind], match=r"no  \[31m  model") as refused:
        asked(child)
    assert len(str(refused.value)) < 3100


# Beginning and end -------------------------------------------------------------------------------


def test_its_folder_goes_with_it(child_that):
    child = child_that("say({'answer': os.environ['HOME'] == os.getcwd() == os.environ['TMPDIR']})")
    assert asked(child).said["answer"] is True
    assert child._folder.is_dir()
    child.close()
    assert is_gone(child)


def test_it_has_no_accelerator_and_few_variables(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "x")
    monkeypatch.setenv("PYTHONSTARTUP", "x")
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    chosen = surroundings.chosen_variables()
    assert chosen["CUDA_VISIBLE_DEVICES"] == "-1"
    assert chosen["JAX_PLATFORMS"] == "cpu"
    assert not {"SECRET_TOKEN", "PYTHONSTARTUP", "HOME", "PYTHONPATH"} & set(chosen)


def test_it_computes_with_the_backend_that_was_chosen(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "keras", None)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    assert "KERAS_BACKEND" not in surroundings.chosen_variables()
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert surroundings.chosen_variables()["KERAS_BACKEND"] == "jax"
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    (tmp_path / "own").mkdir()
    variables = surroundings.environment({}, tmp_path / "own")
    copied = Path(variables["KERAS_HOME"]) / "keras.json"
    assert json.loads(copied.read_text()) == {"backend": "torch"}


def test_it_imports_nothing_from_where_the_file_is(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", ["", "relative", str(tmp_path), *sys.path])
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    sys.path.append(str(tmp_path / "here"))
    folders = surroundings.import_folders(tmp_path)
    assert not {"", "relative", str(tmp_path), str(tmp_path / "here")} & set(folders)
    # Python's own modules come before anybody else's.
    assert os.path.dirname(os.__file__) in folders[:3]


def test_ctrl_c_ends_it(child_that):
    child = child_that("time.sleep(1000)")
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        asked(child)
    assert is_gone(child)


def test_a_watch_leaves_no_thread_behind(child_that):
    child = child_that("say({'answer': 1})")
    before = threading.active_count()
    asked(child)
    assert threading.active_count() == before


KILLED = """
import sys, time
from pathlib import Path
from lstm_probe.models.files.child.allowance import allowance_for
from lstm_probe.models.files.child.pool import child_for
from lstm_probe.models.files.child.protocol import Frame, read_frame, write_frame
path = Path(sys.argv[1])
child = child_for(path)
print(child._process.pid, child._folder, flush=True)
child.ask(Frame({"ask": "try", "path": str(path), "member": ""}), allowance_for(path))
print("answered", flush=True)
time.sleep(1000)
"""


@linux
def test_it_ends_when_its_parent_is_killed(tmp_path):
    (tmp_path / "m.h5").write_bytes(b"no HDF5 file")
    parent = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "m.h5")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid, _, folder = parent.stdout.readline().strip().partition(" ")
    assert parent.stdout.readline() == "answered\n"
    parent.kill()
    parent.wait()
    parent.stdout.close()
    ends = time.monotonic() + 30
    try:
        while (Path("/proc", pid).exists() or Path(folder).exists()) and time.monotonic() < ends:
            time.sleep(0.05)
        assert not Path("/proc", pid).exists()
        assert not Path(folder).exists()
    finally:  # where the guard has been taken out
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def test_one_child_serves_as_long_as_it_is_fit(tmp_path):
    path = tmp_path / "m.h5"
    path.write_bytes(b"no HDF5 file")
    question = Frame({"ask": "try", "path": str(path), "member": ""})
    pool.end_child()
    first = pool.child_for(path)
    first.ask(question, allowance_for(path))
    assert pool.child_for(path) is first
    first._process.kill()
    first._process.wait()
    second = pool.child_for(path)
    assert second is not first
    second.ask(question, allowance_for(path))
    pool.end_child()
    assert is_gone(second)


def test_a_child_with_other_variables_is_another(tmp_path, monkeypatch):
    path = tmp_path / "m.h5"
    first = pool.child_for(path)
    monkeypatch.setenv("TF_SOMETHING", "1")
    assert pool.child_for(path) is not first
    pool.end_child()


@linux
def test_the_watch_tells_memory_from_the_framework_s():
    small = Allowance("m", memory=2**22, processor=1e6, clock=1e6, size=1)
    watch = Watch(os.getpid(), lambda: None, small, framework=0)
    assert "more memory" in str(watch._refusal())
    watch = Watch(os.getpid(), lambda: None, small, framework=None)
    assert watch._refusal() is None


# Probes, as arrays -------------------------------------------------------------------------------


def test_python_within_another_program_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(LstmProbeError, match="trusted=True"):
        surroundings.command([])


def test_words_and_numbers_come_through():
    arrays = [np.array(["a", "bc"]), np.array([b"x"]), np.ones((2, 0)), np.float16([1]),
              np.arange(3, dtype=">i4"), np.array(True), np.ones((3, 2), order="F")]  # fmt: skip
    stream = io.BytesIO()
    write_frame(stream, Frame({"a": 1}, arrays))
    stream.seek(0)
    frame = read_frame(stream, largest=10_000)
    assert frame is not None
    assert frame.said == {"a": 1}
    for sent, came in zip(arrays, frame.arrays, strict=True):
        np.testing.assert_array_equal(sent, came)
        assert came.dtype.kind == sent.dtype.kind
    assert read_frame(stream, largest=10_000) is None
