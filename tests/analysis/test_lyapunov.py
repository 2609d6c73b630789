"""Lyapunov exponents against those that are known: linear networks and published chaos."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import samples
from test_jacobian_spectrum import linear, rotation

from lstm_probe import GruCell, LstmCell, SimpleRnnCell, Snapshot
from lstm_probe.analysis import lyapunov_exponents
from lstm_probe.analysis.student import student_975
from lstm_probe.cells.custom import CustomCell
from lstm_probe.weights import LstmWeights, NamedWeights, from_keras


def alone(cell, weights, state, time, *, batch=1, rng=None):
    """A network without input, from states near `state`."""
    rng = rng or np.random.default_rng(0)
    states = tuple(
        np.asarray(each, float) + 0.01 * rng.normal(size=(batch, len(each))) for each in state
    )
    x = np.zeros((batch, time, weights.input_size))
    output = np.zeros((batch, time, weights.output_size))
    return Snapshot(0, "map", cell, weights, x=x, output=output, initial_state=states)


def henon(x, states, weights):
    (h,) = states
    a, b = h[:, :1], h[:, 1:]
    new = np.concatenate([1 - 1.4 * a**2 + b, 0.3 * a], axis=1)
    return {"h": new}, [new]


def henon_back(x, states, weights, changes):
    (h,), (d,) = states, changes
    return np.zeros_like(x), [
        np.concatenate([-2.8 * h[:, :1] * d[:, :1] + 0.3 * d[:, 1:], d[:, :1]], axis=1)
    ]


def logistic(x, states, weights):
    new = 4 * states[0] * (1 - states[0])
    return {"h": new}, [new]


def logistic_back(x, states, weights, changes):
    return np.zeros_like(x), [changes[0] * 4 * (1 - 2 * states[0])]


def own(name, step, back, units):
    cell = CustomCell(name, step, (("h", None),), own_back=back)
    return cell, NamedWeights({"none": np.zeros((1, units))}, 1, units)


@pytest.mark.parametrize("batch", [1, 4])
def test_exponents_of_a_linear_network_are_the_logarithms_of_its_eigenvalues(batch):
    rng = np.random.default_rng(5)
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    matrix = turn @ np.diag([1.02, 0.9, 0.5, -0.2]) @ turn.T
    # Directions turn to their places as (0.9 / 1.02)^(2 t): after 100 steps, to 1e-11.
    found = lyapunov_exponents(linear(matrix, time=200, batch=batch), burn_in=100)
    np.testing.assert_allclose(found.exponents, np.log([1.02, 0.9, 0.5, 0.2]), atol=1e-9)
    assert found.verdict == "expanding"


def test_exponents_of_a_rotation_lie_within_their_band_when_the_matrix_is_not_normal():
    basis = np.array([[1.0, 0.0, 0.0], [2.0, 1.0, 0.0], [0.3, -1.0, 1.0]])
    block = np.zeros((3, 3))
    block[:2, :2], block[2, 2] = rotation(0.7, 0.95), 0.4
    matrix = basis @ block @ np.linalg.inv(basis)
    found = lyapunov_exponents(linear(matrix, time=2000, batch=1))
    expected = np.log([0.95, 0.95, 0.4])
    assert (found.low <= expected + 1e-9).all()
    assert (expected - 1e-9 <= found.high).all()
    assert found.verdict == "contracting"
    assert (found.high - found.low).max() < 0.05


def test_the_exponents_sum_to_the_mean_logarithm_of_the_determinants(rng):
    snapshot = samples.snapshot(rng, batch=1, time=80)
    found = lyapunov_exponents(snapshot, burn_in=0)
    assert len(found.exponents) == 10  # of the map of (h, c)
    from lstm_probe.analysis.stability.driven import driven

    determinants = [np.linalg.slogdet(each[0])[1] for each in driven(snapshot).jacobians()]
    kept = determinants[len(determinants) - found.stretches * found.steps :]
    assert found.exponents.sum() == pytest.approx(np.mean(kept), rel=1e-9)


# Sprott 2003, "Chaos and Time-Series Analysis", table A.2: 0.41922 and -1.62319.
def test_the_henon_map_has_its_published_exponents():
    cell, weights = own("Henon", henon, henon_back, 2)
    found = lyapunov_exponents(alone(cell, weights, [[0.1, 0.1]], 3000, batch=2))
    expected = [0.41922, -1.62319]
    assert (found.low <= expected).all()
    assert (expected <= found.high).all()
    assert (found.high - found.low).max() < 0.06
    assert found.verdict == "expanding"


def test_the_logistic_map_has_the_exponent_log_2():
    cell, weights = own("Logistic", logistic, logistic_back, 1)
    found = lyapunov_exponents(alone(cell, weights, [[0.3]], 2000, batch=2))
    assert found.low[0] <= np.log(2) <= found.high[0]
    assert found.high[0] - found.low[0] < 0.1


def mean_field(gain):
    """The largest exponent of `h' = tanh(h U)`, U Gaussian of variance g^2 / N, for N to infinity.

    Molgedey, Schuchhardt & Schuster 1992, Physical Review Letters 69:3717: the variance of the sums
    is `q = g^2 <tanh^2>`, and the exponent `log(g^2 <tanh'^2>) / 2`, over Gaussians of variance q.
    """
    z, weight = np.polynomial.hermite_e.hermegauss(201)
    weight = weight / weight.sum()
    q = 1.0
    for _ in range(2000):
        q = gain**2 * (weight * np.tanh(np.sqrt(q) * z) ** 2).sum()
    slope = 1 - np.tanh(np.sqrt(q) * z) ** 2
    return 0.5 * np.log(gain**2 * (weight * slope**2).sum())


@pytest.mark.long
def test_random_networks_have_the_exponent_of_mean_field_theory():
    largest = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        kernel = rng.normal(0, 3 / np.sqrt(400), (400, 400))
        weights = from_keras(np.zeros((1, 400)), kernel)
        snapshot = alone(SimpleRnnCell(), weights, [rng.normal(size=400)], 400)
        found = lyapunov_exponents(snapshot, count=1)
        assert found.verdict == "expanding"
        largest.append(found.exponents[0])
    error = np.std(largest, ddof=1) / np.sqrt(len(largest))
    # At 400 units the finite size is worth about a hundredth.
    assert abs(np.mean(largest) - mean_field(3.0)) < student_975(4) * error + 0.01


# In the manner of Laurent & von Brecht 2016, arXiv 1612.06212, section 2: an LSTM and a GRU of two
# units that are chaotic without input. The exponent is checked with two trajectories.
def chaotic_lstm():
    kernels = {
        "i": [[-1, -4], [-3, -2]],
        "f": [[-2, 6], [0, -6]],
        "g": [[-1, -6], [6, -9]],
        "o": [[4, 1], [-9, -7]],
    }
    recurrent = np.stack([np.array(kernels[k], float).T for k in "ifgo"], axis=1)
    weights = LstmWeights(np.zeros((1, 4, 2)), recurrent, np.zeros((4, 2)))
    return alone(LstmCell(), weights, [[0.1, 0.1], [0.3, 0.2]], 2500)


def two_trajectories(snapshot, distance=1e-8, burn_in=500):
    """The largest exponent by following a second trajectory nearby, step by step."""
    cell, weights = snapshot.cell, snapshot.weights
    states = [np.array(each[:1], float) for each in snapshot.initial_state]
    others = [each + distance for each in states]
    grown, x = [], np.zeros((1, 1, weights.input_size))
    for t in range(snapshot.timesteps):
        states = list(cell.run(x, weights, initial_state=states, dtype="float64").final.values())
        others = list(cell.run(x, weights, initial_state=others, dtype="float64").final.values())
        gap = [b - a for a, b in zip(states, others, strict=True)]
        size = np.sqrt(sum((each**2).sum() for each in gap))
        others = [a + each * distance / size for a, each in zip(states, gap, strict=True)]
        if t >= burn_in:
            grown.append(np.log(size / distance))
        distance_now = np.sqrt(
            sum(((b - a) ** 2).sum() for a, b in zip(states, others, strict=True))
        )
        assert distance_now == pytest.approx(distance, rel=1e-3)
    return np.mean(grown)


def test_a_chaotic_lstm_has_the_exponent_of_two_trajectories():
    snapshot = chaotic_lstm()
    found = lyapunov_exponents(snapshot, burn_in=500)
    assert found.verdict == "expanding"
    assert found.low[0] < two_trajectories(snapshot) < found.high[0]


def test_the_first_steps_are_left_out_because_they_mislead():
    """With a forget bias of 3 nearly nothing is forgotten within a short probe."""
    rng = np.random.default_rng(2)
    weights = samples.lstm_weights(rng, 3, 16)
    snapshot = samples.snapshot(
        rng, batch=4, time=100, weights=weights, cell=LstmCell(forget_bias=3.0)
    )
    long = samples.snapshot(
        np.random.default_rng(9), batch=4, time=1000, weights=weights,
        cell=LstmCell(forget_bias=3.0),
    )  # fmt: skip
    truth = lyapunov_exponents(long, count=1)
    found = lyapunov_exponents(snapshot, count=1)
    without = lyapunov_exponents(snapshot, count=1, burn_in=0)
    error = abs(found.exponents[0] - truth.exponents[0])
    assert error < abs(without.exponents[0] - truth.exponents[0])
    assert found.low[0] < truth.exponents[0] < found.high[0]


def test_a_shift_register_has_exponents_of_minus_infinity():
    found = lyapunov_exponents(linear(np.eye(4, k=1), time=60))
    assert np.isneginf(found.exponents).all()
    (only,) = found.sentences()
    assert "minus infinity" in only.text
    assert json.loads(json.dumps(found.plain()))["exponents"] == [None] * 4


def test_one_lost_direction_leaves_the_others_their_exponents():
    found = lyapunov_exponents(linear(np.diag([0.9, 0.5, 0.0]), time=100))
    np.testing.assert_allclose(found.exponents[:2], np.log([0.9, 0.5]), atol=1e-9)
    assert np.isneginf(found.exponents[2])


def test_sequences_are_taken_in_parts_when_they_do_not_fit(rng, monkeypatch):
    snapshot = samples.snapshot(rng, batch=5, time=40)
    whole = lyapunov_exponents(snapshot)
    monkeypatch.setattr("lstm_probe.analysis.stability.driven._VALUES", 200)
    np.testing.assert_allclose(lyapunov_exponents(snapshot).exponents, whole.exponents, atol=1e-12)


def test_masked_steps_count_for_nothing(rng):
    snapshot = samples.snapshot(rng, batch=3, time=60)
    padded = np.concatenate([snapshot.x, rng.normal(size=(3, 25, 3))], axis=1)
    mask = np.arange(85) < 60
    with_mask = replace(snapshot, x=padded, output=np.zeros((3, 85, 5)), mask=np.tile(mask, (3, 1)))
    ours, same = lyapunov_exponents(with_mask), lyapunov_exponents(snapshot)
    np.testing.assert_allclose(ours.exponents, same.exponents, atol=1e-12)
    assert ours.stretches == same.stretches


def test_sequences_shorter_than_the_burn_in_are_left_out(rng):
    snapshot = samples.snapshot(rng, batch=4, time=80)
    mask = np.arange(80) < np.array([80, 80, 10, 0])[:, None]
    found = lyapunov_exponents(replace(snapshot, mask=mask))
    alone = replace(snapshot, x=snapshot.x[:2], output=snapshot.output[:2])
    np.testing.assert_allclose(found.exponents, lyapunov_exponents(alone).exponents, atol=1e-12)


def test_a_layer_that_reads_backwards_has_the_exponents_of_its_own_order(rng):
    snapshot = samples.snapshot(rng, batch=2, time=60)
    turned = replace(snapshot, x=snapshot.x[:, ::-1], output=snapshot.output[:, ::-1], reverse=True)
    np.testing.assert_allclose(
        lyapunov_exponents(turned).exponents, lyapunov_exponents(snapshot).exponents, atol=1e-12
    )


def test_a_gru_that_keeps_everything_is_undecided():
    """Its update gate is 1: the exponents are exactly 0."""
    shapes = (1, 9), (3, 9), (2, 9)
    kernel, recurrent, bias = (np.zeros(shape) for shape in shapes)
    bias[0, :3] = 40.0
    weights = from_keras(kernel, recurrent, bias)
    x = np.zeros((1, 80, 1))
    found = lyapunov_exponents(
        Snapshot(0, "gru", GruCell(), weights, x=x, output=np.zeros((1, 80, 3)))
    )
    assert found.verdict == "undecided"
    np.testing.assert_allclose(found.exponents, 0, atol=1e-15)


def test_a_short_probe_says_what_is_missing(rng):
    found = lyapunov_exponents(samples.snapshot(rng, batch=1, time=20))
    assert found.verdict == ""
    (only,) = found.sentences()
    assert "too short" in only.text
    assert "15 steps are left; 4 stretches of 5 steps are needed" in only.text
    assert only.value is None
    assert not found.exponents.size


def test_the_quantiles_of_student_are_those_of_the_tables():
    known = {1: 12.706, 4: 2.776, 10: 2.228, 15: 2.131, 20: 2.086, 60: 2.000, 120: 1.980}
    for freedom, quantile in known.items():
        assert student_975(freedom) == pytest.approx(quantile, abs=5e-4)
