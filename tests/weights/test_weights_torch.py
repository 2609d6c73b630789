"""PyTorch's layout, against the equations of its documentation, and against torch where it is."""

from __future__ import annotations

import numpy as np
import pytest
from helpers_cells import largest, random_arrays, sigmoid

from lstm_probe.analysis.parity.error import TOLERANCES
from lstm_probe.cells import gru, lstm, simple_rnn
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights import CoupledLstmWeights, from_keras, from_torch, to_torch
from lstm_probe.weights.torch import folded_normalisation

BLOCKS = {"LSTM": 4, "GRU": 3, "RNN": 1}
RUN = {"LSTM": lstm, "GRU": gru, "RNN": simple_rnn}


def state_dict(rng, blocks, *, features=3, units=5, output=None, suffix="_l0", bias=True):
    rows, width = blocks * units, output or units
    shapes = {"weight_ih": (rows, features), "weight_hh": (rows, width)}
    if bias:
        shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
    if output:
        shapes["weight_hr"] = (output, units)
    arrays = random_arrays(rng, *shapes.values())
    return {f"{name}{suffix}": a for name, a in zip(shapes, arrays, strict=True)}


def documented(name, x, state, suffix="_l0"):
    """The equations in the docstrings of torch's modules, literally; zero initial states."""
    w_ih, w_hh = state["weight_ih" + suffix], state["weight_hh" + suffix]
    b_ih, b_hh = state["bias_ih" + suffix], state["bias_hh" + suffix]
    h, c, outputs = np.zeros((len(x), w_hh.shape[1])), 0.0, []
    for t in range(x.shape[1]):
        from_x = np.split(w_ih @ x[:, t].T + b_ih[:, None], BLOCKS[name])
        from_h = np.split(w_hh @ h.T + b_hh[:, None], BLOCKS[name])
        if name == "LSTM":
            i, f, g, o = (a + b for a, b in zip(from_x, from_h, strict=True))
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = (sigmoid(o) * np.tanh(c)).T
            h = h @ state["weight_hr" + suffix].T if "weight_hr" + suffix in state else h
        elif name == "GRU":
            r, z = sigmoid(from_x[0] + from_h[0]), sigmoid(from_x[1] + from_h[1])
            n = np.tanh(from_x[2] + r * from_h[2])
            h = ((1 - z) * n + z * h.T).T
        else:
            h = np.tanh(from_x[0] + from_h[0]).T
        outputs.append(h)
    return np.stack(outputs, axis=1)


@pytest.mark.parametrize("name", BLOCKS)
def test_weights_of_a_cell_are_those_of_a_layer_when_its_keys_have_no_number(name):
    state = state_dict(np.random.default_rng(3), BLOCKS[name])
    cell = {f"decoder.{key.removesuffix('_l0')}": array for key, array in state.items()}
    for ours, layer in zip(
        from_torch(cell, prefix="decoder.").named(), from_torch(state).named(), strict=True
    ):
        assert ours[0] == layer[0]
        assert np.array_equal(ours[1], layer[1])
    with pytest.raises(LstmProbeError, match="weight_ih_l1"):
        from_torch(cell, prefix="decoder.", layer=1)


@pytest.mark.parametrize("name", BLOCKS)
def test_hidden_states_are_the_documented_ones_when_weights_are_random(name):
    rng = np.random.default_rng(1)
    state = state_dict(rng, BLOCKS[name])
    (x,) = random_arrays(rng, (2, 9, 3))
    ours = RUN[name](x, from_torch(state)).h
    assert largest(ours, documented(name, x, state)) < TOLERANCES["float64"]


def test_hidden_states_are_the_documented_ones_when_they_are_projected():
    rng = np.random.default_rng(2)
    state = state_dict(rng, 4, output=2)
    (x,) = random_arrays(rng, (2, 9, 3))
    ours = lstm(x, from_torch(state)).h
    assert ours.shape == (2, 9, 2)
    assert largest(ours, documented("LSTM", x, state)) < TOLERANCES["float64"]


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, {"bias": bias}) for name in BLOCKS for bias in (True, False)]
    + [("LSTM", {"output": 2})],
)
def test_results_are_kept_when_weights_make_a_round_trip(name, options):
    rng = np.random.default_rng(3)
    state = state_dict(rng, BLOCKS[name], suffix="_l1_reverse", **options)
    where = {"layer": 1, "reverse": True, "prefix": "encoder."}
    state = {f"encoder.{key}": value for key, value in state.items()}
    weights = from_torch(state, **where)
    returned = to_torch(weights, **where)
    assert set(returned) == set(state)
    for key in state:
        if "bias" not in key or name == "GRU":
            np.testing.assert_array_equal(returned[key], state[key])
    (x,) = random_arrays(rng, (2, 4, 3))
    again = from_torch(returned, **where)
    np.testing.assert_array_equal(RUN[name](x, weights).h, RUN[name](x, again).h)


@pytest.mark.parametrize("name", BLOCKS)
def test_hidden_states_are_those_of_torch_when_it_is_installed(name):
    torch = pytest.importorskip("torch")
    torch.manual_seed(4)
    options = {"proj_size": 2} if name == "LSTM" else {}
    module = getattr(torch.nn, name)(3, 5, 2, batch_first=True, bidirectional=True, **options)
    module = module.double()
    x = np.random.default_rng(4).normal(size=(2, 9, 3))
    theirs = module(torch.from_numpy(x))[0].detach().numpy()
    layer_input = x
    for layer in range(2):
        forward, backward = (
            from_torch(module.state_dict(), layer=layer, reverse=reverse)
            for reverse in (False, True)
        )
        ahead = RUN[name](layer_input, forward).h
        back = RUN[name](layer_input[:, ::-1], backward).h[:, ::-1]
        layer_input = np.concatenate([ahead, back], axis=-1)
    assert largest(layer_input, theirs) < TOLERANCES["float64"]


class Tensor:
    """What a tensor that requires a gradient does to NumPy."""

    def __init__(self, array, detached=False):
        self.array, self.detached = array, detached

    def detach(self):
        return Tensor(self.array, detached=True)

    def cpu(self):
        return self

    def __array__(self, dtype=None, copy=None):
        if not self.detached:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return self.array


def test_tensors_are_detached_and_copied_when_they_are_read():
    state = state_dict(np.random.default_rng(5), 4)
    weights = from_torch({name: Tensor(array) for name, array in state.items()})
    assert not any(np.shares_memory(weights.kernel, array) for array in state.values())
    np.testing.assert_array_equal(to_torch(weights)["weight_ih_l0"], state["weight_ih_l0"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: from_torch({"weight": np.ones(3)}), r"keys weight. Expected: weight_ih_l0 and"),
        (
            lambda: from_torch(
                {"weight_ih_l0": np.ones((3, 20)), "weight_hh_l0": np.ones((5, 20))}
            ),
            r"would fit from_keras \(an LSTM\)",
        ),
        (
            lambda: from_torch({"weight_ih_l0": np.ones((9, 3)), "weight_hh_l0": np.ones((9, 5))}),
            r"a torch LSTM, GRU or RNN. Received: shapes \(9, 3\), \(9, 5\)",
        ),
        (
            lambda: to_torch(CoupledLstmWeights(np.ones((3, 3, 5)), np.ones((5, 3, 5)))),
            "no module for this cell. Received: CoupledLstmWeights",
        ),
    ],
)
def test_the_error_says_what_was_expected_when_arrays_are_wrong(call, message):
    with pytest.raises(LstmProbeError, match=message):
        call()


def test_keras_weights_give_the_same_result_when_they_go_through_torch():
    rng = np.random.default_rng(6)
    weights = from_keras(*random_arrays(rng, (3, 15), (5, 15), (2, 15)))
    (x,) = random_arrays(rng, (2, 4, 3))
    there = documented("GRU", x, to_torch(weights))
    assert largest(gru(x, weights).h, there) < TOLERANCES["float64"]


def test_normalised_weights_are_those_that_torch_computes_with():
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(20, 3)), rng.normal(size=(20, 5))
    plain = {"rnn.weight_ih_l0": weights[0], "rnn.weight_hh_l0": weights[1]}
    forms = [{}, {}, {}, {}]
    for name, weight in zip(("weight_ih_l0", "weight_hh_l0"), weights, strict=True):
        g, v = np.linalg.norm(weight, axis=1, keepdims=True), 3.7 * weight
        columns = np.linalg.norm(weight, axis=0, keepdims=True)
        u, w = rng.normal(size=20), rng.normal(size=weight.shape[1])
        forms[0] |= {f"rnn.{name}_g": g, f"rnn.{name}_v": v}
        path = f"rnn.parametrizations.{name}."
        forms[1] |= {f"{path}original1": v, f"{path}original0": g}
        forms[2] |= {f"rnn.{name}_g": columns, f"rnn.{name}_v": v}  # dim=1
        # Spectral normalisation divides by u W v; these vectors make that 4.
        forms[3] |= {f"{path}original": 4 * weight, f"{path}0._u": u}
        forms[3][f"{path}0._v"] = w / (u @ weight @ w)
    for form in forms:
        folded = folded_normalisation({**form, "rnn.bias_ih_l0": np.zeros(20)})
        assert folded.keys() == {*plain, "rnn.bias_ih_l0"}
        for name, weight in plain.items():
            np.testing.assert_allclose(folded[name], weight, atol=1e-12)
    scalar = folded_normalisation(
        {"weight_hh_g": np.float64(2.0), "weight_hh_v": np.full((4, 1), 3)}
    )
    np.testing.assert_allclose(scalar["weight_hh"], np.full((4, 1), 1.0), atol=1e-12)
    with pytest.raises(LstmProbeError, match=r"weight_hh_l0 is normalised .* g \(20, 1\)"):
        folded_normalisation({"weight_hh_l0_g": np.ones((20, 1))})
