"""The spectrum of the Jacobian along the probe: against eigenvalues that are known."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import samples

from lstm_probe import GruCell, LstmProbeError, SimpleRnnCell, Snapshot, analyse
from lstm_probe.analysis import jacobian_spectrum
from lstm_probe.cells.custom import CustomCell
from lstm_probe.cells.jacobian import one_step
from lstm_probe.weights import NamedWeights, from_keras


def linear(matrix, *, time=6, batch=2, **fields):
    """A linear network `h' = h U + x`."""
    units = len(matrix)
    w = from_keras(np.eye(units), np.asarray(matrix, float))
    x = np.random.default_rng(3).normal(size=(batch, time, units))
    return Snapshot(0, "rnn", SimpleRnnCell("linear"), w, x=x, output=np.zeros_like(x), **fields)


def rotation(angle, radius=1.0):
    c, s = radius * np.cos(angle), radius * np.sin(angle)
    return np.array([[c, s], [-s, c]])


def test_eigenvalues_of_a_linear_network_are_those_of_its_kernel():
    found = jacobian_spectrum(linear(rotation(0.3, 0.9)))
    assert len(found.places) == 12
    np.testing.assert_allclose(np.sort_complex(found.eigenvalues), np.repeat(
        [0.9 * np.exp(-0.3j), 0.9 * np.exp(0.3j)], 12
    ).reshape(2, 12).T, atol=1e-14)  # fmt: skip
    np.testing.assert_allclose(found.radius, 0.9, atol=1e-14)
    np.testing.assert_allclose(found.stretch, 0.9, atol=1e-14)


def test_the_stretch_is_the_norm_of_the_matrix_where_that_is_not_normal():
    found = jacobian_spectrum(linear([[0.5, 0.0], [3.0, 0.5]]))
    np.testing.assert_allclose(found.radius, 0.5, atol=1e-7)  # a defective eigenvalue
    np.testing.assert_allclose(found.stretch, np.linalg.norm([[0.5, 0], [3, 0.5]], 2), atol=1e-14)


@pytest.mark.parametrize("reverse", [False, True])
def test_each_jacobian_is_that_of_its_own_step_when_steps_are_masked(rng, reverse):
    mask = rng.random((2, 7)) > 0.3
    snapshot = samples.snapshot(rng, mask=mask, reverse=reverse)
    found = jacobian_spectrum(snapshot)
    assert sorted(map(tuple, found.places)) == sorted(map(tuple, np.argwhere(mask)))
    assert found.steps == mask.sum()
    trace = analyse(snapshot).trace
    weights = snapshot.cell.prepared(snapshot.weights, np.float64)
    for (b, t), values in zip(found.places, found.eigenvalues, strict=True):
        earlier = t + 1 if reverse else t - 1
        inside = 0 <= earlier < 7
        before = {k: trace[k][b, earlier][None] if inside else np.zeros((1, 5)) for k in "hc"}
        _, jacobian = one_step(snapshot.cell, weights, snapshot.x[b, t][None], before)
        expected = np.linalg.eigvals(jacobian[0])
        np.testing.assert_allclose(np.poly(values), np.poly(expected), atol=1e-10)


def test_an_analysis_gives_the_same_as_its_snapshot(rng):
    snapshot = samples.snapshot(rng)
    ours, same = jacobian_spectrum(analyse(snapshot)), jacobian_spectrum(snapshot)
    np.testing.assert_array_equal(ours.eigenvalues, same.eigenvalues)


def test_steps_are_spread_over_the_probe_when_there_are_many():
    found = jacobian_spectrum(linear(rotation(0.3), time=100, batch=1), at_most=5)
    assert found.places.tolist() == [[0, 0], [0, 25], [0, 50], [0, 74], [0, 99]]
    assert "over 5 of 100 steps" in found.sentences()[0].text


def test_large_states_are_looked_at_less_often(monkeypatch):
    snapshot = linear(rotation(0.3), time=100, batch=1)
    assert len(jacobian_spectrum(snapshot).places) == 32
    monkeypatch.setattr("lstm_probe.analysis.stability.spectrum._WORK", 2**6)
    assert len(jacobian_spectrum(snapshot).places) == 8


def test_sentences_and_json_hold_the_numbers():
    found = jacobian_spectrum(linear(rotation(0.3, 1.25)))
    first, second = found.sentences()
    assert "spectral radius of 1.25" in first.text
    assert "above 1 at 12 of them" in first.text
    assert first.value == pytest.approx(1.25)
    assert second.value == pytest.approx(1.25)
    plain = json.loads(json.dumps(found.plain()))
    assert plain["eigenvalues"][0][0][0] == pytest.approx(1.25 * np.cos(0.3))


def without_back(x, states, weights):
    h = np.tanh(x @ weights["w"] + states[0])
    return {"h": h}, [h]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("mask", "Every step of the probe is masked"),
        ("nan", "hold NaN or infinity"),
        ("large", "Jacobians are computed for up to 4"),
        ("custom", "derivatives of this cell are not known"),
        ("softmax", "derivatives of this cell are not known"),
    ],
)
def test_what_is_missing_is_said_and_no_number_is_given(rng, monkeypatch, fault, says):
    snapshot = samples.snapshot(rng)
    if fault == "mask":
        snapshot = replace(snapshot, mask=np.zeros((2, 7), bool))
    if fault == "nan":
        x = snapshot.x.copy()
        x[0, 3] = np.nan
        snapshot = replace(snapshot, x=x)
    if fault == "large":
        monkeypatch.setattr("lstm_probe.analysis.stability.driven._MOST", 4)
    if fault == "custom":
        cell = CustomCell("Plain", without_back, (("h", None),))
        snapshot = replace(
            snapshot, cell=cell, weights=NamedWeights({"w": rng.normal(size=(3, 5))}, 3, 5)
        )
    if fault == "softmax":
        weights = from_keras(*(rng.normal(size=s) for s in ((3, 15), (5, 15), (15,))))
        cell = GruCell(recurrent_activation="softmax", reset_after=False)
        snapshot = replace(snapshot, cell=cell, weights=weights)
    found = jacobian_spectrum(snapshot)
    (only,) = found.sentences()
    assert says in only.text
    assert only.value is None
    assert not found.eigenvalues.size


@pytest.mark.parametrize(
    ("subject", "says"), [(None, "nothing to analyse"), ("unknown", "recurrence of layer 'memory'")]
)
def test_what_is_no_layer_is_refused(rng, subject, says):
    given = replace(samples.snapshot(rng), cell=None) if subject == "unknown" else subject
    with pytest.raises(LstmProbeError, match=says):
        jacobian_spectrum(given)
