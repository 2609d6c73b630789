"""Fixed points against networks whose fixed points and eigenvalues are known."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import samples
from test_jacobian_spectrum import linear, rotation
from test_lyapunov import alone

from lstm_probe import GruCell, LstmCell, LstmProbeError, SimpleRnnCell, Snapshot
from lstm_probe.analysis import find_fixed_points
from lstm_probe.analysis.stability.search import chosen
from lstm_probe.cells.jacobian import joined, one_step, parted
from lstm_probe.weights import from_keras


def logit(p):
    return np.log(p / (1 - p))


def lstm_of(gates, *, inputs=0.0, time=40, batch=4, seed=0):
    """An LSTM of one unit whose gates are constant, and whose candidate reads the input."""
    kernel, bias = np.zeros((1, 4)), np.zeros(4)
    kernel[0, 2] = 1.0
    for k, value in zip((0, 1, 3), gates, strict=True):
        bias[k] = logit(value)
    weights = from_keras(kernel, np.zeros((1, 4)), bias)
    x = inputs + np.random.default_rng(seed).normal(0, 0.5, size=(batch, time, 1))
    return Snapshot(0, "lstm", LstmCell(), weights, x=x, output=np.zeros((batch, time, 1)))


def test_the_fixed_point_of_a_linear_network_is_that_of_its_equations():
    rng = np.random.default_rng(1)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    matrix = turn @ np.diag([0.95, 0.5, -0.3]) @ turn.T
    x = np.array([0.3, -0.2, 0.1])
    found = find_fixed_points(linear(matrix, time=30), inputs=x)
    expected = x @ np.linalg.inv(np.eye(3) - matrix)
    np.testing.assert_allclose(found.states, expected[None], atol=1e-8)
    np.testing.assert_allclose(found.eigenvalues[0], [0.95, 0.5, -0.3], atol=1e-12)
    assert found.kinds == ("stable",)
    assert found.reached.tolist() == [found.left]
    assert found.speeds.max() < 1e-10
    np.testing.assert_allclose(found.time_constants[0, 0], -1 / np.log(0.95), rtol=1e-9)


def test_every_point_is_fixed_under_the_cell_itself(rng):
    weights = samples.lstm_weights(rng, 3, 6)
    snapshot = samples.snapshot(rng, batch=3, time=20, weights=weights)
    found = find_fixed_points(snapshot)
    assert len(found.states)
    own = snapshot.cell.prepared(weights, np.float64)
    like = {"h": np.zeros((1, 6)), "c": np.zeros((1, 6))}
    for state in found.states:
        after, _ = one_step(
            snapshot.cell, own, found.input[None], parted(state[None], like, snapshot.cell)
        )
        np.testing.assert_allclose(joined(after, snapshot.cell)[0], state, atol=1e-9)


def test_the_input_at_rest_is_the_median_of_the_steps_that_count(rng):
    snapshot = samples.snapshot(rng, mask=rng.random((2, 7)) > 0.4)
    found = find_fixed_points(snapshot)
    np.testing.assert_array_equal(found.input, np.median(snapshot.x[snapshot.mask], axis=0))


def test_a_lstm_with_constant_gates_has_the_eigenvalue_of_its_forget_gate():
    found = find_fixed_points(lstm_of((0.3, 0.97, 0.5)), inputs=[0.4])
    c = 0.3 * np.tanh(0.4) / 0.03
    np.testing.assert_allclose(found.states, [[0.5 * np.tanh(c), c]], atol=1e-7)
    np.testing.assert_allclose(found.eigenvalues[0], [0.97, 0.0], atol=1e-12)


@pytest.mark.parametrize("cell", ["simple", "gru"])
def test_a_latch_has_two_stable_points_and_one_between(cell):
    if cell == "simple":
        weights = from_keras(np.ones((1, 1)), np.array([[2.0]]))
        snapshot = alone(SimpleRnnCell(), weights, [[0.0]], 30, batch=6)
    else:  # h' = z h + (1 - z) tanh(2.5 h)
        kernel, recurrent = np.zeros((1, 3)), np.array([[0.0, 0.0, 2.5]])
        weights = from_keras(kernel, recurrent, np.array([[1.0, 30.0, 0.0], [0.0] * 3]))
        snapshot = alone(GruCell(), weights, [[0.0]], 60, batch=6)
    found = find_fixed_points(snapshot)
    order = np.argsort(found.states[:, 0])
    assert [found.kinds[k] for k in order] == ["stable", "unstable", "stable"]
    gain = 2.0 if cell == "simple" else 2.5
    low, middle, high = found.states[order, 0]
    assert high == pytest.approx(np.tanh(gain * high), abs=1e-9)
    assert low == pytest.approx(-high, abs=1e-9)
    assert middle == pytest.approx(0, abs=1e-9)
    assert found.reached[order[1]] == 0
    assert found.reached[order[0]] > 0
    assert found.reached[order[2]] > 0
    assert found.reached.sum() == found.left
    keeps = 1 / (1 + np.exp(-1.0)) if cell == "gru" else 0.0
    assert found.eigenvalues[order[1], 0].real == pytest.approx(keeps + (1 - keeps) * gain)


def test_a_line_of_fixed_points_is_found_where_the_map_keeps_a_direction():
    basis = np.array([[1.0, 0.4], [0.0, 1.0]])
    matrix = np.linalg.inv(basis) @ np.diag([1.0, 0.5]) @ basis
    found = find_fixed_points(linear(matrix, time=30), inputs=[0.0, 0.0])
    assert len(found.states) > 10
    assert set(found.kinds) == {"marginal"}
    np.testing.assert_allclose(found.eigenvalues[:, 0], 1.0, atol=1e-12)
    axes = np.linalg.svd(found.states - found.states.mean(axis=0))[1]
    assert axes[1] < 1e-8 * axes[0]  # they lie on a line
    assert np.isinf(found.time_constants[:, 0]).all() or found.time_constants[:, 0].min() > 1e9


def test_a_counter_that_nearly_keeps_is_made_of_slow_points():
    keep = 1 / (1 + np.exp(-20.0))
    found = find_fixed_points(lstm_of((0.5, keep, 0.5)), inputs=[0.0])
    slow = [k for k, kind in enumerate(found.kinds) if kind == "slow"]
    assert len(slow) > 10
    np.testing.assert_allclose(found.eigenvalues[slow, 0], keep, rtol=1e-12)
    speeds = (1 - keep) * np.abs(found.states[slow, 1])
    np.testing.assert_allclose(found.speeds[slow], speeds, rtol=0.3, atol=1e-10)
    assert "slow points" in found.sentences()[0].text


def test_an_oscillator_rests_nowhere_and_goes_round_in_its_period():
    weights = from_keras(np.zeros((1, 2)), rotation(2 * np.pi / 11, 1.3))
    snapshot = alone(SimpleRnnCell(), weights, [[0.3, 0.0]], 40, batch=3)
    found = find_fixed_points(snapshot)
    assert found.kinds == ("unstable",)
    np.testing.assert_allclose(found.states, 0, atol=1e-9)
    np.testing.assert_allclose(np.abs(found.eigenvalues[0]), 1.3, atol=1e-9)
    assert abs(np.angle(found.eigenvalues[0, 0])) == pytest.approx(2 * np.pi / 11)
    assert found.restless == found.left
    assert len(found.periods) == found.left
    assert np.median(found.periods) == pytest.approx(11, abs=0.5)
    assert "going round once in 11" in found.sentences()[1].text


def test_a_point_far_from_everything_is_left_out_unless_the_network_goes_there():
    """`h' = 0.5 h + x` rests at 2 x, which the probe does not see; `tanh` has no such place."""
    near, far = (find_fixed_points(linear([[0.5]], time=8), inputs=[x]) for x in (0.1, 50.0))
    np.testing.assert_allclose(near.states, [[0.2]], atol=1e-9)
    np.testing.assert_allclose(far.states, [[100.0]], atol=1e-6)
    assert far.distances[0] > 10
    states, visited = np.array([[0.1], [9.0]]), np.array([[0.0], [1.0]])
    kept, _ = chosen(states, np.zeros(2), visited, 1.0)
    np.testing.assert_array_equal(kept, [[0.1]])


def test_a_network_that_explodes_has_no_number_that_means_nothing():
    snapshot = linear(np.array([[3.0]]), time=20)
    found = find_fixed_points(snapshot, inputs=[0.0])
    assert np.isfinite(found.states).all()
    assert found.restless == found.left - 1  # one begins at 0, exactly
    json.dumps(found.plain(), allow_nan=False)


def test_states_that_are_never_left_are_enough():
    """Zeros in, zeros throughout: the trajectory has no size of its own."""
    weights = from_keras(np.ones((1, 8)), 0.1 * np.ones((2, 8)))
    x = np.zeros((1, 5, 1))
    found = find_fixed_points(
        Snapshot(0, "lstm", LstmCell(), weights, x=x, output=np.zeros((1, 5, 2)))
    )
    np.testing.assert_allclose(found.states, 0, atol=1e-9)
    assert found.kinds == ("stable",)


def test_the_same_snapshot_gives_the_same_points(rng):
    snapshot = samples.snapshot(rng)
    first, second = (find_fixed_points(snapshot) for _ in range(2))
    np.testing.assert_array_equal(first.states, second.states)


@pytest.mark.parametrize("inputs", [[0.0], 0.0, np.zeros((1, 3)), [0.0, np.nan, 0.0], "words"])
def test_an_input_that_does_not_fit_is_refused(rng, inputs):
    with pytest.raises(LstmProbeError, match="input"):
        find_fixed_points(samples.snapshot(rng), inputs=inputs)


def test_what_is_missing_is_said(rng):
    masked = replace(samples.snapshot(rng), mask=np.zeros((2, 7), bool))
    (only,) = find_fixed_points(masked).sentences()
    assert "Every step of the probe is masked" in only.text
    assert json.loads(json.dumps(find_fixed_points(masked).plain()))["states"] == []
