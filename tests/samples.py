"""Random snapshots for tests that need no framework."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lstm_probe import LstmCell, Snapshot
from lstm_probe.core.masks import emitted
from lstm_probe.weights import LstmWeights


def lstm_weights(rng: np.random.Generator, inputs: int = 3, units: int = 5) -> LstmWeights:
    return LstmWeights(
        rng.normal(0, 0.5, (inputs, 4, units)),
        rng.normal(0, 0.5, (units, 4, units)),
        rng.normal(0, 0.5, (4, units)),
    )


def snapshot(rng: np.random.Generator, *, batch: int = 2, time: int = 7, **fields: Any) -> Snapshot:
    """A snapshot whose output is the cell's own, so that its parity error is zero."""
    weights = fields.pop("weights", None) or lstm_weights(rng)
    x = rng.normal(size=(batch, time, weights.input_size))
    blank = Snapshot(
        step=fields.pop("step", 0),
        layer=fields.pop("layer", "memory"),
        cell=fields.pop("cell", LstmCell()),
        weights=weights,
        x=x,
        output=np.zeros((batch, time, weights.output_size)),
        dtype=fields.pop("dtype", "float64"),
        **fields,
    )
    order = slice(None, None, -1 if blank.reverse else 1)
    mask = None if blank.mask is None else blank.mask[:, order]
    trace = blank.cell.run(
        x[:, order], weights, mask=mask, initial_state=blank.initial_state, dtype=np.float64
    )
    output = emitted(trace.h, mask, zero_output_for_mask=blank.zero_output_for_mask)
    return replace(blank, output=output[:, order])


def training_data(rng: np.random.Generator, count: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Sequences `(count, 6, 3)` and targets `(count, 2)` for a small training."""
    return rng.normal(size=(count, 6, 3)).astype("float32"), rng.normal(size=(count, 2))
