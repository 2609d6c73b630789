from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
import samples

from lstm_probe import GruCell, LstmCell, SimpleRnnCell, Snapshot, analyse
from lstm_probe.analysis.parity.rounding import step_bound
from lstm_probe.analysis.parity.teacher_forcing import teacher_force
from lstm_probe.core.activations import ACTIVATIONS
from lstm_probe.core.precision import UNIT_ROUNDOFF, round_to
from lstm_probe.core.trace import GateTrace
from lstm_probe.weights import from_keras

LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}
DTYPES = ("float32", "float64", "float16", "mixed_float16", "mixed_bfloat16")


def keras_snapshot(rng, kind, units=7, time=15, batch=3, gain=0.4, masked=False, **options):
    """A layer with random weights, and what it computes."""
    dtype = options.pop("dtype", "float32")
    layer = LAYERS[kind](units, return_sequences=True, dtype=dtype, **options)
    x = rng.normal(size=(batch, time, 5)).astype("float64" if dtype == "float64" else "float32")
    layer.build(x.shape)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(0, gain, variable.shape))
    mask = rng.random((batch, time)) > 0.3 if masked else None
    output = keras.ops.convert_to_numpy(layer(x, mask=mask) if masked else layer(x))
    reverse = layer.go_backwards
    cell = layer.cell
    names = [
        keras.activations.serialize(getattr(cell, name))
        for name in ("activation", "recurrent_activation")
        if hasattr(cell, name)
    ]
    described = {"lstm": LstmCell, "gru": GruCell, "rnn": SimpleRnnCell}[kind](*names)
    if kind == "gru":
        described = replace(described, reset_after=cell.reset_after)
    arrays = [cell.kernel, cell.recurrent_kernel, cell.bias]
    return Snapshot(
        step=0,
        layer="memory",
        cell=described,
        weights=from_keras(*(computed_with(layer, a) for a in arrays if a is not None)),
        x=computed_with(layer, x),
        output=(output[:, ::-1] if reverse else output).astype(np.float64),
        mask=mask,
        reverse=reverse,
        zero_output_for_mask=layer.zero_output_for_mask,
        dtype=layer.compute_dtype,
    )


def computed_with(layer, array):
    """An array as the layer reads it."""
    array = keras.ops.cast(array, layer.compute_dtype)
    return keras.ops.convert_to_numpy(keras.ops.cast(array, layer.variable_dtype))


GRU_GATES = ("gru z", "gru r", "gru g")
CONFIGURATIONS = {
    "plain": {},
    "masked": {"masked": True},
    "zeros": {"masked": True, "zero_output_for_mask": True},
    "backwards": {"go_backwards": True, "masked": True},
    "without bias": {"use_bias": False},
    "wide": {"units": 96, "gain": 0.1},
    "long": {"time": 200, "batch": 1},
    "chaotic": {"units": 32, "time": 120, "gain": 1.5},
    "constants of TensorFlow": {"activation": "leaky_relu"},
    "unbounded": {"activation": "gelu"},
}


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_verdict_is_match_when_keras_computes_what_is_described(rng, kind, dtype):
    for name, options in CONFIGURATIONS.items():
        options = {"recurrent_initializer": "glorot_uniform", **options}
        verdict = analyse(keras_snapshot(rng, kind, dtype=dtype, **options)).parity.verdict
        assert verdict.kind == "match", f"{name}: {verdict} {verdict.excess}"


def test_verdict_tells_chaos_from_a_wrong_slope(rng):
    """A rounding error that has grown to order 1 is a match; a wrong slope with 1e-4 is not."""
    chaotic = keras_snapshot(rng, "rnn", units=64, time=200, gain=1.0)
    parity = analyse(chaotic).parity
    assert parity.float64.max_abs > 0.5
    assert not parity.within_tolerance
    assert parity.verdict.kind == "match"

    mild = keras_snapshot(rng, "lstm", gain=0.01, recurrent_activation="hard_sigmoid")
    cell = LstmCell(recurrent_activation="hard_sigmoid_keras2")
    parity = analyse(replace(mild, cell=cell)).parity
    assert parity.float64.max_abs < 2e-4
    assert parity.verdict.kind == "mismatch"


@pytest.mark.parametrize("options", [{}, {"masked": True}, {"go_backwards": True}], ids=str)
@pytest.mark.parametrize("kind", LAYERS)
def test_the_trace_stays_with_the_framework_when_the_network_is_chaotic(rng, kind, options):
    chaotic = keras_snapshot(rng, kind, units=64, time=200, gain=2.0, **options)
    analysis = analyse(chaotic)
    assert analysis.parity.float64.max_abs > 0.5
    assert analysis.parity.verdict.kind == "match"
    valid = slice(None) if chaotic.mask is None else np.logical_or.accumulate(chaotic.mask, 1)
    assert analysis.parity.verdict.bound < 1e-3
    assert np.abs(analysis.trace.h - chaotic.output)[valid].max() < analysis.parity.verdict.bound
    assert analysis.trace.mask is chaotic.mask
    wrong = replace(chaotic, output=chaotic.output + 1e-3)
    assert analyse(wrong).parity.verdict.kind == "mismatch"
    assert np.abs(analyse(wrong).trace.h - chaotic.output).max() > 0.5


@pytest.mark.parametrize("kind", LAYERS)
def test_a_wrong_slope_is_found_when_the_network_is_chaotic(rng, kind):
    snapshot = keras_snapshot(rng, kind, units=64, time=150, gain=1.0)
    right = snapshot.cell.activation
    assert right == "tanh"
    wrong = replace(snapshot, cell=replace(snapshot.cell, activation=lambda x: np.tanh(1.0005 * x)))
    assert analyse(wrong).parity.verdict.kind == "mismatch"
    assert analyse(snapshot).parity.verdict.kind == "match"


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_verdict_is_reduced_precision_when_a_narrower_type_computed(rng, kind, precision):
    snapshot = keras_snapshot(
        rng, kind, dtype=precision, recurrent_initializer="glorot_uniform", time=30
    )
    verdict = analyse(replace(snapshot, dtype="float32")).parity.verdict
    assert (verdict.kind, verdict.precision) == ("reduced precision", precision)
    assert str(verdict) == f"reduced precision ({precision})"


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
@pytest.mark.parametrize("truncate", [False, True])
def test_verdict_is_reduced_precision_when_products_read_fewer_digits(
    rng, kind, precision, truncate
):
    """As tensor cores do: operands are rounded, sums and everything else are float32."""
    snapshot = keras_snapshot(rng, kind, units=24, time=40)
    u = UNIT_ROUNDOFF[precision]

    def rounded(array):
        return round_to(array, u, truncate=truncate)

    weights = replace(
        snapshot.weights,
        kernel=rounded(snapshot.weights.kernel),
        recurrent_kernel=rounded(snapshot.weights.recurrent_kernel),
    )
    x, states, steps = rounded(snapshot.x), None, []
    for t in range(snapshot.timesteps):
        trace = snapshot.cell.run(x[:, t : t + 1], weights, initial_state=states)
        steps.append(trace.h[:, 0])
        states = [rounded(trace.h[:, 0]), *([trace.c[:, 0]] if kind == "lstm" else [])]
    seen = replace(snapshot, output=np.stack(steps, axis=1))
    verdict = analyse(seen).parity.verdict
    assert (verdict.kind, verdict.precision.lower()) == ("reduced precision", precision)


def test_verdict_is_mismatch_when_an_error_only_has_the_size_of_reduced_precision(rng):
    snapshot = keras_snapshot(rng, "lstm")
    noise = rng.normal(0, UNIT_ROUNDOFF["tf32"], snapshot.output.shape)
    verdict = analyse(replace(snapshot, output=snapshot.output + noise)).parity.verdict
    assert verdict.kind == "mismatch"


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", LAYERS)
def test_mismatch_names_timestep_sequence_and_unit_when_one_value_is_off(rng, kind, reverse):
    snapshot = keras_snapshot(rng, kind, go_backwards=reverse)
    output = snapshot.output.copy()
    output[2, 6, 3] += 1e-3
    verdict = analyse(replace(snapshot, output=output)).parity.verdict
    place = verdict.place
    assert (verdict.kind, place.timestep, place.sequence, place.unit) == ("mismatch", 6, 2, 3)
    assert "timestep 6, sequence 2, unit 3" in str(verdict)


@pytest.mark.parametrize("kind_and_gate", ["lstm i", "lstm f", "lstm g", "lstm o", *GRU_GATES])
def test_the_gate_at_fault_is_named_when_its_weights_are_wrong(rng, kind_and_gate):
    kind, gate = kind_and_gate.split()
    named = []
    for _ in range(8):
        snapshot = keras_snapshot(rng, kind, time=25)
        index = snapshot.weights.gates.index(gate)
        kernel = snapshot.weights.kernel.copy()
        kernel[:, index] += rng.normal(0, 0.02, kernel[:, index].shape)
        wrong = replace(snapshot, weights=replace(snapshot.weights, kernel=kernel))
        named.append(analyse(wrong).parity.verdict.place.gate)
    assert named.count(gate) >= 7, named


def test_float32_overflow_is_no_mismatch_when_float64_is_finite(rng):
    snapshot = keras_snapshot(rng, "rnn", dtype="float16", gain=2.0, time=40, activation="relu")
    assert not np.isfinite(snapshot.output).all()
    assert np.isfinite(analyse(replace(snapshot, dtype="float64")).trace.h).all()
    assert analyse(snapshot).parity.verdict.kind == "match"


def test_a_nan_of_the_framework_is_a_mismatch_when_nothing_overflows(rng):
    snapshot = keras_snapshot(rng, "lstm")
    snapshot.output[1, 5:, 2] = np.nan
    verdict = analyse(snapshot).parity.verdict
    assert (verdict.kind, verdict.place.timestep, verdict.place.unit) == ("mismatch", 5, 2)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("steps", [1, 9])
@pytest.mark.parametrize("illness", ["all masked", "nan", "constant", "one unit"])
def test_verdict_is_defined_when_the_probe_says_nothing(rng, kind, steps, illness):
    units = 1 if illness == "one unit" else 4
    snapshot = keras_snapshot(rng, kind, time=steps, units=units)
    weights = snapshot.weights
    if illness == "all masked":
        mask = np.zeros(snapshot.x.shape[:2], bool)
        snapshot = replace(snapshot, mask=mask, output=np.zeros_like(snapshot.output))
    if illness == "nan":
        nothing = replace(weights, kernel=np.full_like(weights.kernel, np.nan))
        output = np.full_like(snapshot.output, np.nan)
        snapshot = replace(snapshot, weights=nothing, output=output)
    if illness == "constant":
        zeros = replace(weights, kernel=0 * weights.kernel, bias=0 * weights.bias)
        zeros = replace(
            zeros,
            recurrent_kernel=0 * weights.recurrent_kernel,
            **({"recurrent_bias": 0 * weights.recurrent_bias} if kind == "gru" else {}),
        )
        snapshot = replace(snapshot, weights=zeros, output=np.zeros_like(snapshot.output))
    for dtype in ("float32",) if illness == "one unit" else ("float32", "float64", "float16"):
        assert analyse(replace(snapshot, dtype=dtype)).parity.verdict.kind == "match"


def test_ulp_counts_units_in_the_last_place_of_the_dtype(rng):
    snapshot = keras_snapshot(rng, "lstm")
    largest = np.abs(analyse(snapshot).trace.h).max()
    output = analyse(snapshot).trace.h.copy()
    output[0, 0, 0] += 10 * np.spacing(np.float32(largest))
    assert analyse(replace(snapshot, output=output)).parity.ulp == pytest.approx(10, rel=1e-6)


@pytest.mark.parametrize("kind", LAYERS)
def test_steps_are_those_of_the_trace_when_they_are_forced_with_its_own_output(rng, kind):
    snapshot = keras_snapshot(rng, kind, masked=True)
    trace: GateTrace = analyse(snapshot).trace
    hidden = np.where(np.logical_or.accumulate(snapshot.mask, 1)[..., None], trace.h, 0)
    forced = teacher_force(replace(snapshot, output=hidden))
    for letter in trace.letters:
        np.testing.assert_allclose(
            forced.arrays[letter][snapshot.mask], trace.valid(letter), rtol=0, atol=1e-13
        )


@pytest.mark.parametrize("kind", LAYERS)
def test_the_bound_is_proportional_to_the_roundoff_and_covers_it(rng, kind):
    snapshot = keras_snapshot(rng, kind)
    forced = teacher_force(snapshot)
    bounds = {name: step_bound(snapshot, forced, name) for name in UNIT_ROUNDOFF}
    assert (bounds["float32"] > 2.0**-24 * np.abs(snapshot.output)).all()
    # The sums of a float64 layer are compared with NumPy's, which round alike.
    assert 2.0**28 < np.median(bounds["float32"] / bounds["float64"]) < 2.0**29
    assert np.median(bounds["bfloat16"] / bounds["float16"]) == pytest.approx(8, rel=0.1)
    # Half precisions sum in float32.
    assert 2.0**10 < np.median(bounds["float16"] / bounds["float32"]) < 2.0**13


@pytest.mark.parametrize("sign", ["mixed", "one sign", "one large"])
def test_the_bound_covers_sums_term_by_term_whatever_their_signs(rng, sign):
    """The least favourable order of summation that a framework may choose."""
    inputs, units = 700, 16
    x = np.ones((1, 1, inputs)) if sign == "one sign" else rng.normal(size=(1, 1, inputs))
    kernel = rng.normal(0, 0.02, (inputs, units))
    if sign == "one sign":
        kernel = np.abs(kernel) / 10
    if sign == "one large":
        x[0, 0, 0] = 100
    weights = from_keras(kernel, np.zeros((units, units)))
    total = np.zeros(units, np.float32)
    for term in x.astype(np.float32)[0, 0, :, None] * kernel.astype(np.float32):
        total = total + term
    output = np.asarray(total, np.float64)[None, None]
    arrays = replace(weights.astype(np.float32)).astype(np.float64)
    cell, x = SimpleRnnCell("linear"), x.astype(np.float32).astype(np.float64)
    snapshot = Snapshot(0, "rnn", cell, arrays, x=x, output=output)
    forced = teacher_force(snapshot)
    excess = np.abs(forced.output - output) / step_bound(snapshot, forced, "float32")
    assert 0.01 < excess.max() < 1


def test_the_bound_is_finite_when_squares_leave_the_range_of_float32(rng):
    snapshot = keras_snapshot(rng, "rnn", activation="linear", dtype="float64", gain=0.1)
    large = replace(snapshot, x=snapshot.x * 1e25)
    output = analyse(large).trace.h
    assert analyse(replace(large, output=output)).parity.verdict.kind == "match"
    wrong = replace(large, output=output * (1 + 1e-9))
    assert np.isfinite(step_bound(wrong, teacher_force(wrong), "float64")).all()
    assert analyse(wrong).parity.verdict.kind == "mismatch"


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - {"exponential"}))  # overflows
@pytest.mark.parametrize("kind", [LstmCell, GruCell, SimpleRnnCell])
def test_a_trace_obeys_the_equations_that_the_verdict_goes_by(rng, kind, activation, batch):
    """They are written down twice: a verdict is about the trace only if both are the same."""
    gates = {LstmCell: 4, GruCell: 3, SimpleRnnCell: 1}[kind]
    arrays = [rng.normal(0, 0.3, shape) for shape in ((3, 5 * gates), (5, 5 * gates))]
    options = [{}] if kind is SimpleRnnCell else [{}, {"recurrent_activation": activation}]
    x, weights = rng.normal(size=(batch, 6, 3)), from_keras(*arrays)
    for option in options:
        cell = kind(activation, **option)
        output = cell.run(x, weights).h
        snapshot = Snapshot(0, "memory", cell, weights, x=x, output=output, dtype="float64")
        scale = max(1, np.abs(output).max())
        assert np.abs(teacher_force(snapshot).output - output).max() < 1e-13 * scale


def test_a_recurrence_of_ours_that_is_wrong_is_not_taken_for_chaos(rng):
    """The verdict's equations are written a second time: it would say that the framework is
    right, and the trace would follow the framework."""

    class Wrong(LstmCell):
        def _recur(self, x, weights, state, mask):
            return super()._recur(0.9 * x, weights, state, mask)

    seen = samples.snapshot(rng, time=20)
    assert analyse(seen).parity.verdict.kind == "match"
    parity = analyse(replace(seen, cell=Wrong())).parity
    assert parity.verdict.kind == "mismatch"
    assert parity.float64.max_abs > 1e-3
