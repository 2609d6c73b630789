from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import samples

from lstm_probe import Analysis, LstmCell, LstmProbeError, analyse
from lstm_probe.analysis.parity.error import ParityError, difference


def test_parity_error_is_zero_when_the_output_is_the_cells_own(rng: np.random.Generator) -> None:
    analysis = analyse(samples.snapshot(rng, step=300, layer="memory"))
    assert analysis.parity.float64.max_abs == 0
    assert analysis.parity.within_tolerance
    assert (analysis.trace.layer, analysis.trace.step) == ("memory", 300)
    assert analysis.trace.h.dtype == np.float64


def test_parity_error_tells_size_and_timestep_when_one_value_is_off(
    rng: np.random.Generator,
) -> None:
    snapshot = samples.snapshot(rng)
    output = snapshot.output.copy()
    output[1, 4, 2] += 0.25
    error = analyse(replace(snapshot, output=output)).parity.float64
    assert error.max_abs == pytest.approx(0.25)
    assert error.rms == pytest.approx(0.25 / np.sqrt(output.size))
    assert error.per_timestep == pytest.approx([0, 0, 0, 0, 0.25, 0, 0])


def test_parity_error_counts_the_last_step_when_the_layer_returns_no_more(
    rng: np.random.Generator,
) -> None:
    snapshot = samples.snapshot(rng)
    final = snapshot.output[:, -1] + 0.5
    error = analyse(replace(snapshot, final_output=final)).parity.float64
    assert error.per_timestep == pytest.approx([0, 0, 0, 0, 0, 0, 0.5])


def test_both_dtypes_are_compared_when_the_layer_is_float32(rng: np.random.Generator) -> None:
    snapshot = replace(samples.snapshot(rng, time=50), dtype="float32")
    parity = analyse(snapshot).parity
    assert parity.float64.max_abs == 0
    assert 0 < parity.same_dtype.max_abs < 1e-6


@pytest.mark.parametrize(("error", "times"), [(1e-7, 1), (2.5e-7, 2)])
def test_the_own_dtype_is_computed_only_where_it_decides_or_is_asked_for(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, error: float, times: int
) -> None:
    snapshot = replace(samples.snapshot(rng, time=50), dtype="float32")
    snapshot = replace(snapshot, output=snapshot.output + error)
    run, dtypes = LstmCell.run, []
    monkeypatch.setattr(
        LstmCell,
        "run",
        lambda *args, **options: dtypes.append(options["dtype"]) or run(*args, **options),
    )
    parity = analyse(snapshot).parity
    assert dtypes == [np.float64, np.float32][:times]
    assert parity.known_in_same_dtype is None
    assert parity.same_dtype.max_abs > 0
    assert parity.known_in_same_dtype is parity.same_dtype is parity.of_same_dtype()
    assert dtypes == [np.float64, np.float32]


def test_an_earlier_yardstick_serves_only_as_long_as_it_suffices(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = samples.lstm_weights(rng, inputs=40, units=60)
    weights = replace(weights, recurrent_kernel=0.2 * weights.recurrent_kernel)
    snapshot = replace(samples.snapshot(rng, time=50, weights=weights), dtype="float32")
    run, dtypes = LstmCell.run, []
    monkeypatch.setattr(
        LstmCell,
        "run",
        lambda *args, **options: dtypes.append(options["dtype"]) or run(*args, **options),
    )

    def computed(error: float, previous: Analysis | None) -> tuple[Analysis, int]:
        before = dtypes.count(np.float32)
        seen = replace(snapshot, output=snapshot.output.copy())
        seen.output[:, 40:] += error
        analysis = analyse(seen, previous=previous)
        return analysis, dtypes.count(np.float32) - before

    first, times = computed(3e-7, None)
    assert (first.parity.verdict.kind, times) == ("match", 1)
    assert first.parity.rounding.max_abs < 16 * 2**-24
    second, times = computed(3e-7, first)
    assert (second.parity.verdict, times) == (first.parity.verdict, 0)
    assert second.parity.rounding is first.parity.rounding
    wrong, times = computed(1e-4, second)
    assert (wrong.parity.verdict.kind, times) == ("mismatch", 1)
    amplified = replace(
        first,
        parity=replace(
            first.parity,
            rounding=ParityError(1e-4, 1e-4, np.full(50, 1e-4), np.full((2, 50), 1e-4)),
        ),
    )
    assert computed(3e-7, amplified)[1] == 1


def test_trace_is_aligned_with_the_input_when_the_layer_reads_backwards(
    rng: np.random.Generator,
) -> None:
    mask = rng.random((2, 7)) > 0.3
    mask[0, 6], mask[1] = False, [False, True, True, False, True, True, True]
    snapshot = samples.snapshot(rng, reverse=True, mask=mask)
    final = snapshot.output[:, 0] + 0.5  # the step that is computed last is the input's first
    analysis = analyse(replace(snapshot, final_output=final))
    assert analysis.parity.float64.per_timestep[0] == pytest.approx(0.5)
    assert analysis.parity.float64.per_timestep[1:].max() == 0
    assert (analysis.trace.mask == mask).all()
    # the first step that is read, the input's last, knows nothing of the others
    assert analysis.trace.c[1, 6] == pytest.approx(analysis.trace.i[1, 6] * analysis.trace.g[1, 6])


@pytest.mark.parametrize("zero", [False, True])
def test_masked_steps_show_what_keras_shows_when_they_are_compared(
    rng: np.random.Generator, zero: bool
) -> None:
    mask = np.array([[False, True, False, True, True, False, False]])
    state = (rng.normal(size=(1, 5)), rng.normal(size=(1, 5)))
    snapshot = samples.snapshot(
        rng, batch=1, mask=mask, initial_state=state, zero_output_for_mask=zero
    )
    assert analyse(snapshot).parity.float64.max_abs == 0
    assert (snapshot.output[:, 0] == 0).all()
    assert (snapshot.output[:, 5] == (0 if zero else snapshot.output[:, 4])).all()
    other = replace(snapshot, zero_output_for_mask=not zero)
    assert not analyse(other).parity.within_tolerance


def test_nothing_is_hidden_when_the_framework_has_nan_and_numpy_has_not() -> None:
    ours = np.array([1.0, np.nan, np.nan, np.inf, np.inf, 2.0])
    theirs = np.array([np.nan, np.nan, 1.0, np.inf, -np.inf, 2.5])
    assert difference(ours, theirs).tolist() == [np.inf, 0, np.inf, 0, np.inf, 0.5]


def test_nan_and_infinity_flow_through_when_the_weights_have_them(rng: np.random.Generator) -> None:
    weights = samples.lstm_weights(rng)
    weights.kernel[0, 1, 2] = np.nan
    weights.bias[0, 3] = np.inf
    analysis = analyse(samples.snapshot(rng, weights=weights))
    assert np.isnan(analysis.trace.f[:, :, 2]).all()
    assert (analysis.trace.i[:, 0, 3] == 1).all()
    assert analysis.parity.float64.max_abs == 0


def test_snapshot_is_refused_when_its_output_does_not_fit(rng: np.random.Generator) -> None:
    snapshot = samples.snapshot(rng)
    with pytest.raises(LstmProbeError, match=r"'memory'.*\(2, 6, 5\).*\(batch, time, 5\)"):
        replace(snapshot, output=snapshot.output[:, :6])


def test_root_mean_square_is_defined_when_errors_are_huge_or_infinite() -> None:
    ours = np.zeros((1, 2, 1))
    for size, expected in ((1e300, 1e300), (np.inf, np.inf), (1e-300, 1e-300), (0.0, 0.0)):
        error = ParityError.between(ours, np.full_like(ours, size), None, 1)
        assert error.rms == pytest.approx(expected, rel=1e-12)
    mixed = ParityError.between(ours, np.array([[[np.inf], [1e300]]]), None, 1)
    assert (mixed.max_abs, mixed.rms) == (np.inf, np.inf)


def test_analysis_has_health_and_gradient_and_a_verdict(rng: np.random.Generator) -> None:
    analysis = analyse(samples.snapshot(rng))
    assert analysis.health.steps == 14
    assert analysis.gradient.hidden.shape == (2, 7)
    assert analysis.parity.verdict.kind == "match"
    assert analysis.convention is None
    wrong = replace(analysis.snapshot, cell=LstmCell(recurrent_activation="hard_sigmoid"))
    assert analyse(wrong).convention.name == "sigmoid"


def test_only_health_is_measured_when_the_recurrence_is_not_known(
    rng: np.random.Generator,
) -> None:
    analysis = analyse(replace(samples.snapshot(rng), cell=None))
    assert (analysis.parity, analysis.gradient, analysis.convention) == (None, None, None)
    assert analysis.health.largest["h"].shape == (5,)


def test_an_analysis_is_pickled_with_what_is_computed_on_demand(rng: np.random.Generator) -> None:
    snapshot = samples.snapshot(rng)
    analysis = analyse(replace(snapshot, output=snapshot.output + 0.1))
    again = pickle.loads(pickle.dumps(analysis))
    assert again.parity.same_dtype.max_abs == analysis.parity.same_dtype.max_abs
    np.testing.assert_array_equal(again.gradient.inputs, analysis.gradient.inputs)
    assert again.convention == analysis.convention
