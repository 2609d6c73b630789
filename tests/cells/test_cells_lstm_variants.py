"""The variants of the LSTM against a per-gate loop, and against what they lose when forgotten.

TF1's own cells are in test_weights_tf1.py, TensorFlow Lite's tables in test_goldens.py.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers_cells import keras_lstm_arrays, largest, random_arrays

from lstm_probe import weights
from lstm_probe.analysis.parity.error import TOLERANCES
from lstm_probe.cells import LstmCell, lstm
from lstm_probe.core.activations import get_activation
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace
from lstm_probe.weights import CoupledLstmWeights, LstmWeights


def variant_weights(rng, features, units, output, *, kind=LstmWeights):
    gates, peeping = len(kind.gates), len(kind.peephole_gates)
    shapes = [
        (features, gates, units),
        (output, gates, units),
        (gates, units),
        (peeping, units),
        (units, output),
        (output,),
        (gates, units),
        (2, units),
    ]
    return kind(*random_arrays(rng, *shapes))


def naive_variant(x, w, cell):
    """Every variant at once, letter by letter; norms and clips as `cell` and `w` say."""
    sigma = get_activation("sigmoid")
    bias = dict(zip(w.gates, w.bias, strict=True))
    peephole = dict(zip(w.peephole_gates, w.peepholes, strict=True)) | {"g": 0.0}
    scale = dict(zip(w.gates, w.norm_scale, strict=True))

    def norm(a):
        mean = a.mean(axis=1)[:, None]
        return (a - mean) / np.sqrt(a.var(axis=1)[:, None] + cell.norm_epsilon)

    def pre(letter, x_t, h, c):
        kernel, recurrent_kernel, _ = w.gate(letter)
        return norm(x_t @ kernel + h @ recurrent_kernel + peephole[letter] * c) * scale[letter]

    h, c = np.zeros((len(x), w.output_size)), np.zeros((len(x), w.units))
    hidden, cells = [], []
    for t in range(x.shape[1]):
        f = sigma(pre("f", x[:, t], h, c) + bias["f"] + cell.forget_bias)
        i = sigma(pre("i", x[:, t], h, c) + bias["i"]) if "i" in w.gates else 1 - f
        g = np.tanh(pre("g", x[:, t], h, c) + bias["g"])
        c = norm(f * c + i * g) * w.state_norm[0] + w.state_norm[1]
        c = np.minimum(np.maximum(c, -cell.cell_clip), cell.cell_clip)
        o = sigma(pre("o", x[:, t], h, c) + bias["o"])
        h = (o * np.tanh(c)) @ w.projection + w.projection_bias
        h = np.minimum(np.maximum(h, -cell.proj_clip), cell.proj_clip)
        hidden.append(h)
        cells.append(c)
    return np.stack(hidden, axis=1), np.stack(cells, axis=1)


VARIANT = LstmCell(forget_bias=0.7, cell_clip=0.6, proj_clip=0.5, norm_epsilon=1e-3)


@pytest.mark.parametrize("kind", [LstmWeights, CoupledLstmWeights])
def test_every_variant_at_once_is_the_naive_loop_when_weights_are_random(kind):
    rng = np.random.default_rng(12)
    w = variant_weights(rng, 3, 6, 4, kind=kind)
    (x,) = random_arrays(rng, (2, 9, 3))
    trace = lstm(x, w, cell=VARIANT)
    h, c = naive_variant(x, w, VARIANT)
    assert trace.h.shape == (2, 9, 4)
    assert largest(trace.h, h) < TOLERANCES["float64"]
    assert largest(trace.c, c) < TOLERANCES["float64"]
    assert (np.abs(c) == 0.6).any()
    assert (np.abs(h) == 0.5).any()
    assert trace.ranges["c"] == (-0.6, 0.6)
    assert trace.ranges["h"] == (-0.5, 0.5)


@pytest.mark.parametrize("missing", ["peepholes", "projection_bias", "norm_scale", "state_norm"])
def test_the_parity_error_is_an_alarm_when_a_variant_is_forgotten(missing):
    rng = np.random.default_rng(13)
    w = variant_weights(rng, 3, 6, 4)
    (x,) = random_arrays(rng, (2, 9, 3))
    broken = lstm(x, replace(w, **{missing: None}), cell=VARIANT).h
    assert largest(broken, naive_variant(x, w, VARIANT)[0]) > 100 * TOLERANCES["float32"]


def test_peepholes_are_an_alarm_when_their_order_is_wrong():
    rng = np.random.default_rng(14)
    w = variant_weights(rng, 3, 6, 4)
    (x,) = random_arrays(rng, (2, 9, 3))
    right = naive_variant(x, w, VARIANT)[0]
    for order in ([1, 0, 2], [0, 2, 1], [2, 1, 0]):
        broken = lstm(x, replace(w, peepholes=w.peepholes[order]), cell=VARIANT).h
        assert largest(broken, right) > 100 * TOLERANCES["float32"]


def test_the_variants_road_is_the_plain_road_when_nothing_is_added():
    rng = np.random.default_rng(15)
    w = weights.from_keras(*keras_lstm_arrays(rng, 3, 6))
    (x,) = random_arrays(rng, (2, 9, 3))
    mask = rng.random((2, 9)) > 0.3
    plain = lstm(x, w, mask=mask, cell=LstmCell(forget_bias=1.0))
    general = lstm(x, w, mask=mask, cell=LstmCell(forget_bias=1.0, cell_clip=1e9))
    for letter in plain.letters:
        assert largest(plain[letter], general[letter]) < 1e-15


def test_the_cell_state_is_zero_when_the_clip_is_zero():
    rng = np.random.default_rng(16)
    w = weights.from_keras(*keras_lstm_arrays(rng, 3, 6))
    (x,) = random_arrays(rng, (2, 9, 3))
    trace = lstm(x, w, cell=LstmCell(cell_clip=0.0))
    assert not trace.c.any()
    assert not trace.h.any()


def test_states_have_their_own_widths_when_h_is_projected():
    rng = np.random.default_rng(17)
    w = variant_weights(rng, 3, 6, 4)
    x, h, c = random_arrays(rng, (2, 9, 3), (2, 4), (2, 6))
    whole = lstm(x, w, cell=VARIANT, initial_state=(h, c), dtype="float32")
    assert whole.h.dtype == np.float32
    first = lstm(x[:, :5], w, cell=VARIANT, initial_state=(h, c))
    state = first.h[:, -1], first.c[:, -1]
    rest = lstm(x[:, 5:], w, cell=VARIANT, initial_state=state)
    assert largest(whole.h[:, 5:], rest.h) < TOLERANCES["float32"]
    with pytest.raises(LstmProbeError, match=r"shapes \[\(2, 4\), \(2, 6\)\]"):
        lstm(x, w, cell=VARIANT, initial_state=(c, c))


def test_states_are_carried_when_a_step_of_a_variant_is_masked():
    rng = np.random.default_rng(18)
    w = variant_weights(rng, 3, 6, 4)
    (x,) = random_arrays(rng, (1, 6, 3))
    mask = np.array([[True, False, True, False, False, True]])
    trace = lstm(x, w, cell=VARIANT, mask=mask)
    shorter = lstm(x[:, mask[0]], w, cell=VARIANT)
    for letter in trace.letters:
        assert largest(trace.valid(letter), shorter[letter][0]) < 1e-15


def test_the_trace_keeps_both_widths_when_h_is_projected(tmp_path):
    rng = np.random.default_rng(19)
    w = variant_weights(rng, 3, 6, 4)
    (x,) = random_arrays(rng, (2, 9, 3))
    trace = lstm(x, w, cell=VARIANT, mask=rng.random((2, 9)) > 0.3)
    assert (trace.units, trace.valid("c").shape[1], trace.valid("h").shape[1]) == (6, 6, 4)
    assert replace(trace, mask=None).valid("h").shape == (18, 4)
    trace.save(tmp_path / "trace.npz")
    loaded = GateTrace.load(tmp_path / "trace.npz")
    np.testing.assert_array_equal(loaded.h, trace.h)
    with pytest.raises(LstmProbeError, match="only the last axis of h may differ"):
        replace(trace, arrays={**trace.arrays, "f": trace.h})
    with pytest.raises(LstmProbeError, match="only the last axis of h may differ"):
        replace(trace, arrays={**trace.arrays, "h": trace.h[:, 1:]})
