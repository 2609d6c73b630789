"""The search for the cause of a mismatch stalls no training without being charged to the budget."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import samples

from lstm_probe import Snapshot
from lstm_probe.callbacks.recording.options import Options
from lstm_probe.callbacks.recording.recorder import Recorder

SEARCH = 0.3


class Source:
    """A model of one layer that no longer computes what its description says after step 0."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def take(self, step: int) -> Taken:
        wrong = 0.1 if step else 0.0
        return Taken([replace(self._snapshot, step=step, output=self._snapshot.output + wrong)])


class Taken:
    def __init__(self, seen: Sequence[Snapshot]) -> None:
        self._seen = seen

    def snapshots(self) -> Sequence[Snapshot]:
        return self._seen


@pytest.mark.parametrize("background", [False, True])
def test_the_search_for_a_cause_is_charged_to_the_budget(
    rng: np.random.Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, background: bool
) -> None:
    """With `background` it is made on the worker's thread, and the training does not wait."""
    threads = []

    def search(snapshot: Snapshot) -> None:
        threads.append(threading.current_thread())
        began = time.thread_time()
        while time.thread_time() - began < SEARCH:
            pass

    monkeypatch.setattr("lstm_probe.analysis.conventions.explanation.find_convention", search)
    recorder = Recorder(tmp_path, Options(background=background, max_overhead=None))
    source = Source(samples.snapshot(rng))
    recorder.start(0, source)
    assert not threads
    began = time.thread_time()
    recorder.capture(1, source)
    waited = time.thread_time() - began
    recorder.close()
    budget = recorder._captures.budget
    assert budget.spent >= SEARCH
    assert len(threads) == 1
    assert (threads[0] is threading.current_thread()) == (not background)
    assert (waited < SEARCH) == background
    assert recorder.analyses["memory"].parity.verdict.kind == "mismatch"
