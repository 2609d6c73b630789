from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
import samples
from checkout import ROOT
from test_parity_verdict import keras_snapshot

from lstm_probe import GruCell, LstmCell, SimpleRnnCell, Snapshot, analyse
from lstm_probe.analysis.alerts.board import RULES, AlertBoard, Thresholds, find_alerts
from lstm_probe.analysis.change.dynamics import measure_dynamics
from lstm_probe.weights import SimpleRnnWeights, from_keras


def rules(snapshot, previous=None, **options):
    dynamics = None if previous is None else measure_dynamics(previous, snapshot)
    return {alert.rule for alert in find_alerts(analyse(snapshot), dynamics, **options)}


def long_snapshot(rng, bias=4.0, **fields):
    """An LSTM that remembers, over a probe that asks for it."""
    weights = samples.lstm_weights(rng)
    weights.bias[1] = bias
    return samples.snapshot(rng, weights=weights, time=100, **fields)


def simple_rnn(rng, scale):
    recurrent_kernel = scale * np.linalg.qr(rng.normal(size=(8, 8)))[0]
    weights = SimpleRnnWeights(rng.normal(0, 0.1, (3, 1, 8)), recurrent_kernel[:, None])
    return samples.snapshot(rng, weights=weights, cell=SimpleRnnCell("linear"), time=100)


def test_nothing_is_said_when_a_network_is_well(rng):
    snapshot = long_snapshot(rng)
    kernel = snapshot.weights.kernel * 1.01
    later = replace(snapshot, step=10, weights=replace(snapshot.weights, kernel=kernel))
    later = replace(later, output=analyse(later).trace.h)
    assert rules(later, snapshot) == set()


def test_mismatch_names_its_cause_when_one_is_known(rng):
    snapshot = keras_snapshot(rng, "lstm", recurrent_activation="hard_sigmoid")
    wrong = replace(snapshot, cell=LstmCell(recurrent_activation="hard_sigmoid_keras2"))
    (alert,) = find_alerts(analyse(wrong), rules=["parity_mismatch"])
    assert "computes the gates with hard_sigmoid" in alert.what
    assert alert.value > 1 == alert.threshold
    assert alert.timestep == 0
    assert rules(snapshot) == set()


def test_saturation_is_named_by_gate_when_weights_are_too_large(rng):
    snapshot = long_snapshot(rng)
    snapshot.weights.kernel[:, 3] *= 1e3
    found = find_alerts(analyse(snapshot), rules=["saturated_gates"])
    assert [alert.gate for alert in found] == ["o"]
    assert found[0].value > 0.95


def test_a_memory_that_keeps_is_not_saturated_when_nothing_is_written(rng):
    snapshot = long_snapshot(rng, bias=8.0)
    snapshot.weights.bias[0] = -8.0
    assert "saturated_gates" not in rules(snapshot)
    snapshot.weights.bias[1] = 0.0  # nothing is kept either: now it is shut for no reason
    (alert,) = find_alerts(analyse(snapshot), rules=["saturated_gates"])
    assert alert.gate == "i"


def test_dead_units_are_counted_when_they_do_not_move(rng):
    snapshot = long_snapshot(rng)
    snapshot.weights.bias[3, [1, 4]] = -60
    (alert,) = find_alerts(analyse(snapshot), rules=["dead_units"])
    assert (alert.unit, alert.value) == (1, 0.4)
    assert "2 of 5 units" in str(alert)


@pytest.mark.parametrize(
    ("scale", "expected"),
    [(1.0, set()), (0.7, {"vanishing_gradient"}), (1.1, {"exploding_gradient"})],
)
def test_gradients_vanish_or_explode_when_the_recurrent_kernel_shrinks_or_grows(
    rng, scale, expected
):
    assert rules(simple_rnn(rng, scale)) == expected
    for alert in find_alerts(analyse(simple_rnn(rng, scale))):
        assert f"{scale:.2g}" in alert.what


def test_memory_is_short_when_the_forget_bias_is_low_and_the_probe_long(rng):
    assert rules(long_snapshot(rng, bias=0.0)) >= {"short_memory"}
    assert "short_memory" not in rules(long_snapshot(rng, bias=4.0))
    brief = samples.snapshot(rng, time=15)
    assert rules(brief) == set()


def test_unchanged_weights_and_large_updates_are_told_apart(rng):
    snapshot = long_snapshot(rng)
    assert rules(replace(snapshot, step=5), snapshot) == {"unchanged_weights"}
    kernel = rng.normal(size=snapshot.weights.kernel.shape)
    changed = replace(snapshot.weights, kernel=kernel)
    jump = replace(snapshot, step=2, weights=changed)
    jump = replace(jump, output=analyse(jump).trace.h)
    assert "update_ratio" in rules(jump, snapshot)
    assert "update_ratio" not in rules(replace(jump, step=1000), snapshot)


def test_only_not_finite_is_said_when_there_is_nan(rng):
    snapshot = long_snapshot(rng)
    snapshot.x[0, 30, 1] = np.nan
    (alert,) = find_alerts(analyse(snapshot))
    assert (alert.rule, alert.timestep, alert.gate) == ("not_finite", 30, "i")
    assert "input" in alert.what


def test_the_first_layer_is_named_when_a_nan_runs_through_several(rng):
    first, second = long_snapshot(rng, layer="a"), long_snapshot(rng, layer="b")
    first.weights.kernel[0, 2, 0] = np.nan
    second.x[:] = np.nan
    new = AlertBoard().update([analyse(first), analyse(second)])
    assert [(alert.rule, alert.layer) for alert in new] == [("not_finite", "a")]


def test_an_alert_is_raised_once_until_it_clears(rng):
    board, ill, well = AlertBoard(rules=["dead_units"]), long_snapshot(rng), long_snapshot(rng)
    ill.weights.bias[3] = -60
    raised = []
    for step, snapshot in enumerate([well, ill, ill, well, ill]):
        new = board.update([analyse(replace(snapshot, step=step))])
        raised.append((len(new), len(board.cleared), len(board.standing)))
    assert raised == [(0, 0, 0), (1, 0, 1), (0, 0, 1), (0, 1, 0), (1, 0, 1)]


def test_the_cause_of_a_mismatch_is_looked_for_once_when_it_goes_on(rng, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "lstm_probe.analysis.conventions.explanation.find_convention", lambda s: calls.append(s)
    )
    snapshot = long_snapshot(rng)
    wrong = replace(snapshot, output=snapshot.output + 0.1)
    board = AlertBoard(rules=["parity_mismatch"])
    new = [len(board.update([analyse(replace(wrong, step=k))])) for k in range(3)]
    assert (new, len(calls), len(board.standing)) == ([1, 0, 0], 1, 1)
    board.update([analyse(replace(snapshot, step=4))])
    assert not board.standing


def test_thresholds_decide_when_they_are_given(rng):
    snapshot = long_snapshot(rng)
    snapshot.weights.bias[3, 0] = -60
    assert "dead_units" in rules(snapshot)
    assert "dead_units" not in rules(snapshot, thresholds=Thresholds(dead=0.3))


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("steps", [1, 30])
@pytest.mark.parametrize("illness", ["all masked", "nan", "constant", "one unit"])
def test_rules_are_defined_when_the_probe_says_nothing(rng, kind, steps, illness):
    units = 1 if illness == "one unit" else 4
    snapshot = keras_snapshot(rng, kind, time=steps, units=units)
    if illness == "all masked":
        snapshot = replace(snapshot, mask=np.zeros(snapshot.x.shape[:2], bool))
    if illness == "nan":
        snapshot = replace(snapshot, x=np.full_like(snapshot.x, np.nan))
    if illness == "constant":
        snapshot = replace(snapshot, x=np.zeros_like(snapshot.x))
    board = AlertBoard()
    for step in (0, 1):
        alerts = board.update([analyse(replace(snapshot, step=step))])
        assert {alert.rule for alert in alerts} <= set(RULES)
        assert all(str(alert) for alert in alerts)


LAYERS = {
    "lstm": (keras.layers.LSTM, LstmCell()),
    "gru": (keras.layers.GRU, GruCell()),
    "rnn": (keras.layers.SimpleRNN, SimpleRnnCell()),
}


@pytest.mark.parametrize(
    ("kind", "rate", "ill"), [("lstm", 0.01, False), ("gru", 0.01, False), ("rnn", 0.003, False),
    ("lstm", 1.0, True), ("gru", 1.0, True), ("rnn", 1.0, True)],
)  # fmt: skip
def test_alerts_tell_ill_from_well_when_a_network_has_read_digits(kind, rate, ill):
    """Real digits, as 64 pixels in a row of 32 pairs; a healthy training raises no alarm."""
    from sklearn.datasets import load_digits

    keras.utils.set_random_seed(3)
    images, classes = load_digits(return_X_y=True)
    x = (images / 16).reshape(-1, 32, 2).astype(np.float32)
    layer, cell = LAYERS[kind]
    memory = layer(24, return_sequences=True, name="memory")
    last = keras.layers.Lambda(lambda h: h[:, -1])
    model = keras.Sequential([keras.Input((32, 2)), memory, last, keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    board = AlertBoard()

    def look(step):
        arrays = [keras.ops.convert_to_numpy(v) for v in memory.trainable_variables]
        output = keras.ops.convert_to_numpy(memory(x[:8]))
        seen = Snapshot(step, "memory", cell, from_keras(*arrays), x=x[:8], output=output)
        return board.update([analyse(seen)])

    raised = look(0)
    for epoch in (1, 2):
        history = model.fit(x, classes, batch_size=64, epochs=4, verbose=0)
        raised += look(epoch * 4 * 29)
    names = {alert.rule for alert in raised}
    if ill:
        assert names & {"saturated_gates", "dead_units", "exploding_gradient"}
    else:
        assert history.history["accuracy"][-1] > 0.5
        assert names == set()


def test_the_example_finds_the_illness_and_no_alert_when_it_is_cured():
    run = subprocess.run(
        [sys.executable, "examples/diagnose_keras.py", "--only", "dead_units"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    ill, cured = run.stdout.split("  cured: ")
    assert "dead_units: layer 'memory'" in ill
    assert "alerts: none" in cured
