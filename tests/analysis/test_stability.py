"""What fixed points and exponents amount to, on networks that are known to do it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import samples
from test_fixed_points import lstm_of
from test_jacobian_spectrum import linear, rotation
from test_lyapunov import alone, chaotic_lstm

from lstm_probe import GruCell, LstmCell, LstmProbeError, SimpleRnnCell, Snapshot, analyse
from lstm_probe.analysis import measure_stability
from lstm_probe.analysis.stability.structures import structures_of
from lstm_probe.cells.custom import CustomCell
from lstm_probe.weights import NamedWeights, from_keras


def rnn(matrix, *, state=None, activation="tanh", time=60, batch=4):
    units = len(matrix)
    weights = from_keras(np.zeros((1, units)), np.asarray(matrix, float))
    start = np.full(units, 0.3) if state is None else state
    return alone(SimpleRnnCell(activation), weights, [start], time, batch=batch)


def named(snapshot, **options):
    return {each.kind: each for each in measure_stability(snapshot, **options).structures}


def test_a_network_that_forgets_has_no_structure(rng):
    snapshot = samples.snapshot(rng, batch=3, time=60)
    found = measure_stability(snapshot)
    assert found.structures == ()
    assert found.exponents.verdict == "contracting"
    assert found.points.kinds == ("stable",)


def test_a_latch_is_named_with_the_states_it_rests_at():
    found = measure_stability(rnn([[2.0]], state=[0.0], batch=6))
    (latch,) = found.structures
    assert (latch.kind, latch.value) == ("latch", 2)
    at = found.points.states[list(latch.points), 0]
    np.testing.assert_allclose(np.abs(at), 0.9575040240772687, atol=1e-9)
    first = found.sentences()[0].text
    assert first.startswith(
        "The network is a latch: with its input at rest it stays at one of 2 st"
    )


def test_a_counter_that_leaks_towards_two_ends_is_no_latch():
    """`tanh(1.005 h)` has two stable points, but it takes 100 steps to get to them."""
    snapshot = rnn([[1.005]], batch=6, time=60)
    begin = np.array([[0.1], [-0.1], [0.2], [-0.2], [0.05], [-0.05]])
    found = measure_stability(replace(snapshot, initial_state=(begin,)))
    assert found.points.kinds.count("stable") == 2
    assert np.count_nonzero(found.points.reached) == 2
    assert "latch" not in [each.kind for each in found.structures]


def test_a_line_is_named_with_its_eigenvalue_and_its_direction():
    line = named(lstm_of((0.5, 1 / (1 + np.exp(-20.0)), 0.5)), inputs=[0.0])["line"]
    assert line.value == pytest.approx(1, abs=1e-8)
    assert abs(line.direction[1]) > 0.7  # c, of (h, c)
    assert len(line.points) > 10


def test_a_slow_direction_is_named_when_it_outlasts_the_probe():
    matrix = np.diag([0.5, 0.98, -0.4])
    slow = named(rnn(matrix, time=40))["slow"]
    assert slow.value == pytest.approx(-1 / np.log(0.98), rel=1e-6)
    np.testing.assert_allclose(np.abs(slow.direction), [0, 1, 0], atol=1e-9)
    assert "slow" not in named(rnn(matrix, time=60))  # 0.98 has faded within 50 steps


def test_an_oscillator_is_named_with_its_period():
    found = named(rnn(rotation(2 * np.pi / 9, 1.3)))
    assert found.keys() == {"oscillator"}
    assert found["oscillator"].value == pytest.approx(9, abs=0.3)
    assert found["oscillator"].points == (0,)


def test_ringing_is_named_with_its_period():
    found = named(rnn(rotation(2 * np.pi / 7, 0.99), time=50))
    assert found.keys() == {"ringing"}
    assert found["ringing"].value == pytest.approx(7, rel=1e-6)


def test_chaos_is_named_and_no_oscillator():
    found = named(chaotic_lstm())
    assert "chaos" in found
    assert "oscillator" not in found
    assert found["chaos"].value > 0.1


def test_what_goes_round_and_grows_is_no_oscillator():
    found = measure_stability(rnn(rotation(2 * np.pi / 9, 1.3)))
    expanding = measure_stability(chaotic_lstm()).exponents
    none = np.zeros((1, 2))
    for exponents, kinds in ((found.exponents, ["oscillator"]), (expanding, ["chaos"])):
        structures = structures_of(found.points, exponents, none, bounded=True)
        assert [each.kind for each in structures] == kinds


def test_a_network_without_bounds_is_not_chaotic():
    found = measure_stability(linear([[1.2]], time=80), inputs=[0.0])
    assert found.exponents.verdict == "expanding"
    assert not [each for each in found.structures if each.kind == "chaos"]


def test_all_of_it_is_json_and_is_the_same_for_an_analysis(rng):
    snapshot = samples.snapshot(rng, batch=3, time=60)
    ours, same = measure_stability(analyse(snapshot)), measure_stability(snapshot)
    text = json.dumps(ours.plain(), allow_nan=False)
    assert text == json.dumps(same.plain(), allow_nan=False)
    assert [each.text for each in ours.sentences()] == [each.text for each in same.sentences()]
    json.dumps([each.plain() for each in ours.sentences()], allow_nan=False)
    json.dumps(measure_stability(chaotic_lstm()).plain(), allow_nan=False)


def test_what_is_missing_is_said_once(rng):
    masked = replace(samples.snapshot(rng), mask=np.zeros((2, 7), bool))
    (only,) = measure_stability(masked).sentences()
    assert "Every step of the probe is masked" in only.text


def test_derivatives_that_are_no_numbers_are_said_to_be_none(rng):
    def step(x, states, weights):
        h = np.tanh(x @ weights["w"] + states[0])
        return {"h": h}, [h]

    def back(x, states, weights, changes):
        return np.zeros_like(x), [changes[0] * np.inf]

    cell = CustomCell("Broken", step, (("h", None),), own_back=back)
    weights = NamedWeights({"w": rng.normal(size=(3, 2))}, 3, 2)
    x = rng.normal(size=(2, 60, 3))
    found = measure_stability(Snapshot(0, "own", cell, weights, x=x, output=np.zeros((2, 60, 2))))
    (only,) = found.sentences()
    assert "The Jacobian holds NaN or infinity" in only.text
    assert found.structures == ()
    json.dumps(found.plain(), allow_nan=False)


def test_a_network_that_explodes_is_said_to():
    found = measure_stability(linear([[10.0]], time=60))
    (only,) = found.sentences()
    assert "The states grow to " in only.text
    assert "the network explodes" in only.text
    assert only.value is None


def test_a_short_probe_still_has_fixed_points(rng):
    found = measure_stability(samples.snapshot(rng, batch=1))
    assert found.points.kinds
    assert any("too short" in each.text for each in found.sentences())


def test_an_input_that_does_not_fit_is_refused(rng):
    with pytest.raises(LstmProbeError, match=r"Expected: \(3,\)"):
        measure_stability(samples.snapshot(rng), inputs=[0.0])


@pytest.mark.parametrize("scale", [0.4, 3.0, 40.0])
@pytest.mark.parametrize(
    "cell", [LstmCell(), GruCell(reset_after=False), SimpleRnnCell(), SimpleRnnCell("relu")]
)
def test_probes_of_any_length_give_sentences_and_json_without_a_warning(rng, cell, scale):
    gates = {"lstm": 4, "gru": 3}.get(cell.name, 1)
    for batch, time in ((1, 1), (1, 2), (2, 3), (9, 1), (8, 30)):
        shapes = (2, 3 * gates), (3, 3 * gates), (3 * gates,)
        weights = from_keras(*(rng.normal(0, scale, shape) for shape in shapes))
        x = rng.normal(size=(batch, time, 2))
        output = np.zeros((batch, time, 3))
        found = measure_stability(Snapshot(0, "odd", cell, weights, x=x, output=output))
        json.dumps(found.plain(), allow_nan=False)
        assert all("nan" not in each.text for each in found.sentences())


def test_a_probe_of_one_step_is_no_measure_of_a_memory():
    """An eigenvalue of 0.85 lasts six steps, and so longer than the probe, but not for long."""
    assert named(rnn([[0.85]], time=1)) == {}
    assert named(rnn([[0.95]], time=9)).keys() == {"slow"}
