"""The child as its parent sees it: started, asked, watched over, and ended by its own number."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.limits import damaged
from lstm_probe.models.files.child.allowance import Allowance
from lstm_probe.models.files.child.protocol import Frame, ProtocolError, read_frame, write_frame
from lstm_probe.models.files.child.surroundings import command, environment
from lstm_probe.models.files.child.usage import usage_of
from lstm_probe.models.files.child.watch import LARGEST_FRAMEWORK, Watch

__all__ = ["Child", "UnexpectedError"]

#: What the child has said beside its answers, of which the end is shown with --debug.
_SAID, _SHOWN = "said.txt", 4000
_LONGEST_LINE = 3000


class UnexpectedError(RuntimeError):
    """Something went wrong in the child that no file should bring about: a defect of ours."""


class Child:
    """A process that loads and runs what files hold.

    Args:
        folders: where it imports from.
        chosen: its variables.

    Attributes:
        users: whoever holds something that the child keeps.
        asked: when it was asked last, by `time.monotonic`.
    """

    def __init__(self, folders: list[str], chosen: dict[str, str]) -> None:
        self.folders, self.chosen = folders, chosen
        self.users: weakref.WeakSet[Any] = weakref.WeakSet()
        self.asked = time.monotonic()
        self._lock = threading.Lock()
        self._forgotten: list[int] = []
        self._framework: int | None = None
        self._has_started = False
        line = command(folders)
        self._folder = Path(tempfile.mkdtemp(prefix="lstm_probe-"))
        with (self._folder / _SAID).open("wb") as said:
            self._process = subprocess.Popen(
                line,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                cwd=self._folder,
                env=environment(chosen, self._folder),
                # Ctrl-C is for this process, which ends the child then.
                start_new_session=sys.platform != "win32",
            )
        self.close = weakref.finalize(self, _end, self._process, self._folder, os.getpid())

    def ask(self, question: Frame, allowance: Allowance, *, opens: bool = True) -> Frame:
        """Ask, and wait for the answer.

        Args:
            question: whose `said` has an `ask`.
            allowance: what the file may take.
            opens: it is about a file that is not loaded yet, so that what the child has already is
                not the file's doing.

        Raises:
            LstmProbeError: the file is refused, has reached a limit, or has ended the child.
        """
        with self._lock:
            self.asked = time.monotonic()
            framework = None if opens else self._framework
            watch = Watch(self._process.pid, self._process.kill, allowance, framework)
            forget, self._forgotten = self._forgotten, []
            limits = {
                "memory": allowance.memory,
                "processor": allowance.processor,
                "size": allowance.size,
            }
            said = {**question.said, "forget": forget, "limits": limits}
            try:
                with watch:
                    answer = self._answer(Frame(said, question.arrays), watch, allowance)
            except (OSError, ValueError, ProtocolError) as error:
                refusal, words = self._ended(watch, allowance)
                raise refusal from UnexpectedError(f"{error}; its last words:\n{words}")
            except BaseException:  # Ctrl-C: what it answers now would be taken for the next answer
                self.close()
                raise
            self._framework, self.asked = watch.framework, time.monotonic()
        _raise_error(answer, allowance)
        return answer

    def forget(self, number: int) -> None:
        """Say, with the next question, that a model is no longer needed."""
        self._forgotten.append(number)

    @property
    def fits_more(self) -> bool:
        """Whether it runs, and has not grown beyond what a framework takes."""
        used = usage_of(self._process.pid)
        small = used is None or used.resident < LARGEST_FRAMEWORK
        return bool(self.close.alive) and self._process.poll() is None and small

    @property
    def is_busy(self) -> bool:
        """Whether it is answering."""
        return self._lock.locked()

    def _answer(self, question: Frame, watch: Watch, allowance: Allowance) -> Frame:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        if not self._has_started:  # Python itself is imported, until it says so
            watch.import_begins()
            self._has_started = True
        write_frame(stdin, question)
        while True:
            answer = read_frame(stdout, largest=allowance.memory)
            if answer is None:
                raise ProtocolError("the child has ended")
            event = answer.said.get("event")
            if event is None:
                return answer
            if event == "import begins":
                watch.import_begins()
            elif event == "import ends":
                watch.import_ends()

    def _ended(self, watch: Watch, allowance: Allowance) -> tuple[LstmProbeError, str]:
        """Why there is no answer, and what it said last; the child is gone when this returns."""
        try:
            status: int | None = self._process.wait(1)
        except subprocess.TimeoutExpired:  # it has sent what is no answer
            status = None
        words = _last_words(self._folder / _SAID)
        self.close()
        if watch.refusal is not None:
            refusal = watch.refusal
        elif status == -getattr(signal, "SIGXCPU", 0):
            refusal = allowance.time_reached(allowance.processor)
        else:
            reason = "what has the process that reads it give no answer"
            if status is not None:
                seen = f"signal {-status}" if status < 0 else f"status {status}"
                reason = f"what ends the process that reads it ({seen})"
            refusal = damaged(Path(allowance.shown), "a model", reason)
        return refusal, words


def _end(process: subprocess.Popen[bytes], folder: Path, owner: int) -> None:
    if os.getpid() != owner:  # a fork, whose parent goes on with it
        return
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        with suppress(OSError):  # what was not sent has nobody to read it
            if stream is not None:
                stream.close()
    shutil.rmtree(folder, ignore_errors=True)


def _last_words(said: Path) -> str:
    try:
        with said.open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - _SHOWN, 0))
            data = file.read(_SHOWN)
    except OSError:
        data = b""
    return _printable(data.decode(errors="replace"), keep="\n")


def _printable(text: object, keep: str = "") -> str:
    """A text of the child's without what would steer a terminal."""
    return "".join(c if c.isprintable() or c in keep else " " for c in str(text))


def _raise_error(answer: Frame, allowance: Allowance) -> None:
    error = answer.said.get("error")
    if error is None:
        return
    if not isinstance(error, dict):
        raise damaged(Path(allowance.shown), "a model", "an answer that is none")
    text = _printable(error.get("text"))[:_LONGEST_LINE]
    cause = UnexpectedError(_printable(error.get("trace", ""), keep="\n")[-20_000:])
    kind = error.get("kind")
    if kind == "memory":
        raise allowance.memory_reached(0) from cause
    if kind == "refused":
        raise LstmProbeError(text) from cause
    if kind == "system" and isinstance(error.get("number"), int):
        number, place = error["number"], error.get("place")
        raise OSError(number, text, *([] if place is None else [_printable(place)])) from cause
    raise UnexpectedError(text) from cause
