"""How a capture's time, its bytes and what it leaves in memory grow; prints the tables of
docs/scaling.md.

    python benchmarks/scaling.py
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from lstm_probe import LstmCell, Snapshot, lstm
from lstm_probe.callbacks.recording.options import Options
from lstm_probe.callbacks.recording.recorder import Recorder
from lstm_probe.logs import last_step
from lstm_probe.logs.stored.reader import find_runs
from lstm_probe.weights import LstmWeights

SHAPES = [(1, 16, 28), (1, 64, 28), (1, 256, 28), (1, 1024, 28), (1, 64, 302), (1, 64, 1000)]
STACKS = [(2, 64, 28), (4, 64, 28), (8, 64, 28), (16, 64, 28)]


def snapshots(layers: int, units: int, timesteps: int, step: int) -> list[Snapshot]:
    rng = np.random.default_rng(step)
    taken = []
    for number in range(layers):
        scale = 0.5 / np.sqrt(units)
        weights = LstmWeights(
            rng.normal(0, scale, (8, 4, units)).astype(np.float32),
            rng.normal(0, scale, (units, 4, units)).astype(np.float32),
            np.zeros((4, units), np.float32),
        )
        x = rng.normal(size=(1, timesteps, 8)).astype(np.float32)
        output = lstm(x, weights, dtype=np.float32).h
        taken.append(Snapshot(step, f"lstm_{number}", LstmCell(), weights, x=x, output=output))
    return taken


def memory() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def capture(
    layers: int, units: int, timesteps: int, detail: str
) -> tuple[float, float, float, float]:
    """Medians of ten captures: milliseconds of processors, which other work on the machine adds
    little to, and milliseconds that pass; bytes; and MiB of memory that they have left."""
    with tempfile.TemporaryDirectory() as log_dir:
        options = Options(detail=detail, max_overhead=None, on_alert=lambda _: None)  # type: ignore[arg-type]
        record = Recorder(log_dir, options)
        taken = [snapshots(layers, units, timesteps, step) for step in range(4)]
        record.start(0, lambda _: lambda: taken[0])
        file = next(Path(log_dir).rglob("*tfevents*"))
        sizes, times, before = [file.stat().st_size], [], memory()
        busy = []
        for step in range(1, 11):
            began, worked = time.perf_counter(), time.process_time()
            record.capture(step, lambda step: lambda: taken[step % 4])
            busy.append(1e3 * (time.process_time() - worked))
            times.append(1e3 * (time.perf_counter() - began))
            sizes.append(file.stat().st_size)
        grown = memory() - before
        record.close()
    return median(busy), median(times), median(np.diff(sizes)), grown


def runs(count: int) -> tuple[float, float]:
    """Milliseconds to list so many runs of two captures, and to ask a run for its last step."""
    with tempfile.TemporaryDirectory() as log_dir:
        taken = [snapshots(1, 16, 28, step) for step in range(2)]
        record = Recorder(Path(log_dir) / "0", Options(on_alert=lambda _: None))
        record.start(0, lambda _: lambda: taken[0])
        record.capture(1, lambda _: lambda: taken[1])
        record.close()
        whole = next(Path(log_dir).rglob("*tfevents*"))
        for number in range(1, count):
            run = Path(log_dir) / str(number) / "lstm_probe"
            run.mkdir(parents=True)
            (run / whole.name).write_bytes(whole.read_bytes())
        began = time.perf_counter()
        found = find_runs(log_dir)
        listed = 1e3 * (time.perf_counter() - began)
        assert len(found) == count
        began = time.perf_counter()
        last_step(Path(log_dir) / "0" / "lstm_probe")
        return listed, 1e3 * (time.perf_counter() - began)


def main() -> int:
    print(
        "| layers | units | timesteps | detail | ms of processor | ms passed | kB in the log | "
        "MiB after 10 more |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for shape in [*SHAPES, *STACKS]:
        for detail in ("scalars", "gates", "full") if shape[0] == 1 else ("gates",):
            busy, passed, size, grown = capture(*shape, detail)
            layers, units, timesteps = shape
            print(
                f"| {layers} | {units} | {timesteps} | {detail} | {busy:.1f} | {passed:.1f} | "
                f"{size / 1e3:.0f} | {grown:.1f} |",
                flush=True,
            )
    print("\n| runs | ms to list them | ms to find where one ended |\n| --- | --- | --- |")
    for count in (1, 10, 100, 1000):
        listed, ended = runs(count)
        print(f"| {count} | {listed:.0f} | {ended:.1f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
