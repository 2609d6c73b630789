"""A recorder fed with random snapshots: a training's log without a framework."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

# Also run as a script of its own, which is killed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import samples

from lstm_probe import Snapshot
from lstm_probe.callbacks.recording.options import Options
from lstm_probe.callbacks.recording.recorder import Later, Recorder


def reader(units: int = 5, layer: str = "memory") -> Later:
    rng = np.random.default_rng(1)

    def read(step: int) -> Later:
        weights = samples.lstm_weights(rng, units=units)
        fresh: Snapshot = samples.snapshot(rng, weights=weights, step=step, layer=layer)
        return lambda: [fresh]

    return read  # type: ignore[return-value]


def recorder(log_dir: Path, **options: object) -> Recorder:
    quiet = {"max_overhead": None, "on_alert": lambda _: None}
    return Recorder(log_dir, Options(**{**quiet, **options}))  # type: ignore[arg-type]


def main() -> None:
    """Capture without end, telling of each capture after it was written; with a number, not before
    so many processes have opened the log."""
    record, read = recorder(Path(sys.argv[1])), reader()
    record.start(0, read)
    if sys.argv[2:]:
        Path(f"{os.getpid()}.opened").touch()
        until = time.monotonic() + 20
        while len(list(Path().glob("*.opened"))) < int(sys.argv[2]) and time.monotonic() < until:
            time.sleep(0.01)
    step = 0
    while True:
        sys.stdout.write(f"{step}\n")
        sys.stdout.flush()
        step += 1
        record.capture(step, read)


if __name__ == "__main__":
    main()
