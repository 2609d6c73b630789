"""What the callback adds to `model.fit`, and what else people attach to it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np
from measuring import Ratio, Row, Work, at_least, at_most, in_turn, ratio, reported, seconds
from pictures import figure, summaries
from recurrences import naive

from lstm_probe import analyse, capture
from lstm_probe.callbacks import ProbeCallback

BATCH = 128
#: How much longer a training may take, by the interval of captures.
BOUNDS = {100: 1.01, 10: 1.04, 1: 1.35}


class Training:
    """A model that is trained step by step, with and without a probe."""

    def __init__(self, timesteps: int, inputs: int, units: int, **options: Any) -> None:
        rng = np.random.default_rng(0)
        self.x = rng.random((BATCH, timesteps, inputs), dtype=np.float32)
        self.y = rng.integers(0, 10, BATCH)
        self.model = keras.Sequential(
            [
                keras.Input((timesteps, inputs)),
                keras.layers.LSTM(units, name="lstm"),
                keras.layers.Dense(10),
            ]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile("adam", loss)
        self.directory = tempfile.TemporaryDirectory()
        options = {"every": 1, "max_overhead": None, **options}
        self.probe = ProbeCallback(self.x[:1], self.directory.name, **options)
        self.probe.set_model(self.model)
        self.step()
        self.probe.on_train_begin()

    def step(self) -> None:
        self.model.train_on_batch(self.x, self.y)

    def capture(self) -> None:
        self.probe.on_train_batch_end(0)

    def close(self) -> None:
        self.probe.on_train_end()
        self.directory.cleanup()


def measure() -> Iterator[Row]:
    for name, shape, rounds in (
        ("LSTM(128), 28 steps", (28, 28, 128), 101),
        ("LSTM(30), 302 steps", (302, 1, 30), 21),
    ):
        yield from overhead(name, Training(*shape), rounds)
    for every in (10, 1):
        row = f"LSTM(128), 28 steps: a whole training, captures every {every}, over one without"
        yield at_most(row, BOUNDS[every], with_over_without(every))
    yield from tiers()
    yield from against_the_naive_capture()
    yield without_a_capture()
    yield from background()
    yield from tensorboard_callback()


def overhead(name: str, training: Training, rounds: int) -> Iterator[Row]:
    rows = in_turn([training.step, training.capture], rounds)
    per_step = ratio(rows, 1, 0)
    for every, bound in BOUNDS.items():
        grown = Ratio(
            *(1 + part / every for part in (per_step.median, per_step.low, per_step.high)), 0.0
        )
        row = f"{name}: training with captures every {every} over without"
        if every == 100 or name.startswith("LSTM(128)"):
            yield at_most(row, bound, grown)
    if name.startswith("LSTM(128)"):
        # Alternately, so that each is measured as the other leaves the caches.
        cpu = in_turn([training.step, training.capture], rounds, time.process_time)
        yield at_most(
            f"{name}: processor time of a capture over that of a step", 0.25, ratio(cpu, 1, 0)
        )
        yield from stages(name, rounds)
    training.close()


def stages(name: str, rounds: int) -> Iterator[Row]:
    training = Training(28, 28, 128, detail="full")
    for _ in range(rounds):
        training.step()
        training.capture()
    for stage, milliseconds in last_costs(training).items():
        yield Row(f"{name}, detail=full: {stage}", "", milliseconds)
    training.close()


def last_costs(training: Training) -> dict[str, float]:
    """The medians of the stages, from the log itself."""
    from tensorboard.compat.proto.event_pb2 import Event

    from lstm_probe.logs.events.records import read_records

    costs: dict[str, list[float]] = {}
    assert training.probe.report.directory is not None
    for path in training.probe.report.directory.glob("*tfevents*"):
        for _, data, _ in read_records(path):
            for value in Event.FromString(data).summary.value:
                if value.tag.startswith("cost/") and value.tag.endswith("_ms"):
                    costs.setdefault(value.tag, []).append(value.tensor.float_val[0])
    return {f"{tag} (median)": median(values) for tag, values in costs.items()}


def count_calls(training: Training) -> None:
    """Every call of `capture` captures, although nothing is trained in between."""
    steps = count(1)
    training.probe._watch.look = lambda: next(steps)  # type: ignore[method-assign]


def tiers() -> Iterator[Row]:
    trainings = {
        detail: Training(28, 28, 128, detail=detail) for detail in ("scalars", "gates", "full")
    }
    works: list[Work] = [trainings["gates"].step]
    for training in trainings.values():
        works += [training.capture]
        count_calls(training)
    rows = in_turn(works, 41, time.process_time)
    for index, (detail, training) in enumerate(trainings.items(), start=1):
        yield reported(f"processor time of detail={detail!r} over a step", ratio(rows, index, 0))
        training.close()


def against_the_naive_capture() -> Iterator[Row]:
    """Everything that a capture shows, the way it is done in tutorials."""
    training = Training(28, 28, 128)
    snapshot = capture(training.model, training.x[:1])["lstm"]
    analysis = analyse(snapshot)
    write = summaries(Path(training.directory.name), analysis)

    def by_hand() -> None:
        training.model.predict(training.x[:1], verbose=0)
        naive(snapshot.x, snapshot.weights)  # type: ignore[arg-type]
        for letter in analysis.trace.letters:
            figure(analysis, letter, "pcolor")
        write()

    count_calls(training)
    rows = in_turn([training.capture, by_hand], 32, time.process_time)
    # The figures leave garbage that Python collects at about every second capture, which then takes
    # half as long again: four of each are added up.
    fours = [np.sum(rows[start : start + 4], axis=0).tolist() for start in range(0, len(rows), 4)]
    yield at_least("processor time of the naive capture over ours", 100, ratio(fours, 1, 0))
    training.close()


def without_a_capture() -> Row:
    training = Training(28, 28, 128, every=10**9)
    training.step()
    for _ in range(1000):
        training.capture()
    calls = 10_000
    each = 1e6 * seconds(lambda: [training.capture() for _ in range(calls)]) / calls
    training.close()
    return Row("a step without a capture, microseconds", "under 10", each, each < 10)


def background() -> Iterator[Row]:
    training = Training(28, 28, 128, background=True)
    taken: list[float] = []
    read = training.probe._read

    def timed(step: int) -> Any:
        began = time.perf_counter()
        later = read(step)
        taken.append(time.perf_counter() - began)
        return later

    training.probe._read = timed  # type: ignore[method-assign]
    steps, stalls = [], []
    for _ in range(101):
        steps += [seconds(training.step) for _ in range(3)]
        stalls.append(seconds(training.capture))
    fractions = sorted(stall / median(steps) for stall in stalls)
    middle, tail = median(fractions), fractions[int(0.95 * len(fractions))]
    yield Row("background: of which reading the weights", "", median(taken) / median(steps))
    yield Row("background: stall over a step, median", "at most 0.01", middle, middle <= 0.01)
    yield Row("background: stall over a step, 95th percentile", "at most 0.02", tail, tail <= 0.02)
    training.close()
    for every in (10, 1):
        yield reported(
            f"background over foreground, training with captures every {every}",
            background_over_foreground(every),
        )


def background_over_foreground(every: int) -> Ratio:
    trainings = [Training(28, 28, 128, every=every, background=b) for b in (True, False)]
    rows = in_turn([block(training) for training in trainings], 15)
    for training in trainings:
        training.close()
    return ratio(rows, 0, 1)


def with_over_without(every: int) -> Ratio:
    """Of two trainings that take turns, ten steps each: what captures leave behind, such as cold
    caches, counts as well. Two trainings without captures differ by some per cent, and go on doing
    so, by where their memory lies; so several pairs are measured."""
    rows: list[list[float]] = []
    for _ in range(7):
        probed, bare = Training(28, 28, 128, every=every), Training(28, 28, 128, every=10**9)
        rows += in_turn([block(probed), block(bare)], 11)
        for training in (probed, bare):
            training.close()
    return ratio(rows, 0, 1)


def block(training: Training, steps: int = 10) -> Work:
    def run() -> None:
        for _ in range(steps):
            training.step()
            training.capture()

    return run


def tensorboard_callback() -> Iterator[Row]:
    """What Keras's own callback costs in the same training, for an epoch of 20 steps."""
    training = Training(28, 28, 128)
    x, y = np.tile(training.x, (20, 1, 1)), np.tile(training.y, 20)

    def epoch(*callbacks: Any) -> Work:
        return lambda: training.model.fit(
            x, y, batch_size=BATCH, verbose=0, callbacks=list(callbacks)
        )

    directory = training.directory.name
    board = keras.callbacks.TensorBoard(directory, histogram_freq=1, write_images=True)
    plain = keras.callbacks.TensorBoard(directory)
    probe = ProbeCallback(x[:1], f"{directory}/probe", every=20, max_overhead=None)
    rows = in_turn([epoch(), epoch(plain), epoch(board), epoch(probe)], 7)
    yield reported("an epoch of 20 steps with Keras's TensorBoard over without", ratio(rows, 1, 0))
    yield reported("the same with histograms and images of weights", ratio(rows, 2, 0))
    yield reported("the same with ours, three captures and its set-up", ratio(rows, 3, 0))
    training.close()
