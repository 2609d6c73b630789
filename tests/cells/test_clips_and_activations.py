"""Clips of what goes into the activations, and an activation of the cell state's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers_cells import keras_lstm_arrays, sigmoid

from lstm_probe import LstmCell, Snapshot, analyse
from lstm_probe.analysis.parity.rounding import step_bound
from lstm_probe.analysis.parity.teacher_forcing import teacher_force
from lstm_probe.analysis.words.phrases import cell_phrase
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights import from_keras

CELLS = {
    "both": LstmCell(gate_clip=0.5, state_clip=0.3),
    "sums": LstmCell(gate_clip=0.8),
    "state": LstmCell(state_clip=0.2),
    "psi": LstmCell(state_activation="softsign"),
    "all": LstmCell("softsign", state_activation="tanh", gate_clip=0.6, state_clip=0.4),
}
FUNCTIONS = {"tanh": np.tanh, "softsign": lambda x: x / (1 + np.abs(x))}


def by_the_book(x, kernel, recurrent, bias, cell):
    phi = FUNCTIONS[cell.activation]
    psi = FUNCTIONS[cell.state_activation or cell.activation]
    of_sums, of_state = (np.inf if b is None else b for b in (cell.gate_clip, cell.state_clip))
    h = c = np.zeros((len(x), recurrent.shape[0]))
    steps = []
    for t in range(x.shape[1]):
        a = np.clip(x[:, t] @ kernel + h @ recurrent + bias, -of_sums, of_sums)
        i, f, g, o = np.split(a, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * phi(g)
        h = sigmoid(o) * psi(np.clip(c, -of_state, of_state))
        steps.append((c, h))
    return [np.stack(each, axis=1) for each in zip(*steps, strict=True)]


@pytest.mark.parametrize("name", CELLS)
def test_the_equations_are_those_of_the_book(name):
    rng = np.random.default_rng(3)
    arrays = keras_lstm_arrays(rng, 3, 5)
    x = rng.normal(size=(2, 9, 3))
    c, h = by_the_book(x, *arrays, CELLS[name])
    trace = CELLS[name].run(x, from_keras(*arrays))
    np.testing.assert_allclose(trace.c, c, atol=1e-13)
    np.testing.assert_allclose(trace.h, h, atol=1e-13)
    plain = LstmCell(CELLS[name].activation).run(x, from_keras(*arrays))
    assert np.abs(plain.h - h).max() > 0.01


@pytest.mark.parametrize("name", CELLS)
def test_rounding_is_bounded_step_by_step(name):
    rng = np.random.default_rng(4)
    weights = from_keras(*keras_lstm_arrays(rng, 3, 5, dtype="float32"))
    x = rng.normal(size=(2, 30, 3)).astype(np.float32)
    shown = CELLS[name].run(x, weights, dtype=np.float32).h.astype(np.float64)
    snapshot = Snapshot(
        0, "lstm", CELLS[name], weights.astype(float), x=x.astype(float), output=shown
    )
    forced = teacher_force(snapshot)
    excess = np.abs(forced.output - shown) / step_bound(snapshot, forced, "float32")
    assert 1e-3 < excess.max() < 1
    assert str(analyse(snapshot).parity.verdict) == "match"


def test_what_the_runtime_does_not_clip_is_among_the_readings():
    weights = from_keras(*keras_lstm_arrays(np.random.default_rng(5), 3, 5))
    found = {each.cell for each in CELLS["both"].readings(weights)}
    assert replace(CELLS["both"], state_clip=None) in found
    found = {each.cell for each in CELLS["sums"].readings(weights)}
    assert {replace(CELLS["sums"], state_clip=0.8), LstmCell()} <= found


def test_options_are_checked_and_named():
    with pytest.raises(LstmProbeError, match="gate_clip=-1"):
        LstmCell(gate_clip=-1)
    with pytest.raises(LstmProbeError):
        LstmCell(state_activation="nothing")
    assert cell_phrase(LstmCell()) == "lstm, activation tanh, recurrent_activation sigmoid"
    assert "state_activation tanh, gate_clip 0.6, state_clip 0.4" in cell_phrase(CELLS["all"])
    assert CELLS["psi"].ranges()["h"] == (-1.0, 1.0)
    assert LstmCell(state_activation="relu").ranges()["h"] is None
