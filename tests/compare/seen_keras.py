"""Live models of Keras 3: what is captured of them, and what is said of it."""

from __future__ import annotations

from typing import Any

import keras
import keras_models
import layer_grid
import numpy as np
from described import note_analysis
from observations import Observations, attempt

import lstm_probe
from lstm_probe.callbacks import capture

__all__ = ["note_model", "observe"]

#: Every so many of the grid's first configurations; small ones alone.
_GRID, _EVERY = 140, 6


def observe(seen: Observations) -> None:
    """Models with layers in many places, a part of the grid of layers, and a cell of one's own."""
    for name, build in keras_models.MODELS.items():
        rng = np.random.default_rng(51)
        model, probe, _ = build(rng)
        note_model(seen, name, keras_models.randomise(model, rng), probe)
    for config in list(layer_grid.configs(_GRID))[::_EVERY]:
        if config.time <= 60 and config.units <= 64:
            _, inputs, output, probe = layer_grid.build(config)
            name = f"grid/{config.number} {config.cell} {config.wrapper} {config.dtype}"
            note_model(seen, name, keras.Model(inputs, output), probe)
    _note_own_cell(seen)
    _note_refusals(seen)


def note_model(seen: Observations, name: str, model: Any, probe: Any) -> None:
    """All snapshots of a model, and their analyses."""
    snapshots = capture(model, probe)
    seen.note("layers", name, list(snapshots))
    analyses = []
    for layer, snapshot in snapshots.items():
        with seen.within(f"{name}/{layer}"):
            seen.note("snapshot", "fields", _fields(snapshot))
            analyses.append(lstm_probe.analyse(snapshot))
            note_analysis(seen, "analysis", analyses[-1])
    board = lstm_probe.AlertBoard()
    seen.note("alerts", f"{name}/board", [alert.plain() for alert in board.update(analyses)])


def _fields(snapshot: lstm_probe.Snapshot) -> dict[str, Any]:
    """What was captured; functions by their names."""
    fields = (
        "step", "layer", "x", "output", "final_output", "mask", "initial_state", "reverse",
        "zero_output_for_mask", "initial_output_for_mask", "dtype", "epoch", "cell_name",
    )  # fmt: skip
    cell = vars(snapshot.cell) if snapshot.cell is not None else {}
    return {
        **{field: getattr(snapshot, field) for field in fields},
        "cell": {key: str(getattr(value, "__name__", value)) for key, value in cell.items()},
        "weights": dict(snapshot.weights.named()),
        "type of weights": type(snapshot.weights).__name__,
    }


class MinimalCell(keras.layers.Layer):
    """A cell that nobody knows but its user: one gate."""

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.units = self.state_size = units

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight((shape[-1], self.units), name="kernel")
        self.recurrent_kernel = self.add_weight((self.units,) * 2, name="recurrent_kernel")

    def call(self, x: Any, states: Any) -> Any:
        (h,) = states
        f = keras.ops.sigmoid(keras.ops.matmul(h, self.recurrent_kernel))
        h = f * h + (1 - f) * keras.ops.tanh(keras.ops.matmul(x, self.kernel))
        return h, [h]


def _note_own_cell(seen: Observations) -> None:
    """Before its recurrence is told, after that, and after a wrong one is told."""
    rng = np.random.default_rng(52)
    model = keras.Sequential(
        [keras.Input((6, 3)), keras.layers.RNN(MinimalCell(4, name="own"), name="mine")]
    )
    keras_models.randomise(model, rng)
    probe = rng.normal(size=(2, 6, 3))
    note_model(seen, "own cell not told", model, probe)
    for name, sign in (("told", 1.0), ("told wrongly", -1.0)):

        @lstm_probe.register_cell("MinimalCell", ranges={"f": (0, 1), "h": (-1, 1)})
        def minimal(x: Any, states: Any, weights: Any, sign: float = sign) -> Any:
            (h,) = states
            f = 0.5 * np.tanh(0.5 * (h @ weights["recurrent_kernel"])) + 0.5
            h = f * h + (1 - f) * np.tanh(sign * (x @ weights["kernel"]))
            return {"f": f, "h": h}, [h]

        note_model(seen, f"own cell {name}", model, probe)


def _note_refusals(seen: Observations) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    good = keras.Sequential([keras.Input((6, 3)), keras.layers.LSTM(2, name="memory")])
    x = np.zeros((1, 6, 3))
    refused = {
        "no recurrent layer": lambda: capture(model, np.zeros((1, 3))),
        "no such layer": lambda: capture(good, x, layers=["other"]),
        "wrong probe": lambda: capture(good, x[:, :, :2]),
        "no model": lambda: capture(3, x),
    }
    for name, action in refused.items():
        seen.note("refusal", name, attempt(lambda action=action: sorted(action())))
