"""What health and gradient through time cost, as multiples of the recomputation itself.

python benchmarks/diagnosis_cost.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np

from lstm_probe import LstmCell, Snapshot, analyse
from lstm_probe.analysis.gradient.gradient import gradient_through_time
from lstm_probe.analysis.health.health import measure_health
from lstm_probe.weights import LstmWeights

SHAPES = [(100, 4, 32, 64), (28, 1, 28, 128), (302, 1, 1, 30)]


def main() -> None:
    print("time, batch, input, units    health    gradient    (recomputation in float64 = 1)")
    for time_, batch, inputs, units in SHAPES:
        snapshot = random_snapshot(time_, batch, inputs, units)
        trace = analyse(snapshot).trace
        works: list[Callable[[], object]] = [
            lambda s=snapshot: s.cell.run(s.x, s.weights, dtype=np.float64),
            lambda s=snapshot, t=trace: measure_health(s, t),
            lambda s=snapshot, t=trace: gradient_through_time(s, t),
        ]
        rounds = [[seconds(work) for work in works] for _ in range(31)]
        health, gradient = (median(r[k] / r[0] for r in rounds) for k in (1, 2))
        print(f"{(time_, batch, inputs, units)!s:26} {health:8.2f} {gradient:11.2f}")


def random_snapshot(time_: int, batch: int, inputs: int, units: int) -> Snapshot:
    rng = np.random.default_rng(0)
    weights = LstmWeights(
        rng.normal(0, 0.3, (inputs, 4, units)),
        rng.normal(0, 1 / np.sqrt(units), (units, 4, units)),
        rng.normal(0, 0.3, (4, units)),
    )
    x = rng.normal(size=(batch, time_, inputs))
    output = LstmCell().run(x, weights).h
    return Snapshot(0, "lstm", LstmCell(), weights, x=x, output=output, dtype="float64")


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
