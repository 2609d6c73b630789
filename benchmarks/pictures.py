"""Pictures and log records against matplotlib and tf.summary."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from measuring import Row, Work, at_least, in_turn, ratio, reported
from recurrences import random_cell

from lstm_probe import LstmCell, Snapshot, analyse
from lstm_probe.analysis.analysis import Analysis
from lstm_probe.core.stopwatch import Stopwatch
from lstm_probe.logs import RunLog
from lstm_probe.pictures import HeatmapPainter

RECORD_BOUND = 1.0


def measure() -> Iterator[Row]:
    analysis = analysed(28, 128)
    painter = HeatmapPainter()
    works: list[Work] = [
        lambda: [paint(painter, analysis, letter) for letter in analysis.trace.letters],
        lambda: [figure(analysis, letter, "imshow") for letter in analysis.trace.letters],
        lambda: [figure(analysis, letter, "pcolor") for letter in analysis.trace.letters],
    ]
    rows = in_turn(works, 7)
    yield at_least("six heatmaps 128 x 28: imshow figures over ours", 100, ratio(rows, 1, 0))
    yield reported("six heatmaps 128 x 28: pcolor figures over ours", ratio(rows, 2, 0))
    yield from records(analysis)


def records(analysis: Analysis) -> Iterator[Row]:
    """What is left of a record when everything is drawn: serialising and writing it."""
    with tempfile.TemporaryDirectory() as directory, RunLog(directory) as log:
        steps = iter(range(10**6))
        times: list[float] = []

        def ours() -> None:
            watch = Stopwatch()
            log.write([analysis], step=next(steps), watch=watch)
            times.append(watch.seconds["write"])

        rows = in_turn([ours, summaries(Path(directory), analysis)], 11)
    milliseconds = 1e3 * sorted(times)[len(times) // 2]
    yield Row(
        "a capture's log record: serialising and writing, ms",
        f"under {RECORD_BOUND:g}",
        milliseconds,
        milliseconds < RECORD_BOUND,
    )
    yield reported(
        "tf.summary (6 images, 6 histograms, 10 scalars) over a record", ratio(rows, 1, 0)
    )


def summaries(directory: Path, analysis: Analysis) -> Work:
    import tensorflow as tf

    writer = tf.summary.create_file_writer(str(directory / "summary"))
    trace = analysis.trace
    images = {k: np.zeros((1, 370, 580, 3), np.uint8) for k in trace.letters}

    def write() -> None:
        with writer.as_default(step=0):
            for letter in trace.letters:
                tf.summary.image(letter, images[letter])
                tf.summary.histogram(f"h/{letter}", trace[letter])
            for number in range(10):
                tf.summary.scalar(f"s{number}", 0.5)
            writer.flush()

    return write


def analysed(time: int, units: int, inputs: int = 28, batch: int = 1) -> Analysis:
    weights, x = random_cell(time, batch, inputs, units)
    output = LstmCell().run(x, weights).h
    return analyse(Snapshot(0, "lstm", LstmCell(), weights, x=x, output=output))


def paint(painter: HeatmapPainter, analysis: Analysis, letter: str) -> object:
    trace = analysis.trace
    return painter.paint(
        trace[letter][0], interval=trace.ranges[letter], letter=letter, layer="lstm", step=300
    )


def figure(analysis: Analysis, letter: str, kind: str) -> bytes:
    """A heatmap as a figure, without pyplot, which would be slower still."""
    figure = Figure(figsize=(5.8, 3.7), dpi=100)
    axes = figure.add_subplot()
    values = analysis.trace[letter][0].T
    drawn = (
        axes.imshow(values, cmap="RdBu", aspect="auto", interpolation="nearest")
        if kind == "imshow"
        else axes.pcolor(values, cmap="RdBu")
    )
    figure.colorbar(drawn)
    axes.set(xlabel="timestep", ylabel="unit", title=f"lstm {letter}")
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
