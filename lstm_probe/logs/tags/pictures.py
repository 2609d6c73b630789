"""What TensorBoard's Images tab shows of an analysis."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.core.arrays import Array
from lstm_probe.core.trace import title
from lstm_probe.logs.detail import Detail
from lstm_probe.logs.tags.values import image
from lstm_probe.pictures import HeatmapPainter
from lstm_probe.pictures.scatter import paint_saturation

__all__ = ["picture_values"]

#: A picture shows gradients from here on: float32 resolves nothing smaller beside 1.
_LOWEST_POWER, _HIGHEST_POWER = -8.0, 2.0


def picture_values(
    analysis: Analysis, painter: HeatmapPainter, *, detail: Detail = "full"
) -> Iterator[Summary.Value]:
    """The pictures of one layer at one step.

    Args:
        analysis: the layer's analysis.
        painter: draws them, and keeps what all of one shape have in common.
        detail: with `full` there are those of saturation and gradients as well.
    """
    yield from _heatmaps(analysis, painter)
    if detail == "full":
        yield from _saturation(analysis)
        yield from _gradient(analysis, painter)


def _heatmaps(analysis: Analysis, painter: HeatmapPainter) -> Iterator[Summary.Value]:
    trace, snapshot = analysis.trace, analysis.snapshot
    for number, letter in enumerate(trace.letters, start=1):
        png = painter.paint(
            trace[letter][0],
            interval=trace.ranges[letter],
            letter=letter,
            layer=snapshot.layer,
            step=snapshot.step,
            mask=None if trace.mask is None else trace.mask[0],
            labels=None if trace.labels is None else trace.labels[0],
        )
        name = f", {trace.sequence_names[0]}" if trace.sequence_names else ""
        yield image(
            f"{snapshot.layer}/gates/{number}_{letter}",
            png,
            description=f"{title(letter).capitalize()} along the probe's first sequence{name}.",
        )


def _saturation(analysis: Analysis) -> Iterator[Summary.Value]:
    health, layer = analysis.health, analysis.snapshot.layer
    if health.gates and health.steps:
        yield image(
            f"{layer}/health/saturation",
            paint_saturation(
                {letter: (gate.low, gate.high) for letter, gate in health.gates.items()},
                layer=layer,
                step=analysis.snapshot.step,
            ),
            description="A dot for each unit: at which part of the steps its gate is nearly shut, "
            "and at which it is nearly open (Karpathy, Johnson & Fei-Fei 2015).",
        )


def _gradient(analysis: Analysis, painter: HeatmapPainter) -> Iterator[Summary.Value]:
    gradient, layer, trace = analysis.gradient, analysis.snapshot.layer, analysis.trace
    if gradient is not None:
        yield image(
            f"{layer}/gradient/through_time",
            painter.paint(
                _powers(gradient.by_unit[0]),
                interval=(_LOWEST_POWER, _HIGHEST_POWER),
                letter="log10 |dh_T/dh|",
                layer=layer,
                step=analysis.snapshot.step,
                mask=None if trace.mask is None else trace.mask[0],
                labels=None if trace.labels is None else trace.labels[0],
            ),
            description="How strongly the last hidden state depends on each unit at each timestep "
            "of the probe's first sequence, as a decimal logarithm.",
        )


def _powers(values: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.clip(np.log10(np.abs(values)), _LOWEST_POWER, _HIGHEST_POWER)
