"""What stability, need and geometry cost against units, timesteps and sequences; prints the table
of docs/scaling.md.

    python benchmarks/stability.py
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from lstm_probe import LstmCell, Snapshot, analyse, lstm
from lstm_probe.analysis import (
    Analysis,
    find_fixed_points,
    jacobian_spectrum,
    lyapunov_exponents,
    measure_geometry,
    measure_need,
)
from lstm_probe.weights import LstmWeights

#: Units, timesteps and sequences.
SHAPES = [
    (16, 100, 8),
    (64, 100, 8),
    (128, 100, 8),
    (256, 100, 8),
    (64, 25, 8),
    (64, 400, 8),
    (64, 100, 1),
    (64, 100, 32),
]


def analysed(units: int, timesteps: int, batch: int) -> Analysis:
    """An LSTM with 8 features, whose states neither explode nor fade at once."""
    rng = np.random.default_rng(0)
    weights = LstmWeights(
        rng.normal(0, 0.5, (8, 4, units)),
        rng.normal(0, 0.7 / np.sqrt(units), (units, 4, units)),
        np.zeros((4, units)),
    )
    x = rng.normal(size=(batch, timesteps, 8))
    seen = Snapshot(0, "lstm", LstmCell(), weights, x=x, output=lstm(x, weights).h)
    return analyse(seen)


def measured(function: Callable[[Analysis], object], analysis: Analysis) -> float:
    """Milliseconds of a processor, the median of three; of one if that takes long."""
    times = []
    for _ in range(3):
        start = time.process_time()
        function(analysis)
        times.append(1000 * (time.process_time() - start))
        if times[0] > 2000:
            break
    return median(times)


def main() -> None:
    columns: dict[str, Callable[[Analysis], object]] = {
        "spectrum": jacobian_spectrum,
        "exponents": lyapunov_exponents,
        "fixed points": find_fixed_points,
        "need": lambda analysis: measure_need(analysis, analysis.snapshot.x[..., 0]),
        "geometry": measure_geometry,
    }
    names = ["units", "timesteps", "sequences", *columns]
    print(f"| {' | '.join(names)} |\n|{' --- |' * len(names)}")
    for shape in SHAPES:
        analysis = analysed(*shape)
        times = [f"{measured(function, analysis):.0f}" for function in columns.values()]
        print(f"| {' | '.join([*map(str, shape), *times])} |")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
