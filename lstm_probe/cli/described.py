"""Analyses as data, for --json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lstm_probe.analysis.alerts.board import Alert
from lstm_probe.analysis.analysis import Analysis

__all__ = ["described"]


def described(analyses: Mapping[str, Analysis], alerts: Sequence[Alert]) -> dict[str, Any]:
    """What the tables show, by name."""
    return {
        "layers": {name: _layer(analysis) for name, analysis in analyses.items()},
        "alerts": [alert.plain() for alert in alerts],
    }


def _layer(analysis: Analysis) -> dict[str, Any]:
    snapshot, health = analysis.snapshot, analysis.health
    return {
        "step": snapshot.step,
        "cell": snapshot.cell_name,
        "dtype": snapshot.dtype,
        "reverse": snapshot.reverse,
        "input_shape": list(snapshot.x.shape),
        "output_shape": list(snapshot.output.shape),
        "parity": _parity(analysis),
        "gates": {letter: _gate(analysis, letter) for letter in analysis.trace.letters},
        "longest_horizon": None if health.horizon is None else float(np.max(health.horizon)),
        "dead_units": np.flatnonzero(health.dead).tolist(),
        "copied_units": np.flatnonzero(health.copies).tolist(),
    }


def _parity(analysis: Analysis) -> dict[str, Any] | None:
    parity = analysis.parity
    if parity is None:
        return None
    return {
        "max_abs": parity.float64.max_abs,
        "rms": parity.float64.rms,
        "max_abs_same_dtype": parity.same_dtype.max_abs,
        "tolerance": parity.tolerance,
        "verdict": None if parity.verdict is None else parity.verdict.kind,
        "text": str(parity.verdict),
    }


def _gate(analysis: Analysis, letter: str) -> dict[str, float]:
    values, gate = analysis.trace.valid(letter), analysis.health.gates.get(letter)
    numbers = {"mean": float(values.mean())} if values.size else {}
    if gate is not None:
        numbers |= {"shut": float(gate.low.mean()), "open": float(gate.high.mean())}
    return numbers
