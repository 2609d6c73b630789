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

from lstm_probe import GruCell, LstmCell, SimpleRnnCell, Snapshot, analyse, capture
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


def seen_again(board, analyses, steps, losses=None):
    """What is raised at each step, when the same layers are looked at again and again."""
    losses = losses or [None] * len(steps)
    return [
        board.update(
            [replace(each, snapshot=replace(each.snapshot, step=step)) for each in analyses], loss
        )
        for step, loss in zip(steps, losses, strict=True)
    ]


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
    assert alert.state == "noted"
    assert alert.timestep == 0
    assert rules(snapshot) == set()


def test_saturation_is_named_by_gate_when_weights_are_too_large(rng):
    snapshot = long_snapshot(rng)
    snapshot.weights.kernel[:, 3] *= 1e3
    found = find_alerts(analyse(snapshot), rules=["saturated_gates"])
    assert [alert.gate for alert in found] == ["o"]
    assert found[0].value > 0.95


def test_a_gate_may_decide_more_sharply_while_the_loss_falls(rng):
    snapshot = long_snapshot(rng)
    snapshot.weights.kernel[:, 3] *= 30
    (alert,) = find_alerts(analyse(snapshot), loss="still", rules=["saturated_gates"])
    assert 0.9 < alert.value < 0.95
    assert find_alerts(analyse(snapshot), loss="falling", rules=["saturated_gates"]) == []
    snapshot.weights.kernel[:, 3] *= 30
    (alert,) = find_alerts(analyse(snapshot), loss="falling", rules=["saturated_gates"])
    assert alert.threshold == 0.95 < alert.value


def test_a_memory_that_keeps_is_not_saturated_when_nothing_is_written(rng):
    snapshot = long_snapshot(rng, bias=8.0)
    snapshot.weights.bias[0] = -8.0
    assert "saturated_gates" not in rules(snapshot)
    snapshot.weights.bias[1] = 0.0  # nothing is kept either: now it is shut for no reason
    (alert,) = find_alerts(analyse(snapshot), rules=["saturated_gates"])
    assert alert.gate == "i"


def test_a_jump_is_told_by_how_much_the_learning_rate_is_too_high(rng):
    snapshot = long_snapshot(rng)
    kernel = snapshot.weights.kernel * 1.4
    later = replace(snapshot, step=1, weights=replace(snapshot.weights, kernel=kernel))
    dynamics = measure_dynamics(snapshot, later)
    (alert,) = find_alerts(analyse(later), dynamics, rules=["update_ratio"])
    assert alert.advice.startswith("a learning rate 30 times lower")


def test_a_forget_gate_that_is_shut_is_told_what_a_short_memory_is_told(rng):
    found = find_alerts(analyse(long_snapshot(rng, bias=-8.0)), loss="still")
    advice = {(alert.rule, alert.gate): alert.advice for alert in found}
    assert advice["saturated_gates", "f"] == advice["short_memory", "f"]
    assert advice["short_memory", "f"].startswith("biases of gate f from log(2) to log(100)")
    shut = long_snapshot(rng, bias=-8.0)
    shut.x[:] *= 100
    found = find_alerts(analyse(shut), rules=["saturated_gates"])
    assert {"unit variance" in alert.advice for alert in found} == {True}


def test_dead_units_are_counted_when_they_do_not_move(rng):
    snapshot = long_snapshot(rng)
    snapshot.weights.bias[3, [1, 4]] = -60
    (alert,) = find_alerts(analyse(snapshot), rules=["dead_units"])
    assert (alert.unit, alert.value) == (1, 0.4)
    assert "40% of 5 units; healthy is at most 10%" in str(alert)
    assert find_alerts(analyse(snapshot), loss="falling", rules=["dead_units"]) == []


@pytest.mark.parametrize(("dead", "ill"), [(2, False), (4, True)])
def test_units_of_relu_may_be_dead_on_the_probe_and_live_elsewhere(rng, dead, ill):
    snapshot = long_snapshot(rng)
    cell = replace(snapshot.cell, activation="relu")
    snapshot.weights.bias[3, :dead] = -60
    snapshot.weights.bias[2] = 1.0  # the others move
    found = find_alerts(analyse(replace(snapshot, cell=cell)), loss="still", rules=["dead_units"])
    assert [alert.value for alert in found] == [0.8] * ill


@pytest.mark.parametrize(
    ("scale", "expected"),
    [(1.0, set()), (0.7, {"vanishing_gradient"}), (1.1, {"exploding_gradient"})],
)
def test_gradients_vanish_or_explode_when_the_recurrent_kernel_shrinks_or_grows(
    rng, scale, expected
):
    snapshot = simple_rnn(rng, scale)
    assert rules(snapshot, loss="still") == expected
    # Whether a memory of three steps is enough is for the task to say.
    assert rules(snapshot, loss="falling") == expected - {"vanishing_gradient"}
    for alert in find_alerts(analyse(snapshot), loss="still"):
        said = {
            "vanishing_gradient": f"at {alert.value:.0%} of all steps, and the loss stands still"
        }
        assert said.get(alert.rule, f"grows to {alert.value:.2g}") in alert.what


def test_a_gradient_that_vanishes_at_once_is_told_whatever_the_loss_does(rng):
    assert rules(simple_rnn(rng, 0.1)) == {"vanishing_gradient"}


def test_memory_is_short_when_the_forget_bias_is_low_and_the_probe_long(rng):
    short = long_snapshot(rng, bias=0.0)
    assert rules(short, loss="still") >= {"short_memory"}
    assert "short_memory" not in rules(short, loss="falling") | rules(short)
    assert rules(long_snapshot(rng, bias=-4.0), loss="falling") >= {"short_memory"}
    assert "short_memory" not in rules(long_snapshot(rng, bias=4.0), loss="still")
    brief = samples.snapshot(rng, time=15)
    assert rules(brief, loss="still") == set()


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
    board = AlertBoard(rules=["not_finite"])
    before, after = seen_again(board, [analyse(first), analyse(second)], [0, 1])
    assert before == []  # nothing is worse than noted before the training has begun
    assert [(alert.rule, alert.layer) for alert in after] == [("not_finite", "a")]


def test_an_alert_is_noted_stands_after_three_captures_and_clears(rng):
    board, ill, well = AlertBoard(rules=["dead_units"]), long_snapshot(rng), long_snapshot(rng)
    ill.weights.bias[3] = -60
    seen = []
    for step, snapshot in enumerate([well, ill, ill, ill, ill, well, ill]):
        new = board.update([analyse(replace(snapshot, step=step))])
        states = [alert.state for alert in [*new, *board.cleared, *board.noted]]
        seen.append((len(new), len(board.noted), len(board.standing), states))
    assert seen == [
        (0, 0, 0, []),
        (0, 1, 0, ["noted"]),
        (0, 1, 0, ["noted"]),
        (1, 0, 1, ["standing"]),
        (0, 0, 1, []),
        (0, 0, 0, ["cleared"]),
        (0, 1, 0, ["noted"]),
    ]


def test_an_alert_waits_for_the_training_to_begin(rng):
    """Somebody may look five times before the first step."""
    ill = long_snapshot(rng)
    ill.weights.bias[3] = -60
    raised = seen_again(AlertBoard(rules=["dead_units"]), [analyse(ill)], [7, 7, 7, 7, 8])
    assert list(map(len, raised)) == [0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("losses", "stops_at"),
    [
        ([None] * 8, 2),  # not known: the illness decides
        ([None, 1.2, 0.17, 0.17, 0.17, 0.16, 0.17, 0.17], 4),
        ([None, 0.7, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2], None),
        ([None, 0.7, 0.7, float("nan"), 0.5, 0.4, 0.3, 0.2], 3),
    ],
)
def test_a_training_is_hopeless_only_if_its_loss_stands_still_too(rng, losses, stops_at):
    ill = long_snapshot(rng)
    ill.weights.bias[3] = -60
    board, asked = AlertBoard(rules=["dead_units"]), []
    for step, loss in enumerate(losses):
        seen_again(board, [analyse(ill)], [step], [loss])
        asked.append(board.asks_to_stop)
    assert (asked.index(True) if True in asked else None) == stops_at


def test_what_began_at_zero_may_change_by_all_of_itself(rng):
    snapshot = long_snapshot(rng)
    board = AlertBoard(rules=["update_ratio"])
    for step in range(6):
        kernel = np.zeros_like(snapshot.weights.kernel) + 0.01 * step
        later = replace(snapshot, step=step, weights=replace(snapshot.weights, kernel=kernel))
        board.update([analyse(replace(later, output=analyse(later).trace.h))])
        assert board.noted == []


def test_a_filter_is_dead_only_if_it_moves_at_no_pixel():
    keras.utils.set_random_seed(0)
    frames = np.zeros((2, 5, 8, 8, 1), np.float32)
    frames[:, 2:, 3:5, 3:5] = 1
    layer = keras.layers.ConvLSTM2D(4, 3, padding="same", return_sequences=True)
    model = keras.Sequential([keras.Input(frames.shape[1:]), layer])
    (analysis,) = (analyse(each) for each in capture(model, frames).values())
    assert analysis.health.dead.mean() > 0.3  # the corners, which the square never reaches
    assert find_alerts(analysis, rules=["dead_units"]) == []
    assert (analysis.summary().dead, analysis.summary().dead_of) == ((), 4)
    layer.set_weights([np.zeros_like(each) for each in layer.get_weights()])
    (analysis,) = (analyse(each) for each in capture(model, frames).values())
    (alert,) = find_alerts(analysis, rules=["dead_units"])
    assert "100% of 4 units" in alert.what


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
    assert not board.asks_to_stop  # it is no illness of the network
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
@pytest.mark.daily(2)
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
    for epoch in range(1, 9):
        history = model.fit(x, classes, batch_size=64, verbose=0)
        raised += look(epoch * 29)
    names = {alert.rule for alert in raised}
    if ill:
        # Which of them depends on the last bits of the processor: such a training is chaotic.
        wrong = {"saturated_gates", "dead_units", "exploding_gradient", "vanishing_gradient"}
        assert names & wrong
    else:
        assert history.history["accuracy"][-1] > 0.5
        assert names == set()


@pytest.mark.long
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
