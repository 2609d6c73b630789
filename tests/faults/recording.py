"""A recorder fed with random snapshots: a training's log without a framework."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Also run as a script of its own, which is killed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import samples

from lstm_probe import Snapshot
from lstm_probe.callbacks.recording.options import Options
from lstm_probe.callbacks.recording.recorder import Recorder
from lstm_probe.callbacks.recording.source import Source


@dataclass(frozen=True)
class Taken:
    """Snapshots that need not be computed any more."""

    found: Sequence[Snapshot]

    def snapshots(self) -> Sequence[Snapshot]:
        return self.found


class Random:
    """A layer with other random weights and another random input at each step."""

    def __init__(self, units: int, layer: str) -> None:
        self._rng = np.random.default_rng(1)
        self._units, self._layer = units, layer

    def take(self, step: int) -> Taken:
        weights = samples.lstm_weights(self._rng, units=self._units)
        return Taken([samples.snapshot(self._rng, weights=weights, step=step, layer=self._layer)])


def source(units: int = 5, layer: str = "memory") -> Source:
    return Random(units, layer)


def recorder(log_dir: Path, **options: object) -> Recorder:
    quiet = {"max_overhead": None, "on_alert": lambda _: None}
    return Recorder(log_dir, Options(**{**quiet, **options}))  # type: ignore[arg-type]


def main() -> None:
    """Capture without end, telling of each capture after it was written; with a number, not before
    so many processes have opened the log."""
    record, model = recorder(Path(sys.argv[1])), source()
    record.start(0, model)
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
        record.capture(step, model)


if __name__ == "__main__":
    main()
