"""How cost and memory grow: with layers, units and timesteps, and with the number of captures."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from statistics import median

import numpy as np
from measuring import Ratio, Row, in_turn, ratio, reported, seconds
from recurrences import random_cell

from lstm_probe import LstmCell, Snapshot
from lstm_probe.callbacks.recording.options import Options
from lstm_probe.callbacks.recording.recorder import Recorder
from lstm_probe.core.blas import on_one_blas_thread

CAPTURES = 1000
#: (layers, units, timesteps).
MODELS = [
    (1, 128, 28),
    (1, 256, 100),
    (2, 256, 100),
    (4, 256, 100),
    (1, 512, 250),
    (1, 512, 500),
    (1, 512, 1000),
    (1, 1024, 500),
    (4, 1024, 1000),
]
#: A model whose recomputation takes more products than this is captured once, unwarmed.
LARGE = 10**9


def measure() -> Iterator[Row]:
    yield from import_time()
    yield from over_captures()
    yield from by_size()


def by_size() -> Iterator[Row]:
    """What a capture takes without the framework's pass, and what memory at its highest."""
    for layers, units, time_ in MODELS:
        products = layers * time_ * units * 8 * units  # of inputs, and of states, with four gates
        of_capture, peak = capturing(snapshots(layers, units, time_), once=products > LARGE)
        name = f"{layers} x LSTM({units}) on {time_} steps"
        yield Row(f"{name}: processor time of a capture, ms", "", 1e3 * of_capture.seconds)
        yield Row(f"{name}: picoseconds for each product", "", 1e12 * of_capture.seconds / products)
        yield reported(f"{name}: over recomputing the gates once, in float64", of_capture)
        gates = 8 * 6 * layers * time_ * units
        yield Row(f"{name}: peak memory over these gates", "", peak / gates)


def capturing(shots: list[Snapshot], *, once: bool) -> tuple[Ratio, int]:
    """The time of a capture over that of a recomputation, and how many bytes of memory it takes
    at most."""
    steps = itertools.count(1)

    def capture() -> None:
        recorder.capture(next(steps), lambda step: lambda: at(shots, step))

    @on_one_blas_thread
    def recompute() -> None:
        for shot in shots:
            shot.cell.run(shot.x, shot.weights, dtype="float64")

    with tempfile.TemporaryDirectory() as directory:
        recorder = Recorder(directory, Options(max_overhead=None))
        recorder.start(0, lambda step: lambda: at(shots, step))
        works = [capture, recompute]
        rows = [] if once else in_turn(works, 5, time.process_time)
        tracemalloc.start()  # this slows what is small, and what is large not noticeably
        traced = [seconds(work, time.process_time) for work in works]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        recorder.close()
    return ratio(rows or [traced], 0, 1), peak


def over_captures() -> Iterator[Row]:
    shots = snapshots(1, 32, 20)
    with tempfile.TemporaryDirectory() as directory:
        recorder = Recorder(directory, Options(max_overhead=None))
        recorder.start(0, lambda step: lambda: at(shots, step))
        for step in range(1, 51):
            recorder.capture(step, lambda step: lambda: at(shots, step))
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        resident = resident_bytes()
        for step in range(51, 51 + CAPTURES):
            recorder.capture(step, lambda step: lambda: at(shots, step))
        grown = (tracemalloc.get_traced_memory()[0] - before) / 2**20
        tracemalloc.stop()
        recorder.close()
    name = f"memory that Python holds after {CAPTURES} captures more, MiB"
    yield Row(name, "under 1", grown, grown < 1)
    yield Row("resident memory likewise, MiB", "", (resident_bytes() - resident) / 2**20)


def import_time() -> Iterator[Row]:
    """In processes of their own, with compiled files, without what an empty process takes."""
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            **{k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"},
            "PYTHONPYCACHEPREFIX": directory,
        }

        def run(statement: str) -> None:
            command = [sys.executable, "-c", statement]
            subprocess.run(command, check=True, cwd=directory, env=environment)

        works = [lambda s=s: run(s) for s in ("pass", "import numpy", "import lstm_probe")]
        rows = in_turn(works, 15)
    spent = median(row[2] - row[0] for row in rows)
    yield Row("import lstm_probe, seconds", "under 0.15", spent, spent < 0.15)
    yield Row("of which import numpy, seconds", "", median(row[1] - row[0] for row in rows))


def snapshots(layers: int, units: int, time_: int) -> list[Snapshot]:
    weights, x = random_cell(time_, 1, units, units)
    output = LstmCell().run(x, weights).h
    blank = Snapshot(0, "lstm", LstmCell(), weights, x=x, output=output)
    return [replace(blank, layer=f"lstm_{k}") for k in range(layers)]


def at(shots: list[Snapshot], step: int) -> list[Snapshot]:
    return [replace(shot, step=step) for shot in shots]


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    np.set_printoptions(precision=3)
    for row in measure():
        print(row)
