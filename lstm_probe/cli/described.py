"""Summaries of analyses as data, for --json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lstm_probe.analysis.alerts.board import Alert
from lstm_probe.analysis.words.answers import Answer
from lstm_probe.analysis.words.summary import GateSummary, LayerSummary, ParitySummary
from lstm_probe.analysis.words.values import ValueSummary

__all__ = ["described"]


def described(
    summaries: Mapping[str, LayerSummary],
    values: Mapping[str, Mapping[str, ValueSummary]],
    alerts: Sequence[Alert],
    answers: Mapping[str, Sequence[Answer]],
) -> dict[str, Any]:
    """The figures of the tables, by name.

    Args:
        summaries: by layer.
        values: by layer, those of each array by its letter.
        alerts: of all layers.
        answers: by layer, what its gates say.
    """
    return {
        "layers": {
            name: {
                **_layer(summary, values[name]),
                "answers": [each.plain() for each in answers[name]],
            }
            for name, summary in summaries.items()
        },
        "alerts": [alert.plain() for alert in alerts],
    }


def _layer(summary: LayerSummary, values: Mapping[str, ValueSummary]) -> dict[str, Any]:
    gates = {letter: _gate(each, summary.gates.get(letter)) for letter, each in values.items()}
    return {
        "step": summary.step,
        "cell": summary.cell_name,
        "dtype": summary.dtype,
        "reverse": summary.reverse,
        **({"guessed": list(summary.guessed)} if summary.guessed else {}),
        "input_shape": list(summary.input_shape),
        "output_shape": list(summary.output_shape),
        "parity": None if summary.parity is None else _parity(summary.parity),
        "gates": gates,
        "longest_horizon": summary.longest_horizon,
        "dead_units": list(summary.dead),
        "copied_units": list(summary.copies),
    }


def _parity(parity: ParitySummary) -> dict[str, Any]:
    return {
        "max_abs": parity.max_abs,
        "rms": parity.rms,
        "max_abs_same_dtype": parity.max_abs_same_dtype,
        "tolerance": parity.tolerance,
        "verdict": None if parity.verdict is None else parity.verdict.kind,
        "text": str(parity.verdict),
    }


def _gate(values: ValueSummary, gate: GateSummary | None) -> dict[str, float]:
    numbers = {"mean": values.mean} if values.count else {}
    if gate is not None:
        numbers |= {"shut": gate.shut, "open": gate.open}
    return numbers
