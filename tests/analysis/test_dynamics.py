from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import samples

from lstm_probe import LstmProbeError
from lstm_probe.analysis.change.dynamics import measure_dynamics, measure_spectra
from lstm_probe.analysis.change.spectra import SpectralNorms
from lstm_probe.weights import LstmWeights


def moved(snapshot, rng, size=0.01, steps=10):
    w = snapshot.weights
    changed = replace(
        w,
        kernel=w.kernel + size * rng.normal(size=w.kernel.shape),
        bias=w.bias + size * rng.normal(size=w.bias.shape),
    )
    return replace(snapshot, weights=changed, step=snapshot.step + steps)


def test_ratios_are_those_of_the_arrays_when_they_change_gate_by_gate(rng):
    before = samples.snapshot(rng)
    after = moved(before, rng)
    dynamics = measure_dynamics(before, after)
    assert dynamics.steps == 10
    for index, letter in enumerate("ifgo"):
        kernel = after.weights.kernel[:, index]
        change = np.linalg.norm(kernel - before.weights.kernel[:, index])
        array = dynamics.arrays[f"kernel/{index + 1}_{letter}"]
        assert array.norm == pytest.approx(np.linalg.norm(kernel))
        assert array.ratio == pytest.approx(change / np.linalg.norm(kernel))
        assert dynamics.ratio_per_step(f"kernel/{index + 1}_{letter}") == array.ratio / 10
        assert dynamics.arrays[f"recurrent_kernel/{index + 1}_{letter}"].ratio == 0
    assert not dynamics.unchanged
    assert measure_dynamics(before, replace(before, step=10)).unchanged
    assert not measure_dynamics(before, before).unchanged  # no steps, nothing to expect


def test_drift_is_that_of_the_valid_steps_when_there_is_padding(rng):
    mask = rng.random((2, 7)) > 0.4
    before = samples.snapshot(rng, mask=mask)
    output = before.output + rng.normal(0, 0.1, before.output.shape)
    dynamics = measure_dynamics(before, replace(before, output=output))
    difference = (output - before.output)[mask]
    assert dynamics.drift == pytest.approx(np.sqrt(np.mean(difference**2)))
    expected = np.sqrt(np.mean(difference**2) / np.mean(before.output[mask] ** 2))
    assert dynamics.relative_drift == pytest.approx(expected)


def test_spectra_are_those_of_a_known_matrix(rng):
    weights = samples.lstm_weights(rng)
    basis = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    weights.recurrent_kernel[:, 1] = basis @ np.diag([3.0, -2, 1, 0.5, 0]) @ basis.T
    weights.recurrent_kernel[:, 2] = np.diag([7.0, 0, 0, 0], 1)  # nilpotent: stretches, then ends
    spectra = measure_spectra(weights)
    assert spectra["recurrent_kernel/2_f"].norm == pytest.approx(3)
    assert spectra["recurrent_kernel/2_f"].radius == pytest.approx(3)
    assert spectra["recurrent_kernel/3_g"].norm == pytest.approx(7)
    assert spectra["recurrent_kernel/3_g"].radius == pytest.approx(0, abs=1e-6)
    largest = np.linalg.svd(weights.kernel[:, 0], compute_uv=False)[0]
    assert spectra["kernel/1_i"].norm == pytest.approx(largest)
    assert spectra["kernel/1_i"].radius is None


@pytest.mark.parametrize("illness", ["all masked", "nan", "zero weights", "zero output"])
def test_dynamics_are_defined_when_there_is_nothing_to_measure(rng, illness):
    before = samples.snapshot(rng, time=1, batch=1)
    if illness == "all masked":
        before = replace(before, mask=np.zeros((1, 1), bool))
    if illness == "nan":
        before.weights.kernel[:] = np.nan
        before.output[:] = np.nan
    if illness == "zero weights":
        before.weights.kernel[:] = 0
    if illness == "zero output":
        before = replace(before, output=0 * before.output)
    after = moved(before, rng)
    dynamics = measure_dynamics(before, after)
    assert np.isnan(dynamics.relative_drift) == (illness != "zero weights")
    backwards = measure_dynamics(after, before)
    assert (backwards.arrays["kernel/1_i"].ratio == np.inf) == (illness == "zero weights")
    assert np.isnan(measure_spectra(after.weights)["kernel/1_i"].norm) == (illness == "nan")


def test_captures_are_refused_when_they_are_of_two_layers(rng):
    one, other = samples.snapshot(rng), samples.snapshot(rng, layer="other")
    with pytest.raises(LstmProbeError, match=r"'memory'.*'other'"):
        measure_dynamics(one, other)


def test_spectral_norms_follow_the_training_when_weights_move(rng):
    norms = SpectralNorms()
    kernels = [rng.normal(0, 0.1, shape) for shape in ((28, 4, 64), (64, 4, 64))]
    for capture in range(12):
        weights = LstmWeights(*kernels)
        exact = {name: spectrum.norm for name, spectrum in measure_spectra(weights).items()}
        found = norms.update(weights)
        assert set(found) == set(exact)
        ratios = [found[name] / exact[name] for name in exact]
        assert max(ratios) <= 1 + 1e-12
        assert min(ratios) > (0.95 if capture < 3 else 0.98)
        kernels = [kernel + rng.normal(0, 1e-4, kernel.shape) for kernel in kernels]
    assert min(ratios) > 0.99


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_spectral_norms_are_defined_when_weights_are_ill(rng, value):
    norms = SpectralNorms()
    healthy = LstmWeights(rng.normal(size=(3, 4, 5)), rng.normal(size=(5, 4, 5)))
    ill = LstmWeights(np.full((3, 4, 5), value), np.full((5, 4, 5), value))
    norms.update(healthy)
    found = norms.update(ill)
    assert all(norm == 0 if value == 0 else np.isnan(norm) for norm in found.values())
    again = norms.update(healthy)
    exact = measure_spectra(healthy)
    assert all(again[name] > 0.8 * exact[name].norm for name in again)


@pytest.mark.parametrize("scale", [1e-30, 1e-18, 1.0, 1e18, 1e30])
def test_norms_are_those_of_float64_when_weights_are_tiny_or_huge(rng, scale):
    before = rng.normal(0, scale, (784, 4, 8)).astype(np.float32)
    after = before + rng.normal(0, 1e-3 * scale, before.shape).astype(np.float32)
    weights = [LstmWeights(array, np.zeros((8, 4, 8), np.float32)) for array in (before, after)]
    first, second = (
        samples.snapshot(rng, weights=each, step=step) for step, each in enumerate(weights)
    )
    change = measure_dynamics(first, second).arrays["kernel/2_f"]
    exact = [array[:, 1].astype(np.float64) for array in (before, after)]
    assert change.norm == pytest.approx(np.linalg.norm(exact[1]), rel=1e-5)
    assert change.change == pytest.approx(np.linalg.norm(exact[1] - exact[0]), rel=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_gate_that_stands_still_is_told_from_those_that_move(rng, dtype):
    """Blocks of rows are summed one after the other; none may be left out or counted twice."""
    kernel = rng.normal(size=(301, 4, 70)).astype(dtype)
    moved_kernel = kernel.copy()
    moved_kernel[:, 2] += rng.normal(size=(301, 70)).astype(dtype)
    moved_kernel[300, 3, 69] += 1
    recurrent_kernel = np.zeros((70, 4, 70), dtype)
    pair = [
        samples.snapshot(rng, step=step, weights=LstmWeights(each, recurrent_kernel))
        for step, each in enumerate((kernel, moved_kernel))
    ]
    arrays = measure_dynamics(*pair).arrays
    changes = [arrays[f"kernel/{k}_{gate}"].change for k, gate in enumerate("ifgo", start=1)]
    expected = np.linalg.norm((moved_kernel - kernel).astype(np.float64), axis=(0, 2))
    np.testing.assert_allclose(changes, expected, rtol=1e-6)
    assert changes[:2] == [0, 0]
    assert arrays["recurrent_kernel/1_i"].norm == 0
