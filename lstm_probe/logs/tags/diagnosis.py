"""What TensorBoard shows of health, gradients, dynamics and alerts.

With the three of parity these are 14 scalar tags for an LSTM, so that four layers and the cost of
a capture stay below 60.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary

from lstm_probe.analysis.alerts.board import Alert
from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.change.dynamics import Dynamics
from lstm_probe.analysis.explained import Explained
from lstm_probe.analysis.parity.verdict import KINDS
from lstm_probe.analysis.words.answers import Answer
from lstm_probe.analysis.words.summary import LayerSummary
from lstm_probe.core.arrays import Array
from lstm_probe.core.trace import title
from lstm_probe.logs.stored.names import ALERTS_TAG, ANSWERS_TAG, EXPLAINED_TAG
from lstm_probe.logs.tags.values import histogram, scalar, text

__all__ = ["alert_values", "answers_value", "diagnosis_values", "explained_value", "weight_values"]

#: A gate that never lets go has no horizon; a number that large stands for it.
_LONGEST_HORIZON = 1e6


def diagnosis_values(
    analysis: Analysis, dynamics: Dynamics | None, *, histograms: bool = True
) -> Iterator[Summary.Value]:
    """The verdict, the health, the gradient and the dynamics of one layer at one step.

    Args:
        analysis: the layer's analysis.
        dynamics: what changed since the capture before; None if there is none.
        histograms: whether the distribution of memory horizons is logged.
    """
    summary = analysis.summary()
    yield from _verdict(summary)
    yield from _gates(summary, analysis.trace.letters)
    yield from _memory(summary, analysis.health.horizon if histograms else None)
    yield from _gradient(summary)
    if dynamics is not None:
        yield from _dynamics(analysis.snapshot.layer, dynamics)


def weight_values(
    layer: str,
    dynamics: Dynamics | None,
    norms: Mapping[str, float],
    radii: Mapping[str, float],
) -> Iterator[Summary.Value]:
    """How large each gate's weights are, and how fast they change.

    Args:
        layer: the layer's name.
        dynamics: what changed since the capture before; None if there is none.
        norms: spectral norms by the arrays' names in logs.
        radii: spectral radii likewise.
    """
    for name, norm in norms.items():
        yield from _finite(
            f"{layer}/spectral_norm/{name}",
            norm,
            "The largest singular value: by how much at most a step stretches what it multiplies.",
        )
    for name, radius in radii.items():
        yield from _finite(
            f"{layer}/spectral_radius/{name}",
            radius,
            "The largest absolute eigenvalue: by how much many steps in a row stretch, each.",
        )
    if dynamics is None:
        return
    for name, change in dynamics.arrays.items():
        yield from _finite(f"{layer}/weight_norm/{name}", change.norm, "Euclidean norm |W|.")
        yield from _finite(
            f"{layer}/update_ratio/{name}",
            dynamics.ratio_per_step(name),
            "|dW| / |W| since the capture before, per training step.",
        )


def alert_values(alerts: Sequence[Alert]) -> Iterator[Summary.Value]:
    """The alerts that are new, as one text; nothing if there are none."""
    if alerts:
        lines = "\n".join(f"- {alert}" for alert in alerts)
        yield text(ALERTS_TAG, f"### Alerts\n\n{lines}\n")


def answers_value(answers: Mapping[str, Sequence[Answer]]) -> Summary.Value:
    """What the gates of each layer say, as one text.

    Args:
        answers: by the layer's name.
    """
    layers = [
        "\n".join([f"**`{layer}`**\n", *(f"- {answer}" for answer in said)])
        for layer, said in answers.items()
    ]
    return text(ANSWERS_TAG, "\n\n".join(["### What the gates say", *layers]) + "\n")


def explained_value(explained: Mapping[str, Explained]) -> Summary.Value:
    """What each layer computes, as one text.

    Args:
        explained: by the layer's name.
    """
    layers = [f"```\n{each}\n```" for each in explained.values()]
    return text(EXPLAINED_TAG, "\n\n".join(["### What the layers compute", *layers]) + "\n")


def _verdict(summary: LayerSummary) -> Iterator[Summary.Value]:
    parity, verdict = summary.parity, summary.verdict
    if parity is None or verdict is None:
        return
    yield scalar(
        f"{summary.layer}/parity/ulp_error",
        parity.ulp,
        description="The largest absolute error in units in the last place, in "
        f"{summary.dtype}, of the largest hidden state.",
    )
    yield scalar(
        f"{summary.layer}/parity/verdict",
        KINDS.index(verdict.kind),
        description="0: the framework computes what the pictures show, up to rounding; 1: up to "
        "rounding in a narrower type than the layer's; 2: it computes something else.",
    )


def _gates(summary: LayerSummary, letters: Sequence[str]) -> Iterator[Summary.Value]:
    for letter, gate in summary.gates.items():
        yield from _finite(
            f"{summary.layer}/health/saturated_{letters.index(letter) + 1}_{letter}",
            gate.saturated,
            f"Part of all units and steps at which the {title(letter)} is below 0.1 or above 0.9.",
        )


def _memory(summary: LayerSummary, horizon: Array | None) -> Iterator[Summary.Value]:
    """The longest memory and the units that are dead.

    Args:
        summary: the layer's summary.
        horizon: the horizon of each unit, for a histogram; None for no histogram.
    """
    if summary.longest_horizon is not None:
        yield from _finite(
            f"{summary.layer}/health/longest_horizon",
            float(np.minimum(summary.longest_horizon, _LONGEST_HORIZON)),
            "After how many steps the longest memory has faded to 1/e, at most 1e6. The probe has "
            f"{summary.probe_length} steps.",
        )
    if horizon is not None:
        yield from _horizons(summary.layer, np.minimum(horizon, _LONGEST_HORIZON))
    yield from _finite(
        f"{summary.layer}/health/dead_units",
        summary.dead_fraction,
        "Part of the units whose h moves by less than 0.001 over the whole probe.",
    )


def _horizons(layer: str, horizon: Array) -> Iterator[Summary.Value]:
    value = histogram(
        f"{layer}/health/horizons",
        np.log10(np.maximum(horizon, 1e-3)),
        description="Decimal logarithm of the memory horizon of each unit, in steps.",
    )
    if value is not None:
        yield value


def _gradient(summary: LayerSummary) -> Iterator[Summary.Value]:
    gradient, layer = summary.gradient, summary.layer
    if gradient is None:
        return
    state = gradient.state
    yield from _finite(
        f"{layer}/gradient/decay",
        gradient.decay,
        f"The factor by which |d {state}_T / d {state}_t| changes with each step back: below 1 "
        "it vanishes, above 1 it explodes.",
    )
    yield from _finite(
        f"{layer}/gradient/reach",
        gradient.reach,
        f"How many steps back |d {state}_T / d {state}_t| stays above 1 % of its largest value. "
        f"The probe has {summary.probe_length} steps.",
    )


def _dynamics(layer: str, dynamics: Dynamics) -> Iterator[Summary.Value]:
    yield from _finite(
        f"{layer}/dynamics/update_ratio",
        dynamics.update_ratio,
        "The largest |dW| / |W| of any gate's kernel since the capture before, per training "
        "step; about 1e-3 is usual.",
    )
    yield from _finite(
        f"{layer}/dynamics/drift",
        dynamics.drift,
        "Root mean square of the change of h on the probe since the capture before.",
    )


def _finite(tag: str, value: float, description: str) -> Iterator[Summary.Value]:
    """A number, if it is finite. Anything else leaves a gap, and has an alert of its own."""
    if np.isfinite(value):
        yield scalar(tag, value, description=description)
