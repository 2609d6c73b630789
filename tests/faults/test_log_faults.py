"""Faults of the disk, and of the process that writes to it."""

from __future__ import annotations

import errno
import logging
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import event_reading
import numpy as np
import pytest

from lstm_probe import LstmProbeError, lstm
from lstm_probe.callbacks.recording.captures import Captures
from lstm_probe.callbacks.recording.worker import Worker
from lstm_probe.logs.events.records import read_records
from lstm_probe.logs.run_log import check_log_dir

sys.path.insert(0, str(Path(__file__).resolve().parent))
import recording

TAG = "memory/gates/2_f"


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Writing beyond a size really fails, in the middle of a record."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def without_rights() -> Iterator[None]:
    """As a user to whom nothing belongs: root may write anywhere."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


@contextmanager
def mounted(directory: Path, options: str) -> Iterator[None]:
    """A file system of its own."""
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting is not permitted")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def assert_whole(directory: Path) -> None:
    """Every byte of the event files belongs to a whole record."""
    for path in directory.glob("*tfevents*"):
        *_, (_, _, end) = read_records(path)
        assert end == path.stat().st_size


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


def test_a_full_disk_is_survived_counted_and_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record, model = recording.recorder(tmp_path), recording.source()
    record.start(0, model)
    size = sum(file.stat().st_size for file in (tmp_path / "lstm_probe").iterdir())
    with largest_file(3 * size + 1000):
        for step in range(1, 9):
            record.capture(step, model)
    failed = record.report.failed
    assert failed >= 4
    assert_whole(tmp_path / "lstm_probe")
    record.capture(9, model)
    record.close()
    steps = event_reading.steps(tmp_path / "lstm_probe", TAG)
    assert steps == [*range(9 - failed), 9]
    assert record.report.captured == len(steps)
    assert record.report.captured + record.report.failed == record.report.due == 10
    said = warnings(caplog)
    assert sum(os.strerror(errno.EFBIG) in text or "could be written" in text for text in said) <= 2
    assert said[-1] == f"lstm_probe: {failed} of 10 captures failed, 0 were left out."
    counts = event_reading.values(tmp_path / "lstm_probe")
    assert event_reading.array(counts["probe/failed", 9]) == failed


def test_a_file_system_without_room_is_survived(tmp_path: Path) -> None:
    with mounted(tmp_path, "size=128k"):
        record, model = recording.recorder(tmp_path), recording.source()
        record.start(0, model)
        for step in range(1, 8):
            record.capture(step, model)
        assert_whole(tmp_path / "lstm_probe")
        record.close()
        steps = event_reading.steps(tmp_path / "lstm_probe", TAG)
    assert steps == [*range(len(steps))]
    assert 0 < record.report.captured == len(steps) < 8
    assert record.report.captured + record.report.failed == 8


def test_no_room_from_the_start_is_told_before_the_first_step(tmp_path: Path) -> None:
    record = recording.recorder(tmp_path)
    with largest_file(2000), pytest.raises(LstmProbeError, match="could not be logged"):
        record.start(0, recording.source())


def test_a_read_only_file_system_is_told_before_the_first_step(tmp_path: Path) -> None:
    with mounted(tmp_path, "ro"):
        record = recording.recorder(tmp_path / "logs")
        with pytest.raises(LstmProbeError, match=r"cannot be written to.*Read-only file system"):
            record.start(0, recording.source())


def test_a_directory_without_rights_is_told_before_the_first_step(tmp_path: Path) -> None:
    warm = recording.recorder(tmp_path / "warm")  # what is imported late needs rights to be read
    warm.start(0, recording.source())
    warm.close()
    directory = Path(mkdtemp())  # not in tmp_path, into which nobody else may look
    directory.chmod(0o555)
    try:
        record = recording.recorder(directory)
        with (
            without_rights(),
            pytest.raises(LstmProbeError, match=r"cannot be written to.*Permission denied"),
        ):
            record.start(0, recording.source())
        assert not any(directory.iterdir())
    finally:
        directory.chmod(0o755)
        directory.rmdir()


def test_a_log_directory_deleted_in_mid_training_is_made_again(tmp_path: Path) -> None:
    record, model = recording.recorder(tmp_path / "logs"), recording.source()
    record.start(0, model)
    record.capture(1, model)
    shutil.rmtree(tmp_path / "logs")
    record.capture(2, model)
    record.close()
    assert event_reading.steps(tmp_path / "logs" / "lstm_probe", TAG) == [2]
    assert (record.report.captured, record.report.failed) == (3, 0)


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_reported_as_written_survives_a_kill(kill: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, recording.__file__, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as child:
        assert child.stdout is not None
        told = [int(child.stdout.readline()) for _ in range(12)]
        child.send_signal(kill)
        told += [int(line) for line in child.stdout.read().split()]
    steps = event_reading.steps(tmp_path / "lstm_probe", TAG)
    assert steps == sorted(set(steps))
    assert set(told) <= set(steps)
    record, model = recording.recorder(tmp_path), recording.source()
    record.start(steps[-1], model)  # resumed there: the same run goes on
    record.capture(steps[-1] + 1, model)
    record.close()
    assert max(event_reading.steps(tmp_path / "lstm_probe", TAG)) == steps[-1] + 1


def test_a_copied_log_directory_goes_on_where_it_ended(tmp_path: Path) -> None:
    record, model = recording.recorder(tmp_path / "a"), recording.source()
    record.start(0, model)
    record.capture(1, model)
    record.close()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    for name, first in (("a", 1), ("b", 1)):
        again = recording.recorder(tmp_path / name)
        again.start(first, model)
        again.capture(first + 1, model)
        again.close()
    for name in "ab":
        assert sorted(event_reading.steps(tmp_path / name / "lstm_probe", TAG)) == [0, 1, 1, 2]


@pytest.mark.parametrize("background", [False, True])
def test_a_fork_is_silent_and_leaves_the_log_whole(background: bool, tmp_path: Path) -> None:
    record, model = recording.recorder(tmp_path, background=background), recording.source()
    record.start(0, model)
    record.capture(1, Broken())  # so that there is something to tell at the end

    def in_the_child() -> None:
        for step in range(2, 5):
            record.capture(step, model)
        record.close()

    child = multiprocessing.get_context("fork").Process(target=in_the_child)
    child.start()
    child.join(timeout=10)
    hangs = child.is_alive()
    child.kill()
    assert not hangs
    assert child.exitcode == 0
    record.capture(7, model)
    record.close()
    directory = tmp_path / "lstm_probe"
    assert event_reading.steps(directory, TAG) == [0, 7]
    assert event_reading.steps(directory, "probe/failed") == [7]
    assert_whole(directory)


class Broken:
    """A model that cannot be read."""

    def take(self, step: int) -> recording.Taken:
        raise RuntimeError(f"step {step}")


def test_ten_thousand_failures_make_one_warning_and_are_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record, model = recording.recorder(tmp_path), recording.source()
    record.start(0, model)

    for step in range(1, 10_001):
        record.capture(step, Broken())
    record.capture(10_001, model, last=True)
    record.close()
    said = warnings(caplog)
    assert len(said) == 3
    assert "capturing at step 1;" in said[0]
    assert "RuntimeError: step 1" in said[0]
    assert "10 captures in a row have failed" in said[1]
    assert said[2] == "lstm_probe: 10 of 10002 captures failed, 9990 were left out."
    assert event_reading.steps(tmp_path / "lstm_probe", TAG) == [0, 10_001]
    report = record.report
    assert (report.captured, report.failed, report.skipped, report.due) == (2, 10, 9990, 10_002)
    counts = event_reading.values(tmp_path / "lstm_probe")
    assert event_reading.array(counts["probe/skipped", 10_001]) == 9990


def test_failures_count_when_the_worker_is_as_fast_as_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that has failed before the training thread goes on is not taken for a success."""
    record, model = recording.recorder(tmp_path, background=True), recording.source()
    record.start(0, model)
    monkeypatch.setattr(Captures, "_analyse", lambda *_: 1 / 0)
    monkeypatch.setattr(Worker, "offer", lambda _, job: job() or True)
    for step in range(1, 21):
        record.capture(step, model)
    record.close()
    report = record.report
    assert (report.captured, report.failed, report.skipped, report.due) == (1, 10, 10, 21)


def test_two_processes_write_one_directory_without_harm(tmp_path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, recording.__file__, str(tmp_path), "2"],
            stdout=subprocess.PIPE, text=True, cwd=tmp_path,
        )
        for _ in range(2)
    ]  # fmt: skip
    for child in children:
        assert child.stdout is not None
        assert [int(child.stdout.readline()) for _ in range(4)] == [0, 1, 2, 3]
    for child in children:
        child.kill()
        child.wait(timeout=10)
        assert child.stdout is not None
        child.stdout.close()
    steps = event_reading.steps(tmp_path / "lstm_probe", TAG)
    assert all(steps.count(step) <= 2 for step in steps)
    assert {0, 1, 2, 3} <= set(steps)


@pytest.mark.parametrize(
    "name", ["../../x", "/tmp/x", "a\n<script>alert(1)</script>", "y" * 5000, "con", "\0"]
)
def test_a_hostile_layer_name_stays_a_tag(name: str, tmp_path: Path) -> None:
    log_dir = tmp_path / "below" / "logs"
    record, model = recording.recorder(log_dir), recording.source(layer=name)
    record.start(0, model)
    record.capture(1, model)
    record.close()
    assert event_reading.captured_steps(log_dir, f"{name}/gates/2_f") == [0, 1]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.parent for path in files] == [log_dir / "lstm_probe"]


def test_a_fresh_training_after_an_early_crash_has_its_own_run(tmp_path: Path) -> None:
    """Both have captured the weights of step 0, and one point would hide the other."""
    for name in ("lstm_probe", "lstm_probe_2"):
        record = recording.recorder(tmp_path)
        record.start(0, recording.source())
        record.close()
        assert event_reading.steps(tmp_path / name, TAG) == [0]


def test_a_run_that_is_being_written_is_left_to_its_writer(tmp_path: Path) -> None:
    first, second = recording.recorder(tmp_path), recording.recorder(tmp_path)
    first.start(5, recording.source())
    second.start(5, recording.source())
    for record in (first, second):
        record.capture(6, recording.source())
        record.close()
    for name in ("lstm_probe", "lstm_probe_2"):
        assert event_reading.steps(tmp_path / name, TAG) == [5, 6]


def test_captures_go_on_when_a_file_stood_in_the_place_of_the_log(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    record, model = recording.recorder(logs), recording.source()
    record.start(0, model)
    shutil.rmtree(logs)
    logs.touch()
    record.capture(1, model)
    record.capture(2, model)
    logs.unlink()
    record.capture(3, model)
    record.capture(4, model)
    record.close()
    assert event_reading.steps(logs / "lstm_probe", TAG) == [3, 4]
    assert_whole(logs / "lstm_probe")
    assert (record.report.captured, record.report.failed) == (3, 2)


def test_a_pipe_that_is_called_like_an_event_file_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "lstm_probe").mkdir()
    os.mkfifo(tmp_path / "lstm_probe" / "events.out.tfevents.9999999999.pipe")
    script = (
        "import sys; sys.path.insert(0, sys.argv[2]); import recording, pathlib\n"
        "record = recording.recorder(pathlib.Path(sys.argv[1]))\n"
        "record.start(3, recording.source())\n"
        "record.close()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path), str(Path(__file__).parent)]
    assert subprocess.run(command, timeout=60).returncode == 0
    files = [path for path in (tmp_path / "lstm_probe").iterdir() if path.is_file()]
    assert len(files) == 1


@pytest.mark.parametrize("background", [False, True])
def test_a_logging_handler_that_raises_stops_nothing(
    background: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Strict(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            raise RuntimeError("warnings are errors here")

    handler = Strict()
    logging.getLogger().addHandler(handler)
    try:
        record = recording.recorder(tmp_path, background=background, max_log_bytes=20_000)
        model = recording.source()
        record.start(0, model)
        for step in range(1, 13):  # fails, warns, is given up, warns
            record.capture(step, Broken())
        record._tally.in_a_row = 0
        record._options = recording.Options(max_overhead=1e-9)
        monkeypatch.setattr("lstm_probe.callbacks.recording.budget.Budget.allows", lambda _: False)
        record.capture(13, model)  # is left out, warns
        monkeypatch.undo()
        for step in range(14, 18):  # the log is too large, warns
            record.capture(step, model)
            if record._worker is not None:
                record._worker.drain()
        record.close()
    finally:
        logging.getLogger().removeHandler(handler)
    report = record.report
    assert (report.captured, report.failed, report.skipped) == (5, 10, 3)
    assert report.due == 18


@pytest.mark.parametrize("background", [False, True])
def test_a_strict_floating_point_state_of_the_user_is_not_ours(
    background: bool, tmp_path: Path
) -> None:
    class Saturated(recording.Random):
        def take(self, step: int) -> recording.Taken:
            [seen] = super().take(step).snapshots()
            weights = replace(seen.weights, kernel=seen.weights.kernel * 1e4)
            output = lstm(seen.x, weights, cell=seen.cell).h
            return recording.Taken([replace(seen, weights=weights, output=output)])

    def strict(_: object) -> None:
        assert np.geterr()["under"] != "raise"

    before = np.seterr(all="raise")
    try:
        record = recording.recorder(tmp_path, background=background, detail="full", on_alert=strict)
        record.start(0, Saturated(5, "memory"))
        for step in range(1, 4):
            record.capture(step, Saturated(5, "memory"))
        record.close()
        assert set(np.geterr().values()) == {"raise"}
    finally:
        np.seterr(**before)
    assert (record.report.captured, record.report.failed) == (4, 0)


def test_counts_add_up_when_no_thread_can_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, model = recording.recorder(tmp_path, background=True), recording.source()
    record.start(0, model)

    def refused(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", refused)
        for step in range(1, 6):
            record.capture(step, model)
    for step in range(6, 9):
        record.capture(step, model)
        assert record._worker is not None
        record._worker.drain()
    record.close()
    report = record.report
    assert (report.captured, report.failed, report.skipped, report.due) == (4, 5, 0, 9)
    assert event_reading.steps(tmp_path / "lstm_probe", TAG) == [0, 6, 7, 8]


def test_a_capture_counts_once_when_only_its_cost_cannot_be_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, model = recording.recorder(tmp_path), recording.source()
    record.start(0, model)
    monkeypatch.setattr("lstm_probe.logs.run_log.RunLog.write_cost", lambda *_, **__: 1 / 0)
    record.capture(1, model)
    record.close()
    assert (record.report.captured, record.report.failed, record.report.due) == (2, 0, 2)


@pytest.mark.parametrize(
    "address",
    [
        "gs://bucket/logs",
        "s3://bucket/logs",
        "hdfs://host:9000/logs",
        "abfss://c@account.dfs.core.windows.net/logs",
        "dbfs:/logs",
        "file:///tmp/logs",
        Path("gs://bucket/logs"),
    ],
)
def test_an_address_of_a_remote_store_is_refused(
    address: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scheme = str(address).partition(":")[0]
    with pytest.raises(LstmProbeError, match=rf"{scheme}://.*Expected: a local directory"):
        recording.recorder(address)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["logs", "C:/logs", "C:\\logs", "a:b/c", "~/gs:/x"])
def test_a_local_path_is_no_address(path: str) -> None:
    check_log_dir(path)
