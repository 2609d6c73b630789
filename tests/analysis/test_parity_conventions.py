"""Every way in which frameworks differ, tried on purpose: it is noticed, and it is named."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import samples
from test_parity_verdict import keras_snapshot

from lstm_probe import ConvLstmCell, GruCell, LstmCell, Snapshot, analyse
from lstm_probe.analysis.conventions.search import find_convention
from lstm_probe.analysis.parity import judge as verdict
from lstm_probe.core.masks import emitted
from lstm_probe.weights import CoupledLstmWeights, from_keras, from_tf1

MUTANTS = {}


def mutant(*names):
    def register(build):
        for name in names:
            MUTANTS[build.__name__, name] = build
        return build

    return register


def computed(snapshot: Snapshot, **changes) -> Snapshot:
    """`snapshot`, with the output that a layer with these changes gives, in float32."""
    other = replace(snapshot, **changes)
    flip = slice(None, None, -1 if other.reverse else 1)
    mask = None if other.mask is None else other.mask[:, flip]
    trace = other.cell.run(
        other.x[:, flip],
        other.weights,
        mask=mask,
        initial_state=other.initial_state,
        dtype=np.float32,
    )
    output = emitted(trace.h, mask, zero_output_for_mask=other.zero_output_for_mask)[:, flip]
    return replace(snapshot, output=output.astype(np.float64))


def lstm(rng, **fields):
    return samples.snapshot(rng, batch=3, time=12, dtype="float32", **fields)


def gru(rng, bias=(2, 15), **fields):
    arrays = [rng.normal(0, 0.5, shape) for shape in ((3, 15), (5, 15), bias)]
    cell = fields.pop("cell", GruCell(reset_after=len(bias) == 2))
    return lstm(rng, weights=from_keras(*arrays), cell=cell, **fields)


@mutant(*("".join(order) for order in permutations("ifgo")))
def gate_order(rng, order):
    snapshot = lstm(rng)
    index = [snapshot.weights.gates.index(letter) for letter in order]
    w = snapshot.weights
    moved = type(w)(w.kernel[:, index], w.recurrent_kernel[:, index], w.bias[index])
    return computed(snapshot, weights=moved), "gate_order" if order != "ifgo" else None


@mutant(*("".join(order) for order in permutations("zrg")))
def gate_order_of_a_gru(rng, order):
    snapshot = gru(rng)
    index = [snapshot.weights.gates.index(letter) for letter in order]
    w = snapshot.weights
    moved = type(w)(
        w.kernel[:, index], w.recurrent_kernel[:, index], w.bias[index], w.recurrent_bias[index]
    )
    return computed(snapshot, weights=moved), "gate_order" if order != "zrg" else None


@mutant("sigmoid", "hard_sigmoid", "hard_sigmoid_keras2")
def sigmoid(rng, name):
    described = {
        "sigmoid": "hard_sigmoid",
        "hard_sigmoid": "hard_sigmoid_keras2",
        "hard_sigmoid_keras2": "hard_sigmoid",
    }[name]
    snapshot = lstm(rng, cell=LstmCell(recurrent_activation=described))
    return computed(snapshot, cell=LstmCell(recurrent_activation=name)), "sigmoid"


@mutant("0.01", "0.3")
def leaky_relu(rng, slope):
    snapshot = lstm(rng, cell=LstmCell("leaky_relu"))
    cell = LstmCell(lambda x: np.where(x >= 0, x, float(slope) * x))
    return computed(snapshot, cell=cell), "activation"


@mutant("1.0", "0.0")
def forget_bias(rng, there):
    snapshot = lstm(rng, cell=LstmCell(forget_bias=1 - float(there)))
    return computed(snapshot, cell=LstmCell(forget_bias=float(there))), "forget_bias"


@mutant("Keras")
def tf1_read_as(rng, _):
    """A TF1 cell read as Keras's: another order, and a forget bias that no array holds."""
    kernel, bias = rng.normal(0, 0.5, (8, 20)), rng.normal(0, 0.5, 20)
    truth = lstm(rng, weights=from_tf1(kernel, bias), cell=LstmCell(forget_bias=1.0))
    read = from_keras(kernel[:3], kernel[3:], bias)
    seen = computed(truth)
    return replace(seen, weights=read, cell=LstmCell()), "gate_order+forget_bias"


@mutant("after", "before")
def reset(rng, described):
    snapshot = gru(rng, cell=GruCell(reset_after=described == "after"))
    return computed(snapshot, cell=GruCell(reset_after=described != "after")), "reset_after"


@mutant("turned")
def update_gate(rng, _):
    snapshot = gru(rng)
    w, sign = snapshot.weights, np.array([[-1.0], [1.0], [1.0]])
    turned = type(w)(
        sign * w.kernel, sign * w.recurrent_kernel, sign * w.bias, sign * w.recurrent_bias
    )
    return computed(snapshot, weights=turned), "update_gate"


@mutant("bias", "recurrent_bias", "merged", *"zrg")
def bias_of_a_gru(rng, dropped):
    snapshot = gru(rng)
    w = snapshot.weights
    if dropped == "merged":
        changes = {"bias": w.bias + w.recurrent_bias, "recurrent_bias": 0 * w.bias}
    elif dropped in w.gates:
        rest = w.bias.copy()
        rest[w.gates.index(dropped)] = 0
        changes = {"bias": rest}
    else:
        changes = {dropped: 0 * w.bias}
    return computed(snapshot, weights=replace(w, **changes)), "bias"


@mutant("all", *"ifgo")
def bias_of_an_lstm(rng, dropped):
    snapshot = lstm(rng)
    rest = snapshot.weights.bias.copy()
    rest[slice(None) if dropped == "all" else "ifgo".index(dropped)] = 0
    return computed(snapshot, weights=replace(snapshot.weights, bias=rest)), "bias"


@mutant("ignored", "zeros", "repeated")
def mask(rng, does):
    valid = rng.random((3, 12)) > 0.4
    snapshot = lstm(rng, mask=valid, zero_output_for_mask=does == "repeated")
    changes = {
        "ignored": {"mask": None},
        "zeros": {"zero_output_for_mask": True},
        "repeated": {"zero_output_for_mask": False},
    }
    return computed(snapshot, **changes[does]), "mask"


@mutant("dropped", "swapped")
def initial_state(rng, does):
    state = (rng.normal(size=(3, 5)), rng.normal(size=(3, 5)))
    snapshot = lstm(rng, initial_state=state)
    other = None if does == "dropped" else state[::-1]
    return computed(snapshot, initial_state=other), "initial_state"


@mutant("backwards", "forwards", "output")
def direction(rng, does):
    snapshot = lstm(rng, reverse=does == "forwards")
    if does == "output":
        return replace(snapshot, output=snapshot.output[:, ::-1]), "direction"
    return computed(snapshot, reverse=does == "backwards"), "direction"


@mutant("transposed")
def recurrent_kernel(rng, _):
    snapshot = lstm(rng)
    turned = snapshot.weights.recurrent_kernel.swapaxes(0, 2)
    other = replace(snapshot.weights, recurrent_kernel=turned)
    return computed(snapshot, weights=other), "transposed"


@mutant("clip", "peephole order", "no peepholes")
def variant(rng, does):
    weights = replace(samples.lstm_weights(rng), peepholes=rng.normal(size=(3, 5)))
    cell = LstmCell(cell_clip=0.1 if does == "clip" else None)
    snapshot = lstm(rng, weights=weights, cell=cell)
    if does == "clip":
        return computed(snapshot, cell=LstmCell()), "clip"
    order = None if does == "no peepholes" else weights.peepholes[[0, 2, 1]]
    return computed(snapshot, weights=replace(weights, peepholes=order)), "peephole"


@mutant("lstm", "gru", "merged")
def lost_bias(rng, kind):
    """The framework adds a bias that the snapshot has lost."""
    snapshot = lstm(rng) if kind == "lstm" else gru(rng)
    w = snapshot.weights
    if kind == "merged":
        merged = w.bias + w.recurrent_bias
        return replace(
            computed(snapshot),
            weights=replace(w, bias=merged, recurrent_bias=None),
            cell=GruCell(reset_after=True),
        ), "bias"
    without = {"recurrent_bias": None} if kind == "gru" else {}
    cell = replace(snapshot.cell, **({"reset_after": True} if kind == "gru" else {}))
    return replace(computed(snapshot), weights=replace(w, bias=None, **without), cell=cell), "bias"


@mutant("lstm", "gru")
def lost_state(rng, kind):
    states = tuple(rng.normal(size=(3, 5)) for _ in ("hc" if kind == "lstm" else "h"))
    snapshot = (lstm if kind == "lstm" else gru)(rng, initial_state=states)
    return replace(computed(snapshot), initial_state=None), "initial_state"


@mutant("repeated", "zeros", "shifted")
def lost_mask(rng, kind):
    valid = rng.random((3, 12)) > 0.4
    snapshot = lstm(rng, mask=valid, zero_output_for_mask=kind == "zeros")
    mask = np.roll(valid, 1, axis=1) if kind == "shifted" else None
    return replace(computed(snapshot), mask=mask), "mask"


@mutant("masked", "mish", "softsign, masked")
def lost_state_of_a_cell(rng, kind):
    """Where the first steps are masked, or no function inverts the activation."""
    mask = rng.random((3, 12)) > 0.4 if "masked" in kind else None
    activation = kind.split(",")[0] if kind != "masked" else "tanh"
    states = tuple(rng.normal(size=(3, 5)) for _ in "hc")
    snapshot = lstm(rng, initial_state=states, mask=mask, cell=LstmCell(activation))
    return replace(computed(snapshot), initial_state=None), "initial_state"


@mutant("late", "late, masked", "early", "early, backwards")
def output(rng, kind):
    mask = rng.random((3, 12)) > 0.4 if "masked" in kind else None
    snapshot = computed(lstm(rng, mask=mask, reverse="backwards" in kind))
    moved = slice(None, None, -1) if snapshot.reverse else slice(None)
    shown, zeros = snapshot.output[:, moved], np.zeros((3, 1, 5))
    late = np.concatenate([zeros, shown[:, :-1]], axis=1)
    early = np.concatenate([shown[:, 1:], zeros], axis=1)
    return replace(snapshot, output=(late if "late" in kind else early)[:, moved]), "shift"


@mutant("other")
def last_output(rng, _):
    snapshot = computed(lstm(rng))
    return replace(snapshot, final_output=snapshot.output[:, 4]), "last_output"


@mutant("softsign", "relu", "silu")
def other_activation(rng, described):
    there = {"softsign": "tanh", "relu": "elu", "silu": "gelu"}[described]
    return computed(lstm(rng, cell=LstmCell(described)), cell=LstmCell(there)), "activation"


def conv(rng):
    """A convolutional layer whose kernels are even: they pad more at the end."""
    kernels = [rng.normal(0, 0.4, shape) for shape in ((2, 2, 1, 12), (2, 2, 3, 12), (12,))]
    cell = ConvLstmCell(input_shape=(4, 3, 1), padding="same")
    x, weights = rng.normal(size=(3, 6, 12)), from_keras(*kernels)
    blank = np.zeros((3, 6, 36))
    return Snapshot(0, "conv", cell, weights, x=x, output=blank, dtype="float32")


@mutant("mirrored", "bias", "state", "order")
def convolution(rng, kind):
    snapshot = conv(rng)
    w = snapshot.weights
    if kind == "bias":
        return replace(computed(snapshot), weights=replace(w, bias=None)), "bias"
    if kind == "state":
        states = tuple(rng.normal(size=(3, 36)) for _ in "hc")
        given = computed(replace(snapshot, initial_state=states))
        return replace(given, initial_state=None), "initial_state"
    axes, order = ((0, 1), [0, 1, 2, 3]) if kind == "mirrored" else ((), [0, 2, 1, 3])
    arrays = [np.flip(k, axes)[..., order, :] for k in (w.kernel, w.recurrent_kernel)]
    other = type(w)(*arrays, w.bias[order])
    return computed(snapshot, weights=other), "mirrored" if kind == "mirrored" else "gate_order"


@mutant("0.3", "0.25, peepholes", "1/3", "projection", "state before a projection", "ONNX Runtime")
def missing_clip(rng, kind):
    """The framework clips, and the description of the cell does not say so."""
    weights, does = samples.lstm_weights(rng), {"cell_clip": 0.3}
    if kind == "ONNX Runtime":
        does = {"gate_clip": 0.4}
    if kind == "1/3":
        does = {"cell_clip": 1 / 3}
    if "peepholes" in kind:
        weights, does = replace(weights, peepholes=rng.normal(size=(3, 5))), {"cell_clip": 0.25}
    if "projection" in kind:
        projection = rng.normal(0, 2, (5, 4))
        weights = replace(
            weights, recurrent_kernel=rng.normal(0, 0.5, (4, 4, 5)), projection=projection
        )
        does = {"proj_clip": 0.3} if kind == "projection" else {"cell_clip": 1.0}
    if "state" in kind:
        weights = replace(weights, kernel=3 * weights.kernel)
    snapshot = lstm(rng, weights=weights)
    return computed(snapshot, cell=replace(snapshot.cell, **does)), "clip"


@mutant("i = 1 - f", "f = 1 - i", "i = 1 - f, forget bias, peepholes")
def coupled(rng, kind):
    """The framework couples two gates whose weights the file holds all the same."""
    weights = samples.lstm_weights(rng)
    if "peepholes" in kind:
        weights = replace(weights, peepholes=rng.normal(size=(3, 5)))
    bias = 1.0 if "forget bias" in kind else 0.0
    snapshot = lstm(rng, weights=weights, cell=LstmCell(forget_bias=bias))
    rest = [k for k in range(4) if k != (1 if kind == "f = 1 - i" else 0)]
    arrays = [weights.kernel[:, rest], weights.recurrent_kernel[:, rest], weights.bias[rest]]
    if kind == "f = 1 - i":  # our coupled cell has i = 1 - f, so that f gets the negated weights
        arrays = [array.copy() for array in arrays]
        for array in arrays:
            array[..., 0, :] *= -1
    peepholes = None if weights.peepholes is None else weights.peepholes[1:]
    return computed(snapshot, weights=CoupledLstmWeights(*arrays, peepholes=peepholes)), "coupled"


@mutant("all", "on top of others")
def lost_peepholes(rng, kind):
    """The framework has peepholes that the description has lost."""
    peepholes = rng.normal(size=(3, 5))
    snapshot = lstm(rng, weights=replace(samples.lstm_weights(rng), peepholes=peepholes))
    kept = None if kind == "all" else peepholes * [[0.0], [0.0], [1.0]]
    lost = replace(snapshot.weights, peepholes=kept)
    return replace(computed(snapshot), weights=lost), "peephole"


@mutant("the initial state", "zeros")
def before_the_first_valid_step(rng, does):
    valid = np.arange(12) >= np.array([[2], [0], [4]])
    state = tuple(rng.normal(size=(3, 5)) for _ in "hc")
    snapshot = lstm(rng, mask=valid, initial_state=state, initial_output_for_mask=does == "zeros")
    trace = snapshot.cell.run(snapshot.x, snapshot.weights, mask=valid, initial_state=state)
    shown = trace.shown(initial_output_for_mask=does != "zeros")
    return replace(snapshot, output=shown), "mask"


@mutant("h alone", "c alone", "of the batch before", "of the batch before, backwards")
def other_initial_state(rng, does):
    state = tuple(rng.normal(size=(3, 5)) for _ in "hc")
    snapshot = lstm(rng, initial_state=state, reverse="backwards" in does)
    given = {"h alone": (state[0], 0 * state[1]), "c alone": (0 * state[0], state[1])}
    if "batch" in does:
        options = {"initial_state": state, "reverse": snapshot.reverse}
        ended = snapshot.cell.run(snapshot.x, snapshot.weights, **options)
        given[does] = tuple(ended.final.values())
    return computed(snapshot, initial_state=given[does]), "initial_state"


@mutant("softsign, hard_sigmoid", "hard_sigmoid_keras2, hard_sigmoid_keras2", "relu, sigmoid")
def two_activations(rng, there):
    described = LstmCell("hard_sigmoid", "hard_sigmoid") if "keras2" in there else LstmCell()
    other = LstmCell(*there.split(", "))
    return computed(lstm(rng, cell=described), cell=other), "activation"


@mutant("order, states", "order, backwards", "states, mask", "coupled, forget bias")
def pair(rng, kind):
    """Two conventions at once, each of its own kind."""
    state = tuple(rng.normal(size=(3, 5)) for _ in "hc")
    snapshot = lstm(rng, initial_state=state, mask=np.arange(12) < np.array([[9], [12], [5]]))
    w = snapshot.weights
    moved = type(w)(*(a[..., [0, 2, 1, 3], :] for a in (w.kernel, w.recurrent_kernel, w.bias)))
    kept = [array[..., 1:, :] for array in (w.kernel, w.recurrent_kernel, w.bias)]
    changes = {
        "order, states": {"weights": moved, "initial_state": None},
        "order, backwards": {"weights": moved, "reverse": True},
        "states, mask": {"initial_state": None, "mask": None},
        "coupled, forget bias": {
            "weights": CoupledLstmWeights(*kept), "cell": LstmCell(forget_bias=1.0)
        },
    }  # fmt: skip
    names = {
        "order, states": "gate_order+initial_state",
        "order, backwards": "gate_order+direction",
        "states, mask": "initial_state+mask",
        "coupled, forget bias": "forget_bias+coupled",
    }
    return computed(snapshot, **changes[kind]), names[kind]


@pytest.mark.parametrize(("kind", "name"), MUTANTS)
def test_mismatch_is_noticed_and_named_when_a_convention_is_wrong(rng, kind, name):
    snapshot, expected = MUTANTS[kind, name](rng, name)
    verdict = analyse(snapshot).parity.verdict
    if expected is None:
        assert verdict.kind == "match"
        return
    assert verdict.kind == "mismatch"
    found = find_convention(snapshot)
    assert found is not None
    assert found.name == expected


def test_no_convention_is_named_when_the_weights_are_simply_others(rng):
    snapshot = keras_snapshot(rng, "lstm")
    assert find_convention(replace(snapshot, output=rng.normal(0, 0.1, (3, 15, 7)))) is None
    kernel = snapshot.weights.kernel + rng.normal(0, 0.01, snapshot.weights.kernel.shape)
    wrong = replace(snapshot, weights=replace(snapshot.weights, kernel=kernel))
    assert analyse(wrong).parity.verdict.kind == "mismatch"
    assert find_convention(wrong) is None


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("cell", [LstmCell(), GruCell()], ids=lambda cell: cell.name)
def test_no_cause_is_named_for_noise_of_one_or_two_steps(cell, dtype):
    """One value of a half precision fits some order of the gates by chance."""
    gates = {"lstm": 4, "gru": 3}[cell.name]
    for steps, batch, units in ((1, 1, 1), (1, 2, 1), (2, 1, 1), (2, 2, 3)):
        rng = np.random.default_rng((steps, batch, units))
        arrays = [rng.normal(0, 0.5, (n, gates * units)) for n in (3, units)]
        bias = rng.normal(0, 0.5, (2, 3 * units) if gates == 3 else (gates * units,))
        noise = rng.uniform(-0.9, 0.9, (batch, steps, units))
        x, weights = rng.normal(size=(batch, steps, 3)), from_keras(*arrays, bias)
        snapshot = Snapshot(0, "noise", cell, weights, x=x, output=noise, dtype=dtype)
        assert find_convention(snapshot) is None, (steps, batch, units)


def test_a_cause_that_leaves_out_what_overflows_explains_nothing(rng):
    """Under an exponential activation everything overflows, and nothing is left to contradict."""
    weights = samples.lstm_weights(rng)
    weights = replace(weights, kernel=1e3 * weights.kernel)
    snapshot = lstm(rng, weights=weights)
    noise = rng.uniform(-0.9, 0.9, snapshot.output.shape)
    assert find_convention(replace(snapshot, output=noise)) is None


def test_a_last_output_of_noise_has_no_cause(rng):
    snapshot = computed(lstm(rng))
    assert find_convention(replace(snapshot, final_output=rng.uniform(-1, 1, (3, 5)))) is None


def test_the_search_for_a_cause_takes_as_long_as_forty_recomputations_at_most(rng):
    """Two seconds for an ordinary layer, where one recomputation takes 50 ms."""
    arrays = [rng.normal(0, 0.1, shape) for shape in ((128, 512), (128, 512), (512,))]
    weights, x = from_keras(*(a.astype("float32") for a in arrays)), rng.normal(size=(16, 100, 128))
    noise = rng.uniform(-0.5, 0.5, (16, 100, 128))
    cell = LstmCell()
    snapshot = Snapshot(0, "lstm", cell, weights, x=x, output=noise)
    searches, recomputations = [], []
    for _ in range(3):  # other programs may slow the first ones down
        began = time.process_time()
        assert find_convention(snapshot) is None
        searches.append(time.process_time() - began)
        for _ in range(3):
            began = time.process_time()
            cell.run(x, weights, dtype=np.float64)
            recomputations.append(time.process_time() - began)
    assert min(searches) < 40 * min(recomputations)


def test_a_convention_has_to_hold_for_all_sequences(rng):
    """One sequence shows zeros, as at masked steps; the others obey another order of the gates."""
    snapshot, _ = gate_order(rng, "igfo")
    mask = np.ones((3, 12), bool)
    mask[0] = False
    output = snapshot.output.copy()
    output[0] = 0
    assert find_convention(replace(snapshot, mask=mask, output=output)).name == "gate_order"


def test_convention_says_what_is_where_when_the_order_is_known(rng):
    snapshot, _ = gate_order(rng, "igfo")
    assert str(find_convention(snapshot)) == (
        "gate_order: the framework keeps the gates as i g f o (as TF1's cells, BlockLSTM) where "
        "i f g o was read"
    )


def test_a_mismatch_that_goes_on_is_not_explained_anew(rng, monkeypatch):
    """What explained it is tried first; if it no longer does, everything is looked for again."""
    searched = []
    for name in ("gate_at_fault", "narrower_precision"):
        original = getattr(verdict, name)
        monkeypatch.setattr(
            verdict,
            name,
            lambda *args, name=name, original=original: searched.append(name) or original(*args),
        )
    right = samples.snapshot(rng, time=40, dtype="float32")
    shifted = LstmCell(forget_bias=1.0).run(right.x, right.weights, dtype="float64").h
    harder = LstmCell(recurrent_activation="hard_sigmoid")
    other = harder.run(right.x, right.weights, dtype="float64").h
    first = analyse(replace(right, output=shifted))
    assert first.convention.name == "forget_bias"
    assert searched == ["narrower_precision", "gate_at_fault"]
    again = analyse(replace(right, output=shifted, step=1), previous=first)
    assert (searched[2:], again.convention) == ([], first.convention)
    assert again.parity.verdict == first.parity.verdict
    changed = analyse(replace(right, output=other, step=2), previous=again)
    assert searched[2:] == ["narrower_precision", "gate_at_fault"]
    assert changed.convention.name == "sigmoid"
    assert analyse(replace(right, step=3), previous=changed).convention is None
    assert len(searched) == 4
