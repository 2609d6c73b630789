from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import samples

from lstm_probe import GruCell, LstmCell, SimpleRnnCell, analyse
from lstm_probe.analysis.health.health import measure_health, memory_horizon
from lstm_probe.core.trace import GateTrace
from lstm_probe.weights import GruWeights, LstmWeights, SimpleRnnWeights

CELLS = {
    "lstm": (LstmCell(), LstmWeights, 4),
    "gru": (GruCell(), GruWeights, 3),
    "simple_rnn": (SimpleRnnCell(), SimpleRnnWeights, 1),
}


def random_snapshot(rng, kind, units=6, **fields):
    cell, weights, gates = CELLS[kind]
    w = weights(
        rng.normal(0, 1.0, (3, gates, units)),
        rng.normal(0, 0.5, (units, gates, units)),
        rng.normal(0, 1.0, (gates, units)),
    )
    return samples.snapshot(rng, weights=w, cell=cell, **fields)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_gate_numbers_are_those_of_the_valid_steps_when_there_is_padding(rng, kind):
    mask = rng.random((3, 20)) > 0.4
    snapshot = random_snapshot(rng, kind, batch=3, time=20, mask=mask)
    trace = analyse(snapshot).trace
    health = measure_health(snapshot, trace)
    assert set(health.gates) == set("ifo" if kind == "lstm" else "zr")
    for letter, gate in health.gates.items():
        values = trace[letter][mask]
        np.testing.assert_allclose(gate.mean, values.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(gate.spread, values.std(axis=0), rtol=1e-7)
        np.testing.assert_array_equal(gate.low, (values < 0.1).mean(axis=0))
        np.testing.assert_array_equal(gate.high, (values > 0.9).mean(axis=0))
    assert (health.steps, health.probe_length) == (mask.sum(), mask.sum(axis=1).max())
    np.testing.assert_array_equal(health.largest["h"], np.abs(trace.h[mask]).max(axis=0))


def test_memory_horizon_is_the_e_fold_time_of_a_decay_when_the_gate_is_constant(rng):
    """A cell that only forgets loses 1 - 1/e of its state within one horizon."""
    weights = LstmWeights(np.zeros((1, 4, 1)), np.zeros((1, 4, 1)), np.zeros((4, 1)))
    weights.bias[:, 0] = -40, 3.0, 0.0, 0.0  # i shut, f constant
    state = (np.zeros((1, 1)), np.ones((1, 1)))
    trace = LstmCell().run(np.zeros((1, 100, 1)), weights, initial_state=state)
    horizon = float(measure_health(None, trace).horizon[0])
    assert 10 < horizon < 30
    steps = np.arange(1, 101)
    assert np.interp(horizon, steps, trace.c[0, :, 0]) == pytest.approx(np.exp(-1), rel=2e-3)


def test_horizon_is_defined_when_a_gate_is_at_the_end_of_its_range():
    result = memory_horizon(np.array([0.0, 1.0, np.nan, 1 + 1e-16]))
    np.testing.assert_array_equal(result, [0, np.inf, np.nan, np.inf])


def test_dead_stuck_and_copying_units_are_found_when_there_are_some(rng):
    snapshot = random_snapshot(rng, "lstm", time=30)
    w = snapshot.weights
    w.bias[3, 2] = -60  # the output gate of unit 2 is shut: its h stays 0
    w.kernel[:, 1, 3], w.recurrent_kernel[:, 1, 3] = 0, 0  # f of unit 3 does not move
    for array in (w.kernel, w.recurrent_kernel):
        array[..., 4] = array[..., 1]
    w.bias[:, 4] = w.bias[:, 1]
    w.kernel[:, 2, 4] *= -1  # unit 4 is unit 1 with the sign of its candidate turned
    w.recurrent_kernel[:, 2, 4] *= -1
    w.bias[2, 4] *= -1
    health = measure_health(None, analyse(snapshot).trace)
    assert health.dead.tolist() == [False, False, True, False, False, False]
    assert health.copy_of.tolist() == [-1, -1, -1, -1, 1, -1]
    assert health.gates["f"].stuck.tolist() == [False, False, False, True, False, False]
    assert health.gates["o"].low[2] == 1


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("steps", [1, 2, 12])
@pytest.mark.parametrize("illness", ["none", "all masked", "constant", "nan", "one nan"])
def test_health_is_defined_when_the_probe_says_nothing(rng, kind, batch, steps, illness):
    mask = np.zeros((batch, steps), bool) if illness == "all masked" else None
    snapshot = random_snapshot(rng, kind, units=1, batch=batch, time=steps, mask=mask)
    w = snapshot.weights
    if illness == "constant":
        w.kernel[:], w.recurrent_kernel[:] = 0, 0
    if illness == "nan":
        w.kernel[:] = np.nan
    if illness == "one nan":
        snapshot.x[0, -1, 0] = np.nan
    health = measure_health(snapshot, analyse(snapshot).trace)
    assert health.steps == (0 if illness == "all masked" else batch * steps)
    assert (health.not_finite is not None) == ("nan" in illness)
    assert health.copy_of.tolist() == [-1]
    if steps * batch == 1:
        assert not health.dead.any()


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("input", (4, 1, "i", 0, "input")),
        ("weights", (0, 0, "g", 2, "kernel/3_g")),
        ("state", (0, 1, "c", 3, "initial state")),
        ("overflow", (0, 0, "i", 0, "overflow")),
        ("framework", (5, 1, "h", 4, "framework")),
    ],
)
def test_the_first_nan_is_traced_to_its_source_when_it_spreads(rng, where, expected):
    state = (np.zeros((2, 6)), np.zeros((2, 6)))
    snapshot = random_snapshot(rng, "lstm", initial_state=state)
    if where == "input":
        snapshot.x[1, 4, 2] = np.nan
    if where == "weights":
        snapshot.weights.kernel[1, 2, 2] = np.nan
    if where == "state":
        state[1][1, 3] = np.inf
    if where == "overflow":
        snapshot.x[0, 0, 0] = 1e300
        snapshot.weights.kernel[0] = 1e300
        snapshot = replace(snapshot, cell=LstmCell(recurrent_activation="linear"))
    if where == "framework":
        snapshot.output[1, 5, 4] = np.nan
    found = measure_health(snapshot, analyse(snapshot).trace).not_finite
    assert (found.timestep, found.sequence, found.letter, found.unit, found.source) == expected


def test_the_first_nan_is_the_first_that_is_read_when_the_layer_reads_backwards(rng):
    snapshot = random_snapshot(rng, "lstm", reverse=True)
    snapshot.x[0, 4, 1] = snapshot.x[0, 2, 1] = np.nan
    found = measure_health(snapshot, analyse(snapshot).trace).not_finite
    assert (found.timestep, found.source) == (4, "input")


def test_padding_is_not_blamed_when_it_holds_nan(rng):
    mask = np.ones((2, 7), bool)
    mask[0, 3] = False
    snapshot = random_snapshot(rng, "gru", mask=mask)
    snapshot.x[0, 3] = np.nan
    assert measure_health(snapshot, analyse(snapshot).trace).not_finite is None


def test_gates_that_are_not_bounded_have_no_saturation(rng):
    trace = GateTrace(
        {"f": rng.normal(size=(1, 9, 2)), "h": rng.normal(size=(1, 9, 2))},
        {"f": None, "h": None},
        cell="lstm",
    )
    health = measure_health(None, trace)
    assert (dict(health.gates), health.horizon) == ({}, None)
