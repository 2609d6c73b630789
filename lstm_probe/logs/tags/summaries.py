"""What TensorBoard shows of an analysis: which tags there are, and what stands under them.

The tags are a promise to old logs: users compare runs by tag.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tensorboard.compat.proto.summary_pb2 import Summary

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.change.dynamics import Dynamics
from lstm_probe.core.arrays import Array
from lstm_probe.core.stopwatch import STAGES
from lstm_probe.core.trace import title
from lstm_probe.logs.detail import Detail
from lstm_probe.logs.tags.diagnosis import diagnosis_values
from lstm_probe.logs.tags.values import histogram, scalar

__all__ = ["cost_values", "layer_values"]


def layer_values(
    analysis: Analysis, dynamics: Dynamics | None = None, *, detail: Detail = "full"
) -> Iterator[Summary.Value]:
    """What the dashboards of numbers and distributions show of one layer at one step.

    Args:
        analysis: the layer's analysis.
        dynamics: what changed since the capture before; None if there is none.
        detail: how much is logged.
    """
    yield from _parity(analysis, detail)
    yield from diagnosis_values(analysis, dynamics, histograms=detail != "scalars")
    if detail != "scalars":
        yield from _activations(analysis)
    if detail == "full":
        yield from _weights(analysis)


def _parity(analysis: Analysis, detail: Detail) -> Iterator[Summary.Value]:
    prefix, parity = f"{analysis.snapshot.layer}/parity", analysis.parity
    if parity is None:
        return
    exact = parity.float64
    against = "between the framework's output and NumPy's recomputation in"
    yield scalar(
        f"{prefix}/max_abs_error",
        exact.max_abs,
        description=f"Largest absolute difference {against} float64. "
        f"Rounding explains up to {parity.tolerance:g} in {analysis.snapshot.dtype}.",
    )
    yield scalar(
        f"{prefix}/rms_error",
        exact.rms,
        description=f"Root mean square of the differences {against} float64.",
    )
    if detail == "full":
        yield scalar(
            f"{prefix}/max_abs_error_same_dtype",
            parity.same_dtype.max_abs,
            description=f"Largest absolute difference {against} the layer's own dtype.",
        )


def _activations(analysis: Analysis) -> Iterator[Summary.Value]:
    trace, layer = analysis.trace, analysis.snapshot.layer
    for number, letter in enumerate(trace.letters, start=1):
        yield from _distribution(
            f"{layer}/activations/{number}_{letter}",
            trace.valid(letter),
            f"{title(letter).capitalize()} over all valid steps of the probe.",
        )


def _weights(analysis: Analysis) -> Iterator[Summary.Value]:
    for name, array in analysis.snapshot.weights.named():
        yield from _distribution(f"{analysis.snapshot.layer}/{name}", array)


def _distribution(tag: str, values: Array, description: str = "") -> Iterator[Summary.Value]:
    """A histogram, if any value is finite."""
    value = histogram(tag, values, description=description)
    if value is not None:
        yield value


def cost_values(
    seconds: float, stages: Mapping[str, float], fraction: float
) -> Iterator[Summary.Value]:
    """What a capture cost.

    Args:
        seconds: of the training thread.
        stages: seconds by stage, on whichever thread.
        fraction: what all captures have added to the training's time.
    """
    yield scalar(
        "cost/capture_ms",
        1e3 * seconds,
        description="Milliseconds of the training thread that the capture took.",
    )
    yield scalar(
        "cost/overhead_fraction",
        fraction,
        description="What all captures so far have added to the time that the training takes.",
    )
    for stage in STAGES:
        if stage in stages:
            yield scalar(
                f"cost/{stage}_ms",
                1e3 * stages[stage],
                description=f"Milliseconds of the stage '{stage}' of a capture.",
            )
